#include "control/workflow.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace penumbra::control {

using routing::Phase;
using routing::Side;

std::string_view to_string(Command command) {
    switch (command) {
        case Command::switch_:
            return "switch";
        case Command::reverse:
            return "reverse";
        case Command::complete:
            return "complete";
        case Command::cancel:
            return "cancel";
    }
    return "unknown";
}

std::string_view to_string(MoveGate gate) {
    switch (gate) {
        case MoveGate::clusters_reachable:
            return "clusters_reachable";
        case MoveGate::target_reachable:
            return "target_reachable";
        case MoveGate::schemas_agree:
            return "schemas_agree";
        case MoveGate::clocks_agree:
            return "clocks_agree";
        case MoveGate::copied:
            return "copied";
        case MoveGate::verified:
            return "verified";
        case MoveGate::journal_drained:
            return "journal_drained";
        case MoveGate::nothing_set_aside:
            return "nothing_set_aside";
        case MoveGate::no_job_running:
            return "no_job_running";
    }
    return "unknown";
}

std::optional<Side> Move::creditor() const {
    if (changes_primary()) return routing::primary_of(to);
    // target_primary → target_only: the target stays alone, so it must not be owed anything (a forced switch can leave
    // that).
    if (to == Phase::target_only) return Side::target;
    if (routing::is_shadowed(to) && routing::waits_for_shadow(to)) return routing::other(routing::primary_of(to));
    return std::nullopt;
}

namespace {

std::string can_go_to(Phase from) {
    std::string out;
    for (const auto to : routing::kPhases) {
        if (routing::can_follow(from, to))
            out += fmt::format("{}{}", out.empty() ? "" : " or ", routing::to_string(to));
    }
    return out.empty() ? "no other: it is the end" : out;
}

auto refuse(std::string what) {
    return fail(Errc::conflict, std::move(what));
}

}  // namespace

Result<Move> plan(Phase from, Command command, std::optional<Phase> to) {
    switch (command) {
        case Command::switch_: {
            if (!to) return fail(Errc::invalid_argument, "switch wants the phase to go to");
            if (*to == from) return refuse(fmt::format("it is in {} already", routing::to_string(from)));
            if (!routing::can_follow(from, *to)) {
                return refuse(fmt::format("{} does not lead to {} in one step; it leads to {}{}",
                                          routing::to_string(from), routing::to_string(*to), can_go_to(from),
                                          *to == Phase::source_only && routing::can_cancel(from)
                                              ? ", and cancel goes back to source_only"
                                              : ""));
            }
            return Move{from, *to};
        }
        case Command::reverse:
            if (from != Phase::target_primary) {
                return refuse(
                    fmt::format("only target_primary can be reversed, and it is in {}", routing::to_string(from)));
            }
            return Move{from, Phase::shadow_sync};
        case Command::complete:
            if (from != Phase::target_primary) {
                return refuse(
                    fmt::format("only target_primary can be completed, and it is in {}", routing::to_string(from)));
            }
            return Move{from, Phase::target_only};
        case Command::cancel:
            if (from == Phase::source_only) return refuse("there is nothing to cancel: it is in source_only");
            if (!routing::can_cancel(from))
                return refuse(fmt::format("{} cannot be cancelled: the source no longer has what was written since",
                                          routing::to_string(from)));
            return Move{from, Phase::source_only};
    }
    return fail(Errc::internal, "a command without a plan");
}

std::vector<MoveGate> gates_of(const Move& move) {
    // From one phase to one phase, so that a new one has to be thought about here.
    switch (move.to) {
        case Phase::source_only:
            // Clients are answered by the source before and after, unless the target is the primary: then it is a
            // reverse as well.
            if (move.from == Phase::target_primary) {
                return {MoveGate::clusters_reachable, MoveGate::schemas_agree, MoveGate::no_job_running,
                        MoveGate::nothing_set_aside, MoveGate::journal_drained};
            }
            return {};
        case Phase::shadow_async:
            if (move.from == Phase::source_only)
                return {MoveGate::clusters_reachable, MoveGate::schemas_agree, MoveGate::clocks_agree};
            return {};
        case Phase::shadow_sync:
            if (move.from == Phase::target_primary) {
                return {MoveGate::clusters_reachable, MoveGate::schemas_agree, MoveGate::no_job_running,
                        MoveGate::nothing_set_aside, MoveGate::journal_drained};
            }
            return {MoveGate::clusters_reachable, MoveGate::schemas_agree,     MoveGate::copied,
                    MoveGate::no_job_running,     MoveGate::nothing_set_aside, MoveGate::journal_drained};
        case Phase::target_primary:
            return {MoveGate::clusters_reachable, MoveGate::schemas_agree,
                    MoveGate::clocks_agree,       MoveGate::copied,
                    MoveGate::verified,           MoveGate::no_job_running,
                    MoveGate::nothing_set_aside,  MoveGate::journal_drained};
        case Phase::target_only:
            return {MoveGate::target_reachable, MoveGate::no_job_running, MoveGate::nothing_set_aside,
                    MoveGate::journal_drained};
    }
    return {};
}

