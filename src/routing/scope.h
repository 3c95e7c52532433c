#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/strong.h"

namespace penumbra::routing {

/// Identifies a migration's scope for its lifetime, also in the journal; given out by the state store, never reused.
using ScopeId = Strong<std::uint32_t, struct ScopeIdTag>;
/// The scope of everything that no migration names.
constexpr ScopeId kDefaultScope{0};

/// A pattern for "keyspace.table": `*` stands for any run of characters within either part. "media.*", "*.migrations",
/// "*.*".
class TablePattern {
  public:
    static Result<TablePattern> parse(std::string_view text);
    bool matches(std::string_view keyspace, std::string_view table) const;
    /// Whether some table matches both; exact for what `*` can say.
    bool overlaps(const TablePattern& other) const;
    const std::string& text() const { return text_; }
    bool operator==(const TablePattern&) const = default;

  private:
    std::string text_, keyspace_, table_;
};

/// The tenants and tables that a migration covers.
struct Scope {
    /// As the operator wrote them: literals for the tenant column ("5f0c2a52-…", "acme", 42). Empty: every row, also of
    /// tables without a tenant column; such tables belong to no migration of named tenants.
    std::vector<std::string> tenants;
    std::vector<TablePattern> allow;  // empty: all tables
    std::vector<TablePattern> deny;

    bool all_tenants() const { return tenants.empty(); }
    /// By name alone; system keyspaces never.
    bool covers_table(std::string_view keyspace, std::string_view table) const;
    /// Whether a row could belong to both, so that two migrations would fight over it.
    bool overlaps(const Scope& other) const;
};

/// system, system_schema, system_auth, …: never shadowed, never moved.
bool is_system_keyspace(std::string_view keyspace);

}  // namespace penumbra::routing
