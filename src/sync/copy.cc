#include "sync/copy.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/token.h"
#include "sync/equalizer.h"
#include "sync/row_writes.h"
#include "sync/schema_check.h"
#include "sync/work.h"

namespace penumbra::sync {

struct Copy::State {
    State(Pair p, WorkOptions o) : pair(std::move(p)), options(std::move(o)) {}
    Pair pair;
    WorkOptions options;
    ProgressMeter meter;
    const Clock& clock = Shard::here().clock();

    static Task<Status> portion(Work* work, Equalizer* equalizer, Pace* pace, ProgressMeter* meter, Plan::Item item);
    /// Rows with lists or counters go into `wholes`, which are not written here.
    static Task<Status> write_page(Work* work, ShapePtr shape, std::vector<RowItem> rows,
                                   std::shared_ptr<std::vector<RowItem>> wholes);
};

Copy::Copy(Pair pair, WorkOptions options) : state_(std::make_unique<State>(std::move(pair), std::move(options))) {}
Copy::~Copy() = default;

Progress Copy::snapshot() const {
    return state_->meter.snapshot(state_->clock.now());
}

Task<Result<Report>> Copy::run(StopSignal& stop) {
    auto& state = *state_;
    Work work(state.pair, state.options, stop);
    const auto from = work.pair.from.schema();
    const auto to = work.pair.to.schema();
    if (!from || !to) co_return fail(Errc::unavailable, "the schema of a cluster is not known yet");
    const auto problems = check_schema(*from, *to, work.pair.scope, work.pair.tenant_column);
    if (!problems.empty())
        co_return fail(Errc::conflict, fmt::format("the schemas do not agree: {}", fmt::join(problems, "; ")));

    Plan plan;
    const auto ranges = split_ring(work.pair.from.ring(), work.options.splits);
    for (const auto* table : tables_in_scope(*from, work.pair.scope, work.pair.tenant_column)) {
        auto made = TableShape::make(*table, *to->table(table->keyspace, table->name), work.pair.scope,
                                     work.pair.tenant_column);
        CO_TRY(auto shape, std::move(made));
        add_portions(shape, ranges, work.options, work.pair.scope, plan);
    }
    shuffle(plan);

    // Requests that began before the scope was shadowed have ended when it says so; what they wrote we then read.
    auto settled = co_await work.settle();
    CO_TRY(std::move(settled));
    Equalizer equalizer(work, Seconds(5), Fix::repair);
    Pace pace(work.options.rows_per_second);
    std::function<Task<Status>(const Plan::Item&)> portion = [&](const Plan::Item& item) {
        return State::portion(&work, &equalizer, &pace, &state.meter, item);
    };
    auto done = co_await run_plan(&work, std::move(plan), &state.meter, portion);
    CO_TRY(std::move(done));
    co_return std::move(work.report);
}

Task<Status> Copy::State::portion(Work* work, Equalizer* equalizer, Pace* pace, ProgressMeter* meter, Plan::Item item) {
    auto tokens = item.portion.range;
    auto stream =
        RowStream::over_range(item.shape, work->from, work->from_times, item.portion.range, work->options.page_size);
    if (!item.portion.tenant.empty()) {
        auto of_tenant = item.shape->partition_of_tenant(item.portion.tenant);
        CO_TRY(auto partition, std::move(of_tenant));
        tokens = TokenRange::of(cql::murmur3_token(partition));
        stream = RowStream::over_partition(item.shape, work->from, work->from_times, std::move(partition),
                                           work->options.page_size);
    }
    for (;;) {
        // Nothing within waits for more than a cluster: orders to resync wait for it.
        auto passage = work->carries(*item.shape, tokens);
        auto filled = co_await stream.fill();
        CO_TRY(const bool more, std::move(filled));
        if (!more) co_return ok();
        std::vector<RowItem> rows;
        while (stream.has_row()) rows.push_back(stream.take());
        const auto count =
            static_cast<std::uint64_t>(std::ranges::count_if(rows, [](const auto& row) { return !row.key.is_static; }));
        auto wholes = std::make_shared<std::vector<RowItem>>();
        auto written = co_await write_page(work, item.shape, std::move(rows), wholes);
        CO_TRY(std::move(written));
        passage = {};
        // These are read anew, under a hold.
        auto brought = co_await equalizer->bring_wholes(item.shape, std::move(*wholes));
        CO_TRY(std::move(brought));
        work->report.rows += count;
        meter->rows(count);
        co_await pace->take(count, &work->stop);
    }
}

Task<Status> Copy::State::write_page(Work* work, ShapePtr shape, std::vector<RowItem> rows,
                                     std::shared_ptr<std::vector<RowItem>> wholes) {
    auto writes = std::make_shared<std::vector<KeyedWrite>>();
    const WriteTimes times{work->wall_seconds(), work->pair.unknown_timestamp, {}};
    auto& report = work->report;
    for (auto& row : rows) {
        report.cells += row.image.wholes.size();
        if (!shape->table().is_counter) {
            std::vector<const CellImage*> cells;
            std::optional<std::size_t> untimed;
            for (const auto& cell : row.image.cells) {
                cells.push_back(&cell);
                if (cell.is_element && !cell.written && untimed != cell.column) {
                    untimed = cell.column;
                    ++report.collections_without_times;
                }
            }
            auto plan = plan_writes(*shape, row.key, cells, Marker::as_before, times);
            report.cells += plan.cells;
            report.expired += plan.expired;
            for (auto& write : plan.writes) writes->push_back({shape, row.key, std::move(write)});
        }
        if (!row.image.wholes.empty()) wholes->push_back(std::move(row));
    }
    auto written = co_await work->to.write_all(std::move(writes));
    co_return written;
}

}  // namespace penumbra::sync
