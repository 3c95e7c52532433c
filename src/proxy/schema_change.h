#pragma once

#include <cstdint>
#include <string>

#include "proxy/backend_reply.h"
#include "proxy/client_connection.h"
#include "runtime/task.h"

namespace penumbra::proxy {

class ProxyShard;

/// A client's schema change: on the primary as written, then on the other cluster in its words (cql::ddl), then agreed
/// on by the nodes of both and known to routing, then answered. One at a time per process; what became of it on the
/// other cluster is in SchemaChanges. `keyspace`: what completes its names, empty if nothing. Runs on the client's
/// shard.
Task<void> change_schema(ProxyShard* shard, ClientPtr client, std::int16_t stream, std::string text,
                         std::string keyspace, Traced traced);

}  // namespace penumbra::proxy
