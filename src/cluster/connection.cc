#include "cluster/connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "cluster/pool.h"
#include "cql/protocol/requests.h"
#include "cql/types/type.h"

namespace penumbra::cluster {

using namespace std::chrono_literals;

void Request::cancel() {
    if (connection_) {
        connection_->ids_.orphan(stream_);
        connection_ = nullptr;
    }
    if (waiting_in_) {
        waiting_in_->forget(*this);
        waiting_in_ = nullptr;
    }
}

std::optional<std::int16_t> StreamIds::take(Request& request) {
    std::int16_t id = 0;
    if (!free_.empty()) {
        id = free_.back();
        free_.pop_back();
    } else if (slots_.size() < limit_) {
        id = static_cast<std::int16_t>(slots_.size());
        slots_.emplace_back();
    } else {
        return std::nullopt;
    }
    slots_[static_cast<std::size_t>(id)] = {&request, true};
    return id;
}

std::optional<Request*> StreamIds::give_back(std::int16_t id) {
    if (id < 0 || static_cast<std::size_t>(id) >= slots_.size()) return std::nullopt;
    auto& slot = slots_[static_cast<std::size_t>(id)];
    if (!slot.taken) return std::nullopt;
    if (slot.request == nullptr) --orphans_;
    auto* request = slot.request;
    slot = {};
    free_.push_back(id);
    return request;
}

void StreamIds::orphan(std::int16_t id) {
    slots_[static_cast<std::size_t>(id)].request = nullptr;
    ++orphans_;
}

std::vector<Request*> StreamIds::take_all() {
    std::vector<Request*> waiting;
    for (const auto& slot : slots_) {
        if (slot.request) waiting.push_back(slot.request);
    }
    slots_.clear();
    free_.clear();
    orphans_ = 0;
    return waiting;
}

Bytes Credentials::plain_token() const {
    Bytes token;
    Writer out(token);
    out.u8(0);
    out.raw(username);
    out.u8(0);
    out.raw(password);
    return token;
}

void CallRequest::write_to(Bytes& out, std::int16_t stream) {
    cql::set_stream(frame_, stream);
    out.insert(out.end(), frame_.begin(), frame_.end());
}

void CallRequest::on_reply(const cql::FrameView& frame) {
    outcome_.set({Bytes(frame.whole.begin(), frame.whole.end()), Applied::yes});
}

void CallRequest::on_failed(const Error& error, Applied applied) {
    outcome_.set({fail(error), applied});
}

Connection::Connection(std::unique_ptr<Stream> stream, ConnectionOptions options, Owner* owner)
    : stream_(std::move(stream)), options_(std::move(options)), owner_(owner), ids_(options_.max_in_flight) {
    last_heard_ = Shard::here().now();
    waiting_since_ = last_heard_;
    stream_->start(*this);
    silence_timer_ = Shard::here().call_in(options_.dead_after / 4, [this] { check_silence(); });
}

Connection::~Connection() {
    close({Errc::shutting_down, "connection destroyed"});
}

bool Connection::send(Request& request) {
    if (!open_) return false;
    const auto id = ids_.take(request);
    if (!id) {
        was_full_ = true;
        return false;
    }
    if (ids_.taken() == 1) waiting_since_ = Shard::here().now();
    request.connection_ = this;
    request.stream_ = *id;
    request.node_ = stream_->peer();
    request.write_to(stream_->out(), *id);
    stream_->flush_soon();
    return true;
}

std::size_t Connection::on_data(MutableBytes data) {
    last_heard_ = Shard::here().now();
    std::size_t at = 0;
    while (at < data.size() && open_) {
        const auto scan = cql::next_frame(BytesView(data).subspan(at), cql::Direction::response);
        if (scan.verdict == cql::FrameVerdict::incomplete) {
            stream_->expect(scan.total);
            break;
        }
        if (scan.verdict != cql::FrameVerdict::complete) {
            // What follows cannot be trusted to be where a frame starts.
            close(cql::frame_error(scan).in(fmt::format("{} sent what is no CQL frame", to_string(peer()))));
            return data.size();
        }
        at += scan.total;
        const auto& frame = scan.frame;
        if (frame.header.stream == cql::kEventStream) {
            if (owner_) owner_->on_event(frame);
            continue;
        }
        const auto request = ids_.give_back(frame.header.stream);
        if (!request) {
            close({Errc::malformed,
                   fmt::format("{} answered stream {}, which asked nothing", to_string(peer()), frame.header.stream)});
            return data.size();
        }
        waiting_since_ = last_heard_;
        if (*request) {
            (*request)->connection_ = nullptr;
            (*request)->on_reply(frame);
        }
        if (was_full_ && open_) {
            was_full_ = false;
            if (owner_) owner_->on_capacity(*this);
        }
    }
    return at;
}

void Connection::on_closed(const Error& why) {
    close(why);
}

void Connection::close(const Error& why) {
    if (!open_) return;
    open_ = false;
    Shard::here().cancel(silence_timer_);
    stream_->close();
    for (auto* request : ids_.take_all()) {
        request->connection_ = nullptr;
        request->on_failed(why, Applied::unknown);
    }
    if (auto* owner = std::exchange(owner_, nullptr)) owner->on_connection_lost(*this, why);
}

namespace {
/// OPTIONS on an idle connection: keeps it alive and finds out when it is not.
class Heartbeat final : public Request {
  public:
    explicit Heartbeat(cql::ProtocolVersion version) : version_(version) {}
    void write_to(Bytes& out, std::int16_t stream) override {
        cql::RequestHead head;
        head.version = version_;
        head.stream = stream;
        cql::encode_options(out, head);
    }
    void on_reply(const cql::FrameView&) override {}
    void on_failed(const Error&, Applied) override {}

