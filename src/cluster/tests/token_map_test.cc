#include "cluster/token_map.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "cluster/topology.h"

namespace penumbra::cluster {
namespace {

using Options = std::map<std::string, std::string>;

Node node(std::string datacenter, std::string rack, std::vector<std::int64_t> tokens) {
    Node made;
    made.datacenter = std::move(datacenter);
    made.rack = std::move(rack);
    for (const auto token : tokens) made.tokens.emplace_back(token);
    return made;
}

std::vector<NodeIndex> replicas(const std::vector<Node>& nodes, const Options& options, std::int64_t token) {
    const ReplicaMap map(nodes, Replication::from(options));
    const auto found = map.of(cql::Token(token));
    return {found.begin(), found.end()};
}

using Indices = std::vector<NodeIndex>;

TEST(Replication, IsReadAsServersWriteIt) {
    const auto simple =
        Replication::from({{"class", "org.apache.cassandra.locator.SimpleStrategy"}, {"replication_factor", "3"}});
    EXPECT_EQ(simple.strategy, Replication::Strategy::simple);
    EXPECT_EQ(simple.factor, 3U);
    const auto centers = Replication::from({{"class", "NetworkTopologyStrategy"}, {"dc1", "3"}, {"dc2", "3/1"}});
    EXPECT_EQ(centers.strategy, Replication::Strategy::network_topology);
    EXPECT_EQ(centers.per_center, (std::map<std::string, std::size_t>{{"dc1", 3}, {"dc2", 3}}));
    EXPECT_EQ(Replication::from({{"class", "org.apache.cassandra.locator.LocalStrategy"}}).strategy,
              Replication::Strategy::other);
    EXPECT_EQ(Replication::from({}).strategy, Replication::Strategy::other);
}

TEST(ReplicaMap, ATokenEndsItsRangeAndTheRingWraps) {
    const std::vector<Node> nodes{node("dc", "r", {0}), node("dc", "r", {100}), node("dc", "r", {200})};
    const Options options{{"class", "SimpleStrategy"}, {"replication_factor", "2"}};
    EXPECT_EQ(replicas(nodes, options, 0), (Indices{0, 1}));
    EXPECT_EQ(replicas(nodes, options, 1), (Indices{1, 2}));
    EXPECT_EQ(replicas(nodes, options, 100), (Indices{1, 2}));
    EXPECT_EQ(replicas(nodes, options, 200), (Indices{2, 0}));
    EXPECT_EQ(replicas(nodes, options, 201), (Indices{0, 1}));
    EXPECT_EQ(replicas(nodes, options, INT64_MIN), (Indices{0, 1}));
    EXPECT_EQ(replicas(nodes, options, INT64_MAX), (Indices{0, 1}));
}

TEST(ReplicaMap, SimpleStrategyCountsEachNodeOnceAndNoMoreThanThereAre) {
    const std::vector<Node> nodes{node("dc", "r", {0, 10, 20}), node("dc", "r", {30})};
    EXPECT_EQ(replicas(nodes, {{"class", "SimpleStrategy"}, {"replication_factor", "2"}}, 5), (Indices{0, 1}));
    EXPECT_EQ(replicas(nodes, {{"class", "SimpleStrategy"}, {"replication_factor", "5"}}, 25), (Indices{1, 0}));
}

TEST(ReplicaMap, RacksComeBeforeNeighbours) {
    const std::vector<Node> nodes{node("dc", "a", {0}), node("dc", "a", {10}), node("dc", "b", {20}),
                                  node("dc", "b", {30}), node("dc", "c", {40})};
    const Options three{{"class", "NetworkTopologyStrategy"}, {"dc", "3"}};
    EXPECT_EQ(replicas(nodes, three, 0), (Indices{0, 2, 4}));
    EXPECT_EQ(replicas(nodes, three, 15), (Indices{2, 4, 0}));
    // More replicas than racks: one rack may repeat.
    const Options four{{"class", "NetworkTopologyStrategy"}, {"dc", "4"}};
    EXPECT_EQ(replicas(nodes, four, 0), (Indices{0, 1, 2, 4}));
}

TEST(ReplicaMap, EachDataCentreHasItsShare) {
    const std::vector<Node> nodes{node("east", "a", {0}), node("west", "a", {1}), node("east", "b", {10}),
                                  node("west", "b", {11}), node("north", "a", {12})};
    const Options options{{"class", "NetworkTopologyStrategy"}, {"east", "1"}, {"west", "2"}, {"gone", "3"}};
    EXPECT_EQ(replicas(nodes, options, 0), (Indices{0, 1, 3}));
    EXPECT_EQ(replicas(nodes, options, 2), (Indices{2, 3, 1}));
}

TEST(ReplicaMap, OtherStrategiesSayNothingOfTokens) {
    const std::vector<Node> nodes{node("dc", "r", {0}), node("dc", "r", {100})};
    EXPECT_EQ(replicas(nodes, {{"class", "EverywhereStrategy"}}, 7), (Indices{0, 1}));
    const TokenMap map(nodes, {{"local", Replication::from({{"class", "LocalStrategy"}})}});
    EXPECT_EQ(map.keyspace("local"), nullptr);
    EXPECT_EQ(map.keyspace("nobody"), nullptr);
    EXPECT_TRUE(replicas({}, {{"class", "SimpleStrategy"}, {"replication_factor", "1"}}, 7).empty());
}

TEST(TokenMap, KeyspacesThatReplicateAlikeShareOneMap) {
    const std::vector<Node> nodes{node("dc", "r", {0})};
    const auto simple = Replication::from({{"class", "SimpleStrategy"}, {"replication_factor", "1"}});
    const TokenMap map(nodes, {{"one", simple}, {"two", simple}});
    EXPECT_EQ(map.keyspace("one"), map.keyspace("two"));
}

/// What every strategy promises, on rings drawn at random.
TEST(ReplicaMap, HoldsItsPromisesOnAnyRing) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        std::vector<Node> nodes;
        std::map<std::string, std::set<std::string>> racks;
        std::map<std::string, std::size_t> count;
        for (std::size_t i = 0, n = 1 + random() % 12; i < n; ++i) {
            std::vector<std::int64_t> tokens;
            for (std::size_t t = 0, m = 1 + random() % 8; t < m; ++t)
                tokens.push_back(static_cast<std::int64_t>(random()));
            nodes.push_back(
                node("dc" + std::to_string(random() % 3), "r" + std::to_string(random() % 4), std::move(tokens)));
            racks[nodes.back().datacenter].insert(nodes.back().rack);
            ++count[nodes.back().datacenter];
        }
        Options options{{"class", "NetworkTopologyStrategy"}};
        std::map<std::string, std::size_t> wanted;
        for (const auto& [center, there] : count) {
            wanted[center] = random() % 5;
            options[center] = std::to_string(wanted[center]);
        }
        const ReplicaMap map(nodes, Replication::from(options));
        for (int i = 0; i < 20; ++i) {
            const auto found = map.of(cql::Token(static_cast<std::int64_t>(random())));
            std::map<std::string, std::size_t> got;
            std::map<std::string, std::set<std::string>> got_racks;
            for (const auto index : found) {
                ++got[nodes[index].datacenter];
                got_racks[nodes[index].datacenter].insert(nodes[index].rack);
            }
            EXPECT_EQ(std::set(found.begin(), found.end()).size(), found.size()) << "a node twice";
            for (const auto& [center, there] : count) {
                EXPECT_EQ(got[center], std::min(wanted[center], there)) << center;
                EXPECT_EQ(got_racks[center].size(), std::min(got[center], racks[center].size()))
                    << "racks that could have one have none";
            }
        }
    }
}

}  // namespace
}  // namespace penumbra::cluster
