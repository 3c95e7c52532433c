#include "proxy/backend_reply.h"

#include <fmt/format.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "proxy/exchange.h"

namespace penumbra::proxy {

Task<Result<Bytes>> ask_primary(ClientPtr client, routing::Side primary, std::string keyspace, Bytes frame,
                                Deadline by) {
    cluster::CallRequest request(std::move(frame));
    cluster::Pool::Placement to;
    to.group = client->group(primary, Role::primary, keyspace);
    CO_TRY(client->pool(primary).submit(request, to));
    const auto outcome = request.outcome();
    const auto timer = Shard::here().call_at(by.at, [outcome, primary] {
        outcome.set(
            {fail(Errc::timeout, fmt::format("the {} cluster did not answer in time", routing::to_string(primary))),
             cluster::Applied::unknown});
    });
    auto result = co_await outcome;
    Shard::here().cancel(timer);
    co_return std::move(result.frame);
}

void reply_outcome(ClientConnection& client, std::int16_t stream, const Result<Bytes>& reply, routing::Side side) {
    if (reply) {
        if (const auto frame = cql::view_frame(reply.value(), cql::Direction::response)) {
            client.reply(stream, frame.value(), side);
            return;
        }
        client.reply_error(stream, cql::ErrorCode::server_error, "the cluster's answer could not be read");
        return;
    }
    const auto& error = reply.error();
    const auto code = error.code == Errc::unavailable ? cql::ErrorCode::overloaded : cql::ErrorCode::server_error;
    client.reply_error(stream, code, error.what);
}

bool is_result(const Result<Bytes>& reply) {
    return reply && reply.value().size() > cql::kOpcodeAt &&
           reply.value()[cql::kOpcodeAt] == static_cast<Byte>(cql::Opcode::result);
}

bool is_surely_refused(const Result<Bytes>& reply) {
    if (!reply)
        return reply.error().code == Errc::unavailable || reply.error().code == Errc::overloaded ||
               reply.error().code == Errc::shutting_down;
    const auto frame = cql::view_frame(reply.value(), cql::Direction::response);
    if (!frame) return false;
    const auto code = cql::peek_error_code(frame.value());
    return code && surely_refused(code.value());
}

std::string late_journal_text(routing::Side owed_to) {
    return fmt::format(
        "the journal's disk has not taken in time what the {} cluster is owed; the {} cluster took it. "
        "The proxy's operator should see to the disk of --state",
        routing::to_string(owed_to), routing::to_string(routing::other(owed_to)));
}

std::string error_text(const Result<Bytes>& reply) {
    if (!reply) return reply.error().what;
    const auto frame = cql::view_frame(reply.value(), cql::Direction::response);
    if (!frame) return frame.error().what;
    const auto error = cql::decode_error(frame.value());
    return error ? std::string(error.value().message) : error.error().what;
}

Bytes text_request(cql::ProtocolVersion version, std::string_view text, Traced traced) {
    cql::RequestHead head;
    head.version = version;
    if (traced == Traced::yes) head.flags |= cql::header_flag::kTracing;
    cql::Parameters parameters;
    parameters.consistency = cql::Consistency::quorum;
    Bytes frame;
    cql::encode_query(frame, head, text, parameters);
    return frame;
}

}  // namespace penumbra::proxy
