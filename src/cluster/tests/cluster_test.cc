#include "cluster/cluster.h"

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"

namespace penumbra::cluster {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using cql::Opcode;

Result<cql::SchemaPtr> build(const SchemaRows& rows) {
    return build_schema(as_rows(rows.keyspace_rows()), as_rows(rows.table_rows()), as_rows(rows.column_rows()),
                        as_rows(rows.type_rows()), as_rows(rows.view_rows()));
}

TEST(BuildSchema, TypesInAnyOrderViewsCountersAndDescendingColumns) {
    auto rows = sample_schema();
    rows.types = {{"app", "a", {"inner"}, {"frozen<z>"}}, {"app", "z", {"n", "t"}, {"int", "text"}}};
    rows.views = {{"app", "by_id"}};
    rows.columns.push_back({"app", "by_id", "id", "partition_key", "int", 0});
    rows.columns.push_back({"app", "log", "k", "partition_key", "int", 0});
    rows.columns.push_back({"app", "log", "at", "clustering", "timestamp", 0, "desc"});
    rows.columns.push_back({"app", "log", "what", "regular", "frozen<a>", -1});
    const auto schema = build(rows);
    ASSERT_TRUE(schema) << schema.error().what;
    EXPECT_TRUE(schema.value()->has_keyspace("app"));
    EXPECT_TRUE(schema.value()->table("app", "hits")->is_counter);
    EXPECT_FALSE(schema.value()->table("app", "rows")->is_counter);
    EXPECT_TRUE(schema.value()->table("app", "by_id")->is_view);
    const auto* log = schema.value()->table("app", "log");
    EXPECT_TRUE(log->column("at")->descending);
    EXPECT_EQ(log->column("what")->type->field_names, (std::vector<std::string>{"inner"}));
}

TEST(BuildSchema, ATypeThatContainsItselfIsAnError) {
    auto rows = sample_schema();
    rows.types = {{"app", "a", {"f"}, {"frozen<b>"}}, {"app", "b", {"f"}, {"frozen<a>"}}};
    EXPECT_EQ(build(rows).error().code, Errc::malformed);
}

class ClusterTest : public ::testing::Test {
  protected:
    ClusterTest() {
        loop.on([this] {
            // Of one name: the nodes of a cluster give a statement the same id.
            for (int i = 0; i < 2; ++i) nodes.push_back(std::make_unique<LyingServer>("node"));
        });
        nodes[0]->peers = {nodes[1].get()};
        nodes[1]->peers = {nodes[0].get()};
        options.pool.cluster = "source";
        options.pool.reconnect_after = 5ms;
        options.pool.connect_timeout = 200ms;
        options.request_timeout = 300ms;
        options.contact_points = {{"127.0.0.1", nodes[0]->port()}};
    }
    ~ClusterTest() override {
        if (cluster) loop.run_void([this] { return cluster->stop(); });
        loop.on([this] { nodes.clear(); });
        loop.turn();
        loop.on([this] { cluster.reset(); });
    }
    Status start(Nanos within = 5s) {
        cluster = std::make_unique<Cluster>(options, loop.shard(), std::vector<Shard*>{&loop.shard()});
        return loop.run<Status>([&] { return cluster->start(Deadline::in(Clock::system(), within)); });
    }
    Result<cql::Rows> execute(const std::string& text, std::vector<cql::Cell> values = {}) {
        auto session = loop.on([this] { return cluster->session(); });
        return loop.run<Result<cql::Rows>>([&] { return session->execute(text, values, {}); });
    }
    std::size_t prepares() const { return nodes[0]->count(Opcode::prepare) + nodes[1]->count(Opcode::prepare); }

