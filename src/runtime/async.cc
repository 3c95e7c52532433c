#include "runtime/async.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace penumbra {

Task<void> sleep(Nanos duration, StopSignal* stop) {
    if (stop && stop->requested_) co_return;
    const OneShot<Unit> wake;
    auto& shard = Shard::here();
    const auto timer = shard.call_in(duration, [wake] { wake.set(Unit{}); });
    if (stop) {
        // Those of sleeps that ended by themselves are dropped here, so a long life does not collect them.
        std::erase_if(stop->waiters_, [](const auto& waiter) { return waiter.is_set(); });
        stop->waiters_.push_back(wake);
    }
    co_await wake;
    shard.cancel(timer);
}

struct Worker::State {
    std::mutex mutex;  // guards the two below
    std::deque<Job> jobs;
    bool stopping = false;
    std::condition_variable changed;
};

Worker::Worker(std::string name) : state_(std::make_unique<State>()) {
    thread_ = std::thread([state = state_.get(), name = std::move(name)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        std::unique_lock lock(state->mutex);
        for (;;) {
            state->changed.wait(lock, [state] { return state->stopping || !state->jobs.empty(); });
            if (state->jobs.empty()) return;
            auto job = std::move(state->jobs.front());
            state->jobs.pop_front();
            lock.unlock();
            job();
            job = {};
            lock.lock();
        }
    });
}

Worker::~Worker() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->changed.notify_all();
    thread_.join();
}

void Worker::submit(Job job) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->jobs.push_back(std::move(job));
    }
    state_->changed.notify_one();
}

}  // namespace penumbra
