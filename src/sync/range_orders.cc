#include "sync/range_orders.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/shard.h"

namespace penumbra::sync {

void RangeOrders::order(std::uint8_t stream, routing::ScopeId scope, std::string_view keyspace, std::string_view table,
                        std::optional<RingSlice> slice, UniqueFunction<void(Status)> durable) {
    auto& shard = Shard::here();
    const TableKey key{stream, scope, std::string(keyspace), std::string(table)};
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        auto& at = tables_[key];
        if (slice && !at.slices.contains(*slice) && !slices_fit(at)) slice.reset();
        auto& order = slice ? at.slices[*slice] : at.whole;
        if (order.standing) {
            order.for_more = true;
            shard.post([durable = std::move(durable)]() mutable { durable(ok()); });
            return;
        }
        order.waiting.push_back({&shard, std::move(durable)});
        first = !std::exchange(order.writing, true);
    }
    if (first) write(key, slice);
}

void RangeOrders::order_anew(std::uint8_t stream, routing::ScopeId scope, std::string_view keyspace,
                             std::string_view table, UniqueFunction<void(Status)> durable) {
    const TableKey key{stream, scope, std::string(keyspace), std::string(table)};
    {
        const std::lock_guard lock(mutex_);
        tables_[key];
    }
    write(key, {}, std::move(durable));
}

bool RangeOrders::slices_fit(const Table& table) const {
    const bool whole_instead = table.whole.standing || table.whole.writing || table.unwritten;
    return !whole_instead && table.slices.size() < kMostSlices && journal_.bytes_on_disk() < slices_until_;
}

void RangeOrders::write(const TableKey& key, Slice slice, UniqueFunction<void(Status)> own) {
    OwedResync order{key.keyspace, key.table, {}};
    if (slice) order.range = range_of(*slice);
    Bytes payload;
    encode_owed_resync(order, payload);
    // Under the lock, so that nothing is appended once stop() has returned; the answer never comes inside the call.
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    journal_.append(
        key.stream, key.scope.value(), payload,
        [this, key, slice, own = std::move(own)](Result<journal::EntryId> entry) mutable {
            const auto how = entry ? ok() : Status(fail(Error(entry.error())));
            written(key, slice, std::move(entry));
            if (own) own(how);
        },
        slice ? journal::Journal::Stays::until_settled : journal::Journal::Stays::behind_older);
}

void RangeOrders::written(const TableKey& key, Slice slice, Result<journal::EntryId> entry) {
    Written result;
    {
        const std::lock_guard lock(mutex_);
        const auto found = tables_.find(key);
        if (found == tables_.end()) {
            // Of a scope that was forgotten meanwhile.
            if (entry && !stopped_) journal_.settle(entry.value());
            return;
        }
        result = slice ? slice_written(found->second, *slice, entry) : whole_written(found->second, entry);
    }
    for (auto& waiter : result.told) {
        auto answer = result.durable ? ok() : Status(fail(Error(entry.error())));
        waiter.shard->post([durable = std::move(waiter.durable), answer = std::move(answer)]() mutable {
            durable(std::move(answer));
        });
    }
    if (result.next == Next::whole) write(key, {});
    if (result.next != Next::try_again) return;
    std::uint64_t dropped = 0;
    if (refused_log_.pass(Shard::here().now(), dropped)) {
        log_.error(
            "the order to resync a table could not be written; trying on",
            {kv("table", key.keyspace + "." + key.table), kv("error", entry.error().what), kv("dropped", dropped)});
    }
    try_again_later(key);
}

RangeOrders::Written RangeOrders::slice_written(Table& table, RingSlice slice, const Result<journal::EntryId>& entry) {
    const auto found = table.slices.find(slice);
    auto& order = found->second;
    Written result{std::exchange(order.waiting, {}), true, Next::nothing};
    order.writing = false;
    const bool covered = table.whole.standing.has_value();
    if (entry && !stopped_) {
        if (covered) {
            table.whole.for_more = true;
            journal_.settle(entry.value());
        } else {
            stand(order, entry.value());
        }
    } else if (!entry && stopped_) {
        result.durable = false;
    } else if (!entry && !covered && !order.standing) {
        // One order for the table may find the room that this many for its slices have not.
        std::ranges::move(result.told, std::back_inserter(table.whole.waiting));
        result.told.clear();
        if (!std::exchange(table.whole.writing, true)) result.next = Next::whole;
    }
    if (!order.standing) table.slices.erase(found);
    return result;
}

