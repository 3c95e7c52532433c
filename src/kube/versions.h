#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace penumbra::kube {

/// A version of Cassandra or ScyllaDB: three numbers, and what stands behind them.
struct Version {
    int major = 0;
    int minor = 0;
    int patch = 0;

    static std::optional<Version> parse(std::string_view text);
    auto operator<=>(const Version&) const = default;
};

// What a conversion writes when the user does not say. Dated: the operators' own configuration of July 2026.
inline constexpr std::string_view kScyllaVersion = "2026.1.6";  // the long-term line
inline constexpr std::string_view kAgentVersion = "3.11.2";     // what scylla-operator tests against
inline constexpr std::string_view kCassandraVersion = "4.1.7";

/// What is to be said about running this ScyllaDB version: its licence and whether it is still maintained. Empty when
/// there is nothing to say.
std::string scylla_version_remark(std::string_view version);
/// Whether cass-operator runs this version of this server, and if not, which it does.
std::string cassandra_version_problem(std::string_view server_type, std::string_view version);
/// The default `cassandra` role is gone from here on; the first superuser comes from scylla.yaml.
bool has_default_superuser(std::string_view scylla_version);

}  // namespace penumbra::kube
