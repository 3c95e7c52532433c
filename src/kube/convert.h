#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/report.h"
#include "kube/validate.h"
#include "kube/versions.h"

namespace penumbra::kube {

/// What the user says on the command line and a manifest cannot say.
struct ConvertOptions {
    std::optional<std::int64_t> replicas;  ///< nodes of the result; a sizing decision, so never ours
    std::int64_t rf = 3;
    std::vector<std::string> racks;  ///< `name` or `name=zone`, when the source has none or others are wanted
    std::string name;
    std::string name_space;
    std::string scylla_version{kScyllaVersion};
    std::string agent_version{kAgentVersion};
    std::string cassandra_version{kCassandraVersion};
    std::string instance_type;  ///< where the three below came from, for the report
    std::optional<std::int64_t> cpu;
    std::string memory;
    std::string storage;
    std::string storage_class;
    std::string backup_location;
    std::vector<std::string> without;  ///< objects not to write: namespace, nodeconfig, roles, monitoring
};

/// What a conversion makes of one cluster: the objects in the order in which they are to be applied, and the report.
struct Conversion {
    std::vector<Node> objects;
    Report report;
};

/// CassandraDatacenter v1beta1 -> ScyllaCluster v1 and what belongs to it. `input` is the whole file: Secrets, Reaper
/// and Medusa objects beside the datacenter are used where they help. The input must have been validated without
/// errors.
Result<Conversion> convert_to_scylla(const Input& input, const Manifest& datacenter, const ConvertOptions& options);
/// ScyllaCluster v1 -> CassandraDatacenter v1beta1.
Result<Conversion> convert_to_cassandra(const Input& input, const Manifest& cluster, const ConvertOptions& options);

// Where the two directions meet: names and numbers that both have to agree on.
inline constexpr std::string_view kNodeTypeLabel = "scylla.scylladb.com/node-type";
inline constexpr std::string_view kDedicatedTaint = "scylla-operator.scylladb.com/dedicated";
inline constexpr std::string_view kLocalStorageClass = "scylladb-local-xfs";
inline constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";
inline constexpr std::string_view kHostnameLabel = "kubernetes.io/hostname";
inline constexpr std::string_view kSuperuserAnnotation = "penumbra/superuser-secret";
inline constexpr std::string_view kUsersAnnotation = "penumbra/users";

/// Nodes over racks as cass-operator spreads them: evenly, the remainder to the first.
std::vector<std::int64_t> spread(std::int64_t nodes, std::size_t racks);
/// The two parts of `name=zone`; the zone is empty when there is none.
std::pair<std::string, std::string> split_rack(std::string_view text);
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace penumbra::kube
