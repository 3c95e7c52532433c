#include "sync/table_orders.h"

#include <algorithm>
#include <utility>

#include "runtime/shard.h"

namespace penumbra::sync {

void TableOrders::order(std::uint8_t stream, routing::ScopeId scope, const std::string& keyspace,
                        const std::string& table, UniqueFunction<void(Status)> durable) {
    auto& shard = Shard::here();
    const Key key{stream, scope, keyspace, table};
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        auto& at = tables_[key];
        if (at.standing) {
            shard.post([durable = std::move(durable)]() mutable { durable(ok()); });
            return;
        }
        at.waiting.push_back({&shard, std::move(durable)});
        first = !std::exchange(at.writing, true);
    }
    if (first) write(key);
}

void TableOrders::write(const Key& key) {
    const auto& [stream, scope, keyspace, table] = key;
    Bytes payload;
    encode_owed_resync({keyspace, table, {}}, payload);
    // Under the lock, so that nothing is appended once stop() has returned; the answer never comes inside the call.
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    journal_.append(stream, scope.value(), payload,
                    [this, key](Result<journal::EntryId> entry) { written(key, std::move(entry)); });
}

void TableOrders::written(const Key& key, Result<journal::EntryId> entry) {
    std::vector<Waiter> waiting;
    bool again = false;
    {
        const std::lock_guard lock(mutex_);
        auto& at = tables_[key];
        waiting = std::move(at.waiting);
        at.waiting.clear();
        at.writing = false;
        at.unwritten = !entry.has_value();
        // A replay may have begun before we were told that the order is there.
        at.standing = entry.has_value() && at.begun < entry.value();
        again = at.unwritten && !stopped_;
        if (entry && !stopped_) journal_.release(entry.value());
    }
    if (!entry) {
        std::uint64_t dropped = 0;
        if (refused_log_.pass(Shard::here().now(), dropped)) {
            log_.error("the order to resync a table could not be written; trying on",
                       {kv("table", std::get<2>(key) + "." + std::get<3>(key)), kv("error", entry.error().what),
                        kv("dropped", dropped)});
        }
    }
    for (auto& waiter : waiting) {
        auto answer = entry ? ok() : Status(fail(Error(entry.error())));
        waiter.shard->post([durable = std::move(waiter.durable), answer = std::move(answer)]() mutable {
            durable(std::move(answer));
        });
    }
    if (!again) return;
    Shard::here().call_in(kTryAgain, [this, key] {
        {
            const std::lock_guard lock(mutex_);
            const auto found = tables_.find(key);
            if (found == tables_.end() || !found->second.unwritten || std::exchange(found->second.writing, true))
                return;
        }
        write(key);
    });
}

void TableOrders::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
}

void TableOrders::begins(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order,
                         journal::EntryId newest) {
    if (!order.partition_key.empty()) return;
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find({stream, scope, order.keyspace, order.table});
    if (found == tables_.end()) return;
    found->second.standing = false;
    found->second.begun = std::max(found->second.begun, newest);
}

std::uint64_t TableOrders::unwritten(std::uint8_t stream, routing::ScopeId scope) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(std::ranges::count_if(tables_, [&](const auto& each) {
        return each.second.unwritten && std::get<0>(each.first) == stream && std::get<1>(each.first) == scope;
    }));
}

std::uint64_t TableOrders::unwritten() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(
        std::ranges::count_if(tables_, [](const auto& each) { return each.second.unwritten; }));
}

void TableOrders::forget(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    // One that is on its way is left to end: as an order of a scope that nobody knows, which a replay settles at once.
    std::erase_if(tables_,
                  [&](const auto& each) { return std::get<1>(each.first) == scope && each.second.waiting.empty(); });
}

}  // namespace penumbra::sync