RangeOrders::Written RangeOrders::whole_written(Table& table, const Result<journal::EntryId>& entry) {
    auto& order = table.whole;
    order.writing = false;
    // One that was put off meanwhile stands for whoever waited for this one.
    const bool durable = entry.has_value() || order.standing.has_value();
    order.for_more |= !entry && durable;
    Written result{std::exchange(order.waiting, {}), durable, Next::nothing};
    table.unwritten = !durable;
    if (stopped_) return result;
    if (entry) {
        stand(order, entry.value());
        if (order.standing) stand_for_slices(table);
    }
    if (!durable) result.next = Next::try_again;
    return result;
}

/// Of two that stand for the same the older one stays, so that the disk's oldest segments do not wait for ever newer
/// orders.
void RangeOrders::stand(Order& order, journal::EntryId entry) {
    if (!order.standing) {
        if (journal_.release(entry)) order.standing = entry;
        return;
    }
    order.for_more |= *order.standing != entry;
    if (*order.standing < entry) {
        journal_.settle(entry);
    } else if (entry < *order.standing && journal_.release(entry)) {
        journal_.settle(*std::exchange(order.standing, entry));
    }
}

/// What the order for the whole table makes superfluous is owed no more.
void RangeOrders::stand_for_slices(Table& table) {
    for (auto at = table.slices.begin(); at != table.slices.end();) {
        auto& order = at->second;
        if (order.standing) {
            table.whole.for_more = true;
            journal_.settle(*std::exchange(order.standing, std::nullopt));
        }
        at = order.writing ? std::next(at) : table.slices.erase(at);
    }
}

void RangeOrders::try_again_later(const TableKey& key) {
    Shard::here().call_in(kTryAgain, [this, key] {
        {
            const std::lock_guard lock(mutex_);
            const auto found = tables_.find(key);
            if (found == tables_.end() || !found->second.unwritten || std::exchange(found->second.whole.writing, true))
                return;
        }
        write(key, {});
    });
}

void RangeOrders::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
}

bool RangeOrders::begins(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order,
                         journal::EntryId newest) {
    if (!order.partition_key.empty()) return false;
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find({stream, scope, order.keyspace, order.table});
    if (found == tables_.end()) return false;
    auto& table = found->second;
    const auto begin = [newest](Order& one) {
        if (!one.standing || *one.standing > newest) return false;
        one.standing.reset();
        return std::exchange(one.for_more, false);
    };
    if (!order.range) return begin(table.whole);
    const auto slice = slice_at(*order.range);
    const auto at = slice ? table.slices.find(*slice) : table.slices.end();
    if (at == table.slices.end()) return false;
    const bool for_more = begin(at->second);
    if (!at->second.standing && !at->second.writing) table.slices.erase(at);
    return for_more;
}

void RangeOrders::put_off(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order,
                          journal::EntryId newest) {
    if (!order.partition_key.empty()) return;
    const auto slice = order.range ? slice_at(*order.range) : std::nullopt;
    if (order.range && !slice) return;  // none of ours
    const std::lock_guard lock(mutex_);
    // Not of a scope that was forgotten while it was tried: what nobody owes stands for nothing.
    if (stopped_ || !journal_.release(newest)) return;
    auto& table = tables_[{stream, scope, order.keyspace, order.table}];
    if (!slice) {
        stand(table.whole, newest);
        stand_for_slices(table);
        table.unwritten = false;
    } else if (!table.whole.standing) {
        stand(table.slices[*slice], newest);
    }
}

std::uint64_t RangeOrders::unwritten(std::uint8_t stream, routing::ScopeId scope) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(std::ranges::count_if(tables_, [&](const auto& each) {
        return each.second.unwritten && each.first.stream == stream && each.first.scope == scope;
    }));
}

std::uint64_t RangeOrders::unwritten() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(
        std::ranges::count_if(tables_, [](const auto& each) { return each.second.unwritten; }));
}

void RangeOrders::forget(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    // Those that are on their way are left to end: as orders of a scope that nobody knows, which a replay settles at
    // once.
    std::erase_if(tables_, [&](const auto& each) {
        const auto& table = each.second;
        return each.first.scope == scope && table.whole.waiting.empty() &&
               std::ranges::all_of(table.slices, [](const auto& slice) { return slice.second.waiting.empty(); });
    });
}

}  // namespace penumbra::sync
