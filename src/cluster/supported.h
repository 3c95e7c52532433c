#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cql/protocol/frame.h"

namespace penumbra::cluster {

/// How one ScyllaDB node cuts its tokens over its cores, and which of them a connection ended on.
struct Sharding {
    std::uint32_t shard = 0;  ///< of the connection that was asked
    std::uint32_t shards = 1;
    std::uint32_t ignore_msb = 0;
    std::uint16_t port = 0;      ///< where shard = source port % shards; 0: the node has none
    std::uint16_t port_tls = 0;  ///< the same under TLS
};

/// What a node's SUPPORTED says, as far as we act on it.
struct Supported {
    cql::ProtocolVersion newest = cql::ProtocolVersion::v4;  ///< not a beta; v4 where the node does not say
    std::vector<std::string> compressions;                   ///< lower case
    bool is_scylla = false;
    std::optional<Sharding> sharding;
    bool tablets_routing = false;  ///< offers tablets-routing-v1

    bool offers(std::string_view compression) const;
};
Result<Supported> read_supported(const cql::FrameView& frame);

}  // namespace penumbra::cluster
