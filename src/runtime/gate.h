#pragma once

#include <coroutine>
#include <optional>
#include <vector>

#include "base/assert.h"
#include "runtime/shard.h"
#include "runtime/task.h"

namespace penumbra {

/// Counts what is under way, so that a stop can wait for it. close() refuses new holds; drained() waits for the last.
/// One shard.
class Gate {
  public:
    class Hold {
      public:
        explicit Hold(Gate& gate) : gate_(&gate) { ++gate_->holders_; }
        Hold(Hold&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Hold& operator=(Hold&&) = delete;
        ~Hold() {
            if (gate_) gate_->leave();
        }

      private:
        Gate* gate_;
    };

    Gate() = default;
    Gate(const Gate&) = delete;
    ~Gate() { ASSERT(holders_ == 0); }

    std::optional<Hold> try_hold() {
        if (closed_) return std::nullopt;
        return std::optional<Hold>(std::in_place, *this);
    }
    bool is_closed() const { return closed_; }
    std::size_t holders() const { return holders_; }
    void close() { closed_ = true; }

    /// Starts `task` now; it holds the gate until it ends. On a closed gate it is dropped unstarted.
    void spawn(Task<void> task) {
        if (auto hold = try_hold()) run(std::move(task), std::move(*hold));
    }

    /// Suspends until nobody holds the gate. Close it first, or it may never be so.
    auto drained() {
        struct Awaiter {
            Gate& gate;
            bool await_ready() const { return gate.holders_ == 0; }
            void await_suspend(std::coroutine_handle<> waiter) { gate.waiters_.push_back(waiter); }
            void await_resume() const {}
        };
        return Awaiter{*this};
    }

  private:
    static detail::Detached run(Task<void> task, Hold hold) {
        co_await std::move(task);
        // `hold` ends with this frame, after the task's own frame is gone.
        { const Task<void> done = std::move(task); }
        (void)hold;
    }
    void leave() {
        if (--holders_ > 0) return;
        for (const auto waiter : waiters_) Shard::here().resume_soon(waiter);
        waiters_.clear();
    }

    std::size_t holders_ = 0;
    bool closed_ = false;
    std::vector<std::coroutine_handle<>> waiters_;
};

}  // namespace penumbra
