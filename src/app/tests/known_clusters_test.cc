#include "app/known_clusters.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penumbra::app {
namespace {

using routing::Side;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class KnownClustersTest : public ::testing::Test {
  protected:
    KnownClustersTest() { std::filesystem::create_directories(directory_); }
    ~KnownClustersTest() override { std::filesystem::remove_all(directory_); }

    static cluster::Topology cluster(const std::string& name, std::initializer_list<std::uint64_t> hosts) {
        cluster::Topology topology;
        topology.cluster_name = name;
        for (const auto host : hosts) {
            cluster::Node node;
            node.endpoint = Endpoint::parse("127.0.0." + std::to_string(host) + ":9042").value();
            node.host_id = cql::Uuid::random(0, host);
            topology.nodes.push_back(std::move(node));
        }
        return topology;
    }
    KnownClusters known() { return KnownClusters::load(directory_).value(); }
    std::string text() const {
        std::ostringstream all;
        all << std::ifstream(directory_ / "clusters").rdbuf();
        return all.str();
    }

    std::filesystem::path directory_ = ::testing::TempDir() + "known_clusters_test";
};

TEST_F(KnownClustersTest, NodesMayComeAndGoButNotAllAtOnce) {
    ASSERT_TRUE(known().check(Side::source, cluster("old \"main\" one", {1, 2, 3})));
    ASSERT_TRUE(known().check(Side::target, cluster("new", {7})));
    ASSERT_TRUE(known().check(Side::source, cluster("old \"main\" one", {3, 4})));
    ASSERT_TRUE(known().check(Side::source, cluster("old \"main\" one", {4, 5})));
    const auto refused = known().check(Side::source, cluster("of somebody else", {1, 2}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_THAT(refused.error().what,
                StartsWith("this is another cluster than before: 'of somebody else' (127.0.0.1:9042, "
                           "127.0.0.2:9042) has none of the nodes that 'old \"main\" one' had."));
    EXPECT_THAT(refused.error().what, EndsWith("take its line out of " + (directory_ / "clusters").native()));
}

TEST_F(KnownClustersTest, ALineTakenOutLetsTheNextClusterIn) {
    ASSERT_TRUE(known().check(Side::source, cluster("old", {1})));
    ASSERT_TRUE(known().check(Side::target, cluster("new", {7})));
    auto lines = text();
    lines.erase(lines.find("target "));
    std::ofstream(directory_ / "clusters") << lines;
    EXPECT_TRUE(known().check(Side::target, cluster("rebuilt", {8})));
    EXPECT_FALSE(known().check(Side::source, cluster("rebuilt too", {9})));
}

TEST_F(KnownClustersTest, AClusterCannotBeMovedToItself) {
    auto both = known();
    ASSERT_TRUE(both.check(Side::source, cluster("only", {1, 2})));
    const auto refused = both.check(Side::target, cluster("only", {2, 1}));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().what,
                StartsWith("'only' (127.0.0.2:9042, 127.0.0.1:9042) is the source cluster already: "));
}

TEST_F(KnownClustersTest, DamageIsToldWithItsLine) {
    for (const auto* line : {"source", "side \"x\" 1", "source \"x\" no-uuid", "source \"x\"y"}) {
        std::ofstream(directory_ / "clusters") << "# heading\n\n" << line << "\n";
        const auto loaded = KnownClusters::load(directory_);
        ASSERT_FALSE(loaded) << line;
        EXPECT_EQ(loaded.error().code, Errc::corrupt);
        EXPECT_THAT(loaded.error().what, HasSubstr("clusters:3: ")) << line;
    }
}

TEST_F(KnownClustersTest, ADirectoryThatCannotBeWrittenSaysSo) {
    auto some = known();
    std::filesystem::remove_all(directory_);
    const auto refused = some.check(Side::source, cluster("old", {1}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::io);
    EXPECT_THAT(refused.error().what, HasSubstr("clusters.new"));
}

}  // namespace
}  // namespace penumbra::app
