#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace penumbra {

using Nanos = std::chrono::nanoseconds;
using Micros = std::chrono::microseconds;
using Millis = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
/// A point on the clock that never goes back; what deadlines and measured waits use.
using SteadyTime = std::chrono::steady_clock::time_point;

/// Where time comes from, so that a test can own it. Thread safe.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual SteadyTime now() const = 0;
    /// Microseconds since 1970-01-01 UTC: the unit of CQL write timestamps. May jump when the host's clock is set.
    virtual std::int64_t wall_micros() const = 0;

    static const Clock& system();
};

class ManualClock : public Clock {
  public:
    SteadyTime now() const override { return SteadyTime(Nanos(steady_.load())); }
    std::int64_t wall_micros() const override { return wall_.load(); }
    void advance(Nanos by) {
        steady_ += by.count();
        wall_ += by.count() / 1000;
    }
    /// The operator (or NTP) sets the wall clock; the steady one does not notice.
    void set_wall(std::int64_t micros) { wall_ = micros; }

  private:
    std::atomic<std::int64_t> steady_{1'000'000'000};
    std::atomic<std::int64_t> wall_{1'700'000'000'000'000};
};

/// An absolute point by which something must have ended. Travels with a request; retries spend from it.
struct Deadline {
    SteadyTime at = SteadyTime::max();

    static Deadline never() { return {}; }
    static Deadline in(const Clock& clock, Nanos from_now) { return {clock.now() + from_now}; }
    bool passed(SteadyTime now) const { return now >= at; }
    Nanos left(SteadyTime now) const { return at <= now ? Nanos(0) : at - now; }
    Deadline or_sooner(Deadline other) const { return {at < other.at ? at : other.at}; }
};

}  // namespace penumbra
