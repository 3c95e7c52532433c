#include "cluster/pool.h"

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "cluster/tests/support/probe.h"

namespace penumbra::cluster {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class PoolTest : public ::testing::Test {
  protected:
    PoolTest() {
        options.cluster = "source";
        options.reconnect_after = 10ms;
        options.connect_timeout = 500ms;
        loop.on([this] {
            for (const auto* name : {"a", "b"}) nodes.push_back(std::make_unique<LyingServer>(name));
        });
    }
    ~PoolTest() override {
        if (pool) {
            loop.run_void([this] { return pool->stop(); });
            loop.on([this] { pool.reset(); });
        }
        loop.on([this] { nodes.clear(); });
        loop.turn();
    }
    void start(std::vector<Endpoint> endpoints) {
        loop.on([&] {
            pool = std::make_unique<Pool>(options);
            use(endpoints);
        });
    }
    void start() { start({nodes[0]->endpoint(), nodes[1]->endpoint()}); }
    void use(const std::vector<Endpoint>& endpoints) {
        auto topology = std::make_shared<Topology>();
        topology->local_datacenter = "dc1";
        for (const auto& endpoint : endpoints) topology->nodes.push_back({endpoint, {}, "dc1", "r1", "4.1.9", {}});
        pool->set_topology(topology);
    }
    Status submit(Probe& probe, Pool::Placement placement = {}) {
        return loop.on([&] { return pool->submit(probe, placement); });
    }
    void ask(Probe& probe, Pool::Placement placement = {}) {
        const auto submitted = submit(probe, placement);
        ASSERT_TRUE(submitted) << submitted.error().what;
        loop.until([&] { return probe.answers > 0; });
    }

    Loop loop;
    PoolOptions options;
    std::vector<std::unique_ptr<LyingServer>> nodes;
    std::unique_ptr<Pool> pool;
};

TEST_F(PoolTest, NodesTakeTurns) {
    start();
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 20; ++i) {
        probes.push_back(std::make_unique<Probe>());
        ask(*probes.back());
        EXPECT_FALSE(probes.back()->error);
    }
    EXPECT_GT(nodes[0]->asked.size(), 5U);
    EXPECT_GT(nodes[1]->asked.size(), 5U);
    EXPECT_EQ(pool->nodes_up(), 2U);
    EXPECT_EQ(nodes[0]->accepted, 1U) << "one connection carries them all";
}

TEST_F(PoolTest, WithoutNodesNothingIsSent) {
    start(std::vector<Endpoint>{});
    Probe probe;
    const auto submitted = submit(probe);
    ASSERT_FALSE(submitted);
    EXPECT_EQ(submitted.error().code, Errc::unavailable);
    EXPECT_FALSE(probe.is_pending());
}

TEST_F(PoolTest, WhenOneIsDownTheOtherAnswers) {
    start();
    loop.on([&] { nodes[0]->stop(); });
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
        Probe probe;
        const auto submitted = submit(probe);
        ASSERT_TRUE(submitted);
        loop.until([&] { return probe.answers > 0; });
        // Who waited for the one that turned out to be down hears that nothing was sent.
        if (probe.error) {
            EXPECT_EQ(probe.applied, Applied::no);
        }
        answered += probe.error ? 0 : 1;
        loop.on([&] { probe.cancel(); });
    }
    EXPECT_GE(answered, 19);
}

TEST_F(PoolTest, ANodeThatSaysNothingKeepsNobodyWaitingWhileAnotherIsUp) {
    start();
    Probe first;
    ask(first);  // one of them is up now
    auto* up = nodes[0]->asked.empty() ? nodes[1].get() : nodes[0].get();
    auto* mute = up == nodes[0].get() ? nodes[1].get() : nodes[0].get();
    loop.on([&] {
        mute->hang_up_all();
        mute->silent_at_startup = true;
    });
    loop.turn();
    const auto before = Clock::system().now();
    for (int i = 0; i < 10; ++i) {
        Probe probe;
        ask(probe);
        EXPECT_FALSE(probe.error);
    }
    EXPECT_LT(Clock::system().now() - before, options.connect_timeout);
}

