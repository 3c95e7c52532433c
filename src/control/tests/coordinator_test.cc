#include "control/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/tests/fakes.h"

namespace penumbra::control {
namespace {

using namespace std::chrono_literals;
using routing::Phase;
using routing::Side;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::run_here;
using ::testing::SizeIs;
using testing::TempDirectory;
using testing::World;

/// Runs `story` in a world with migration "acme" of tenant "acme-id" and another tenant's beside it.
void in_world(Task<void> (*story)(World&), CoordinatorOptions options = {}) {
    const TempDirectory directory;
    Shard shard("control");
    World world(directory.path(), std::move(options));
    run_here(shard, [](World& w, Task<void> (*told)(World&)) -> Task<void> {
        const auto started = co_await w.start();
        EXPECT_TRUE(started) << started.error().what;
        auto acme = co_await w.create("acme", "acme-id");
        EXPECT_TRUE(acme);
        auto other = co_await w.create("other", "other-id");
        EXPECT_TRUE(other);
        co_await told(w);
        co_await w.stop();
    }(world, story));
}

const GateResult* gate(const ChangeReport& report, MoveGate wanted) {
    for (const auto& one : report.gates) {
        if (one.gate == wanted) return &one;
    }
    return nullptr;
}

Phase routed_phase(World& w, std::string_view tenant) {
    return w.data_plane.router->table("shop", "orders").of_tenant(bytes_of(tenant)).phase;
}

TEST(Coordinator, TakesATenantAllTheWay) {
    in_world([](World& w) -> Task<void> {
        EXPECT_EQ(routed_phase(w, "acme-id"), Phase::source_only);
        std::uint64_t epoch = w.coordinator->epoch().value();

        auto report = co_await w.switch_to("acme", Phase::shadow_async);
        EXPECT_FALSE(report.refusal);
        EXPECT_GT(report.epoch.value(), epoch);
        epoch = report.epoch.value();
        EXPECT_EQ(report.wait, 1900us);
        EXPECT_EQ(report.held_requests, 3u);
        EXPECT_TRUE(w.data_plane.published_inside_hold);
        EXPECT_THAT(w.data_plane.held, IsEmpty());
        EXPECT_THAT(w.data_plane.settled, ElementsAre(routing::kDefaultScope));
        EXPECT_EQ(w.data_plane.router->epoch().value(), epoch);
        EXPECT_EQ(routed_phase(w, "acme-id"), Phase::shadow_async);
        EXPECT_EQ(routed_phase(w, "other-id"), Phase::source_only);
        const auto shadowed = w.migration("acme");
        EXPECT_TRUE(shadowed.shadow_since.has_value());

        auto copied = co_await w.finish_job("acme", JobKind::copy);
        EXPECT_TRUE(copied);
        EXPECT_EQ(w.migration("acme").copy.state, CopyState::done);
        EXPECT_EQ(w.migration("acme").copy.rows, 40u);
        EXPECT_EQ(w.work.unknown_timestamp, *shadowed.shadow_since - 1'000'000);

        report = co_await w.switch_to("acme", Phase::shadow_sync);
        EXPECT_FALSE(report.refusal);
        auto verified = co_await w.finish_job("acme", JobKind::verify);
        EXPECT_TRUE(verified);
        EXPECT_EQ(w.migration("acme").verify.state, VerifyState::clean);
        report = co_await w.switch_to("acme-id", Phase::target_primary);
        EXPECT_FALSE(report.refusal) << report.refusal->what;
        EXPECT_EQ(report.migration, "acme") << "a tenant stands for the migration that moves it";
        EXPECT_EQ(routed_phase(w, "acme-id"), Phase::target_primary);
        EXPECT_EQ(w.migration("acme").shadow_since, shadowed.shadow_since);

        report = co_await w.command("acme", Command::reverse);
        EXPECT_FALSE(report.refusal);
        EXPECT_EQ(w.migration("acme").phase, Phase::shadow_sync);
        report = co_await w.switch_to("acme", Phase::target_primary);
        EXPECT_FALSE(report.refusal) << "copied and verified still stand";
        EXPECT_THAT(w.owed.forgotten, Not(Contains(w.migration("acme").id)));
        report = co_await w.command("acme", Command::complete);
        EXPECT_FALSE(report.refusal);
        EXPECT_EQ(routed_phase(w, "acme-id"), Phase::target_only);
        EXPECT_THAT(w.owed.forgotten, Contains(w.migration("acme").id));
        report = co_await w.command("acme", Command::cancel);
        EXPECT_EQ(report.refusal->code, Errc::conflict);

        auto log = co_await w.coordinator->audit("acme", 100);
        std::vector<std::string> commands;
        for (const auto& entry : log.value()) commands.push_back(entry.command + " " + entry.outcome);
        EXPECT_THAT(commands,
                    ElementsAre("cancel refused", "complete done", "switch done", "reverse done", "switch done",
                                "verify done", "switch done", "copy done", "switch done", "create done"));
        EXPECT_EQ(log.value()[1].wait, 1900us);
    });
}

TEST(Coordinator, AClosedGateChangesNothing) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        const auto holds = w.data_plane.holds;
        const auto epoch = w.coordinator->epoch();
        auto report = co_await w.switch_to("acme", Phase::shadow_sync);
        EXPECT_EQ(report.refusal->code, Errc::conflict);
        EXPECT_THAT(report.refusal->what,
                    HasSubstr("acme stays in shadow_async: copied: not copied since shadowing began"));
        EXPECT_FALSE(gate(report, MoveGate::copied)->passed);
        EXPECT_TRUE(gate(report, MoveGate::clusters_reachable)->passed);
        EXPECT_EQ(w.data_plane.holds, holds) << "nobody waited for it";
        EXPECT_EQ(w.coordinator->epoch(), epoch);
        EXPECT_EQ(w.migration("acme").phase, Phase::shadow_async);
    });
}

