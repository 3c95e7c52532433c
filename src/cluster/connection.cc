#include "cluster/connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "cluster/table_route.h"
#include "cql/protocol/requests.h"

namespace penumbra::cluster {

using namespace std::chrono_literals;

namespace {
/// What is written for a node that takes nothing grows by steps of its queue's, not by doubling.
constexpr std::size_t kRoomOfBlocked = 32 * 1024;
}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, ConnectionOptions options, Owner* owner)
    : stream_(std::move(stream)),
      node_(stream_->peer()),
      options_(std::move(options)),
      owner_(owner),
      ids_(options_.max_in_flight + 1) {  // one more, for the probe
    last_heard_ = Shard::here().now();
    waiting_since_ = last_heard_;
    reader_.ask(this);
    stream_->charge(Shard::here().memory());
    stream_->start(*this);
    silence_timer_ = Shard::here().call_in(options_.dead_after / 4, [this] { check_silence(); });
}

Connection::~Connection() {
    close({Errc::shutting_down, "connection destroyed"});
}

bool Connection::send(Request& request) {
    if (!open_) return false;
    if (!can_send()) {
        was_full_ = true;
        if (is_congested()) stream_->tell_when_below(options_.max_unsent / 2);
        return false;
    }
    if (in_flight() == 0) waiting_since_ = Shard::here().now();
    return take_id_and_write(request);
}

bool Connection::take_id_and_write(Request& request) {
    const auto id = ids_.take(request);
    if (!id) return false;
    request.connection_ = this;
    request.stream_ = *id;
    request.node_ = node_;
    if (stream_->blocked()) stream_->make_room(kRoomOfBlocked, Stream::Refusal::never);
    request.write_to(stream_->out(), *id);
    stream_->flush_soon();
    return true;
}

std::size_t Connection::on_data(MutableBytes data) {
    last_heard_ = Shard::here().now();
    std::size_t at = 0;
    while (open_) {
        std::size_t dealt = 0;
        const auto scan = reader_.next(BytesView(data).subspan(at), dealt);
        at += dealt;
        if (scan.verdict == cql::FrameVerdict::incomplete) {
            stream_->expect(scan.total);
            break;
        }
        if (arriving_.bytes() > 0) arriving_.clear();
        if (scan.verdict == cql::FrameVerdict::not_admitted) {
            if (!no_memory_for(scan)) return data.size();
            continue;
        }
        if (scan.verdict != cql::FrameVerdict::complete) {
            // What follows cannot be trusted to be where a frame starts, or whose answer was lost is not known.
            close(cql::frame_error(scan).in(fmt::format("{} sent what is no CQL frame", to_string(peer()))));
            return data.size();
        }
        if (!take_frame(scan.frame)) return data.size();
    }
    return open_ ? at : data.size();
}

bool Connection::admit(const cql::FrameHeader&, std::size_t total) {
    // Here, and where it is copied to. The stream counts what arrives in it by itself.
    if (!arriving_.try_add(2 * total)) return false;
    if (!reader_.keeps_pieces()) arriving_.set(total);
    return true;
}

bool Connection::no_memory_for(const cql::FrameScan& scan) {
    const auto& header = scan.frame.header;
    if (header.stream == cql::kEventStream) return true;
    const auto request = ids_.give_back(header.stream);
    if (!request) {
        close({Errc::malformed,
               fmt::format("{} answered stream {}, which asked nothing", to_string(peer()), header.stream)});
        return false;
    }
    waiting_since_ = last_heard_;
    if (*request) {
        (*request)->connection_ = nullptr;
        (*request)->learns_ = nullptr;
        (*request)->on_failed({Errc::overloaded, fmt::format("there is no memory for an answer of {} bytes from {} now",
                                                             scan.total, to_string(peer()))},
                              Applied::unknown);
    }
    if (open_) tell_capacity();
    return open_;
}

void Connection::on_drained() {
    if (open_) tell_capacity();
}

