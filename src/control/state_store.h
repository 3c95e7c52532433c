#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/migration.h"
#include "control/workflow.h"
#include "sync/options.h"
#include "sync/report.h"

namespace penumbra::control {

/// One command as the audit log has it. Written when it begins, completed when it ends: one without an outcome was cut
/// off.
struct AuditEntry {
    std::uint64_t id = 0;
    WallMicros at = 0;
    std::string migration;
    std::string command;  ///< create, switch, reverse, complete, cancel, delete, copy, verify
    std::optional<routing::Phase> from;
    std::optional<routing::Phase> to;
    std::vector<GateResult> gates;
    bool forced = false;
    std::string reason;
    std::string outcome;  ///< started, done, refused, failed, interrupted
    std::string error;
    std::optional<std::uint64_t> epoch;
    std::optional<Nanos> wait;
    std::uint64_t held_requests = 0;
};

/// A copy or verify as it is stored.
struct JobRecord {
    JobId id;
    JobKind kind = JobKind::copy;
    bool repair = false;
    routing::ScopeId scope;
    std::string migration;
    JobState state = JobState::running;
    WallMicros started_at = 0;
    std::optional<WallMicros> finished_at;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    sync::Report report;
    std::string error;
};

/// What a process that died must find again: phases, epoch, finished work, audit. An SQLite file in a directory that
/// one process has at a time.
///
/// Every call is one transaction that is on disk when it returns, so a kill between any two lines leaves what was
/// before or after it. Blocks: the coordinator calls it on its worker, one call at a time.
class StateStore {
  public:
    /// Makes the directory where it is missing. Errc::conflict when another process has it.
    static Result<StateStore> open(const std::filesystem::path& directory);
    /// The migrations as they are in a directory that somebody else may have; changes nothing.
    static Result<std::vector<Migration>> peek(const std::filesystem::path& directory);
    StateStore(StateStore&&) noexcept;
    ~StateStore();

    /// Numbers and words that belong to the whole: "epoch", "tenant_column", "default_phase".
    Result<std::optional<std::string>> note(std::string_view key);
    Status set_note(std::string_view key, std::string_view value);

    Result<routing::Epoch> epoch();
    /// The next one, stored as the present one.
    Result<routing::Epoch> raise_epoch();

    Result<std::vector<Migration>> migrations();
    /// Gives it its id, which is never given out again, and the next epoch.
    Result<Migration> create(Migration migration);
    /// What a change of phase does to the work behind it: a new direction makes copied portions void, the end of
    /// shadowing also what was copied and verified.
    enum class Work : std::uint8_t { keep, forget_portions, forget_all };
    /// Moves it to `migration.phase` under the next epoch, with its shadow_since and last_switch. The epoch comes back.
    /// Its copy and verify belong to its jobs and are not written, other than to forget them.
    Result<routing::Epoch> advance(const Migration& migration, Work work);
    /// How long the last change was waited for is known only after it.
    Status set_last_switch(routing::ScopeId id, const LastSwitch& last);
    Result<routing::Epoch> remove(routing::ScopeId id);

    Result<std::uint64_t> begin_audit(const AuditEntry& entry);
    Status end_audit(const AuditEntry& entry);
    /// Newest first.
    Result<std::vector<AuditEntry>> audit(std::string_view migration, std::size_t limit);

    /// Stores the job and its migration's record of it (`copy` or `verify`, by the job's kind) together.
    Result<JobId> begin_job(JobRecord job, const Migration& migration);
    Status end_job(const JobRecord& job, const Migration& migration);
    /// Portions that have ended since the last call, with the counts so far.
    Status add_portions(const std::vector<sync::Portion>& portions, const JobRecord& counts);
    /// What a copy of this scope has behind it, whichever job did it.
    Result<std::vector<sync::Portion>> portions(routing::ScopeId scope);
    Status forget_portions(routing::ScopeId scope);
    Result<std::optional<JobRecord>> job(JobId id);
    Result<std::vector<JobRecord>> running_jobs();

    /// Commands and jobs that a dead process left open are marked so. Copies stay running: they are taken up again.
    Status mark_interrupted(WallMicros now);

  private:
    struct State;
    explicit StateStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::control
