#pragma once

#include <cstdint>
#include <string>

#include "proxy/backend_reply.h"
#include "proxy/client_connection.h"
#include "runtime/task.h"

namespace penumbra::proxy {

class ProxyShard;

/// A client's TRUNCATE: through the fences of its scopes, on the primary, then on the shadow. Where the two end
/// differently the table's resync is owed before the client is answered. `keyspace`: what completes the table's name,
/// empty if nothing. Runs on the client's shard.
Task<void> truncate(ProxyShard* shard, ClientPtr client, std::int16_t stream, std::string text, std::string keyspace,
                    Traced traced);

}  // namespace penumbra::proxy
