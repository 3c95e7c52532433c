#include "proxy/plan.h"

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/tests/support/lying_server.h"
#include "cql/language/parser.h"
#include "proxy/tests/support/world.h"
#include "proxy/text_cache.h"

namespace penumbra::proxy::testing {
namespace {

cql::SchemaPtr schema_of(const cluster::testing::SchemaRows& rows) {
    using cluster::testing::as_rows;
    return cluster::build_schema(as_rows(rows.keyspace_rows()), as_rows(rows.table_rows()), as_rows(rows.column_rows()),
                                 as_rows(rows.type_rows()), as_rows(rows.view_rows()))
        .value();
}

cql::SchemaPtr schema() {
    return schema_of(cluster::testing::sample_schema());
}

class PlanTest : public ::testing::Test {
  protected:
    PlanPtr plan(const std::string& text, std::string_view keyspace = {}) {
        text_ = text;
        return make_plan(cql::parse(text_), keyspace, router_);
    }
    /// Phase and scopes of the request that binds these values.
    Routed route(const Plan& of, const std::vector<Bytes>& values = {},
                 const std::vector<std::string_view>& names = {}) {
        std::vector<cql::CellView> cells(values.begin(), values.end());
        cql::Parameters parameters;
        parameters.values = cells;
        parameters.names = names;
        Bytes frame;
        cql::encode_query(frame, {}, "x", parameters);
        const auto query = cql::decode_query(cql::view_frame(frame, cql::Direction::request).value()).value();
        Phases phases;
        Routed routed;
        collect_routes(of, query.parameters.values, phases, routed.scopes);
        routed.phase = routing::meet(phases);
        return routed;
    }
    std::string text_;
    routing::RouterPtr router_ = World::router(Phase::shadow_sync, Phase::source_only, schema());
};

TEST_F(PlanTest, WhatEachStatementIs) {
    EXPECT_EQ(plan("SELECT * FROM app.rows")->kind, Plan::Kind::read);
    EXPECT_EQ(plan("INSERT INTO app.settings (name, value) VALUES ('a', 'b')")->kind, Plan::Kind::write);
    EXPECT_EQ(plan("TRUNCATE app.rows")->kind, Plan::Kind::truncate);
    EXPECT_EQ(plan("USE app")->kind, Plan::Kind::use);
    EXPECT_EQ(plan("USE")->kind, Plan::Kind::read) << "the server refuses it, in its own words";
    EXPECT_EQ(plan("CREATE TABLE app.x (k int PRIMARY KEY)")->kind, Plan::Kind::schema_change);
    EXPECT_EQ(plan("SELECT * FROM system.local")->kind, Plan::Kind::virtual_table);
    EXPECT_EQ(plan("TRUNCATE system.peers")->kind, Plan::Kind::protected_table);
    EXPECT_EQ(plan("DELETE FROM tables WHERE keyspace_name = 'x'", "system_schema")->kind, Plan::Kind::protected_table);
    EXPECT_EQ(plan("BEGIN BATCH INSERT INTO app.rows (tenant, id) VALUES ('a', 1); "
                   "UPDATE system.local SET rack = 'x' WHERE key = 'local'; APPLY BATCH")
                  ->kind,
              Plan::Kind::protected_table);
    EXPECT_EQ(plan("SELECT * FROM system_schema.tables")->kind, Plan::Kind::read);
    EXPECT_EQ(plan("SELECT * FROM peers", "system")->kind, Plan::Kind::virtual_table);
    EXPECT_EQ(plan("SELECT * FROM system_schema.tables")->kind, Plan::Kind::read);
    EXPECT_EQ(plan("INSERT INTO system_auth.roles (role) VALUES ('x')")->kind, Plan::Kind::primary_only);
    EXPECT_EQ(plan("CREATE ROLE x")->kind, Plan::Kind::primary_only);
    EXPECT_EQ(plan("FROBNICATE app.rows")->kind, Plan::Kind::write) << "not understood: it may write";
}

TEST_F(PlanTest, HowAWriteGetsToTheShadow) {
    const std::string where = " WHERE tenant = 'acme' AND id = 1";
    const std::pair<std::string, Mirroring> cases[] = {
        {"INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')", Mirroring::exact},
        {"UPDATE app.rows USING TTL 10 SET v = 'x'" + where, Mirroring::exact},
        {"DELETE FROM app.rows" + where, Mirroring::exact},
        {"DELETE tags FROM app.rows" + where, Mirroring::exact},
        {"UPDATE app.rows SET tags = tags + ['a']" + where, Mirroring::once},
        {"UPDATE app.rows SET tags = ['a'] + tags" + where, Mirroring::once},
        {"UPDATE app.rows SET tags = ['a']" + where, Mirroring::once},
        {"INSERT INTO app.rows (tenant, id, tags) VALUES ('acme', 1, ['a'])", Mirroring::once},
        {"INSERT INTO app.rows JSON ?", Mirroring::once},
        {"UPDATE app.rows SET tags = tags - ['a']" + where, Mirroring::resync},
        {"UPDATE app.rows SET tags[0] = 'a'" + where, Mirroring::resync},
        {"DELETE tags[0] FROM app.rows" + where, Mirroring::resync},
        {"UPDATE app.hits SET n = n + 1 WHERE tenant = 'acme'", Mirroring::once},
        {"INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x') IF NOT EXISTS", Mirroring::resync},
        {"UPDATE app.rows SET v = 'x'" + where + " IF v = 'y'", Mirroring::resync},
        {"DELETE FROM app.rows" + where + " IF EXISTS", Mirroring::resync},
        {"INSERT INTO app.settings (name, value) VALUES (toJson(now()), 'x')", Mirroring::resync},
        {"BEGIN BATCH INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x'); UPDATE app.rows SET tags = tags + "
         "['a']" +
             where + "; APPLY BATCH",
         Mirroring::once},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(plan(text)->mirroring, expected) << text;
    EXPECT_EQ(plan("SELECT v, now() FROM app.rows")->mirroring, Mirroring::exact);
    EXPECT_EQ(plan("INSERT INTO app.settings (name, value) VALUES ('now', 'now')")->mirroring, Mirroring::exact)
        << "a text like any other";
}

TEST_F(PlanTest, WhatCanBecomeAValueAndWhatCannot) {
    const auto replaced = [&](const std::string& text) { return plan(text)->volatiles != nullptr; };
    EXPECT_TRUE(replaced("INSERT INTO app.settings (name, value) VALUES (toJson(now()), 'x')"));
    EXPECT_TRUE(
        replaced("BEGIN BATCH INSERT INTO app.settings (name, value) VALUES ('a', 'b'); "
                 "DELETE FROM app.settings WHERE name = toJson(uuid()); APPLY BATCH"));
    EXPECT_FALSE(replaced("INSERT INTO app.settings (name, value) VALUES ('a', 'b')"));
    EXPECT_FALSE(replaced("SELECT now() FROM app.settings"));
    EXPECT_FALSE(replaced("INSERT INTO app.settings (name, value) VALUES (mine(now()), 'x')")) << "a user's function";
    EXPECT_FALSE(replaced("INSERT INTO app.settings (name, value) VALUES (now(), 'x')")) << "the server refuses it";
    EXPECT_FALSE(replaced("INSERT INTO app.settings JSON '{\"name\": \"now\"}'"));
    EXPECT_FALSE(replaced("INSERT INTO app.settings (name, value) VALUES (toJson(now()), 'x') IF NOT EXISTS"));
    EXPECT_FALSE(replaced("INSERT INTO app.nowhere (name, value) VALUES (toJson(now()), 'x')"));
}

TEST_F(PlanTest, TheTenantIsFoundWhereverItStands) {
    const Routed acme{Phase::shadow_sync, {kAcme}};
    const Routed other{Phase::source_only, {routing::kDefaultScope}};
    const auto tenant = cql::encode_text("acme");
    const auto one = cql::encode_int(1);
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE tenant = 'acme'")), acme);
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE tenant = 'zeta'")), other);
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE id = ? AND tenant = ?"), {one, tenant}), acme);
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE id = ? AND tenant = ?"), {one, cql::encode_text("zeta")}),
              other);
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE tenant = :who AND id = :n"), {one, tenant}, {"n", "who"}),
              acme);
    EXPECT_EQ(route(*plan("INSERT INTO app.rows (id, tenant) VALUES (?, ?)"), {one, tenant}), acme);
    EXPECT_EQ(route(*plan("SELECT * FROM rows WHERE tenant = 'acme'", "app")), acme) << "completed by the session";
    EXPECT_EQ(route(*plan("SELECT * FROM other.rows WHERE tenant = 'acme'")), other) << "no table of the migration";
}

TEST_F(PlanTest, TheTenantIsFoundWhereMarkersShareAName) {
    const Routed acme{Phase::shadow_sync, {kAcme}};
    const auto tenant = cql::encode_text("acme");
    const auto one = cql::encode_int(1);
    const auto text = plan("UPDATE app.rows SET v = :x WHERE id = :n AND id = :n AND tenant = :who");
    EXPECT_EQ(route(*text, {one, one, one, tenant}), acme) << "a value for each occurrence, as on Cassandra";
    EXPECT_EQ(route(*text, {one, one, tenant}), acme) << "a value for each name, as on ScyllaDB";
    EXPECT_EQ(route(*text, {tenant, one, one}, {"who", "n", "x"}), acme);
    const auto batch = plan(
        "BEGIN BATCH DELETE FROM app.settings WHERE name = :x; DELETE FROM app.settings WHERE "
        "name = :x; DELETE FROM app.rows WHERE tenant = :who; APPLY BATCH");
    EXPECT_EQ(route(*batch, {one, one, tenant}), route(*batch, {one, tenant}));
    const auto child = batch->parts.back().tenant;
    ASSERT_TRUE(child);
    EXPECT_EQ(child->marker, 2U);
    EXPECT_EQ(child->shared_slot, 1U);
    EXPECT_EQ(route(*plan("DELETE FROM app.rows WHERE tenant = ?"), {tenant}, {"tenant"}), acme)
        << "a marker without a name is called by its column";
}

TEST_F(PlanTest, WithoutATenantEveryScopeOfTheTableCounts) {
    const Routed all{Phase::shadow_sync, {kAcme, routing::kDefaultScope}};
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows")), all);
    EXPECT_EQ(route(*plan("DELETE FROM app.rows WHERE tenant = ? AND id = 1")), all) << "not bound";
    EXPECT_EQ(route(*plan("SELECT * FROM app.rows WHERE tenant IN ('acme', 'zeta')")), all);
    const auto batch = plan(
        "BEGIN BATCH INSERT INTO app.rows (tenant, id) VALUES ('zeta', 1); INSERT INTO app.rows (tenant, id) VALUES "
        "('acme', 1); APPLY BATCH");
    EXPECT_EQ(route(*batch), (Routed{Phase::shadow_sync, {routing::kDefaultScope, kAcme}}));
}

TEST_F(PlanTest, WhatIsNotThereIsLookedUpAndWhatIsNotUnderstoodTouchesEverything) {
    EXPECT_TRUE(plan("INSERT INTO app.fresh (k) VALUES (1)")->unknown_table);
    EXPECT_FALSE(plan("SELECT * FROM system.size_estimates")->unknown_table);
    const auto strange = route(*plan("FROBNICATE everything"));
    EXPECT_EQ(strange.phase, Phase::shadow_sync);
    EXPECT_EQ(strange.scopes, (Scopes{routing::kDefaultScope, kAcme}));
}

TEST_F(PlanTest, NamesThatLackAKeyspaceNeedTheSession) {
    EXPECT_TRUE(plan("SELECT * FROM rows")->needs_keyspace);
    EXPECT_FALSE(plan("SELECT * FROM app.rows")->needs_keyspace);
}

TEST_F(PlanTest, ThePartitionKeyIsThereOrNot) {
    const auto whole = plan("DELETE FROM app.rows WHERE tenant = 'acme' AND id = 1");
    Bytes key;
    EXPECT_TRUE(append_partition_key(whole->parts[0], {}, key));
    EXPECT_EQ(key, cql::encode_text("acme"));
    const auto unbound = plan("DELETE FROM app.rows WHERE tenant = ? AND id = 1");
    EXPECT_FALSE(append_partition_key(unbound->parts[0], {}, key));
    EXPECT_EQ(key, cql::encode_text("acme")) << "nothing is appended";
}

TEST_F(PlanTest, TheRowIsThereOrNot) {
    const auto row = [&](const char* text) {
        const auto planned = plan(text);
        const auto key = clustering_key(planned->parts.at(0), {});
        std::vector<Bytes> values;
        for (const auto value : key) values.emplace_back(value.begin(), value.end());
        return values;
    };
    const std::vector<Bytes> first{cql::encode_int(1)};
    EXPECT_EQ(row("DELETE FROM app.rows WHERE tenant = 'acme' AND id = 1 IF EXISTS"), first);
    EXPECT_EQ(row("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x') IF NOT EXISTS"), first);
    EXPECT_EQ(row("UPDATE app.rows SET v = 'x' WHERE tenant = 'acme' AND id = 1 IF v = 'y'"), first);
    for (const auto* several :
         {"DELETE FROM app.rows WHERE tenant = 'acme'", "DELETE FROM app.rows WHERE tenant = 'acme' AND id > 1",
          "DELETE FROM app.rows WHERE tenant = 'acme' AND id IN (1, 2)",
          "DELETE FROM app.rows WHERE tenant = ? AND id = ?"})
        EXPECT_TRUE(row(several).empty()) << several;
}

TEST_F(PlanTest, ATimeWithoutAZoneSaysNoRow) {
    auto rows = cluster::testing::sample_schema();
    rows.columns.push_back({"app", "log", "day", "partition_key", "timestamp", 0, "none"});
    rows.columns.push_back({"app", "log", "at", "clustering", "timestamp", 0, "asc"});
    rows.columns.push_back({"app", "log", "v", "regular", "text", -1, "none"});
    router_ = World::router(Phase::shadow_sync, Phase::source_only, schema_of(rows));
    const auto part = [&](const std::string& day, const std::string& at) {
        return plan("UPDATE app.log SET v = 'x' WHERE day = " + day + " AND at = " + at + " IF v = 'y'")->parts.at(0);
    };
    const auto ten = cql::encode_bigint(1714557600000);
    for (const std::string at :
         {"'2024-05-01 10:00Z'", "'2024-05-01 12:00+0200'", "1714557600000", "'1714557600000'"}) {
        const auto said = part("0", at);
        ASSERT_EQ(said.clustering.size(), 1U) << at;
        EXPECT_EQ(said.clustering[0].literal, ten) << at;
        EXPECT_EQ(part(at, "0").key.size(), 1U) << at;
    }
    Bytes scratch;
    for (const std::string at : {"'2024-05-01 10:00'", "'2024-05-01'", "'2024-05-01T10:00:00.000'"}) {
        const auto row = part("0", at);
        EXPECT_EQ(row.key.size(), 1U) << at;
        EXPECT_TRUE(row.clustering.empty()) << at;
        EXPECT_TRUE(token_of(row, {}, scratch)) << at;
        const auto partition = part(at, "0");
        EXPECT_TRUE(partition.key.empty()) << at;
        EXPECT_FALSE(token_of(partition, {}, scratch)) << at;
    }
    EXPECT_EQ(plan("INSERT INTO app.log (day, at) VALUES (0, '2024-05-01')")->mirroring, Mirroring::resync);
    EXPECT_EQ(plan("INSERT INTO app.log (day, at) VALUES (0, '2024-05-01Z')")->mirroring, Mirroring::exact);
    EXPECT_EQ(plan("SELECT * FROM app.log WHERE day = '2024-05-01'")->mirroring, Mirroring::exact);
}

TEST_F(PlanTest, ATextThatComesBackIsParsedTwiceAndThenNoMore) {
    TextCache texts(8);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(texts.plan("SELECT * FROM app.rows", "", router_)->kind, Plan::Kind::read);
    EXPECT_EQ(texts.parsed(), 2u) << "the first sight leaves only a hash";
    for (int i = 0; i < 1000; ++i) {
        const auto text = "INSERT INTO app.settings (name, value) VALUES ('a', '" + std::to_string(i) + "')";
        EXPECT_EQ(texts.plan(text, "", router_)->kind, Plan::Kind::write);
    }
    EXPECT_EQ(texts.size(), 1u) << "what never comes back pushes nothing out";
}

TEST_F(PlanTest, ATextMeansWhatItsKeyspaceAndTheRouterSay) {
    TextCache texts(8);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(texts.plan("SELECT * FROM peers", "system", router_)->kind, Plan::Kind::virtual_table);
        EXPECT_EQ(texts.plan("SELECT * FROM peers", "app", router_)->kind, Plan::Kind::read);
    }
    const auto next = World::router(Phase::target_only, Phase::target_only, schema());
    EXPECT_EQ(texts.plan("SELECT * FROM peers", "app", next)->router, next);
    EXPECT_EQ(texts.plan("SELECT * FROM peers", "app", next)->router, next);
    EXPECT_EQ(texts.size(), 2u);
}

}  // namespace
}  // namespace penumbra::proxy::testing
