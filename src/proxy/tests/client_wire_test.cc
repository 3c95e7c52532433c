#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::Compression;
using cql::ErrorCode;
using cql::Opcode;
using cql::ProtocolVersion;

constexpr auto* kInsertMarkers = "INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, ?)";
constexpr auto* kSelect = "SELECT * FROM app.rows WHERE tenant = ?";

class ClientWireTest : public ::testing::TestWithParam<std::tuple<ProtocolVersion, Compression>> {
  protected:
    ClientWireTest() : client(world.loop, world.address) {
        client.version = std::get<0>(GetParam());
        client.start_up(std::get<1>(GetParam()));
    }
    std::vector<Bytes> row(int id, std::size_t size) {
        return {cql::encode_text("acme"), cql::encode_int(id), cql::encode_text(std::string(size, 'x'))};
    }
    World world{std::chrono::seconds(20), std::chrono::seconds(20)};
    Client client;
};

TEST_P(ClientWireTest, EveryRequestArrivesAndIsAnswered) {
    world.set_phase(Phase::shadow_sync);
    const auto id = client.prepare(kInsertMarkers);
    ASSERT_EQ(id.size(), 16U);
    std::vector<std::int16_t> streams;
    for (int i = 0; i < 100; ++i) streams.push_back(client.execute(id, row(i, static_cast<std::size_t>(i) * 30)));
    streams.push_back(client.execute(id, row(100, 50'000)));
    for (const auto stream : streams) EXPECT_TRUE(Client::is_result(client.wait(stream)));
    for (auto* server : {world.source.get(), world.target.get()}) {
        ASSERT_EQ(server->applied.size(), 101U);
        for (const auto& applied : server->applied) EXPECT_EQ(applied.version, client.version);
    }
    for (const auto& [stream, answers] : client.answers) EXPECT_EQ(answers.size(), 1U) << stream;
}

TEST_P(ClientWireTest, LongAnswersAndErrorsComeWhole) {
    world.source->on_request = [](const auto& asked) { asked.server->rows(asked, std::string(300'000, 'y')); };
    EXPECT_EQ(Client::rows(client.run("SELECT v FROM app.rows"))[0].text("v").value(), std::string(300'000, 'y'));
    world.source->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::invalid); };
    EXPECT_EQ(Client::error(client.run("SELECT v FROM app.rows")), ErrorCode::invalid);
}

TEST_P(ClientWireTest, AnOversizeRequestIsRefusedAndTheNextOneServed) {
    const auto big = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, '" + std::string(200'000, 'x') + "')";
    EXPECT_EQ(Client::error(client.run(big)), ErrorCode::invalid);
    EXPECT_TRUE(Client::is_result(client.run("INSERT INTO app.rows (tenant, id) VALUES ('acme', 1)")));
    EXPECT_EQ(world.source->applied.size(), 1U);
}

TEST_P(ClientWireTest, OptionsOfferWhatWeSpeak) {
    const auto answer = client.ask([](Bytes& out, const cql::RequestHead& head) { cql::encode_options(out, head); });
    const auto supported = cql::decode_supported(Client::view(answer)).value();
    std::string all;
    for (const auto& [key, values] : supported) {
        EXPECT_FALSE(key.starts_with("SCYLLA")) << key;
        for (const auto value : values) all += std::string(value) + " ";
    }
    EXPECT_NE(all.find("snappy lz4"), std::string::npos) << all;
    EXPECT_NE(all.find("3/v3 4/v4 5/v5"), std::string::npos) << all;
}

INSTANTIATE_TEST_SUITE_P(All, ClientWireTest,
                         ::testing::Values(std::tuple(ProtocolVersion::v3, Compression::none),
                                           std::tuple(ProtocolVersion::v3, Compression::lz4),
                                           std::tuple(ProtocolVersion::v4, Compression::lz4),
                                           std::tuple(ProtocolVersion::v4, Compression::snappy),
                                           std::tuple(ProtocolVersion::v5, Compression::none),
                                           std::tuple(ProtocolVersion::v5, Compression::lz4)));

class StartupTest : public ::testing::Test {
  protected:
    std::optional<ErrorCode> start(ProtocolVersion version, std::string_view compression) {
        Client client(world.loop, world.address);
        client.version = version;
        return Client::error(client.ask([&](Bytes& out, const cql::RequestHead& head) {
            cql::encode_startup(out, head, {{"CQL_VERSION", "3.0.0"}, {"COMPRESSION", compression}});
        }));
    }
    World world{std::chrono::seconds(20), std::chrono::seconds(20)};
};

TEST_F(StartupTest, CompressionThatNobodyKnowsIsRefused) {
    EXPECT_EQ(start(ProtocolVersion::v4, "zstd"), ErrorCode::protocol_error);
    EXPECT_EQ(start(ProtocolVersion::v5, "snappy"), ErrorCode::protocol_error);
}

TEST(Startup, WhatTheSourceSpeaksNoLongerMattersWhenItIsDone) {
    World world{std::chrono::seconds(20), std::chrono::seconds(20), LoginPolicy{}, {}, [](World& made, ProxyContext&) {
                    made.source->versions = {"3/v3", "4/v4"};
                }};
    const auto offers_v5 = [&] {
        Client client(world.loop, world.address);
        const auto answer =
            client.ask([](Bytes& out, const cql::RequestHead& head) { cql::encode_options(out, head); });
        const auto supported = cql::decode_supported(Client::view(answer)).value();
        for (const auto& [key, values] : supported) {
            if (key == "PROTOCOL_VERSIONS") return std::ranges::find(values, "5/v5") != values.end();
        }
        return false;
    };
    world.set_phase(Phase::target_primary, Phase::target_only);
    EXPECT_FALSE(offers_v5());
    world.set_phase(Phase::target_only, Phase::target_only);
    EXPECT_TRUE(offers_v5());
}

TEST_F(StartupTest, ABrokenSegmentEndsThatConnectionAlone) {
    Client good(world.loop, world.address);
    good.version = ProtocolVersion::v5;
    good.start_up();
    Client bad(world.loop, world.address);
    bad.version = ProtocolVersion::v5;
    bad.start_up(Compression::lz4);
    bad.unwrapped(Bytes(64, 0x55));
    world.loop.until([&] { return bad.closed; });
    EXPECT_EQ(Client::error(bad.answers[0].back()), ErrorCode::protocol_error);
    EXPECT_TRUE(Client::is_result(good.run("INSERT INTO app.rows (tenant, id) VALUES ('acme', 1)")));
}

TEST_F(StartupTest, TheResultMetadataIdIsOursAndChangesWithTheColumns) {
    for (auto* server : {world.source.get(), world.target.get()}) {
        server->on_request = [](const auto& asked) {
            if (asked.opcode == Opcode::prepare) return asked.server->prepare(asked, {"tenant", "v"});
            asked.server->rows(asked, "x");
        };
    }
    Client client(world.loop, world.address);
    client.version = ProtocolVersion::v5;
    client.start_up();
    const auto answer =
        client.ask([](Bytes& out, const cql::RequestHead& head) { cql::encode_prepare(out, head, kSelect); });
    const auto prepared = cql::decode_prepared(Client::view(answer)).value();
    const Bytes id(prepared.id.begin(), prepared.id.end());
    const Bytes ours(prepared.result_metadata_id->begin(), prepared.result_metadata_id->end());
    EXPECT_TRUE(equal(digest_of(prepared.result_metadata), ours));
    const auto sent = [](const cluster::testing::LyingServer& server) {
        const auto asked = server.requests(Opcode::execute).back();
        const auto frame = cql::view_frame(asked.frame, cql::Direction::request).value();
        const auto id_sent = cql::decode_execute(frame).value().result_metadata_id.value();
        return Bytes(id_sent.begin(), id_sent.end());
    };
    const auto id_of = [](const cluster::testing::LyingServer& server, const std::string& columns) {
        const auto md5 = cql::md5({server.name() + columns});
        return Bytes(md5.begin(), md5.end());
    };
    const std::vector<Bytes> tenant{cql::encode_text("acme")};
    // Each cluster hears its own id, also the one that the client did not prepare on.
    EXPECT_TRUE(Client::is_result(client.wait(client.execute(id, tenant, {}, ours))));
    EXPECT_EQ(sent(*world.source), id_of(*world.source, "tenantv"));
    world.set_phase(Phase::target_only);
    EXPECT_TRUE(Client::is_result(client.wait(client.execute(id, tenant, {}, ours))));
    EXPECT_EQ(sent(*world.target), id_of(*world.target, "tenantv"));

    // The table changes: the rows say so, under an id of ours, which the cluster hears as its own next time.
    world.target->on_request = [](const auto& asked) { asked.server->changed_rows(asked, {"added", "tenant", "v"}); };
    const auto changed = client.wait(client.execute(id, tenant, {}, ours));
    const auto rows = cql::decode_rows(Client::view(changed)).value();
    ASSERT_TRUE(rows.metadata.new_metadata_id);
    const Bytes next(rows.metadata.new_metadata_id->begin(), rows.metadata.new_metadata_id->end());
    EXPECT_TRUE(equal(digest_of(rows.metadata), next));
    EXPECT_NE(next, ours);
    client.wait(client.execute(id, tenant, {}, next));
    EXPECT_EQ(sent(*world.target), id_of(*world.target, "addedtenantv"));
}

TEST(SchemaEvents, OfFunctionsAreOfTheirKeyspaceToWhoKnowsNoFunctions) {
    World world;
    Bytes event;
    const auto push = [&](const cql::SchemaChange& change) {
        event.clear();
        cql::ResponseHead head;
        head.stream = cql::kEventStream;
        cql::encode_event(event, head, change);
        world.loop.on([&] { world.proxy->push_schema_event(event); });
    };
    std::vector<std::unique_ptr<Client>> clients;
    for (const auto version : cql::kAllVersions) {
        auto& client = *clients.emplace_back(std::make_unique<Client>(world.loop, world.address));
        client.version = version;
        client.start_up();
        const auto registered = client.ask([](Bytes& out, const cql::RequestHead& head) {
            const std::string_view wanted[] = {"SCHEMA_CHANGE"};
            cql::encode_register(out, head, wanted);
        });
        EXPECT_EQ(Client::opcode(registered), Opcode::ready);
    }
    const Bytes arguments{0, 3, 'i', 'n', 't'};
    push({"CREATED", "FUNCTION", "app", "f", {1, arguments}});
    push({"DROPPED", "AGGREGATE", "app", "a", {1, arguments}});
    push({"UPDATED", "TABLE", "app", "rows", {}});
    for (const auto& client : clients) {
        auto& answers = client->answers[cql::kEventStream];
        world.loop.until([&] { return answers.size() == 3; });
        std::vector<std::string> seen;
        for (const auto& frame : answers) {
            EXPECT_EQ(Client::view(frame).version(), client->version);
            const auto decoded = cql::decode_event(Client::view(frame)).value();
            const auto& change = std::get<cql::SchemaChange>(decoded);
            seen.push_back(fmt::format("{} {} {} {}", change.change, change.target, change.keyspace, change.name));
            for (const auto& argument : change.arguments.to_vector()) seen.back() += fmt::format("({})", argument);
        }
        const auto expected =
            client->version == ProtocolVersion::v3
                ? std::vector<std::string>{"UPDATED KEYSPACE app ", "UPDATED KEYSPACE app ", "UPDATED TABLE app rows"}
                : std::vector<std::string>{"CREATED FUNCTION app f(int)", "DROPPED AGGREGATE app a(int)",
                                           "UPDATED TABLE app rows"};
        EXPECT_EQ(seen, expected) << cql::to_string(client->version);
    }
}

TEST_F(StartupTest, AClientThatWantsTlsIsToldApartInTheLog) {
    ::testing::internal::CaptureStderr();
    Client client(world.loop, world.address);
    const std::uint8_t hello[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03};
    client.raw(hello);
    world.loop.until([&] { return client.closed; });
    const auto log = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find(" wants TLS, and --listen speaks none: give --listen-tls.cert and --listen-tls.key"),
              std::string::npos)
        << log;
    Client other(world.loop, world.address);
    other.start_up();  // is served
}

}  // namespace
}  // namespace penumbra::proxy::testing
