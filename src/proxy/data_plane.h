#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "routing/router.h"
#include "runtime/task.h"
#include "sync/live_traffic.h"

namespace penumbra::proxy {

/// Sums over all shards, at some moment.
struct Traffic {
    std::uint64_t connections = 0;
    std::uint64_t connections_total = 0;
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;  ///< ERROR answers given to clients
    std::uint64_t held = 0;    ///< requests that waited for a fence
    std::uint64_t longest_hold_nanos = 0;
    std::uint64_t shadow_writes = 0;
    std::uint64_t shadow_failures = 0;
    std::uint64_t reads_not_understood = 0;  ///< taken by the primary although our parser does not know what they say
    std::uint64_t writes_not_understood = 0;
    std::uint64_t overloaded = 0;       ///< requests and answers that there was no memory for
    std::uint64_t memory_used = 0;      ///< bytes of the memory budget
    std::uint64_t shadow_not_sent = 0;  ///< owed at once: the circuit was open
    std::uint64_t shadow_given_up = 0;  ///< owed before the shadow's time was over: memory was short
    std::uint64_t circuits_open = 0;    ///< shards that hold writes back from a shadow now
};

/// How a hold went: for the operator and the audit log.
struct HoldReport {
    std::uint64_t requests_held = 0;
    Nanos waited{0};  ///< from the first shard's hold to the last shard's release
};

/// All proxy shards as one, for the control plane. Calls may come from any shard and return there.
class DataPlane : public sync::LiveTraffic {
  public:
    /// Every shard serves by `router` when this returns. Requests under way finish under the snapshot they took.
    virtual Task<void> publish(routing::RouterPtr router) = 0;
    virtual Task<Traffic> traffic() = 0;
    /// Timestamps that are given out run so far ahead of our clock from now on.
    virtual Task<void> lead_timestamps(Nanos lead) = 0;
    /// Of a scope that the caller holds: one other who asks for it gets it as well, and works under the caller's hold.
    /// For a fence that waits until nothing is owed, since what is owed may have to be settled with nobody in between.
    virtual void share_hold(routing::ScopeId scope) = 0;
    /// From now on no other. False while one still works under it; a hold released then stays up until that one
    /// releases it too.
    virtual bool unshare_hold(routing::ScopeId scope) = 0;
    /// Of the last hold of the scope that was released.
    virtual Task<HoldReport> last_hold(routing::ScopeId scope) = 0;
};

}  // namespace penumbra::proxy