  private:
    cql::ProtocolVersion version_;
};
}  // namespace

void Connection::check_silence() {
    const auto now = Shard::here().now();
    const bool due = ids_.taken() > 0;
    if (due && now - std::max(last_heard_, waiting_since_) > options_.dead_after) {
        close(
            {Errc::closed, fmt::format("{} has been silent for {} s with {} answers due", to_string(peer()),
                                       std::chrono::duration_cast<Seconds>(now - last_heard_).count(), ids_.taken())});
        return;
    }
    if (!due && now - last_heard_ > options_.heartbeat) {
        if (!heartbeat_) heartbeat_ = std::make_unique<Heartbeat>(options_.version);
        send(*heartbeat_);
    }
    silence_timer_ = Shard::here().call_in(options_.dead_after / 4, [this] { check_silence(); });
}

Task<Result<Bytes>> Connection::call(Bytes frame, Deadline by) {
    CallRequest request(std::move(frame));
    if (!send(request))
        co_return fail(Errc::overloaded, fmt::format("connection to {} takes no request now", to_string(peer())));
    const auto outcome = request.outcome();
    const auto timer = Shard::here().call_at(by.at, [outcome, peer = peer()] {
        outcome.set({fail(Errc::timeout, fmt::format("{} did not answer in time", to_string(peer))), Applied::unknown});
    });
    auto result = co_await outcome;
    Shard::here().cancel(timer);
    co_return std::move(result.frame);
}

Task<Result<std::unique_ptr<Connection>>> Connection::open(Endpoint to, ConnectionOptions options, Owner* owner,
                                                           Deadline by) {
    auto connected = co_await penumbra::connect(to, by);
    CO_TRY(const int fd, std::move(connected));
    auto connection = std::make_unique<Connection>(std::make_unique<Stream>(fd, to, options.tls), options, nullptr);
    auto started = co_await connection->start_up(by);
    if (!started) {
        Shard::here().dispose(std::move(connection));
        co_return fail(std::move(started).error());
    }
    connection->set_owner(owner);
    co_return std::move(connection);
}

Task<Status> Connection::start_up(Deadline by) {
    const auto name = to_string(peer());
    cql::RequestHead head;
    head.version = options_.version;
    const cql::StringPairs startup{{"CQL_VERSION", "3.0.0"}, {"DRIVER_NAME", "Penumbra"}};
    Bytes request;
    cql::encode_startup(request, head, startup);
    auto sent = co_await call(std::move(request), by);
    CO_TRY(auto reply, std::move(sent));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(auto frame, std::move(viewed));
    if (frame.header.opcode == cql::Opcode::authenticate) {
        auto decoded = cql::decode_authenticate(frame);
        CO_TRY(auto authenticator, std::move(decoded));
        authenticator_ = std::string(authenticator);
        if (!options_.sasl_token) {
            co_return fail(Errc::invalid_argument,
                           fmt::format("{} asks for a user name and password ({}): configure them for this cluster",
                                       name, authenticator));
        }
        Bytes token;
        cql::encode_auth_response(token, head, cql::CellView(*options_.sasl_token));
        auto answered = co_await call(std::move(token), by);
        CO_TRY(auto verdict, std::move(answered));
        reply = std::move(verdict);
        auto viewed_verdict = cql::view_frame(reply, cql::Direction::response);
        CO_TRY(auto verdict_frame, std::move(viewed_verdict));
        frame = verdict_frame;
    }
    if (frame.header.opcode == cql::Opcode::error) {
        auto error = cql::decode_error(frame);
        CO_TRY(auto message, std::move(error));
        co_return fail(cql::to_error(message).in(name));
    }
    if (frame.header.opcode != cql::Opcode::ready && frame.header.opcode != cql::Opcode::auth_success) {
        co_return fail(Errc::malformed,
                       fmt::format("{} answered STARTUP with {}", name, cql::to_string(frame.header.opcode)));
    }
    if (!options_.keyspace.empty()) {
        Bytes use;
        const cql::Parameters parameters;
        const auto text = "USE " + cql::quote_identifier(options_.keyspace);
        cql::encode_query(use, head, text, parameters);
        auto used = co_await call(std::move(use), by);
        CO_TRY(auto used_reply, std::move(used));
        auto viewed_use = cql::view_frame(used_reply, cql::Direction::response);
        CO_TRY(auto used_frame, std::move(viewed_use));
        if (used_frame.header.opcode == cql::Opcode::error) {
            auto error = cql::decode_error(used_frame);
            CO_TRY(auto message, std::move(error));
            co_return fail(cql::to_error(message).in(name));
        }
    }
    co_return ok();
}

}  // namespace penumbra::cluster
