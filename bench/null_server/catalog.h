#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cql/protocol/rows.h"
#include "runtime/endpoint.h"

namespace penumbra::bench {

/// The one table that a null server has: `(TENANT_COLUMN uuid, id bigint)` is its partition key, `value` a blob.
struct TenantTable {
    std::string keyspace = "bench";
    std::string name = "rows";
    std::string tenant_column = "system_domain_id";
};

/// What the null server's system tables hold: one node that owns the whole ring, and the schema of one tenant table.
/// Immutable once built; any thread.
class Catalog {
  public:
    Catalog(const TenantTable& table, const Endpoint& node);

    /// All rows of a system table, whatever the statement's WHERE; null when there is no such table.
    const cql::RowsBuilder* find(std::string_view keyspace, std::string_view table) const;

  private:
    void describe(const TenantTable& table);

    std::map<std::pair<std::string, std::string>, cql::RowsBuilder, std::less<>> tables_;
};

}  // namespace penumbra::bench