TEST_F(PoolTest, WhenAllAreDownTheErrorSaysSoAndItComesBack) {
    start();
    loop.on([&] {
        for (auto& node : nodes) node->stop();
    });
    for (int i = 0; i < 2; ++i) {
        Probe probe;
        if (submit(probe)) loop.until([&] { return probe.answers > 0; });
    }
    Probe probe;
    const auto refused = submit(probe);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unavailable);
    loop.on([&] {
        for (auto& node : nodes) node->restart();
    });
    loop.until([&] { return pool->nodes_up() == 2; });
    Probe again;
    ask(again);
    EXPECT_FALSE(again.error);
}

TEST_F(PoolTest, ThePauseBetweenAttemptsGrows) {
    options.reconnect_after = 10ms;
    options.reconnect_at_most = 10s;
    options.connect_timeout = 5ms;
    nodes[0]->silent_at_startup = true;
    start({nodes[0]->endpoint()});
    Probe probe;
    ASSERT_TRUE(submit(probe));
    std::vector<SteadyTime> attempts;
    loop.until([&] {
        while (attempts.size() < nodes[0]->accepted) attempts.push_back(Clock::system().now());
        return attempts.size() >= 5;
    });
    ASSERT_GE(attempts.size(), 5U);
    EXPECT_GT(attempts[4] - attempts[3], attempts[2] - attempts[1]);
    EXPECT_GE(attempts[4] - attempts[3], 80ms);
}

TEST_F(PoolTest, ANodeThatCannotBeReachedAtAllDoesNotHoldTheLoop) {
    // The kernel refuses this one inside connect(): an attempt that fails at once must not be made again at once.
    start({Endpoint::parse("255.255.255.255:9042").value()});
    Probe probe;
    const auto submitted = submit(probe);
    if (submitted) loop.until([&] { return probe.answers > 0; });
    EXPECT_EQ(pool->nodes_up(), 0U);
}

TEST_F(PoolTest, SeveralConnectionsPerNodeComeBackAfterAnOutage) {
    options.connections = 3;
    start({nodes[0]->endpoint()});
    loop.on([&] { nodes[0]->stop(); });
    Probe probe;
    if (submit(probe)) loop.until([&] { return probe.answers > 0; });
    loop.on([&] { nodes[0]->restart(); });
    // Nobody asks for anything: the attempts go on by themselves.
    loop.until([&] { return nodes[0]->open_connections() == 3; });
}

TEST_F(PoolTest, FullConnectionsMakeRequestsWaitAndTooManyAreShed) {
    options.max_in_flight = 2;
    options.max_waiting = 1;
    start({nodes[0]->endpoint()});
    Probe warm;
    ask(warm);
    nodes[0]->on_request = [](const auto&) {};
    nodes[0]->asked.clear();
    Probe one;
    Probe two;
    Probe waits;
    Probe shed;
    ASSERT_TRUE(submit(one));
    ASSERT_TRUE(submit(two));
    ASSERT_TRUE(submit(waits));
    const auto full = submit(shed);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errc::overloaded);
    loop.until([&] { return nodes[0]->asked.size() == 2; });
    EXPECT_EQ(waits.sent, 0);
    loop.on([&] { nodes[0]->acknowledge(nodes[0]->asked[0]); });
    loop.until([&] { return nodes[0]->asked.size() == 3; });
    EXPECT_EQ(waits.sent, 1);
    loop.on([&] {
        nodes[0]->acknowledge(nodes[0]->asked[1]);
        nodes[0]->acknowledge(nodes[0]->asked[2]);
    });
    loop.until([&] { return one.answers + two.answers + waits.answers == 3; });
}

