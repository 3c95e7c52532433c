#include "proxy/schema_change.h"

#include <gtest/gtest.h>

#include "proxy/schema_changes.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using Outcome = SchemaChangeRecord::Outcome;
using Texts = std::vector<std::string>;

constexpr auto* kPlain = "CREATE TABLE app.more (k int PRIMARY KEY, v text)";

Texts asked(const LyingServer& server) {
    Texts texts;
    for (const auto& one : server.asked) texts.push_back(one.text);
    return texts;
}

/// A source of Cassandra 4.1 and a target of the test's choice.
class SchemaChangeTest : public ::testing::Test {
  protected:
    void start(std::function<void(World&, ProxyContext&)> before = {}) {
        world =
            std::make_unique<World>(2s, 60ms, LoginPolicy{}, std::map<std::string, std::string>{}, std::move(before));
        client = world->client();
    }
    void start_scylla() {
        start([](World& made, ProxyContext&) {
            made.target->shards = LyingServer::Shards{1, false};
            made.target->release_version = "3.0.8";
        });
    }
    SchemaChangeRecord only_record() {
        const auto records = world->schema_changes().list();
        EXPECT_EQ(records.size(), 1U);
        return records.empty() ? SchemaChangeRecord{} : records[0];
    }
    std::unique_ptr<World> world;
    std::unique_ptr<Client> client;
};

