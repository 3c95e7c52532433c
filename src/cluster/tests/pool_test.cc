#include "cluster/pool.h"

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "cluster/tests/support/probe.h"

namespace penumbra::cluster {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// As many nodes as there are endpoints, with these tokens.
TopologyPtr topology_of(const std::vector<LyingServer*>& nodes, const std::vector<std::int64_t>& tokens,
                        const std::string& replication_factor) {
    auto topology = std::make_shared<Topology>();
    topology->local_datacenter = "dc1";
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        Node node;
        node.endpoint = nodes[i]->endpoint();
        node.host_id = cql::Uuid::random(1, i);
        node.datacenter = "dc1";
        node.rack = "r1";
        node.tokens.emplace_back(tokens[i]);
        topology->nodes.push_back(std::move(node));
    }
    const auto simple = Replication::from({{"class", "SimpleStrategy"}, {"replication_factor", replication_factor}});
    topology->token_map =
        std::make_shared<TokenMap>(topology->nodes, std::map<std::string, Replication>{{"app", simple}});
    return topology;
}

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
    Status submit(Probe& probe, Pool::KeyedPlacement placement = {}) {
        return loop.on([&] { return pool->submit(probe, placement); });
    }
    void ask(Probe& probe, Pool::KeyedPlacement placement = {}) {
        const auto submitted = submit(probe, placement);
        ASSERT_TRUE(submitted) << submitted.error().what;
        loop.until([&] { return probe.answers > 0; });
    }

    /// Submits for a row with this token and gives the node that it went to.
    LyingServer* ask_for(Group& group, TableRoute& table, std::int64_t token) {
        Probe probe;
        const auto submitted = loop.on([&] {
            return pool->submit(probe, Pool::Placement{&group, &table, cql::Token(token), nullptr});
        });
        EXPECT_TRUE(submitted);
        loop.until([&] { return probe.answers > 0; });
        EXPECT_FALSE(probe.error);
        for (auto& node : nodes) {
            if (node->endpoint() == probe.node()) return node.get();
        }
        return nullptr;
    }
    /// Every node has its connections of the group.
    void warm_up(const GroupKey& key) {
        loop.until([&] {
            Probe probe;
            if (pool->submit(probe, Pool::KeyedPlacement{key, nullptr})) probe.cancel();
            return pool->nodes_up() == pool->topology()->nodes.size();
        });
        loop.turn();
        for (auto& node : nodes) node->asked.clear();
    }
    LoginPtr login(const std::string& user, const std::string& password) { return plain_login({user, password}); }
    void ask_for_passwords() {
        for (auto& node : nodes) {
            node->authenticator = "org.apache.cassandra.auth.PasswordAuthenticator";
            node->users = {{"penumbra", "own"}, {"ada", "lace"}, {"bob", "by"}};
        }
        options.credentials = {"penumbra", "own"};
    }

    Loop loop;
    PoolOptions options;
    std::vector<std::unique_ptr<LyingServer>> nodes;
    std::unique_ptr<Pool> pool;
};

// ---- replicas

TEST_F(PoolTest, ARequestGoesToAReplicaWhileOneIsUp) {
    start(std::vector<Endpoint>{});
    loop.on([&] { pool->set_topology(topology_of({nodes[0].get(), nodes[1].get()}, {0, 100}, "1")); });
    const auto group = loop.on([&] { return pool->group({}); });
    const auto table = loop.on([&] { return pool->table("app", "rows"); });
    warm_up({});
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(ask_for(*group, *table, 0), nodes[0].get());
        EXPECT_EQ(ask_for(*group, *table, 50), nodes[1].get());
        EXPECT_EQ(ask_for(*group, *table, 101), nodes[0].get());
    }
    loop.on([&] { nodes[0]->stop(); });
    loop.until([&] { return pool->nodes_up() == 1; });
    EXPECT_EQ(ask_for(*group, *table, 0), nodes[1].get()) << "no replica, but up: it asks one itself";
}

