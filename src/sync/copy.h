#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/report.h"

namespace penumbra::sync {

/// Brings everything of a scope from the primary to the shadow, with original write times and what is left of each TTL,
/// while clients write. Start it once every write of the scope is shadowed: what is older it finds, what is newer wins.
/// Running it again does no harm. Lives on the shard of the pair; only snapshot() is for any thread.
class Copy {
  public:
    Copy(Pair pair, WorkOptions options);
    ~Copy();
    Copy(const Copy&) = delete;

    /// Once. Errc::conflict names what check_schema() found; Errc::cancelled after `stop`. What WorkOptions::finished
    /// reported stays done either way.
    Task<Result<Report>> run(StopSignal& stop);
    Progress snapshot() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
