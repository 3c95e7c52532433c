#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cql/protocol/rows.h"
#include "cql/schema/schema.h"
#include "routing/scope.h"
#include "sync/row_image.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// Whether a cluster shows write times and TTLs inside non-frozen collections and UDTs (Cassandra from 5.0 on, as lists
/// beside the value; older ones and ScyllaDB do not, for a whole collection).
enum class ElementTimes : std::uint8_t { hidden, shown };

/// One table as copy and verify see it: the columns that both clusters have, which rows belong to the scope, and how
/// rows are asked for. Immutable, shared by everything that works on the table.
class TableShape {
  public:
    /// `other` is the table on the other cluster; columns that it lacks or has otherwise are left out (check_schema()
    /// names them). Errc::conflict when the keys differ.
    static Result<std::shared_ptr<const TableShape>> make(const cql::Table& table, const cql::Table& other,
                                                          const routing::Scope& scope, std::string_view tenant_column);

    const std::string& cql_name() const { return name_; }
    const cql::Table& table() const { return table_; }
    const std::vector<cql::ColumnDef>& partition_key() const { return partition_key_; }
    const std::vector<cql::ColumnDef>& clustering() const { return clustering_; }
    /// Names of columns that only `table` has, or has otherwise; empty: none.
    const std::string& left_out() const { return left_out_; }
    /// Static and regular columns.
    const std::vector<cql::ColumnDef>& columns() const { return columns_; }
    const cql::ColumnDef& column(std::size_t index) const { return columns_[index]; }
    bool is_whole(std::size_t column) const;  ///< a non-frozen list or a counter

    /// Whether the tenant column is the whole partition key, so that each tenant of the scope is one partition.
    bool tenants_are_partitions() const { return tenants_are_partitions_; }
    Result<Bytes> partition_of_tenant(std::string_view tenant) const;

    std::string select_range(const TokenRange& range, ElementTimes times, std::string_view suffix) const;
    std::string select_partition(ElementTimes times) const;
    /// The key of one partition, if it has anything.
    std::string select_key() const;
    /// `WHERE` of all key columns, or of the partition key for statics (LIMIT 1: they come with any row).
    std::string select_row(bool is_static, ElementTimes times) const;
    std::vector<cql::Cell> range_values(const TokenRange& range) const;
    /// Partition key columns, then those of `clustering`.
    std::vector<cql::Cell> key_values(BytesView partition, const std::vector<Bytes>& clustering) const;
    /// " WHERE k = ? AND c = ?" for writes and reads of one row.
    std::string where(bool partition_only) const;

    /// Takes apart the pages of one SELECT in the order they come.
    class Decoder {
      public:
        /// all: also rows that are not of the scope (for reads of one row, which somebody found to be). statics: none,
        /// but what is static of any partition, whoever's row shows it.
        enum class Rows : std::uint8_t { of_scope, all, statics };
        Decoder(std::shared_ptr<const TableShape> shape, ElementTimes times, Rows which = Rows::of_scope)
            : shape_(std::move(shape)), times_(times), which_(which) {}
        /// Appends the rows. `now_seconds`: when the page was read, wall clock.
        Status page(const cql::Rows& rows, std::int64_t now_seconds, std::vector<RowItem>& out);

      private:
        std::shared_ptr<const TableShape> shape_;
        ElementTimes times_;
        Rows which_;
        Bytes partition_;
        bool have_partition_ = false;
        bool statics_done_ = false;
    };

    /// As both kinds of server order rows.
    std::weak_ordering compare(const RowKey& a, const RowKey& b) const;
    /// "k=1, c='x'" with the literals of the types.
    std::string key_text(const RowKey& key) const;
    /// "m['a']", "u.field", "v".
    std::string cell_name(const CellImage& cell) const;
    std::string cell_text(const CellImage& cell) const;

  private:
    enum class TenantIn : std::uint8_t { nothing, partition_key, clustering, columns };

    std::string selected(ElementTimes times) const;
    /// Whether these are rows of what selected() asks for. A server that answers something else is not believed.
    Status check_columns(const cql::Rows& rows, ElementTimes times) const;
    bool in_scope(const cql::Row& row) const;
    Status decode_column(const cql::Row& row, std::size_t& at, std::size_t column, ElementTimes times,
                         std::int64_t now_seconds, RowImage& out) const;

    cql::Table table_;
    std::string name_;
    std::string left_out_;
    std::vector<cql::ColumnDef> partition_key_, clustering_, columns_;
    TenantIn tenant_in_ = TenantIn::nothing;
    bool tenant_is_static_ = false;
    std::size_t tenant_at_ = 0;  ///< among the key columns
    std::string tenant_name_;
    std::set<Bytes> tenants_;
    bool tenants_are_partitions_ = false;
};
using ShapePtr = std::shared_ptr<const TableShape>;

}  // namespace penumbra::sync
