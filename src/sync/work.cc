#include "sync/work.h"

#include <algorithm>
#include <random>

#include "base/inject.h"
#include "cql/types/token.h"

namespace penumbra::sync {

Work::Work(Pair p, WorkOptions o, StopSignal& s)
    : pair(std::move(p)),
      options(std::move(o)),
      stop(s),
      from(pair.from, pair.primary, options, stop, report),
      to(pair.to, routing::other(pair.primary), options, stop, report),
      from_times(element_times(pair.from)),
      to_times(element_times(pair.to)) {}

Task<Status> Work::settle() {
    for (std::size_t attempt = 1;; ++attempt) {
        if (stop.requested()) co_return fail(Errc::cancelled, "stopped");
        auto settled = co_await pair.traffic.settle(pair.scope_id, soon());
        if (settled) co_await owed_paid();
        if (settled || attempt >= options.attempts) co_return settled;
        co_await sleep(Millis(100), &stop);
    }
}

Transit::Place Work::place(const TableShape& shape, const TokenRange& tokens) const {
    return {routing::other(pair.primary), pair.scope_id, shape.table().keyspace, shape.table().name, tokens};
}

Transit::Passage Work::carries(const TableShape& shape, const TokenRange& tokens) const {
    if (INJECT("sync.forget_transit")) return {};
    return pair.transit.begin(place(shape, tokens));
}

Task<Status> Work::all_arrived(ShapePtr shape, TokenRange tokens) {
    auto settled = co_await settle();
    CO_TRY(std::move(settled));
    auto arrived = co_await pair.transit.arrived(place(*shape, tokens), &stop);
    co_return arrived;
}

/// What was owed when this was called. What stays unpaid for as long as a request may take (the shadow is away, say) is
/// a difference like any other.
Task<void> Work::owed_paid() {
    if (!options.oldest_owed) co_return;
    const auto mark = wall_micros();
    const auto by = soon();
    while (!stop.requested() && !by.passed(Shard::here().now())) {
        const auto oldest = options.oldest_owed();
        if (oldest == 0 || oldest > mark) co_return;
        co_await sleep(Millis(2), &stop);
    }
}

Task<void> Work::enter() {
    if (!held_) {
        held_ = true;
        co_return;
    }
    OneShot<Unit> turn;
    waiting_.push_back(turn);
    co_await turn;
}

void Work::leave() {
    if (waiting_.empty()) {
        held_ = false;
        return;
    }
    waiting_.front().set(Unit{});
    waiting_.pop_front();
}

Task<Status> Work::under_hold(std::function<Task<Status>()> body) {
    co_await enter();
    for (std::size_t attempt = 1;; ++attempt) {
        if (stop.requested()) {
            leave();
            co_return fail(Errc::cancelled, "stopped");
        }
        auto held = co_await pair.traffic.hold(pair.scope_id, soon());
        if (held) break;
        // Another hold (a switch) or a request that takes its time: nothing is held now, so trying again costs nobody.
        if (attempt >= options.attempts) {
            leave();
            co_return held;
        }
        co_await sleep(Millis(100), &stop);
    }
    auto done = co_await body();
    co_await pair.traffic.release(pair.scope_id);
    leave();
    co_return done;
}

Task<void> Pace::take(std::uint64_t rows, StopSignal* stop) {
    if (rate_ == 0 || rows == 0) co_return;
    const auto now = Shard::here().clock().now();
    // At most a second's worth is made up for after a pause.
    next_ = std::max(next_, now - Seconds(1)) +
            Nanos(static_cast<std::int64_t>(1e9 * static_cast<double>(rows) / static_cast<double>(rate_)));
    if (next_ > now) co_await sleep(next_ - now, stop);
}

void add_portions(ShapePtr shape, const std::vector<TokenRange>& ranges, const WorkOptions& options,
                  const routing::Scope& scope, Plan& plan) {
    const auto& table = shape->table();
    const auto is_done = [&](const Portion& portion) {
        // The ring may have been cut otherwise when the earlier run made its portions: contained is enough.
        return std::ranges::any_of(options.done, [&](const Portion& done) {
            return done.keyspace == portion.keyspace && done.table == portion.table && done.tenant == portion.tenant &&
                   done.range.contains(portion.range);
        });
    };
    const auto add = [&](Portion portion) {
        ++plan.total;
        if (!is_done(portion)) plan.items.push_back({shape, std::move(portion)});
    };
    if (shape->tenants_are_partitions()) {
        for (const auto& tenant : scope.tenants) add({table.keyspace, table.name, {}, tenant});
        return;
    }
    for (const auto& range : ranges) add({table.keyspace, table.name, range, {}});
}

void shuffle(Plan& plan) {
    // Neighbouring ranges have the same replicas: in ring order a few nodes would have all the work at a time.
    std::mt19937 order(20260101);
    std::ranges::shuffle(plan.items, order);
}

namespace {

struct Lanes {
    Plan plan;
    std::function<Task<Status>(const Plan::Item&)> portion;
    ProgressMeter* meter;
    std::size_t next = 0;
    bool failed = false;
};

Task<Status> portion_lane(Work* work, std::shared_ptr<Lanes> lanes) {
    while (lanes->next < lanes->plan.items.size() && !lanes->failed) {
        if (work->stop.requested()) co_return fail(Errc::cancelled, "stopped");
        const auto& item = lanes->plan.items[lanes->next++];
        auto task = lanes->portion(item);
        auto done = co_await std::move(task);
        if (!done) {
            lanes->failed = true;
            co_return done;
        }
        lanes->meter->portion_done();
        if (work->options.finished) work->options.finished(item.portion);
    }
    co_return ok();
}

}  // namespace

Task<Status> run_plan(Work* work, Plan plan, ProgressMeter* meter,
                      std::function<Task<Status>(const Plan::Item&)> portion) {
    const auto& clock = Shard::here().clock();
    meter->start(clock.now(), plan.total, plan.total - plan.items.size());
    auto lanes = std::make_shared<Lanes>();
    lanes->plan = std::move(plan);
    lanes->portion = std::move(portion);
    lanes->meter = meter;
    std::vector<Task<Status>> tasks;
    for (std::size_t i = 0; i < std::min(work->options.parallelism, lanes->plan.items.size()); ++i)
        tasks.push_back(portion_lane(work, lanes));
    auto results = co_await when_all(std::move(tasks));
    meter->end(clock.now());
    for (auto& result : results) {
        if (!result) co_return std::move(result);
    }
    co_return ok();
}

}  // namespace penumbra::sync
