#include "control/state_store.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/sqlite.h"
#include "control/tests/fakes.h"

namespace penumbra::control {
namespace {

using routing::Phase;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempDirectory;

Migration acme() {
    Migration migration;
    migration.name = "acme";
    migration.scope.tenants = {"5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10", "with \"quotes\" and ünïcode"};
    migration.scope.allow = {routing::TablePattern::parse("shop.*").value()};
    migration.scope.deny = {routing::TablePattern::parse("*.migrations").value()};
    migration.created_at = 1'700'000'000'000'000;
    return migration;
}

TEST(StateStore, FilesAreTheUsersAlone) {
    const TempDirectory directory;
    const auto state = directory.path() / "new" / "deep";
    auto store = StateStore::open(state).value();
    ASSERT_TRUE(store.create(acme()));
    namespace fs = std::filesystem;
    EXPECT_EQ(fs::status(state).permissions(), fs::perms::owner_all);
    for (const auto* name : {"lock", "state.db", "state.db-wal", "state.db-shm"})
        EXPECT_EQ(fs::status(state / name).permissions(), fs::perms::owner_read | fs::perms::owner_write) << name;
}

TEST(StateStore, CanBeLookedAtWhileSomebodyHasIt) {
    const TempDirectory directory;
    EXPECT_FALSE(StateStore::peek(directory.path())) << "nothing there, and nothing made";
    EXPECT_FALSE(std::filesystem::exists(directory.path() / "state.db"));
    auto store = StateStore::open(directory.path()).value();
    ASSERT_TRUE(store.create(acme()));
    EXPECT_EQ(StateStore::peek(directory.path()).value().at(0).name, "acme");
}

TEST(StateStore, KeepsEverythingOverReopening) {
    const TempDirectory directory;
    Migration expected;
    {
        auto store = StateStore::open(directory.path() / "new" / "deep").value();
        EXPECT_EQ(store.epoch().value().value(), 0u);
        expected = store.create(acme()).value();
        EXPECT_EQ(expected.id.value(), 1u);
        EXPECT_EQ(expected.epoch.value(), 1u);
        expected.phase = Phase::shadow_async;
        expected.shadow_since = 1'700'000'001'000'000;
        expected.last_switch =
            LastSwitch{Phase::source_only, Phase::shadow_async, Nanos(1'900'000), 3, 1'700'000'001'000'000};
        expected.epoch = store.advance(expected, StateStore::Work::keep).value();
        ASSERT_TRUE(store.set_note("tenant_column", "t"));
    }
    auto store = StateStore::open(directory.path() / "new" / "deep").value();
    const auto kept = store.migrations().value();
    ASSERT_THAT(kept, SizeIs(1));
    EXPECT_EQ(kept[0].id, expected.id);
    EXPECT_EQ(kept[0].name, expected.name);
    EXPECT_EQ(kept[0].scope.tenants, expected.scope.tenants);
    EXPECT_EQ(kept[0].scope.allow, expected.scope.allow);
    EXPECT_EQ(kept[0].scope.deny, expected.scope.deny);
    EXPECT_EQ(kept[0].phase, expected.phase);
    EXPECT_EQ(kept[0].epoch, expected.epoch);
    EXPECT_EQ(kept[0].created_at, expected.created_at);
    EXPECT_EQ(kept[0].shadow_since, expected.shadow_since);
    EXPECT_EQ(kept[0].last_switch, expected.last_switch);
    EXPECT_EQ(kept[0].copy, expected.copy);
    EXPECT_EQ(kept[0].verify, expected.verify);
    EXPECT_EQ(store.epoch().value().value(), 2u);
    EXPECT_EQ(store.note("tenant_column").value(), "t");
    EXPECT_EQ(store.note("nothing").value(), std::nullopt);
}

TEST(StateStore, IdsAndEpochsAreNeverGivenOutAgain) {
    const TempDirectory directory;
    auto store = StateStore::open(directory.path()).value();
    const auto first = store.create(acme()).value();
    EXPECT_EQ(store.create(acme()).error().code, Errc::already_exists);
    EXPECT_EQ(store.epoch().value(), first.epoch) << "a failed transaction leaves no epoch behind";
    EXPECT_EQ(store.remove(first.id).value().value(), first.epoch.value() + 1);
    const auto second = store.create(acme()).value();
    EXPECT_GT(second.id, first.id);
    EXPECT_GT(second.epoch.value(), first.epoch.value() + 1);
    EXPECT_EQ(store.advance(first, StateStore::Work::keep).error().code, Errc::not_found);
    EXPECT_EQ(store.raise_epoch().value().value(), second.epoch.value() + 1);
}

TEST(StateStore, OneProcessAtATime) {
    const TempDirectory directory;
    {
        const auto store = StateStore::open(directory.path());
        ASSERT_TRUE(store);
        const auto second = StateStore::open(directory.path());
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::conflict);
        EXPECT_THAT(second.error().what,
                    HasSubstr("in use by another penumbra (process " + std::to_string(getpid()) + ")"));
    }
    EXPECT_TRUE(StateStore::open(directory.path()));
}

TEST(StateStore, BadFilesAreNamed) {
    const TempDirectory directory;
    std::ofstream(directory.path() / "state.db") << std::string(8192, 'x');
    const auto opened = StateStore::open(directory.path());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_THAT(opened.error().what, HasSubstr("state.db"));

    const TempDirectory newer;
    {
        auto db = Database::open(newer.path() / "state.db").value();
        ASSERT_TRUE(db.execute("PRAGMA user_version = 99"));
    }
    const auto refused = StateStore::open(newer.path());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_THAT(refused.error().what, HasSubstr("written by a newer penumbra"));

    EXPECT_THAT(StateStore::open("/proc/nowhere").error().what,
                HasSubstr("cannot make the state directory /proc/nowhere"));
}

TEST(StateStore, JobsAndTheirPortions) {
    const TempDirectory directory;
    auto store = StateStore::open(directory.path()).value();
    auto migration = store.create(acme()).value();
    JobRecord job;
    job.scope = migration.id;
    job.migration = migration.name;
    job.started_at = 5;
    migration.copy.state = CopyState::running;
    job.id = store.begin_job(job, migration).value();
    const std::vector<sync::Portion> portions{{"shop", "orders", {cql::Token(-5), cql::Token(7)}, ""},
                                              {"shop", "orders", {cql::kMinToken, cql::kMaxToken}, "acme"}};
    job.done = 2;
    job.total = 9;
    job.report.rows = 40;
    ASSERT_TRUE(store.add_portions(portions, job));
    ASSERT_TRUE(store.add_portions(portions, job)) << "told twice is told once";
    EXPECT_THAT(store.portions(migration.id).value(), ::testing::UnorderedElementsAreArray(portions));
    EXPECT_THAT(store.running_jobs().value(), SizeIs(1));
    EXPECT_EQ(store.migrations().value()[0].copy.state, CopyState::running);

    job.state = JobState::done;
    job.finished_at = 6;
    job.report.differences = 1;
    job.report.samples.push_back({"shop.orders", "id='x'", "total", sync::DifferenceKind::write_time, "1", "2"});
    migration.copy = {CopyState::done, 40, 6};
    // What belongs to others is not written with it.
    migration.verify.state = VerifyState::clean;
    ASSERT_TRUE(store.end_job(job, migration));
    const auto read = store.job(job.id).value();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->done, 2u);
    EXPECT_EQ(read->report.rows, 40u);
    ASSERT_THAT(read->report.samples, SizeIs(1));
    EXPECT_EQ(read->report.samples[0].kind, sync::DifferenceKind::write_time);
    EXPECT_EQ(store.migrations().value()[0].copy, migration.copy);
    EXPECT_EQ(store.migrations().value()[0].verify.state, VerifyState::none);
    EXPECT_THAT(store.running_jobs().value(), IsEmpty());
    EXPECT_EQ(store.job(JobId(77)).value(), std::nullopt);

