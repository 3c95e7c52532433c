#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "cql/language/statement.h"
#include "cql/schema/schema.h"
#include "cql/types/cell.h"
#include "cql/types/token.h"

/// A table whose rows are all in memory, and what WHERE, ORDER BY, DISTINCT, GROUP BY and the limits of a SELECT make
/// of them. Whether a server would allow the statement is not asked here.
namespace penumbra::cql {

/// One cell per column, in the order of Table::columns.
using MemoryRow = std::vector<Cell>;
using MemoryRows = std::vector<const MemoryRow*>;

inline Cell owned(CellView cell) {
    if (!cell.has_value()) return std::nullopt;
    return Bytes(cell.bytes().begin(), cell.bytes().end());
}

/// A relation of WHERE with its operands worked out.
struct Predicate {
    Restriction::Subject subject = Restriction::Subject::column;  ///< column, tuple, token or element
    Operator op = Operator::eq;
    std::vector<std::size_t> columns;         ///< places in Table::columns
    std::vector<std::vector<Cell>> operands;  ///< one value per column each; several for IN, two for BETWEEN
    Cell key;                                 ///< of an element
    /// False for what compares with null, as in a server.
    bool matches(const Table& table, const MemoryRow& row) const;
};

std::size_t column_index(const Table& table, const ColumnDef& column);
Token token_of(const Table& table, const MemoryRow& row);
bool same_partition(const Table& table, const MemoryRow& a, const MemoryRow& b);

/// Which rows of a table remain, and in which order.
struct RowChoice {
    std::vector<Predicate> predicates;
    const Statement* statement = nullptr;  ///< for ORDER BY, DISTINCT
    std::optional<std::size_t> per_partition_limit;

    /// By token and clustering, as a scan has them; by key where WHERE has an IN on the partition key.
    MemoryRows choose(const Table& table, const std::vector<MemoryRow>& rows) const;
};

/// Rows that are adjacent and equal in the first GROUP BY columns.
std::vector<MemoryRows> group_rows(const Table& table, const std::vector<std::size_t>& by, const MemoryRows& rows);

}  // namespace penumbra::cql
