#include "control/clock_watch.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "control/tests/fakes.h"

namespace penumbra::control {
namespace {

using namespace std::chrono_literals;
using routing::Side;
using testing::run_here;

struct Watched {
    testing::FakeCluster source{"4.1.9"}, target{"5.0.5"};
    testing::FakeDataPlane data_plane;
    ClockWatch watch{source, target, data_plane, {}};

    void measure() {
        Shard shard("control");
        run_here(shard, watch.measure());
    }
};

TEST(ClockWatch, ClocksThatAgreeAreLeftAlone) {
    Watched world;
    world.source.ahead = -300ms;
    world.measure();
    EXPECT_EQ(world.watch.lead(), 0ns);
    EXPECT_EQ(world.data_plane.lead, 0ns);
    EXPECT_NEAR(static_cast<double>(world.watch.of(Side::source)->ahead.count()), -3e8, 5e6);
    EXPECT_LT(world.watch.of(Side::target)->uncertainty, 100ms);
}

TEST(ClockWatch, TimestampsRunAheadAsFarAsACluster) {
    Watched world;
    world.target.ahead = 200ms;
    world.source.ahead = 50ms;
    world.measure();
    EXPECT_GE(world.data_plane.lead, 200ms) << "never behind what the target gave out";
    EXPECT_LT(world.data_plane.lead, 300ms);
    // One that is gone may come back, and what it gave out before it went is still there.
    world.target.down = true;
    world.measure();
    EXPECT_GE(world.data_plane.lead, 200ms);
    world.target.down = false;
    world.target.ahead = 0us;
    world.measure();
    EXPECT_GE(world.data_plane.lead, 50ms);
    EXPECT_LT(world.data_plane.lead, 150ms);
}

TEST(ClockWatch, AnAnswerThatWasLongOnItsWayIsNotBelievedOverASharperOne) {
    Watched world;
    world.target.ahead = 30ms;
    world.measure();
    const auto lead = world.watch.lead();
    EXPECT_GE(lead, 30ms);
    EXPECT_LT(lead, 60ms);
    // It hears of the request at the end of a stall, so that its clock seems to be half of that further ahead.
    world.target.slow = 200ms;
    world.measure();
    EXPECT_NEAR(static_cast<double>(world.watch.lead().count()), static_cast<double>(lead.count()), 1e6);
}

TEST(ClockWatch, WhenOurOwnClockIsSetWhatWasMeasuredIsSetWithIt) {
    Watched world;
    ManualClock clock;
    Shard shard("control", clock);
    run_here(shard, world.watch.measure());
    EXPECT_EQ(world.watch.lead(), 0ns);
    clock.set_wall(clock.wall_micros() - 300'000);
    run_here(shard, world.watch.follow_own_clock());
    EXPECT_GE(world.data_plane.lead, 300ms) << "the clusters' clocks are where they were";
    EXPECT_LT(world.data_plane.lead, 310ms);
    clock.set_wall(clock.wall_micros() + 300'000);
    run_here(shard, world.watch.follow_own_clock());
    EXPECT_EQ(world.data_plane.lead, 0ns);
}

TEST(ClockWatch, AClockThatIsWrongIsNotFollowed) {
    Watched world;
    world.target.ahead = std::chrono::hours(2);
    world.measure();
    EXPECT_EQ(world.data_plane.lead, 0ns);
    metrics::MetricWriter out;
    world.watch.collect(out);
    EXPECT_NE(out.text().find("penumbra_cluster_clock_ahead_seconds{cluster=\"target\"} 7"), std::string::npos)
        << out.text();
    EXPECT_NE(out.text().find("penumbra_timestamp_lead_seconds 0"), std::string::npos);
}

}  // namespace
}  // namespace penumbra::control
