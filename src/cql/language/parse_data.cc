#include "cql/language/parser_internal.h"

namespace penumbra::cql::parsing {

namespace {

bool is_aggregate(const Term& term) {
    if (!term.is(TermKind::function)) return false;
    const auto n = term.text;
    return n == "count" || n == "min" || n == "max" || n == "sum" || n == "avg";
}

}  // namespace

bool Parser::selectors(Statement& s) {
    do {
        auto& selector = s.selectors.emplace_back();
        if (!spend(sizeof(Selector)) || !term(selector.expression)) return false;
        if (is_aggregate(selector.expression)) s.aggregates = true;
        if (accept_word("as") && !name(selector.alias)) return false;
    } while (accept(TokenKind::comma));
    return true;
}

bool Parser::select(Statement& s) {
    // JSON and DISTINCT are column names too: they are what they seem to be unless something follows that a column
    // needs.
    const auto is_column = [&] {
        switch (peek().kind) {
            case TokenKind::comma:
            case TokenKind::dot:
            case TokenKind::plus:
            case TokenKind::slash:
            case TokenKind::percent:
            case TokenKind::semicolon:
            case TokenKind::end:
                return true;
            default:
                return next_is_word("from") || next_is_word("as");
        }
    };
    if (at_word("json") && !is_column()) {
        s.select_json = true;
        advance();
    }
    if (at_word("distinct") && !is_column()) {
        s.distinct = true;
        advance();
    }
    if (!selectors(s)) understood_ = false;
    // Which table it is and what WHERE says is worth knowing also where a selector is beyond us.
    const auto end = token_.range.begin;
    skip_until({"from", "where", "order", "limit", "allow", "using"});
    if (token_.range.begin != end) understood_ = false;
    if (accept_word("from")) {
        if (at_word("mutation_fragments") && peek().kind == TokenKind::open_paren) {
            s.mutation_fragments = true;
            advance();
            advance();
            if (!object_name(s.table) || !accept(TokenKind::close_paren)) return false;
        } else if (!object_name(s.table)) {
            return false;
        }
    }
    return select_tail(s);
}

bool Parser::select_tail(Statement& s) {
    // The grammars fix the order. We need not: an order that they refuse is refused there.
    while (!at_end()) {
        if (accept_word("where")) {
            if (!where_clause(s)) return false;
        } else if (accept_words("group", "by")) {
            do {
                if (!term(s.group_by.emplace_back())) return false;
            } while (accept(TokenKind::comma));
        } else if (accept_words("order", "by")) {
            do {
                auto& order = s.order_by.emplace_back();
                if (!spend(sizeof(Ordering))) return false;
                if (peek().kind == TokenKind::open_paren ||
                    peek().kind == TokenKind::dot) {  // ScyllaDB: a scoring function
                    order.direction = Ordering::Direction::nearest;
                    if (!postfix(order.vector)) return false;
                    continue;
                }
                if (!name(order.column)) return false;
                if (accept_words("ann", "of")) {
                    order.direction = Ordering::Direction::nearest;
                    if (!term(order.vector)) return false;
                }
                if (accept_word("desc")) {
                    if (order.direction != Ordering::Direction::nearest)
                        order.direction = Ordering::Direction::descending;
                } else {
                    accept_word("asc");
                }
            } while (accept(TokenKind::comma));
        } else if (accept_words("per", "partition")) {
            if (!accept_word("limit") || !postfix(s.per_partition_limit)) return false;
        } else if (accept_word("limit")) {
            if (!postfix(s.limit)) return false;
        } else if (accept_words("allow", "filtering")) {
            s.allow_filtering = true;
        } else if (accept_words("bypass", "cache")) {
            s.bypass_cache = true;
        } else if (accept_word("using")) {
            if (!using_clause(s.with)) return false;
        } else {
            return false;
        }
    }
    return true;
}

bool Parser::insert(Statement& s) {
    if (!accept_word("into") || !object_name(s.table)) return false;
    if (accept_word("json")) {
        if (!postfix(s.json)) return false;
        if (accept_word("default")) {
            if (accept_word("unset")) {
                s.json_default = JsonDefault::unset;
            } else if (!accept_word("null")) {
                return false;
            }
        }
    } else {
        if (!accept(TokenKind::open_paren)) return false;
        s.assignments.reserve(8);
        do {
            auto& a = s.assignments.emplace_back();
            a.range = token_.range;
            if (!name(a.column) || !spend(sizeof(Assignment))) return false;
        } while (accept(TokenKind::comma));
        if (!accept(TokenKind::close_paren) || !accept_word("values") || !accept(TokenKind::open_paren)) return false;
        std::size_t i = 0;
        do {
            if (i == s.assignments.size()) return false;  // more values than columns
            if (!term(s.assignments[i++].value)) return false;
        } while (accept(TokenKind::comma));
        if (i != s.assignments.size() || !accept(TokenKind::close_paren)) return false;
        s.row_understood = true;
    }
    if (accept_word("if") && !condition(s)) return false;
    return !accept_word("using") || using_clause(s.with);
}

bool Parser::update(Statement& s) {
    if (!object_name(s.table)) return false;
    if (accept_word("using") && !using_clause(s.with)) return false;
    if (!accept_word("set")) return false;
    s.assignments.reserve(2);
    do {
        if (!assignment(s.assignments.emplace_back())) return false;
    } while (accept(TokenKind::comma));
    return accept_word("where") && where_clause(s) && conditions(s);
}

/// The end of UPDATE and DELETE.
bool Parser::conditions(Statement& s) {
    if (accept_word("if") && !condition(s)) return false;
    accept_words("bypass", "large_data_guardrails");
    return true;
}

bool Parser::delete_(Statement& s) {
    if (!at_word("from")) {
        do {
            auto& d = s.deletions.emplace_back();
            d.range.begin = token_.range.begin;
            if (!spend(sizeof(Deletion)) || !name(d.column)) return false;
            if (accept(TokenKind::open_bracket)) {
                d.kind = Deletion::Kind::element;
                if (!term(d.key) || !accept(TokenKind::close_bracket)) return false;
            } else if (accept(TokenKind::dot)) {
                d.kind = Deletion::Kind::field;
                if (!name(d.field)) return false;
            }
            d.range.end = end_;
        } while (accept(TokenKind::comma));
    }
    if (!accept_word("from") || !object_name(s.table)) return false;
    if (accept_word("using") && !using_clause(s.with)) return false;
    return accept_word("where") && where_clause(s) && conditions(s);
}

bool Parser::modification_body(Statement& s) {
    if (accept_word("insert")) {
        s.kind = StatementKind::insert;
        return insert(s);
    }
    if (accept_word("update")) {
        s.kind = StatementKind::update;
        return update(s);
    }
    if (accept_word("delete")) {
        s.kind = StatementKind::delete_;
        return delete_(s);
    }
    return false;
}

bool Parser::modification(Statement& s) {
    const bool ok = modification_body(s);
    // What follows a statement of a batch directly is the next one.
    if (ok && (at_end() || at_word("insert") || at_word("update") || at_word("delete") || at_word("apply")))
        return true;
    salvage(s);
    return false;
}

/// The clauses behind one that we do not understand: WHERE may name the row, and IF decides who may execute the
/// statement.
void Parser::salvage(Statement& s) {
    for (;;) {
        skip_until({"where", "if", "insert", "update", "delete", "apply"});
        if (accept_word("where")) {
            if (s.where.empty()) where_clause(s);
        } else if (accept_word("if")) {
            if (s.condition == Condition::none) condition(s);
        } else {
            return;
        }
    }
}

bool Parser::batch(Statement& s) {
    // BEGIN without BATCH (Cassandra's BEGIN TRANSACTION) is not this statement.
    if (accept_word("unlogged")) {
        s.batch_type = BatchKind::unlogged;
    } else if (accept_word("counter")) {
        s.batch_type = BatchKind::counter;
    }
    if (!accept_word("batch")) return false;
    s.kind = StatementKind::batch;
    if (accept_word("using") && !using_clause(s.with)) return false;
    bool all = true;
    while (!accept_words("apply", "batch")) {
        if (at(TokenKind::semicolon)) {
            all = false;
            advance();
            continue;
        }
        // A child costs its relations and assignments besides itself.
        if (at(TokenKind::end) || at_word("apply") || !spend(3 * sizeof(Statement))) return false;
        auto& child = s.children.emplace_back();
        open(child);
        child.complete = modification(child);
        if (!child.complete) {
            // It may be of a newer grammar than ours; the ones after it need not be.
            all = false;
        }
        close(child);
        accept(TokenKind::semicolon);
    }
    return all;
}

bool Parser::truncate(Statement& s) {
    if (!accept_word("table")) accept_word("columnfamily");
    if (!object_name(s.table)) return false;
    return !accept_word("using") || using_clause(s.with);
}

bool Parser::prune(Statement& s) {
    if (!accept_words("materialized", "view") || !object_name(s.table)) return false;
    return select_tail(s);
}

}  // namespace penumbra::cql::parsing
