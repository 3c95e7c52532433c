#include "sync/schema_check.h"

#include <fmt/format.h>

#include "cql/types/value.h"

namespace penumbra::sync {

std::vector<const cql::Table*> tables_in_scope(const cql::Schema& schema, const routing::Scope& scope,
                                               std::string_view tenant_column) {
    std::vector<const cql::Table*> tables;
    for (const auto* table : schema.tables()) {
        // Views follow from their base tables on each cluster.
        if (table->is_view || !scope.covers_table(table->keyspace, table->name)) continue;
        if (!scope.all_tenants() && (tenant_column.empty() || table->column(tenant_column) == nullptr)) continue;
        tables.push_back(table);
    }
    return tables;
}

std::vector<std::string> check_schema(const cql::Schema& from, const cql::Schema& to, const routing::Scope& scope,
                                      std::string_view tenant_column) {
    std::vector<std::string> problems;
    if (!scope.all_tenants() && tenant_column.empty())
        problems.push_back("the scope names tenants, and there is no tenant column");
    std::string missing_keyspace;
    for (const auto* table : tables_in_scope(from, scope, tenant_column)) {
        if (!to.has_keyspace(table->keyspace)) {
            if (missing_keyspace != table->keyspace)
                problems.push_back(fmt::format("keyspace {} is missing", table->keyspace));
            missing_keyspace = table->keyspace;
            continue;
        }
        const auto* twin = to.table(table->keyspace, table->name);
        for (auto& problem : cql::differences(*table, twin)) problems.push_back(std::move(problem));
        if (twin != nullptr) {
            // Nobody would write it, and after the switch nobody could see why the source lacks it.
            for (const auto& column : twin->columns) {
                if (table->column(column.name) == nullptr)
                    problems.push_back(fmt::format("{} has a column {} that is not on the other cluster",
                                                   twin->cql_name(), column.name));
            }
        }
        if (const auto* column = scope.all_tenants() ? nullptr : table->column(tenant_column)) {
            for (const auto& tenant : scope.tenants) {
                if (auto value = cql::from_text(*column->type, tenant); !value) {
                    problems.push_back(fmt::format("{}: tenant '{}' is no value of {} ({}): {}", table->cql_name(),
                                                   tenant, column->name, cql::to_cql(*column->type),
                                                   value.error().what));
                }
            }
        }
    }
    return problems;
}

}  // namespace penumbra::sync
