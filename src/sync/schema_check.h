#pragma once

#include <string>
#include <vector>

#include "cql/schema/schema.h"
#include "routing/scope.h"

namespace penumbra::sync {

/// The tables that hold rows of the scope: covered by it, no views, no system keyspaces, and for named tenants only
/// those with the tenant column.
std::vector<const cql::Table*> tables_in_scope(const cql::Schema& schema, const routing::Scope& scope,
                                               std::string_view tenant_column);

/// What stops rows of the scope from being kept on both clusters, a sentence each: a keyspace, table or column that is
/// missing, a column that only `to` has, another type or key, a tenant that is no value of the tenant column. Empty:
/// nothing does.
std::vector<std::string> check_schema(const cql::Schema& from, const cql::Schema& to, const routing::Scope& scope,
                                      std::string_view tenant_column);

}  // namespace penumbra::sync
