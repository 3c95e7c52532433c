#include "proxy/client_connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "cql/language/parser.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "proxy/backend_reply.h"
#include "proxy/client_version.h"
#include "proxy/paging.h"
#include "proxy/proxy_shard.h"
#include "proxy/schema_change.h"
#include "proxy/truncate.h"
#include "proxy/virtual_answer.h"

namespace penumbra::proxy {

namespace {
/// Of answers that are not read: what any client may let wait while memory is short.
constexpr std::size_t kUnsentWhenTight = 4 * 1024;
constexpr std::uint8_t kTlsHandshake = 0x16;  ///< the first byte of a TLS client, RFC 8446 5.1; no version of CQL
}  // namespace

ClientConnection::ClientConnection(ProxyShard& shard, int fd, const Endpoint& peer)
    : shard_(shard),
      stream_(std::make_unique<Stream>(fd, peer, shard.context().tls)),
      arriving_(shard.memory()),
      kept_(shard.memory()),
      reader_(cql::Direction::request, shard.options().max_frame_bytes) {
    ++references_;  // its own, while the socket is open
    reader_.ask(this);
    shard_.client_opened(*this);
    stream_->charge(shard.memory());
    stream_->start(*this);
}

ClientConnection::~ClientConnection() = default;

void intrusive_ptr_release(ClientConnection* client) {
    if (--client->references_ == 0) Shard::here().dispose(std::unique_ptr<ClientConnection>(client));
}

void ClientConnection::close() {
    if (!is_open()) return;
    stream_->close();
    forget_memory();
    shard_.client_closed(*this);
    intrusive_ptr_release(this);
}

void ClientConnection::forget_memory() {
    arriving_.clear();
    kept_.clear();
}

void ClientConnection::on_closed(const Error& why) {
    if (why.code != Errc::closed) shard_.client_turned_away(why);
    forget_memory();
    shard_.client_closed(*this);
    intrusive_ptr_release(this);
}

bool ClientConnection::is_behind() const {
    const auto unsent = stream_->unsent();
    return unsent >= shard_.options().max_unsent_per_client ||
           (unsent > kUnsentWhenTight && shard_.memory().is_tight());
}

void ClientConnection::on_drained() {
    read_on_if_ready();
}

void ClientConnection::exchange_ended() {
    --in_flight_;
    if (is_open() && stream_->paused()) read_on_if_ready();
}

void ClientConnection::hold_back_if_busy() {
    // A client that does not read its answers, or asks faster than the clusters answer, waits in its own socket.
    if (in_flight_ < shard_.options().max_in_flight_per_client && !is_behind()) return;
    stream_->pause();
    stream_->tell_when_below(stream_->unsent() / 2);
}

void ClientConnection::read_on_if_ready() {
    if (!stream_->paused()) return;
    // The last of its answers, or its own reading, brings us here again.
    if (is_behind()) {
        stream_->tell_when_below(stream_->unsent() / 2);
    } else if (in_flight_ <= shard_.options().max_in_flight_per_client / 2) {
        stream_->resume();
    }
}

bool ClientConnection::admit(const cql::FrameHeader&, std::size_t total) {
    // Where it arrives, and what its exchange will take. The stream counts what arrives in it by itself.
    const auto exchange = Exchange::cost_of(total);
    if (!arriving_.try_add(total + exchange)) return false;
    if (!reader_.keeps_pieces()) arriving_.set(exchange);
    return true;
}

void ClientConnection::refuse_overload(std::int16_t stream, std::size_t bytes) {
    ++shard_.counters().overloaded;
    ++shard_.counters().errors;
    reply_error(stream, cql::ErrorCode::overloaded,
                fmt::format("the proxy has no memory for this request of {} bytes now; it was not executed", bytes));
}

std::size_t ClientConnection::on_data(MutableBytes data) {
    hold_back_if_busy();
    const auto dealt = read(data);
    if (is_open()) kept_.set(arriving_.bytes() > 0 ? 0 : reader_.held());
    return dealt;
}

std::size_t ClientConnection::read(MutableBytes data) {
    std::size_t at = 0;
    while (at < data.size() && is_open() && !stream_->paused()) {
        if (skip_ > 0) {
            const auto passed = std::min(skip_, data.size() - at);
            skip_ -= passed;
            at += passed;
            continue;
        }
        const auto rest = BytesView(data).subspan(at);
        std::size_t dealt = 0;
        const auto scan = reader_.next(rest, dealt);
        at += dealt;
        if (arriving_.bytes() > 0 && scan.verdict != cql::FrameVerdict::incomplete) arriving_.clear();
        switch (scan.verdict) {
            case cql::FrameVerdict::complete:
                if (state_ == State::new_ && !is_spoken(scan.frame.header.version_number(), shard_.newest_version())) {
                    send_version_error(scan.frame.header.version_number());
                    break;
                }
                if (!handle(scan.frame)) return data.size();
                hold_back_if_busy();
                break;
            case cql::FrameVerdict::incomplete:
                stream_->expect(scan.total);
                return at;
            case cql::FrameVerdict::too_long:
                refuse_size(scan.frame.header);
                break;
            case cql::FrameVerdict::not_admitted:
                refuse_overload(scan.frame.header.stream, scan.total);
                break;
            case cql::FrameVerdict::broken_body:
                reply_error(0, cql::ErrorCode::protocol_error, cql::frame_error(scan).what);
                break;
            case cql::FrameVerdict::unsupported_version:
                if (!refuse_version(rest)) return is_open() ? at : data.size();
                break;
            case cql::FrameVerdict::wrong_direction:
            case cql::FrameVerdict::broken_segment:
                // Nothing says where the next one would begin.
                reply_error(0, cql::ErrorCode::protocol_error, cql::frame_error(scan).what);
                stream_->close_after_flush();
                return data.size();
        }
    }
    return at;
}

void ClientConnection::before_flush(Bytes& out, std::size_t from) {
    writer_.encode(out, from);
}

bool ClientConnection::refuse_version(BytesView data) {
    const auto size = size_of_foreign_frame(data);
    if (size && *size == 0) return false;
    if (state_ == State::new_ && data[0] == kTlsHandshake) {
        // The client reports no more than that the other side speaks no TLS; the rest of its handshake is not for us.
        shard_.client_turned_away(
            {Errc::unsupported, fmt::format("{} wants TLS, and --listen speaks none: give --listen-tls.cert and "
                                            "--listen-tls.key, or switch TLS off in the client",
                                            to_string(stream_->peer()))});
    }
    send_version_error(data[0] & ~cql::kResponseBit);
    if (!size || in_segments_) {
        stream_->close_after_flush();
        return false;
    }
    skip_ = *size;
    return true;
}

void ClientConnection::send_version_error(std::uint8_t asked) {
    if (state_ == State::new_) {
        const auto error = version_error(asked, shard_.newest_version());
        stream_->write(error);
    } else {
        reply_error(0, cql::ErrorCode::protocol_error, version_error_text(asked, shard_.newest_version()));
    }
}

void ClientConnection::refuse_size(const cql::FrameHeader& header) {
    const auto limit = shard_.options().max_frame_bytes;
    reply_error(
        header.stream, cql::ErrorCode::invalid,
        version_ == cql::ProtocolVersion::v5
            ? fmt::format("CQL Message of size {} bytes exceeds allowed maximum of {} bytes", header.length, limit)
            : fmt::format("Request is too big: length {} exceeds maximum allowed length {}.", header.length, limit));
}

bool ClientConnection::handle(const cql::FrameView& frame) {
    const auto stream = frame.header.stream;
    ++shard_.counters().requests;
    if (state_ == State::new_) {
        version_ = frame.version();
    } else if (frame.version() != version_) {
        const auto asked = static_cast<int>(frame.version());
        const auto agreed = static_cast<int>(version_);
        reply_error(
            stream, cql::ErrorCode::protocol_error,
            fmt::format(
                "Invalid message version. Got {}/v{} but previous messages on this connection had version {}/v{}",
                asked, asked, agreed, agreed));
        return true;
    }
    if (frame.is_compressed()) {  // the reader would have decompressed it
        reply_error(stream, cql::ErrorCode::protocol_error,
                    "the frame is compressed, but no compression was agreed in STARTUP");
        return true;
    }
    const auto opcode = frame.header.opcode;
    if (opcode == cql::Opcode::options) {
        const auto topology = shard_.context().cluster(shard_.default_primary()).topology();
        std::string cql_version = "3.4.5";
        if (topology && !topology->system_local.empty()) {
            if (auto text = topology->system_local[0].text("cql_version")) cql_version = text.value();
        }
        std::vector<std::string> versions;
        for (const auto spoken : cql::kAllVersions) {
            if (spoken <= shard_.newest_version())
                versions.push_back(fmt::format("{}/{}", static_cast<int>(spoken), cql::to_string(spoken)));
        }
        // Nothing that only one of the clusters can do; compression is ours to offer, whatever they speak.
        const cql::StringLists options{{"COMPRESSION", {"snappy", "lz4"}},
                                       {"CQL_VERSION", {cql_version}},
                                       {"PROTOCOL_VERSIONS", {versions.begin(), versions.end()}}};
        respond(stream, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_supported(out, head, options); });
        return true;
    }
    if (opcode == cql::Opcode::startup) {
        handle_startup(frame);
        return true;
    }
    if (opcode == cql::Opcode::auth_response && state_ == State::authenticating) {
        const auto response = cql::decode_auth_response(frame);
        const auto token = response ? response.value().token.bytes() : BytesView();
        state_ = State::judged;
        shard_.tasks().spawn(authenticate(this, stream, Bytes(token.begin(), token.end())));
        return true;
    }
    if (state_ != State::ready) {
        reply_error(stream, cql::ErrorCode::protocol_error, unexpected(opcode));
        return true;
    }
    switch (opcode) {
        case cql::Opcode::register_:
            handle_register(frame);
            return true;
        case cql::Opcode::query:
        case cql::Opcode::execute:
        case cql::Opcode::prepare:
        case cql::Opcode::batch:
            if (auto* exchange = shard_.take_exchange(frame.whole.size())) {
                exchange->begin(this, frame);
            } else {
                refuse_overload(stream, frame.whole.size());
            }
            return is_open();
        default:
            reply_error(stream, cql::ErrorCode::protocol_error,
                        fmt::format("Unknown or unexpected opcode {}", static_cast<int>(opcode)));
            return true;
    }
}