    migration.phase = Phase::shadow_async;
    ASSERT_TRUE(store.advance(migration, StateStore::Work::forget_all));
    EXPECT_THAT(store.portions(migration.id).value(), IsEmpty());
    EXPECT_EQ(store.migrations().value()[0].copy, CopyRecord{});
}

TEST(StateStore, TheAuditLogKeepsWhatWasCutOff) {
    const TempDirectory directory;
    auto store = StateStore::open(directory.path()).value();
    AuditEntry entry;
    entry.at = 1;
    entry.migration = "acme";
    entry.command = "switch";
    entry.from = Phase::source_only;
    entry.to = Phase::shadow_async;
    entry.gates = {{MoveGate::copied, false, "not \"yet\""}};
    entry.forced = true;
    entry.reason = "we must";
    entry.outcome = "started";
    entry.id = store.begin_audit(entry).value();
    auto second = entry;
    second.id = store.begin_audit(second).value();
    second.outcome = "done";
    second.epoch = 9;
    second.wait = Nanos(5);
    second.held_requests = 2;
    ASSERT_TRUE(store.end_audit(second));
    ASSERT_TRUE(store.mark_interrupted(3));
    const auto log = store.audit("acme", 10).value();
    ASSERT_THAT(log, SizeIs(2));
    EXPECT_EQ(log[0].outcome, "done");
    EXPECT_EQ(log[0].epoch, 9u);
    EXPECT_EQ(log[0].wait, Nanos(5));
    EXPECT_EQ(log[1].outcome, "interrupted");
    EXPECT_TRUE(log[1].forced);
    EXPECT_EQ(log[1].reason, "we must");
    ASSERT_THAT(log[1].gates, SizeIs(1));
    EXPECT_EQ(log[1].gates[0].detail, "not \"yet\"");
    EXPECT_EQ(log[1].wait, std::nullopt);
    EXPECT_THAT(store.audit("acme", 1).value(), SizeIs(1));
    EXPECT_THAT(store.audit("other", 10).value(), IsEmpty());
}

}  // namespace
}  // namespace penumbra::control