void Connection::tell_capacity() {
    if (!was_full_ || !can_send()) return;
    was_full_ = false;
    if (owner_) owner_->on_capacity(*this);
}

bool Connection::take_frame(const cql::FrameView& frame) {
    if (frame.header.stream == cql::kEventStream) {
        if (owner_) owner_->on_event(frame);
        return open_;
    }
    const auto request = ids_.give_back(frame.header.stream);
    if (!request) {
        close({Errc::malformed,
               fmt::format("{} answered stream {}, which asked nothing", to_string(peer()), frame.header.stream)});
        return false;
    }
    if (!*request || *request != probe_.get()) waiting_since_ = last_heard_;
    if (*request) {
        (*request)->connection_ = nullptr;
        give(**request, frame);
    }
    if (was_full_ && open_) tell_capacity();
    return open_;
}

void Connection::give(Request& request, const cql::FrameView& frame) {
    if (!tablets_ || !frame.header.has(cql::header_flag::kCustomPayload)) [[likely]] {
        if (request.learns_) request.learns_.reset();
        request.on_reply(frame);
        return;
    }
    const auto route = std::exchange(request.learns_, nullptr);
    // We asked for this payload, not whoever sent the request: it ends here.
    const auto prefix = cql::read_response_prefix(frame);
    if (!prefix) {
        request.on_reply(frame);
        return;
    }
    if (route && owner_) {
        if (const auto hint = read_tablet_hint(prefix.value())) owner_->on_tablet(*route, *hint);
    }
    edit_.reset(frame);
    edit_.set_stream(frame.header.stream);
    edit_.strip_payload(prefix.value());
    edited_.clear();
    edit_.append_to(edited_);
    // Taken out: what on_reply() causes may bring us here again.
    auto plain = std::move(edited_);
    if (const auto view = cql::view_frame(plain, cql::Direction::response)) {
        request.on_reply(view.value());
    } else {
        request.on_reply(frame);
    }
    edited_ = std::move(plain);
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
        request->learns_ = nullptr;
        request->on_failed(why, Applied::unknown);
    }
    if (auto* owner = std::exchange(owner_, nullptr)) owner->on_connection_lost(*this, why);
}

namespace {
/// OPTIONS: keeps an idle connection alive, and finds out whether a silent one still is.
class AliveProbe final : public Request {
  public:
    explicit AliveProbe(cql::ProtocolVersion version) : version_(version) {}
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
    const auto due = in_flight();
    const auto gave_up = [&](std::string_view what, SteadyTime since) {
        close({Errc::closed, fmt::format("{} {} for {} s with {} answers due", to_string(peer()), what,
                                         std::chrono::duration_cast<Seconds>(now - since).count(), due)});
    };
    // A slow answer is no silence: a schema change may take a minute, and to close would leave open whether it
    // happens. Whoever still answers OPTIONS is alive.
    if (probe_ && probe_->is_pending()) {
        if (now - std::max(last_heard_, probed_at_) > options_.dead_after)
            return gave_up("has been silent, to a probe too,", last_heard_);
    } else if (now - std::max(last_heard_, due > 0 ? waiting_since_ : last_heard_) >
               (due > 0 ? options_.dead_after / 2 : options_.heartbeat)) {
        send_probe(now);
    }
    // Alive, but what it was asked is lost to it, and the ids with that: they would run out, and nobody would know why.
    if (ids_.orphans() > options_.max_in_flight / 2 && now - waiting_since_ > options_.dead_after)
        return gave_up("has answered nothing but probes", waiting_since_);
    silence_timer_ = Shard::here().call_in(options_.dead_after / 4, [this] { check_silence(); });
}

void Connection::send_probe(SteadyTime now) {
    if (!probe_) probe_ = std::make_unique<AliveProbe>(options_.version);
    if (take_id_and_write(*probe_)) probed_at_ = now;
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

}  // namespace penumbra::cluster
