#include "cql/language/statement.h"

#include <array>

#include "cql/language/parser.h"

namespace penumbra::cql {

namespace {

template <class Enum, std::size_t N>
constexpr std::string_view pick(Enum value, const std::array<std::string_view, N>& names) {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : std::string_view("?");
}

bool holds(TextRange outer, TextRange inner) {
    return outer.begin <= inner.begin && inner.end <= outer.end && !outer.empty();
}

}  // namespace

std::string_view to_string(TermKind kind) {
    constexpr auto names = std::to_array<std::string_view>(
        {"none",     "marker", "string",  "integer", "floating", "uuid",       "blob",      "boolean",  "null",
         "duration", "list",   "set",     "map",     "udt",      "tuple",      "in_values", "function", "cast",
         "column",   "star",   "element", "slice",   "field",    "arithmetic", "other"});
    static_assert(names.size() == static_cast<std::size_t>(TermKind::other) + 1);
    return pick(kind, names);
}

std::string_view to_string(StatementKind kind) {
    constexpr auto names = std::to_array<std::string_view>({"select", "insert", "update", "delete", "batch", "truncate",
                                                            "use", "schema_change", "access_control", "service_level",
                                                            "list", "describe", "prune", "unknown"});
    static_assert(names.size() == static_cast<std::size_t>(StatementKind::unknown) + 1);
    return pick(kind, names);
}

std::string_view to_string(Access access) {
    return pick(access, std::to_array<std::string_view>({"read", "write", "connection"}));
}

std::string_view to_string(Operator op) {
    constexpr auto names = std::to_array<std::string_view>(
        {"=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", "CONTAINS", "NOT CONTAINS", "CONTAINS KEY",
         "NOT CONTAINS KEY", "LIKE", "IS NULL", "IS NOT NULL", "BETWEEN", "NOT BETWEEN", "other"});
    static_assert(names.size() == static_cast<std::size_t>(Operator::other) + 1);
    return pick(op, names);
}

std::string_view to_string(AssignmentKind kind) {
    return pick(kind, std::to_array<std::string_view>(
                          {"set", "add", "prepend", "subtract", "put_element", "put_field", "expression"}));
}

std::string_view to_string(Condition condition) {
    return pick(condition, std::to_array<std::string_view>({"none", "if_exists", "if_not_exists", "if_columns"}));
}

std::string_view to_string(BatchKind type) {
    return pick(type, std::to_array<std::string_view>({"logged", "unlogged", "counter"}));
}

std::string_view to_string(VolatileKind kind) {
    constexpr auto names =
        std::to_array<std::string_view>({"now", "uuid", "current_timestamp", "current_date", "current_time",
                                         "current_timeuuid", "now_string", "now_in_json", "user_function"});
    static_assert(names.size() == static_cast<std::size_t>(VolatileKind::user_function) + 1);
    return pick(kind, names);
}

std::string_view cql_type(VolatileKind kind) {
    switch (kind) {
        case VolatileKind::now:
        case VolatileKind::current_timeuuid:
            return "timeuuid";
        case VolatileKind::uuid:
            return "uuid";
        case VolatileKind::current_timestamp:
            return "timestamp";
        case VolatileKind::current_date:
            return "date";
        case VolatileKind::current_time:
            return "time";
        case VolatileKind::now_string:
        case VolatileKind::now_in_json:
        case VolatileKind::user_function:
            return "";
    }
    return "";
}

std::string_view to_string(SchemaStatement::Verb verb) {
    return pick(verb, std::to_array<std::string_view>({"create", "alter", "drop"}));
}

std::string_view to_string(SchemaStatement::Object object) {
    return pick(object, std::to_array<std::string_view>({"keyspace", "table", "type", "index", "materialized_view",
                                                         "function", "aggregate", "trigger", "unknown"}));
}

Access Statement::access() const {
    switch (kind) {
        case StatementKind::select:
        case StatementKind::list:
        case StatementKind::describe:
            return Access::read;
        case StatementKind::use:
            return Access::connection;
        case StatementKind::insert:
        case StatementKind::update:
        case StatementKind::delete_:
        case StatementKind::batch:
        case StatementKind::truncate:
        case StatementKind::schema_change:
        case StatementKind::access_control:
        case StatementKind::service_level:
        case StatementKind::prune:
            return Access::write;
        case StatementKind::unknown:
            break;
    }
    // No statement of any server begins with anything but a word, so that without one only an error can come of it.
    return verb.empty() ? Access::read : Access::write;
}

bool Statement::is_dml() const {
    return kind == StatementKind::insert || kind == StatementKind::update || kind == StatementKind::delete_ ||
           kind == StatementKind::batch;
}

bool Statement::conditional() const {
    if (condition != Condition::none) return true;
    for (const auto& child : children) {
        if (child.condition != Condition::none) return true;
    }
    return false;
}

std::span<const Statement> Statement::parts() const {
    if (kind == StatementKind::batch) return children;
    return {this, 1};
}

const Term* Statement::value_of(std::string_view column) const {
    if (!row_understood) return nullptr;
    const Term* found = nullptr;
    const auto take = [&](const Term& term) {
        const bool first = found == nullptr;
        found = &term;
        return first;
    };
    for (const auto& r : where) {
        if (r.subject == Restriction::Subject::column && r.column == column) {
            const bool one_of_one =
                r.op == Operator::in && r.value.is(TermKind::in_values) && r.value.elements.size() == 1;
            if (r.op == Operator::eq || one_of_one) {
                if (!take(one_of_one ? r.value.elements[0] : r.value)) return nullptr;
            }
        } else if (r.subject == Restriction::Subject::tuple && r.op == Operator::eq && r.value.is(TermKind::tuple) &&
                   r.value.elements.size() == r.columns.size()) {
            for (std::size_t i = 0; i < r.columns.size(); ++i) {
                if (r.columns[i] == column && !take(r.value.elements[i])) return nullptr;
            }
        }
    }
    if (found || (kind != StatementKind::insert && !complete)) return found;
    for (const auto& a : assignments) {
        if (a.column == column && a.kind == AssignmentKind::set && !take(a.value)) return nullptr;
    }
    return found;
}

std::string_view Statement::column_at(TextRange place) const {
    for (const auto& part : parts()) {
        if (&part != this && holds(part.range, place)) return part.column_at(place);
    }
    for (const auto& a : assignments) {
        if (holds(a.value.range, place) || holds(a.key.range, place)) return a.column;
    }
    for (const auto* relations : {&where, &conditions}) {
        for (const auto& r : *relations) {
            if (!holds(r.range, place)) continue;
            if (!r.columns.empty() && r.subject == Restriction::Subject::tuple) {
                // (a, b) = (x, y), (a, b) IN ((x, y), ..)
                const auto within = [&](const Term& tuple) -> std::string_view {
                    for (std::size_t i = 0; i < tuple.elements.size() && i < r.columns.size(); ++i) {
                        if (holds(tuple.elements[i].range, place)) return r.columns[i];
                    }
                    return {};
                };
                if (r.value.is(TermKind::tuple)) return within(r.value);
                for (const auto& tuple : r.value.elements) {
                    if (holds(tuple.range, place)) return within(tuple);
                }
                return {};
            }
            return r.column;
        }
    }
    for (const auto& d : deletions) {
        if (holds(d.key.range, place)) return d.column;
    }
    return {};
}

const Restriction* Statement::restriction_on(std::string_view column) const {
    for (const auto& r : where) {
        const bool one = r.subject == Restriction::Subject::column || r.subject == Restriction::Subject::element ||
                         r.subject == Restriction::Subject::field;
        if (one && r.column == column) return &r;
    }
    return nullptr;
}

bool Statement::assigns(std::string_view column) const {
    for (const auto& a : assignments) {
        if (a.column == column) return true;
    }
    for (const auto& d : deletions) {
        if (d.column == column) return true;
    }
    return false;
}

OwnedStatement::OwnedStatement(std::string text)
    : text_(std::make_shared<const std::string>(std::move(text))), statement_(parse(*text_)) {}

}  // namespace penumbra::cql
