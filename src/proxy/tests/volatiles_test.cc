#include "proxy/volatiles.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "cql/types/scalars.h"
#include "cql/types/type.h"
#include "cql/types/value.h"
#include "proxy/prepared.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::TypeKind;
using cql::VolatileKind;
using Worth = Volatiles::Worth;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

using namespace std::chrono_literals;

constexpr std::int64_t kMicros = 1'700'000'000'123'456;  // 2023-11-14T22:13:20.123456Z

cql::Table events() {
    cql::Table table;
    table.keyspace = "app";
    table.name = "events";
    const auto add = [&](std::string name, cql::TypePtr type, cql::ColumnKind kind) {
        cql::ColumnDef column;
        column.name = std::move(name);
        column.type = std::move(type);
        column.kind = kind;
        column.position = kind == cql::ColumnKind::partition_key ? 0 : -1;
        table.columns.push_back(std::move(column));
    };
    const auto regular = cql::ColumnKind::regular;
    add("id", cql::scalar(TypeKind::uuid), cql::ColumnKind::partition_key);
    add("at", cql::scalar(TypeKind::timestamp), regular);
    add("day", cql::scalar(TypeKind::date), regular);
    add("clock", cql::scalar(TypeKind::time), regular);
    add("note", cql::scalar(TypeKind::text), regular);
    add("number", cql::scalar(TypeKind::int_), regular);
    add("times", cql::parse_type("list<timestamp>", "app", {}).value(), regular);
    add("by_time", cql::parse_type("map<timestamp, text>", "app", {}).value(), regular);
    return table;
}

Worth worth(const std::string& text) {
    const auto table = events();
    return Volatiles::worth_of(cql::parse(text), &table);
}

VolatilesPtr of(const std::string& text) {
    const auto table = events();
    return Volatiles::of(cql::parse(text), [&](const cql::Statement&) { return &table; });
}

std::string rewritten(const std::string& text) {
    VolatileValues values(kMicros, 5);
    const auto volatiles = of(text);
    return volatiles ? volatiles->with_literals(text, values) : "as it is";
}

TEST(VolatileValues, AreOfOneMoment) {
    VolatileValues values(kMicros, 5);
    EXPECT_EQ(values.next_literal(VolatileKind::current_date), "'2023-11-14'");
    EXPECT_EQ(values.next_literal(VolatileKind::current_time), "'22:13:20.123000000'");
    EXPECT_EQ(cql::decode_bigint(values.next(VolatileKind::current_timestamp)).value(), kMicros / 1000);
    EXPECT_EQ(values.next(VolatileKind::now_string), values.next(VolatileKind::current_timestamp));
    const auto uuid = cql::Uuid::from_bytes(values.next(VolatileKind::uuid)).value();
    EXPECT_EQ(uuid.version(), 4);
    std::set<Bytes> seen;
    for (int i = 0; i < 100; ++i) {
        const auto bytes = values.next(i % 2 ? VolatileKind::now : VolatileKind::current_timeuuid);
        const auto timed = cql::Uuid::from_bytes(bytes).value();
        EXPECT_EQ(timed.version(), 1);
        EXPECT_EQ(timed.unix_100ns() / 10, kMicros);
        EXPECT_TRUE(seen.insert(bytes).second) << "each call gives another one";
    }
}

TEST(Volatiles, OnlyWhatMeansATimeIsOne) {
    EXPECT_EQ(worth("INSERT INTO app.events (id, note) VALUES (uuid(), 'x')"), Worth::valuable);
    EXPECT_EQ(worth("INSERT INTO app.events (id, note) VALUES (?, 'now')"), Worth::none);
    EXPECT_EQ(worth("INSERT INTO app.events (id, day) VALUES (?, 'now')"), Worth::none) << "no server takes it";
    EXPECT_EQ(worth("INSERT INTO app.events (id, at) VALUES (?, 'NOW')"), Worth::valuable);
    EXPECT_EQ(worth("UPDATE app.events SET times = ['now', '2020-01-01'] WHERE id = ?"), Worth::valuable);
    EXPECT_EQ(worth("UPDATE app.events SET by_time = {'now': 'now'} WHERE id = ?"), Worth::opaque);
    EXPECT_EQ(worth("UPDATE app.events SET by_time['now'] = 'x' WHERE id = ?"), Worth::opaque);
    EXPECT_EQ(worth("UPDATE app.events SET at = mine('now') WHERE id = ?"), Worth::opaque);
    EXPECT_EQ(worth("UPDATE app.events SET number = now() WHERE id = ?"), Worth::opaque) << "the server says why not";
    EXPECT_EQ(worth("INSERT INTO app.events JSON '{\"at\": \"now\"}'"), Worth::opaque);
    EXPECT_EQ(Volatiles::worth_of(cql::parse("INSERT INTO t (a) VALUES (now())"), nullptr), Worth::opaque);
}

