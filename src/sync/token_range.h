#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "cql/types/token.h"

namespace penumbra::sync {

/// The partitions with start < token <= end. A start of kMinToken is open below, an end of kMaxToken open above; a
/// range never wraps and its end is never kMinToken, which as an upper bound means the whole ring to both kinds of
/// server.
struct TokenRange {
    cql::Token start = cql::kMinToken;
    cql::Token end = cql::kMaxToken;

    static TokenRange of(cql::Token token) { return {cql::Token(token.value() - 1), token}; }  ///< that one alone
    bool contains(const TokenRange& other) const { return start <= other.start && other.end <= end; }
    bool contains(cql::Token token) const { return start < token && token <= end; }
    bool meets(const TokenRange& other) const { return start < other.end && other.start < end; }
    auto operator<=>(const TokenRange&) const = default;
};

std::string to_string(const TokenRange& range);

/// The whole ring, cut at the ring's tokens and each piece into `splits` even ones. In ring order.
std::vector<TokenRange> split_ring(std::vector<cql::Token> ring, std::size_t splits);
/// The part of these ranges that is in `range`. In their order.
std::vector<TokenRange> within(const TokenRange& range, const std::vector<TokenRange>& ranges);

}  // namespace penumbra::sync
