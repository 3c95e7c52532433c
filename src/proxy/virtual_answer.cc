#include "proxy/virtual_answer.h"

#include <fmt/format.h>

#include "cql/protocol/requests.h"
#include "proxy/backend_reply.h"
#include "proxy/prepared.h"
#include "proxy/proxy_shard.h"
#include "proxy/virtual_select.h"

namespace penumbra::proxy {

namespace {

/// The columns that all who prepared this EXECUTE's statement were told of.
std::optional<cql::Md5> told(ProxyShard& shard, BytesView request) {
    const auto frame = cql::view_frame(request, cql::Direction::request);
    if (!frame || frame.value().header.opcode != cql::Opcode::execute) return std::nullopt;
    const auto execute = cql::decode_execute(frame.value());
    const auto prepared = execute ? shard.statements().find(execute.value().id) : nullptr;
    if (!prepared || prepared->columns_changed) return std::nullopt;
    return prepared->text->told;
}

}  // namespace

Task<void> answer_virtual(ProxyShard* shard, ClientPtr client, std::int16_t stream, Bytes frame, std::string text,
                          std::string keyspace) {
    const auto side = shard->default_primary();
    auto& cluster = shard->context().cluster(side);
    const auto topology = cluster.topology();
    const auto schema = cluster.schema();
    if (!topology || !schema) {
        client->reply_error(stream, cql::ErrorCode::overloaded,
                            fmt::format("the {} cluster has not answered yet", cluster.name()));
        co_return;
    }
    const auto other = shard->router()->source_is_done() ? cluster::TopologyPtr()
                                                         : shard->context().cluster(routing::other(side)).topology();
    VirtualSelect::Setting setting{shard->virtual_tables(),
                                   topology,
                                   other,
                                   schema,
                                   client,
                                   std::move(keyspace),
                                   side,
                                   Deadline::in(Shard::here().clock(), shard->options().request_timeout),
                                   told(*shard, frame)};
    auto select = std::make_unique<VirtualSelect>(std::move(setting), std::move(frame), std::move(text));
    auto answer = co_await VirtualSelect::run(std::move(select));
    if (!answer) {
        const auto& error = answer.error();
        const auto code = error.code == Errc::server        ? static_cast<cql::ErrorCode>(error.detail)
                          : error.code == Errc::unavailable ? cql::ErrorCode::overloaded
                                                            : cql::ErrorCode::server_error;
        client->reply_error(stream, code, error.what);
        co_return;
    }
    auto& found = answer.value();
    if (found.frame.empty()) {
        client->reply_rows(stream, found.view(), found.tracing_id, found.warnings);
    } else {
        reply_outcome(*client, stream, std::move(found.frame), side);
    }
}

}  // namespace penumbra::proxy
