#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "runtime/async.h"

namespace penumbra::control {

/// Lets one coroutine of a shard through at a time, in the order in which they came.
class Turnstile {
  public:
    class Turn {
      public:
        explicit Turn(Turnstile& of) : of_(&of) {}
        Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (of_) of_->leave();
        }

      private:
        Turnstile* of_;
    };

    /// Nothing when `max_waiting` stand in line already.
    Task<std::optional<Turn>> take(std::size_t max_waiting = 64) {
        if (taken_) {
            if (waiting_.size() >= max_waiting) co_return std::nullopt;
            const OneShot<Unit> mine;
            waiting_.push_back(mine);
            co_await mine;  // leave() hands its turn on: taken_ stays true
        }
        taken_ = true;
        co_return std::optional<Turn>(std::in_place, *this);
    }

  private:
    void leave() {
        ASSERT(taken_);
        if (waiting_.empty()) {
            taken_ = false;
            return;
        }
        const auto next = waiting_.front();
        waiting_.pop_front();
        next.set(Unit{});
    }

    bool taken_ = false;
    std::deque<OneShot<Unit>> waiting_;
};

}  // namespace penumbra::control
