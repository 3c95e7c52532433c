#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "proxy/client_connection.h"
#include "runtime/task.h"

namespace penumbra::proxy {

class ProxyShard;

/// A client's schema change: on the primary, then on the other cluster, then known to routing, then answered. `frame`
/// is its QUERY. Runs on the client's shard.
Task<void> change_schema(ProxyShard* shard, ClientPtr client, std::int16_t stream, Bytes frame);

}  // namespace penumbra::proxy
