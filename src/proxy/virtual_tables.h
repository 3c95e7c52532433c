#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/topology.h"
#include "cql/schema/schema.h"
#include "cql/select/memory_table.h"
#include "proxy/proxy_ring.h"

namespace penumbra::proxy {

/// Which proxies of the ring are up, in its order. Shared between shards as a whole, never changed.
using ProxiesUp = std::shared_ptr<const std::vector<bool>>;

/// The proxies as a cluster of their own: the rows of system.local, system.peers and system.peers_v2. Drivers connect
/// to what they read there, so that it must be proxies and nobody else. One per shard.
class VirtualTables {
  public:
    /// `datacenter`, `cluster_name`: empty shows the primary's (local) one, as does `rack` for proxies without their
    /// own.
    VirtualTables(ProxyRingPtr ring, std::string datacenter, std::string cluster_name)
        : ring_(std::move(ring)), datacenter_(std::move(datacenter)), cluster_name_(std::move(cluster_name)) {}

    static bool is_virtual(std::string_view keyspace, std::string_view table) {
        return keyspace == "system" && (table == "local" || table == "peers" || table == "peers_v2");
    }
    /// Whether the value of this column of system.local is ours; the others are as the primary has them.
    static bool is_ours(std::string_view column);

    /// Until the first call nobody but this process is up.
    void set_up(ProxiesUp up) { up_ = std::move(up); }
    const ProxyRing& ring() const { return *ring_; }

    /// The rows of `table`, which is one of the three as the primary has it. `shadow`: what is known of the other
    /// cluster, null for nothing; no version is shown that only one of the two speaks.
    std::vector<cql::MemoryRow> rows(const cql::Table& table, const cluster::Topology& primary,
                                     const cluster::Topology* shadow) const;

  private:
    std::optional<Bytes> local_value(std::string_view column, const cluster::Topology& primary,
                                     const cluster::Topology* shadow) const;
    std::optional<Bytes> peer_value(std::string_view column, const ProxyNode& node,
                                    const cluster::Topology& primary) const;
    /// What tells of a node the same way in all three tables.
    std::optional<Bytes> node_value(std::string_view column, const ProxyNode& node,
                                    const cluster::Topology& primary) const;

    ProxyRingPtr ring_;
    std::string datacenter_, cluster_name_;
    ProxiesUp up_;
};

}  // namespace penumbra::proxy