TEST_F(SchemaChangeTest, WhatBothUnderstandIsSentAsItIs) {
    start();
    EXPECT_TRUE(Client::is_result(client->run(kPlain)));
    EXPECT_EQ(asked(*world->source), Texts{kPlain});
    EXPECT_EQ(asked(*world->target), Texts{kPlain});
    const auto record = only_record();
    EXPECT_EQ(record.outcome, Outcome::same);
    EXPECT_EQ(record.cluster, "target");
    EXPECT_EQ(record.statement, kPlain);
    EXPECT_EQ(record.sent, Texts{kPlain});
    EXPECT_TRUE(record.changes.empty());
    EXPECT_GT(record.at, 1'700'000'000'000'000);
    EXPECT_EQ(world->refreshes, 1);
}

TEST_F(SchemaChangeTest, ScyllaIsSentItsOwnWords) {
    start_scylla();
    const std::string text =
        "CREATE TABLE app.more (k int PRIMARY KEY) WITH read_repair = 'NONE' AND speculative_retry = '99p'";
    EXPECT_TRUE(Client::is_result(client->run(text)));
    EXPECT_EQ(asked(*world->source), Texts{text});
    const auto record = only_record();
    EXPECT_EQ(record.outcome, Outcome::translated);
    EXPECT_EQ(record.changes.size(), 2U);
    ASSERT_EQ(asked(*world->target), record.sent);
    ASSERT_EQ(record.sent.size(), 1U);
    EXPECT_EQ(record.sent[0].find("read_repair"), std::string::npos);
    EXPECT_NE(record.sent[0].find("speculative_retry = '99PERCENTILE'"), std::string::npos) << record.sent[0];
}

TEST_F(SchemaChangeTest, AnOlderReleaseIsSentWhatItKnows) {
    start([](World& made, ProxyContext&) { made.target->release_version = "3.11.19"; });
    EXPECT_TRUE(Client::is_result(client->run(
        "CREATE TABLE app.more (k int PRIMARY KEY) WITH additional_write_policy = '99p' AND comment = 'x'")));
    ASSERT_EQ(world->target->asked.size(), 1U);
    EXPECT_EQ(world->target->asked[0].text.find("additional_write_policy"), std::string::npos);
    EXPECT_NE(world->target->asked[0].text.find("comment = 'x'"), std::string::npos);
}

TEST_F(SchemaChangeTest, TheSourceIsSentItsWordsWhenTheTargetIsPrimary) {
    start_scylla();
    world->set_phase(Phase::target_primary, Phase::target_primary);
    const std::string text =
        "CREATE KEYSPACE fresh WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'} AND tablets = "
        "{'enabled': false}";
    EXPECT_TRUE(Client::is_result(client->run(text)));
    EXPECT_EQ(asked(*world->target), Texts{text});
    ASSERT_EQ(world->source->asked.size(), 1U);
    EXPECT_EQ(world->source->asked[0].text.find("tablets"), std::string::npos);
    EXPECT_EQ(only_record().cluster, "source");
}

TEST_F(SchemaChangeTest, ASourceThatNobodyComesBackToIsNotAsked) {
    start();
    world->set_phase(Phase::target_primary, Phase::target_only);
    EXPECT_TRUE(Client::is_result(client->run(kPlain)));
    EXPECT_EQ(asked(*world->source), Texts{kPlain}) << "a migration may still go back";
    world->set_phase(Phase::target_only, Phase::target_only);
    EXPECT_TRUE(Client::is_result(client->run("DROP TABLE app.more")));
    EXPECT_EQ(asked(*world->source), Texts{kPlain});
    EXPECT_EQ(asked(*world->target).back(), "DROP TABLE app.more");
    EXPECT_EQ(world->schema_changes().list().size(), 1U);
    EXPECT_EQ(world->refreshes, 2);
}

TEST_F(SchemaChangeTest, DatacentersAreCalledByTheirNamesThere) {
    start([](World&, ProxyContext& context) {
        context.ddl[1].datacenters = {{"dc1", {"aws", "5"}}};
        context.ddl[0].datacenters = {{"aws", {"dc1", ""}}};
    });
    EXPECT_TRUE(Client::is_result(
        client->run("CREATE KEYSPACE fresh WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': '3'}")));
    ASSERT_EQ(world->target->asked.size(), 1U);
    EXPECT_NE(world->target->asked[0].text.find("'aws': '5'"), std::string::npos) << world->target->asked[0].text;
    world->set_phase(Phase::target_primary, Phase::target_primary);
    EXPECT_TRUE(Client::is_result(
        client->run("ALTER KEYSPACE fresh WITH replication = {'class': 'NetworkTopologyStrategy', 'aws': '4'}")));
    EXPECT_NE(world->source->asked.back().text.find("'dc1': '4'"), std::string::npos);
}

TEST_F(SchemaChangeTest, WhatMeansNothingThereIsNotSent) {
    start_scylla();
    EXPECT_TRUE(Client::is_result(client->run("ALTER TABLE app.rows WITH read_repair = 'NONE'")));
    EXPECT_TRUE(world->target->asked.empty());
    EXPECT_EQ(only_record().outcome, Outcome::nothing);
    EXPECT_EQ(only_record().changes.size(), 1U);
}

TEST_F(SchemaChangeTest, WhatCannotBeSaidThereIsReportedAndTheClientHasItsAnswer) {
    start_scylla();
    EXPECT_TRUE(Client::is_result(client->run("CREATE TRIGGER t ON app.rows USING 'a.B'")));
    EXPECT_TRUE(world->target->asked.empty());
    const auto record = only_record();
    EXPECT_EQ(record.outcome, Outcome::refused);
    EXPECT_FALSE(record.error.empty());
    EXPECT_TRUE(record.sent.empty());
}

TEST_F(SchemaChangeTest, ARefusalOfTheOtherClusterIsReported) {
    start();
    world->target->on_request = [](const auto& one) { one.server->error(one, ErrorCode::invalid); };
    EXPECT_TRUE(Client::is_result(client->run(kPlain)));
    const auto record = only_record();
    EXPECT_EQ(record.outcome, Outcome::failed);
    EXPECT_EQ(record.sent, Texts{kPlain});
    EXPECT_NE(record.error.find("as the test said"), std::string::npos) << record.error;
}

TEST_F(SchemaChangeTest, AnIfThatHadToGoMayBeRefusedForNothingToDo) {
    start_scylla();
    world->target->on_request = [](const auto& one) { one.server->error(one, ErrorCode::invalid); };
    EXPECT_TRUE(Client::is_result(client->run("ALTER TABLE app.rows ADD IF NOT EXISTS (v text, w int)")));
    EXPECT_EQ(asked(*world->target).size(), 2U);  // one column each: the one that is there must not stop the other
    EXPECT_EQ(only_record().outcome, Outcome::translated);
    world->target->on_request = [](const auto& one) { one.server->error(one, ErrorCode::unauthorized); };
    EXPECT_TRUE(Client::is_result(client->run("ALTER TABLE app.rows ADD IF NOT EXISTS (v text, w int)")));
    EXPECT_EQ(world->schema_changes().list()[1].outcome, Outcome::failed);
}

TEST_F(SchemaChangeTest, WhatThePrimaryRefusesIsNotSentToTheOther) {
    start();
    world->source->on_request = [](const auto& one) { one.server->error(one, ErrorCode::already_exists); };
    EXPECT_EQ(Client::error(client->run(kPlain)), ErrorCode::already_exists);
    EXPECT_TRUE(world->target->asked.empty());
    EXPECT_EQ(world->schema_changes().total(), 0U);
}

TEST_F(SchemaChangeTest, WhatThePrimaryPerhapsDidIsReported) {
    start();
    world->source->on_request = [](const auto& one) { one.server->hang_up(one); };
    EXPECT_TRUE(Client::error(client->run(kPlain)));
    EXPECT_TRUE(world->target->asked.empty());
    EXPECT_EQ(only_record().outcome, Outcome::unknown);
    EXPECT_FALSE(only_record().error.empty());
}

TEST_F(SchemaChangeTest, OneAtATimeSoThatBothClustersSeeOneOrder) {
    start();
    auto other = world->client();
    world->source->on_request = [](const auto&) {};
    const auto first = client->query("ALTER TABLE app.rows ADD a int");
    world->loop.until([&] { return world->source->asked.size() == 1; });
    const auto second = other->query("ALTER TABLE app.rows DROP a");
    world->loop.turn();
    EXPECT_EQ(world->source->asked.size(), 1U);
    world->loop.on([&] {
        world->source->on_request = [](const auto& one) { one.server->obey(one); };
        world->source->obey(world->source->asked[0]);
    });
    EXPECT_TRUE(Client::is_result(client->wait(first)));
    EXPECT_TRUE(Client::is_result(other->wait(second)));
    const Texts both{"ALTER TABLE app.rows ADD a int", "ALTER TABLE app.rows DROP a"};
    EXPECT_EQ(asked(*world->source), both);
    EXPECT_EQ(asked(*world->target), both);
}

TEST_F(SchemaChangeTest, AChangeWhoseTurnDoesNotComeIsOverloadedAndNotExecuted) {
    world = std::make_unique<World>(100ms);
    client = world->client();
    {
        const auto turn = world->schema_changes().try_turn();
        ASSERT_TRUE(turn);
        EXPECT_EQ(Client::error(client->run(kPlain)), ErrorCode::overloaded);
        EXPECT_TRUE(world->source->asked.empty());
    }
    EXPECT_TRUE(Client::is_result(client->run(kPlain)));
}

TEST_F(SchemaChangeTest, TheAnswerWaitsForTheNodesToAgree) {
    std::unique_ptr<LyingServer> peer;
    start([&](World& made, ProxyContext&) {
        made.loop.on([&] { peer = std::make_unique<LyingServer>("source"); });
        made.source->peers.push_back(peer.get());
    });
    peer->schema_number = 1;
    const auto stream = client->query(kPlain);
    const auto reads = world->source->system_reads;
    world->loop.until([&] { return world->source->system_reads > reads + 3; });  // looked at twice
    EXPECT_TRUE(client->answers[stream].empty());
    peer->schema_number = 0;
    EXPECT_TRUE(Client::is_result(client->wait(stream)));
    client.reset();
    world->loop.on([&] { world->source->peers.clear(); });
    world->stop();
    world->loop.on([&] { peer.reset(); });
}

TEST(SchemaChanges, KeepTheLatestAndCutLongTexts) {
    SchemaChanges changes;
    for (std::size_t i = 0; i < SchemaChanges::kKept + 44; ++i) {
        SchemaChangeRecord record;
        record.statement = std::to_string(i) + std::string(10'000, 'x');
        record.sent = {std::string(10'000, 'y')};
        changes.add(std::move(record));
    }
    const auto records = changes.list();
    EXPECT_EQ(changes.total(), 300U);
    ASSERT_EQ(records.size(), SchemaChanges::kKept);
    EXPECT_TRUE(records.front().statement.starts_with("44x"));
    EXPECT_TRUE(records.back().statement.starts_with("299x"));
    EXPECT_EQ(records.back().statement.size(), SchemaChanges::kMaxText);
    EXPECT_EQ(records.back().sent[0].size(), SchemaChanges::kMaxText);
}

TEST(SchemaChanges, OneTurnAtATime) {
    SchemaChanges changes;
    auto first = changes.try_turn();
    ASSERT_TRUE(first);
    EXPECT_FALSE(changes.try_turn());
    auto moved = std::move(first);
    first.reset();
    EXPECT_FALSE(changes.try_turn());
    moved.reset();
    EXPECT_TRUE(changes.try_turn());
}

}  // namespace
}  // namespace penumbra::proxy::testing
