#include "proxy/truncate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "cql/language/parser.h"
#include "proxy/backend_reply.h"
#include "proxy/plan.h"
#include "proxy/proxy_shard.h"
#include "sync/owed_write.h"

namespace penumbra::proxy {

namespace {

/// A fence wakes exchanges alone, and opens within milliseconds: TRUNCATE is too rare to be another kind of waiter.
constexpr Nanos kFenceLook = std::chrono::milliseconds(1);

/// The rows of others are on one cluster alone, and stay there.
bool is_shadowed(const routing::Router& router, routing::ScopeId scope) {
    if (scope == routing::kDefaultScope) return routing::is_shadowed(router.default_phase());
    const auto& migrations = router.migrations();
    const auto found = std::ranges::find(migrations, scope, &routing::ScopeRoute::id);
    return found != migrations.end() && routing::is_shadowed(found->phase);
}

/// Orders to resync whole tables, in the journal when this returns.
Task<Status> owe_tables(ProxyShard* shard, PlanPtr plan, Scopes scopes, routing::Side owed_to) {
    auto* journal = shard->context().journal;
    for (const auto scope : scopes) {
        if (!is_shadowed(*plan->router, scope)) continue;
        for (const auto& part : plan->parts) {
            Bytes payload;
            sync::encode_owed_resync({part.keyspace, part.table, {}}, payload);
            const OneShot<Result<journal::EntryId>> durable;
            journal->append(static_cast<std::uint8_t>(owed_to), scope.value(), payload,
                            [durable](Result<journal::EntryId> entry) { durable.set(std::move(entry)); });
            auto entry = co_await durable;
            CO_TRY(const auto id, std::move(entry));
            journal->release(id);
        }
    }
    co_return ok();
}

}  // namespace

Task<void> truncate(ProxyShard* shard, ClientPtr client, std::int16_t stream, std::string text, std::string keyspace,
                    Traced traced) {
    const auto statement = cql::parse(text);
    const auto by = Deadline::in(Shard::here().clock(), shard->options().request_timeout);
    PlanPtr plan;
    Phases phases;
    Scopes scopes;
    // It goes through the fences of its scopes like any write: in flight over a change of phase, it would take away on
    // the new shadow what the new primary has acknowledged since.
    for (;;) {
        plan = make_plan(statement, keyspace, shard->router());
        phases.clear();
        scopes.clear();
        collect_routes(*plan, {}, phases, scopes);
        if (std::ranges::none_of(scopes, [&](const auto scope) { return shard->gate(scope).is_held(); })) break;
        if (by.passed(Shard::here().now())) {
            client->reply_error(stream, cql::ErrorCode::overloaded,
                                "the request waited too long for a change of phase; it was not executed");
            co_return;
        }
        co_await sleep(kFenceLook);
    }
    std::vector<std::pair<ScopeGate*, ScopeGate::Turn>> entered;
    for (const auto scope : scopes) entered.emplace_back(&shard->gate(scope), shard->gate(scope).enter());

    const auto phase = routing::meet(phases);
    const auto primary = routing::primary_of(phase);
    // Every node of a cluster has to take part, and flushes first: it takes seconds where other requests take none.
    const auto soon = [shard] { return Deadline::in(Shard::here().clock(), shard->options().schema_timeout); };
    auto frame = text_request(client->version(), text, traced);
    auto reply = co_await ask_primary(client, primary, keyspace, std::move(frame), soon());
    if (routing::is_shadowed(phase) && !is_surely_refused(reply)) {
        if (is_result(reply)) {
            frame = text_request(client->version(), text);
            auto shadowed = co_await shard->session(routing::other(primary)).send(std::move(frame), keyspace, soon());
            if (!is_result(shadowed))
                shard->log().error("TRUNCATE failed on the shadow; the table will be resynced",
                                   {kv("error", error_text(shadowed))});
        }
        // In any case: it has no timestamp and leaves no tombstones. What a copy read before it may come to the shadow
        // after it, and a write beside it may be before it on one cluster and after it on the other. To read tables
        // that are empty, or nearly, takes little.
        auto owed = co_await owe_tables(shard, plan, scopes, routing::other(primary));
        if (!owed && is_result(reply)) reply = fail(std::move(owed).error());
    }
    for (const auto& [gate, turn] : entered) gate->leave(turn);
    reply_outcome(*client, stream, reply, primary);
}

}  // namespace penumbra::proxy
