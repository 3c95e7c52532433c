#include "cql/schema/schema.h"

#include <algorithm>

namespace penumbra::cql {

std::string_view to_string(ColumnKind kind) {
    switch (kind) {
        case ColumnKind::partition_key:
            return "partition_key";
        case ColumnKind::clustering:
            return "clustering";
        case ColumnKind::static_:
            return "static";
        case ColumnKind::regular:
            return "regular";
    }
    return "unknown";
}

bool ColumnDef::operator==(const ColumnDef& other) const {
    return name == other.name && kind == other.kind && position == other.position && descending == other.descending &&
           type->frozen == other.type->frozen && same_type(*type, *other.type);
}

const ColumnDef* Table::column(std::string_view column_name) const {
    const auto found = std::ranges::find(columns, column_name, &ColumnDef::name);
    return found == columns.end() ? nullptr : &*found;
}

std::vector<const ColumnDef*> Table::of_kind(ColumnKind kind) const {
    std::vector<const ColumnDef*> found;
    for (const auto& column : columns) {
        if (column.kind == kind) found.push_back(&column);
    }
    return found;
}

std::string Table::cql_name() const {
    return quote_identifier(keyspace) + "." + quote_identifier(name);
}

const Table* Schema::table(std::string_view keyspace, std::string_view name) const {
    const auto tables = tables_.find(keyspace);
    if (tables == tables_.end()) return nullptr;
    const auto found = tables->second.find(name);
    return found == tables->second.end() ? nullptr : &found->second;
}

TypePtr Schema::udt(std::string_view keyspace, std::string_view name) const {
    const auto types = udts_.find(keyspace);
    if (types == udts_.end()) return nullptr;
    const auto found = types->second.find(name);
    return found == types->second.end() ? nullptr : found->second;
}

std::vector<const Table*> Schema::tables() const {
    std::vector<const Table*> all;
    for (const auto& [keyspace, tables] : tables_) {
        for (const auto& [name, table] : tables) all.push_back(&table);
    }
    return all;
}

void Schema::add_table(Table table) {
    std::ranges::sort(table.columns, [](const ColumnDef& a, const ColumnDef& b) {
        if (a.kind != b.kind) return a.kind < b.kind;
        if (a.position != b.position) return a.position < b.position;
        return a.name < b.name;
    });
    auto& tables = tables_[table.keyspace];
    const auto name = table.name;
    tables.insert_or_assign(name, std::move(table));
}

void Schema::add_udt(TypePtr type) {
    auto& types = udts_[type->keyspace];
    const auto name = type->name;
    types.insert_or_assign(name, std::move(type));
}

std::vector<std::string> differences(const Table& left, const Table* right) {
    std::vector<std::string> found;
    if (right == nullptr) {
        found.push_back(left.cql_name() + " is missing");
        return found;
    }
    const auto& name = left.cql_name();
    for (const auto& column : left.columns) {
        const auto* twin = right->column(column.name);
        if (twin == nullptr) {
            found.push_back(name + " has no column " + column.name);
        } else if (twin->kind != column.kind || twin->position != column.position) {
            found.push_back(name + "." + column.name + " is " + std::string(to_string(twin->kind)) + " instead of " +
                            std::string(to_string(column.kind)));
        } else if (twin->descending != column.descending) {
            found.push_back(name + "." + column.name + " is clustered in the other order");
        } else if (!same_type(*twin->type, *column.type) ||
                   twin->type->is_multi_cell() != column.type->is_multi_cell()) {
            found.push_back(name + "." + column.name + " is " + to_cql(*twin->type) + " instead of " +
                            to_cql(*column.type));
        }
    }
    return found;
}

}  // namespace penumbra::cql
