// What it costs to find the route of a row whose tenant is known: the table of a statement is looked up once and kept
// with its plan, the tenant for each request.

#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "cql/types/scalars.h"
#include "routing/router.h"

namespace penumbra::routing {
namespace {

std::string tenant(std::int64_t number) {
    return fmt::format("00000000-0000-4000-8000-{:012x}", number);
}

RouterPtr router_of(std::int64_t tenants) {
    auto schema = std::make_shared<cql::Schema>();
    cql::Table table;
    table.keyspace = "bench";
    table.name = "rows";
    table.columns = {{"tenant", cql::scalar(cql::TypeKind::uuid), cql::ColumnKind::partition_key, 0},
                     {"id", cql::scalar(cql::TypeKind::bigint), cql::ColumnKind::partition_key, 1}};
    schema->add_keyspace("bench", "{}");
    schema->add_table(std::move(table));
    Router::Input input;
    input.tenant_column = "tenant";
    input.schema = schema;
    constexpr Phase kPhases[] = {Phase::source_only, Phase::shadow_async, Phase::shadow_sync, Phase::target_primary,
                                 Phase::target_only};
    constexpr std::int64_t kMigrations = std::size(kPhases);
    for (std::int64_t migration = 0; migration < kMigrations; ++migration) {
        Scope scope;
        for (auto number = migration; number < tenants; number += kMigrations) scope.tenants.push_back(tenant(number));
        input.migrations.push_back({ScopeId(static_cast<std::uint32_t>(migration) + 1), std::to_string(migration),
                                    kPhases[migration], std::move(scope)});
    }
    return Router::build(std::move(input));
}

/// Another tenant each time, so that the caches see what they see in a proxy.
void routing_by_tenant(benchmark::State& state) {
    const auto router = router_of(state.range(0));
    const auto& table = router->table("bench", "rows");
    std::vector<Bytes> keys;
    for (std::int64_t number = 0; number < state.range(0); ++number)
        keys.push_back(cql::encode_uuid(cql::Uuid::parse(tenant(number * 7919 % state.range(0))).value()));
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(table.of_tenant(keys[next]).phase);
        if (++next == keys.size()) next = 0;
    }
}
BENCHMARK(routing_by_tenant)->Arg(10)->Arg(1000)->Arg(100000);

void finding_a_table(benchmark::State& state) {
    const auto router = router_of(1000);
    for (auto _ : state) benchmark::DoNotOptimize(&router->table("bench", "rows"));
}
BENCHMARK(finding_a_table);

/// What a change of phase costs the control plane.
void building(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(router_of(state.range(0)));
}
BENCHMARK(building)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace penumbra::routing
