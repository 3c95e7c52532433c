#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "proxy/client_connection.h"
#include "runtime/task.h"

namespace penumbra::proxy {

class ProxyShard;

/// A client's SELECT on the virtual tables, answered. `frame`: its QUERY or EXECUTE, of this `text`. `keyspace`: what
/// completes its names, empty if nothing. Runs on the client's shard.
Task<void> answer_virtual(ProxyShard* shard, ClientPtr client, std::int16_t stream, Bytes frame, std::string text,
                          std::string keyspace);

}  // namespace penumbra::proxy