TEST(Volatiles, TextsGetValuesInThePlaceOfCalls) {
    EXPECT_EQ(
        rewritten("INSERT INTO app.events (id, at, day, clock) VALUES (?, 'now', currentDate(), currentTime())"),
        rewritten("INSERT INTO app.events (id, at, day, clock) VALUES (?, 'now', current_date(), current_time())"));
    EXPECT_THAT(rewritten("INSERT INTO app.events (id, day) VALUES (system.uuid(), toDate(now()))"),
                MatchesRegex("INSERT INTO app.events \\(id, day\\) VALUES \\([-0-9a-f]{36}, "
                             "toDate\\(\\(timeuuid\\)[-0-9a-f]{36}\\)\\)"));
    EXPECT_THAT(rewritten("UPDATE app.events SET at = currentTimestamp() - 1d, times = times + [toTimestamp(now()), "
                          "'now'] WHERE id = ?"),
                ::testing::AllOf(HasSubstr("at = (timestamp)"), HasSubstr(" - 1d"), Not(HasSubstr("now"))));
    EXPECT_THAT(rewritten("DELETE FROM app.events WHERE id = now()"),
                MatchesRegex("DELETE FROM app.events WHERE id = [-0-9a-f]{36}"));
    EXPECT_EQ(rewritten("INSERT INTO app.events (id, note) VALUES (uuid(), mine(now()))"), "as it is");
    EXPECT_EQ(rewritten("INSERT INTO app.events (id) VALUES (uuid()) IF NOT EXISTS"), "as it is");
}

TEST(Volatiles, PreparedTextsGetMarkersAndExecutionsTheirValues) {
    const std::string text = "INSERT INTO app.events (note, id, number, at) VALUES (?, uuid(), ?, currentTimestamp())";
    const auto volatiles = of(text);
    const PreparedText original(text, "", {});
    const auto prepared = volatiles->prepared(original);
    EXPECT_EQ(prepared->text(), "INSERT INTO app.events (note, id, number, at) VALUES (?, ?, ?, ?)");
    EXPECT_NE(prepared->id, original.id);
    EXPECT_EQ(volatiles->prepared(original), prepared) << "parsed once";
    VolatileValues values(kMicros, 5);
    std::vector<Bytes> bytes;
    const auto extra = volatiles->extra_values(values, bytes);
    ASSERT_EQ(extra.size(), 2u);
    EXPECT_EQ(extra[0].before, 1u);
    EXPECT_EQ(extra[0].value.bytes().size(), 16u);
    EXPECT_EQ(extra[1].before, 2u);
    EXPECT_EQ(cql::decode_bigint(extra[1].value.bytes()).value(), kMicros / 1000);
    EXPECT_THAT(of("INSERT INTO app.events (note, id) VALUES (:n, uuid())")->prepared(original)->text(),
                HasSubstr(":penumbra_0"));
}

/// A write with a call and so many markers.
std::string marked(std::string text, std::size_t count) {
    text += " IN (?";
    for (std::size_t i = 1; i < count; ++i) text += ",?";
    return text + ")";
}

TEST(Volatiles, AreNotAddedWhereTheCountOfValuesHasNoRoom) {
    constexpr std::size_t kMost = 0xFFFF;
    for (const std::size_t count : {kMost - 1, kMost}) {
        const auto volatiles = of(marked("UPDATE app.events SET note = toJson(now()) WHERE id", count));
        ASSERT_TRUE(volatiles);
        const std::vector<cql::CellView> values(count, cql::CellView::null());
        cql::Parameters parameters;
        parameters.values = values;
        Bytes frame;
        cql::encode_query(frame, {}, "x", parameters);
        const auto query = cql::decode_query(cql::view_frame(frame, cql::Direction::request).value()).value();
        EXPECT_EQ(volatiles->can_add_to(query.parameters.values), count < kMost) << count;
    }
}

// ---- through the proxy

TEST(VolatilesInAWorld, AsManyValuesAsThereCanBeLeaveNoRoomForOurs) {
    World world(2s, 60ms, {}, {}, [](World&, ProxyContext& context) { context.options.max_frame_bytes = 1 << 20; });
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto text = marked("UPDATE app.rows SET v = toJson(now()) WHERE tenant = 'acme' AND id", 0xFFFF);
    const auto id = client->prepare(text);
    const std::vector<cql::CellView> values(0xFFFF, cql::CellView::null());
    cql::Parameters parameters;
    parameters.values = values;
    EXPECT_TRUE(Client::is_result(client->ask(
        [&](Bytes& out, const cql::RequestHead& head) { cql::encode_execute(out, head, id, {}, parameters); })));
    std::vector<cql::BatchStatement> children(1);
    children[0].id = id;
    children[0].values = values;
    EXPECT_TRUE(Client::is_result(client->ask([&](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::logged, children, {});
    })));
    world.settle();
    ASSERT_EQ(world.source->applied.size(), 2U);
    for (const auto& applied : world.source->applied) EXPECT_EQ(applied.text, text) << "as the application has it";
    EXPECT_TRUE(world.target->applied.empty());
    EXPECT_EQ(world.owed(Side::target).size(), 2U) << "read back instead";
}

