#include "proxy/truncate.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "cql/language/parser.h"
#include "proxy/backend_reply.h"
#include "proxy/plan.h"
#include "proxy/proxy_shard.h"
#include "sync/range_orders.h"

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

/// Orders to resync whole tables, on disk when this returns well. Otherwise they stay ordered: an order that the disk
/// refuses is tried again, one that it is slow to take is owed when it has it.
Task<Status> owe_tables(ProxyShard* shard, PlanPtr plan, Scopes scopes, routing::Side owed_to) {
    struct Orders {
        std::size_t under_way = 1;  ///< one more than there are, until all have been given
        Status how = ok();
    };
    const auto orders = std::make_shared<Orders>();
    const OneShot<Status> owed;
    const auto ended = [orders, owed](Status how) {
        if (!how) orders->how = std::move(how);
        if (--orders->under_way == 0) owed.set(std::move(orders->how));
    };
    for (const auto scope : scopes) {
        if (!is_shadowed(*plan->router, scope)) continue;
        for (const auto& part : plan->parts) {
            ++orders->under_way;
            shard->context().range_orders->order_anew(static_cast<std::uint8_t>(owed_to), scope, part.keyspace,
                                                      part.table, ended);
        }
    }
    ended(ok());
    const auto late = [shard, owed, owed_to] {
        if (owed.is_set()) return;
        shard->report_late_journal(owed_to);
        owed.set(fail(Errc::timeout, late_journal_text(owed_to)));
    };
    const auto timer = Shard::here().call_in(shard->options().request_timeout, late);
    auto how = co_await owed;
    Shard::here().cancel(timer);
    co_return how;
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
    Status owed = ok();
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
        owed = co_await owe_tables(shard, plan, scopes, routing::other(primary));
    }
    for (const auto& [gate, turn] : entered) gate->leave(turn);
    if (!owed && is_result(reply)) {
        client->reply_error(stream, cql::ErrorCode::truncate_error, owed.error().what);
    } else {
        reply_outcome(*client, stream, reply, primary);
    }
}

}  // namespace penumbra::proxy