TEST_F(PoolTest, OfTwoReplicasTheOneWithFewerInFlight) {
    start(std::vector<Endpoint>{});
    loop.on([&] { pool->set_topology(topology_of({nodes[0].get(), nodes[1].get()}, {0, 100}, "2")); });
    const auto group = loop.on([&] { return pool->group({}); });
    const auto table = loop.on([&] { return pool->table("app", "rows"); });
    warm_up({});
    nodes[0]->on_request = [](const auto&) {};
    std::vector<std::unique_ptr<Probe>> silent;
    for (int i = 0; i < 4; ++i) {
        silent.push_back(std::make_unique<Probe>());
        const Pool::Placement only{group.get(), nullptr, std::nullopt, &nodes[0]->endpoint()};
        ASSERT_TRUE(loop.on([&] { return pool->submit(*silent.back(), only); }));
    }
    for (int i = 0; i < 10; ++i) EXPECT_EQ(ask_for(*group, *table, 7), nodes[1].get());
    loop.on([&] { silent.clear(); });
}

TEST_F(PoolTest, ANodeThatIsSaidToBeDownIsTheLastChoice) {
    start(std::vector<Endpoint>{});
    loop.on([&] { pool->set_topology(topology_of({nodes[0].get(), nodes[1].get()}, {0, 100}, "1")); });
    const auto group = loop.on([&] { return pool->group({}); });
    const auto table = loop.on([&] { return pool->table("app", "rows"); });
    warm_up({});
    loop.on([&] { pool->node_is(nodes[0]->endpoint(), false); });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ask_for(*group, *table, 0), nodes[1].get());
    loop.on([&] { pool->node_is(nodes[0]->endpoint(), true); });
    EXPECT_EQ(ask_for(*group, *table, 0), nodes[0].get());
}

TEST_F(PoolTest, OnScyllaItGoesToTheOwningShard) {
    nodes[0]->shards = LyingServer::Shards{};
    start({nodes[0]->endpoint()});
    loop.on([&] { pool->set_topology(topology_of({nodes[0].get()}, {0}, "1")); });
    const auto group = loop.on([&] { return pool->group({}); });
    const auto table = loop.on([&] { return pool->table("app", "rows"); });
    warm_up({});
    loop.until([&] { return nodes[0]->open_connections() == 2; });
    auto shards = nodes[0]->open_shards();
    std::ranges::sort(shards);
    EXPECT_EQ(shards, (std::vector{0, 1}));
    loop.turn();
    for (std::int64_t i = 0; i < 20; ++i) {
        const auto token = static_cast<std::int64_t>(static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15ULL);
        // Also what came by the shard-aware port: it may be asked there again by the name it gives.
        EXPECT_EQ(ask_for(*group, *table, token), nodes[0].get());
        EXPECT_EQ(nodes[0]->asked.back().shard, static_cast<int>(cql::shard_of(cql::Token(token), 2, 12)));
    }
}

TEST_F(PoolTest, WithoutTheShardPortChanceCoversTheShards) {
    nodes[0]->shards = LyingServer::Shards{3, false, 0};
    start({nodes[0]->endpoint()});
    warm_up({});
    loop.until([&] {
        auto shards = nodes[0]->open_shards();
        std::ranges::sort(shards);
        return shards == std::vector{0, 1, 2};
    });
}

// ---- identities

TEST_F(PoolTest, EachLoginHasItsConnections) {
    ask_for_passwords();
    start({nodes[0]->endpoint()});
    for (const auto& [user, password] : {std::pair("ada", "lace"), {"bob", "by"}, {"ada", "lace"}}) {
        Probe probe;
        ask(probe, {{cql::ProtocolVersion::v4, "", login(user, password)}, nullptr});
        EXPECT_EQ(nodes[0]->asked.back().user, user);
    }
    Probe own;
    ask(own);
    EXPECT_EQ(nodes[0]->asked.back().user, "penumbra");
    EXPECT_EQ(nodes[0]->accepted, 3U);
}

