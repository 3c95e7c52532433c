#include "proxy/schema_change.h"

#include "proxy/backend_reply.h"
#include "proxy/proxy_shard.h"

namespace penumbra::proxy {

Task<void> change_schema(ProxyShard* shard, ClientPtr client, std::int16_t stream, Bytes frame) {
    const auto primary = shard->default_primary();
    const auto by = Deadline::in(Shard::here().clock(), shard->options().request_timeout);
    auto reply = co_await ask_primary(client, primary, frame, by);
    if (is_result(reply)) {
        // Both clusters need the schema before rows come, whatever the phase: a tenant's first step must not wait for
        // it.
        auto shadowed = co_await shard->session(routing::other(primary)).send(std::move(frame), client->keyspace(), by);
        if (!is_result(shadowed)) {
            shard->log().error(
                "a schema change was refused by the other cluster; migrations of its tables will not pass their gates "
                "until it is made there too",
                {kv("cluster", routing::other(primary)), kv("error", error_text(shadowed))});
        }
        // Routing knows the new schema before the client does: its next write may be for the new table.
        auto refreshed = co_await shard->context().refresh_schema();
        if (!refreshed)
            shard->log().warn("cannot load the schema after a change", {kv("error", refreshed.error().what)});
    }
    reply_outcome(*client, stream, reply, primary);
}

}  // namespace penumbra::proxy
