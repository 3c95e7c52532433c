#include <fmt/format.h>

#include "cluster/connection.h"
#include "cql/protocol/requests.h"
#include "cql/types/type.h"

// How a connection begins: OPTIONS, STARTUP, AUTH_RESPONSEs, USE (native_protocol_v5.spec 4.1 and 4.2).
namespace penumbra::cluster {

namespace {

/// The node's own words, for whom it refuses; its code in `detail`.
Status refused_by(const cql::FrameView& frame) {
    TRY(const auto message, cql::decode_error(frame));
    return fail(Errc::server, std::string(message.message), static_cast<std::int32_t>(message.code));
}

/// OPTIONS in clear met no answer in CQL: what a port that wants TLS does. Some say so by an alert, most hang up.
Error unanswered(const Error& why, const ConnectionOptions& options, const Endpoint& peer) {
    if (options.tls || (why.code != Errc::closed && why.code != Errc::malformed)) return why;
    return {why.code,
            fmt::format("{} did not answer in CQL ({}): if this port wants TLS, switch it on for this cluster "
                        "(--source-tls.enabled, --target-tls.enabled)",
                        to_string(peer), why.what)};
}

}  // namespace

Task<Result<std::unique_ptr<Connection>>> Connection::greet(Endpoint to, ConnectionOptions options, Deadline by) {
    auto connected = co_await penumbra::connect(to, by, options.source_port);
    CO_TRY(const int fd, std::move(connected));
    auto connection = std::make_unique<Connection>(std::make_unique<Stream>(fd, to, options.tls), options, nullptr);
    auto started = co_await connection->start_up(by);
    if (!started) {
        Shard::here().dispose(std::move(connection));
        co_return fail(std::move(started).error());
    }
    co_return std::move(connection);
}

Task<Result<std::unique_ptr<Connection>>> Connection::open(Endpoint to, ConnectionOptions options, Owner* owner,
                                                           Deadline by) {
    auto greeted = co_await greet(to, std::move(options), by);
    CO_TRY(auto connection, std::move(greeted));
    auto ready = co_await connection->log_in(by);
    if (ready) {
        auto used = co_await connection->use_keyspace(connection->options_.keyspace, by);
        ready = std::move(used);
    }
    if (!ready) {
        Shard::here().dispose(std::move(connection));
        co_return fail(std::move(ready).error());
    }
    connection->set_owner(owner);
    co_return std::move(connection);
}

Task<Status> Connection::start_up(Deadline by) {
    cql::RequestHead head;
    head.version = options_.version;
    Bytes asking;
    cql::encode_options(asking, head);
    auto asked = co_await call(std::move(asking), by);
    if (!asked) co_return fail(unanswered(asked.error(), options_, peer()));
    CO_TRY(const auto offered, std::move(asked));
    auto viewed_offer = cql::view_frame(offered, cql::Direction::response);
    CO_TRY(const auto offer, std::move(viewed_offer));
    if (offer.header.opcode == cql::Opcode::error) co_return refused_by(offer);
    auto read = read_supported(offer);
    CO_TRY(auto supported, std::move(read));
    supported_ = std::move(supported);

    cql::StringPairs startup{{"CQL_VERSION", "3.0.0"}, {"DRIVER_NAME", "Penumbra"}};
    tablets_ = supported_.tablets_routing;
    if (tablets_) startup.emplace_back("TABLETS_ROUTING_V1", "");
    const auto compression = options_.compression;
    const bool compressed = compression != cql::Compression::none && cql::may_agree(head.version, compression) &&
                            supported_.offers(cql::to_string(compression));
    const auto agreed = compressed ? compression : cql::Compression::none;
    if (compressed) startup.emplace_back("COMPRESSION", cql::to_string(compression));
    // Of v3 and v4 the answer itself may be compressed; of v5 it is the last plain envelope.
    const bool segments = head.version == cql::ProtocolVersion::v5;
    if (!segments) reader_.agree(head.version, agreed);
    Bytes request;
    cql::encode_startup(request, head, startup);
    auto sent = co_await call(std::move(request), by);
    CO_TRY(const auto reply, std::move(sent));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    if (frame.header.opcode != cql::Opcode::error) {
        if (segments) reader_.agree(head.version, agreed);
        stream_->seal();
        writer_.agree(head.version, agreed);
    }
    switch (frame.header.opcode) {
        case cql::Opcode::ready:
            co_return ok();
        case cql::Opcode::authenticate: {
            auto decoded = cql::decode_authenticate(frame);
            CO_TRY(const auto authenticator, std::move(decoded));
            authenticator_ = std::string(authenticator);
            co_return ok();
        }
        case cql::Opcode::error:
            co_return refused_by(frame);
        default:
            co_return fail(Errc::malformed, fmt::format("{} answered STARTUP with {}", to_string(peer()),
                                                        cql::to_string(frame.header.opcode)));
    }
}

Task<Status> Connection::log_in(Deadline by) {
    if (!authenticator_) co_return ok();
    if (!options_.login) {
        co_return fail(Errc::invalid_argument,
                       fmt::format("{} asks for a user name and password ({}): configure them for this cluster",
                                   to_string(peer()), *authenticator_));
    }
    for (const auto& token : options_.login->tokens) {
        auto answered = co_await authenticate(token, by);
        CO_TRY(const auto answer, std::move(answered));
        auto viewed = cql::view_frame(answer, cql::Direction::response);
        CO_TRY(const auto frame, std::move(viewed));
        if (frame.header.opcode == cql::Opcode::auth_success) co_return ok();
        if (frame.header.opcode == cql::Opcode::error) co_return refused_by(frame);
        if (frame.header.opcode != cql::Opcode::auth_challenge) {
            co_return fail(Errc::malformed, fmt::format("{} answered AUTH_RESPONSE with {}", to_string(peer()),
                                                        cql::to_string(frame.header.opcode)));
        }
    }
    co_return fail(Errc::unsupported, fmt::format("{} ({}) asks for more than the login of '{}' has to say",
                                                  to_string(peer()), *authenticator_, options_.login->user));
}

Task<Result<Bytes>> Connection::authenticate(Bytes token, Deadline by) {
    cql::RequestHead head;
    head.version = options_.version;
    Bytes request;
    cql::encode_auth_response(request, head, cql::CellView(token));
    auto answered = co_await call(std::move(request), by);
    co_return answered;
}

Task<Status> Connection::use_keyspace(std::string keyspace, Deadline by) {
    if (keyspace.empty()) co_return ok();
    cql::RequestHead head;
    head.version = options_.version;
    Bytes request;
    const cql::Parameters parameters;
    const auto text = "USE " + cql::quote_identifier(keyspace);
    cql::encode_query(request, head, text, parameters);
    auto answered = co_await call(std::move(request), by);
    CO_TRY(const auto answer, std::move(answered));
    auto viewed = cql::view_frame(answer, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    if (frame.header.opcode == cql::Opcode::error) co_return refused_by(frame);
    options_.keyspace = std::move(keyspace);
    co_return ok();
}

}  // namespace penumbra::cluster
