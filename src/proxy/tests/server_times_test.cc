#include "proxy/server_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "cql/types/type.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;

cql::Table log() {
    cql::Table table;
    table.keyspace = "app";
    table.name = "log";
    const auto add = [&](std::string name, const char* type, cql::ColumnKind kind = cql::ColumnKind::regular) {
        cql::ColumnDef column;
        column.name = std::move(name);
        column.type = cql::parse_type(type, "app", {}).value();
        column.kind = kind;
        column.position = kind == cql::ColumnKind::regular ? -1 : 0;
        table.columns.push_back(std::move(column));
    };
    add("tenant", "text", cql::ColumnKind::partition_key);
    add("at", "timestamp", cql::ColumnKind::clustering);
    add("Seen", "timestamp");
    add("day", "date");
    add("v", "text");
    add("by_time", "map<timestamp, text>");
    add("times", "list<timestamp>");
    add("pair", "frozen<tuple<text, timestamp>>");
    return table;
}

// ---- JSON

TEST(ServerTimes, NowIsATimeOnlyWhereATimestampStands) {
    const auto table = log();
    const auto depends = [&](std::string_view json) { return json_depends_on_server(json, &table); };
    EXPECT_TRUE(depends(R"({"tenant": "a", "at": "now"})"));
    EXPECT_TRUE(depends(R"({"tenant": "a", "AT": "NOW"})"));
    EXPECT_TRUE(depends(R"({"\"Seen\"": "n\u006fw"})"));
    EXPECT_TRUE(depends(R"({"by_time": {"now": "x"}})"));
    EXPECT_TRUE(depends(R"({"times": ["2024-05-01 10:00Z", "now"]})"));
    EXPECT_TRUE(depends(R"({"times": "[\"now\"]"})")) << "JSON within JSON";
    EXPECT_TRUE(depends(R"({"pair": ["now", null]})")) << "not looked at so closely";
    EXPECT_FALSE(depends(R"({"tenant": "now", "v": "now", "at": "2024-05-01 10:00Z", "day": "now"})"));
    EXPECT_FALSE(depends(R"({"seen": "now", "nothing": "now"})")) << "no columns of it";
    EXPECT_FALSE(depends(R"({"tenant": "a", "at": 1, "now": 1})"));
    EXPECT_FALSE(depends(""));
    EXPECT_TRUE(json_depends_on_server(R"("now")", nullptr));
    EXPECT_TRUE(json_depends_on_server(R"(["now"])", nullptr));
    EXPECT_FALSE(json_depends_on_server(R"("nowhere")", nullptr));
}

TEST(ServerTimes, MarkersForJsonThatMayHoldOne) {
    const auto table = log();
    const auto markers = [&](const std::string& text, const cql::Table* of) {
        const auto statement = cql::parse(text);
        std::vector<std::uint32_t> found;
        for (const auto& json : server_times_of(statement, of).json) found.push_back(json.marker->marker);
        return found;
    };
    using Markers = std::vector<std::uint32_t>;
    EXPECT_EQ(markers("INSERT INTO app.log JSON ?", &table), Markers{0});
    EXPECT_EQ(markers("INSERT INTO app.log JSON :row DEFAULT UNSET", &table), Markers{0});
    EXPECT_EQ(markers("INSERT INTO app.log (tenant, at) VALUES (?, fromJson(?))", &table), Markers{1});
    EXPECT_EQ(markers("INSERT INTO app.log (tenant, at) VALUES (?, system.from_json((text)?))", &table), Markers{1});
    EXPECT_EQ(markers("UPDATE app.log SET times = times + fromJson(?) WHERE tenant = ? AND at = fromJson(?)", &table),
              (Markers{0, 2}));
    EXPECT_EQ(markers("UPDATE app.log SET times = [fromJson(?)], by_time[fromJson(?)] = ? WHERE tenant = ?", &table),
              (Markers{0, 1}));
    EXPECT_EQ(markers("INSERT INTO app.log (tenant, v) VALUES (?, fromJson(?))", &table), Markers{});
    EXPECT_EQ(markers("INSERT INTO app.log (tenant, v) VALUES (?, mine(fromJson(?)))", &table), Markers{1})
        << "who knows what that takes";
    EXPECT_EQ(markers("INSERT INTO app.log (tenant, at) VALUES (?, ?)", &table), Markers{});
    EXPECT_EQ(markers("INSERT INTO app.log JSON ?", nullptr), Markers{0});
    auto other = table;
    std::erase_if(other.columns, [](const auto& column) { return mentions_timestamp(*column.type); });
    EXPECT_EQ(markers("INSERT INTO app.log JSON ?", &other), Markers{});
}

// ---- literals

TEST(ServerTimes, LiteralsWithoutAZone) {
    const auto table = log();
    const auto in_text = [&](const std::string& text) { return server_times_of(cql::parse(text), &table).in_text; };
    const std::string where = " WHERE tenant = 'a' AND at = 1";
    for (const std::string text : {
             "INSERT INTO app.log (tenant, at) VALUES ('a', '2024-05-01 10:00')",
             "INSERT INTO app.log (tenant, at) VALUES ('a', $$2024-05-01$$)",
             "UPDATE app.log SET v = 'x' WHERE tenant = 'a' AND at = '2024-05-01T10:00:00.000'",
             "DELETE FROM app.log WHERE tenant = 'a' AND at IN (1, '2024-05-01')",
             "DELETE FROM app.log WHERE tenant = 'a' AND at < '2024-05-01'",
             "DELETE FROM app.log WHERE tenant = 'a' AND (at) < ('2024-05-01')",
             "DELETE by_time['2024-05-01'] FROM app.log WHERE tenant = 'a' AND at = 1",
         })
        EXPECT_TRUE(in_text(text)) << text;
    for (const std::string set : {
             "times = [1, '2024-05-01']",
             "times = times + ['2024-05-01']",
             "times[0] = '2024-05-01'",
             "by_time['2024-05-01'] = 'x'",
             "by_time = by_time + {'2024-05-01': 'x'}",
             "by_time = by_time - {'2024-05-01'}",
             "pair = ('x', '2024-05-01')",
             "\"Seen\" = (timestamp)'2024-05-01'",
             "\"Seen\" = '2024-05-01' - 1d",
             "v = mine('2024-05-01')",
             "\"Seen\" = fromJson('\"2024-05-01\"')",
         })
        EXPECT_TRUE(in_text("UPDATE app.log SET " + set + where)) << set;
    for (const std::string set : {
             "v = '2024-05-01'",
             "v = (text)'2024-05-01'",
             "day = '2024-05-01'",
             "times = ['2024-05-01Z']",
             "by_time['2024-05-01Z'] = '2024-05-01'",
             "by_time = {1: '2024-05-01'}",
             "pair = ('2024-05-01', 1)",
             "v = fromJson('\"2024-05-01\"')",
             "\"Seen\" = '2024-05-01 10:00+0200'",
             "\"Seen\" = 1714557600000",
             "\"Seen\" = ?",
         })
        EXPECT_FALSE(in_text("UPDATE app.log SET " + set + where)) << set;
    EXPECT_TRUE(in_text(R"(INSERT INTO app.log JSON '{"at": "2024-05-01 10:00"}')"));
    EXPECT_FALSE(in_text(R"(INSERT INTO app.log JSON '{"at": "2024-05-01 10:00Z", "day": "2024-05-01"}')"));
    EXPECT_TRUE(server_times_of(cql::parse("INSERT INTO t (k) VALUES ('2024-05-01')"), nullptr).in_text);
    EXPECT_TRUE(json_depends_on_server(R"({"at": "2024-05-01 10:00"})", &table));
    EXPECT_TRUE(json_depends_on_server(R"({"by_time": {"2024-05-01": "x"}})", &table));
    EXPECT_FALSE(json_depends_on_server(R"({"at": "2024-05-01Z", "v": "2024-05-01", "day": "2024-05-01"})", &table));
}

// ---- through the proxy

void with_log(World& world, ProxyContext&) {
    for (auto* server : {world.source.get(), world.target.get()}) {
        auto& columns = server->schema.columns;
        columns.push_back({"app", "log", "tenant", "partition_key", "text", 0, "none"});
        columns.push_back({"app", "log", "at", "clustering", "timestamp", 0, "asc"});
        columns.push_back({"app", "log", "v", "regular", "text", -1, "none"});
    }
}

class ServerTimesInAWorld : public ::testing::Test {
  protected:
    /// Whether the target was asked, having taken in what is owed to it.
    bool is_sent() {
        world.settle();
        const auto sent = world.target->applied.size();
        const auto owed = world.owed(Side::target).size();
        EXPECT_EQ(world.source->applied.size(), ++writes_);
        EXPECT_EQ(sent + owed, writes_) << "the one or the other";
        return std::exchange(sent_, sent) != sent;
    }

    World world{400ms, 60ms, {}, {}, with_log};
    std::size_t writes_ = 0;
    std::size_t sent_ = 0;
};

TEST_F(ServerTimesInAWorld, BoundJsonWithTheServersTimeIsReadBack) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto run = [&](BytesView id, const std::vector<Bytes>& values) {
        EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, values))));
        return is_sent();
    };
    const auto row = client->prepare("INSERT INTO app.log JSON ?");
    EXPECT_FALSE(run(row, {cql::encode_text(R"({"tenant": "acme", "at": "now"})")}));
    EXPECT_TRUE(run(row, {cql::encode_text(R"({"tenant": "acme", "at": 1, "v": "now"})")}));
    EXPECT_TRUE(std::holds_alternative<sync::OwedResync>(world.owed(Side::target).at(0)));

    const auto value = client->prepare("INSERT INTO app.log (tenant, at, v) VALUES ('acme', fromJson(?), ?)");
    EXPECT_FALSE(run(value, {cql::encode_text(R"("now")"), cql::encode_text("x")}));
    EXPECT_TRUE(run(value, {cql::encode_text("1"), cql::encode_text("now")}));
    EXPECT_EQ(std::get<sync::OwedResync>(world.owed(Side::target).at(1)).partition_key, cql::encode_text("acme"));

    // One such child of a batch keeps all of it from being sent.
    std::vector<cql::BatchStatement> children(2);
    const auto now = cql::encode_text(R"({"tenant": "acme", "at": "now"})");
    const std::vector<cql::CellView> values{BytesView(now)};
    children[0].query = "INSERT INTO app.log (tenant, at) VALUES ('acme', 1)";
    children[1].id = row;
    children[1].values = values;
    EXPECT_TRUE(Client::is_result(client->ask([&](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::logged, children, {});
    })));
    world.settle();
    EXPECT_EQ(world.target->applied.size(), sent_);
}

