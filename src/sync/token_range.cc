#include "sync/token_range.h"

#include <algorithm>

#include <fmt/format.h>

namespace penumbra::sync {

namespace {

/// Cuts (start, end] evenly. Distances are unsigned: the ring is wider than a signed token.
void cut(TokenRange range, std::size_t splits, std::vector<TokenRange>& out) {
    const auto start = static_cast<std::uint64_t>(range.start.value());
    const auto width = static_cast<std::uint64_t>(range.end.value()) - start;
    const auto pieces = std::clamp<std::uint64_t>(splits, 1, width);
    auto previous = range.start;
    for (std::uint64_t i = 1; i <= pieces; ++i) {
        const auto at = i == pieces ? width : width / pieces * i;
        const cql::Token end(static_cast<std::int64_t>(start + at));
        out.push_back({previous, end});
        previous = end;
    }
}

}  // namespace

std::string to_string(const TokenRange& range) {
    return fmt::format("({},{}]", range.start.value(), range.end.value());
}

std::vector<TokenRange> split_ring(std::vector<cql::Token> ring, std::size_t splits) {
    std::ranges::sort(ring);
    // The wrapping range (last, first] becomes two: above the last token, and up to the first. A token at either end of
    // the number line cuts nothing off.
    ring.push_back(cql::kMaxToken);
    std::vector<TokenRange> ranges;
    auto previous = cql::kMinToken;
    for (const auto token : ring) {
        if (token == previous) continue;
        cut({previous, token}, splits, ranges);
        previous = token;
    }
    return ranges;
}

std::vector<TokenRange> within(const TokenRange& range, const std::vector<TokenRange>& ranges) {
    std::vector<TokenRange> parts;
    for (const auto& one : ranges) {
        const TokenRange part{std::max(range.start, one.start), std::min(range.end, one.end)};
        if (part.start < part.end) parts.push_back(part);
    }
    return parts;
}

}  // namespace penumbra::sync
