#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/log.h"
#include "base/result.h"
#include "journal/journal.h"
#include "routing/scope.h"
#include "sync/owed_write.h"

namespace penumbra {
class Shard;
}

namespace penumbra::sync {

/// What stands for writes that the journal has no room for: one order per table and scope to resync it whole. However
/// many writes come, there is one such order that no replay has begun yet, so that they take no room and wait for
/// nobody. An order that the disk does not take either is tried again until it does; until then it counts as owed.
/// Any thread. Outlives the journal, the replayers and the shards that order.
class TableOrders {
  public:
    explicit TableOrders(journal::Journal& journal) : journal_(journal) {}
    TableOrders(const TableOrders&) = delete;

    /// A row of this table differs, or soon will. `durable` runs on the calling shard, never inside the call: once an
    /// order is on disk that will be replayed after now, or with why the disk did not take it.
    void order(std::uint8_t stream, routing::ScopeId scope, const std::string& keyspace, const std::string& table,
               UniqueFunction<void(Status)> durable);
    /// Orders up to this entry are about to be replayed: who comes from now on needs another one.
    void begins(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order, journal::EntryId newest);
    /// Orders that the disk has not taken.
    std::uint64_t unwritten(std::uint8_t stream, routing::ScopeId scope) const;
    std::uint64_t unwritten() const;
    /// Nobody wants them any more.
    void forget(routing::ScopeId scope);
    /// Nothing more is written: call it before the journal closes. What is on its way there still ends here.
    void stop();

  private:
    static constexpr Millis kTryAgain{200};
    using Key = std::tuple<std::uint8_t, routing::ScopeId, std::string, std::string>;
    struct Waiter {
        Shard* shard;
        UniqueFunction<void(Status)> durable;
    };
    struct Table {
        bool standing = false;   ///< an order is on disk, and no replay of it has begun
        bool writing = false;    ///< one is on its way there
        bool unwritten = false;  ///< the last one did not get there
        journal::EntryId begun;
        std::vector<Waiter> waiting;  ///< for the one that is on its way
    };

    void write(const Key& key);
    void written(const Key& key, Result<journal::EntryId> entry);

    journal::Journal& journal_;
    Log log_{"sync"};
    mutable std::mutex mutex_;  // guards the rest
    std::map<Key, Table> tables_;
    bool stopped_ = false;
    LogLimit refused_log_{Seconds(10)};
};

}  // namespace penumbra::sync