namespace {

GateResult result(MoveGate gate, bool passed, std::string detail) {
    return {gate, passed, std::move(detail)};
}

std::string millis(Nanos duration) {
    return fmt::format("{:.0f} ms", std::chrono::duration<double, std::milli>(duration).count());
}

GateResult check_clocks(const Facts& facts) {
    const auto apart = [&](std::string_view name, const std::optional<Nanos>& ahead) -> std::string {
        if (!ahead) return fmt::format("the clock of the {} is not known", name);
        const auto size = *ahead < Nanos(0) ? -*ahead : *ahead;
        if (size <= facts.allowed_skew) return {};
        return fmt::format(
            "the clock of the {} is {} {} ours, allowed are {}: synchronise its nodes and this host "
            "(chrony, NTP), or raise --allowed-skew knowing that timestamps of ours may then lie behind "
            "those that the cluster gave out",
            name, millis(size), *ahead < Nanos(0) ? "behind" : "ahead of", millis(facts.allowed_skew));
    };
    for (const auto& problem : {apart("source", facts.source_ahead), apart("target", facts.target_ahead)}) {
        if (!problem.empty()) return result(MoveGate::clocks_agree, false, problem);
    }
    return result(MoveGate::clocks_agree, true,
                  fmt::format("source {:+.0f} ms, target {:+.0f} ms",
                              std::chrono::duration<double, std::milli>(*facts.source_ahead).count(),
                              std::chrono::duration<double, std::milli>(*facts.target_ahead).count()));
}

GateResult check_verify(const Facts& facts) {
    const auto& verify = facts.verify;
    const auto when = verify.finished_at ? to_iso(*verify.finished_at) : std::string("an unknown time");
    switch (verify.state) {
        case VerifyState::none:
            return result(MoveGate::verified, false, "never verified; `penumbra verify` does it");
        case VerifyState::running:
            return result(MoveGate::verified, false, "a verify is under way");
        case VerifyState::failed:
            return result(MoveGate::verified, false, fmt::format("the verify that ended at {} failed", when));
        case VerifyState::differences:
            return result(MoveGate::verified, false,
                          fmt::format("{} differences found at {}; `penumbra verify --repair` mends them",
                                      verify.differences, when));
        case VerifyState::clean:
            if (facts.copy.finished_at && verify.started_at.value_or(0) < *facts.copy.finished_at) {
                return result(MoveGate::verified, false, "the last verify began before the copy had ended");
            }
            return result(MoveGate::verified, true, fmt::format("{} rows equal at {}", verify.rows, when));
    }
    return result(MoveGate::verified, false, "unknown");
}

}  // namespace

GateResult check(MoveGate gate, const Move& move, const Facts& facts) {
    const auto creditor = move.creditor() ? routing::to_string(*move.creditor()) : std::string_view("nobody");
    switch (gate) {
        case MoveGate::clusters_reachable: {
            if (!facts.source_problem.empty()) return result(gate, false, "source: " + facts.source_problem);
            if (!facts.target_problem.empty()) return result(gate, false, "target: " + facts.target_problem);
            return result(gate, true, "source and target answer");
        }
        case MoveGate::target_reachable:
            if (!facts.target_problem.empty()) return result(gate, false, "target: " + facts.target_problem);
            return result(gate, true, "target answers");
        case MoveGate::schemas_agree: {
            if (facts.schema_differences.empty()) return result(gate, true, "every table in scope is the same on both");
            std::string detail = facts.schema_differences.front();
            if (facts.schema_differences.size() > 1)
                detail += fmt::format(" (and {} more)", facts.schema_differences.size() - 1);
            return result(gate, false, detail);
        }
        case MoveGate::clocks_agree:
            return check_clocks(facts);
        case MoveGate::copied:
            switch (facts.copy.state) {
                case CopyState::none:
                    return result(gate, false, "not copied since shadowing began; `penumbra copy` does it");
                case CopyState::running:
                    return result(gate, false, "the copy is under way");
                case CopyState::failed:
                    return result(gate, false, "the copy failed; `penumbra copy` goes on where it ended");
                case CopyState::done:
                    return result(gate, true,
                                  fmt::format("{} rows copied at {}", facts.copy.rows,
                                              to_iso(facts.copy.finished_at.value_or(0))));
            }
            return result(gate, false, "unknown");
        case MoveGate::verified:
            return check_verify(facts);
        case MoveGate::journal_drained: {
            const bool passed = facts.owed.entries <= facts.owed_allowed;
            if (facts.owed.entries == 0) return result(gate, true, fmt::format("the {} is owed nothing", creditor));
            return result(gate, passed,
                          fmt::format("{} writes owed to the {}{}", facts.owed.entries, creditor,
                                      passed ? ", few enough to wait for"
                                             : fmt::format(", {} are few enough to wait for", facts.owed_allowed)));
        }
        case MoveGate::nothing_set_aside:
            if (facts.owed.set_aside == 0) return result(gate, true, fmt::format("the {} refused no write", creditor));
            return result(gate, false,
                          fmt::format("{} writes that the {} refused are set aside; `penumbra set-aside list` shows "
                                      "them, `retry`, `resync` and `drop` settle them",
                                      facts.owed.set_aside, creditor));
        case MoveGate::no_job_running:
            if (!facts.running) return result(gate, true, "no copy or verify is under way");
            return result(gate, false, fmt::format("a {} is under way", to_string(*facts.running)));
    }
    return result(gate, false, "unknown");
}

std::vector<GateResult> check_all(const Move& move, const Facts& facts) {
    std::vector<GateResult> results;
    for (const auto gate : gates_of(move)) results.push_back(check(gate, move, facts));
    return results;
}

bool all_passed(const std::vector<GateResult>& gates) {
    return std::ranges::all_of(gates, &GateResult::passed);
}

Status may_run(JobKind kind, Phase phase) {
    switch (phase) {
        case Phase::source_only:
            return refuse(fmt::format(
                "{} wants writes to reach both clusters, and they do not in source_only; switch to shadow_async first",
                to_string(kind)));
        case Phase::shadow_async:
        case Phase::shadow_sync:
        case Phase::target_primary:
            return ok();
        case Phase::target_only:
            return refuse(fmt::format("{} has nothing to do in target_only: the source is no longer kept in step",
                                      to_string(kind)));
    }
    return refuse("unknown phase");
}

}  // namespace penumbra::control