TEST(Coordinator, GatesSeeTheWorld) {
    in_world([](World& w) -> Task<void> {
        ChangeOrder dry;
        dry.migration = "acme";
        dry.to = Phase::shadow_async;
        dry.dry_run = true;
        auto report = co_await w.coordinator->change(dry);
        EXPECT_FALSE(report.refusal);
        EXPECT_TRUE(all_passed(report.gates));
        EXPECT_EQ(w.migration("acme").phase, Phase::source_only);

        w.target.down = true;
        report = co_await w.coordinator->change(dry);
        EXPECT_FALSE(gate(report, MoveGate::clusters_reachable)->passed);
        EXPECT_FALSE(gate(report, MoveGate::clocks_agree)->passed);
        w.target.down = false;
        w.source.ahead = 3s;
        report = co_await w.coordinator->change(dry);
        EXPECT_THAT(gate(report, MoveGate::clocks_agree)->detail, HasSubstr("clock of the source is"));
        w.source.ahead = 0s;
        w.target.tables = testing::shop_schema(false);
        report = co_await w.coordinator->change(dry);
        EXPECT_THAT(gate(report, MoveGate::schemas_agree)->detail, HasSubstr("total"));
        w.target.tables = nullptr;
        report = co_await w.coordinator->change(dry);
        EXPECT_THAT(gate(report, MoveGate::schemas_agree)->detail, HasSubstr("schema of the target is not known"));
        w.target.tables = std::make_shared<cql::Schema>();
        w.source.tables = std::make_shared<cql::Schema>();
        report = co_await w.coordinator->change(dry);
        EXPECT_THAT(gate(report, MoveGate::schemas_agree)->detail,
                    HasSubstr("no table in scope has the tenant column"));
        auto log = co_await w.coordinator->audit("acme", 100);
        EXPECT_THAT(log.value(), SizeIs(1)) << "looking is not a command";
    });
}

