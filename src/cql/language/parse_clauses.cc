#include <algorithm>
#include <utility>

#include "cql/language/parser_internal.h"

namespace penumbra::cql::parsing {

bool Parser::object_name(ObjectName& out) {
    const auto begin = token_.range.begin;
    if (!name(out.name)) return false;
    if (accept(TokenKind::dot)) {
        out.keyspace = out.name;
        out.name = {};
        if (!name(out.name)) return false;
    }
    out.range = {begin, end_};
    return true;
}

/// (a, b, c), the opening parenthesis already consumed
bool Parser::identifiers(std::vector<std::string_view>& out) {
    do {
        if (!name(out.emplace_back()) || !spend(sizeof(out[0]))) return false;
    } while (accept(TokenKind::comma));
    return accept(TokenKind::close_paren);
}

bool Parser::where(std::vector<Restriction>& out) {
    out.reserve(4);
    do {
        if (!relation(out)) return false;
    } while (accept_word("and"));
    return true;
}

/// Where WHERE can end. Anything else behind it (OR, an operator) would change what it says.
bool Parser::at_clause_end() const {
    if (at_end()) return true;
    for (const std::string_view word :
         {"if", "group", "order", "per", "limit", "allow", "bypass", "using", "insert", "update", "delete", "apply"}) {
        if (at_word(word)) return true;
    }
    return false;
}

bool Parser::where_clause(Statement& s) {
    s.row_understood = where(s.where) && at_clause_end();
    return s.row_understood;
}

bool Parser::relation(std::vector<Restriction>& out) {
    if (!spend(sizeof(Restriction))) return false;
    const auto begin = token_.range.begin;
    if (at(TokenKind::open_paren)) {
        const Nesting nesting(*this);
        if (nesting.too_deep()) return false;
        advance();
        const bool tuple = at_name() && (peek().kind == TokenKind::comma || peek().kind == TokenKind::close_paren);
        if (!tuple) return relation(out) && accept(TokenKind::close_paren);
        auto& r = out.emplace_back();
        r.subject = Restriction::Subject::tuple;
        const bool ok = identifiers(r.columns) && relation_operator(r);
        r.range = {begin, end_};
        return ok;
    }
    auto& r = out.emplace_back();
    const bool ok = relation_body(r);
    r.range = {begin, end_};
    return ok;
}

bool Parser::relation_body(Restriction& r) {
    if (!at_name()) return false;
    const auto next = peek().kind;
    if (next != TokenKind::open_paren && next != TokenKind::dot && next != TokenKind::open_bracket) {
        r.column = decoder_.decode(token_);
        advance();
        return relation_operator(r);
    }
    if (!postfix(r.key)) return false;
    switch (r.key.kind) {
        case TermKind::element:
        case TermKind::field:
            if (r.key.elements[0].is(TermKind::column)) {
                const bool element = r.key.is(TermKind::element);
                r.subject = element ? Restriction::Subject::element : Restriction::Subject::field;
                r.column = r.key.elements[0].text;
                r.field = r.key.text;
                Term key = element ? std::move(r.key.elements[1]) : Term{};
                r.key = std::move(key);
                return relation_operator(r);
            }
            break;
        case TermKind::function: {
            const auto column = [](const Term& t) { return t.is(TermKind::column); };
            if (r.key.text == "token" && r.key.qualifier.empty() &&
                std::all_of(r.key.elements.begin(), r.key.elements.end(), column)) {
                r.subject = Restriction::Subject::token;
                for (const auto& c : r.key.elements) r.columns.push_back(c.text);
                r.key = Term{};
                return relation_operator(r);
            }
            break;
        }
        default:
            break;
    }
    r.subject = Restriction::Subject::other;
    // expr(index, 'query') stands alone (Parser.g, customIndexExpression).
    if (r.key.is(TermKind::function) && r.key.text == "expr" && r.key.qualifier.empty()) {
        r.op = Operator::other;
        return true;
    }
    return relation_operator(r);
}

bool Parser::in_values(Term& out) {
    if (!at(TokenKind::open_paren)) return postfix(out);  // IN ?
    const Nesting nesting(*this);
    out.kind = TermKind::in_values;
    out.range.begin = token_.range.begin;
    bool ok = false;
    if (nesting.too_deep()) {
        understood_ = false;
        ok = skip_group();
    } else {
        advance();
        ok = terms(out.elements, TokenKind::close_paren);
    }
    out.range.end = end_;
    if (!ok) out.kind = TermKind::other;
    return ok;
}

bool Parser::relation_operator(Restriction& r) {
    const auto simple = [&](Operator op) {
        r.op = op;
        advance();
        return term(r.value);
    };
    switch (token_.kind) {
        case TokenKind::eq:
            return simple(Operator::eq);
        case TokenKind::ne:
            return simple(Operator::ne);
        case TokenKind::lt:
            return simple(Operator::lt);
        case TokenKind::le:
            return simple(Operator::le);
        case TokenKind::gt:
            return simple(Operator::gt);
        case TokenKind::ge:
            return simple(Operator::ge);
        case TokenKind::word:
            break;
        default:
            return false;
    }
    if (accept_word("is")) {
        r.op = accept_word("not") ? Operator::is_not_null : Operator::is_null;
        return accept_word("null");
    }
    const bool negated = accept_word("not");
    if (accept_word("in")) {
        r.op = negated ? Operator::not_in : Operator::in;
        return in_values(r.value);
    }
    if (accept_word("contains")) {
        const bool key = accept_word("key");
        r.op = key ? (negated ? Operator::not_contains_key : Operator::contains_key)
                   : (negated ? Operator::not_contains : Operator::contains);
        return term(r.value);
    }
    if (accept_word("between")) {
        r.op = negated ? Operator::not_between : Operator::between;
        r.value.kind = TermKind::tuple;
        r.value.range.begin = token_.range.begin;
        r.value.elements.reserve(2);
        const bool ok =
            term(r.value.elements.emplace_back()) && accept_word("and") && term(r.value.elements.emplace_back());
        r.value.range.end = std::max(r.value.range.begin, end_);
        if (!ok) r.value.kind = TermKind::other;
        return ok;
    }
    if (!negated && at_word("like")) return simple(Operator::like);
    return false;
}

bool Parser::using_clause(Using& out) {
    do {
        if (accept_word("timestamp")) {
            if (!postfix(out.timestamp)) return false;
        } else if (accept_word("ttl")) {
            if (!postfix(out.ttl)) return false;
        } else if (accept_word("timeout")) {
            if (!postfix(out.timeout)) return false;
        } else if (accept_word("concurrency")) {
            Term ignored;
            if (!postfix(ignored)) return false;
        } else if (accept_words("service", "level") || accept_word("service_level")) {
            std::string_view ignored;
            if (!name(ignored)) return false;
        } else {
            return false;
        }
    } while (accept_word("and"));
    return true;
}

/// IF [NOT] EXISTS of a schema change.
bool Parser::if_words(bool negated) {
    if (!at_word("if")) return false;
    advance();
    if (negated && !accept_word("not")) {
        understood_ = false;
        return false;
    }
    if (!accept_word("exists")) {
        understood_ = false;
        return false;
    }
    return true;
}

/// What follows IF in INSERT, UPDATE and DELETE.
bool Parser::condition(Statement& s) {
    if (accept_words("not", "exists")) {
        s.condition = Condition::if_not_exists;
        return true;
    }
    if (at_word("exists")) {
        // EXISTS is no reserved word: a column of that name is followed by what relates it.
        switch (peek().kind) {
            case TokenKind::eq:
            case TokenKind::ne:
            case TokenKind::lt:
            case TokenKind::le:
            case TokenKind::gt:
            case TokenKind::ge:
            case TokenKind::dot:
            case TokenKind::open_bracket:
                break;
            default:
                if (next_is_word("in") || next_is_word("contains") || next_is_word("like")) break;
                s.condition = Condition::if_exists;
                advance();
                return true;
        }
    }
    s.condition = Condition::if_columns;
    return where(s.conditions);
}

bool Parser::assignment(Assignment& a) {
    if (!spend(sizeof(Assignment))) return false;
    a.range.begin = token_.range.begin;
    const auto finish = [&](bool ok) {
        a.range.end = end_;
        return ok;
    };
    if (!name(a.column)) return false;
    if (accept(TokenKind::open_bracket)) {
        a.kind = AssignmentKind::put_element;
        return finish(term(a.key) && accept(TokenKind::close_bracket) && accept(TokenKind::eq) && term(a.value));
    }
    if (accept(TokenKind::dot)) {
        a.kind = AssignmentKind::put_field;
        return finish(name(a.field) && accept(TokenKind::eq) && term(a.value));
    }
    if (at(TokenKind::plus_eq) || at(TokenKind::minus_eq)) {
        a.kind = at(TokenKind::plus_eq) ? AssignmentKind::add : AssignmentKind::subtract;
        advance();
        return finish(term(a.value));
    }
    if (!accept(TokenKind::eq)) return finish(false);
    // Parser.g, normalColumnOperation: c = c + x, c = c - x, and c = c -1 where the sign belongs to the number.
    if (at_name()) {
        const auto next = peek().kind;
        const bool same = (next == TokenKind::plus || next == TokenKind::minus || next == TokenKind::integer) &&
                          decoder_.decode(token_) == a.column;
        if (same) {
            advance();
            a.kind = next == TokenKind::minus ? AssignmentKind::subtract : AssignmentKind::add;
            if (next != TokenKind::integer) advance();
            return finish(term(a.value));
        }
    }
    if (!term(a.value)) return finish(false);
    const auto reads = [](const Term& t) {
        return t.is(TermKind::column) || t.is(TermKind::element) || t.is(TermKind::field);
    };
    if (a.value.is(TermKind::arithmetic) && a.value.text == "+" && a.value.elements.size() == 2 &&
        a.value.elements[1].is(TermKind::column) && a.value.elements[1].text == a.column) {
        a.kind = AssignmentKind::prepend;
        Term left = std::move(a.value.elements[0]);
        a.value = std::move(left);
    } else if (reads(a.value) || (a.value.is(TermKind::arithmetic) &&
                                  std::any_of(a.value.elements.begin(), a.value.elements.end(), reads))) {
        a.kind = AssignmentKind::expression;
    }
    return finish(true);
}

}  // namespace penumbra::cql::parsing
