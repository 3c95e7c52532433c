#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/migration.h"
#include "journal/journal.h"
#include "routing/phase.h"

/// What may follow what, and under which conditions: pure, so that every case is in a test. docs/phases.md has the
/// picture.
namespace penumbra::control {

enum class Command : std::uint8_t { switch_, reverse, complete, cancel };
std::string_view to_string(Command command);

/// A change of phase that the state machine has, whether or not its gates are open.
struct Move {
    routing::Phase from = routing::Phase::source_only;
    routing::Phase to = routing::Phase::source_only;

    /// The authority moves: inside the fence nothing may be owed to the side that gets it.
    bool changes_primary() const { return routing::primary_of(from) != routing::primary_of(to); }
    /// Inside the fence exactly nothing may be owed to the creditor: it is about to be the authority, or to be alone.
    bool must_drain() const { return changes_primary() || to == routing::Phase::target_only; }
    /// Not even by force: with its shadow a scope loses what it is owed, and the new authority must not lose anything.
    bool must_drain_always() const { return must_drain() && ends_shadowing(); }
    /// The shadow is let go: what it is owed is forgotten.
    bool ends_shadowing() const { return routing::is_shadowed(from) && !routing::is_shadowed(to); }
    bool begins_shadowing() const { return !routing::is_shadowed(from) && routing::is_shadowed(to); }
    /// Whose owed writes the gates ask about: the side that gets the authority or must be in step. Nothing where the
    /// move lets the shadow go.
    std::optional<routing::Side> creditor() const;
    bool operator==(const Move&) const = default;
};

/// `to` is for switch_ only. A refusal is Errc::conflict (or invalid_argument where `to` is missing) and says what can
/// be done.
Result<Move> plan(routing::Phase from, Command command, std::optional<routing::Phase> to);

enum class MoveGate : std::uint8_t {
    clusters_reachable,  ///< a node of each cluster answers
    target_reachable,    ///< the one that will be alone answers
    schemas_agree,       ///< every table in scope is on both, with the same columns
    clocks_agree,        ///< a timestamp of ours would not lie behind one that a server gave out
    copied,              ///< a copy finished since shadowing began
    verified,            ///< the last verify began after the copy and found nothing
    journal_drained,     ///< little enough is owed to the creditor; exactly nothing is asked for again inside the fence
    nothing_set_aside,   ///< no owed write was refused for good
    no_job_running,      ///< no copy or verify of the migration is under way
};
std::string_view to_string(MoveGate gate);

/// Which gates a move has, in the order in which they are shown. Letting go of a shadow has none: it is always safe for
/// clients.
std::vector<MoveGate> gates_of(const Move& move);

/// What the gates are decided on; collected by the coordinator.
struct Facts {
    /// Empty where the cluster answered, otherwise why not.
    std::string source_problem;
    std::string target_problem;
    std::vector<std::string> schema_differences;
    /// How far each cluster's clock is ahead of ours (negative: behind); nothing where it did not answer.
    std::optional<Nanos> source_ahead;
    std::optional<Nanos> target_ahead;
    Nanos allowed_skew{0};
    CopyRecord copy;
    VerifyRecord verify;
    journal::Owed owed;  ///< to the move's creditor
    std::uint64_t owed_allowed = 0;
    std::optional<JobKind> running;
};

struct GateResult {
    MoveGate gate = MoveGate::clusters_reachable;
    bool passed = false;
    std::string detail;
};

/// One sentence per gate that says what was found.
GateResult check(MoveGate gate, const Move& move, const Facts& facts);
std::vector<GateResult> check_all(const Move& move, const Facts& facts);
bool all_passed(const std::vector<GateResult>& gates);

/// Which jobs a phase has room for, with the remedy where it has none.
Status may_run(JobKind kind, routing::Phase phase);

}  // namespace penumbra::control