TEST(Coordinator, ForceOverridesAndIsRemembered) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        ChangeOrder order;
        order.migration = "acme";
        order.to = Phase::shadow_sync;
        order.force = true;
        auto report = co_await w.coordinator->change(order);
        EXPECT_EQ(report.refusal->code, Errc::invalid_argument);
        EXPECT_THAT(report.refusal->what, HasSubstr("--reason"));
        report = co_await w.switch_to("acme", Phase::shadow_sync, "the copy was done by sstableloader");
        EXPECT_FALSE(report.refusal);
        EXPECT_FALSE(gate(report, MoveGate::copied)->passed);
        auto log = co_await w.coordinator->audit("acme", 1);
        EXPECT_TRUE(log.value()[0].forced);
        EXPECT_EQ(log.value()[0].reason, "the copy was done by sstableloader");
        EXPECT_EQ(log.value()[0].outcome, "done");
        EXPECT_FALSE(all_passed(log.value()[0].gates));
    });
}

CoordinatorOptions impatient() {
    CoordinatorOptions options;
    options.hold_timeout = 60ms;
    options.drain_patience = 10ms;
    return options;
}

TEST(Coordinator, TheFenceWaitsForTheJournal) {
    in_world(
        [](World& w) -> Task<void> {
            auto ready = co_await w.take_to("acme", Phase::shadow_sync);
            EXPECT_TRUE(ready);
            auto verified = co_await w.finish_job("acme", JobKind::verify);
            EXPECT_TRUE(verified);
            const auto id = w.migration("acme").id;
            w.owed.set(Side::target, id, 5);
            // Few enough for the gate, and never paid: the switch gives up, and nothing has changed.
            auto report = co_await w.switch_to("acme", Phase::target_primary);
            EXPECT_EQ(report.refusal->code, Errc::timeout);
            EXPECT_THAT(report.refusal->what, HasSubstr("the target was still owed 5 writes"));
            EXPECT_THAT(w.data_plane.held, IsEmpty());
            EXPECT_EQ(routed_phase(w, "acme-id"), Phase::shadow_sync);
            EXPECT_EQ(w.migration("acme").phase, Phase::shadow_sync);
            auto log = co_await w.coordinator->audit("acme", 1);
            EXPECT_EQ(log.value()[0].outcome, "failed");

            // Everything is paid, but the rows of an order are still being made equal.
            w.data_plane.borrowed = true;
            w.data_plane.on_hold = [&w, id] { w.owed.set(Side::target, id, 0); };
            report = co_await w.switch_to("acme", Phase::target_primary);
            EXPECT_THAT(report.refusal->what, HasSubstr("still being made equal"));
            EXPECT_EQ(w.migration("acme").phase, Phase::shadow_sync);
            w.data_plane.borrowed = false;

            // Paid while the fence stands, under its hold: the switch goes through.
            w.data_plane.on_hold = [&w, id] {
                Shard::here().call_in(20ms, [&w, id] {
                    EXPECT_TRUE(w.data_plane.shared.contains(id));
                    w.owed.set(Side::target, id, 0);
                });
            };
            w.owed.set(Side::target, id, 5);
            report = co_await w.switch_to("acme", Phase::target_primary);
            EXPECT_FALSE(report.refusal);
            EXPECT_THAT(w.data_plane.shared, IsEmpty());

            // The way back asks what the source is owed.
            w.data_plane.on_hold = nullptr;
            w.owed.set(Side::source, id, 2);
            report = co_await w.command("acme", Command::reverse);
            EXPECT_EQ(report.refusal->code, Errc::timeout);
            ChangeOrder forced;
            forced.migration = "acme";
            forced.command = Command::cancel;
            forced.force = true;
            forced.reason = "hurry";
            report = co_await w.coordinator->change(forced);
            EXPECT_EQ(report.refusal->code, Errc::timeout) << "cancelling would forget what the source lacks";
            EXPECT_EQ(w.owed.of(Side::source, id).entries, 2u);
            forced.command = Command::reverse;
            report = co_await w.coordinator->change(forced);
            EXPECT_FALSE(report.refusal) << "reversing keeps it owed";
            EXPECT_EQ(w.owed.of(Side::source, id).entries, 2u);
        },
        impatient());
}

