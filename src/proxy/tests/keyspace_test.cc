#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using cql::Opcode;
using cql::ProtocolVersion;

constexpr auto* kTruncate = "TRUNCATE rows";
constexpr auto* kCreate = "CREATE TABLE more (k int PRIMARY KEY)";
constexpr auto* kNotPlain = "SELECT DISTINCT key FROM local";  // the primary is to say whether it is legal

/// Which keyspace completes the names of what runs on both clusters: the one of the moment when the statement was
/// prepared, or came, whatever is USEd before it runs.
class KeyspaceTest : public ::testing::Test {
  protected:
    KeyspaceTest() { world.set_phase(Phase::shadow_sync); }

    std::unique_ptr<Client> client_of(ProtocolVersion version) {
        auto client = std::make_unique<Client>(world.loop, world.address);
        client->version = version;
        client->start_up();
        return client;
    }
    static void use(Client& client, const std::string& keyspace) {
        ASSERT_TRUE(Client::is_result(client.run("USE " + keyspace)));
    }
    static Bytes execute(Client& client, const std::string& text, const std::string& prepared_in,
                         const std::string& executed_in) {
        use(client, prepared_in);
        const auto answer =
            client.ask([&](Bytes& out, const cql::RequestHead& head) { cql::encode_prepare(out, head, text); });
        const auto prepared = cql::decode_prepared(Client::view(answer)).value();
        const Bytes id(prepared.id.begin(), prepared.id.end());
        const auto metadata_id = prepared.result_metadata_id.value_or(BytesView());
        const Bytes result_id(metadata_id.begin(), metadata_id.end());
        use(client, executed_in);
        return client.wait(client.execute(id, {}, {}, result_id));
    }
    static Bytes run_in(Client& client, const std::string& text, const std::string& keyspace) {
        cql::Parameters parameters;
        parameters.keyspace = keyspace;
        return client.run(text, parameters);
    }
    void expect_ran_in(const std::string& keyspace, const std::string& text) {
        for (auto* server : {world.source.get(), world.target.get()}) {
            ASSERT_FALSE(server->asked.empty()) << server->name();
            EXPECT_EQ(server->asked.back().text, text) << server->name();
            EXPECT_EQ(server->asked.back().keyspace, keyspace) << server->name();
        }
    }
    void expect_owed(const std::string& keyspace) {
        world.settle();
        const auto owed = world.owed(Side::target);
        EXPECT_FALSE(owed.empty());
        for (const auto& one : owed)
            EXPECT_EQ(std::get<sync::OwedResync>(one), (sync::OwedResync{keyspace, "rows", {}}));
    }
    World world{10s, 1s};
};

TEST_F(KeyspaceTest, ATruncateIsOfTheTableThatWasPrepared) {
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(execute(*client, kTruncate, "app", "other")));
    expect_ran_in("app", kTruncate);
    expect_owed("app");
}

TEST_F(KeyspaceTest, ATruncateIsOfTheKeyspaceThatTheRequestNames) {
    for (const auto version : {ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = client_of(version);
        use(*client, "other");
        EXPECT_TRUE(Client::is_result(run_in(*client, kTruncate, "app")));
        expect_ran_in("app", kTruncate);
    }
    expect_owed("app");
}

TEST_F(KeyspaceTest, ATruncateThatAFenceHeldIsOfTheKeyspaceItCameIn) {
    auto client = world.client();
    use(*client, "app");
    ASSERT_TRUE(world.loop.run<Status>([this] { return world.proxy->hold(kAcme, Deadline::in(Clock::system(), 2s)); }));
    const auto truncated = client->query(kTruncate);
    use(*client, "other");
    EXPECT_TRUE(world.source->asked.empty());
    world.loop.run_void([this] { return world.proxy->release(kAcme); });
    EXPECT_TRUE(Client::is_result(client->wait(truncated)));
    expect_ran_in("app", kTruncate);
    expect_owed("app");
}

TEST_F(KeyspaceTest, ASchemaChangeIsOfTheKeyspaceItWasPreparedIn) {
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(execute(*client, kCreate, "app", "other")));
    expect_ran_in("app", kCreate);
}

TEST_F(KeyspaceTest, ASchemaChangeIsOfTheKeyspaceThatTheRequestNames) {
    for (const auto version : {ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = client_of(version);
        use(*client, "other");
        EXPECT_TRUE(Client::is_result(run_in(*client, kCreate, "app")));
        expect_ran_in("app", kCreate);
    }
}

TEST_F(KeyspaceTest, ASchemaChangeThatWaitedForItsTurnIsOfTheKeyspaceItCameIn) {
    auto client = world.client();
    use(*client, "app");
    auto turn = world.schema_changes().try_turn();
    ASSERT_TRUE(turn);
    const auto created = client->query(kCreate);
    use(*client, "other");
    EXPECT_TRUE(world.source->asked.empty());
    turn.reset();
    EXPECT_TRUE(Client::is_result(client->wait(created)));
    expect_ran_in("app", kCreate);
}

TEST_F(KeyspaceTest, ASystemTableIsTheOneThatWasPreparedOrThatTheRequestNames) {
    world.source->on_request = [](const auto& asked) {
        if (asked.opcode == Opcode::prepare) return asked.server->prepare(asked);
        asked.server->rows(asked, "local");
    };
    for (const auto version : {ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = client_of(version);
        EXPECT_TRUE(Client::is_result(execute(*client, kNotPlain, "system", "other")));
        EXPECT_EQ(world.source->requests(Opcode::query).back().text, kNotPlain);
        EXPECT_EQ(world.source->requests(Opcode::query).back().keyspace, "system");
        EXPECT_TRUE(Client::is_result(run_in(*client, kNotPlain, "system")));
        EXPECT_EQ(world.source->count(Opcode::query), version == ProtocolVersion::v4 ? 2U : 4U);
        EXPECT_EQ(world.source->asked.back().keyspace, "system");
    }
}

TEST_F(KeyspaceTest, WhatMayNotBeWrittenIsFoundInTheKeyspaceThatCompletesIt) {
    auto client = world.client();
    const auto answer = execute(*client, "TRUNCATE local", "system", "other");
    ASSERT_EQ(Client::error(answer), ErrorCode::unauthorized);
    EXPECT_EQ(cql::decode_error(Client::view(answer)).value().message, "system keyspace is not user-modifiable.");
}

}  // namespace
}  // namespace penumbra::proxy::testing
