#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace penumbra::sync {

enum class DifferenceKind : std::uint8_t {
    schema,      ///< the table or column is missing, or another
    missing,     ///< the row is on the primary only
    extra,       ///< the row is on the shadow only
    value,       ///< both show a value, another one
    absent,      ///< the cell is on the primary only
    unexpected,  ///< the cell is on the shadow only
    write_time,  ///< the same value, written at another time
    expiry,      ///< the same value, ending at another time
    refused,     ///< the other cluster does not take the value (see Report::refused)
};
std::string_view to_string(DifferenceKind kind);

struct Difference {
    std::string table;   ///< keyspace.table
    std::string key;     ///< column=value, partition key first
    std::string column;  ///< empty: the row. Elements: column[element], column.field
    DifferenceKind kind = DifferenceKind::value;
    std::string source;  ///< value and times as text
    std::string target;
};

/// What a copy, verify or resync did and found.
struct Report {
    std::uint64_t rows = 0;  ///< of the primary, in scope
    std::uint64_t cells = 0;
    std::uint64_t statements = 0;   ///< written
    std::uint64_t differences = 0;  ///< confirmed by a second look
    std::uint64_t conflicts = 0;    ///< of these: the shadow's cell was the newer one
    std::uint64_t repaired = 0;
    std::uint64_t moving = 0;  ///< looked different once, and not when looked at again
    std::uint64_t collections_without_times =
        0;  ///< written at unknown_timestamp, and without a TTL that cannot be seen
    std::uint64_t lists_rewritten = 0;
    std::uint64_t counters_settled = 0;
    std::uint64_t expired = 0;  ///< not written: what was left of their TTL had run out
    std::uint64_t refused =
        0;  ///< statements that a server does not take for what they hold: those rows lack something
    std::uint64_t unknown_fate = 0;  ///< counter updates that may or may not have happened: verify again
    std::uint64_t retries = 0;
    std::vector<Difference> samples;  ///< the first of the differences

    static constexpr std::size_t kMaxSamples = 100;
    void add(Report other);
    void add_sample(Difference sample);
};

struct Progress {
    std::uint64_t done = 0;   ///< portions
    std::uint64_t total = 0;  ///< 0: not known yet
    std::uint64_t rows = 0;
    double rows_per_second = 0;
    std::optional<double> seconds_left;
};

/// Counts on the shard of the run, read from any thread.
class ProgressMeter {
  public:
    void start(SteadyTime now, std::uint64_t total, std::uint64_t already_done);
    void rows(std::uint64_t count) { rows_.fetch_add(count, std::memory_order_relaxed); }
    void portion_done() { done_.fetch_add(1, std::memory_order_relaxed); }
    void end(SteadyTime now);
    Progress snapshot(SteadyTime now) const;

  private:
    std::atomic<std::uint64_t> done_{0}, already_done_{0}, total_{0}, rows_{0};
    std::atomic<std::int64_t> started_{0}, ended_{0};  // steady nanoseconds; 0 is not yet
};

}  // namespace penumbra::sync