TEST(Coordinator, TooMuchOwedDoesNotEvenHold) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_sync);
        EXPECT_TRUE(ready);
        auto verified = co_await w.finish_job("acme", JobKind::verify);
        EXPECT_TRUE(verified);
        const auto holds = w.data_plane.holds;
        w.owed.set(Side::target, w.migration("acme").id, 5000, 1);
        auto report = co_await w.switch_to("acme", Phase::target_primary);
        EXPECT_FALSE(gate(report, MoveGate::journal_drained)->passed);
        EXPECT_FALSE(gate(report, MoveGate::nothing_set_aside)->passed);
        EXPECT_EQ(w.data_plane.holds, holds);
    });
}

TEST(Coordinator, RequestsThatDoNotEndStopAChange) {
    in_world([](World& w) -> Task<void> {
        w.data_plane.stuck = true;
        auto report = co_await w.switch_to("acme", Phase::shadow_async);
        EXPECT_EQ(report.refusal->code, Errc::timeout);
        EXPECT_THAT(report.refusal->what, HasSubstr("nothing changed: 2 requests are still under way"));
        EXPECT_EQ(w.migration("acme").phase, Phase::source_only);
        EXPECT_EQ(w.migration("acme").shadow_since, std::nullopt);
    });
}

TEST(Coordinator, CancelForgetsTheShadow) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_sync);
        EXPECT_TRUE(ready);
        const auto id = w.migration("acme").id;
        w.owed.set(Side::target, id, 5000, 7);
        EXPECT_TRUE(w.coordinator->replay_scope(id).has_value());
        w.work.waits = true;
        auto job = co_await w.coordinator->start_job("acme", JobKind::copy, false);
        EXPECT_TRUE(job);
        auto report = co_await w.command("acme", Command::cancel);
        EXPECT_FALSE(report.refusal);
        EXPECT_THAT(report.gates, IsEmpty());
        EXPECT_EQ(w.owed.of(Side::target, id).entries, 0u);
        EXPECT_FALSE(w.coordinator->replay_scope(id).has_value());
        auto ended = co_await w.coordinator->job(job.value().record.id);
        EXPECT_EQ(ended.value().record.state, JobState::cancelled);
        const auto after = w.migration("acme");
        EXPECT_EQ(after.phase, Phase::source_only);
        EXPECT_EQ(after.shadow_since, std::nullopt);
        EXPECT_EQ(after.copy, CopyRecord{});
        EXPECT_EQ(after.verify, VerifyRecord{});
        // A new beginning copies everything again.
        w.work.waits = false;
        w.work.portions_skipped = 0;
        ready = co_await w.take_to("acme", Phase::shadow_sync);
        EXPECT_TRUE(ready);
        EXPECT_EQ(w.work.portions_skipped, 0u);
    });
}

TEST(Coordinator, AJobStandsInTheWayOfASwitch) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_sync);
        EXPECT_TRUE(ready);
        w.work.waits = true;
        auto job = co_await w.coordinator->start_job("acme", JobKind::verify, false);
        EXPECT_TRUE(job);
        auto second = co_await w.coordinator->start_job("acme", JobKind::copy, false);
        EXPECT_EQ(second.error().code, Errc::conflict);
        EXPECT_THAT(second.error().what, HasSubstr("verify 2 is under way"));
        auto report = co_await w.switch_to("acme", Phase::target_primary);
        EXPECT_FALSE(gate(report, MoveGate::no_job_running)->passed);
        EXPECT_FALSE(gate(report, MoveGate::verified)->passed);
        w.work.waits = false;
        co_await sleep(50ms);
        report = co_await w.switch_to("acme", Phase::target_primary);
        EXPECT_FALSE(report.refusal);
    });
}

