#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/tests/fakes.h"

/// A process that dies at each step of each change, for real: a child runs the change and leaves by _exit() at the
/// step; the parent then lives on in the same state directory.
namespace penumbra::control {
namespace {

using routing::Phase;
using testing::run_here;
using testing::TempDirectory;
using testing::World;

constexpr int kDied = 42;

struct Change {
    Phase from;
    Command command;
    Phase to;
};

ChangeOrder order_of(const Change& change) {
    ChangeOrder order;
    order.migration = "acme";
    order.command = change.command;
    if (change.command == Command::switch_) order.to = change.to;
    return order;
}

Task<void> bring_to(World& w, Phase from) {
    const auto started = co_await w.start();
    EXPECT_TRUE(started);
    auto created = co_await w.create("acme", "acme-id");
    EXPECT_TRUE(created);
    auto ready = co_await w.take_to("acme", from);
    EXPECT_TRUE(ready) << ready.error().what;
    if (from == Phase::shadow_async) {
        auto copied = co_await w.finish_job("acme", JobKind::copy);
        EXPECT_TRUE(copied);
    }
    if (from == Phase::shadow_sync) {
        auto verified = co_await w.finish_job("acme", JobKind::verify);
        EXPECT_TRUE(verified);
    }
    co_await w.stop();
}

Task<void> run_change(World& w, Change change) {
    const auto started = co_await w.start();
    EXPECT_TRUE(started);
    const auto report = co_await w.coordinator->change(order_of(change));
    EXPECT_FALSE(report.refusal) << report.refusal->what;
    co_await w.stop();
}

/// True when the child died at the step; false when the change has no such step.
bool die_at(const std::filesystem::path& directory, const Change& change, const std::string& step) {
    const auto child = ::fork();
    if (child == 0) {
        CoordinatorOptions options;
        options.at_step = [&step](std::string_view name) {
            if (name == step) ::_exit(kDied);
        };
        {
            Shard shard("control");
            World world(directory, options);
            run_here(shard, run_change(world, change));
        }
        ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    const int code = WEXITSTATUS(status);
    EXPECT_TRUE(code == 0 || code == kDied) << "the child failed";
    return code == kDied;
}

Task<void> check_after(World& w, Change change, std::uint64_t epoch_before, bool persisted, bool recorded) {
    const auto started = co_await w.start();
    EXPECT_TRUE(started);
    const auto found = w.migration("acme");
    EXPECT_EQ(found.phase, persisted ? change.to : change.from);
    EXPECT_EQ(found.shadow_since.has_value(), routing::is_shadowed(found.phase) || found.phase == Phase::target_only);
    if (persisted) {
        EXPECT_GT(w.coordinator->epoch().value(), epoch_before);
    }
    // What is published agrees with what is stored.
    EXPECT_EQ(w.data_plane.router->epoch(), w.coordinator->epoch());
    EXPECT_EQ(w.data_plane.router->table("shop", "orders").of_tenant(bytes_of("acme-id")).phase, found.phase);
    // A scope that is not shadowed is owed nothing, even if we died before the journal heard of it.
    EXPECT_EQ(std::ranges::find(w.owed.forgotten, found.id) != w.owed.forgotten.end(),
              !routing::is_shadowed(found.phase));
    if (recorded) {
        auto log = co_await w.coordinator->audit("acme", 1);
        EXPECT_EQ(log.value()[0].outcome, "interrupted");
        EXPECT_EQ(log.value()[0].to, change.to);
    }
    // Whoever asks again gets there.
    const auto again = co_await w.coordinator->change(order_of(change));
    if (persisted) {
        EXPECT_TRUE(again.refusal) << "it is there already";
    } else {
        EXPECT_FALSE(again.refusal) << again.refusal->what;
    }
    EXPECT_EQ(w.migration("acme").phase, change.to);
    co_await w.stop();
}

TEST(Crash, AtEveryStepOfEveryChange) {
    const std::vector<Change> changes{{Phase::source_only, Command::switch_, Phase::shadow_async},
                                      {Phase::shadow_async, Command::switch_, Phase::shadow_sync},
                                      {Phase::shadow_sync, Command::switch_, Phase::target_primary},
                                      {Phase::target_primary, Command::reverse, Phase::shadow_sync},
                                      {Phase::target_primary, Command::complete, Phase::target_only},
                                      {Phase::shadow_sync, Command::cancel, Phase::source_only},
                                      {Phase::target_primary, Command::cancel, Phase::source_only}};
    const std::vector<std::string> steps{"audited",   "held",      "drained",   "deciding",
                                         "persisted", "published", "forgotten", "released"};
    int deaths = 0;
    for (const auto& change : changes) {
        const TempDirectory prepared;
        {
            Shard shard("control");
            World world(prepared.path());
            run_here(shard, bring_to(world, change.from));
        }
        const auto epoch = StateStore::open(prepared.path()).value().epoch().value().value();
        bool persisted = false;
        for (const auto& step : steps) {
            SCOPED_TRACE(std::string(routing::to_string(change.from)) + " " + std::string(to_string(change.command)) +
                         " at " + step);
            const TempDirectory directory;
            std::filesystem::copy(prepared.path(), directory.path(), std::filesystem::copy_options::recursive);
            persisted = persisted || step == "persisted";
            if (!die_at(directory.path(), change, step)) continue;
            ++deaths;
            Shard shard("control");
            World world(directory.path());
            run_here(shard, check_after(world, change, epoch, persisted, true));
        }
    }
    EXPECT_GE(deaths, 7 * 6);
}

TEST(Crash, WhileAMigrationIsMade) {
    const TempDirectory directory;
    const auto child = ::fork();
    if (child == 0) {
        CoordinatorOptions options;
        options.at_step = [](std::string_view name) {
            if (name == "created") ::_exit(kDied);
        };
        Shard shard("control");
        World world(directory.path(), options);
        run_here(shard, [](World& w) -> Task<void> {
            const auto started = co_await w.start();
            EXPECT_TRUE(started);
            auto created = co_await w.create("acme", "acme-id");
            EXPECT_TRUE(created);
        }(world));
        ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), kDied);
    Shard shard("control");
    World world(directory.path());
    run_here(shard, [](World& w) -> Task<void> {
        const auto started = co_await w.start();
        EXPECT_TRUE(started);
        EXPECT_EQ(w.migration("acme").phase, Phase::source_only);
        EXPECT_EQ(w.data_plane.router->migrations().size(), 1u);
        co_await w.stop();
    }(world));
}

}  // namespace
}  // namespace penumbra::control
