#include "proxy/scope_gate.h"

#include <fmt/format.h>

#include "proxy/exchange.h"

namespace penumbra::proxy {

void ScopeGate::last_left(Turn turn) {
    if (turn != turn_) {
        for (auto& waiter : std::exchange(turned_, {})) waiter.set(true);
    }
    if (in_flight() == 0) {
        for (auto& waiter : std::exchange(drained_, {})) waiter.set(true);
    }
}

Task<Status> ScopeGate::hold(Deadline by) {
    if (held_) co_return fail(Errc::conflict, "the scope is held already by another change");
    held_ = true;
    waited_ = 0;
    if (in_flight() > 0) {
        const OneShot<bool> done;
        drained_.push_back(done);
        auto& shard = Shard::here();
        const auto timer = shard.call_at(by.at, [done] { done.set(false); });
        const bool drained = co_await done;
        shard.cancel(timer);
        if (!drained) {
            const auto left = in_flight();
            release();
            co_return fail(Errc::timeout,
                           fmt::format("{} requests of the scope were still under way when the wait ended", left));
        }
    }
    co_return ok();
}

void ScopeGate::release() {
    held_ = false;
    auto waiting = std::exchange(waiting_, {});
    for (auto* exchange : waiting) exchange->start();
}

Task<Status> ScopeGate::settle(Deadline by) {
    auto& shard = Shard::here();
    // One after another: the two counters can tell one "now" from what came later, not two.
    while (settling_) {
        if (by.passed(shard.now())) co_return fail(Errc::timeout, "requests of the scope did not settle in time");
        co_await sleep(std::chrono::milliseconds(1));
    }
    settling_ = true;
    Status status = ok();
    // Twice: a wait before that ended by its deadline may have left some behind in the counter that new ones enter
    // next, where they could not be told apart.
    for (int round = 0; round < 2 && status; ++round) {
        const auto old = static_cast<Turn>(round == 0 ? turn_ ^ 1 : turn_);
        if (round == 1) turn_ ^= 1;
        if (in_flight_[old] == 0) continue;
        const OneShot<bool> done;
        turned_.push_back(done);
        const auto timer = shard.call_at(by.at, [done] { done.set(false); });
        const bool settled = co_await done;
        shard.cancel(timer);
        if (!settled)
            status = fail(Errc::timeout, fmt::format("{} requests of the scope did not end in time", in_flight_[old]));
    }
    settling_ = false;
    co_return status;
}

}  // namespace penumbra::proxy