TEST_F(ServerTimesInAWorld, JsonOfATextIsLookedAtToo) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto now = cql::encode_text(R"({"tenant": "acme", "at": "now"})");
    const std::vector<cql::CellView> values{BytesView(now)};
    cql::Parameters parameters;
    parameters.values = values;
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.log JSON ?", parameters)));
    EXPECT_FALSE(is_sent());
    // By a name that servers give a marker without one.
    const std::vector<std::string_view> names{"[json]"};
    parameters.names = names;
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.log JSON ?", parameters)));
    EXPECT_FALSE(is_sent());
    const std::vector<std::string_view> own{"row"};
    parameters.names = own;
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.log JSON :row", parameters)));
    EXPECT_FALSE(is_sent());
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.log JSON '{\"tenant\": \"acme\", \"at\": \"now\"}'")));
    EXPECT_FALSE(is_sent());
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.log JSON '{\"tenant\": \"now\", \"at\": 1}'")));
    EXPECT_TRUE(is_sent());
}

TEST_F(ServerTimesInAWorld, ATimeWithoutAZoneIsReadBackWithAllThatMayBeMeant) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto run = [&](const std::string& at, const std::string& v) {
        EXPECT_TRUE(Client::is_result(
            client->run("INSERT INTO app.log (tenant, at, v) VALUES ('acme', " + at + ", '" + v + "')")));
        return is_sent();
    };
    EXPECT_FALSE(run("'2024-05-01 10:00'", "x"));
    EXPECT_TRUE(run("'2024-05-01 10:00Z'", "2024-05-01 10:00")) << "the one says its zone, the other is no time";
    EXPECT_TRUE(run("1714557600000", "x"));
    // The row that was meant is the primary's to know.
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_EQ(std::get<sync::OwedResync>(owed[0]), (sync::OwedResync{"app", "log", cql::encode_text("acme")}));
}

TEST_F(ServerTimesInAWorld, OneClusterAloneMayTakeItsOwn) {
    auto client = world.client();
    const auto row = client->prepare("INSERT INTO app.log JSON ?");
    EXPECT_TRUE(Client::is_result(
        client->wait(client->execute(row, {cql::encode_text(R"({"tenant": "acme", "at": "now"})")}))));
    world.settle();
    EXPECT_EQ(world.source->applied.size(), 1U);
    EXPECT_TRUE(world.owed(Side::target).empty());
}

}  // namespace
}  // namespace penumbra::proxy::testing
