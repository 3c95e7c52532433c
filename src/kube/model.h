#pragma once

#include <string>
#include <string_view>

namespace penumbra::kube {

// The tables that Schema is made of; its language is described in schema.cc.
std::string_view core_model();
std::string_view cassandra_model();
std::string_view scylla_model();

/// Where a field that stands at the wrong place belongs, in words, for the mistakes that people make: `spec.size` of a
/// ScyllaCluster. Empty when we have nothing better than the nearest name.
std::string misplaced_field(std::string_view parent_path, std::string_view field);
/// What to write for a required field that is missing.
std::string required_advice(std::string_view parent_path, std::string_view field);

inline constexpr std::string_view kCassandraApi = "cassandra.datastax.com/v1beta1";
inline constexpr std::string_view kScyllaApi = "scylla.scylladb.com/v1";
inline constexpr std::string_view kScyllaAlphaApi = "scylla.scylladb.com/v1alpha1";

}  // namespace penumbra::kube
