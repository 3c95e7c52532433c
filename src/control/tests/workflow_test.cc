#include "control/workflow.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penumbra::control {
namespace {

using namespace std::chrono_literals;
using routing::Phase;
using routing::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto so = Phase::source_only, sa = Phase::shadow_async, ss = Phase::shadow_sync, tp = Phase::target_primary,
               to = Phase::target_only;

TEST(Plan, EveryPhaseAndCommand) {
    // What each phase allows; everything that is not here is refused.
    struct Case {
        Phase from;
        Command command;
        std::optional<Phase> wanted;
        Phase leads_to;
    };
    const std::vector<Case> allowed{
        {so, Command::switch_, sa, sa}, {sa, Command::switch_, so, so}, {sa, Command::switch_, ss, ss},
        {ss, Command::switch_, sa, sa}, {ss, Command::switch_, tp, tp}, {tp, Command::switch_, ss, ss},
        {tp, Command::switch_, to, to}, {tp, Command::reverse, {}, ss}, {tp, Command::complete, {}, to},
        {sa, Command::cancel, {}, so},  {ss, Command::cancel, {}, so},  {tp, Command::cancel, {}, so},
    };
    std::size_t met = 0;
    for (const auto from : routing::kPhases) {
        for (const auto command : {Command::switch_, Command::reverse, Command::complete, Command::cancel}) {
            std::vector<std::optional<Phase>> wishes{std::nullopt};
            if (command == Command::switch_)
                wishes.insert(wishes.end(), routing::kPhases.begin(), routing::kPhases.end());
            for (const auto& wish : wishes) {
                const auto planned = plan(from, command, wish);
                const auto found = std::ranges::find_if(allowed, [&](const Case& one) {
                    return one.from == from && one.command == command && one.wanted == wish;
                });
                SCOPED_TRACE(std::string(routing::to_string(from)) + " " + std::string(to_string(command)));
                if (found != allowed.end()) {
                    ++met;
                    ASSERT_TRUE(planned);
                    EXPECT_EQ(planned.value(), (Move{from, found->leads_to}));
                } else {
                    ASSERT_FALSE(planned);
                    EXPECT_EQ(planned.error().code,
                              command == Command::switch_ && !wish ? Errc::invalid_argument : Errc::conflict);
                    EXPECT_FALSE(planned.error().what.empty());
                }
            }
        }
    }
    EXPECT_EQ(met, allowed.size());
}

TEST(Plan, RefusalsSayWhatCanBeDone) {
    EXPECT_THAT(plan(sa, Command::switch_, tp).error().what, HasSubstr("leads to source_only or shadow_sync"));
    EXPECT_THAT(plan(to, Command::switch_, tp).error().what, HasSubstr("it is the end"));
    EXPECT_THAT(plan(tp, Command::switch_, so).error().what, HasSubstr("cancel goes back to source_only"));
    EXPECT_THAT(plan(ss, Command::switch_, ss).error().what, HasSubstr("already"));
    EXPECT_THAT(plan(ss, Command::reverse, {}).error().what, HasSubstr("it is in shadow_sync"));
}

TEST(Move, WhatEachOneMeans) {
    EXPECT_TRUE((Move{ss, tp}.changes_primary()));
    EXPECT_TRUE((Move{tp, ss}.changes_primary()));
    EXPECT_TRUE((Move{tp, so}.changes_primary()));
    EXPECT_FALSE((Move{tp, to}.changes_primary()));
    EXPECT_EQ((Move{ss, tp}.creditor()), Side::target);
    EXPECT_EQ((Move{tp, ss}.creditor()), Side::source);
    EXPECT_EQ((Move{tp, so}.creditor()), Side::source);
    EXPECT_EQ((Move{sa, ss}.creditor()), Side::target);
    EXPECT_EQ((Move{tp, to}.creditor()), Side::target);
    EXPECT_EQ((Move{sa, so}.creditor()), std::nullopt);
    EXPECT_EQ((Move{ss, sa}.creditor()), std::nullopt);
    EXPECT_TRUE((Move{ss, tp}.must_drain()));
    EXPECT_FALSE((Move{ss, tp}.must_drain_always()));
    // These forget what is owed, which must then be nothing that the remaining cluster lacks.
    EXPECT_TRUE((Move{tp, to}.must_drain_always()));
    EXPECT_TRUE((Move{tp, so}.must_drain_always()));
    EXPECT_FALSE((Move{sa, so}.must_drain()));
}

TEST(Gates, OfEveryMove) {
    using enum MoveGate;
    EXPECT_THAT(gates_of({so, sa}), ElementsAre(clusters_reachable, schemas_agree, clocks_agree));
    EXPECT_THAT(gates_of({sa, ss}), ElementsAre(clusters_reachable, schemas_agree, copied, no_job_running,
                                                nothing_set_aside, journal_drained));
    EXPECT_THAT(gates_of({ss, tp}), ElementsAre(clusters_reachable, schemas_agree, clocks_agree, copied, verified,
                                                no_job_running, nothing_set_aside, journal_drained));
    EXPECT_THAT(gates_of({tp, to}), ElementsAre(target_reachable, no_job_running, nothing_set_aside, journal_drained));
    EXPECT_THAT(gates_of({tp, ss}),
                ElementsAre(clusters_reachable, schemas_agree, no_job_running, nothing_set_aside, journal_drained));
    EXPECT_THAT(gates_of({tp, so}),
                ElementsAre(clusters_reachable, schemas_agree, no_job_running, nothing_set_aside, journal_drained));
    for (const auto& move : {Move{sa, so}, Move{ss, so}, Move{ss, sa}}) EXPECT_THAT(gates_of(move), IsEmpty());
}

/// Facts with which every gate is open.
Facts good() {
    Facts facts;
    facts.source_ahead = 3ms;
    facts.target_ahead = -4ms;
    facts.allowed_skew = 500ms;
    facts.copy = {CopyState::done, 1200, 1'763'830'920'000'000};
    facts.verify = {VerifyState::clean, 1200, 0, 1'763'830'930'000'000, 1'763'830'940'000'000};
    facts.owed_allowed = 10;
    return facts;
}

GateResult with(MoveGate gate, Move move, const std::function<void(Facts&)>& change) {
    auto facts = good();
    change(facts);
    return check(gate, move, facts);
}

TEST(Gates, OpenWhenAllIsWell) {
    for (const auto from : routing::kPhases) {
        for (const auto target : routing::kPhases) {
            for (const auto& gate : check_all({from, target}, good()))
                EXPECT_TRUE(gate.passed) << to_string(gate.gate) << ": " << gate.detail;
        }
    }
    EXPECT_THAT(check(MoveGate::copied, {sa, ss}, good()).detail,
                HasSubstr("1200 rows copied at 2025-11-22T17:02:00Z"));
    EXPECT_THAT(check(MoveGate::clocks_agree, {so, sa}, good()).detail, HasSubstr("source +3 ms, target -4 ms"));
}

TEST(Gates, EachClosesForItsReason) {
    const Move forward{ss, tp};
    const auto closed = [&](MoveGate gate, const std::function<void(Facts&)>& change) {
        const auto result = with(gate, forward, change);
        EXPECT_FALSE(result.passed) << to_string(gate);
        return result.detail;
    };
    using enum MoveGate;
    EXPECT_EQ(closed(clusters_reachable, [](Facts& f) { f.source_problem = "no node answers"; }),
              "source: no node answers");
    EXPECT_EQ(closed(clusters_reachable, [](Facts& f) { f.target_problem = "no node answers"; }),
              "target: no node answers");
    EXPECT_EQ(closed(target_reachable, [](Facts& f) { f.target_problem = "gone"; }), "target: gone");
    EXPECT_TRUE(with(target_reachable, {tp, to}, [](Facts& f) { f.source_problem = "gone"; }).passed);
    EXPECT_EQ(closed(schemas_agree,
                     [](Facts& f) {
                         f.schema_differences = {"shop.orders is missing", "b"};
                     }),
              "shop.orders is missing (and 1 more)");
    EXPECT_THAT(closed(clocks_agree, [](Facts& f) { f.target_ahead = 2s; }),
                HasSubstr("target is 2000 ms ahead of ours"));
    EXPECT_THAT(closed(clocks_agree, [](Facts& f) { f.source_ahead = -2s; }),
                HasSubstr("source is 2000 ms behind ours"));
    EXPECT_THAT(closed(clocks_agree, [](Facts& f) { f.source_ahead.reset(); }), HasSubstr("not known"));
    EXPECT_THAT(closed(copied, [](Facts& f) { f.copy = {}; }), HasSubstr("not copied since shadowing began"));
    EXPECT_THAT(closed(copied, [](Facts& f) { f.copy.state = CopyState::running; }), HasSubstr("under way"));
    EXPECT_THAT(closed(copied, [](Facts& f) { f.copy.state = CopyState::failed; }), HasSubstr("failed"));
    EXPECT_THAT(closed(verified, [](Facts& f) { f.verify = {}; }), HasSubstr("never verified"));
    EXPECT_THAT(closed(verified, [](Facts& f) { f.verify.state = VerifyState::running; }), HasSubstr("under way"));
    EXPECT_THAT(closed(verified, [](Facts& f) { f.verify.state = VerifyState::failed; }), HasSubstr("failed"));
    EXPECT_THAT(closed(verified,
                       [](Facts& f) {
                           f.verify.state = VerifyState::differences;
                           f.verify.differences = 7;
                       }),
                HasSubstr("7 differences"));
    EXPECT_THAT(closed(verified, [](Facts& f) { f.verify.started_at = 1; }), HasSubstr("before the copy had ended"));
    EXPECT_THAT(closed(journal_drained, [](Facts& f) { f.owed.entries = 11; }),
                HasSubstr("11 writes owed to the target"));
    EXPECT_TRUE(with(journal_drained, forward, [](Facts& f) { f.owed.entries = 10; }).passed);
    EXPECT_THAT(with(journal_drained, {tp, ss}, [](Facts& f) { f.owed.entries = 11; }).detail,
                HasSubstr("owed to the source"));
    EXPECT_THAT(closed(nothing_set_aside, [](Facts& f) { f.owed.set_aside = 2; }),
                HasSubstr("2 writes that the target refused"));
    EXPECT_THAT(closed(no_job_running, [](Facts& f) { f.running = JobKind::copy; }), HasSubstr("a copy is under way"));
}

TEST(Jobs, RunWhileShadowed) {
    for (const auto kind : {JobKind::copy, JobKind::verify}) {
        EXPECT_FALSE(may_run(kind, so));
        EXPECT_TRUE(may_run(kind, sa));
        EXPECT_TRUE(may_run(kind, ss));
        EXPECT_TRUE(may_run(kind, tp));
        EXPECT_FALSE(may_run(kind, to));
    }
    EXPECT_THAT(may_run(JobKind::copy, so).error().what, HasSubstr("switch to shadow_async first"));
}

}  // namespace
}  // namespace penumbra::control
