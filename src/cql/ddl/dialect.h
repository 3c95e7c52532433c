#pragma once

#include <string>
#include <string_view>

namespace penumbra::cql::ddl {

/// What a cluster's CQL is, as far as schema statements differ: the kind of server and, for Cassandra, its version.
/// ScyllaDB does not say its version where drivers look (it calls itself 3.0.8), so that its dialect is what 5.2 and
/// all later ones take; where only a later one takes something, it is sent as it is and the server judges.
struct Dialect {
    bool scylla = false;
    int major = 0;
    int minor = 0;

    static Dialect cassandra(int major, int minor) { return {false, major, minor}; }
    static Dialect scylladb() { return {true, 0, 0}; }
    /// Of a cluster that says this of itself; the oldest of its nodes decides. A version that is none counts as 3.11.
    static Dialect of(bool is_scylla, std::string_view release_version);

    bool is_cassandra() const { return !scylla; }
    bool cassandra_since(int at_least, int at_least_minor) const {
        return !scylla && (major > at_least || (major == at_least && minor >= at_least_minor));
    }
    bool operator==(const Dialect&) const = default;
};

/// "Cassandra 4.1", "ScyllaDB"
std::string to_string(const Dialect& dialect);

}  // namespace penumbra::cql::ddl