const std::string kText = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, toJson(now()))";

TEST(VolatilesInAWorld, ATextIsTheSameForBothClusters) {
    World world;
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(kText)));
    EXPECT_TRUE(Client::is_result(client->run(kText)));
    world.settle();
    ASSERT_EQ(world.source->applied.size(), 2U);
    ASSERT_EQ(world.target->applied.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(world.source->applied[i].text, world.target->applied[i].text);
        EXPECT_THAT(world.source->applied[i].text, HasSubstr("toJson((timeuuid)"));
        EXPECT_EQ(world.source->applied[i].timestamp, world.target->applied[i].timestamp);
    }
    EXPECT_NE(world.source->applied[0].text, world.source->applied[1].text);
    EXPECT_TRUE(world.owed(Side::target).empty()) << "nothing is read back";
}

TEST(VolatilesInAWorld, OneClusterAloneGetsTheApplicationsText) {
    World world;
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(kText)));
    ASSERT_EQ(world.source->applied.size(), 1U);
    EXPECT_EQ(world.source->applied[0].text, kText);
}

TEST(VolatilesInAWorld, APreparedOneIsExecutedWithValuesOfOurs) {
    World world;
    world.set_phase(Phase::shadow_async);
    auto client = world.client();
    const auto id = client->prepare("INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, toJson(now()))");
    const std::vector<Bytes> values{cql::encode_text("acme"), cql::encode_int(1)};
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, values))));
    world.settle();
    ASSERT_EQ(world.source->applied.size(), 1U);
    ASSERT_EQ(world.target->applied.size(), 1U);
    for (const auto* server : {world.source.get(), world.target.get()})
        EXPECT_EQ(server->applied[0].text, "INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, toJson((timeuuid)?))");
    EXPECT_TRUE(world.owed(Side::target).empty());
    // Away, the shadow is owed the statement itself, value included.
    world.target->on_request = [](const auto& asked) { asked.server->error(asked, cql::ErrorCode::overloaded); };
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, values))));
    world.settle();
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    ASSERT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
    const auto& statement = std::get<sync::OwedStatement>(owed[0]);
    const auto execute = cql::decode_execute(cql::view_frame(statement.frame, cql::Direction::request).value()).value();
    EXPECT_EQ(execute.parameters.values.size(), 3U);
    EXPECT_THAT(statement.prepared.at(0).text, HasSubstr("(timeuuid)?"));
}

TEST(VolatilesInAWorld, TooFewValuesAreRefusedInTheWordsOfTheApplicationsText) {
    World world;
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const std::string text = "INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, toJson(now()))";
    const auto id = client->prepare(text);
    client->wait(client->execute(id, std::vector<Bytes>{cql::encode_text("acme")}));
    world.settle();
    // A server says how many markers there are and how many values: not those of a text that the application never saw.
    ASSERT_EQ(world.source->applied.size(), 1U);
    EXPECT_EQ(world.source->applied[0].text, text);
    EXPECT_EQ(world.source->applied[0].values.size(), 1U);
}

TEST(VolatilesInAWorld, ABatchMixesThem) {
    World world;
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto id = client->prepare("INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, toJson(now()))");
    const auto tenant = cql::encode_text("acme");
    const auto one = cql::encode_int(1);
    const std::vector<cql::CellView> values{BytesView(tenant), BytesView(one)};
    std::vector<cql::BatchStatement> children(2);
    children[0].id = id;
    children[0].values = values;
    children[1].query = kText;
    EXPECT_TRUE(Client::is_result(client->ask([&](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::logged, children, {});
    })));
    world.settle();
    ASSERT_EQ(world.source->applied.size(), 1U);
    ASSERT_EQ(world.target->applied.size(), 1U);
    EXPECT_TRUE(world.owed(Side::target).empty());
}

TEST(VolatilesInAWorld, AServerThatDoesNotTakeOurWordsGetsTheApplicationsOwn) {
    World world;
    world.set_phase(Phase::shadow_sync);
    world.source->on_request = [](const auto& asked) {
        if (asked.opcode == cql::Opcode::prepare && asked.text.find("(timeuuid)?") != std::string::npos)
            return asked.server->error(asked, cql::ErrorCode::syntax_error);
        if (asked.opcode == cql::Opcode::prepare) return asked.server->prepare(asked);
        asked.server->obey(asked);
    };
    auto client = world.client();
    const std::string text = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, toJson(now()))";
    const auto id = client->prepare(text);
    const auto answer = client->wait(client->execute(id, {}));
    EXPECT_EQ(Client::error(answer), cql::ErrorCode::unprepared) << "as if a server had forgotten it";
    EXPECT_EQ(client->prepare(text), id);
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, {}))));
    world.settle();
    ASSERT_EQ(world.source->applied.size(), 1U);
    EXPECT_EQ(world.source->applied[0].text, text);
    EXPECT_FALSE(world.owed(Side::target).empty()) << "its row is read back";
}

}  // namespace
}  // namespace penumbra::proxy::testing
