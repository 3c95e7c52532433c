#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/inject.h"
#include "cql/types/token.h"
#include "sync/range_orders.h"
#include "sync/replayer_state.h"
#include "sync/requester.h"
#include "sync/table_shape.h"

namespace penumbra::sync {

namespace {

/// How far it is looked for statements that go before an order: what lies farther back it is put behind.
constexpr std::size_t kLookedThrough = 512;

}  // namespace

Outcome Replayer::State::wait_for_schema(const Job& job, const Error& error) {
    const auto now = Shard::here().now();
    bool for_good = false;
    for (const auto id : job.entries) {
        auto& since = tries[id].schema_unlike_since;
        if (!since) since = now;
        for_good = now - *since >= options.schema_patience || for_good;
    }
    if (for_good) {
        for (const auto id : job.entries) put_aside(id, to_string(error));
        return Outcome::set_aside;
    }
    std::uint64_t dropped = 0;
    if (schema_limit.pass(now, dropped)) {
        log.info("owed rows wait for the schema of both clusters to be the same",
                 {kv("error", to_string(error)), kv("dropped", dropped)});
    }
    return Outcome::again;
}

Task<bool> Replayer::State::append(std::uint8_t stream, routing::ScopeId scope, const OwedResync* order,
                                   std::function<void(journal::EntryId)> then) {
    Bytes payload;
    encode_owed_resync(*order, payload);
    const OneShot<bool> done;
    journal.append(stream, scope.value(), payload,
                   [log = &journal, done, then = std::move(then)](Result<journal::EntryId> entry) {
                       if (entry) {
                           then(entry.value());
                           log->release(entry.value());
                       }
                       done.set(entry.has_value());
                   });
    const bool durable = co_await done;
    co_return durable;
}

Task<bool> Replayer::State::append_to_ranges(routing::ScopeId scope, const OwedResync* order) {
    std::optional<RingSlice> slice;
    if (!order->partition_key.empty()) {
        slice = slice_of(cql::murmur3_token(order->partition_key));
    } else if (order->range) {
        slice = slice_at(*order->range);
    }
    const OneShot<bool> done;
    options.range_orders->order(options.stream, scope, order->keyspace, order->table, slice,
                                [done](Status durable) { done.set(durable.has_value()); });
    const bool durable = co_await done;
    co_return durable;
}

Task<Outcome> Replayer::State::turn_round(const Job* job, const OwedResync* order) {
    const bool durable = co_await append(options.stream ^ 1, job->scope, order, [](journal::EntryId) {});
    co_return durable ? Outcome::settled : Outcome::again;
}

auto Replayer::State::what_goes_before(const Job& job, const OwedResync& order) -> Before {
    if (INJECT("sync.orders_overtake")) return Before::nothing;
    const auto seen = lookup.look(batch_size() + kLookedThrough);
    const auto look_until = [&](journal::EntryId until) {
        return lookup.statements(job.scope, order, until) ? Before::statements : Before::nothing;
    };
    // One that is refused, and resynced instead. Were it to wait for younger ones, two could wait for each other.
    if (std::holds_alternative<OwedStatement>(job.work))
        return look_until(journal::EntryId(job.entries.front().value() - 1));
    journal::EntryId until;
    for (const auto id : job.entries) {
        auto& known = tries[id].statements_until;
        // What was under way when the order was made has ended: it is owed by now, or on the shadow.
        if (!known && seen.all) known = seen.newest;
        if (!known) return Before::not_seen;
        until = std::max(until, *known);
    }
    if (!seen.all && seen.newest < until) return Before::statements;
    return look_until(until);
}

Task<Outcome> Replayer::State::put_behind(const Job* job, const OwedResync* order) {
    const auto until_there = [this](journal::EntryId moved) { tries[moved].statements_until = moved; };
    // Orders for ranges have room of their own, and one stands for many.
    const bool in_ranges = options.range_orders != nullptr && order->partition_key.empty();
    bool moved = false;
    if (!in_ranges) moved = co_await append(options.stream, job->scope, order, until_there);
    if (!moved && options.range_orders != nullptr) moved = co_await append_to_ranges(job->scope, order);
    co_return moved ? Outcome::settled : Outcome::waits;
}

Task<Result<Schemas>> Replayer::State::schemas_as_of(SteadyTime when) {
    return Schemas::as_of(&other, &owed, when, Deadline::in(Shard::here().clock(), options.request_timeout));
}

bool Replayer::State::is_counter(const OwedResync& order) const {
    const auto schema = owed.schema();
    const auto* table = schema ? schema->table(order.keyspace, order.table) : nullptr;
    return table != nullptr && table->is_counter;
}

Task<Outcome> Replayer::State::quiet(const Job* job, const OwedResync* order, const ReplayScope* scope) {
    const auto row = counter_row(job->scope, *order);
    switch (settling.next(row, Shard::here().now())) {
        case CounterSettling::Next::probe:
            break;
        case CounterSettling::Next::wait:
            co_return Outcome::waits;
        case CounterSettling::Next::count:
            co_return Outcome::settled;
    }
    const auto schema = owed.schema();
    const auto* table = schema ? schema->table(order->keyspace, order->table) : nullptr;
    auto made = table ? TableShape::make(*table, *table, scope->scope, scope->tenant_column)
                      : Result<ShapePtr>(fail(Errc::not_found, "no such table"));
    if (!made) co_return judge(*job, made.error());
    const auto shape = std::move(made.value());
    for (auto* session : {&other, &owed}) {
        cluster::QueryOptions read;
        read.consistency = cql::Consistency::all;
        read.page_size = 1;
        read.by = Deadline::in(Shard::here().clock(), options.request_timeout);
        const auto range = order->range.value_or(TokenRange{});
        const bool whole = order->partition_key.empty();
        auto text = whole ? shape->select_range(range, ElementTimes::hidden, {})
                          : shape->select_partition(ElementTimes::hidden);
        auto values = whole ? shape->range_values(range) : shape->key_values(order->partition_key, {});
        auto answered = co_await session->execute(std::move(text), std::move(values), read);
        if (answered) continue;
        if (is_stopping(answered.error()) || classify(answered.error()) != Failure::passing)
            co_return judge(*job, answered.error());
        settling.unanswered(row, Shard::here().now());
        co_return Outcome::waits;
    }
    settling.answered(row, Shard::here().now(), job->entries);
    co_return Outcome::waits;
}

Task<Outcome> Replayer::State::resync(const Job* job, const OwedResync* order, ListTimes list_times) {
    const auto scope = options.scope_of ? options.scope_of(job->scope) : std::nullopt;
    if (!scope) {
        // Its migration was cancelled or completed: nobody wants it any more.
        co_return Outcome::settled;
    }
    const auto to = options.stream == 1 ? routing::Side::target : routing::Side::source;
    if (INJECT("sync.drop_resync")) co_return Outcome::settled;
    if (scope->primary == to) {
        // Of a phase that is over: a switch waits until all such orders are carried out, but a crash offers those of a
        // segment that was not deleted once more. By now this cluster has writes that the other one has not, and
        // making it equal to that one would delete them. It is the other one that may have to be made equal to this:
        // after a forced switch, which leaves what it leaves.
        const auto turned = co_await turn_round(job, order);
        co_return turned;
    }
    const bool counts = is_counter(*order);
    if (counts) {
        const auto now = co_await quiet(job, order, &scope.value());
        if (now != Outcome::settled) co_return now;
    }
    Pair pair{other,
              owed,
              traffic,
              transit,
              job->scope,
              scope->scope,
              scope->tenant_column,
              options.stream == 1 ? routing::Side::source : routing::Side::target,
              scope->unknown_timestamp};
    WorkOptions work;
    work.attempts = 3;
    work.parallelism = 2;
    work.list_times = std::move(list_times);
    if (!order->partition_key.empty()) {
        work.further_list_times = [this, scope = job->scope, order = *order] {
            const auto schema = owed.schema();
            return lookup.list_times(scope, order, schema.get());
        };
    } else {
        // An order for a range or table stands for writes since it was appended too. Below what they deleted, which may
        // be owed as statements that are still to be sent, their elements would not live.
        work.list_times.otherwise(Shard::here().clock().wall_micros());
    }
    if (counts) work.read_consistency = cql::Consistency::all;
    work.request_timeout = options.request_timeout;
    Resync one(std::move(pair), std::move(work));
    // What was written may be in a column that was added a moment ago.
    auto seen = co_await schemas_as_of(job->seen_at);
    if (!seen) co_return judge(*job, seen.error());
    const auto schemas = std::move(seen.value());
    if (schemas.lack(order->keyspace, order->table)) {
        log.info("the table of an owed resync was dropped", {kv("table", order->keyspace + "." + order->table)});
        co_return Outcome::settled;
    }
    auto made = one.shape_of(schemas, order->keyspace, order->table);
    if (!made) co_return wait_for_schema(*job, made.error());
    auto shape = std::move(made.value());
    auto ready = co_await one.ready(shape, *order, stop);
    if (!ready) co_return judge(*job, ready.error());
    if (!counts && job->lists.empty()) {  // neither has deletions that are not sent
        const auto before = what_goes_before(*job, *order);
        if (before == Before::statements) co_return Outcome::waits;
        if (before == Before::not_seen) {
            const auto put = co_await put_behind(job, order);
            co_return put;
        }
    }
    auto done = co_await one.run(std::move(shape), *order, stop);
    const bool refused =
        done ? done.value().refused > 0 : !is_stopping(done.error()) && classify(done.error()) != Failure::passing;
    if (refused) {
        // Perhaps only in the words of a table that has changed meanwhile.
        auto seen_now = co_await schemas_as_of(Shard::here().clock().now());
        if (!seen_now) co_return judge(*job, seen_now.error());
        if (!seen_now.value().same_table(schemas, order->keyspace, order->table)) co_return Outcome::again;
    }
    if (counts) settling.ended(counter_row(job->scope, *order));
    if (!done) co_return judge(*job, done.error());
    const auto& report = done.value();
    rows_read += report.rows;
    // What was added may be there or not. Its order stays, and the counters are read again when it cannot come any
    // more.
    if (report.unknown_fate > 0) co_return Outcome::later;
    if (report.refused > 0) {
        auto why = fmt::format("{}.{}: {} values refused", order->keyspace, order->table, report.refused);
        for (const auto& sample : report.samples) {
            if (sample.kind != DifferenceKind::refused) continue;
            why += ": " + (sample.source.empty() ? sample.target : sample.source);
            break;
        }
        for (const auto id : job->entries) put_aside(id, why);
        co_return Outcome::set_aside;
    }
    // What differs after a repair under a hold was written again meanwhile, or is a time that cannot be lowered.
    if (report.repaired < report.differences) co_return judge(*job, Error(Errc::conflict, "differences left"));
    ++resyncs;
    co_return Outcome::settled;
}

}  // namespace penumbra::sync
