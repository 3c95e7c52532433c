#include "sync/resync.h"

#include "sync/compare.h"
#include "sync/schema_check.h"

namespace penumbra::sync {

struct Resync::State {
    Pair pair;
    WorkOptions options;
    static constexpr Seconds kTolerance{5};

    static Result<ShapePtr> shape_of(const Pair& pair, const std::string& keyspace, const std::string& table);
    static Task<Status> portion(Work* work, Equalizer* equalizer, Pace* pace, Plan::Item item, Bytes partition);
};

Resync::Resync(Pair pair, WorkOptions options)
    : state_(std::make_unique<State>(State{std::move(pair), std::move(options)})) {}
Resync::~Resync() = default;

Result<ShapePtr> Resync::State::shape_of(const Pair& pair, const std::string& keyspace, const std::string& table) {
    const auto from = pair.from.schema();
    const auto to = pair.to.schema();
    if (!from || !to) return fail(Errc::unavailable, "the schema of a cluster is not known yet");
    const auto* primary = from->table(keyspace, table);
    const auto* shadow = to->table(keyspace, table);
    if (primary == nullptr || shadow == nullptr) {
        return fail(Errc::not_found,
                    keyspace + "." + table + " is not on the " + (primary == nullptr ? "primary" : "shadow"));
    }
    // Rows of a table without tenants, under a scope of tenants, are whoever ordered this' mistake.
    return TableShape::make(*primary, *shadow, pair.scope, pair.tenant_column);
}

Task<Status> Resync::State::portion(Work* work, Equalizer* equalizer, Pace* pace, Plan::Item item, Bytes partition) {
    const DiffLimits limits{0, kTolerance.count()};
    const auto page = work->options.page_size;
    if (!item.portion.tenant.empty()) {
        auto of_tenant = item.shape->partition_of_tenant(item.portion.tenant);
        CO_TRY(partition, std::move(of_tenant));
    }
    const bool whole = partition.empty();
    auto primary = whole ? RowStream::over_range(item.shape, work->from, work->from_times, item.portion.range, page)
                         : RowStream::over_partition(item.shape, work->from, work->from_times, partition, page);
    auto shadow = whole ? RowStream::over_range(item.shape, work->to, work->to_times, item.portion.range, page)
                        : RowStream::over_partition(item.shape, work->to, work->to_times, partition, page);
    auto compared = co_await compare_streams(work, equalizer, item.shape, std::move(primary), std::move(shadow), limits,
                                             pace, nullptr);
    co_return compared;
}

Task<Result<Report>> Resync::partition(std::string keyspace, std::string table, Bytes partition_key, StopSignal& stop) {
    Work work(state_->pair, state_->options, stop);
    auto made = State::shape_of(work.pair, keyspace, table);
    CO_TRY(auto shape, std::move(made));
    Equalizer equalizer(work, State::kTolerance, Fix::repair);
    Pace pace(work.options.rows_per_second);
    Plan::Item item{shape, {}};
    auto done = co_await State::portion(&work, &equalizer, &pace, item, std::move(partition_key));
    CO_TRY(std::move(done));
    co_return std::move(work.report);
}

Task<Result<Report>> Resync::table(std::string keyspace, std::string table, StopSignal& stop) {
    Work work(state_->pair, state_->options, stop);
    auto made = State::shape_of(work.pair, keyspace, table);
    CO_TRY(auto shape, std::move(made));
    Equalizer equalizer(work, State::kTolerance, Fix::repair);
    Pace pace(work.options.rows_per_second);
    Plan plan;
    const auto ranges = split_ring(work.pair.from.ring(), work.options.splits);
    add_portions(shape, ranges, work.options, work.pair.scope, plan);
    shuffle(plan);
    ProgressMeter meter;
    std::function<Task<Status>(const Plan::Item&)> portion = [&](const Plan::Item& item) {
        return State::portion(&work, &equalizer, &pace, item, {});
    };
    auto done = co_await run_plan(&work, std::move(plan), &meter, portion);
    CO_TRY(std::move(done));
    co_return std::move(work.report);
}

}  // namespace penumbra::sync
