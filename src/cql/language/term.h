#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace penumbra::cql {

/// A half-open byte range [begin, end) of a statement's text.
struct TextRange {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool empty() const { return begin == end; }
    std::uint32_t size() const { return end - begin; }
    std::string_view in(std::string_view text) const { return text.substr(begin, end - begin); }
    bool operator==(const TextRange&) const = default;
};

enum class TermKind : std::uint8_t {
    none,      ///< no term here: an absent LIMIT, TTL, ...
    marker,    ///< `?` or `:name`: `marker` is its ordinal, `text` its name ("" for `?`)
    string,    ///< '...' or $$...$$: `text` is decoded
    integer,   ///< `text` as written, sign included
    floating,  ///< `text` as written; NaN and Infinity too
    uuid,      ///< `text` as written
    blob,      ///< `text` as written, 0x included
    boolean,   ///< `text` as written: true or false in any case
    null,
    duration,    ///< `text` as written: 1h30m, P1DT2H, P1Y-style ISO forms
    list,        ///< [a, b]; also a vector literal
    set,         ///< {a, b}; `{}` is a set without elements although it may mean an empty map
    map,         ///< {k: v}: elements alternate key, value
    udt,         ///< {field: v}: elements alternate field (a column term), value
    tuple,       ///< (a, b), and (a): a parenthesis around one term looks the same
    in_values,   ///< the parenthesis after IN: one element per value
    function,    ///< name(args): `text` is the name, `qualifier` its keyspace ("" if unqualified)
    cast,        ///< (type) x and CAST(x AS type): `text` is the type as written, elements[0] the operand
    column,      ///< a bare name: a column, or the field name inside a udt literal
    star,        ///< `*`, of SELECT * and count(*)
    element,     ///< x[k]: elements are x and k
    slice,       ///< x[a..b]: elements are x, a, b; an open end is a `none` term
    field,       ///< x.f: `text` is f, elements[0] is x
    arithmetic,  ///< a + b, a - b, a * b, a / b, a % b, -a: `text` is the operator, elements the operands
    other,       ///< not understood, or nested deeper than kMaxDepth: `range` says where it is, elements mean nothing
};

std::string_view to_string(TermKind kind);

/// One term of a statement. Views point into the statement's text or, where quotes, escapes or upper-case letters had
/// to be resolved, into storage that the Statement shares; both have to outlive the term.
struct Term {
    TermKind kind = TermKind::none;
    std::uint32_t marker = 0;    ///< of kind `marker`: 0-based ordinal over the whole text, batches included
    TextRange range;             ///< where it stands in the text
    std::string_view text;       ///< see TermKind
    std::string_view qualifier;  ///< keyspace of a function
    std::vector<Term> elements;  ///< see TermKind

    explicit operator bool() const { return kind != TermKind::none; }
    bool is(TermKind k) const { return kind == k; }
    bool is_marker() const { return kind == TermKind::marker; }
    /// A literal without inner terms: the text alone says the value.
    bool is_constant() const { return kind >= TermKind::string && kind <= TermKind::duration; }
};

}  // namespace penumbra::cql
