#include "cql/language/rewrite.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "cql/language/json_strings.h"
#include "cql/language/lexer.h"

namespace penumbra::cql {

namespace {

// Reserved in Cassandra (ReservedKeywords.java) or ScyllaDB (Cql.g), any version, and the words that are literals.
constexpr auto kReserved = [] {
    std::array words = std::to_array<std::string_view>({
        "add",
        "allow",
        "alter",
        "and",
        "any",
        "apply",
        "asc",
        "authorize",
        "batch",
        "begin",
        "by",
        "cast",
        "columnfamily",
        "create",
        "default",
        "delete",
        "desc",
        "describe",
        "drop",
        "entries",
        "execute",
        "false",
        "from",
        "full",
        "grant",
        "if",
        "in",
        "index",
        "infinity",
        "inet",
        "insert",
        "into",
        "is",
        "keyspace",
        "limit",
        "materialized",
        "mbean",
        "mbeans",
        "modify",
        "nan",
        "norecursive",
        "not",
        "null",
        "of",
        "on",
        "one",
        "or",
        "order",
        "password",
        "primary",
        "quorum",
        "rename",
        "replace",
        "revoke",
        "schema",
        "scylla_clustering_bound",
        "scylla_counter_shard_list",
        "scylla_timeuuid_list_index",
        "select",
        "set",
        "table",
        "to",
        "token",
        "true",
        "truncate",
        "unlogged",
        "unset",
        "update",
        "use",
        "using",
        "vector",
        "view",
        "where",
        "with",
    });
    std::sort(words.begin(), words.end());
    return words;
}();

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

/// Calls `f` with every name of the statement that a keyspace may stand before.
template <class F>
void each_name(const Statement& s, F&& f) {
    for (const auto& child : s.children) each_name(child, f);
    if (s.kind != StatementKind::schema_change) {
        if (s.table) f(s.table);
        return;
    }
    const auto& change = *s.schema;
    using Object = SchemaStatement::Object;
    switch (change.object) {
        case Object::keyspace:
        case Object::unknown:
            return;
        case Object::trigger:
            if (s.table) f(s.table);
            return;
        case Object::index:
            // A new index lives in the keyspace of its table.
            if (change.verb == SchemaStatement::Verb::create) {
                if (s.table) f(s.table);
                return;
            }
            break;
        default:
            break;
    }
    if (change.name) f(change.name);
    if (change.like) f(change.like);
    if (s.table && s.table.range != change.name.range) f(s.table);
}

/// Would these two characters, one after the other, be read as one token or as a comment?
bool would_merge(char left, char right) {
    const auto word = [](char c) {
        return is_lower(static_cast<char>(c | 0x20)) || (c >= '0' && c <= '9') || c == '_';
    };
    if (word(left) && word(right)) return true;
    return left == right && (left == '\'' || left == '"' || left == '-' || left == '/' || left == '$');
}

bool names_a_table(StatementKind kind) {
    return kind == StatementKind::insert || kind == StatementKind::update || kind == StatementKind::delete_ ||
           kind == StatementKind::truncate || kind == StatementKind::prune;
}

}  // namespace

std::string replace(std::string_view text, std::span<const Replacement> replacements) {
    std::size_t size = text.size();
    for (const auto& r : replacements) size += r.with.size() + 2;
    std::string out;
    out.reserve(size);
    const auto append = [&](std::string_view piece) {
        if (!piece.empty() && !out.empty() && would_merge(out.back(), piece.front())) out += ' ';
        out += piece;
    };
    std::uint32_t at = 0;
    for (const auto& r : replacements) {
        ASSERT(at <= r.range.begin && r.range.begin <= r.range.end && r.range.end <= text.size());
        append(text.substr(at, r.range.begin - at));
        append(r.with);
        at = r.range.end;
    }
    append(text.substr(at));
    return out;
}

bool fully_qualified(const Statement& s) {
    if (s.needs_keyspace) return false;
    if (names_a_table(s.kind)) return s.table.qualified();
    switch (s.kind) {
        case StatementKind::select:
            return s.table ? s.table.qualified() : s.complete;  // ScyllaDB: SELECT without FROM
        case StatementKind::use:
        case StatementKind::service_level:
            return true;
        case StatementKind::unknown:
            return false;
        default:
            break;
    }
    if (!s.complete) return false;
    bool all = true;
    each_name(s, [&](const ObjectName& name) { all = all && name.qualified(); });
    return all;
}

std::string qualify(const Statement& s, std::string_view keyspace) {
    std::vector<std::uint32_t> places;
    each_name(s, [&](const ObjectName& name) {
        if (!name.qualified()) places.push_back(name.range.begin);
    });
    std::sort(places.begin(), places.end());
    const auto prefix = identifier(keyspace) + ".";
    std::vector<Replacement> insertions;
    insertions.reserve(places.size());
    for (const auto place : places) insertions.push_back({{place, place}, prefix});
    return replace(s.text, insertions);
}

WithMarkers with_markers(const Statement& s, std::span<const std::size_t> volatile_indexes) {
    WithMarkers result;
    const bool named = !s.marker_names.empty();
    std::size_t number = 0;
    const auto fresh_name = [&] {
        for (;;) {
            auto name = "penumbra_" + std::to_string(number++);
            if (std::find(s.marker_names.begin(), s.marker_names.end(), name) == s.marker_names.end()) return name;
        }
    };
    std::vector<std::string> texts;
    texts.reserve(volatile_indexes.size());
    for (const auto index : volatile_indexes) {
        const auto& v = s.volatiles[index];
        auto& added = result.added.emplace_back();
        added.volatile_index = index;
        added.ordinal = v.markers_before + static_cast<std::uint32_t>(result.added.size() - 1);
        auto& marker = texts.emplace_back();
        if (const auto type = cql_type(v.kind); !type.empty()) marker.append("(").append(type).append(")");
        if (named) {
            added.name = fresh_name();
            marker.append(":").append(added.name);
        } else {
            marker.append("?");
        }
    }
    std::vector<Replacement> replacements;
    replacements.reserve(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
        replacements.push_back({s.volatiles[volatile_indexes[i]].range, texts[i]});
    result.text = replace(s.text, replacements);
    return result;
}

std::string with_positional_markers(std::string_view text) {
    std::vector<Replacement> replacements;
    Lexer lexer(text);
    for (auto token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
        if (token.kind == TokenKind::marker) replacements.push_back({token.range, "?"});
    }
    return replace(text, replacements);
}

std::string identifier(std::string_view name) {
    const bool bare = !name.empty() && is_lower(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
        return is_lower(c) || (c >= '0' && c <= '9') || c == '_';
    }) && !std::binary_search(kReserved.begin(), kReserved.end(), name);
    if (bare) return std::string(name);
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string string_literal(std::string_view value) {
    std::string out = "'";
    for (const char c : value) {
        if (c == '\'') out += '\'';
        out += c;
    }
    return out + '\'';
}

bool json_has_now(std::string_view json) {
    for (JsonStrings strings(json); strings.next();) {
        const auto text = strings.text();
        const bool same =
            text.size() == 3 && (text[0] | 0x20) == 'n' && (text[1] | 0x20) == 'o' && (text[2] | 0x20) == 'w';
        if (same) return true;
    }
    return false;
}

std::string shape(std::string_view text, std::size_t limit) {
    Lexer lexer(text);
    std::string out;
    TokenKind before[2] = {TokenKind::end, TokenKind::end};  // [0] the latest
    const auto literal = [](TokenKind kind) { return kind >= TokenKind::string && kind <= TokenKind::marker; };
    const auto glued = [](TokenKind left, TokenKind right) {
        switch (left) {
            case TokenKind::end:
            case TokenKind::open_paren:
            case TokenKind::open_bracket:
            case TokenKind::open_brace:
            case TokenKind::dot:
                return true;
            default:
                break;
        }
        switch (right) {
            case TokenKind::comma:
            case TokenKind::semicolon:
            case TokenKind::dot:
            case TokenKind::colon:
            case TokenKind::close_paren:
            case TokenKind::close_bracket:
            case TokenKind::close_brace:
            case TokenKind::open_bracket:
                return true;
            default:
                return false;
        }
    };
    for (Token token = lexer.next(); token.kind != TokenKind::end; token = lexer.next()) {
        if (out.size() >= limit) return out + " ...";
        if (literal(token.kind)) {
            // One value stands for any number of them, so that lists of all lengths have one shape.
            if (before[0] == TokenKind::comma && before[1] == TokenKind::marker) {
                out.pop_back();
                before[0] = TokenKind::marker;
                before[1] = TokenKind::end;
                continue;
            }
            token.kind = TokenKind::marker;
        }
        if (!glued(before[0], token.kind)) out += ' ';
        if (token.kind == TokenKind::marker) {
            out += '?';
        } else if (token.kind == TokenKind::bad) {
            out += '#';  // may be a string without its end
        } else if (token.kind == TokenKind::word) {
            for (const char c : token.range.in(text)) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        } else {
            out.append(token.range.in(text));
        }
        before[1] = std::exchange(before[0], token.kind);
    }
    return out;
}

}  // namespace penumbra::cql
