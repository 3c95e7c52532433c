#include "control/tests/power_cut.h"

#include <array>
#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/state_store.h"
#include "control/tests/fakes.h"

/// The state store on a disk that forgets what was not synced, with the power cut in front of every call that changes
/// the disk: a change of phase that was reported is there afterwards, and one that was not is there whole or not at
/// all.
namespace penumbra::control {
namespace {

using routing::Phase;
using testing::cut_power;
using testing::Keeps;
using testing::TempDirectory;

constexpr std::uint64_t kSteps = 6;

Migration migration_of(std::uint64_t step) {
    Migration migration;
    migration.name = fmt::format("m{}", step);
    migration.scope.tenants = {fmt::format("tenant-{}", step), std::string(3000, 'x')};  // several pages
    migration.created_at = static_cast<WallMicros>(step);
    return migration;
}

/// Each step raises the epoch by one.
Status take_step(StateStore& store, std::uint64_t step) {
    if (step % 3 == 0) {
        TRY(const auto made, store.create(migration_of(step)));
        return made.epoch.value() == step + 1 ? ok() : Status(fail(Errc::internal, "another epoch"));
    }
    TRY(auto all, store.migrations());
    auto& last = all.back();
    last.phase = step % 3 == 1 ? Phase::shadow_async : Phase::source_only;
    last.shadow_since = step % 3 == 1 ? std::optional<WallMicros>(5) : std::nullopt;
    TRY(const auto epoch, store.advance(last, StateStore::Work::forget_all));
    AuditEntry audit;
    audit.migration = last.name;
    audit.command = "switch";
    audit.outcome = "done";
    TRY(const auto noted, store.begin_audit(audit));
    return noted > 0 && epoch.value() == step + 1 ? ok() : Status(fail(Errc::internal, "another epoch"));
}

/// In a child: steps until the power goes or all are done. Each that was reported as done is told through the pipe.
[[noreturn]] void run_steps(const std::filesystem::path& directory, int tell) {
    auto opened_store = StateStore::open(directory);
    if (!opened_store) ::_exit(2);
    std::optional<StateStore> store(std::move(opened_store.value()));
    const char opened = 'o';
    if (::write(tell, &opened, 1) != 1) ::_exit(3);
    for (std::uint64_t step = 0; step < kSteps; ++step) {
        if (!take_step(*store, step)) ::_exit(4);
        const char done = 's';
        if (::write(tell, &done, 1) != 1) ::_exit(3);
    }
    // Closing is part of it: the log is written back there.
    store.reset();
    ::_exit(0);
}

void check(const std::filesystem::path& directory, std::uint64_t told, const std::string& when) {
    auto store = StateStore::open(directory);
    ASSERT_TRUE(store) << when << ": " << store.error().what;
    const auto epoch = store.value().epoch().value().value();
    EXPECT_GE(epoch, told) << when << ": reported, and gone";
    EXPECT_LE(epoch, told + 1) << when;
    const auto all = store.value().migrations();
    ASSERT_TRUE(all) << when;
    EXPECT_EQ(all.value().size(), (epoch + 2) / 3) << when;
    for (const auto& migration : all.value()) {
        EXPECT_EQ(migration.scope.tenants.at(1).size(), 3000u) << when;
        EXPECT_EQ(migration.shadow_since.has_value(), migration.phase == Phase::shadow_async) << when;
    }
    if (epoch > 0) {
        EXPECT_EQ(all.value().back().epoch.value(), epoch) << when;
        const auto expected = (epoch - 1) % 3 == 1 ? Phase::shadow_async : Phase::source_only;
        EXPECT_EQ(all.value().back().phase, expected) << when;
    }
    // And it goes on.
    for (auto step = epoch; step < epoch + 3; ++step) {
        const auto done = take_step(store.value(), step);
        EXPECT_TRUE(done) << when << ": " << done.error().what;
    }
}

class PowerCut : public ::testing::TestWithParam<Keeps> {};

TEST_P(PowerCut, InFrontOfEveryCallNothingReportedIsLost) {
    std::uint64_t cuts = 0;
    for (std::uint64_t at = 0;; ++at) {
        const TempDirectory directory;
        std::array<int, 2> pipe{};
        ASSERT_EQ(::pipe(pipe.data()), 0);
        const auto child = ::fork();
        if (child == 0) {
            ::close(pipe[0]);
            cut_power(directory.path(), at, GetParam(), at);
            run_steps(directory.path(), pipe[1]);
        }
        ::close(pipe[1]);
        std::uint64_t told = 0;
        for (char one = 0; ::read(pipe[0], &one, 1) == 1;) told += one == 's' ? 1 : 0;
        ::close(pipe[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        ASSERT_TRUE(WIFEXITED(status));
        const int code = WEXITSTATUS(status);
        ASSERT_TRUE(code == 0 || code == testing::kPowerWent) << "at call " << at << ": " << code;
        check(directory.path(), told, fmt::format("power cut in front of call {}", at));
        if (HasFailure() || code == 0) break;
        ++cuts;
    }
    RecordProperty("cuts", static_cast<int>(cuts));
    EXPECT_GT(cuts, 2 * kSteps) << "each step writes and syncs";
}

std::string name_of(const ::testing::TestParamInfo<Keeps>& of) {
    switch (of.param) {
        case Keeps::nothing:
            return "KeepsNothing";
        case Keeps::everything:
            return "KeepsEverything";
        case Keeps::some:
            return "KeepsSome";
    }
    return "";
}
INSTANTIATE_TEST_SUITE_P(Disks, PowerCut, ::testing::Values(Keeps::nothing, Keeps::everything, Keeps::some), name_of);

}  // namespace
}  // namespace penumbra::control
