#include "sync/counter_changer.h"

#include <random>

namespace penumbra::sync {

namespace {

bool refuses_text(const Error& error) {
    const auto code = static_cast<cql::ErrorCode>(error.detail);
    return error.code == Errc::server && (code == cql::ErrorCode::syntax_error || code == cql::ErrorCode::invalid);
}

cql::Uuid new_shard() {
    std::random_device random;
    const auto draw = [&random] { return (std::uint64_t{random()} << 32) | random(); };
    const auto high = draw();
    return cql::Uuid::random(high, draw());
}

}  // namespace

Task<Status> add_to_counters(Work* work, ShapePtr shape, const RowKey* key, const std::vector<CounterChange>* changes) {
    if (work->pair.to.is_scylla() && work->knows_counter_shards) {
        auto write = plan_counter_shards(*shape, *key, *changes, new_shard());
        auto done = co_await work->to.write(std::move(write));
        if (done || !refuses_text(done.error())) co_return done;
        work->knows_counter_shards = false;
    }
    auto write = plan_counter_change(*shape, *key, *changes);
    auto done = co_await work->to.write_once(std::move(write));
    co_return done;
}

}  // namespace penumbra::sync