std::string ClientConnection::unexpected(cql::Opcode opcode) const {
    const auto name = cql::to_string(opcode);
    switch (state_) {
        case State::new_:
            return fmt::format("Unexpected message {}, expecting STARTUP or OPTIONS", name);
        case State::judged:
            if (opcode == cql::Opcode::auth_response)
                return fmt::format("Unexpected message {}, the one before it has not been answered", name);
            [[fallthrough]];
        case State::authenticating:
            return fmt::format("Unexpected message {}, expecting SASL_RESPONSE", name);
        case State::ready:
            break;
    }
    return fmt::format("Unexpected message {}, the connection is already initialized", name);
}

void ClientConnection::handle_startup(const cql::FrameView& frame) {
    const auto stream = frame.header.stream;
    const auto startup = cql::decode_startup(frame);
    if (!startup) {
        reply_error(stream, cql::ErrorCode::protocol_error, startup.error().what);
        return;
    }
    // Once only: what was agreed may already be in use for what comes behind this one.
    if (state_ != State::new_) {
        reply_error(stream, cql::ErrorCode::protocol_error, unexpected(cql::Opcode::startup));
        return;
    }
    if (!startup.value().option("CQL_VERSION")) {
        reply_error(stream, cql::ErrorCode::protocol_error, "Missing value CQL_VERSION in STARTUP message");
        return;
    }
    auto compression = cql::Compression::none;
    if (const auto name = startup.value().option("COMPRESSION")) {
        const auto known = cql::compression_named(*name);
        if (!known) {
            reply_error(stream, cql::ErrorCode::protocol_error,
                        fmt::format("Unknown compression algorithm: {}", *name));
            return;
        }
        if (!cql::may_agree(version_, *known)) {
            reply_error(stream, cql::ErrorCode::protocol_error, "Snappy compression is not supported in protocol V5");
            return;
        }
        compression = *known;
    }
    login_side_ = shard_.default_primary();
    const auto authenticator = shard_.context().cluster(login_side_).authenticator();
    state_ = authenticator ? State::authenticating : State::ready;
    const auto answer = [&](Bytes& out, const cql::ResponseHead& head) {
        if (authenticator) {
            cql::encode_authenticate(out, head, *authenticator);
        } else {
            cql::encode_ready(out, head);
        }
    };
    reader_.agree(version_, compression);
    if (version_ == cql::ProtocolVersion::v5) {
        // The answer itself is the last that goes outside of segments.
        respond(stream, answer);
        stream_->seal();
        writer_.agree(version_, compression);
        in_segments_ = true;
    } else {
        stream_->seal();
        writer_.agree(version_, compression);
        respond(stream, answer);
    }
}

