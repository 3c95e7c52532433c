#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "runtime/async.h"

namespace penumbra::cluster::testing {

/// A shard that runs on the test's own thread, only while the test waits for something: everything in a test happens in
/// one thread and in the order that the test says.
class Loop {
  public:
    Shard& shard() { return shard_; }

    /// Runs `what` on the shard.
    template <class F>
    auto on(F what) {
        using R = std::invoke_result_t<F>;
        if constexpr (std::is_void_v<R>) {
            shard_.run([&] { return what(), true; });
        } else {
            std::optional<R> result;
            shard_.run([&] {
                result.emplace(what());
                return true;
            });
            return std::move(*result);
        }
    }
    /// Lets the shard work until `condition`; a test that waits for what never comes fails.
    bool until(std::function<bool()> condition, Nanos at_most = std::chrono::seconds(10)) {
        const auto by = Deadline::in(Clock::system(), at_most);
        bool met = false;
        shard_.run([&] {
            if (!tick_) tick();
            met = condition();
            return met || by.passed(Clock::system().now());
        });
        on([this] { shard_.cancel(std::exchange(tick_, 0)); });
        EXPECT_TRUE(met) << "what the test waited for did not come";
        return met;
    }
    /// Runs the coroutine that `make` makes to its end.
    template <class T>
    T run(std::function<Task<T>()> make) {
        std::optional<T> result;
        Gate gate;
        on([&] { gate.spawn(keep(make(), &result)); });
        until([&] { return result.has_value() && gate.holders() == 0; }, std::chrono::seconds(30));
        return std::move(*result);
    }
    void run_void(std::function<Task<void>()> make) {
        run<Unit>([&make]() -> Task<Unit> { return as_unit(make()); });
    }
    /// Lets everything that is ready happen, without waiting for anything in particular.
    void turn() {
        int turns = 0;
        until([&] { return ++turns > 3; });
    }

  private:
    template <class T>
    static Task<void> keep(Task<T> task, std::optional<T>* result) {
        result->emplace(co_await std::move(task));
    }
    static Task<Unit> as_unit(Task<void> task) {
        co_await std::move(task);
        co_return Unit{};
    }
    /// Conditions are looked at in every turn, and there is one every millisecond even if nothing happens.
    void tick() {
        tick_ = shard_.call_in(std::chrono::milliseconds(1), [this] { tick(); });
    }

    Shard shard_{"test"};
    TimerId tick_ = 0;
};

}  // namespace penumbra::cluster::testing
