#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/token_map.h"
#include "cql/protocol/rows.h"
#include "cql/types/token.h"
#include "cql/types/uuid.h"
#include "runtime/endpoint.h"

namespace penumbra::cluster {

struct Node {
    Endpoint endpoint;
    cql::Uuid host_id;
    std::string datacenter;
    std::string rack;
    std::string release_version;
    std::vector<cql::Token> tokens;
};

/// What a cluster says of itself, at one moment. Immutable once shared.
struct Topology {
    std::vector<Node> nodes;  ///< the one that was asked first; all data centres
    std::string local_datacenter;
    std::string cluster_name;
    std::string partitioner;
    cql::Uuid schema_version;
    bool is_scylla = false;
    cql::Rows system_local;  ///< as it came, for the virtual one
    bool has_peers_v2 = false;
    cql::ProtocolVersion newest_version = cql::ProtocolVersion::v4;  ///< that every node speaks
    bool tablets = false;   ///< its nodes tell where tablets are, in payloads of responses
    TokenMapPtr token_map;  ///< of these nodes; null until the schema was read, or when the partitioner is not Murmur3

    /// All tokens, sorted.
    std::vector<cql::Token> ring() const;
    /// The oldest one of any node.
    std::string release_version() const;
    bool is_murmur3() const { return partitioner.ends_with("Murmur3Partitioner"); }
};
using TopologyPtr = std::shared_ptr<const Topology>;

/// "4.1.9" < "5.0.5" by numbers, part by part.
bool version_less(const std::string& a, const std::string& b);

}  // namespace penumbra::cluster
