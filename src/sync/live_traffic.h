#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "routing/scope.h"
#include "runtime/task.h"

namespace penumbra::sync {

/// What copy, verify and repair ask of the proxy in whose traffic they work. Implemented by proxy::DataPlane; a tool
/// that runs without a proxy passes one that answers at once. Called on the caller's shard.
class LiveTraffic {
  public:
    virtual ~LiveTraffic() = default;

    /// Returns when every request of the scope that was under way at the time of the call has ended on both clusters
    /// (or is owed in the journal). New ones are not held up.
    virtual Task<Status> settle(routing::ScopeId scope, Deadline by) = 0;

    /// From success until release(): no request of the scope is under way, and new ones wait. For what must read and
    /// write with nobody in between; keep it to milliseconds. On failure nothing is held.
    virtual Task<Status> hold(routing::ScopeId scope, Deadline by) = 0;
    virtual Task<void> release(routing::ScopeId scope) = 0;
};

/// For runs without a proxy: nobody writes, so there is nothing to wait for.
class NoTraffic final : public LiveTraffic {
  public:
    Task<Status> settle(routing::ScopeId, Deadline) override { co_return ok(); }
    Task<Status> hold(routing::ScopeId, Deadline) override { co_return ok(); }
    Task<void> release(routing::ScopeId) override { co_return; }
};

}  // namespace penumbra::sync
