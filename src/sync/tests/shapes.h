#pragma once

#include "sync/table_shape.h"

namespace penumbra::sync::test {

inline cql::ColumnDef column(std::string name, cql::TypePtr type, cql::ColumnKind kind, int position = -1,
                             bool descending = false) {
    return {std::move(name), std::move(type), kind, position, descending};
}

/// t (k int, c text DESC, st int static, v int, w text, s set<int>, m map<text, int>, u udt, l list<int>)
inline cql::Table wide_table() {
    using enum cql::ColumnKind;
    const auto integer = cql::scalar(cql::TypeKind::int_);
    const auto text = cql::scalar(cql::TypeKind::text);
    cql::Table table;
    table.keyspace = "ks";
    table.name = "t";
    table.columns = {
        column("k", integer, partition_key, 0),
        column("c", text, clustering, 0, true),
        column("st", integer, static_),
        column("l", cql::list_of(integer), regular),
        column("m", cql::map_of(text, integer), regular),
        column("s", cql::set_of(integer), regular),
        column("u", cql::udt_of("ks", "point", {{"x", integer}, {"Y", integer}}), regular),
        column("v", integer, regular),
        column("w", text, regular),
    };
    return table;
}

enum : std::size_t { st, l, m, s, u, v, w };  // TableShape::columns() of wide_table()

inline ShapePtr wide_shape() {
    const auto table = wide_table();
    return TableShape::make(table, table, {}, "").value();
}

}  // namespace penumbra::sync::test
