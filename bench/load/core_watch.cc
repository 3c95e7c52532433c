#include "load/core_watch.h"

#include <cerrno>
#include <ctime>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

namespace penumbra::bench {

namespace {

SteadyTime now() {
    return std::chrono::steady_clock::now();  // CLOCK_MONOTONIC, as the sleep below
}

void sleep_until(SteadyTime at) {
    const auto nanos = std::chrono::duration_cast<Nanos>(at.time_since_epoch()).count();
    const timespec when{nanos / 1'000'000'000, nanos % 1'000'000'000};
    // The same moment again after a signal.
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {
    }
}

}  // namespace

CoreWatch::~CoreWatch() {
    stop();
}

Status CoreWatch::start(std::span<const int> cores) {
    int policy = 0;
    sched_param measured{};
    pthread_getschedparam(pthread_self(), &policy, &measured);
    for (const int core : cores) {
        auto& thread = threads_.emplace_back([this] { watch(); });
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(static_cast<std::size_t>(core), &only);
        if (const int failed = pthread_setaffinity_np(thread.native_handle(), sizeof only, &only))
            return fail(system_error("sched_setaffinity", fmt::format("core {}", core), failed));
        const sched_param above{(policy == SCHED_FIFO ? measured.sched_priority : 0) + 1};
        if (const int failed = pthread_setschedparam(thread.native_handle(), SCHED_FIFO, &above))
            return fail(system_error("sched_setscheduler", fmt::format("SCHED_FIFO {}", above.sched_priority), failed));
    }
    return ok();
}

void CoreWatch::watch() {
    auto due = now();
    while (!stopping_) {
        due += kPeriod;
        sleep_until(due);
        const auto woke = now();
        if (woke - due < kLate) continue;
        {
            const std::lock_guard lock(mutex_);
            stalls_.push_back({due, woke});
        }
        due = woke;
    }
}

std::vector<CoreWatch::Stall> CoreWatch::stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    return std::move(stalls_);
}

}  // namespace penumbra::bench
