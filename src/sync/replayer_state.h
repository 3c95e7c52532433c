#pragma once

// Inside of Replayer: replayer.cc has its loop and what is sent, replayer_resync.cc what is read back.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "runtime/async.h"
#include "runtime/gate.h"
#include "sync/at_once.h"
#include "sync/counter_settling.h"
#include "sync/owed_lookup.h"
#include "sync/owed_write.h"
#include "sync/replayer.h"
#include "sync/resync.h"
#include "sync/work.h"

namespace penumbra::sync {

/// What became of one entry.
enum class Outcome : std::uint8_t {
    settled,
    set_aside,
    later,  ///< the cluster does not take anything now
    again,  ///< this one did not work out; others may
    waits,  ///< its time has not come
    kept,   ///< somebody else's to settle, or stopped
};

inline bool is_stopping(const Error& error) {
    return error.code == Errc::cancelled || error.code == Errc::shutting_down;
}

inline CounterSettling::Row counter_row(routing::ScopeId scope, const OwedResync& order) {
    return {scope, order.keyspace, order.table, order.partition_key, order.range};
}

struct Replayer::State {
    State(journal::Journal& j, cluster::Session& o, cluster::Session& x, LiveTraffic& t, Transit& i, ReplayOptions r)
        : journal(j),
          owed(o),
          other(x),
          traffic(t),
          transit(i),
          options(std::move(r)),
          lookup(j, options.stream),
          settling(options.late_writes),
          pace(options.per_second),
          at_once(options.parallelism, options.slow) {}

    journal::Journal& journal;
    cluster::Session& owed;
    cluster::Session& other;
    LiveTraffic& traffic;
    Transit& transit;
    ReplayOptions options;
    Log log{"sync"};
    LogLimit pause_limit{Seconds(30)}, schema_limit{Seconds(30)};
    Gate gate;
    StopSignal stop;
    /// Of an entry that did not work out.
    struct Tries {
        std::size_t unclear = 0;                        ///< said neither "later" nor "never"
        std::optional<SteadyTime> schema_unlike_since;  ///< its table was not the same on both clusters
        /// Of an order: no younger statement can have been on the primary before what it is for.
        std::optional<journal::EntryId> statements_until;
        bool stuck = false;                ///< not taken: others go first
        SteadyTime not_before{};           ///< others of its scope were taken meanwhile: it alone waits,
        Nanos pause{0};                    ///< each time longer
        std::size_t replicas_failed = 0;   ///< times, others being taken in between
        std::uint64_t settled_before = 0;  ///< of all, when they last did
    };
    std::unordered_map<journal::EntryId, Tries> tries;
    std::size_t stuck = 0;  // how many of these are
    void forget_tries(journal::EntryId id);

    /// Of which the cluster takes nothing now. Others need not wait for it: its keyspace may be what is down.
    struct Pause {
        SteadyTime until{};
        Nanos length{0};
    };
    std::map<routing::ScopeId, Pause> pauses;

    OwedLookup lookup;
    CounterSettling settling;

    std::atomic<std::uint64_t> settled{0}, statements{0}, resyncs{0}, rows_read{0}, retries{0}, set_aside{0};
    std::atomic<bool> paused{false};
    std::atomic<double> per_second{0};
    Pace pace;
    AtOnce at_once;
    SteadyTime measured_at{};
    std::uint64_t settled_then = 0;
    std::size_t waiting = 0;  // of the last batch: they are the oldest, and others stand behind them

    /// Entries that one piece of work settles: one statement, or all orders to resync one partition.
    struct Job {
        std::vector<journal::EntryId> entries;
        routing::ScopeId scope;
        std::int64_t appended_at = 0;  ///< wall clock, microseconds
        Owed work;                     ///< of those that add to lists: an OwedStatement, whose rows are resynced
        struct ToLists {
            OwedStatement statement;
            std::int64_t appended_at = 0;
        };
        std::vector<ToLists> lists;
        SteadyTime seen_at{};  ///< what it is about was written before
    };
    struct Batch {
        std::vector<Job> jobs;
        std::size_t next = 0;
        struct OfScope {
            std::vector<journal::EntryId> not_taken;
            bool again = false;
            bool taken = false;
        };
        std::map<routing::ScopeId, OfScope> scopes;
        Nanos took{0};  // of its statements together
        std::int64_t sent = 0;
        bool progress = false;
        std::size_t waiting = 0;  // entries whose time has not come
    };

    /// Entries that wait are read again with every batch, so that others come through.
    static constexpr std::size_t kMostWaiting = 4096;
    std::size_t batch_size() const { return at_once.now() * 8 + std::min(waiting + stuck, kMostWaiting); }
    std::shared_ptr<Batch> next_batch();
    /// Who was not taken waits. False: the cluster took nothing.
    bool pause_after(const Batch& batch);
    void pause_scope(routing::ScopeId scope);
    /// How long until an entry may be sent again that is owed.
    Nanos until_next_turn() const;
    /// After every batch: the rate, smoothed over some seconds.
    void measure();
    void nothing_owed();
    void put_aside(journal::EntryId id, std::string reason);

    static Task<void> loop(State* self);
    static Task<Unit> lane(State* self, std::shared_ptr<Batch> batch);
    Task<Outcome> run(const Job* job);
    Task<Status> send(const OwedStatement* statement, std::int64_t appended_at);
    /// Without what they add, which is then read back.
    Task<Outcome> send_to_lists(const Job* job);
    /// A statement that the cluster answered with an error: what it refuses for good it gets by reading.
    Task<Outcome> not_taken(const Job* job, const OwedStatement* statement, Error error);
    Task<Outcome> resync(const Job* job, const OwedResync* order, ListTimes list_times);
    /// Statements that the primary had before what the order is for go first: compared without them, a row that was
    /// deleted leaves no tombstone on the shadow, and they would bring it back.
    enum class Before : std::uint8_t { nothing, statements, not_seen };
    Before what_goes_before(const Job& job, const OwedResync& order);
    /// The order as a new one at the end of the journal: what is owed now is before it there.
    Task<Outcome> put_behind(const Job* job, const OwedResync* order);
    /// To the end of the journal. `then`: of the new entry, before it can be replayed. Whether it is durable.
    Task<bool> append(std::uint8_t stream, routing::ScopeId scope, const OwedResync* order,
                      std::function<void(journal::EntryId)> then);
    Task<bool> append_to_ranges(routing::ScopeId scope, const OwedResync* order);
    bool is_counter(const OwedResync& order) const;
    /// Whether no counter update of unknown fate can come any more; settled: now.
    Task<Outcome> quiet(const Job* job, const OwedResync* order, const ReplayScope* scope);
    Task<Result<Schemas>> schemas_as_of(SteadyTime when);
    /// Owes the order to the other cluster instead.
    Task<Outcome> turn_round(const Job* job, const OwedResync* order);
    Outcome judge(const Job& job, const Error& error);
    bool fails_while_others_are_taken(const Job& job, const Error& error);
    /// A resync of a table that is not the same on both clusters: a schema change may be on its way.
    Outcome wait_for_schema(const Job& job, const Error& error);
};

}  // namespace penumbra::sync
