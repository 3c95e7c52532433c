#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "base/clock.h"
#include "base/result.h"
#include "routing/scope.h"
#include "runtime/async.h"

namespace penumbra::proxy {

class Exchange;

/// The requests of one scope on one shard: counts those under way, and holds new ones while a fence is up.
class ScopeGate {
  public:
    /// Which of two counters a request was entered in, so that "those under way now" can be waited for while new ones
    /// come.
    using Turn = std::uint8_t;

    bool is_held() const { return held_; }
    Turn enter() {
        ++in_flight_[turn_];
        return turn_;
    }
    void leave(Turn turn) {
        // With others under way in the same turn there is nobody to tell.
        if (--in_flight_[turn] == 0) [[unlikely]]
            last_left(turn);
    }
    std::uint64_t in_flight() const { return in_flight_[0] + in_flight_[1]; }

    /// Holds new requests and waits until none is under way. Fails by the deadline, and then holds nothing.
    Task<Status> hold(Deadline by);
    /// Lets the waiting ones start, in the order they came.
    void release();
    void wait(Exchange& exchange) {
        waiting_.push_back(&exchange);
        ++waited_;
    }
    void forget(Exchange& exchange) { std::erase(waiting_, &exchange); }
    /// Requests that waited during the last hold.
    std::uint64_t waited() const { return waited_; }

    /// Waits for every request that was under way at the call; new ones go on.
    Task<Status> settle(Deadline by);

  private:
    void last_left(Turn turn);

    bool held_ = false;
    Turn turn_ = 0;
    std::array<std::uint64_t, 2> in_flight_{};
    std::deque<Exchange*> waiting_;
    std::uint64_t waited_ = 0;
    bool settling_ = false;
    std::vector<OneShot<bool>> drained_;  ///< told when nothing is under way
    std::vector<OneShot<bool>> turned_;   ///< told when the other turn's count reached zero
};

}  // namespace penumbra::proxy
