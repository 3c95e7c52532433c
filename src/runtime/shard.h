#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/function.h"
#include "base/log.h"
#include "runtime/memory_budget.h"

struct epoll_event;

namespace penumbra {

/// Something with a file descriptor that wants to hear what epoll says of it. Lives on one shard.
class Watcher {
  public:
    virtual void on_events(std::uint32_t epoll_events) = 0;

  protected:
    ~Watcher() = default;
};

/// Something that asks to be run once at the end of the current turn of the loop: a stream with bytes to send, so that
/// all frames of one turn leave in one system call.
class Deferred {
  public:
    virtual void run_deferred() = 0;

    /// The shard's own mark; nobody else touches it.
    bool in_deferred_queue = false;

  protected:
    ~Deferred() = default;
};

using TimerId = std::uint64_t;

/// One thread with its own event loop. An object is built, used and destroyed on its shard; work crosses shards by
/// value through post(). start() makes the thread, stop() ends the loop after what was posted before it and joins.
///
/// The engine is edge-triggered epoll: a descriptor is registered once, an idle connection costs no buffer (all reads
/// of a shard share one), and a turn is epoll_wait, the reads, what they caused, and one write per stream. Nobody above
/// `runtime` sees it (docs/architecture.md, "Engine", says why it is not Asio).
class Shard {
  public:
    explicit Shard(std::string name, const Clock& clock = Clock::system());
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    void start();
    /// From another thread. Everything on the shard must have been stopped by its owner before.
    void stop();
    const std::string& name() const { return name_; }

    /// The shard whose loop runs on this thread.
    static Shard& here();
    bool is_here() const { return here_ == this; }

    /// Any thread: `job` runs on the shard, in the order posted.
    void post(Job job);

    // The rest: on the shard only.
    /// The time this turn began; cheap. Use clock() where a measurement needs better.
    SteadyTime now() const { return now_; }
    const Clock& clock() const { return clock_; }

    TimerId call_at(SteadyTime at, Job job);
    TimerId call_in(Nanos from_now, Job job) { return call_at(clock_.now() + from_now, std::move(job)); }
    /// No effect when it has run already.
    void cancel(TimerId id);

    void resume_soon(std::coroutine_handle<> coroutine) { ready_.push_back(coroutine); }
    void defer(Deferred& deferred);
    /// It goes away before its turn came.
    void forget(Deferred& deferred);
    /// Destroys `object` at the end of the turn: for what may be on the call stack right now.
    template <class T>
    void dispose(std::unique_ptr<T> object) {
        graveyard_.emplace_back(std::shared_ptr<void>(std::move(object)));
    }

    /// Edge-triggered, for reading and writing, from now until unwatch(). The caller owns the descriptor.
    Status watch(int fd, Watcher& watcher);
    void unwatch(int fd, Watcher& watcher);

    /// What requests on this shard may hold; without a limit until somebody sets one.
    MemoryBudget& memory() { return memory_; }

    /// Where streams of this shard read into first; valid until the next read.
    MutableBytes read_buffer() { return {read_buffer_.get(), kReadBuffer}; }
    static constexpr std::size_t kReadBuffer = 256 * 1024;

    /// Runs the loop on the calling thread until stop() is called from elsewhere or `until` says so: for tests and
    /// main.
    void run(UniqueFunction<bool()> until = {});

  private:
    struct Timer {
        TimerId id;
        Job job;
    };
    void turn(bool may_wait);
    int wait_millis() const;
    void run_timers();
    void run_posted();
    void run_ready();
    void run_deferred();

    static thread_local Shard* here_;

    std::string name_;
    const Clock& clock_;
    Log log_{"runtime"};
    int epoll_ = -1;
    int wakeup_ = -1;
    std::thread thread_;
    SteadyTime now_;
    std::unique_ptr<Byte[]> read_buffer_;
    MemoryBudget memory_;

    std::multimap<SteadyTime, Timer> timers_;
    std::unordered_map<TimerId, SteadyTime> timer_times_;
    TimerId next_timer_ = 1;
    std::vector<std::coroutine_handle<>> ready_;
    std::vector<Deferred*> deferred_;
    std::vector<Deferred*> running_deferred_;
    std::vector<std::shared_ptr<void>> graveyard_;
    epoll_event* events_ = nullptr;
    int events_left_ = 0;

    std::mutex posted_mutex_;  // guards posted_, the one door between threads
    std::vector<Job> posted_;
    std::atomic<bool> signalled_{false};
    std::atomic<bool> stopping_{false};
};

}  // namespace penumbra
