#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/gate.h"
#include "runtime/shard.h"
#include "runtime/task.h"

namespace penumbra {

/// A value that one side sets once and one coroutine awaits, on one shard: the bridge from callbacks to coroutines.
/// set() never resumes inside itself. Setting twice is ignored: the first answer counts.
template <class T>
class OneShot {
  public:
    OneShot() : state_(std::make_shared<State>()) {}

    /// May be called after the awaiting side has gone away.
    void set(T value) const {
        if (state_->value) return;
        state_->value.emplace(std::move(value));
        if (state_->waiter) Shard::here().resume_soon(std::exchange(state_->waiter, nullptr));
    }
    bool is_set() const { return state_->value.has_value(); }

    auto operator co_await() const {
        struct Awaiter {
            std::shared_ptr<State> state;
            bool await_ready() const { return state->value.has_value(); }
            void await_suspend(std::coroutine_handle<> waiter) { state->waiter = waiter; }
            T await_resume() { return std::move(*state->value); }
        };
        return Awaiter{state_};
    }

  private:
    struct State {
        std::optional<T> value;
        std::coroutine_handle<> waiter;
    };
    std::shared_ptr<State> state_;
};

struct Unit {};

/// Told once that it is time to end; long waits of the same shard end early by it.
class StopSignal {
  public:
    bool requested() const { return requested_; }
    void request() {
        requested_ = true;
        for (auto& waiter : std::exchange(waiters_, {})) waiter.set(Unit{});
    }

  private:
    friend Task<void> sleep(Nanos, StopSignal*);
    bool requested_ = false;
    std::vector<OneShot<Unit>> waiters_;
};

/// Suspends for a time, or until `stop` is requested.
Task<void> sleep(Nanos duration, StopSignal* stop = nullptr);

/// Lets the other work of this shard have its turn: for long loops.
inline auto yield() {
    struct Awaiter {
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> self) { Shard::here().resume_soon(self); }
        void await_resume() const {}
    };
    return Awaiter{};
}

namespace detail {
template <class F>
void run_and_tell(F work, Shard& home, OneShot<std::invoke_result_t<F>> done) {
    home.post([done, result = work()]() mutable { done.set(std::move(result)); });
}
template <class R>
Detached run_task_and_tell(UniqueFunction<Task<R>()> work, Shard& home, OneShot<R> done) {
    auto task = work();
    R result = co_await std::move(task);
    home.post([done, result = std::move(result)]() mutable { done.set(std::move(result)); });
}
template <class R>
Detached run_into(Task<R> task, std::shared_ptr<std::vector<std::optional<R>>> results, std::size_t at,
                  std::shared_ptr<std::size_t> left, OneShot<Unit> done) {
    (*results)[at].emplace(co_await std::move(task));
    if (--*left == 0) done.set(Unit{});
}
}  // namespace detail

/// Runs `work()` on `there` and brings its value back here. `work` and its result cross by value.
///
/// Name a `work` that owns something before the co_await and move it in: GCC 12 destroys the captures of a lambda that
/// is a temporary of a co_await expression twice (GCC bug 99576).
template <class F>
Task<std::invoke_result_t<F>> call_on(Shard& there, F work) {
    using R = std::invoke_result_t<F>;
    if (there.is_here()) {
        R direct = work();
        co_return direct;
    }
    OneShot<R> done;
    Shard& home = Shard::here();
    // OneShot's reference count is atomic and its value is set at home, so sharing the handle is safe.
    there.post(
        [work = std::move(work), done, &home]() mutable { detail::run_and_tell<F>(std::move(work), home, done); });
    R result = co_await done;
    co_return result;
}

/// Runs the coroutine that `work()` makes on `there` and brings its value back here.
template <class R>
Task<R> run_on(Shard& there, UniqueFunction<Task<R>()> work) {
    OneShot<R> done;
    Shard& home = Shard::here();
    there.post(
        [work = std::move(work), done, &home]() mutable { detail::run_task_and_tell<R>(std::move(work), home, done); });
    R result = co_await done;
    co_return result;
}

/// All of them at once, on this shard; results in the order given.
template <class R>
Task<std::vector<R>> when_all(std::vector<Task<R>> tasks) {
    std::vector<R> out;
    if (tasks.empty()) co_return out;
    auto results = std::make_shared<std::vector<std::optional<R>>>(tasks.size());
    auto left = std::make_shared<std::size_t>(tasks.size());
    OneShot<Unit> done;
    for (std::size_t i = 0; i < tasks.size(); ++i) detail::run_into<R>(std::move(tasks[i]), results, i, left, done);
    co_await done;
    out.reserve(results->size());
    for (auto& result : *results) out.push_back(std::move(*result));
    co_return out;
}

/// A thread for what would block a shard: name look-ups, file sync, SQLite. Jobs run one after another in order.
class Worker {
  public:
    explicit Worker(std::string name);
    /// Runs what was submitted before, then joins.
    ~Worker();
    Worker(const Worker&) = delete;

    void submit(Job job);

    /// From a shard's coroutine: `work()` on the worker, its value back here.
    template <class F>
    Task<std::invoke_result_t<F>> run(F work) {
        using R = std::invoke_result_t<F>;
        OneShot<R> done;
        Shard& home = Shard::here();
        submit(
            [work = std::move(work), done, &home]() mutable { detail::run_and_tell<F>(std::move(work), home, done); });
        R result = co_await done;
        co_return result;
    }

  private:
    struct State;
    std::unique_ptr<State> state_;
    std::thread thread_;
};

}  // namespace penumbra
