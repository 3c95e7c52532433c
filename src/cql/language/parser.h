#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "cql/language/statement.h"

namespace penumbra::cql {

/// Terms nested deeper than this are kept as TermKind::other; their markers and volatiles still count. Far above what
/// statements do, far below what a stack of any thread here could not hold.
inline constexpr int kMaxDepth = 48;
/// What a Statement may hold in terms, relations and children. Past it `complete` is false: one frame of hostile text
/// must not grow into many times its size.
inline constexpr std::size_t kMaxParsedBytes = 32 << 20;

/// Reads one CQL text, of Cassandra 3.11 to 5.x or ScyllaDB. Never fails and never throws for what the text holds: what
/// is not understood is in the result (Statement::complete). The text has to outlive the result.
Statement parse(std::string_view text);
/// Not of a temporary: the result would point into it.
template <std::same_as<std::string> Text>
Statement parse(Text&& text) = delete;

}  // namespace penumbra::cql