TEST_F(PoolTest, WhoWaitsForAConnectionThatIsNotMadeWasNotSent) {
    nodes[0]->silent_at_startup = true;
    options.connect_timeout = 30ms;
    start({nodes[0]->endpoint()});
    Probe probe;
    ask(probe);
    EXPECT_EQ(probe.applied, Applied::no);
    EXPECT_EQ(probe.sent, 0);
}

TEST_F(PoolTest, ACancelledWaiterIsForgotten) {
    nodes[0]->silent_at_startup = true;
    options.connect_timeout = 30ms;
    start({nodes[0]->endpoint()});
    auto probe = std::make_unique<Probe>();
    ASSERT_TRUE(submit(*probe));
    loop.on([&] { probe.reset(); });
    loop.turn();
}

TEST_F(PoolTest, EachKeyspaceHasItsConnections) {
    start({nodes[0]->endpoint()});
    for (const auto* keyspace : {"app", "", "other", "app"}) {
        Probe probe;
        ask(probe, {{cql::ProtocolVersion::v4, keyspace}, nullptr});
        EXPECT_EQ(nodes[0]->asked.back().keyspace, keyspace);
    }
    EXPECT_EQ(nodes[0]->accepted, 3U);
}

TEST_F(PoolTest, AMissingKeyspaceFailsTheRequestAndNotTheNode) {
    bool there = false;
    nodes[0]->refuse_use = [&](const auto&) { return !there; };
    start({nodes[0]->endpoint()});
    const Pool::Placement in_app{{cql::ProtocolVersion::v4, "app"}, nullptr};
    Probe early;
    ask(early, in_app);
    EXPECT_EQ(early.applied, Applied::no);
    EXPECT_EQ(early.error->code, Errc::server);
    there = true;
    Probe later;
    ask(later, in_app);
    EXPECT_FALSE(later.error) << "no pause: somebody created it";
}

TEST_F(PoolTest, ANodeThatLeavesFinishesWhatItWasAsked) {
    start({nodes[0]->endpoint()});
    Probe warm;
    ask(warm);
    nodes[0]->on_request = [](const auto&) {};
    nodes[0]->asked.clear();
    Probe probe;
    ASSERT_TRUE(submit(probe));
    loop.until([&] { return nodes[0]->asked.size() == 1; });
    loop.on([&] { use({nodes[1]->endpoint()}); });
    EXPECT_EQ(probe.answers, 0) << "a node that was taken from the ring may still answer";
    loop.on([&] { nodes[0]->rows(nodes[0]->asked[0], "late"); });
    loop.until([&] { return probe.answers == 1; });
    EXPECT_FALSE(probe.error);
    loop.until([&] { return nodes[0]->open_connections() == 0; });
    Probe next;
    ask(next);
    EXPECT_EQ(nodes[1]->asked.size(), 1U);
}

TEST_F(PoolTest, WhoWaitsForANodeThatLeavesIsToldThatNothingWasSent) {
    nodes[0]->silent_at_startup = true;
    start({nodes[0]->endpoint()});
    Probe probe;
    ASSERT_TRUE(submit(probe));
    loop.on([&] { use({nodes[1]->endpoint()}); });
    loop.until([&] { return probe.answers == 1; });
    EXPECT_EQ(probe.applied, Applied::no);
}

TEST_F(PoolTest, StopFailsWhatIsInFlightAndRefusesTheRest) {
    start({nodes[0]->endpoint()});
    Probe warm;
    ask(warm);
    nodes[0]->on_request = [](const auto&) {};
    Probe probe;
    ASSERT_TRUE(submit(probe));
    loop.run_void([this] { return pool->stop(); });
    EXPECT_EQ(probe.applied, Applied::unknown);
    Probe after;
    EXPECT_FALSE(submit(after));
    EXPECT_FALSE(after.is_pending());
}

}  // namespace
}  // namespace penumbra::cluster
