#include "sync/verify.h"

#include "sync/compare.h"
#include "sync/schema_check.h"

namespace penumbra::sync {

struct Verify::State {
    State(Pair p, VerifyOptions o) : pair(std::move(p)), options(std::move(o)) {}
    Pair pair;
    VerifyOptions options;
    ProgressMeter meter;
    const Clock& clock = Shard::here().clock();

    static Task<Status> portion(Work* work, Equalizer* equalizer, DiffLimits limits, Pace* pace, ProgressMeter* meter,
                                Plan::Item item);
};

Verify::Verify(Pair pair, VerifyOptions options)
    : state_(std::make_unique<State>(std::move(pair), std::move(options))) {}
Verify::~Verify() = default;

Progress Verify::snapshot() const {
    return state_->meter.snapshot(state_->clock.now());
}

Task<Result<Report>> Verify::run(StopSignal& stop) {
    auto& state = *state_;
    Work work(state.pair, state.options.work, stop);
    const auto from = work.pair.from.schema();
    const auto to = work.pair.to.schema();
    if (!from || !to) co_return fail(Errc::unavailable, "the schema of a cluster is not known yet");
    for (auto& problem : check_schema(*from, *to, work.pair.scope, work.pair.tenant_column)) {
        ++work.report.differences;
        Difference sample;
        sample.kind = DifferenceKind::schema;
        (work.pair.primary == routing::Side::source ? sample.target : sample.source) = std::move(problem);
        work.report.add_sample(std::move(sample));
    }

    Plan plan;
    const auto ranges = split_ring(work.pair.from.ring(), work.options.splits);
    for (const auto* table : tables_in_scope(*from, work.pair.scope, work.pair.tenant_column)) {
        const auto* other = to->table(table->keyspace, table->name);
        if (other == nullptr) continue;  // counted above, as are other keys and tenants that are no values
        auto shape = TableShape::make(*table, *other, work.pair.scope, work.pair.tenant_column);
        if (shape) add_portions(shape.value(), ranges, work.options, work.pair.scope, plan);
    }
    shuffle(plan);

    Equalizer equalizer(work, state.options.expiry_tolerance,
                        state.options.repair == Repair::yes ? Fix::repair : Fix::report);
    Pace pace(work.options.rows_per_second);
    const DiffLimits limits{0, state.options.expiry_tolerance.count()};
    std::function<Task<Status>(const Plan::Item&)> portion = [&](const Plan::Item& item) {
        return State::portion(&work, &equalizer, limits, &pace, &state.meter, item);
    };
    auto done = co_await run_plan(&work, std::move(plan), &state.meter, portion);
    CO_TRY(std::move(done));
    co_return std::move(work.report);
}

Task<Status> Verify::State::portion(Work* work, Equalizer* equalizer, DiffLimits limits, Pace* pace,
                                    ProgressMeter* meter, Plan::Item item) {
    const auto page = work->options.page_size;
    if (!item.portion.tenant.empty()) {
        auto of_tenant = item.shape->partition_of_tenant(item.portion.tenant);
        CO_TRY(auto partition, std::move(of_tenant));
        auto primary = RowStream::over_partition(item.shape, work->from, work->from_times, partition, page);
        auto shadow = RowStream::over_partition(item.shape, work->to, work->to_times, partition, page);
        auto compared = co_await compare_streams(work, equalizer, item.shape, std::move(primary), std::move(shadow),
                                                 limits, pace, meter);
        co_return compared;
    }
    auto primary = RowStream::over_range(item.shape, work->from, work->from_times, item.portion.range, page);
    auto shadow = RowStream::over_range(item.shape, work->to, work->to_times, item.portion.range, page);
    auto compared = co_await compare_streams(work, equalizer, item.shape, std::move(primary), std::move(shadow), limits,
                                             pace, meter);
    co_return compared;
}

}  // namespace penumbra::sync
