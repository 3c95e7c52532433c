#include "cql/ddl/dialect.h"

#include <charconv>

#include <fmt/format.h>

namespace penumbra::cql::ddl {

Dialect Dialect::of(bool is_scylla, std::string_view release_version) {
    if (is_scylla) return scylladb();
    Dialect dialect = cassandra(3, 11);
    const char* end = release_version.data() + release_version.size();
    int major = 0, minor = 0;
    const auto first = std::from_chars(release_version.data(), end, major);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return dialect;
    const auto second = std::from_chars(first.ptr + 1, end, minor);
    if (second.ec != std::errc()) return dialect;
    return cassandra(major, minor);
}

std::string to_string(const Dialect& dialect) {
    if (dialect.scylla) return "ScyllaDB";
    return fmt::format("Cassandra {}.{}", dialect.major, dialect.minor);
}

}  // namespace penumbra::cql::ddl
