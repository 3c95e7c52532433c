#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "control/book.h"
#include "control/jobs.h"
#include "control/surroundings.h"
#include "control/turnstile.h"
#include "control/workflow.h"
#include "metrics/exposition.h"
#include "proxy/data_plane.h"
#include "runtime/gate.h"

namespace penumbra::control {

struct CoordinatorOptions {
    routing::Phase default_phase = routing::Phase::source_only;
    std::string tenant_column = "system_domain_id";
    Nanos hold_timeout = Seconds(2);    ///< requests of a scope wait at most so long for a change of its phase
    std::uint64_t owed_allowed = 1000;  ///< so many owed writes may be left to be paid inside the fence
    Nanos drain_patience = Seconds(2);  ///< before the fence: what can be paid now need not be waited for inside it
    Nanos allowed_skew = Millis(500);
    Nanos probe_timeout = Seconds(2);
    Nanos settle_timeout =
        Seconds(15);  ///< for what was under way before a scope's first change; nothing is held meanwhile
    Nanos job_stop_timeout = Seconds(30);
    /// Told of each step of a change; a test ends the process there.
    std::function<void(std::string_view)> at_step;
};

/// The rest of the process; outlives the coordinator.
struct Surroundings {
    StateStore& store;
    proxy::DataPlane& data_plane;
    OwedWrites& owed;
    ClusterView& source;
    ClusterView& target;
    Shard& background;
    MakeMover make_mover;
};

struct ChangeOrder {
    std::string migration;  ///< its name, or a tenant that it alone moves
    Command command = Command::switch_;
    std::optional<routing::Phase> to;
    bool dry_run = false;
    bool force = false;
    std::string reason;
};

struct ChangeReport {
    std::string migration;
    routing::Phase from = routing::Phase::source_only;
    routing::Phase to = routing::Phase::source_only;
    routing::Epoch epoch{0};
    Nanos wait{0};
    std::uint64_t held_requests = 0;
    bool dry_run = false;
    std::vector<GateResult> gates;
    /// Why nothing was changed; the gates then say more.
    std::optional<Error> refusal;
};

struct NewMigration {
    std::string name;
    routing::Scope scope;
};

/// Takes migrations through their phases. Lives on the control shard; one change at a time.
///
/// A change: gates → hold (requests under way end, new ones wait) → what must be exact is looked at again → the new
/// phase and epoch are on disk → every shard routes by them → release. Killed between any two steps, the process comes
/// up in the phase that the store has; until it is published no request is served, so nobody ever sees both.
///
/// What is always so:
/// - memory, store and the published router agree, but for the lines between two steps of one change;
/// - a scope that is not shadowed is owed nothing; its records of copy and verify are empty unless it is complete;
/// - no two migrations' scopes overlap.
class Coordinator {
  public:
    Coordinator(CoordinatorOptions options, Surroundings surroundings);
    ~Coordinator();
    Coordinator(const Coordinator&) = delete;

    /// Loads the state, publishes it, takes copies up again. Before the first client is served.
    Task<Status> start();
    /// Changes under way end, jobs stop.
    Task<void> stop();

    Task<Result<Migration>> create(NewMigration order);
    /// Only in source_only: it then routes as if it had never been.
    Task<Result<Migration>> remove(std::string name);
    Task<ChangeReport> change(ChangeOrder order);
    Task<Result<JobView>> start_job(std::string migration, JobKind kind, bool repair);
    Task<Result<JobView>> job(JobId id) { return jobs_.view(id); }
    /// Returns once it has ended; one that had ended before is left as it is.
    Task<Result<JobView>> stop_job(JobId id);
    /// Something that an operator did to a migration and that is not a change of its phase.
    Task<Status> note_in_audit(AuditEntry entry);
    Task<Result<std::vector<AuditEntry>>> audit(std::string migration, std::size_t limit);

    Result<Migration> find(std::string_view name_or_tenant) const { return book_.lookup(name_or_tenant); }
    std::vector<Migration> list() const;
    routing::Epoch epoch() const { return book_.epoch; }
    /// What the migration's shadow (or, after a forced switch, its primary) is owed.
    journal::Owed owed(const Migration& migration) const;
    const CoordinatorOptions& options() const { return options_; }
    const Surroundings& surroundings() const { return surroundings_; }

    /// A cluster's schema is another one: route by it from now on, under the same epoch.
    Task<void> on_schema();
    /// For replayers; any thread.
    std::optional<sync::ReplayScope> replay_scope(routing::ScopeId scope) const { return replay_scopes_.find(scope); }
    /// Its own, the journal's and the data plane's numbers.
    Task<void> collect(metrics::MetricWriter* out);

  private:
    Task<Facts> gather(Migration migration, Move move);
    Task<Status> carry_out(routing::ScopeId scope, Move move, bool force, ChangeReport* report);
    Task<Status> inside_fence(routing::ScopeId scope, Move move, bool force, Deadline by, ChangeReport* report);
    Task<Status> move_on(routing::ScopeId scope, Move move);
    Task<void> record(AuditEntry entry);
    Task<void> drain_beforehand(routing::ScopeId scope, Move move);
    Task<Status> wait_until_drained(routing::ScopeId scope, Move move, bool force, Deadline by);
    Task<void> publish();
    void update_replay_scopes();
    Task<Status> load();
    void step(std::string_view name) const {
        if (options_.at_step) options_.at_step(name);
    }

    CoordinatorOptions options_;
    Surroundings surroundings_;
    Log log_{"control"};
    Gate gate_;
    Book book_;
    Jobs jobs_;
    ReplayScopes replay_scopes_;
    std::optional<WallMicros> default_shadow_since_;
    Turnstile changes_;     // one command at a time
    Turnstile publishing_;  // snapshots go out in the order in which they were built
    metrics::Histogram waits_;
    metrics::Counter changes_done_, changes_refused_, changes_failed_;
};

}  // namespace penumbra::control
