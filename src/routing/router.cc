#include "routing/router.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/value.h"

namespace penumbra::routing {

Phase meet(std::span<const Phase> phases) {
    const bool all_on_target =
        std::ranges::all_of(phases, [](Phase phase) { return primary_of(phase) == Side::target; });
    const bool same = std::ranges::all_of(phases, [&](Phase phase) { return phase == phases.front(); });
    if (same) return phases.front();
    if (all_on_target) return Phase::target_primary;
    // Mixed: the source answers, and what is written reaches both because some of these rows are shadowed or moved.
    const bool wait =
        std::ranges::any_of(phases, [](Phase phase) { return waits_for_shadow(phase) || phase == Phase::target_only; });
    return wait ? Phase::shadow_sync : Phase::shadow_async;
}

Phase Router::of_everything() const {
    std::vector<Phase> phases{input_.default_phase};
    for (const auto& migration : input_.migrations) phases.push_back(migration.phase);
    return meet(phases);
}

std::shared_ptr<const Router> Router::build(Input input, std::vector<std::string>* warnings) {
    auto router = std::make_shared<Router>();
    router->input_ = std::move(input);
    const auto& in = router->input_;
    router->default_ = {kDefaultScope, in.default_phase};
    router->system_ = {kDefaultScope,
                       primary_of(in.default_phase) == Side::source ? Phase::source_only : Phase::target_only};
    router->untouched_.others_ = router->default_;
    router->untouched_.without_tenant_ = router->default_;
    router->untouched_.scopes_ = {kDefaultScope};
    router->system_table_.others_ = router->system_;
    router->system_table_.without_tenant_ = router->system_;
    if (!in.schema) return router;

    for (const auto* table : in.schema->tables()) {
        if (is_system_keyspace(table->keyspace)) continue;
        const auto* tenant_column = in.tenant_column.empty() ? nullptr : table->column(in.tenant_column);
        TableRoutes routes;
        routes.others_ = router->default_;
        std::vector<Phase> phases;
        for (const auto& migration : in.migrations) {
            if (!migration.scope.covers_table(table->keyspace, table->name)) continue;
            const Route route{migration.id, migration.phase};
            if (migration.scope.all_tenants()) {
                routes.others_ = route;
                routes.scopes_.push_back(migration.id);
                continue;
            }
            if (tenant_column == nullptr) continue;
            bool any = false;
            for (const auto& tenant : migration.scope.tenants) {
                auto bytes = cql::from_text(*tenant_column->type, tenant);
                if (!bytes) {
                    if (warnings) {
                        warnings->push_back(fmt::format("migration {}: tenant '{}' is no value of {}.{} ({}): {}",
                                                        migration.name, tenant, table->cql_name(), tenant_column->name,
                                                        cql::to_cql(*tenant_column->type), bytes.error().what));
                    }
                    continue;
                }
                routes.by_tenant_.put(bytes.value(), route);
                any = true;
            }
            if (any) {
                routes.scopes_.push_back(migration.id);
                phases.push_back(migration.phase);
            }
        }
        if (routes.scopes_.empty()) continue;
        if (tenant_column) routes.tenant_column_ = *tenant_column;
        // Named migrations do not cover the tenants that nobody named: those count as well.
        phases.push_back(routes.others_.phase);
        if (routes.others_.scope == kDefaultScope) routes.scopes_.push_back(kDefaultScope);
        routes.without_tenant_ = {routes.by_tenant_.empty() ? routes.others_.scope : kDefaultScope, meet(phases)};
        router->tables_[table->keyspace].insert_or_assign(table->name, std::move(routes));
    }
    return router;
}

const TableRoutes& Router::table(std::string_view keyspace, std::string_view name) const {
    if (const auto tables = tables_.find(std::string(keyspace)); tables != tables_.end()) {
        if (const auto found = tables->second.find(name); found != tables->second.end()) return found->second;
    }
    return is_system_keyspace(keyspace) ? system_table_ : untouched_;
}

bool Router::source_is_done() const {
    return input_.default_phase == Phase::target_only &&
           std::ranges::all_of(input_.migrations,
                               [](const auto& migration) { return migration.phase == Phase::target_only; });
}

bool Router::anything_shadowed() const {
    return is_shadowed(input_.default_phase) ||
           std::ranges::any_of(input_.migrations, [](const auto& migration) { return is_shadowed(migration.phase); });
}

}  // namespace penumbra::routing
