#include "cql/language/parser.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "cql/language/parser_internal.h"

namespace penumbra::cql::parsing {

bool Parser::skip_group() {
    std::size_t open = 0;
    do {
        switch (token_.kind) {
            case TokenKind::open_paren:
            case TokenKind::open_bracket:
            case TokenKind::open_brace:
                ++open;
                break;
            case TokenKind::close_paren:
            case TokenKind::close_bracket:
            case TokenKind::close_brace:
                --open;
                break;
            case TokenKind::end:
            case TokenKind::bad:
                return false;
            default:
                break;
        }
        advance();
    } while (open > 0);
    return true;
}

void Parser::skip_until(std::initializer_list<std::string_view> words) {
    while (!at_end()) {
        if (at(TokenKind::open_paren) || at(TokenKind::open_bracket) || at(TokenKind::open_brace)) {
            if (!skip_group()) return;
            continue;
        }
        if (at(TokenKind::word)) {
            for (const auto word : words) {
                if (at_word(word)) return;
            }
        }
        advance();
    }
}

bool Parser::statement(Statement& s) {
    if (!at(TokenKind::word)) return false;
    s.verb = here();
    if (at_word("insert") || at_word("update") || at_word("delete")) return modification(s);
    if (accept_word("select")) {
        s.kind = StatementKind::select;
        return select(s);
    }
    if (accept_word("begin")) return batch(s);
    if (accept_word("use")) {
        s.kind = StatementKind::use;
        return name(s.keyspace);
    }
    if (accept_word("truncate")) {
        s.kind = StatementKind::truncate;
        return truncate(s);
    }
    if (accept_word("create")) return create(s);
    if (accept_word("alter")) return alter(s);
    if (accept_word("drop")) return drop(s);
    if (accept_word("grant") || accept_word("revoke")) {
        s.kind = StatementKind::access_control;
        return grant(s);
    }
    if (accept_word("list")) {
        s.kind = StatementKind::list;
        return list(s);
    }
    if (accept_word("describe") || accept_word("desc")) {
        s.kind = StatementKind::describe;
        return describe(s);
    }
    if (accept_word("prune")) {
        s.kind = StatementKind::prune;
        return prune(s);
    }
    if (accept_word("attach") || accept_word("detach")) {
        s.kind = StatementKind::service_level;
        return rest();
    }
    if (accept_word("add")) {  // ADD IDENTITY
        s.kind = StatementKind::access_control;
        return rest();
    }
    advance();
    return false;
}

void Parser::open(Statement& s) {
    s.text = text_;
    s.range.begin = token_.range.begin;
    s.first_marker = markers_;
    if (at(TokenKind::word)) s.verb = here();
}

void Parser::close(Statement& s) {
    s.range.end = std::max(s.range.begin, end_);
    s.marker_count = markers_ - s.first_marker;
}

Statement Parser::parse() {
    Statement s;
    open(s);
    bool ok = statement(s);
    close(s);
    if (!ok) {
        // To the end nonetheless, for markers and volatiles.
        while (!at(TokenKind::end)) {
            const bool separator = at(TokenKind::semicolon);
            advance();
            if (!separator) close(s);
        }
    }
    while (accept(TokenKind::semicolon)) {
    }
    if (!at(TokenKind::end)) {
        ok = false;
        while (!at(TokenKind::end)) advance();
    }
    s.marker_count = lexer_.marker_count();
    s.complete = ok && understood_ && !lexer_.overflowed() && spend(0);

    const bool evaluates = s.kind == StatementKind::select || s.is_dml() || s.kind == StatementKind::unknown;
    if (evaluates) {
        s.volatiles = std::move(lexer_.volatiles());
        if (!user_functions_.empty()) {
            s.volatiles.insert(s.volatiles.end(), user_functions_.begin(), user_functions_.end());
            std::stable_sort(s.volatiles.begin(), s.volatiles.end(),
                             [](const Volatile& a, const Volatile& b) { return a.range.begin < b.range.begin; });
        }
    }
    if (!marker_names_.empty() && spend(s.marker_count * sizeof(std::string_view))) {
        s.marker_names.resize(s.marker_count);
        for (const auto& [ordinal, name] : marker_names_) s.marker_names[ordinal] = name;
    }
    const std::shared_ptr<const TextArena> arena = decoder_.arena();
    s.storage = arena;
    auto next_volatile = s.volatiles.begin();
    for (auto& child : s.children) {
        child.storage = arena;
        if (!s.marker_names.empty()) {
            const auto first = s.marker_names.begin() + child.first_marker;
            child.marker_names.assign(first, first + child.marker_count);
        }
        while (next_volatile != s.volatiles.end() && next_volatile->range.begin < child.range.begin) ++next_volatile;
        while (next_volatile != s.volatiles.end() && next_volatile->range.begin < child.range.end)
            child.volatiles.push_back(*next_volatile++);
    }
    return s;
}

}  // namespace penumbra::cql::parsing

namespace penumbra::cql {

Statement parse(std::string_view text) {
    if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
        // Longer than any frame: positions would not fit.
        Statement s;
        s.text = text;
        return s;
    }
    return parsing::Parser(text).parse();
}

}  // namespace penumbra::cql