    Loop loop;
    ClusterOptions options;
    std::vector<std::unique_ptr<LyingServer>> nodes;
    std::unique_ptr<Cluster> cluster;
};

TEST_F(ClusterTest, LearnsItsNodesAndSchema) {
    ASSERT_TRUE(start());
    EXPECT_EQ(cluster->topology()->nodes.size(), 2U);
    EXPECT_EQ(cluster->topology()->ring().size(), 2U);
    EXPECT_NE(cluster->schema()->table("app", "rows"), nullptr);
    EXPECT_TRUE(cluster->is_connected());
}

TEST_F(ClusterTest, DoesWithoutPeersV2) {
    for (auto& node : nodes) node->has_peers_v2 = false;
    ASSERT_TRUE(start());
    EXPECT_FALSE(cluster->topology()->has_peers_v2);
}

TEST_F(ClusterTest, NobodyThereIsAnErrorAndTryingGoesOn) {
    loop.on([this] { nodes[0]->stop(); });
    ASSERT_FALSE(start(100ms));
    loop.on([this] { nodes[0]->restart(); });
    loop.until([this] { return cluster->is_connected(); });
}

TEST_F(ClusterTest, ASilentNodeIsAnErrorByTheDeadline) {
    nodes[0]->silent_at_startup = true;
    const auto started = start(30ms);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::unavailable);
}

TEST_F(ClusterTest, TheControlConnectionMovesToAnotherNode) {
    ASSERT_TRUE(start());
    const auto before = nodes[1]->system_reads;
    loop.on([this] { nodes[0]->stop(); });
    loop.until([&] { return nodes[1]->system_reads > before && cluster->is_connected(); });
}

TEST_F(ClusterTest, ASchemaChangeIsNoticedAndRefreshCanBeAskedFor) {
    ASSERT_TRUE(start());
    for (auto& node : nodes) node->schema.columns.push_back({"app", "fresh", "k", "partition_key", "int", 0});
    loop.on([this] { nodes[0]->push(cql::SchemaChange{"CREATED", "TABLE", "app", "fresh", {}}); });
    loop.until([this] { return cluster->schema()->table("app", "fresh") != nullptr; });
    for (auto& node : nodes) node->schema.columns.push_back({"app", "newer", "k", "partition_key", "int", 0});
    EXPECT_TRUE(loop.run<Status>([this] { return cluster->refresh_schema(); }));
    EXPECT_NE(cluster->schema()->table("app", "newer"), nullptr);
}

TEST_F(ClusterTest, TheSchemaOfAMomentIsThatOfAllNodesAndLoadedOnlyIfItChanged) {
    ASSERT_TRUE(start());
    const auto seen = [this](SteadyTime when) {
        return loop.run<Result<cql::SchemaPtr>>(
            [this, when] { return cluster->schema_as_of(when, Deadline::in(Clock::system(), 5s)); });
    };
    const auto reads = [this] { return nodes[0]->system_reads + nodes[1]->system_reads; };
    const auto add = [](LyingServer& node, const char* table) {
        node.schema.columns.push_back({"app", table, "k", "partition_key", "int", 0});
    };
    const auto first = seen(Clock::system().now());
    ASSERT_TRUE(first) << first.error().what;
    EXPECT_EQ(first.value(), cluster->schema());

    // Nobody tells of it: no event.
    for (auto& node : nodes) add(*node, "fresh");
    const auto now = Clock::system().now();
    auto later = seen(now);
    ASSERT_TRUE(later) << later.error().what;
    EXPECT_NE(later.value()->table("app", "fresh"), nullptr);
    auto before = reads();
    EXPECT_EQ(seen(now).value(), later.value());
    EXPECT_EQ(reads(), before) << "somebody has looked since";
    EXPECT_EQ(seen(Clock::system().now()).value(), later.value());
    EXPECT_EQ(reads(), before + 2) << "the versions are the same: nothing is loaded";

    // One node has a change that the other has not yet.
    add(*nodes[1], "newer");
    loop.on([&] { loop.shard().call_in(100ms, [&] { add(*nodes[0], "newer"); }); });
    later = seen(Clock::system().now());
    ASSERT_TRUE(later) << later.error().what;
    EXPECT_NE(later.value()->table("app", "newer"), nullptr);
}

TEST_F(ClusterTest, NodesThatNeverAgreeAreWaitedForOnce) {
    ASSERT_TRUE(start());
    nodes[1]->schema_number = 7;
    const auto seen = [this](Nanos within) {
        const auto began = Clock::system().now();
        const auto schema = loop.run<Result<cql::SchemaPtr>>(
            [this, began, within] { return cluster->schema_as_of(began, Deadline::in(Clock::system(), within)); });
        EXPECT_TRUE(schema) << schema.error().what;
        return Clock::system().now() - began;
    };
    EXPECT_GE(seen(300ms), 300ms);
    EXPECT_LT(seen(10s), 5s);
}

