#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/report.h"

namespace penumbra::sync {

enum class Repair : std::uint8_t { no, yes };

struct VerifyOptions {
    WorkOptions work;
    Repair repair = Repair::no;
    /// Expiry instants that are nearer to each other count as equal, and what expires within it is not looked at: both
    /// clusters count whole seconds of their own clocks, and are read at slightly different moments.
    Seconds expiry_tolerance{5};
};

/// Compares a scope on both clusters: each cell's value, write time and expiry. What differs is looked at again,
/// without requests in between, before it counts. With repair the shadow is then made equal (see Resync). Lives on the
/// shard of the pair; only snapshot() is for any thread.
class Verify {
  public:
    Verify(Pair pair, VerifyOptions options);
    ~Verify();
    Verify(const Verify&) = delete;

    /// Once. Missing tables and columns are differences, not failures. Errc::cancelled after `stop`.
    Task<Result<Report>> run(StopSignal& stop);
    Progress snapshot() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