Task<void> ClientConnection::authenticate(Ptr self, std::int16_t stream, Bytes token) {
    // The primary itself judges the client's credentials, in its own words.
    auto& shard = self->shard_;
    const auto side = self->login_side_;
    auto& pool = shard.pool(side);
    const auto by = Deadline::in(Shard::here().clock(), shard.options().request_timeout);
    // Ours alone until it has been answered: State::judged lets nobody else begin one or answer meanwhile.
    ASSERT(self->state_ == State::judged);
    auto attempt = std::move(self->login_attempt_);
    if (!attempt) {
        auto begun = co_await pool.begin_login(self->version_, by);
        if (!begun) {
            self->state_ = State::authenticating;
            self->reply_error(stream, cql::ErrorCode::overloaded, begun.error().what);
            co_return;
        }
        attempt = std::move(begun).value();
    }
    auto answered = co_await attempt->answer(std::move(token), by);
    if (!answered) {
        self->state_ = State::authenticating;
        self->reply_error(stream, cql::ErrorCode::server_error, answered.error().what);
        co_return;
    }
    const auto verdict = cql::view_frame(answered.value(), cql::Direction::response);
    if (!verdict) {
        self->state_ = State::authenticating;
        self->reply_error(stream, cql::ErrorCode::server_error, "the cluster's answer could not be read");
        co_return;
    }
    if (auto login = attempt->finish()) {
        const bool other_asks = shard.context().cluster(routing::other(side)).authenticator().has_value();
        self->identity_.accepted(side, std::move(login), shard.options().logins, other_asks);
        self->state_ = State::ready;
    } else {
        self->state_ = State::authenticating;
    }
    if (verdict.value().header.opcode == cql::Opcode::auth_challenge) self->login_attempt_ = std::move(attempt);
    self->reply(stream, verdict.value(), side);
}

