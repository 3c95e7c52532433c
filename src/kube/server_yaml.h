#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/node.h"

namespace penumbra::kube {

/// What ScyllaDB does with a key of cassandra.yaml (db/config.cc of scylladb/scylladb), and what we therefore do.
enum class KeyFate : std::uint8_t {
    used,   ///< means the same: carried over
    tuned,  ///< ScyllaDB has the key, and a value that suits Cassandra would hurt: left out, ScyllaDB's default stands
    operated,  ///< scylla-operator writes it
    ignored,   ///< ScyllaDB reads past it
    rejected,  ///< ScyllaDB refuses it as an option that cannot be set
    unknown,   ///< ScyllaDB has no such key
};

enum class Unit : std::uint8_t { none, ms, seconds, minutes, kib, mib, bytes, mib_per_second, megabits };

struct ServerKey {
    std::string name;      ///< the name that 3.11 and 4.0 know
    std::string new_name;  ///< the name from 4.1 on, whose values carry their unit; empty when it did not change
    Unit unit = Unit::none;
    KeyFate fate = KeyFate::unknown;
    bool until_311 = false;  ///< gone in 4.0
    bool since_41 = false;   ///< there was no such key before 4.1
    std::string why;
};

/// The key of cassandra.yaml by either of its names, or nullptr when Cassandra has no such key.
const ServerKey* find_cassandra_key(std::string_view name);
const std::vector<ServerKey>& cassandra_keys();
std::vector<std::string> cassandra_key_names();

/// `5000ms`, `10s`, `64KiB`, `16MiB/s` in the unit of the old name: what ScyllaDB reads. nullopt when it is none of
/// these.
std::optional<std::int64_t> to_plain_unit(std::string_view text, Unit unit);
/// The other way: 5000 in ms becomes `5000ms`.
std::string with_unit(std::int64_t value, Unit unit);

/// Known to scylla.yaml, though not to cassandra.yaml: for reading a ConfigMap of a ScyllaCluster.
bool is_scylla_only_key(std::string_view name);

}  // namespace penumbra::kube
