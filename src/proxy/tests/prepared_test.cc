#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::ErrorCode;
using cql::Opcode;

constexpr auto kSelect = "SELECT * FROM app.rows WHERE tenant = ?";

/// Prepares with these result columns, and answers every EXECUTE with a row of them.
void describe_rows_as(cluster::testing::LyingServer& server, const std::vector<std::string>& columns) {
    server.on_request = [columns](const auto& asked) {
        if (asked.opcode != Opcode::prepare && !asked.unknown_id.empty())
            return asked.server->unprepared(asked, asked.unknown_id);
        if (asked.opcode == Opcode::prepare) {
            asked.server->prepare(asked, columns);
        } else {
            asked.server->rows(asked, "x");
        }
    };
}

bool skips_metadata(const cluster::testing::LyingServer::Asked& asked) {
    const auto frame = cql::view_frame(asked.frame, cql::Direction::request).value();
    return cql::decode_execute(frame).value().parameters.has(cql::query_flag::kSkipMetadata);
}

class PreparedColumnsTest : public ::testing::Test {
  protected:
    Bytes execute(Client& client, BytesView id) {
        cql::Parameters parameters;
        parameters.skip_metadata = true;
        return client.wait(client.execute(id, {cql::encode_text("acme")}, parameters));
    }
    World world;
};

TEST_F(PreparedColumnsTest, RowsThatTheClientKnowsComeWithoutMetadata) {
    describe_rows_as(*world.source, {"name", "value"});
    auto client = world.client();
    const auto id = client->prepare(kSelect);
    EXPECT_TRUE(Client::is_result(execute(*client, id)));
    EXPECT_TRUE(skips_metadata(world.source->requests(Opcode::execute).back()));
}

TEST_F(PreparedColumnsTest, AClusterThatDescribesThemOtherwiseIsAskedForMetadata) {
    // As ScyllaDB does for conditions: prepared while Cassandra was primary, executed after the switch.
    describe_rows_as(*world.source, {});
    describe_rows_as(*world.target, {"[applied]", "value"});
    auto client = world.client();
    const auto id = client->prepare(kSelect);
    world.set_phase(Phase::target_only);
    EXPECT_TRUE(Client::is_result(execute(*client, id)));
    EXPECT_FALSE(skips_metadata(world.target->requests(Opcode::execute).back()));
}

TEST_F(PreparedColumnsTest, AChangedTableIsPreparedAgainByTheClient) {
    describe_rows_as(*world.source, {"name", "value"});
    auto client = world.client();
    auto other = world.client();
    const auto id = client->prepare(kSelect);
    EXPECT_TRUE(Client::is_result(execute(*client, id)));
    world.source->forget_prepared();
    describe_rows_as(*world.source, {"name", "added", "value"});
    const auto answer = execute(*client, id);
    ASSERT_EQ(Client::error(answer), ErrorCode::unprepared);
    EXPECT_TRUE(equal(std::get<cql::Unprepared>(cql::decode_error(Client::view(answer)).value().detail).id, id));
    EXPECT_EQ(client->prepare(kSelect), id);
    EXPECT_TRUE(Client::is_result(execute(*client, id)));
    // Somebody else may still hold what was said before the change.
    EXPECT_TRUE(Client::is_result(execute(*other, id)));
    EXPECT_FALSE(skips_metadata(world.source->requests(Opcode::execute).back()));
}

/// From now on the cluster has no such table.
void refuse_to_prepare(LyingServer& server, std::string table) {
    server.forget_prepared();
    server.on_request = [table = std::move(table)](const auto& asked) {
        if (asked.opcode == Opcode::prepare && asked.text.find(table) != std::string::npos)
            return asked.server->error(asked, ErrorCode::invalid);
        asked.server->obey(asked);
    };
}

TEST_F(PreparedColumnsTest, WhoseTableIsGoneIsToldWhyWhenItPreparesAgain) {
    auto client = world.client();
    const auto kept = client->prepare("INSERT INTO app.settings (name, value) VALUES ('a', 'b')");
    const auto gone = client->prepare("INSERT INTO app.rows (tenant, id) VALUES ('acme', 1)");
    refuse_to_prepare(*world.source, "app.rows");
    const auto expect_unprepared = [&](const Bytes& answer) {
        ASSERT_EQ(Client::error(answer), ErrorCode::unprepared);
        EXPECT_TRUE(equal(std::get<cql::Unprepared>(cql::decode_error(Client::view(answer)).value().detail).id, gone));
    };
    expect_unprepared(client->wait(client->execute(gone, {})));
    const std::vector<cql::BatchStatement> both{{.id = kept}, {.id = gone}};
    expect_unprepared(client->ask([&](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::logged, both, {});
    }));
    EXPECT_TRUE(world.source->applied.empty());
    EXPECT_EQ(Client::error(client->ask([](Bytes& out, const cql::RequestHead& head) {
                  cql::encode_prepare(out, head, "INSERT INTO app.rows (tenant, id) VALUES ('acme', 1)");
              })),
              ErrorCode::invalid);
}

TEST_F(PreparedColumnsTest, WhatAnotherClusterPreparesIsRefusedAsTheOneSaysThatExecutesIt) {
    // acme is on the target, all others on the source, which is who answers PREPARE: told UNPREPARED, a driver would
    // prepare there and execute here for ever.
    auto client = world.client();
    const auto id = client->prepare(kSelect);
    world.set_phase(Phase::target_only);
    refuse_to_prepare(*world.target, "app.rows");
    EXPECT_EQ(Client::error(execute(*client, id)), ErrorCode::invalid);
}

TEST_F(PreparedColumnsTest, TheRequestsOwnKeyspaceCompletesItsNames) {
    auto client = world.client();
    cql::Parameters parameters;
    parameters.keyspace = "app";
    EXPECT_TRUE(Client::is_result(client->run("SELECT * FROM settings", parameters)));
    const auto asked = world.source->requests(Opcode::query).back();
    EXPECT_EQ(asked.keyspace, "app");
    const auto frame = cql::view_frame(asked.frame, cql::Direction::request).value();
    EXPECT_FALSE(cql::decode_query(frame).value().parameters.keyspace) << "no server before v5 promises to know it";
}

}  // namespace
}  // namespace penumbra::proxy::testing