TEST_F(PoolTest, ALoginIsCheckedByTheServerInItsOwnWords) {
    ask_for_passwords();
    start({nodes[0]->endpoint()});
    const auto log_in = [&](const LoginPtr& as) {
        const auto by = Deadline::in(Clock::system(), 5s);
        auto verdict =
            loop.run<Result<LoginVerdict>>([&, by] { return pool->log_in(as, cql::ProtocolVersion::v4, by); });
        EXPECT_TRUE(verdict);
        return std::move(verdict).value();
    };
    const auto good = log_in(login("ada", "lace"));
    EXPECT_TRUE(good.accepted);
    EXPECT_EQ(cql::view_frame(good.frame, cql::Direction::response).value().header.opcode, cql::Opcode::auth_success);
    Probe probe;
    ask(probe, {{cql::ProtocolVersion::v4, "", login("ada", "lace")}, nullptr});
    EXPECT_EQ(nodes[0]->accepted, 1U) << "the connection that checked it carries its requests";
    const auto bad = log_in(login("ada", "wrong"));
    EXPECT_FALSE(bad.accepted);
    const auto error = cql::decode_error(cql::view_frame(bad.frame, cql::Direction::response).value()).value();
    EXPECT_EQ(error.code, cql::ErrorCode::bad_credentials);
    EXPECT_EQ(error.message, "Provided username ada and/or password are incorrect");
}

TEST_F(PoolTest, AMechanismOfSeveralRoundsIsRelayedAndRepeated) {
    ask_for_passwords();
    nodes[0]->challenge = "PLAIN-START";
    start({nodes[0]->endpoint()});
    const auto by = Deadline::in(Clock::system(), 5s);
    auto attempt =
        loop.run<Result<std::unique_ptr<LoginAttempt>>>([&] { return pool->begin_login(cql::ProtocolVersion::v4, by); })
            .value();
    const auto say = [&](const Bytes& token) {
        const auto frame = loop.run<Result<Bytes>>([&] { return attempt->answer(token, by); }).value();
        return cql::view_frame(frame, cql::Direction::response).value().header.opcode;
    };
    EXPECT_EQ(say({'P', 'L', 'A', 'I', 'N'}), cql::Opcode::auth_challenge);
    EXPECT_EQ(attempt->finish(), nullptr);
    EXPECT_EQ(say(Credentials{"ada", "lace"}.plain_token()), cql::Opcode::auth_success);
    const auto ada = loop.on([&] { return attempt->finish(); });
    ASSERT_NE(ada, nullptr);
    EXPECT_EQ(ada->user, "ada");
    Probe probe;
    ask(probe, {{cql::ProtocolVersion::v4, "app", ada}, nullptr});
    EXPECT_EQ(nodes[0]->asked.back().user, "ada");
    loop.on([&] { attempt.reset(); });
}

TEST_F(PoolTest, ALoginRefusedLaterFailsItsRequestsWithTheServersAnswer) {
    ask_for_passwords();
    start({nodes[0]->endpoint()});
    const Pool::KeyedPlacement as_ada{{cql::ProtocolVersion::v4, "", login("ada", "lace")}, nullptr};
    Probe probe;
    ask(probe, as_ada);
    loop.on([&] {
        nodes[0]->users["ada"] = "changed";
        nodes[0]->hang_up_all();
    });
    loop.turn();
    std::optional<Error> error;
    loop.until([&] {
        Probe later;
        const auto submitted = pool->submit(later, as_ada);
        if (!submitted) error = submitted.error();
        return error.has_value();
    });
    EXPECT_EQ(error->code, Errc::server);
    EXPECT_EQ(error->detail, static_cast<int>(cql::ErrorCode::bad_credentials));
    EXPECT_EQ(error->what, "Provided username ada and/or password are incorrect");
}

