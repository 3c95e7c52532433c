#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"
#include "cql/schema/schema.h"
#include "routing/phase.h"
#include "routing/route.h"
#include "routing/scope.h"
#include "routing/tenant_table.h"

namespace penumbra::routing {

/// Grows by one with every change of phase or scope; each request runs under exactly one.
using Epoch = Strong<std::uint64_t, struct EpochTag>;

/// One migration as the router sees it.
struct ScopeRoute {
    ScopeId id;
    std::string name;
    Phase phase = Phase::source_only;
    Scope scope;
};

/// How the requests for one table find their route.
class TableRoutes {
  public:
    /// Column that holds the tenant; null when the table has none.
    const cql::ColumnDef* tenant_column() const { return tenant_column_ ? &*tenant_column_ : nullptr; }
    /// Route of rows of this tenant (the column's bytes).
    const Route& of_tenant(BytesView tenant) const {
        const auto* found = by_tenant_.find(tenant);
        return found ? *found : others_;
    }
    /// Route of a request that names no tenant although rows of several routes may be meant: reads go to the target
    /// only when every migration of the table has it as primary and nothing else is left; writes go to both clusters
    /// when any is shadowed.
    const Route& without_tenant() const { return without_tenant_; }
    /// Whether of_tenant() can differ from without_tenant(): if not, the tenant need not be looked for.
    bool depends_on_tenant() const { return !by_tenant_.empty(); }
    /// Every scope with rows in this table: what a request without tenant is counted against under a hold.
    const std::vector<ScopeId>& scopes() const { return scopes_; }

  private:
    friend class Router;
    std::optional<cql::ColumnDef> tenant_column_;
    TenantTable by_tenant_;  // key: the column's bytes
    Route others_;           // tenants that no migration names
    Route without_tenant_;
    std::vector<ScopeId> scopes_;
};

/// The routing of everything under one epoch: immutable, built by the control plane, one pointer per shard, swapped
/// whole.
class Router {
  public:
    struct Input {
        Epoch epoch{0};
        Phase default_phase = Phase::source_only;
        std::string tenant_column;  ///< empty: no tenants by column
        std::vector<ScopeRoute> migrations;
        cql::SchemaPtr schema;  ///< of the default phase's primary: types of tenant columns
    };
    /// Tenants whose text is no value of a table's tenant column type do not route there; `warnings` says which.
    static std::shared_ptr<const Router> build(Input input, std::vector<std::string>* warnings = nullptr);

    Epoch epoch() const { return input_.epoch; }
    const Route& default_route() const { return default_; }
    Phase default_phase() const { return input_.default_phase; }
    /// Routes of a table; for tables that no migration touches, one that always gives the default route. System
    /// keyspaces go to the default primary alone.
    const TableRoutes& table(std::string_view keyspace, std::string_view name) const;
    const std::vector<ScopeRoute>& migrations() const { return input_.migrations; }
    const std::string& tenant_column() const { return input_.tenant_column; }
    const cql::SchemaPtr& schema() const { return input_.schema; }
    /// Of a statement that may touch anything: not understood, or no table of the schema.
    Phase of_everything() const;
    /// Everything is target_only: nothing of the source is read, written or kept in step any more, and it may be gone.
    bool source_is_done() const;
    /// Whether any scope or the default is shadowed: schema changes then matter to both clusters.
    bool anything_shadowed() const;

  private:
    Input input_;
    Route default_;
    Route system_;
    TableRoutes untouched_;
    TableRoutes system_table_;
    std::map<std::string, std::map<std::string, TableRoutes, std::less<>>, std::less<>> tables_;
};
using RouterPtr = std::shared_ptr<const Router>;

/// One phase for a request that touches rows of several: its reads must find every row, its writes must reach every
/// cluster that has them. The source has all rows until a scope is complete (in target_primary it is kept in step), so
/// it answers for as long as anybody needs it.
Phase meet(std::span<const Phase> phases);
inline Phase meet(std::initializer_list<Phase> phases) {
    return meet(std::span(phases.begin(), phases.size()));
}

}  // namespace penumbra::routing
