#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/log.h"
#include "base/result.h"
#include "journal/journal.h"
#include "routing/scope.h"
#include "sync/owed_write.h"
#include "sync/ring_slice.h"

namespace penumbra {
class Shard;
}

namespace penumbra::sync {

/// What stands for writes that the journal has no room for: orders to resync the slices of the ring that they touched,
/// one per slice of a table and scope. However many writes come, there is one such order that no replay has begun yet,
/// so that they take no room and wait for nobody. Where more than half of a table's slices would be ordered, or slices
/// have no room either, one order for the whole table stands for all of them. An order that the disk does not take is
/// tried again, as one for its table, until the disk takes it; until then it counts as owed.
/// Any thread. Outlives the journal, the replayers and the shards that order.
class RangeOrders {
  public:
    /// Slices are ordered while the journal has less than this on disk: the rest of its room is for whole tables.
    RangeOrders(journal::Journal& journal, std::uint64_t slices_until_bytes)
        : journal_(journal), slices_until_(slices_until_bytes) {}
    RangeOrders(const RangeOrders&) = delete;

    /// A row of this slice (none: some row of the table) differs, or soon will. `durable` runs on the calling shard,
    /// never inside the call: once an order is on disk that will be replayed after now, or with why the disk did not
    /// take it.
    void order(std::uint8_t stream, routing::ScopeId scope, std::string_view keyspace, std::string_view table,
               std::optional<RingSlice> slice, UniqueFunction<void(Status)> durable);
    /// As order() for the whole table, by an order that is younger than everything that was appended before this call
    /// and that lasts as long as that does: for TRUNCATE, behind which nothing older may be replayed without being made
    /// good.
    void order_anew(std::uint8_t stream, routing::ScopeId scope, std::string_view keyspace, std::string_view table,
                    UniqueFunction<void(Status)> durable);
    /// Orders up to this entry are about to be replayed: who comes from now on needs another one. Whether they were put
    /// off before, and since then came to stand for more.
    bool begins(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order, journal::EntryId newest);
    /// That replay did not work out and will begin anew, with what has come since: these orders stand again. So a
    /// cluster that is away is owed no more orders however often it is tried.
    void put_off(std::uint8_t stream, routing::ScopeId scope, const OwedResync& order, journal::EntryId newest);
    /// Tables with an order that the disk has not taken.
    std::uint64_t unwritten(std::uint8_t stream, routing::ScopeId scope) const;
    std::uint64_t unwritten() const;
    /// Nobody wants them any more.
    void forget(routing::ScopeId scope);
    /// Nothing more is written: call it before the journal closes. What is on its way there still ends here.
    void stop();

    /// With more slices than this a table is ordered whole.
    static constexpr std::size_t kMostSlices = kRingSlices / 2;

  private:
    static constexpr Millis kTryAgain{200};
    struct TableKey {
        std::uint8_t stream;
        routing::ScopeId scope;
        std::string keyspace;
        std::string table;
        auto operator<=>(const TableKey&) const = default;
    };
    struct Waiter {
        Shard* shard;
        UniqueFunction<void(Status)> durable;
    };
    struct Order {
        std::optional<journal::EntryId> standing;  ///< on disk, and no replay of it has begun
        bool for_more = false;                     ///< also for writes that came when it stood already
        bool writing = false;                      ///< one is on its way there
        std::vector<Waiter> waiting;               ///< for that one
    };
    /// A slice has an order here while one stands or is on its way. What the whole table's order covers needs none.
    struct Table {
        Order whole;
        bool unwritten = false;  ///< the last order for the whole table did not get to the disk
        std::map<RingSlice, Order> slices;
    };
    using Slice = std::optional<RingSlice>;

    enum class Next : std::uint8_t { nothing, whole, try_again };
    /// What is left to do once the disk has answered.
    struct Written {
        std::vector<Waiter> told;
        bool durable = true;
        Next next = Next::nothing;
    };

    bool slices_fit(const Table& table) const;
    /// `own`: whoever waits for this very order, if anybody does.
    void write(const TableKey& key, Slice slice, UniqueFunction<void(Status)> own = {});
    void written(const TableKey& key, Slice slice, Result<journal::EntryId> entry);
    Written slice_written(Table& table, RingSlice slice, const Result<journal::EntryId>& entry);
    Written whole_written(Table& table, const Result<journal::EntryId>& entry);
    /// What the journal does not owe any more, because its scope was forgotten, stands for nothing.
    void stand(Order& order, journal::EntryId entry);
    void stand_for_slices(Table& table);
    void try_again_later(const TableKey& key);

    journal::Journal& journal_;
    const std::uint64_t slices_until_;
    Log log_{"sync"};
    mutable std::mutex mutex_;  // guards the rest
    std::map<TableKey, Table> tables_;
    bool stopped_ = false;
    LogLimit refused_log_{Seconds(10)};
};

}  // namespace penumbra::sync
