#pragma once

#include <string>

#include "kube/mapper.h"
#include "kube/versions.h"

namespace penumbra::kube {

/// cassandra.yaml -> scylla.yaml, key by key, with the report. `path` is where `yaml` stands in the source.
Node to_scylla_yaml(const Node& yaml, const std::string& path, Mapper& map);
/// scylla.yaml -> the cassandra-yaml section for this version. `path` is what the report calls the source.
Node to_cassandra_yaml(const Node& yaml, const std::string& path, const Version& version, Mapper& map);
/// The JVM's options, of which nothing is left: each one dropped with what it was for and why there is nothing like it.
void drop_jvm_options(const Node& options, const std::string& path, Mapper& map);

}  // namespace penumbra::kube
