#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "control/book.h"
#include "control/surroundings.h"
#include "runtime/gate.h"

namespace penumbra::control {

/// A job and where it stands.
struct JobView {
    JobRecord record;
    sync::Progress progress;
};

/// Copies and verifies: at most one per migration, each a Mover on the background shard. Lives on the control shard;
/// what they finish is stored twice a second, so that a copy goes on after a restart where it was.
class Jobs {
  public:
    Jobs(Book& book, Shard& background, MakeMover make_mover, std::string tenant_column);
    ~Jobs();
    Jobs(const Jobs&) = delete;

    /// The caller has checked that the phase has room for it and that none is running.
    Task<Result<JobView>> start(Migration migration, JobKind kind, bool repair);
    /// A copy that a dead process left running.
    Task<Status> resume(JobRecord record);
    std::optional<JobRecord> running(routing::ScopeId scope) const;
    Task<Result<JobView>> view(JobId id);
    /// Returns when the migration has no job any more; Errc::timeout when it did not end in time.
    Task<Status> stop(routing::ScopeId scope, Deadline by);
    /// The process ends: movers stop, copies stay marked as running.
    Task<void> stop_all();

  private:
    struct Running;
    using RunningPtr = std::shared_ptr<Running>;

    static Task<Result<sync::Report>> drive(RunningPtr job, MakeMover make, MoverOrder order);
    static Task<void> run(Jobs* self, RunningPtr job, MoverOrder order);
    static Task<void> flush_loop(Jobs* self, RunningPtr job);
    Task<void> flush(RunningPtr job);
    Task<void> finish(RunningPtr job, Result<sync::Report> report);
    void launch(RunningPtr job, Migration migration, std::vector<sync::Portion> done);
    void request_stop(const RunningPtr& job);
    static sync::Progress progress(const Running& job);

    Book& book_;
    Shard& background_;
    MakeMover make_mover_;
    std::string tenant_column_;
    Log log_{"jobs"};
    Gate gate_;
    bool shutting_down_ = false;
    std::map<routing::ScopeId, RunningPtr> running_;
};

}  // namespace penumbra::control
