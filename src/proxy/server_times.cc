#include "proxy/server_times.h"

#include <algorithm>
#include <string>

#include "cql/language/json_strings.h"
#include "cql/types/type.h"
#include "cql/types/value.h"

namespace penumbra::proxy {

namespace {

using cql::DataType;
using cql::Term;
using cql::TermKind;
using cql::TypeKind;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool depends_on_server(std::string_view text) {
    return std::ranges::equal(text, std::string_view("now"), {}, lower) || cql::lacks_zone(text);
}

bool has_timestamps(const cql::Table& table) {
    return std::ranges::any_of(table.columns, [](const auto& column) { return mentions_timestamp(*column.type); });
}

/// Names are in lower case unless they have quotes of their own.
const cql::ColumnDef* column_of(const cql::Table& table, std::string_view key) {
    if (key.size() >= 2 && key.front() == '"' && key.back() == '"') return table.column(key.substr(1, key.size() - 2));
    std::string name(key);
    std::ranges::transform(name, name.begin(), lower);
    return table.column(name);
}

/// The type of the n-th element of a term of that type; the type itself where that cannot be said, since what holds for
/// all of it holds for its parts.
const DataType* inside(const DataType* type, const Term& term, std::size_t n) {
    if (term.is(TermKind::cast)) {
        const auto kind = cql::scalar_kind(term.text);
        return kind ? cql::scalar(*kind).get() : nullptr;
    }
    // What a function takes its own signature says.
    if (type == nullptr || term.is(TermKind::function)) return nullptr;
    const auto& inner = type->elements;
    switch (type->kind) {
        case TypeKind::list:
        case TypeKind::set:
        case TypeKind::vector:
            return term.is(TermKind::list) || term.is(TermKind::set) ? inner[0].get() : type;
        case TypeKind::map:
            return term.is(TermKind::map) ? inner[n % 2].get() : type;
        case TypeKind::tuple:
            return term.is(TermKind::tuple) && n < inner.size() ? inner[n].get() : type;
        case TypeKind::udt:
            if (term.is(TermKind::udt)) {
                const auto& name = term.elements[n - n % 2].text;
                const auto found = std::ranges::find(type->field_names, name);
                if (found != type->field_names.end())
                    return inner[static_cast<std::size_t>(found - type->field_names.begin())].get();
            }
            return type;
        default:
            return type;
    }
}

bool is_from_json(const Term& term) {
    return term.is(TermKind::function) && (term.text == "fromjson" || term.text == "from_json");
}

/// Whether it takes its type to say more: hardly ever, and types are searched by name.
bool may_hold_time(const Term& term) {
    if (term.is(TermKind::string)) return cql::lacks_zone(term.text);
    return is_from_json(term) || std::ranges::any_of(term.elements, may_hold_time);
}

/// Finds them in the terms of a statement.
class Finder {
  public:
    explicit Finder(ServerTimes& found) : found_(found) {}

    /// `type`: what the term is, or is part of; null where that is not known.
    void look_at(const Term& term, const DataType* type) {
        if (term.is(TermKind::string)) {
            found_.in_text |= cql::lacks_zone(term.text) && (type == nullptr || mentions_timestamp(*type));
            return;
        }
        const bool from_json = is_from_json(term);
        for (std::size_t i = 0; i < term.elements.size(); ++i) {
            if (from_json) {
                look_at_json(term.elements[i], type);
            } else {
                look_at(term.elements[i], inside(type, term, i));
            }
        }
    }

    void look_at_row(const Term& json, const cql::Table* table) {
        if (table != nullptr && !has_timestamps(*table)) return;
        if (json.is_marker()) found_.json.push_back({&json, table});
        if (json.is(TermKind::string)) found_.in_text |= json_depends_on_server(json.text, table);
    }

  private:
    void look_at_json(const Term& term, const DataType* type) {
        if (type != nullptr && !mentions_timestamp(*type)) return;
        if (term.is_marker()) found_.json.push_back({&term, nullptr});
        if (term.is(TermKind::string)) found_.in_text |= json_depends_on_server(term.text, nullptr);
        for (const auto& element : term.elements) look_at_json(element, type);
    }

    ServerTimes& found_;
};

/// Of c[k]: the type of k, or of what stands there.
const DataType* of_element(const DataType* type, bool key) {
    if (type == nullptr || !type->is_collection()) return type;
    return key ? type->elements.front().get() : type->elements.back().get();
}

}  // namespace

bool mentions_timestamp(const DataType& type) {
    if (type.kind == TypeKind::timestamp) return true;
    return std::ranges::any_of(type.elements, [](const auto& inner) { return mentions_timestamp(*inner); });
}

bool json_depends_on_server(std::string_view json, const cql::Table* row_of) {
    bool may_be_time = row_of == nullptr;
    for (cql::JsonStrings strings(json); strings.next();) {
        const auto text = strings.text();
        if (row_of != nullptr && strings.is_outer_key()) {
            // Of a name that the table has not the server will tell.
            const auto* column = strings.is_clipped() ? nullptr : column_of(*row_of, text);
            may_be_time = strings.is_clipped() || (column != nullptr && mentions_timestamp(*column->type));
            continue;
        }
        if (!may_be_time) continue;
        if (depends_on_server(text)) return true;
        // Keys of maps, and whatever else the servers take, may be JSON again.
        if (text.find('"') != text.npos && (strings.is_clipped() || json_depends_on_server(text, nullptr))) return true;
    }
    return false;
}

ServerTimes server_times_of(const cql::Statement& part, const cql::Table* table) {
    ServerTimes found;
    Finder finder(found);
    const auto type_of = [&](std::string_view name) -> const DataType* {
        const auto* column = table != nullptr ? table->column(name) : nullptr;
        return column != nullptr ? column->type.get() : nullptr;
    };
    // Of a tuple it is enough to know that a time may stand in it.
    const auto type_of_all = [&](const std::vector<std::string_view>& names) {
        const DataType* worst = nullptr;
        for (const auto name : names) {
            const auto* type = type_of(name);
            if (type == nullptr || mentions_timestamp(*type)) return type;
            worst = type;
        }
        return worst;
    };
    if (part.json) finder.look_at_row(part.json, table);
    for (const auto& assignment : part.assignments) {
        const bool one = assignment.kind == cql::AssignmentKind::put_element;
        if (may_hold_time(assignment.value)) {
            const auto* type = type_of(assignment.column);
            finder.look_at(assignment.value, one ? of_element(type, false) : type);
        }
        if (may_hold_time(assignment.key)) finder.look_at(assignment.key, of_element(type_of(assignment.column), true));
    }
    for (const auto& restriction : part.where) {
        using Subject = cql::Restriction::Subject;
        if (!may_hold_time(restriction.value) && !may_hold_time(restriction.key)) continue;
        const DataType* type = nullptr;
        if (restriction.subject == Subject::column) type = type_of(restriction.column);
        if (restriction.subject == Subject::tuple) type = type_of_all(restriction.columns);
        finder.look_at(restriction.value, type);
        finder.look_at(restriction.key, type);
    }
    for (const auto& deletion : part.deletions) {
        if (may_hold_time(deletion.key)) finder.look_at(deletion.key, of_element(type_of(deletion.column), true));
    }
    return found;
}

}  // namespace penumbra::proxy
