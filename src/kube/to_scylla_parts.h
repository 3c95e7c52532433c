#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/convert.h"

namespace penumbra::kube {

// Parts of convert_to_scylla that stand alone.

/// Adds label requirements to every term of a placement's required node affinity.
void merge_affinity(Node& placement, const std::vector<Node>& requirements);
/// Merges an Affinity of the source into a placement: required node terms multiply, everything else is appended.
void merge_source_affinity(Node& placement, const Node& affinity);
/// The `config` of a Secret in the same input, parsed.
std::optional<Node> read_config_secret(const Input& input, std::string_view secret_name);
/// Reaper and Medusa objects that belong to datacenter `dc` become repair and backup tasks of ScyllaDB Manager.
void convert_reaper_and_medusa(const Input& input, const std::string& dc, Report& report, Node& repairs, Node& backups,
                               const std::string& backup_location);
/// Puts the named keys first, in this order.
void order_keys(Node& map, std::initializer_list<std::string_view> first);

}  // namespace penumbra::kube