TEST(Coordinator, JobsTellHowTheyEnded) {
    in_world([](World& w) -> Task<void> {
        auto early = co_await w.coordinator->start_job("acme", JobKind::copy, false);
        EXPECT_EQ(early.error().code, Errc::conflict);
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        w.work.fails = true;
        auto failed = co_await w.finish_job("acme", JobKind::copy);
        EXPECT_EQ(failed.value().record.state, JobState::failed);
        EXPECT_EQ(failed.value().record.error, "no node of the target is up");
        EXPECT_EQ(w.migration("acme").copy.state, CopyState::failed);
        w.work.fails = false;
        auto copied = co_await w.finish_job("acme", JobKind::copy);
        EXPECT_EQ(copied.value().record.state, JobState::done);
        EXPECT_EQ(w.work.portions_skipped, 2u) << "goes on where the failed one ended";
        EXPECT_EQ(copied.value().record.report.rows, 40u);
        EXPECT_EQ(copied.value().progress.done, 4u);

        w.work.differences = 2;
        auto verified = co_await w.finish_job("acme", JobKind::verify);
        EXPECT_EQ(verified.value().record.state, JobState::done);
        EXPECT_EQ(verified.value().record.report.differences, 2u);
        EXPECT_THAT(verified.value().record.report.samples, SizeIs(1));
        EXPECT_EQ(w.migration("acme").verify.state, VerifyState::differences);
        verified = co_await w.finish_job("acme", JobKind::verify, true);
        EXPECT_EQ(verified.value().record.report.repaired, 2u);
        EXPECT_EQ(w.migration("acme").verify.state, VerifyState::clean);
        auto none = co_await w.coordinator->job(JobId(99));
        EXPECT_EQ(none.error().code, Errc::not_found);
    });
}

TEST(Coordinator, ScopesDoNotOverlap) {
    in_world([](World& w) -> Task<void> {
        auto again = co_await w.create("acme", "x");
        EXPECT_EQ(again.error().code, Errc::already_exists);
        auto overlap = co_await w.create("third", "x,other-id");
        EXPECT_EQ(overlap.error().code, Errc::conflict);
        EXPECT_THAT(overlap.error().what, HasSubstr("overlaps that of migration 'other'"));
        for (const auto* bad : {"", "-x", "a b", "a/b"}) {
            auto named = co_await w.create(bad, "x");
            EXPECT_EQ(named.error().code, Errc::invalid_argument) << bad;
        }
        auto missing = co_await w.switch_to("nobody", Phase::shadow_async);
        EXPECT_EQ(missing.refusal->code, Errc::not_found);

        auto ready = co_await w.take_to("other", Phase::shadow_async);
        EXPECT_TRUE(ready);
        auto kept = co_await w.coordinator->remove("other");
        EXPECT_EQ(kept.error().code, Errc::conflict);
        auto cancelled = co_await w.command("other", Command::cancel);
        EXPECT_FALSE(cancelled.refusal);
        const auto old_id = w.migration("other").id;
        auto removed = co_await w.coordinator->remove("other");
        EXPECT_TRUE(removed);
        auto third = co_await w.create("third", "other-id,x,x");
        EXPECT_GT(third.value().id, old_id);
        EXPECT_THAT(third.value().scope.tenants, ElementsAre("other-id", "x"));
        auto log = co_await w.coordinator->audit("other", 1);
        EXPECT_EQ(log.value()[0].command, "delete") << "the log outlives the migration";
    });
}

