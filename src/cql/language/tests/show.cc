#include "show.h"

namespace penumbra::cql {

namespace {

std::string text(std::string_view s) {
    return std::string(s);
}

template <class Items, class Show>
std::string join(const Items& items, std::string_view separator, Show&& one) {
    std::string out;
    for (const auto& item : items) {
        if (!out.empty()) out += separator;
        out += one(item);
    }
    return out;
}

std::string terms(const std::vector<Term>& items) {
    return join(items, ", ", [](const Term& t) { return show(t); });
}

std::string pairs(const std::vector<Term>& items) {
    std::string out;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        out += (i ? ", " : "") + show(items[i]) + ": " + show(items[i + 1]);
    return out;
}

std::string show(const ObjectName& name) {
    return name.qualified() ? text(name.keyspace) + "." + text(name.name) : text(name.name);
}

std::string show(const Assignment& a) {
    const auto column = text(a.column);
    switch (a.kind) {
        case AssignmentKind::set:
            return column + " = " + show(a.value);
        case AssignmentKind::add:
            return column + " += " + show(a.value);
        case AssignmentKind::prepend:
            return column + " =+ " + show(a.value);
        case AssignmentKind::subtract:
            return column + " -= " + show(a.value);
        case AssignmentKind::put_element:
            return column + "[" + show(a.key) + "] = " + show(a.value);
        case AssignmentKind::put_field:
            return column + "." + text(a.field) + " = " + show(a.value);
        case AssignmentKind::expression:
            return column + " := " + show(a.value);
    }
    return "?";
}

std::string show(const Deletion& d) {
    switch (d.kind) {
        case Deletion::Kind::column:
            return text(d.column);
        case Deletion::Kind::element:
            return text(d.column) + "[" + show(d.key) + "]";
        case Deletion::Kind::field:
            return text(d.column) + "." + text(d.field);
    }
    return "?";
}

std::string show(const SchemaStatement& c) {
    std::string out = text(to_string(c.verb));
    if (c.or_replace) out += " or replace";
    out += " " + text(to_string(c.object));
    if (c.if_exists) out += " if exists";
    if (c.if_not_exists) out += " if not exists";
    if (c.name) out += " " + (c.object == SchemaStatement::Object::keyspace ? text(c.name.keyspace) : show(c.name));
    if (c.like) out += " like " + show(c.like);
    if (!c.properties.empty()) {
        out += " with " + join(c.properties, " and ",
                               [](const Property& p) { return text(p.name) + (p.value ? " = " + show(p.value) : ""); });
    }
    return out;
}

}  // namespace

std::string show(const Term& t) {
    switch (t.kind) {
        case TermKind::none:
            return "-";
        case TermKind::marker:
            return t.text.empty() ? "?" + std::to_string(t.marker)
                                  : ":" + text(t.text) + "@" + std::to_string(t.marker);
        case TermKind::string:
            return "'" + text(t.text) + "'";
        case TermKind::null:
            return "null";
        case TermKind::integer:
        case TermKind::uuid:
        case TermKind::blob:
            return text(t.text);
        case TermKind::floating:
        case TermKind::boolean:
        case TermKind::duration:
            return text(to_string(t.kind)) + " " + text(t.text);
        case TermKind::list:
            return "[" + terms(t.elements) + "]";
        case TermKind::set:
            return "{" + terms(t.elements) + "}";
        case TermKind::map:
            return "{" + pairs(t.elements) + "}";
        case TermKind::udt:
            return "udt{" + pairs(t.elements) + "}";
        case TermKind::tuple:
            return "(" + terms(t.elements) + ")";
        case TermKind::in_values:
            return "<" + terms(t.elements) + ">";
        case TermKind::function:
            return (t.qualifier.empty() ? "" : text(t.qualifier) + ".") + text(t.text) + "(" + terms(t.elements) + ")";
        case TermKind::cast:
            return "(" + text(t.text) + ")" + terms(t.elements);
        case TermKind::column:
            return text(t.text);
        case TermKind::star:
            return "*";
        case TermKind::element:
            return show(t.elements[0]) + "[" + show(t.elements[1]) + "]";
        case TermKind::slice:
            return show(t.elements[0]) + "[" + show(t.elements[1]) + ".." + show(t.elements[2]) + "]";
        case TermKind::field:
            return show(t.elements[0]) + "." + text(t.text);
        case TermKind::arithmetic:
            if (t.elements.size() == 1) return "(" + text(t.text) + show(t.elements[0]) + ")";
            return "(" + show(t.elements[0]) + " " + text(t.text) + " " + show(t.elements[1]) + ")";
        case TermKind::other:
            return "<other>";
    }
    return "?";
}

std::string show(const Restriction& r) {
    std::string left;
    const auto columns = join(r.columns, ", ", [](std::string_view c) { return text(c); });
    switch (r.subject) {
        case Restriction::Subject::column:
            left = text(r.column);
            break;
        case Restriction::Subject::tuple:
            left = "(" + columns + ")";
            break;
        case Restriction::Subject::token:
            left = "token(" + columns + ")";
            break;
        case Restriction::Subject::element:
            left = text(r.column) + "[" + show(r.key) + "]";
            break;
        case Restriction::Subject::field:
            left = text(r.column) + "." + text(r.field);
            break;
        case Restriction::Subject::other:
            left = "other " + show(r.key);
            break;
    }
    if (r.op == Operator::other) return left;
    left += " " + text(to_string(r.op));
    return r.value ? left + " " + show(r.value) : left;
}

std::string show(const Statement& s) {
    std::string out = text(to_string(s.kind));
    const auto add = [&](std::string_view label, const std::string& value) {
        if (!value.empty()) out += std::string(" ") + std::string(label) + (label.empty() ? "" : " ") + value;
    };
    const auto relation = [](const Restriction& r) { return show(r); };
    if (s.kind == StatementKind::batch) add("", text(to_string(s.batch_type)));
    if (s.select_json) out += " json";
    if (s.distinct) out += " distinct";
    if (s.aggregates) out += " aggregates";
    add("", join(s.selectors, ", ", [](const Selector& x) {
            return show(x.expression) + (x.alias.empty() ? "" : " as " + text(x.alias));
        }));
    add("", join(s.deletions, ", ", [](const Deletion& d) { return show(d); }));
    if (s.schema) add("", show(*s.schema));
    if (s.table) add(s.mutation_fragments ? "fragments of" : "of", show(s.table));
    add("keyspace", text(s.keyspace));
    if (s.needs_keyspace) out += " needs keyspace";
    add("set", join(s.assignments, ", ", [](const Assignment& a) { return show(a); }));
    if (s.json) add("json", show(s.json) + (s.json_default == JsonDefault::unset ? " unset" : ""));
    add("where", join(s.where, " and ", relation));
    if (s.condition != Condition::none) out += " " + text(to_string(s.condition));
    add("", join(s.conditions, " and ", relation));
    if (s.with.timestamp) add("timestamp", show(s.with.timestamp));
    if (s.with.ttl) add("ttl", show(s.with.ttl));
    if (s.with.timeout) add("timeout", show(s.with.timeout));
    add("group by", terms(s.group_by));
    add("order by", join(s.order_by, ", ", [](const Ordering& o) {
            if (o.direction == Ordering::Direction::nearest) return text(o.column) + " ann " + show(o.vector);
            return text(o.column) + (o.direction == Ordering::Direction::descending ? " desc" : "");
        }));
    if (s.per_partition_limit) add("per partition limit", show(s.per_partition_limit));
    if (s.limit) add("limit", show(s.limit));
    if (s.allow_filtering) out += " allow filtering";
    if (s.bypass_cache) out += " bypass cache";
    for (const auto& child : s.children) out += " | " + show(child);
    if (!s.complete) out += " INCOMPLETE";
    return out;
}

}  // namespace penumbra::cql
