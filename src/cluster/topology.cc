#include "cluster/topology.h"

#include <algorithm>
#include <charconv>

namespace penumbra::cluster {

std::vector<cql::Token> Topology::ring() const {
    std::vector<cql::Token> tokens;
    for (const auto& node : nodes) tokens.insert(tokens.end(), node.tokens.begin(), node.tokens.end());
    std::ranges::sort(tokens);
    const auto repeated = std::ranges::unique(tokens);
    tokens.erase(repeated.begin(), repeated.end());
    return tokens;
}

namespace {
std::vector<int> numbers(const std::string& version) {
    std::vector<int> parts;
    const char* at = version.data();
    const char* end = at + version.size();
    while (at < end) {
        int number = 0;
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc()) break;
        parts.push_back(number);
        if (next == end || *next != '.') break;
        at = next + 1;
    }
    return parts;
}
}  // namespace

bool version_less(const std::string& a, const std::string& b) {
    return numbers(a) < numbers(b);
}

std::string Topology::release_version() const {
    std::string oldest;
    for (const auto& node : nodes) {
        if (oldest.empty() || version_less(node.release_version, oldest)) oldest = node.release_version;
    }
    return oldest;
}

}  // namespace penumbra::cluster