cluster::Pool& ClientConnection::pool(routing::Side side) {
    return shard_.pool(side);
}

cluster::Group* ClientConnection::group(routing::Side side, Role role, std::string_view keyspace) {
    return identity_.group(shard_.pool(side), side, role, version_, keyspace);
}

void ClientConnection::handle_register(const cql::FrameView& frame) {
    const auto stream = frame.header.stream;
    const auto asked = cql::decode_register(frame);
    if (!asked) {
        reply_error(stream, cql::ErrorCode::protocol_error, asked.error().what);
        return;
    }
    for (const auto event : asked.value().events) {
        if (event != "TOPOLOGY_CHANGE" && event != "STATUS_CHANGE" && event != "SCHEMA_CHANGE") {
            reply_error(stream, cql::ErrorCode::protocol_error, fmt::format("Invalid value '{}' for Type", event));
            return;
        }
        wants_schema_events_ |= event == "SCHEMA_CHANGE";
        wants_status_events_ |= event == "STATUS_CHANGE";
    }
    respond(stream, [](Bytes& out, const cql::ResponseHead& head) { cql::encode_ready(out, head); });
}

void ClientConnection::run(std::int16_t stream, Plan::Kind kind, BytesView frame, std::string_view text,
                           const cql::Statement& statement, const std::string& keyspace) {
    const auto request = cql::view_frame(frame, cql::Direction::request);
    const auto traced = request && request.value().header.has(cql::header_flag::kTracing) ? Traced::yes : Traced::no;
    switch (kind) {
        case Plan::Kind::use:
            shard_.tasks().spawn(use(this, stream, std::string(statement.keyspace)));
            return;
        case Plan::Kind::virtual_table:
            shard_.tasks().spawn(
                answer_virtual(&shard_, this, stream, Bytes(frame.begin(), frame.end()), std::string(text), keyspace));
            return;
        case Plan::Kind::protected_table:
            // In a server's words. Those that check permissions would refuse it too; the others would take it, and
            // break at their next start.
            reply_error(stream, cql::ErrorCode::unauthorized,
                        fmt::format("{} keyspace is not user-modifiable.", protected_keyspace(statement, keyspace)));
            return;
        case Plan::Kind::schema_change:
            shard_.tasks().spawn(change_schema(&shard_, this, stream, std::string(text), keyspace, traced));
            return;
        case Plan::Kind::truncate:
            shard_.tasks().spawn(truncate(&shard_, this, stream, std::string(text), keyspace, traced));
            return;
        case Plan::Kind::read:
        case Plan::Kind::write:
        case Plan::Kind::primary_only:
            break;
    }
    ASSERT(!"an exchange's own kind");
}

Task<void> ClientConnection::use(Ptr self, std::int16_t stream, std::string keyspace) {
    auto schema = self->shard_.router()->schema();
    if (!schema || !schema->has_keyspace(keyspace)) {
        auto refreshed = co_await self->shard_.context().refresh_schema();
        schema = refreshed ? self->shard_.router()->schema() : nullptr;
    }
    if (!schema || !schema->has_keyspace(keyspace)) {
        self->reply_error(stream, cql::ErrorCode::invalid, fmt::format("Keyspace '{}' does not exist", keyspace));
        co_return;
    }
    self->keyspace_ = keyspace;
    self->respond(stream,
                  [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_set_keyspace(out, head, keyspace); });
}

