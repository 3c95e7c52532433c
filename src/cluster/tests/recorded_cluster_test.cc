// Clusters as real servers described themselves.
#include <set>

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "cluster/tests/support/recorded.h"

namespace penumbra::cluster {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// One node that says of itself, and of its schema, what the recorded one did. (The recording has one peer, which is
/// nobody's: a row that the recording itself wrote.)
class RecordedCluster : public ::testing::TestWithParam<const char*> {
  protected:
    RecordedCluster() {
        const auto all = recorded(GetParam());
        loop.on([&] {
            node = std::make_unique<LyingServer>("node");
            const auto play = [&](const char* asked, const std::string& text) {
                node->recorded.emplace_back(asked, answer_to(all, text));
            };
            play("OPTIONS", "OPTIONS");
            play("SELECT schema_version FROM system.local",
                 "SELECT schema_version FROM system.local WHERE key='local'");
            play("SELECT schema_version FROM system.peers", "SELECT schema_version FROM system.peers");
            play("FROM system.local", "SELECT * FROM system.local WHERE key='local'");
            play("FROM system.peers_v2", "SELECT * FROM system.peers_v2");
            play("FROM system.peers", "SELECT * FROM system.peers");
            play("FROM system_schema.keyspaces", "SELECT * FROM system_schema.keyspaces");
            for (const auto* table : {"tables", "columns", "types", "views"}) {
                const auto asked = std::string("FROM system_schema.") + table;
                play(asked.c_str(), "SELECT * " + asked + " WHERE keyspace_name = 'rec_connect'");
            }
        });
        ClusterOptions options;
        options.pool.cluster = "recorded";
        options.contact_points = {{"127.0.0.1", node->port()}};
        cluster = std::make_unique<Cluster>(options, loop.shard(), std::vector<Shard*>{&loop.shard()});
        started = loop.run<Status>([&] { return cluster->start(Deadline::in(Clock::system(), 5s)); });
    }
    ~RecordedCluster() override {
        loop.run_void([this] { return cluster->stop(); });
        loop.on([this] { node.reset(); });
        loop.turn();
        loop.on([this] { cluster.reset(); });
    }
    bool is_scylla() const { return std::string_view(GetParam()).starts_with("scylla"); }

    Loop loop;
    std::unique_ptr<LyingServer> node;
    std::unique_ptr<Cluster> cluster;
    Status started = ok();
};

TEST_P(RecordedCluster, IsLearned) {
    ASSERT_TRUE(started) << started.error().what;
    const auto topology = cluster->topology();
    EXPECT_EQ(topology->is_scylla, is_scylla());
    EXPECT_EQ(topology->has_peers_v2, !is_scylla());
    EXPECT_EQ(cluster->newest_version(), is_scylla() ? cql::ProtocolVersion::v4 : cql::ProtocolVersion::v5);
    ASSERT_FALSE(topology->nodes.empty());
    const auto& me = topology->nodes.front();
    EXPECT_EQ(me.release_version, is_scylla()                                     ? "3.0.8"
                                  : std::string_view(GetParam()).ends_with("4.1") ? "4.1.9"
                                                                                  : "5.0.5");
    EXPECT_FALSE(me.tokens.empty());
    EXPECT_EQ(std::set(me.tokens.begin(), me.tokens.end()).size(), me.tokens.size());

    const auto schema = cluster->schema();
    const auto* table = schema->table("rec_connect", "t");
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(table->partition_key().size(), 2U);
    ASSERT_EQ(table->clustering().size(), 1U);
    EXPECT_TRUE(table->clustering()[0]->descending);
    EXPECT_EQ(table->gc_grace_seconds, 864000);
    EXPECT_FALSE(table->is_view);
    EXPECT_NE(schema->table("rec_connect", "z"), nullptr);
    EXPECT_NE(schema->udt("rec_connect", "u"), nullptr);
    // ScyllaDB keeps an index as a view.
    const auto* index = schema->table("rec_connect", "i_index");
    EXPECT_EQ(index != nullptr && index->is_view, is_scylla());
}

INSTANTIATE_TEST_SUITE_P(Of, RecordedCluster, ::testing::ValuesIn(kRecordedServers), [](const auto& one) {
    std::string name(one.param);
    std::ranges::replace_if(
        name, [](char c) { return c == '-' || c == '.'; }, '_');
    return name;
});

/// The same steps on three servers: what two of them call one table must be one table.
TEST(RecordedSchema, OfScyllaIsTheCassandras) {
    const auto read = [](const char* server, const char* keyspace) {
        const auto all = recorded(server);
        const auto rows = [&](const std::string& text) {
            return cql::Rows::from(cql::view_frame(answer_to(all, text), cql::Direction::response).value()).value();
        };
        const auto where = std::string(" WHERE keyspace_name = '") + keyspace + "'";
        return build_schema(
                   rows("SELECT * FROM system_schema.keyspaces"), rows("SELECT * FROM system_schema.tables" + where),
                   rows("SELECT * FROM system_schema.columns" + where),
                   rows("SELECT * FROM system_schema.types" + where), rows("SELECT * FROM system_schema.views" + where))
            .value();
    };
    const auto scylla = read("scylla-5.2", "rec_connect");
    for (const auto* server : {"cassandra-4.1", "cassandra-5.0"}) {
        const auto cassandra = read(server, "rec_connect");
        for (const auto* name : {"t", "z"}) {
            const auto* ours = cassandra->table("rec_connect", name);
            const auto* theirs = scylla->table("rec_connect", name);
            ASSERT_TRUE(ours && theirs) << server << ' ' << name;
            EXPECT_TRUE(cql::differences(*ours, theirs).empty()) << server << ' ' << name;
            EXPECT_EQ(ours->columns.size(), theirs->columns.size()) << server << ' ' << name;
        }
    }
}

}  // namespace
}  // namespace penumbra::cluster
