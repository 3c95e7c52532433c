#include "sync/resync.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/token.h"
#include "sync/compare.h"
#include "sync/equalizer.h"

namespace penumbra::sync {

namespace {

const cql::Table* table_of(const cql::SchemaPtr& schema, const std::string& keyspace, const std::string& table) {
    return schema ? schema->table(keyspace, table) : nullptr;
}

bool same_columns(const cql::Table* left, const cql::Table* right) {
    if (left == nullptr || right == nullptr) return left == right;
    return left->columns == right->columns;
}

}  // namespace

Task<Result<Schemas>> Schemas::as_of(cluster::Session* from, cluster::Session* to, SteadyTime when, Deadline by) {
    Schemas schemas;
    auto primary = co_await from->schema_as_of(when, by);
    CO_TRY(schemas.from, std::move(primary));
    auto shadow = co_await to->schema_as_of(when, by);
    CO_TRY(schemas.to, std::move(shadow));
    co_return schemas;
}

bool Schemas::same_table(const Schemas& other, const std::string& keyspace, const std::string& table) const {
    return same_columns(table_of(from, keyspace, table), table_of(other.from, keyspace, table)) &&
           same_columns(table_of(to, keyspace, table), table_of(other.to, keyspace, table));
}

bool Schemas::lack(const std::string& keyspace, const std::string& table) const {
    return table_of(from, keyspace, table) == nullptr && table_of(to, keyspace, table) == nullptr;
}

struct Resync::State {
    Pair pair;
    WorkOptions options;
    static constexpr Seconds kTolerance{5};

    static Task<Status> finish_conditional(Work* work, ShapePtr shape, Bytes partition, cql::Consistency serial);
    /// Of a plan whose portions are tenants: those whose partition is not in the range.
    static void leave_out_tenants(Plan& plan, const TokenRange& range);
    static Task<Status> portion(Work* work, Equalizer* equalizer, Pace* pace, Plan::Item item, Bytes partition);
    /// The row of the order, and the statics if the table has any: a row's statement may write them too.
    static Task<Status> row(Work* work, Equalizer* equalizer, Pace* pace, ShapePtr shape, OwedResync order);
};

Resync::Resync(Pair pair, WorkOptions options)
    : state_(std::make_unique<State>(State{std::move(pair), std::move(options)})) {}
Resync::~Resync() = default;

Result<ShapePtr> Resync::shape_of(const Schemas& schemas, const std::string& keyspace, const std::string& table) const {
    const auto& pair = state_->pair;
    const auto* primary = table_of(schemas.from, keyspace, table);
    const auto* shadow = table_of(schemas.to, keyspace, table);
    if (primary == nullptr || shadow == nullptr) {
        return fail(Errc::not_found,
                    keyspace + "." + table + " is not on the " + (primary == nullptr ? "primary" : "shadow"));
    }
    // Rows of a table without tenants, under a scope of tenants, are whoever ordered this' mistake.
    TRY(auto shape, TableShape::make(*primary, *shadow, pair.scope, pair.tenant_column));
    // A copy may leave out what only one cluster has; who owes the shadow a write may not.
    if (!shape->left_out().empty()) {
        return fail(Errc::conflict,
                    fmt::format("{}: the shadow has no column {} of that type", shape->cql_name(), shape->left_out()));
    }
    return shape;
}

/// Who reads a partition at SERIAL finishes what was accepted there and not committed; what was not even accepted can
/// no longer be. Such a read also brings the last commit to replicas that have not heard of it.
Task<Status> Resync::State::finish_conditional(Work* work, ShapePtr shape, Bytes partition, cql::Consistency serial) {
    auto values = shape->key_values(partition, {});
    auto read = co_await work->from.read(shape->select_key(), std::move(values), {}, 0, serial);
    if (!read) co_return fail(std::move(read.error()).in("reading a partition of " + shape->cql_name() + " at SERIAL"));
    co_return ok();
}

void Resync::State::leave_out_tenants(Plan& plan, const TokenRange& range) {
    std::erase_if(plan.items, [&range](const Plan::Item& item) {
        if (item.portion.tenant.empty()) return false;
        // A tenant that is no value of its column stays: its portion says so.
        const auto partition = item.shape->partition_of_tenant(item.portion.tenant);
        return partition && !range.contains(cql::murmur3_token(partition.value()));
    });
    plan.total = plan.items.size();
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

Task<Status> Resync::State::row(Work* work, Equalizer* equalizer, Pace* pace, ShapePtr shape, OwedResync order) {
    const DiffLimits limits{0, kTolerance.count()};
    RowKey key;
    key.token = cql::murmur3_token(order.partition_key);
    key.partition = std::move(order.partition_key);
    const bool has_statics = std::ranges::any_of(
        shape->columns(), [](const auto& column) { return column.kind == cql::ColumnKind::static_; });
    if (has_statics) {
        auto statics = key;
        statics.is_static = true;
        auto primary = RowStream::over_row(shape, work->from, work->from_times, statics);
        auto shadow = RowStream::over_row(shape, work->to, work->to_times, statics);
        auto compared = co_await compare_streams(work, equalizer, shape, std::move(primary), std::move(shadow), limits,
                                                 pace, nullptr);
        CO_TRY(std::move(compared));
    }
    key.clustering = std::move(order.clustering);
    auto primary = RowStream::over_row(shape, work->from, work->from_times, key);
    auto shadow = RowStream::over_row(shape, work->to, work->to_times, key);
    auto compared =
        co_await compare_streams(work, equalizer, shape, std::move(primary), std::move(shadow), limits, pace, nullptr);
    co_return compared;
}

Task<Status> Resync::ready(ShapePtr shape, OwedResync order, StopSignal& stop) {
    Work work(state_->pair, state_->options, stop);
    if (order.serial) {
        auto finished = co_await State::finish_conditional(&work, shape, order.partition_key, *order.serial);
        CO_TRY(std::move(finished));
    }
    const auto tokens = order.partition_key.empty() ? order.range.value_or(TokenRange{})
                                                    : TokenRange::of(cql::murmur3_token(order.partition_key));
    auto arrived = co_await work.all_arrived(shape, tokens);
    co_return arrived;
}

Task<Result<Report>> Resync::run(ShapePtr shape, OwedResync order, StopSignal& stop) {
    Work work(state_->pair, state_->options, stop);
    Equalizer equalizer(work, State::kTolerance, Fix::repair);
    Pace pace(work.options.rows_per_second);
    // A key of other columns is of a table that was there under this name before: whatever differs is found.
    if (!order.partition_key.empty() && !order.clustering.empty() &&
        order.clustering.size() == shape->clustering().size()) {
        auto done = co_await State::row(&work, &equalizer, &pace, std::move(shape), std::move(order));
        CO_TRY(std::move(done));
        co_return std::move(work.report);
    }
    if (!order.partition_key.empty()) {
        Plan::Item item{shape, {}};
        auto done = co_await State::portion(&work, &equalizer, &pace, item, std::move(order.partition_key));
        CO_TRY(std::move(done));
        co_return std::move(work.report);
    }
    const auto range = order.range.value_or(TokenRange{});
    Plan plan;
    const auto ranges = within(range, split_ring(work.pair.from.ring(), work.options.splits));
    add_portions(shape, ranges, work.options, work.pair.scope, plan);
    State::leave_out_tenants(plan, range);
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
