#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/types/value.h"
#include "routing/router.h"

namespace penumbra::routing {
namespace {

using cql::ColumnKind;

const std::string kAcme = "5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10";
const std::string kZeta = "00000000-0000-4000-8000-00000000000a";

cql::Table table(std::string keyspace, std::string name, bool with_tenant = true) {
    cql::Table made;
    made.keyspace = std::move(keyspace);
    made.name = std::move(name);
    if (with_tenant)
        made.columns.push_back(
            {"system_domain_id", cql::scalar(cql::TypeKind::uuid), ColumnKind::partition_key, 0, false});
    made.columns.push_back({"v", cql::scalar(cql::TypeKind::text), ColumnKind::regular, -1, false});
    return made;
}

cql::SchemaPtr schema() {
    auto made = std::make_shared<cql::Schema>();
    made->add_table(table("shop", "orders"));
    made->add_table(table("shop", "migrations"));
    made->add_table(table("shop", "settings", false));
    made->add_table(table("system", "local", false));
    return made;
}

Bytes uuid_bytes(const std::string& text) {
    return cql::from_text(*cql::scalar(cql::TypeKind::uuid), text).value();
}

Router::Input input(std::vector<ScopeRoute> migrations, Phase default_phase = Phase::source_only) {
    Router::Input in;
    in.epoch = Epoch(3);
    in.default_phase = default_phase;
    in.tenant_column = "system_domain_id";
    in.migrations = std::move(migrations);
    in.schema = schema();
    return in;
}

ScopeRoute migration(std::uint32_t id, Phase phase, std::vector<std::string> tenants,
                     std::vector<std::string> allow = {}, std::vector<std::string> deny = {}) {
    ScopeRoute made{ScopeId(id), "m" + std::to_string(id), phase, {}};
    made.scope.tenants = std::move(tenants);
    for (const auto& text : allow) made.scope.allow.push_back(TablePattern::parse(text).value());
    for (const auto& text : deny) made.scope.deny.push_back(TablePattern::parse(text).value());
    return made;
}

TEST(Phase, MovesOneStepAtATime) {
    std::string moves;
    for (const auto from : kPhases) {
        for (const auto to : kPhases) {
            if (can_follow(from, to)) moves += std::string(to_string(from)) + ">" + std::string(to_string(to)) + " ";
        }
    }
    EXPECT_EQ(moves,
              "source_only>shadow_async shadow_async>source_only shadow_async>shadow_sync shadow_sync>shadow_async "
              "shadow_sync>target_primary target_primary>shadow_sync target_primary>target_only ");
    EXPECT_FALSE(can_cancel(Phase::target_only));
    EXPECT_EQ(next(Phase::target_primary), Phase::target_only);
    EXPECT_EQ(next(Phase::target_only), std::nullopt);
    EXPECT_EQ(parse_phase("shadow_sync").value(), Phase::shadow_sync);
    EXPECT_FALSE(parse_phase("shadow"));
}

TEST(TablePattern, StarsStandForAnythingWithinAPart) {
    const auto matches = [](std::string_view pattern, std::string_view keyspace, std::string_view name) {
        return TablePattern::parse(pattern).value().matches(keyspace, name);
    };
    EXPECT_TRUE(matches("media.*", "media", "files"));
    EXPECT_FALSE(matches("media.*", "media2", "files"));
    EXPECT_TRUE(matches("*.migrations", "any", "migrations"));
    EXPECT_TRUE(matches("m*a.f*s", "media", "files"));
    EXPECT_FALSE(matches("m*a.f*s", "media", "file"));
    EXPECT_FALSE(TablePattern::parse("media"));
    EXPECT_FALSE(TablePattern::parse("a.b.c"));
}

TEST(Scope, OverlapsWhereARowCouldBelongToBoth) {
    const auto scope = [](std::vector<std::string> tenants, std::vector<std::string> allow,
                          std::vector<std::string> deny = {}) {
        return migration(1, Phase::source_only, std::move(tenants), std::move(allow), std::move(deny)).scope;
    };
    EXPECT_FALSE(scope({kAcme}, {}).overlaps(scope({kZeta}, {})));
    EXPECT_TRUE(scope({kAcme}, {}).overlaps(scope({}, {})));
    EXPECT_FALSE(scope({}, {"a.*"}).overlaps(scope({}, {"b.*"})));
    EXPECT_TRUE(scope({}, {"a.*"}).overlaps(scope({}, {"*.t"})));
    EXPECT_FALSE(scope({}, {}, {"a.*"}).overlaps(scope({}, {"a.*"})));
}

TEST(Router, SendsEachTenantItsOwnWay) {
    const auto router = Router::build(input({migration(1, Phase::shadow_sync, {kAcme})}));
    const auto& orders = router->table("shop", "orders");
    EXPECT_TRUE(orders.depends_on_tenant());
    EXPECT_EQ(orders.of_tenant(uuid_bytes(kAcme)).phase, Phase::shadow_sync);
    EXPECT_EQ(orders.of_tenant(uuid_bytes(kAcme)).scope, ScopeId(1));
    EXPECT_EQ(orders.of_tenant(uuid_bytes(kZeta)).phase, Phase::source_only);
    EXPECT_EQ(orders.without_tenant().phase,
              Phase::shadow_sync);  // writes must reach both, reads find all rows on the source
    EXPECT_EQ(router->epoch(), Epoch(3));
}

TEST(Router, TablesWithoutTheTenantColumnBelongToNoNamedTenant) {
    const auto router = Router::build(input({migration(1, Phase::target_primary, {kAcme})}));
    const auto& settings = router->table("shop", "settings");
    EXPECT_FALSE(settings.depends_on_tenant());
    EXPECT_EQ(settings.without_tenant().phase, Phase::source_only);
    EXPECT_EQ(settings.without_tenant().scope, kDefaultScope);
}

TEST(Router, AMigrationOfEverythingCoversThemToo) {
    const auto router = Router::build(input({migration(1, Phase::target_primary, {}, {"shop.*"}, {"*.migrations"})}));
    EXPECT_EQ(router->table("shop", "settings").without_tenant().phase, Phase::target_primary);
    EXPECT_EQ(router->table("shop", "orders").of_tenant(uuid_bytes(kZeta)).phase, Phase::target_primary);
    EXPECT_EQ(router->table("shop", "migrations").without_tenant().phase, Phase::source_only);
    EXPECT_EQ(router->table("elsewhere", "x").without_tenant().phase, Phase::source_only);
}

TEST(Router, SystemTablesGoToOneClusterOnly) {
    const auto router = Router::build(input({migration(1, Phase::shadow_sync, {})}, Phase::shadow_sync));
    EXPECT_EQ(router->table("system", "local").without_tenant().phase, Phase::source_only);
    EXPECT_EQ(router->table("system_schema", "tables").without_tenant().phase, Phase::source_only);
    const auto moved = Router::build(input({}, Phase::target_primary));
    EXPECT_EQ(moved->table("system", "local").without_tenant().phase, Phase::target_only);
}

TEST(Router, WithoutATenantTheSourceAnswersUntilNobodyNeedsIt) {
    const auto phase = [](Phase one, Phase two, Phase rest) {
        return Router::build(input({migration(1, one, {kAcme}), migration(2, two, {kZeta})}, rest))
            ->table("shop", "orders")
            .without_tenant()
            .phase;
    };
    EXPECT_EQ(phase(Phase::source_only, Phase::source_only, Phase::source_only), Phase::source_only);
    EXPECT_EQ(phase(Phase::shadow_async, Phase::source_only, Phase::source_only), Phase::shadow_async);
    EXPECT_EQ(phase(Phase::target_only, Phase::source_only, Phase::source_only), Phase::shadow_sync);
    EXPECT_EQ(phase(Phase::target_only, Phase::target_primary, Phase::target_only), Phase::target_primary);
    EXPECT_EQ(phase(Phase::target_only, Phase::target_only, Phase::target_only), Phase::target_only);
}

TEST(Router, TheSourceIsDoneWhenNobodyComesBackToIt) {
    const auto done = [](std::vector<ScopeRoute> migrations, Phase default_phase) {
        return Router::build(input(std::move(migrations), default_phase))->source_is_done();
    };
    for (const auto phase : kPhases) EXPECT_EQ(done({}, phase), phase == Phase::target_only) << to_string(phase);
    EXPECT_FALSE(done({migration(1, Phase::target_only, {kAcme})}, Phase::source_only)) << "others are still there";
    EXPECT_FALSE(done({migration(1, Phase::target_primary, {kAcme})}, Phase::target_only));
    EXPECT_TRUE(done({migration(1, Phase::target_only, {kAcme})}, Phase::target_only));
}

TEST(Router, ATenantThatIsNoValueOfTheColumnIsNamed) {
    std::vector<std::string> warnings;
    const auto router = Router::build(input({migration(1, Phase::shadow_sync, {"acme"}, {"shop.orders"})}), &warnings);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(warnings[0],
                testing::HasSubstr("migration m1: tenant 'acme' is no value of shop.orders.system_domain_id (uuid)"));
    EXPECT_EQ(router->table("shop", "orders").without_tenant().phase, Phase::source_only);
}

}  // namespace
}  // namespace penumbra::routing