void ClientConnection::reply(std::int16_t stream, const cql::FrameView& frame, routing::Side side) {
    if (!is_open()) return;
    // What is small goes out in any case: it is no more than the refusal would be.
    const auto refusal = frame.whole.size() > kSmallAnswer ? Stream::Refusal::allowed : Stream::Refusal::never;
    if (!stream_->make_room(frame.whole.size() + kPagingTagSize, refusal)) {
        ++shard_.counters().overloaded;
        ++shard_.counters().errors;
        reply_error(stream, cql::ErrorCode::overloaded,
                    fmt::format("the proxy has no memory to keep this answer of {} bytes while {} more wait to be read "
                                "by the client",
                                frame.whole.size(), stream_->unsent()));
        return;
    }
    auto& out = stream_->out();
    const auto at = out.size();
    out.insert(out.end(), frame.whole.begin(), frame.whole.end());
    if (cql::peek_rows_flags(frame) & cql::metadata_flag::kMorePages) {
        const auto rows = cql::peek_rows(frame);
        if (rows && rows.value().paging_state && rows.value().paging_state->has_value()) {
            const auto tag = paging_tag(side);
            const auto length_at = at + cql::kHeaderSize + rows.value().paging_state_at;
            const auto length = load_be<std::int32_t>(out.data() + length_at);
            out.insert(out.begin() + static_cast<std::ptrdiff_t>(length_at + 4), tag.begin(), tag.end());
            store_be<std::int32_t>(out.data() + length_at, length + static_cast<std::int32_t>(tag.size()));
            store_be<std::uint32_t>(out.data() + at + cql::kLengthAt,
                                    frame.header.length + static_cast<std::uint32_t>(tag.size()));
        }
    }
    cql::set_stream(MutableBytes(out).subspan(at), stream);
    stream_->flush_soon();
}

void ClientConnection::reply_error(std::int16_t stream, cql::ErrorCode code, std::string_view message,
                                   cql::ErrorDetail detail) {
    cql::ErrorMessage error;
    error.code = code;
    error.message = message;
    error.detail = std::move(detail);
    respond(stream, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_error(out, head, error); });
}

void ClientConnection::reply_unprepared(std::int16_t stream, BytesView id) {
    // A server's words: there are drivers that show them to the application.
    reply_error(stream, cql::ErrorCode::unprepared,
                fmt::format("Prepared query with ID {} not found (either the query was not prepared on this host "
                            "(maybe the host has been restarted?) or you have prepared too many queries and it has "
                            "been evicted from the internal cache)",
                            to_hex(id)),
                cql::Unprepared{id});
}

void ClientConnection::reply_rows(std::int16_t stream, const cql::RowsView& rows, std::optional<cql::Uuid> tracing_id,
                                  std::span<const std::string> warnings) {
    auto shown = rows;
    for (auto& column : shown.metadata.columns) column.type = cql::as_cassandra_sends(column.type, version_);
    respond(stream, [&](Bytes& out, cql::ResponseHead head) {
        head.tracing_id = tracing_id;
        // v3 has no place for warnings, so no server sent any.
        head.warnings.assign(warnings.begin(), warnings.end());
        cql::encode_rows(out, head, shown);
    });
}

void ClientConnection::push_schema_event(const cql::SchemaChange& change) {
    if (!is_open() || !wants_schema_events_) return;
    auto told = change;
    // v3 has no functions and no aggregates (native_protocol_v4.spec, 10): its servers say that their keyspace changed.
    if (version_ == cql::ProtocolVersion::v3 && (change.target == "FUNCTION" || change.target == "AGGREGATE"))
        told = {"UPDATED", "KEYSPACE", change.keyspace, {}, {}};
    respond(cql::kEventStream, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_event(out, head, told); });
}

void ClientConnection::push_status_event(const Endpoint& proxy, bool up) {
    if (!is_open() || !wants_status_events_) return;
    const auto address = cql::InetAddress::from_bytes(proxy.address());
    ASSERT(address.has_value());
    const cql::NodeEvent event{"STATUS_CHANGE", up ? "UP" : "DOWN", {address.value(), proxy.port()}};
    respond(cql::kEventStream, [&](Bytes& out, const cql::ResponseHead& head) { cql::encode_event(out, head, event); });
}

}  // namespace penumbra::proxy
