#include <memory>
#include <utility>

#include "cql/language/parser_internal.h"

namespace penumbra::cql::parsing {

/// The word or two that say what kind of object it is.
bool Parser::schema_object(SchemaStatement& change) {
    using Object = SchemaStatement::Object;
    if (accept_word("keyspace") || accept_word("schema")) {
        change.object = Object::keyspace;
    } else if (accept_word("table") || accept_word("columnfamily")) {
        change.object = Object::table;
    } else if (accept_word("type")) {
        change.object = Object::type;
    } else if (accept_word("index") || accept_words("custom", "index")) {
        change.object = Object::index;
    } else if (accept_words("materialized", "view")) {
        change.object = Object::materialized_view;
    } else if (accept_word("function")) {
        change.object = Object::function;
    } else if (accept_word("aggregate")) {
        change.object = Object::aggregate;
    } else if (accept_word("trigger")) {
        change.object = Object::trigger;
    } else {
        return false;
    }
    return true;
}

bool Parser::property(Property& p) {
    p.range.begin = token_.range.begin;
    bool ok = false;
    if (accept_words("compact", "storage")) {
        p.name = "compact storage";
        ok = true;
    } else if (accept_words("clustering", "order")) {
        p.name = "clustering order by";
        ok = accept_word("by") && at(TokenKind::open_paren) && skip_group();
    } else if (name(p.name)) {
        // CREATE TABLE .. LIKE .. WITH INDEXES has a name alone.
        ok = !accept(TokenKind::eq) || term(p.value);
    }
    p.range.end = end_;
    return ok;
}

bool Parser::properties(SchemaStatement& change) {
    do {
        if (!spend(sizeof(Property)) || !property(change.properties.emplace_back())) return false;
    } while (accept_word("and"));
    return true;
}

/// What we need not understand of a statement whose beginning we know.
bool Parser::rest() {
    while (!at_end()) {
        if (at(TokenKind::bad)) return false;
        advance();
    }
    return true;
}

bool Parser::create(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->or_replace = accept_words("or", "replace");
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    using Object = SchemaStatement::Object;
    change->if_not_exists = if_not_exists();
    switch (change->object) {
        case Object::keyspace: {
            auto& n = change->name;
            n.range.begin = token_.range.begin;
            if (!name(n.keyspace)) return false;
            n.range.end = end_;
            break;
        }
        case Object::table:
            return create_table(s, *change);
        case Object::index:
            return create_index(s, *change);
        case Object::materialized_view:
            return create_view(s, *change);
        case Object::trigger:
            if (!object_name(change->name) || !accept_word("on") || !object_name(s.table)) return false;
            return rest();
        default:
            return object_name(change->name) && rest();
    }
    return !accept_word("with") || properties(*change);
}

bool Parser::create_table(Statement& s, SchemaStatement& change) {
    if (!object_name(change.name)) return false;
    s.table = change.name;
    if (accept_word("like")) {
        if (!object_name(change.like)) return false;
    } else if (!at(TokenKind::open_paren) || !skip_group()) {
        return false;
    }
    return !accept_word("with") || properties(change);
}

bool Parser::create_index(Statement& s, SchemaStatement& change) {
    if (!at_word("on") && !object_name(change.name)) return false;
    if (!accept_word("on") || !object_name(s.table)) return false;
    if (!at(TokenKind::open_paren) || !skip_group()) return false;
    if (accept_word("using") && !accept(TokenKind::string)) return false;
    return !accept_word("with") || properties(change);
}

bool Parser::create_view(Statement& s, SchemaStatement& change) {
    if (!object_name(change.name) || !accept_word("as") || !accept_word("select")) return false;
    skip_until({"from"});
    if (!accept_word("from") || !object_name(s.table)) return false;
    skip_until({"with"});
    return !accept_word("with") || properties(change);
}

bool Parser::alter(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->verb = SchemaStatement::Verb::alter;
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    change->if_exists = if_exists();
    if (change->object == SchemaStatement::Object::keyspace) {
        auto& n = change->name;
        n.range.begin = token_.range.begin;
        if (!name(n.keyspace)) return false;
        n.range.end = end_;
    } else {
        if (!object_name(change->name)) return false;
        if (change->object == SchemaStatement::Object::table) s.table = change->name;
    }
    return accept_word("with") ? properties(*change) : rest();
}

bool Parser::drop(Statement& s) {
    auto change = std::make_shared<SchemaStatement>();
    change->verb = SchemaStatement::Verb::drop;
    if (!schema_object(*change)) {
        if (at_word("role") || at_word("user") || at_word("identity")) {
            s.kind = StatementKind::access_control;
            return rest();
        }
        if (at_word("service") || at_word("service_level")) {
            s.kind = StatementKind::service_level;
            return rest();
        }
        s.kind = StatementKind::schema_change;
        s.schema = std::move(change);
        return false;
    }
    s.kind = StatementKind::schema_change;
    s.schema = change;
    change->if_exists = if_exists();
    using Object = SchemaStatement::Object;
    switch (change->object) {
        case Object::keyspace: {
            auto& n = change->name;
            n.range.begin = token_.range.begin;
            if (!name(n.keyspace)) return false;
            n.range.end = end_;
            return true;
        }
        case Object::trigger:
            return object_name(change->name) && accept_word("on") && object_name(s.table);
        case Object::table:
            if (!object_name(change->name)) return false;
            s.table = change->name;
            return true;
        case Object::function:
        case Object::aggregate:
            return object_name(change->name) && (!at(TokenKind::open_paren) || skip_group());
        default:
            return object_name(change->name);
    }
}

/// GRANT, REVOKE: the resource after ON, if there is one (a role is granted without).
bool Parser::grant(Statement& s) {
    skip_until({"on"});
    if (accept_word("on") && !resource(s)) return false;
    return rest();
}

bool Parser::list(Statement& s) {
    skip_until({"on"});
    if (accept_word("on") && !resource(s)) return false;
    return rest();
}

/// Parser.g: dataResource, functionResource, ...
bool Parser::resource(Statement& s) {
    const bool other = at_word("all") || at_word("role") || at_word("mbean") || at_word("mbeans");
    // `ON role` alone is a table of that name.
    const bool alone = peek().kind == TokenKind::end || peek().kind == TokenKind::semicolon ||
                       peek().kind == TokenKind::dot || next_is_word("to") || next_is_word("from") ||
                       next_is_word("of") || next_is_word("norecursive");
    if (other && !alone) return true;
    if (at_word("keyspace") || at_word("schema")) return true;
    if (!alone && (at_word("table") || at_word("columnfamily") || at_word("function"))) advance();
    return object_name(s.table);
}

// Parser.g: describeStatement.
bool Parser::describe(Statement& s) {
    const auto one = [&] {
        return peek().kind == TokenKind::end || peek().kind == TokenKind::semicolon || next_is_word("with");
    };
    if (at_word("full") || at_word("only")) advance();
    if (at_word("cluster") || at_word("schema") || at_word("keyspaces")) return rest();
    if (at_word("keyspace")) {
        s.needs_keyspace = one();
        return rest();
    }
    if (one()) {  // TABLES, TYPES, .. of the connection's keyspace, or any object of it, or a keyspace
        s.needs_keyspace = true;
        return rest();
    }
    if (at_word("table") || at_word("columnfamily") || at_word("index") || at_word("type") || at_word("function") ||
        at_word("aggregate")) {
        if (peek().kind != TokenKind::dot) advance();
    } else {
        accept_words("materialized", "view");
    }
    return object_name(s.table) && rest();
}

}  // namespace penumbra::cql::parsing