TEST_F(ClusterTest, ARefreshWithoutAControlConnectionFailsAtOnce) {
    ASSERT_TRUE(start());
    loop.on([this] {
        for (auto& node : nodes) node->stop();
    });
    loop.until([this] { return !cluster->is_connected(); });
    EXPECT_FALSE(loop.run<Status>([this] { return cluster->refresh_schema(); }));
    loop.run_void([this] { return cluster->stop(); });
    EXPECT_EQ(loop.run<Status>([this] { return cluster->refresh_schema(); }).error().code, Errc::shutting_down);
    cluster.reset();
}

TEST_F(ClusterTest, ASessionPreparesOnceAndAgainOnlyWhereItWasForgotten) {
    ASSERT_TRUE(start());
    const auto* text = "SELECT v FROM app.rows WHERE tenant = ?";
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(execute(text, {cql::encode_text("acme")}));
    const auto each = std::pair(nodes[0]->count(Opcode::prepare), nodes[1]->count(Opcode::prepare));
    loop.on([this] { nodes[1]->forget_prepared(); });
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(execute(text, {cql::encode_text("acme")}));
    EXPECT_EQ(nodes[0]->count(Opcode::prepare) - each.first, 0U);
    EXPECT_GE(nodes[1]->count(Opcode::prepare) - each.second, 1U);
}

TEST_F(ClusterTest, ANodeThatForgetsForEverIsAnErrorInTheEnd) {
    ASSERT_TRUE(start());
    for (auto& node : nodes) {
        node->on_request = [](const auto& asked) {
            if (asked.opcode == Opcode::prepare) return asked.server->prepare(asked);
            asked.server->unprepared(asked, asked.server->id_of(asked.text));
        };
    }
    const auto result = execute("SELECT v FROM app.rows WHERE tenant = ?", {cql::encode_text("acme")});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().detail, static_cast<int>(cql::ErrorCode::unprepared));
    EXPECT_LE(prepares(), 5U);
}

TEST_F(ClusterTest, ASessionEndsByItsTimeout) {
    ASSERT_TRUE(start());
    for (auto& node : nodes) node->on_request = [](const auto&) {};
    EXPECT_EQ(execute("SELECT 1").error().code, Errc::timeout);
}

TEST_F(ClusterTest, FindsTheNewestVersionThatAllItsNodesSpeak) {
    for (auto& node : nodes) node->versions = {"3/v3", "4/v4", "5/v5", "6/v6-beta"};
    ASSERT_TRUE(start());
    EXPECT_EQ(cluster->newest_version(), cql::ProtocolVersion::v5);
    ASSERT_TRUE(execute("SELECT v FROM app.rows WHERE tenant = ?", {cql::encode_text("acme")}));
    const auto& asked = nodes[0]->asked.empty() ? nodes[1]->asked : nodes[0]->asked;
    EXPECT_EQ(asked.back().version, cql::ProtocolVersion::v5);
    // A node of an older release joins the ring: v5 would be a matter of luck.
    nodes[1]->release_version = "3.11.19";
    loop.on([this] {
        nodes[0]->push(
            cql::NodeEvent{"TOPOLOGY_CHANGE", "NEW_NODE", {cql::InetAddress::parse("127.0.0.1").value(), 1}});
    });
    loop.until([this] { return cluster->newest_version() == cql::ProtocolVersion::v4; });
}

TEST_F(ClusterTest, OnlyNodesOfTheLocalDataCentreAreUsed) {
    nodes[1]->datacenter = "far";
    ASSERT_TRUE(start());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(execute("SELECT 1"));
    EXPECT_TRUE(nodes[1]->asked.empty());
    EXPECT_EQ(cluster->topology()->nodes.size(), 2U);
}

TEST_F(ClusterTest, TheLocalDataCentreCanBeSaid) {
    nodes[1]->datacenter = "far";
    options.local_datacenter = "far";
    ASSERT_TRUE(start());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(execute("SELECT 1"));
    EXPECT_TRUE(nodes[0]->asked.empty());
}

