#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cql/types/cell.h"
#include "cql/types/uuid.h"
#include "sync/table_shape.h"

namespace penumbra::sync {

/// One statement with its values. The timestamp goes with the frame: ScyllaDB refuses a USING TIMESTAMP too far ahead,
/// but takes the protocol's.
struct Write {
    std::string text;
    std::vector<cql::Cell> values;
    std::optional<std::int64_t> timestamp;
};

/// Whether a row is made to exist by an INSERT or only its cells are written.
enum class Marker : std::uint8_t {
    none,
    by_insert,  ///< at the time and with the TTL of its earliest cells
    as_before,  ///< the same, but no later than WriteTimes::unknown: an INSERT of a client since then, whose marker may
                ///< live longer than the cells that are seen now, stays what it is
};

struct WritePlan {
    std::vector<Write> writes;
    std::uint64_t cells = 0;
    std::uint64_t expired = 0;  ///< left out: nothing remains of their TTL
};

struct WriteTimes {
    std::int64_t now_seconds = 0;          ///< wall clock: what remains of a TTL
    std::int64_t unknown = 0;              ///< for cells whose time is not shown, and markers of rows without cells
    std::optional<std::int64_t> all = {};  ///< every cell at this time instead of its own
};

/// Statements that write `cells` of one row (or of the statics) at their own times with what is left of their TTLs:
/// cells of one time and expiry together. Elements are merged into their collections and fields set one by one; nothing
/// is overwritten, so no tombstone appears. Every statement says USING TTL, 0 where there is none, because the shadow's
/// table may have a default of its own.
///
/// Marker::by_insert: the atomic cells of the earliest write go in as an INSERT, which lets the row live without
/// regular cells, as long as they do. A SELECT does not show whether the primary's row has such a marker; without it a
/// row whose cells the application deletes one by one would vanish on the shadow, with it one that was only ever
/// UPDATEd stays until a verify finds it.
WritePlan plan_writes(const TableShape& shape, const RowKey& key, const std::vector<const CellImage*>& cells,
                      Marker marker, WriteTimes times);

/// Statements that delete these cells, each at its own time, so that the tombstone wins the tie and nothing newer is
/// lost.
std::vector<Write> plan_deletes(const TableShape& shape, const RowKey& key, const std::vector<const CellImage*>& cells,
                                WriteTimes times);
Write plan_row_delete(const TableShape& shape, const RowKey& key, std::int64_t timestamp);

/// One run of a list's elements with the same times, in list order: what a single append can carry.
struct ListRun {
    Bytes value;  ///< as a list of its own
    std::int64_t written = 0;
    std::int64_t expires = 0;
};
/// The list in runs; where its times are not shown it is one, at `unknown` and for ever.
Result<std::vector<ListRun>> list_runs(const TableShape& shape, const WholeImage& list, std::int64_t unknown);
enum class ListWrite : std::uint8_t { append, prepend, overwrite };
Write plan_list_write(const TableShape& shape, const RowKey& key, std::size_t column, const ListRun& run, ListWrite how,
                      WriteTimes times);
/// Deletes elements by their places, as few dozens as one statement can name. A tombstone of its own for each: what a
/// client writes to the list, now or with an older timestamp, is not touched by it. Not to be repeated.
std::vector<Write> plan_list_deletes(const TableShape& shape, const RowKey& key, std::size_t column, std::size_t first,
                                     std::size_t count, std::int64_t timestamp);
/// Deletes a whole column.
Write plan_column_delete(const TableShape& shape, const RowKey& key, std::size_t column, std::int64_t timestamp);

struct CounterChange {
    std::size_t column = 0;
    std::int64_t delta = 0;
};
/// The same as ScyllaDB keeps counters: as a sum of shards, each with an id. One more of an id that nobody has used
/// holds the difference (`SCYLLA_COUNTER_SHARD_LIST`: docs/dev/cql-extensions.md of ScyllaDB). May be repeated with the
/// same id: a shard that is there is written again as it is.
Write plan_counter_shards(const TableShape& shape, const RowKey& key, const std::vector<CounterChange>& changes,
                          const cql::Uuid& shard);
/// Not to be repeated.
Write plan_counter_change(const TableShape& shape, const RowKey& key, const std::vector<CounterChange>& changes);

}  // namespace penumbra::sync
