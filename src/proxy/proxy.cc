#include "proxy/proxy.h"

#include <algorithm>

namespace penumbra::proxy {

Proxy::Proxy(ProxyContext& context, std::vector<Shard*> shards) : context_(context) {
    for (auto* shard : shards) shards_.push_back({shard, nullptr});
}

Proxy::~Proxy() = default;

Task<Result<Endpoint>> Proxy::listen() {
    if (auto free = Listener::require_free(context_.options.listen); !free) co_return fail(free.error());
    Result<Endpoint> bound = fail(Errc::invalid_argument, "no shards");
    for (auto& one : shards_) {
        auto* slot = &one;
        bound = co_await call_on(*one.shard, [slot] { return slot->proxy->listen(); });
        if (!bound) break;
    }
    co_return bound;
}

namespace {
Task<Unit> stop_shard(std::unique_ptr<ProxyShard>* proxy, Deadline by) {
    if (*proxy) {
        co_await (*proxy)->stop(by);
        proxy->reset();
    }
    co_return Unit{};
}
// A shard that has stopped has no requests under way.
Task<Status> hold_gate(std::unique_ptr<ProxyShard>* proxy, routing::ScopeId scope, Deadline by) {
    if (!*proxy) co_return ok();
    // A stop waits for us, or the gate would go away under the wait.
    const auto alive = (*proxy)->tasks().try_hold();
    if (!alive) co_return ok();
    auto held = co_await (*proxy)->gate(scope).hold(by);
    co_return held;
}
Task<Status> settle_gate(std::unique_ptr<ProxyShard>* proxy, routing::ScopeId scope, Deadline by) {
    if (!*proxy) co_return ok();
    const auto alive = (*proxy)->tasks().try_hold();
    if (!alive) co_return ok();
    auto settled = co_await (*proxy)->gate(scope).settle(by);
    co_return settled;
}
}  // namespace

Task<void> Proxy::stop(Deadline by) {
    std::vector<Task<Unit>> stops;
    for (auto& one : shards_) {
        auto* proxy = &one.proxy;
        stops.push_back(run_on<Unit>(*one.shard, [proxy, by] { return stop_shard(proxy, by); }));
    }
    co_await when_all(std::move(stops));
}

Task<void> Proxy::publish(routing::RouterPtr router) {
    for (auto& one : shards_) {
        auto* slot = &one;
        auto* context = &context_;
        auto set = [slot, context, router] {
            if (slot->proxy) {
                slot->proxy->publish(router);
            } else {
                slot->proxy = std::make_unique<ProxyShard>(*context, router);
            }
            return Unit{};
        };
        co_await call_on(*one.shard, std::move(set));
    }
}

Task<void> Proxy::lead_timestamps(Nanos lead) {
    for (auto& one : shards_) {
        auto set = [slot = &one, lead] {
            if (slot->proxy) slot->proxy->lead_timestamps(lead);
            return Unit{};
        };
        co_await call_on(*one.shard, std::move(set));
    }
}

Task<Traffic> Proxy::traffic() {
    Traffic sum;
    for (auto& one : shards_) {
        auto* slot = &one;
        const auto part =
            co_await call_on(*one.shard, [slot] { return slot->proxy ? slot->proxy->traffic() : Traffic{}; });
        sum.connections += part.connections;
        sum.connections_total += part.connections_total;
        sum.requests += part.requests;
        sum.errors += part.errors;
        sum.held += part.held;
        sum.longest_hold_nanos = std::max(sum.longest_hold_nanos, part.longest_hold_nanos);
        sum.shadow_writes += part.shadow_writes;
        sum.shadow_not_sent += part.shadow_not_sent;
        sum.shadow_given_up += part.shadow_given_up;
        sum.circuits_open += part.circuits_open;
        sum.shadow_failures += part.shadow_failures;
        sum.reads_not_understood += part.reads_not_understood;
        sum.writes_not_understood += part.writes_not_understood;
        sum.overloaded += part.overloaded;
        sum.memory_used += part.memory_used;
    }
    co_return sum;
}

Task<HoldReport> Proxy::last_hold(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    co_return reports_[scope];
}

Task<Status> Proxy::settle(routing::ScopeId scope, Deadline by) {
    std::vector<Task<Status>> waits;
    for (auto& one : shards_) {
        auto* proxy = &one.proxy;
        waits.push_back(run_on<Status>(*one.shard, [proxy, scope, by] { return settle_gate(proxy, scope, by); }));
    }
    const auto ended = co_await when_all(std::move(waits));
    for (const auto& status : ended) {
        if (!status) co_return status;
    }
    co_return ok();
}

Proxy::Taken Proxy::take_hold(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    const auto [hold, fresh] = holds_.try_emplace(scope, Hold{Clock::system().now()});
    if (fresh) return Taken::alone;
    if (!hold->second.shared || hold->second.borrowed) return Taken::no;
    hold->second.borrowed = true;
    return Taken::shared;
}

bool Proxy::leave_hold(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    const auto hold = holds_.find(scope);
    return hold != holds_.end() && std::exchange(hold->second.borrowed, false);
}

void Proxy::share_hold(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    if (const auto hold = holds_.find(scope); hold != holds_.end()) hold->second.shared = true;
}

bool Proxy::unshare_hold(routing::ScopeId scope) {
    const std::lock_guard lock(mutex_);
    const auto hold = holds_.find(scope);
    if (hold == holds_.end()) return true;
    hold->second.shared = false;
    return !hold->second.borrowed;
}

Task<Status> Proxy::hold(routing::ScopeId scope, Deadline by) {
    // One at a time: a switch, a copy of lists and a resync may want the same scope. Holds last milliseconds, so
    // whoever comes second looks again shortly; the waiter may be on any shard.
    for (;;) {
        const auto taken = take_hold(scope);
        if (taken == Taken::shared) co_return ok();
        if (taken == Taken::alone) break;
        if (by.passed(Clock::system().now())) co_return fail(Errc::timeout, "the scope stayed held by another change");
        co_await sleep(std::chrono::milliseconds(1));
    }
    std::vector<Task<Status>> holds;
    for (auto& one : shards_) {
        auto* proxy = &one.proxy;
        holds.push_back(run_on<Status>(*one.shard, [proxy, scope, by] { return hold_gate(proxy, scope, by); }));
    }
    const auto held = co_await when_all(std::move(holds));
    const auto failed = std::ranges::find_if(held, [](const auto& status) { return !status.has_value(); });
    if (failed == held.end()) co_return ok();
    co_await release(scope);
    co_return fail(failed->error());
}

Task<void> Proxy::release(routing::ScopeId scope) {
    if (leave_hold(scope)) co_return;
    HoldReport report;
    for (auto& one : shards_) {
        auto* slot = &one;
        report.requests_held += co_await call_on(*one.shard, [slot, scope] {
            if (!slot->proxy) return std::uint64_t{0};
            auto& gate = slot->proxy->gate(scope);
            const auto waited = gate.waited();
            if (gate.is_held()) gate.release();
            return waited;
        });
    }
    const std::lock_guard lock(mutex_);
    if (const auto hold = holds_.find(scope); hold != holds_.end()) {
        report.waited = Clock::system().now() - hold->second.since;
        holds_.erase(hold);
        reports_[scope] = report;
    }
}

void Proxy::push_schema_event(const Bytes& frame) {
    for (auto& one : shards_) {
        auto* slot = &one;
        one.shard->post([slot, frame] {
            if (slot->proxy) slot->proxy->push_schema_event(frame);
        });
    }
}

void Proxy::set_peers(const ProxiesUp& up, const PeerChange& change) {
    for (auto& one : shards_) {
        auto* slot = &one;
        one.shard->post([slot, up, change] {
            if (slot->proxy) slot->proxy->set_peers(up, change);
        });
    }
}

}  // namespace penumbra::proxy
