#include "runtime/shard.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace penumbra {

thread_local Shard* Shard::here_ = nullptr;

Shard::Shard(std::string name, const Clock& clock)
    : name_(std::move(name)), clock_(clock), now_(clock.now()), read_buffer_(new Byte[kReadBuffer]) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wakeup_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll_ < 0 || wakeup_ < 0) {
        throw std::runtime_error("cannot make an event loop for shard " + name_ + ": " +
                                 system_error("epoll", "eventfd", errno).what);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = nullptr;  // the wakeup is the one without a watcher
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &event);
}

Shard::~Shard() {
    ASSERT(!thread_.joinable());
    close(wakeup_);
    close(epoll_);
}

Shard& Shard::here() {
    ASSERT(here_ != nullptr);
    return *here_;
}

void Shard::start() {
    ASSERT(!thread_.joinable());
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
        run();
    });
}

void Shard::stop() {
    post([this] { stopping_ = true; });
    if (thread_.joinable()) thread_.join();
}

void Shard::post(Job job) {
    {
        const std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(job));
    }
    // One wakeup for any number of posts until the loop has taken them.
    if (!signalled_.exchange(true)) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(wakeup_, &one, sizeof one);
    }
}

TimerId Shard::call_at(SteadyTime at, Job job) {
    const auto id = next_timer_++;
    timers_.emplace(at, Timer{id, std::move(job)});
    timer_times_.emplace(id, at);
    return id;
}

void Shard::cancel(TimerId id) {
    const auto found = timer_times_.find(id);
    if (found == timer_times_.end()) return;
    auto [first, last] = timers_.equal_range(found->second);
    for (; first != last; ++first) {
        if (first->second.id == id) {
            timers_.erase(first);
            break;
        }
    }
    timer_times_.erase(found);
}

void Shard::defer(Deferred& deferred) {
    if (deferred.in_deferred_queue) return;
    deferred.in_deferred_queue = true;
    deferred_.push_back(&deferred);
}

void Shard::forget(Deferred& deferred) {
    if (!deferred.in_deferred_queue) return;
    deferred.in_deferred_queue = false;
    std::erase(deferred_, &deferred);
    std::ranges::replace(running_deferred_, &deferred, nullptr);
}

Status Shard::watch(int fd, Watcher& watcher) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &watcher;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return fail(system_error("epoll_ctl", "add", errno));
    return ok();
}

void Shard::unwatch(int fd, Watcher& watcher) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    // Events of this turn that were not delivered yet would meet a watcher that may be gone by then.
    for (int i = 0; i < events_left_; ++i) {
        if (events_[i].data.ptr == &watcher) events_[i].events = 0;
    }
}

void Shard::run(UniqueFunction<bool()> until) {
    ASSERT(here_ == nullptr);
    here_ = this;
    now_ = clock_.now();
    while (!stopping_) {
        if (until && until()) break;
        turn(true);
    }
    // What was posted together with the stop still runs: its promises may be waited for.
    if (stopping_) turn(false);
    here_ = nullptr;
}

int Shard::wait_millis() const {
    if (!ready_.empty() || !deferred_.empty()) return 0;
    if (timers_.empty()) return -1;
    const auto left = timers_.begin()->first - clock_.now();
    if (left <= Nanos(0)) return 0;
    // Rounded up, or the loop would spin through the last fraction of a millisecond.
    return static_cast<int>(std::min<std::int64_t>(std::chrono::ceil<Millis>(left).count(), 60'000));
}

void Shard::turn(bool may_wait) {
    std::array<epoll_event, 256> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), may_wait ? wait_millis() : 0);
    now_ = clock_.now();
    for (int i = 0; i < count; ++i) {
        events_ = events.data() + i + 1;
        events_left_ = count - i - 1;
        const auto& event = events[i];
        if (event.data.ptr == nullptr) {
            std::uint64_t drained = 0;
            [[maybe_unused]] const auto got = read(wakeup_, &drained, sizeof drained);
        } else if (event.events != 0) {
            static_cast<Watcher*>(event.data.ptr)->on_events(event.events);
        }
    }
    events_left_ = 0;
    run_posted();
    run_timers();
    run_ready();
    run_deferred();
    graveyard_.clear();
}

void Shard::run_posted() {
    if (!signalled_.load()) return;
    std::vector<Job> jobs;
    {
        const std::lock_guard lock(posted_mutex_);
        signalled_ = false;
        jobs.swap(posted_);
    }
    for (auto& job : jobs) job();
}

void Shard::run_timers() {
    if (timers_.empty()) return;
    const auto now = clock_.now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        auto node = timers_.extract(timers_.begin());
        timer_times_.erase(node.mapped().id);
        node.mapped().job();
    }
}

void Shard::run_ready() {
    // Those that become ready meanwhile wait for the next turn, so that a busy pair cannot starve the sockets.
    std::vector<std::coroutine_handle<>> ready;
    ready.swap(ready_);
    for (const auto coroutine : ready) coroutine.resume();
    if (ready_.empty()) {
        ready.clear();
        ready_.swap(ready);  // keep the capacity
    }
}

void Shard::run_deferred() {
    running_deferred_.swap(deferred_);
    for (std::size_t i = 0; i < running_deferred_.size(); ++i) {
        if (auto* deferred = running_deferred_[i]) {
            deferred->in_deferred_queue = false;
            deferred->run_deferred();
        }
    }
    running_deferred_.clear();
}

}  // namespace penumbra
