#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cql/types/type.h"

namespace penumbra::cql {

enum class ColumnKind : std::uint8_t { partition_key, clustering, static_, regular };
std::string_view to_string(ColumnKind kind);

struct ColumnDef {
    std::string name;
    TypePtr type;
    ColumnKind kind = ColumnKind::regular;
    int position = -1;        ///< within the partition key or the clustering columns
    bool descending = false;  ///< clustering order
    bool operator==(const ColumnDef& other) const;
};

/// One table (or materialized view) as a cluster has it.
struct Table {
    std::string keyspace;
    std::string name;
    std::vector<ColumnDef> columns;  ///< partition key, clustering, static, regular; the last two by name
    std::int32_t default_ttl = 0;    ///< seconds, 0 is none
    std::int32_t gc_grace_seconds = 864000;
    bool is_counter = false;
    bool is_view = false;

    const ColumnDef* column(std::string_view column_name) const;
    std::vector<const ColumnDef*> of_kind(ColumnKind kind) const;
    std::vector<const ColumnDef*> partition_key() const { return of_kind(ColumnKind::partition_key); }
    std::vector<const ColumnDef*> clustering() const { return of_kind(ColumnKind::clustering); }
    /// keyspace.table with quotes where CQL needs them.
    std::string cql_name() const;
};

/// What a cluster says its schema is, at one schema version. Immutable once shared.
class Schema {
  public:
    const Table* table(std::string_view keyspace, std::string_view name) const;
    bool has_keyspace(std::string_view keyspace) const { return keyspaces_.contains(std::string(keyspace)); }
    TypePtr udt(std::string_view keyspace, std::string_view name) const;
    /// Every table, by keyspace and name.
    std::vector<const Table*> tables() const;
    const std::map<std::string, std::string>& keyspaces() const { return keyspaces_; }

    // Building.
    void add_keyspace(std::string name, std::string replication) {
        keyspaces_.emplace(std::move(name), std::move(replication));
    }
    void add_table(Table table);
    void add_udt(TypePtr type);

  private:
    std::map<std::string, std::string> keyspaces_;  // name -> replication, as text
    std::map<std::string, std::map<std::string, Table, std::less<>>, std::less<>> tables_;
    std::map<std::string, std::map<std::string, TypePtr, std::less<>>, std::less<>> udts_;
};
using SchemaPtr = std::shared_ptr<const Schema>;

/// What keeps rows of `left` from being written into `right`: a missing table or column, another type or key. Empty:
/// they agree.
std::vector<std::string> differences(const Table& left, const Table* right);

}  // namespace penumbra::cql
