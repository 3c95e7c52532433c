#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/session.h"
#include "routing/phase.h"
#include "routing/scope.h"
#include "sync/live_traffic.h"
#include "sync/owed_lists.h"
#include "sync/token_range.h"
#include "sync/transit.h"

namespace penumbra::sync {

/// Between whom, and for which rows. The sessions, the traffic and whatever uses the pair live on one shard.
struct Pair {
    cluster::Session& from;  ///< the primary: never deleted from
    cluster::Session& to;    ///< the shadow
    LiveTraffic& traffic;
    Transit& transit;
    routing::ScopeId scope_id;
    routing::Scope scope;
    std::string tenant_column;                      ///< empty: no tenants by column
    routing::Side primary = routing::Side::source;  ///< which side `from` is: for what people read

    /// Where a cluster does not show when something was written (row markers; elements of collections before Cassandra
    /// 5.0): just before the scope began to be shadowed, in microseconds. Every client write since then wins over it,
    /// and everything older is in what we read.
    std::int64_t unknown_timestamp = 0;
};

/// What one worker takes at a time: a token range of a table, or (`tenant` set) the one partition of a tenant whose
/// column is the whole partition key. Also what a resumed run skips.
struct Portion {
    std::string keyspace;
    std::string table;
    TokenRange range;
    std::string tenant;
    auto operator<=>(const Portion&) const = default;
};

/// Repair cannot make the shadow's cell older than it is. Where it won over the primary's by a write that the primary
/// never took, the primary's value goes to the shadow above that time, and, with `yes`, to the primary at the same: its
/// value and expiry stay what they were, only the write time rises, under a hold. With `no` such cells keep differing
/// in time.
enum class RaisePrimary : std::uint8_t { no, yes };

struct WorkOptions {
    std::size_t parallelism = 8;        ///< portions at once
    std::size_t writes_in_flight = 64;  ///< of each portion
    std::uint64_t rows_per_second = 0;  ///< over all portions; 0: no bound
    std::int32_t page_size = 500;
    std::size_t splits = 4;  ///< portions per ring range
    Nanos request_timeout = Seconds(10);
    std::size_t attempts = 8;                        ///< of a request that may be repeated, with growing pauses
    std::vector<Portion> done;                       ///< not to be done again
    std::function<void(const Portion&)> finished;    ///< called on the shard of the run
    RaisePrimary raise_primary = RaisePrimary::yes;  ///< repair and resync only; a copy never writes to the primary
    /// When the oldest write that the shadow is still owed was appended (wall clock, microseconds; 0: nothing is owed).
    /// With it, settle() waits for what is owed too, so that a verify does not call a write that is on its way a
    /// difference. Not for who pays what is owed: it would wait for itself.
    std::function<std::int64_t()> oldest_owed;
    ListTimes list_times;  ///< of elements whose times the primary does not show
    /// Asked under the hold for what `list_times` does not know. May be empty.
    std::function<ListTimes()> further_list_times;
    /// What is owed was written before it was appended, and what it has to win over is older still: a time that loses
    /// to what comes after. Now would win over a client's write that is held, whose driver gave it its time a moment
    /// ago, and only where the primary does not show the time of what stands there.
    std::optional<std::int64_t> newest_owed() const {
        auto newest = list_times.otherwise();
        if (further_list_times) newest = std::max(newest, further_list_times().otherwise());
        return newest;
    }
    cql::Consistency read_consistency = cql::Consistency::local_quorum;
    cql::Consistency write_consistency = cql::Consistency::local_quorum;
};

}  // namespace penumbra::sync