TEST(Coordinator, ATenantOfTwoMigrationsIsAmbiguous) {
    const TempDirectory directory;
    Shard shard("control");
    World world(directory.path());
    run_here(shard, [](World& w) -> Task<void> {
        auto started = co_await w.start();
        EXPECT_TRUE(started);
        for (const auto* table : {"shop.orders", "shop.other"}) {
            NewMigration order;
            order.name = std::string("m-") + table;
            order.scope.tenants = {"acme-id"};
            order.scope.allow = {routing::TablePattern::parse(table).value()};
            auto created = co_await w.coordinator->create(order);
            EXPECT_TRUE(created);
        }
        EXPECT_EQ(w.coordinator->find("acme-id").error().code, Errc::conflict);
        EXPECT_TRUE(w.coordinator->find("m-shop.orders"));
        co_await w.stop();
    }(world));
}

TEST(Coordinator, CommandsStandInLine) {
    in_world([](World& w) -> Task<void> {
        std::vector<Task<ChangeReport>> all;
        all.push_back(w.switch_to("acme", Phase::shadow_async));
        all.push_back(w.switch_to("other", Phase::shadow_async));
        all.push_back(w.switch_to("acme", Phase::shadow_async));
        auto reports = co_await when_all(std::move(all));
        EXPECT_FALSE(reports[0].refusal);
        EXPECT_FALSE(reports[1].refusal);
        EXPECT_TRUE(reports[2].refusal) << "it saw what the first had done";
        EXPECT_LT(reports[0].epoch, reports[1].epoch);
    });
}

TEST(Coordinator, ASchemaChangeKeepsTheEpoch) {
    in_world([](World& w) -> Task<void> {
        const auto before = w.data_plane.router;
        co_await w.coordinator->on_schema();
        EXPECT_NE(w.data_plane.router, before);
        EXPECT_EQ(w.data_plane.router->epoch(), before->epoch());
    });
}

TEST(Coordinator, RoutesByTheSchemaOfTheDefaultPhasesPrimary) {
    for (const auto phase : {Phase::source_only, Phase::target_only}) {
        const TempDirectory directory;
        Shard shard("control");
        CoordinatorOptions options;
        options.default_phase = phase;
        World world(directory.path(), options);
        world.target.tables = testing::shop_schema(false);
        run_here(shard, [](World& w) -> Task<void> {
            const auto started = co_await w.start();
            EXPECT_TRUE(started);
            const bool target = w.data_plane.router->default_phase() == Phase::target_only;
            auto& authority = target ? w.target : w.source;
            auto& other = target ? w.source : w.target;
            EXPECT_EQ(w.data_plane.router->schema(), authority.tables);
            authority.tables = nullptr;  // It has not told yet, and what the other knows is better than nothing.
            co_await w.coordinator->on_schema();
            EXPECT_EQ(w.data_plane.router->schema(), other.tables);
            co_await w.stop();
        }(world));
    }
}

TEST(Coordinator, TellsItsNumbers) {
    in_world([](World& w) -> Task<void> {
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        metrics::MetricWriter out;
        co_await w.coordinator->collect(&out);
        const auto text = out.text();
        EXPECT_THAT(text, HasSubstr("penumbra_migration_phase{migration=\"acme\",phase=\"shadow_async\"} 1\n"));
        EXPECT_THAT(text, HasSubstr("penumbra_phase_changes_total{outcome=\"done\"} 1\n"));
        EXPECT_THAT(text, HasSubstr("penumbra_phase_change_wait_seconds_count 1\n"));
        EXPECT_THAT(text, HasSubstr("penumbra_requests_total 1000\n"));
        EXPECT_THAT(text, HasSubstr("penumbra_cluster_nodes_up{cluster=\"target\"} 1\n"));
    });
}

/// One life of a process: start, `story`, stop.
void live(const std::filesystem::path& directory, Task<void> (*story)(World&), CoordinatorOptions options = {}) {
    Shard shard("control");
    World world(directory, std::move(options));
    run_here(shard, [](World& w, Task<void> (*told)(World&)) -> Task<void> {
        const auto started = co_await w.start();
        EXPECT_TRUE(started) << started.error().what;
        co_await told(w);
        co_await w.stop();
    }(world, story));
}