TEST_F(PoolTest, GroupsAreBoundedAndTheOneIdleLongestGoesFirst) {
    options.max_groups = 2;
    start({nodes[0]->endpoint()});
    const auto in = [](const char* keyspace) {
        return Pool::KeyedPlacement{{cql::ProtocolVersion::v4, keyspace, {}}, nullptr};
    };
    for (const auto* keyspace : {"app", "other", "", "third"}) {
        Probe probe;
        ask(probe, in(keyspace));
        loop.turn();
    }
    EXPECT_EQ(pool->groups_open(), 3U) << "two, and the default one";
    loop.until([&] { return nodes[0]->open_connections() == 3; });
    nodes[0]->asked.clear();
    nodes[0]->on_request = [](const auto&) {};
    Probe one;
    Probe two;
    Probe shed;
    ASSERT_TRUE(submit(one, in("other")));
    ASSERT_TRUE(submit(two, in("third")));
    const auto refused = submit(shed, in("fourth"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::overloaded);
    EXPECT_NE(refused.error().what.find("--max-pools"), std::string::npos);
}

TEST_F(PoolTest, AnIdleGroupClosesAndOpensAgain) {
    options.idle_after = 20ms;
    start({nodes[0]->endpoint()});
    const Pool::KeyedPlacement in_app{{cql::ProtocolVersion::v4, "app", {}}, nullptr};
    Probe own;
    ask(own);
    Probe first;
    ask(first, in_app);
    EXPECT_EQ(nodes[0]->accepted, 2U);
    loop.until([&] { return nodes[0]->open_connections() == 1; });
    EXPECT_EQ(pool->groups_open(), 1U) << "the default group stays";
    Probe again;
    ask(again, in_app);
    EXPECT_FALSE(again.error);
}

// ---- nodes

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

TEST_F(PoolTest, AnotherDataCentreIsNotAskedEvenIfTheLocalOneIsDown) {
    start();
    auto topology = std::make_shared<Topology>();
    topology->local_datacenter = "dc1";
    topology->nodes.push_back({nodes[0]->endpoint(), {}, "dc1", "r1", "4.1.9", {}});
    topology->nodes.push_back({nodes[1]->endpoint(), {}, "far", "r1", "4.1.9", {}});
    loop.on([&] {
        pool->set_topology(topology);
        nodes[0]->stop();
    });
    // LOCAL_QUORUM there would be a quorum of others, which need not have what was written here.
    const auto before = nodes[1]->asked.size();
    for (int i = 0; i < 5; ++i) {
        Probe probe;
        if (!submit(probe)) continue;
        loop.until([&] { return probe.answers > 0; });
        EXPECT_TRUE(probe.error);
    }
    EXPECT_EQ(nodes[1]->asked.size(), before);
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
    EXPECT_GE(attempts[4] - attempts[3], 60ms) << "80 ms but for the jitter";
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

TEST_F(PoolTest, WhoGivesUpWaitingLeavesTheOthersTheirOrder) {
    options.connections = 1;
    options.max_in_flight = 1;
    start({nodes[0]->endpoint()});
    Probe warm;
    ask(warm);
    nodes[0]->on_request = [](const auto&) {};
    nodes[0]->asked.clear();
    Probe first;
    ASSERT_TRUE(submit(first));
    loop.until([&] { return nodes[0]->asked.size() == 1; });
    std::vector<std::unique_ptr<Probe>> waiting;
    for (int i = 0; i < 6; ++i) {
        waiting.push_back(std::make_unique<Probe>("SELECT v FROM app.rows WHERE id = " + std::to_string(i)));
        ASSERT_TRUE(submit(*waiting.back()));
    }
    loop.on([&] {
        for (const std::size_t gives_up : {3, 0, 5}) waiting[gives_up]->cancel();
        nodes[0]->on_request = [](const auto& asked) { asked.server->acknowledge(asked); };
        nodes[0]->acknowledge(nodes[0]->asked.at(0));
    });
    loop.until([&] { return waiting[1]->answers + waiting[2]->answers + waiting[4]->answers == 3; });
    ASSERT_EQ(nodes[0]->asked.size(), 4U);
    for (const auto& [at, number] : {std::pair(1, 1), {2, 2}, {3, 4}})
        EXPECT_EQ(nodes[0]->asked[static_cast<std::size_t>(at)].text,
                  waiting[static_cast<std::size_t>(number)]->text());
    for (const std::size_t gave_up : {3, 0, 5}) EXPECT_EQ(waiting[gave_up]->sent + waiting[gave_up]->answers, 0);
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
    const Pool::KeyedPlacement in_app{{cql::ProtocolVersion::v4, "app"}, nullptr};
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

TEST_F(PoolTest, WhoWaitsForANodeThatLeavesGoesToAnother) {
    nodes[0]->silent_at_startup = true;
    start({nodes[0]->endpoint()});
    Probe probe;
    ASSERT_TRUE(submit(probe));
    loop.on([&] { use({nodes[1]->endpoint()}); });
    loop.until([&] { return probe.answers == 1; });
    EXPECT_FALSE(probe.error);
    EXPECT_EQ(nodes[1]->asked.size(), 1U);
}

TEST_F(PoolTest, WhoWaitsForTheOnlyNodeAndItLeavesIsToldThatNothingWasSent) {
    nodes[0]->silent_at_startup = true;
    start({nodes[0]->endpoint()});
    Probe probe;
    ASSERT_TRUE(submit(probe));
    loop.on([&] { use({}); });
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
