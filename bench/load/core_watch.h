#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace penumbra::bench {

/// When a core ran nothing that has precedence there: a virtual machine's core whose host did something else, or a
/// kernel that was busy with itself. One thread per core wakes four times a millisecond, above the real-time priority
/// of whatever is measured; when it wakes late, nothing below it ran either, and what a proxy answered late at that
/// time says nothing of the proxy. The proxy cannot make it late. Costs about one per cent of a core.
class CoreWatch {
  public:
    struct Stall {
        SteadyTime began, ended;
    };

    CoreWatch() = default;
    ~CoreWatch();
    CoreWatch(const CoreWatch&) = delete;

    /// From now on. An error when the cores or the priority are not to be had: without precedence it would see the
    /// proxy's own work, and excuse it.
    Status start(std::span<const int> cores);
    /// What it saw, in no order; it watches no longer.
    std::vector<Stall> stop();

  private:
    static constexpr Nanos kPeriod = std::chrono::microseconds(250);
    static constexpr Nanos kLate = std::chrono::microseconds(200);

    void watch();

    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::vector<Stall> stalls_;
    std::vector<std::thread> threads_;
};

}  // namespace penumbra::bench