TEST_F(ClusterTest, ALocalDataCentreThatIsNotThereIsAnErrorAtOnce) {
    options.local_datacenter = "moon";
    const auto started = start(30s);
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().what.find("no data centre 'moon', only dc1"), std::string::npos) << started.error().what;
}

TEST_F(ClusterTest, AnotherPartitionerIsAnErrorAtOnce) {
    for (const auto* partitioner : {"org.apache.cassandra.dht.RandomPartitioner", "ByteOrderedPartitioner"}) {
        if (cluster) loop.run_void([this] { return cluster->stop(); });
        nodes[0]->partitioner = partitioner;
        const auto started = start(30s);
        ASSERT_FALSE(started);
        EXPECT_NE(started.error().what.find(partitioner), std::string::npos) << started.error().what;
        EXPECT_NE(started.error().what.find("only Murmur3Partitioner"), std::string::npos) << started.error().what;
    }
}

TEST_F(ClusterTest, StartTriesAllContactPointsAndSaysWhatEachFailedOf) {
    loop.on([this] {
        for (auto& node : nodes) node->stop();
    });
    options.contact_points = {{"127.0.0.1", nodes[0]->port()}, {"127.0.0.1", nodes[1]->port()}};
    const auto started = start(200ms);
    ASSERT_FALSE(started);
    for (const auto& node : nodes)
        EXPECT_NE(started.error().what.find(to_string(node->endpoint())), std::string::npos) << started.error().what;
}

TEST_F(ClusterTest, AnUnreachableContactPointDoesNotHoldUpTheOthers) {
    nodes[0]->silent_at_startup = true;
    options.pool.connect_timeout = 20s;
    options.contact_points = {{"127.0.0.1", nodes[0]->port()}, {"127.0.0.1", nodes[1]->port()}};
    EXPECT_TRUE(start(10s));
    loop.on([this] { nodes[0]->stop(); });
}

TEST_F(ClusterTest, AStartThatIsEarlyWaitsForTheCluster) {
    loop.on([this] { nodes[0]->stop(); });
    cluster = std::make_unique<Cluster>(options, loop.shard(), std::vector<Shard*>{&loop.shard()});
    loop.on([this] { loop.shard().call_in(50ms, [this] { nodes[0]->restart(); }); });
    EXPECT_TRUE(loop.run<Status>([this] { return cluster->start(Deadline::in(Clock::system(), 10s)); }));
}

TEST_F(ClusterTest, AWrongPasswordEndsTheStartAtOnce) {
    nodes[0]->authenticator = "org.apache.cassandra.auth.PasswordAuthenticator";
    nodes[0]->users = {{"penumbra", "right"}};
    options.pool.credentials = {"penumbra", "wrong"};
    const auto started = start(30s);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::server);
    EXPECT_NE(started.error().what.find("incorrect"), std::string::npos) << started.error().what;
}

TEST_F(ClusterTest, ASessionKnowsAStatementByEachNodesOwnId) {
    loop.on([this] { nodes[1] = std::make_unique<LyingServer>("of another release"); });
    nodes[0]->peers = {nodes[1].get()};
    nodes[1]->peers = {nodes[0].get()};
    ASSERT_TRUE(start());
    const auto* text = "SELECT v FROM app.rows WHERE tenant = ?";
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(execute(text, {cql::encode_text("acme")}));
    EXPECT_EQ(prepares(), 2U) << "once on each, not with every change of node";
}

TEST_F(ClusterTest, ASessionsRequestsGoToAReplica) {
    nodes[0]->tokens = {0};
    nodes[1]->tokens = {INT64_MIN + 1};
    ASSERT_TRUE(start());
    const auto map = cluster->topology()->token_map->keyspace("app");
    ASSERT_NE(map, nullptr);
    EXPECT_EQ(map->of(cql::Token(-5)).size(), 1U);
    EXPECT_NE(map->of(cql::Token(-5))[0], map->of(cql::Token(5))[0]);
}

}  // namespace
}  // namespace penumbra::cluster
