#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cluster/session.h"
#include "journal/journal.h"
#include "routing/phase.h"
#include "routing/scope.h"
#include "runtime/task.h"
#include "sync/live_traffic.h"
#include "sync/owed_write.h"
#include "sync/transit.h"

namespace penumbra::sync {

class RangeOrders;

/// What the replayer has to know of a scope for resync orders.
struct ReplayScope {
    routing::Scope scope;
    std::string tenant_column;
    std::int64_t unknown_timestamp = 0;
    routing::Side primary = routing::Side::source;  ///< of its phase now
};

struct ReplayOptions {
    std::uint8_t stream = 1;  ///< of the journal: the cluster that is owed (0 source, 1 target)
    std::size_t parallelism = 32;
    Nanos poll = Millis(20);           ///< how often the journal is asked for released entries
    Nanos longest_pause = Seconds(5);  ///< between attempts while the cluster does not take them
    Nanos request_timeout = Seconds(10);
    /// Bound on entries per second; 0 is none.
    std::uint64_t per_second = 0;
    /// Where a write takes longer than this on average, fewer are sent at once: a cluster that comes back has its own
    /// clients to serve. After a pause it begins with one.
    Nanos slow = Millis(100);
    /// A counter update whose fate is unknown may still come: it lies in a buffer of a node that was frozen, say, or is
    /// under way between nodes. Once both clusters answer again its row is left alone for so long, and then counted.
    /// As long as servers go on trying (Cassandra: counter_write_request_timeout).
    Nanos late_writes = Seconds(5);
    /// How often an entry may fail in a way that says neither "later" nor "never" (the catch-all error code, rows that
    /// go on differing) before it is set aside.
    std::size_t attempts_when_unclear = 8;
    /// How often replicas may fail at an entry, others being taken in between, before it is set aside: a mutation that
    /// is too large for them, a row behind too many tombstones.
    std::size_t attempts_when_replicas_fail = 20;
    /// How long rows are owed whose table is not the same on both clusters, before they are set aside: longer than a
    /// schema change may take on both.
    Nanos schema_patience = Seconds(150);
    /// Is told when orders to resync tables and ranges are about to be carried out, or were put off. May be null.
    RangeOrders* range_orders = nullptr;
    /// Nothing: the scope is gone, its entries are forgotten.
    std::function<std::optional<ReplayScope>(routing::ScopeId)> scope_of;
};

struct ReplayCounts {
    std::uint64_t settled = 0;     ///< entries; one resync may settle many
    std::uint64_t statements = 0;  ///< sent and acknowledged
    std::uint64_t resyncs = 0;
    std::uint64_t rows_read = 0;  ///< of the primary, by resyncs
    std::uint64_t retries = 0;
    std::uint64_t set_aside = 0;
    bool paused = false;        ///< the cluster does not take writes at the moment
    std::uint64_t at_once = 0;  ///< how many are sent at a time now
    double per_second = 0;      ///< entries settled, over the last seconds; 0 when nothing was owed
};

/// Pays what the journal says one cluster is owed. What the cluster does not take holds up nothing but itself: other
/// entries go first, other scopes are not paused with it. The order of statements does not matter, since they carry
/// their timestamps; a resync reads the primary when it runs, after the statements that were owed before it about its
/// rows. Lives on a background shard (it reads the journal's files there).
class Replayer {
  public:
    /// `owed` is the cluster of options.stream, `other` the one that has what is owed.
    Replayer(journal::Journal& journal, cluster::Session& owed, cluster::Session& other, LiveTraffic& traffic,
             Transit& transit, ReplayOptions options);
    ~Replayer();
    Replayer(const Replayer&) = delete;

    void start();
    /// Ends after what is under way; entries not settled stay owed.
    Task<void> stop();
    /// Any thread.
    ReplayCounts counts() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
