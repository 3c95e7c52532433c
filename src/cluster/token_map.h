#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cql/types/token.h"

namespace penumbra::cluster {

struct Node;

/// A node by its place in Topology::nodes. Means nothing under another topology.
using NodeIndex = std::uint16_t;

/// A keyspace's replication, from system_schema.keyspaces.
struct Replication {
    enum class Strategy : std::uint8_t {
        simple,            ///< SimpleStrategy
        network_topology,  ///< NetworkTopologyStrategy
        everywhere,        ///< EverywhereStrategy of ScyllaDB
        other,             ///< LocalStrategy, and what we do not know: any node will do
    };
    Strategy strategy = Strategy::other;
    std::size_t factor = 0;                         ///< simple
    std::map<std::string, std::size_t> per_center;  ///< network_topology: data centre to replicas

    static Replication from(const std::map<std::string, std::string>& options);
    auto operator<=>(const Replication&) const = default;
};

/// Which nodes hold which part of the ring under one replication. Immutable.
class ReplicaMap {
  public:
    /// `nodes` in the order that the indices mean. Counts replicas as the servers do: clockwise from the token, each
    /// node once, in each data centre over as many racks as there are.
    ReplicaMap(std::span<const Node> nodes, const Replication& replication);

    /// In ring order, the token's owner first. Empty where no token says anything.
    std::span<const NodeIndex> of(cql::Token token) const;

  private:
    std::vector<cql::Token> ring_;      // sorted; ring_[i] ends the range of replicas_[first_[i]..first_[i + 1])
    std::vector<std::uint32_t> first_;  // one more than ring_
    std::vector<NodeIndex> replicas_;
    std::vector<NodeIndex> everywhere_;
};
using ReplicaMapPtr = std::shared_ptr<const ReplicaMap>;

/// The replica maps of all keyspaces under one topology. Immutable, shared by all shards; keyspaces that replicate
/// alike share one map.
class TokenMap {
  public:
    TokenMap(std::span<const Node> nodes, const std::map<std::string, Replication>& keyspaces);

    /// Null for a keyspace that is not known, or whose replication says nothing of tokens.
    ReplicaMapPtr keyspace(std::string_view name) const;

  private:
    std::map<std::string, ReplicaMapPtr, std::less<>> keyspaces_;
};
using TokenMapPtr = std::shared_ptr<const TokenMap>;

}  // namespace penumbra::cluster
