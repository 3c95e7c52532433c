#include "kube/versions.h"

#include <charconv>

#include <fmt/format.h>

namespace penumbra::kube {

std::optional<Version> Version::parse(std::string_view text) {
    Version version;
    const char* at = text.data();
    const char* end = text.data() + text.size();
    for (int* part : {&version.major, &version.minor, &version.patch}) {
        if (part != &version.major) {
            if (at == end || *at != '.') return std::nullopt;
            ++at;
        }
        const auto result = std::from_chars(at, end, *part);
        if (result.ec != std::errc() || *part < 0) return std::nullopt;
        at = result.ptr;
    }
    if (at != end && *at != '-' && *at != '+' && *at != '~' && *at != '@' && *at != '.') return std::nullopt;
    return version;
}

std::string scylla_version_remark(std::string_view text) {
    const auto version = Version::parse(text);
    if (!version) {
        if (text == "latest")
            return "`latest` is another version on every restart; pin one, such as " + std::string(kScyllaVersion);
        return fmt::format("`{}` is no version of three numbers, such as {}", text, kScyllaVersion);
    }
    if (version->major < 5)
        return fmt::format("ScyllaDB {}.{} is out of maintenance, and scylla-operator no longer runs it",
                           version->major, version->minor);
    if (version->major < 7 && *version < Version{6, 2, 0}) {
        return fmt::format(
            "ScyllaDB {}.{} is out of maintenance; {} is the long-term line, 6.2 the last one under the AGPL",
            version->major, version->minor, kScyllaVersion);
    }
    if (version->major == 6) return "6.2 is the last release under the AGPL and gets no further minor versions";
    if (version->major < 2024)
        return fmt::format("ScyllaDB {} does not exist or is out of maintenance; {} is the long-term line", text,
                           kScyllaVersion);
    if (version->major == 2024)
        return fmt::format("2024.x are Enterprise releases with a licence key; {} is the long-term line",
                           kScyllaVersion);
    return {};
}

std::string cassandra_version_problem(std::string_view server_type, std::string_view text) {
    const auto version = Version::parse(text);
    if (!version) return "cass-operator wants three numbers, such as 4.1.7";
    if (server_type == "cassandra") {
        const bool known = (version->major == 3 && version->minor == 11) || version->major == 4 || version->major == 5;
        return known ? "" : "cass-operator runs Cassandra 3.11, 4.x and 5.x";
    }
    if (server_type == "dse")
        return version->major == 6 && (version->minor == 8 || version->minor == 9)
                   ? ""
                   : "cass-operator runs DSE 6.8 and 6.9";
    if (server_type == "hcd") return version->major == 1 ? "" : "cass-operator runs HCD 1.x";
    return {};
}

bool has_default_superuser(std::string_view text) {
    const auto version = Version::parse(text);
    return !version || *version < Version{2026, 2, 0};
}

}  // namespace penumbra::kube
