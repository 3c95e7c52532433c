#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cql/language/statement.h"

namespace penumbra::cql {

struct Replacement {
    TextRange range;
    std::string_view with;
};

/// The text with ranges replaced; they must be in text order and not overlap. An empty range inserts.
/// Where tokens would run together (FROM"t" and ks.) a space goes between them.
std::string replace(std::string_view text, std::span<const Replacement> replacements);

/// Every name that the connection's keyspace would complete carries its own. True also where nothing needs one (USE,
/// roles); false where we cannot tell.
bool fully_qualified(const Statement& statement);

/// The text with `keyspace` (unquoted, in its real case) put before each name that lacks one. Only what was understood
/// is qualified: ask fully_qualified() of the result's statement where that matters.
std::string qualify(const Statement& statement, std::string_view keyspace);

/// A text in which volatiles became bind markers, and how to make its list of values from that of the original.
struct WithMarkers {
    struct Added {
        std::size_t volatile_index;  ///< in Statement::volatiles
        std::uint32_t ordinal;       ///< of the new marker, in the new text
        std::string name;            ///< its name where the text uses named markers, else ""
    };
    std::string text;
    std::vector<Added> added;  ///< in text order: values[ordinal] is new, all others keep their order
};

/// Replaces the volatiles at these indexes (ascending) by bind markers, as `(type)?` where the function says a type, so
/// that overloads such as toDate(timeuuid|timestamp) still resolve, or by `:penumbra_N` where the text names its
/// markers: the two do not mix.
WithMarkers with_markers(const Statement& statement, std::span<const std::size_t> volatile_indexes);

/// The text with `?` for each bind marker, whatever they are called: every server counts those by occurrence, while
/// equal names may share a value or not (NamedSlots).
std::string with_positional_markers(std::string_view text);

/// `name` as an identifier in CQL: bare if it can be, quoted if it is not lower case or reserved by some server.
std::string identifier(std::string_view name);
/// `value` as a CQL string literal.
std::string string_literal(std::string_view value);

/// Does this JSON text hold the string "now" (any case, escapes resolved)? Servers read it as the time in a timestamp.
bool json_has_now(std::string_view json);

/// The text with every literal replaced by `?`, words in lower case, single spaces, and repeated values cut to one:
/// safe to log and to count by. At most about `limit` bytes.
std::string shape(std::string_view text, std::size_t limit = 512);

}  // namespace penumbra::cql
