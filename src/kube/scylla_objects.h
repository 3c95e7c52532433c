#pragma once

#include <string>
#include <vector>

#include "kube/node.h"

namespace penumbra::kube {

/// Who the objects around a ScyllaCluster belong to.
struct ClusterId {
    std::string name;
    std::string name_space;
};

/// A user that the roles Job creates: the Secret with `username` and `password`.
struct RoleUser {
    std::string secret;
    bool superuser = false;
};

// The objects that a ScyllaCluster needs around it and that no field of a CassandraDatacenter speaks of.
Node make_object(std::string_view api_version, std::string_view kind, std::string_view name,
                 std::string_view name_space);
Node make_namespace(const ClusterId& id);
/// RAID 0 over the local NVMe disks, XFS, mount, kernel parameters and tuning, on workers that carry the ScyllaDB label
/// only.
Node make_node_config(const ClusterId& id);
Node make_monitoring(const ClusterId& id);
/// Creates the roles once the cluster answers. Secrets stay secrets: the Job reads them, nothing is written out here.
Node make_roles_job(const ClusterId& id, std::string_view scylla_version, const std::vector<RoleUser>& users);
/// One ScyllaDB pod per worker.
Node make_anti_affinity(const ClusterId& id);
Node make_requirement(std::string_view key, std::string_view value);
Node make_dedicated_toleration();

}  // namespace penumbra::kube