TEST(Restart, ACopyGoesOnWhereItWas) {
    const TempDirectory directory;
    live(directory.path(), [](World& w) -> Task<void> {
        auto acme = co_await w.create("acme", "acme-id");
        EXPECT_TRUE(acme);
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        w.work.waits = true;
        auto job = co_await w.coordinator->start_job("acme", JobKind::copy, false);
        EXPECT_TRUE(job);
        while (w.work.portions_done < 2) co_await sleep(1ms);
    });
    live(directory.path(), [](World& w) -> Task<void> {
        EXPECT_EQ(w.migration("acme").phase, Phase::shadow_async);
        for (;;) {
            auto job = co_await w.coordinator->job(JobId(1));
            EXPECT_TRUE(job);
            if (job.value().record.state != JobState::running) {
                EXPECT_EQ(job.value().record.state, JobState::done);
                EXPECT_EQ(job.value().record.report.rows, 40u);
                break;
            }
            co_await sleep(1ms);
        }
        EXPECT_EQ(w.work.portions_skipped, 2u);
        EXPECT_EQ(w.work.portions_done, 2u);
        EXPECT_EQ(w.migration("acme").copy.state, CopyState::done);
    });
}

TEST(Restart, AVerifyIsRunAgain) {
    const TempDirectory directory;
    live(directory.path(), [](World& w) -> Task<void> {
        auto acme = co_await w.create("acme", "acme-id");
        EXPECT_TRUE(acme);
        auto ready = co_await w.take_to("acme", Phase::shadow_async);
        EXPECT_TRUE(ready);
        w.work.waits = true;
        auto job = co_await w.coordinator->start_job("acme", JobKind::verify, false);
        EXPECT_TRUE(job);
    });
    live(directory.path(), [](World& w) -> Task<void> {
        auto job = co_await w.coordinator->job(JobId(1));
        EXPECT_EQ(job.value().record.state, JobState::failed);
        EXPECT_THAT(job.value().record.error, HasSubstr("run it again"));
        EXPECT_EQ(w.migration("acme").verify.state, VerifyState::failed);
        EXPECT_EQ(w.work.started, 0u);
    });
}

TEST(Restart, AnotherTenantColumnIsRefused) {
    const TempDirectory directory;
    live(directory.path(), [](World& w) -> Task<void> {
        auto acme = co_await w.create("acme", "acme-id");
        EXPECT_TRUE(acme);
    });
    Shard shard("control");
    CoordinatorOptions options;
    options.tenant_column = "customer";
    World world(directory.path(), options);
    run_here(shard, [](World& w) -> Task<void> {
        const auto started = co_await w.start();
        EXPECT_EQ(started.error().code, Errc::conflict);
        EXPECT_THAT(started.error().what, HasSubstr("tenant column 'system_domain_id'"));
        co_await w.stop();
    }(world));
}

TEST(Restart, AnotherDefaultPhaseIsAnotherEpoch) {
    const TempDirectory directory;
    static routing::Epoch before;
    live(directory.path(), [](World& w) -> Task<void> {
        before = w.coordinator->epoch();
        co_return;
    });
    live(directory.path(), [](World& w) -> Task<void> {
        EXPECT_EQ(w.coordinator->epoch(), before);
        co_return;
    });
    CoordinatorOptions options;
    options.default_phase = Phase::shadow_async;
    live(
        directory.path(),
        [](World& w) -> Task<void> {
            EXPECT_GT(w.coordinator->epoch(), before);
            EXPECT_EQ(w.data_plane.router->default_phase(), Phase::shadow_async);
            auto refused = co_await w.create("acme", "acme-id");
            EXPECT_EQ(refused.error().code, Errc::conflict);
        },
        options);
}

}  // namespace
}  // namespace penumbra::control
