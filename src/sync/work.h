#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "runtime/async.h"
#include "sync/options.h"
#include "sync/report.h"
#include "sync/requester.h"
#include "sync/row_stream.h"

namespace penumbra::sync {

/// Everything that one run shares among its coroutines. Lives on the shard of the pair for as long as the run.
class Work {
  public:
    Work(Pair pair, WorkOptions options, StopSignal& stop);
    Work(const Work&) = delete;

    Pair pair;
    WorkOptions options;
    StopSignal& stop;
    Report report;
    Requester from, to;
    ElementTimes from_times, to_times;
    bool knows_counter_shards = true;  ///< until a server refuses the text: see plan_counter_shards()

    std::int64_t wall_micros() const { return Shard::here().clock().wall_micros(); }
    std::int64_t wall_seconds() const { return wall_micros() / 1'000'000; }
    Deadline soon() const { return Deadline::in(Shard::here().clock(), options.request_timeout); }

    /// LiveTraffic::settle, tried again while the proxy is busy; then WorkOptions::oldest_owed, for a while.
    Task<Status> settle();
    /// What begins before the primary is read for what will be written: see Transit.
    [[nodiscard]] Transit::Passage carries(const TableShape& shape, const TokenRange& tokens) const;
    /// Before a comparison whose deletions nobody will repeat: after it, what was read on the primary or sent to either
    /// cluster before the call is on the shadow, or owed.
    Task<Status> all_arrived(ShapePtr shape, TokenRange tokens);
    /// Runs `body` while the scope's requests are held. One at a time within the run: holds do not nest.
    Task<Status> under_hold(std::function<Task<Status>()> body);

  private:
    Transit::Place place(const TableShape& shape, const TokenRange& tokens) const;
    Task<void> owed_paid();
    Task<void> enter();
    void leave();
    bool held_ = false;
    std::deque<OneShot<Unit>> waiting_;
};

/// Keeps a run below a number of rows per second. One shard.
class Pace {
  public:
    explicit Pace(std::uint64_t rows_per_second) : rate_(rows_per_second) {}
    /// Waits until `rows` more are due.
    Task<void> take(std::uint64_t rows, StopSignal* stop);

  private:
    std::uint64_t rate_;
    SteadyTime next_{};
};

/// What a run works on: the tables of a scope and their portions.
struct Plan {
    struct Item {
        ShapePtr shape;
        Portion portion;
    };
    std::vector<Item> items;  ///< without those already done, in an order that spreads over the ring
    std::uint64_t total = 0;  ///< with those already done
};
/// One table's portions, appended to `plan`. `splits_ring`: the primary's tokens.
void add_portions(ShapePtr shape, const std::vector<TokenRange>& ranges, const WorkOptions& options,
                  const routing::Scope& scope, Plan& plan);
void shuffle(Plan& plan);

/// Runs `portion` for each item, some at once; the first failure ends the run.
Task<Status> run_plan(Work* work, Plan plan, ProgressMeter* meter,
                      std::function<Task<Status>(const Plan::Item&)> portion);

}  // namespace penumbra::sync
