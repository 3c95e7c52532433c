#include <algorithm>
#include <utility>

#include "cql/language/native_functions.h"
#include "cql/language/parser_internal.h"

namespace penumbra::cql::parsing {

// Parser.g: term, selectionAddition. A bare column is taken for a term everywhere: SELECT and SET need it, and
// elsewhere the servers refuse it.
bool Parser::term(Term& out) {
    if (!product(out)) return false;
    for (int chain = 0; at(TokenKind::plus) || at(TokenKind::minus);) {
        const auto sign = token_.range;
        advance();
        if (!combine(out, sign, &Parser::product, chain)) return false;
    }
    return true;
}

bool Parser::product(Term& out) {
    if (!postfix(out)) return false;
    for (int chain = 0; at(TokenKind::star) || at(TokenKind::slash) || at(TokenKind::percent);) {
        const auto sign = token_.range;
        advance();
        if (!combine(out, sign, &Parser::postfix, chain)) return false;
    }
    return true;
}

bool Parser::combine(Term& left, TextRange sign, bool (Parser::*operand)(Term&), int& chain) {
    Term whole;
    whole.kind = TermKind::arithmetic;
    whole.text = sign.in(text_);
    whole.range.begin = left.range.begin;
    // A long chain leans to the left: its tree is as deep as it is long.
    if (++chain > kMaxDepth) {
        left = Term{.kind = TermKind::other, .range = left.range};
        chain = 0;
        understood_ = false;
    }
    whole.elements.reserve(2);
    whole.elements.push_back(std::move(left));
    const bool ok = (this->*operand)(whole.elements.emplace_back());
    whole.range.end = end_;
    if (!ok) whole.kind = TermKind::other;
    left = std::move(whole);
    return ok && spend(2 * sizeof(Term));
}

bool Parser::constant(Term& out, TermKind kind) {
    out.kind = kind;
    out.text = kind == TermKind::string ? decoder_.decode(token_) : here();
    advance();
    return true;
}

bool Parser::starts_term() const {
    switch (token_.kind) {
        case TokenKind::word:
            // What may follow a term in parentheses is not the operand of a cast.
            for (const std::string_view after :
                 {"and",      "as",    "from",    "if",     "using",  "where",  "apply",   "allow", "order",
                  "group",    "limit", "per",     "asc",    "desc",   "or",     "in",      "not",   "is",
                  "contains", "like",  "between", "insert", "update", "delete", "primary", "with",  "bypass"}) {
                if (at_word(after)) return false;
            }
            return true;
        case TokenKind::quoted:
        case TokenKind::string:
        case TokenKind::integer:
        case TokenKind::floating:
        case TokenKind::uuid:
        case TokenKind::blob:
        case TokenKind::duration:
        case TokenKind::marker:
        case TokenKind::open_paren:
        case TokenKind::open_bracket:
        case TokenKind::open_brace:
            return true;
        default:
            return false;
    }
}

bool Parser::primary(Term& out) {
    out.range.begin = token_.range.begin;
    bool ok = false;
    switch (token_.kind) {
        case TokenKind::marker:
            out.kind = TermKind::marker;
            out.marker = token_.ordinal;
            ok = token_.name == 0;
            advance();
            if (!ok && !marker_names_.empty()) {
                out.text = marker_names_.back().second;
                ok = true;
            }
            break;
        case TokenKind::string:
            ok = constant(out, TermKind::string);
            break;
        case TokenKind::integer:
            ok = constant(out, TermKind::integer);
            break;
        case TokenKind::floating:
            ok = constant(out, TermKind::floating);
            break;
        case TokenKind::uuid:
            ok = constant(out, TermKind::uuid);
            break;
        case TokenKind::blob:
            ok = constant(out, TermKind::blob);
            break;
        case TokenKind::duration:
            ok = constant(out, TermKind::duration);
            break;
        case TokenKind::star:
            out.kind = TermKind::star;
            advance();
            ok = true;
            break;
        case TokenKind::word:
        case TokenKind::quoted:
            ok = word_term(out);
            break;
        case TokenKind::minus:
        case TokenKind::open_paren:
        case TokenKind::open_bracket:
        case TokenKind::open_brace: {
            const Nesting nesting(*this);
            if (nesting.too_deep()) {
                understood_ = false;
                out.kind = TermKind::other;
                while (at(TokenKind::minus)) advance();
                ok = at(TokenKind::open_paren) || at(TokenKind::open_bracket) || at(TokenKind::open_brace)
                         ? skip_group()
                         : false;
            } else if (at(TokenKind::minus)) {
                advance();
                out.kind = TermKind::arithmetic;
                out.text = "-";
                ok = postfix(out.elements.emplace_back());
            } else if (at(TokenKind::open_paren)) {
                ok = parenthesis(out);
            } else if (at(TokenKind::open_bracket)) {
                advance();
                out.kind = TermKind::list;
                ok = terms(out.elements, TokenKind::close_bracket);
            } else {
                ok = braces(out);
            }
            break;
        }
        default:
            out.range = {};
            return false;
    }
    out.range.end = std::max(out.range.begin, end_);
    if (!ok) out.kind = TermKind::other;  // nobody may count on the elements of a term that broke off
    return ok && spend(sizeof(Term));
}

/// [term {, term}] up to and past the closing bracket.
bool Parser::terms(std::vector<Term>& out, TokenKind close) {
    if (accept(close)) return true;
    do {
        if (!term(out.emplace_back())) return false;
    } while (accept(TokenKind::comma));
    return accept(close);
}

bool Parser::word_term(Term& out) {
    if (at(TokenKind::word)) {
        if (at_word("null")) return constant(out, TermKind::null);
        if (at_word("true") || at_word("false")) return constant(out, TermKind::boolean);
        if (at_word("nan") || at_word("infinity")) return constant(out, TermKind::floating);
        if (at_word("cast") && peek().kind == TokenKind::open_paren) return cast_call(out);
    }
    out.kind = TermKind::column;
    out.text = decoder_.decode(token_);
    const auto before = markers_;
    advance();
    if (!at(TokenKind::open_paren)) return true;
    out.kind = TermKind::function;
    const bool ok = arguments(out);
    note_function(out, before);
    return ok;
}

bool Parser::arguments(Term& out) {
    const Nesting nesting(*this);
    bool ok = false;
    if (nesting.too_deep()) {
        understood_ = false;
        ok = skip_group();
    } else {
        advance();
        ok = terms(out.elements, TokenKind::close_paren);
    }
    out.range.end = end_;
    return ok;
}

void Parser::note_function(const Term& function, std::uint32_t markers_before) {
    if (function.qualifier.empty() ? is_native_function(function.text) : function.qualifier == "system") return;
    if (!spend(sizeof(Volatile))) return;
    user_functions_.push_back({VolatileKind::user_function, function.range, markers_before});
}

/// CAST(x AS type)
bool Parser::cast_call(Term& out) {
    const Nesting nesting(*this);
    out.kind = TermKind::cast;
    advance();
    if (nesting.too_deep()) {
        understood_ = false;
        return skip_group();
    }
    advance();
    if (!term(out.elements.emplace_back()) || !accept_word("as")) return false;
    const auto begin = token_.range.begin;
    while (!at(TokenKind::close_paren)) {
        if (at_end() || at(TokenKind::bad)) return false;
        advance();
    }
    out.text = TextRange{begin, end_}.in(text_);
    return accept(TokenKind::close_paren);
}

/// (a, b) and (type) x. Which of the two is known only behind the parenthesis, except where a type has parameters.
bool Parser::parenthesis(Term& out) {
    const auto begin = token_.range.begin;
    advance();
    const auto inner = token_.range.begin;
    bool type = false;
    if (at_name() && peek().kind == TokenKind::lt) {
        type = true;
        while (!at(TokenKind::close_paren)) {
            if (at_end() || at(TokenKind::bad)) return false;
            advance();
        }
        advance();
    } else {
        out.kind = TermKind::tuple;
        if (!terms(out.elements, TokenKind::close_paren)) return false;
        if (out.elements.size() == 1) {
            const auto& only = out.elements[0];
            const bool could_be_type = only.is(TermKind::column) || only.is(TermKind::string) ||
                                       (only.is(TermKind::field) && only.elements[0].is(TermKind::column));
            type = could_be_type && starts_term();
        }
    }
    if (!type) return true;
    std::uint32_t close = end_ - 1;
    while (close > inner && static_cast<unsigned char>(text_[close - 1]) <= ' ') --close;
    out.kind = TermKind::cast;
    out.text = TextRange{inner, close}.in(text_);
    out.elements.clear();
    out.range.begin = begin;
    const Nesting nesting(*this);
    return postfix(out.elements.emplace_back());
}

/// {}, {a, b}, {k: v}, {field: v}
bool Parser::braces(Term& out) {
    advance();
    out.kind = TermKind::set;
    if (accept(TokenKind::close_brace)) return true;
    if (!term(out.elements.emplace_back())) return false;
    const bool pairs = at(TokenKind::colon);
    if (pairs) out.kind = out.elements[0].is(TermKind::column) ? TermKind::udt : TermKind::map;
    for (bool first = true;; first = false) {
        if (!first && !term(out.elements.emplace_back())) return false;
        if (pairs && (!accept(TokenKind::colon) || !term(out.elements.emplace_back()))) return false;
        if (!accept(TokenKind::comma)) break;
    }
    return accept(TokenKind::close_brace);
}

/// A primary with what is attached to it: x.f, x[k], x[a..b], keyspace.function(..)
bool Parser::postfix(Term& out) {
    const auto before = markers_;
    if (!primary(out)) return false;
    for (int chain = 0; at(TokenKind::dot) || at(TokenKind::open_bracket);) {
        if (++chain > kMaxDepth) {
            out = Term{.kind = TermKind::other, .range = out.range};
            chain = 0;
            understood_ = false;
        }
        Term whole;
        whole.range.begin = out.range.begin;
        if (accept(TokenKind::dot)) {
            if (!name(whole.text)) {
                out.kind = TermKind::other;
                return false;
            }
            if (at(TokenKind::open_paren) && out.is(TermKind::column)) {
                whole.kind = TermKind::function;
                whole.qualifier = out.text;
                const bool ok = arguments(whole);
                note_function(whole, before);
                if (!ok) whole.kind = TermKind::other;
                out = std::move(whole);
                if (!ok) return false;
                continue;
            }
            whole.kind = TermKind::field;
            whole.elements.push_back(std::move(out));
        } else {
            const Nesting nesting(*this);
            whole.elements.reserve(3);
            whole.elements.push_back(std::move(out));
            whole.kind = TermKind::element;
            bool ok = true;
            if (nesting.too_deep()) {
                understood_ = false;
                whole.kind = TermKind::other;
                ok = skip_group();
            } else {
                advance();
                auto& first = whole.elements.emplace_back();
                if (!at(TokenKind::range)) ok = term(first);
                if (ok && accept(TokenKind::range)) {
                    whole.kind = TermKind::slice;
                    auto& last = whole.elements.emplace_back();
                    if (!at(TokenKind::close_bracket)) ok = term(last);
                }
                ok = ok && accept(TokenKind::close_bracket);
            }
            whole.range.end = end_;
            if (!ok) whole.kind = TermKind::other;
            out = std::move(whole);
            if (!ok || !spend(2 * sizeof(Term))) return false;
            continue;
        }
        whole.range.end = end_;
        out = std::move(whole);
        if (!spend(2 * sizeof(Term))) return false;
    }
    return true;
}

}  // namespace penumbra::cql::parsing
