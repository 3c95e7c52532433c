#pragma once

#include <span>
#include <vector>

#include "base/clock.h"
#include "load/core_watch.h"
#include "load/histogram.h"

namespace penumbra::bench {

/// Latencies by when the request was due, in slices of time, so that those can be left out in which the machine stood
/// still. A slice belongs to a stall when it had requests under way then, or when what had queued up was worked off.
class SlicedLatency {
  public:
    static constexpr Nanos kSlice = std::chrono::milliseconds(10);

    explicit SlicedLatency(Nanos length);
    void begin(SteadyTime at) { began_ = at; }

    void record(SteadyTime due, Nanos latency);
    struct Undisturbed {
        Histogram latency;
        double left_out = 0;  ///< part of the slices, 0 to 1
    };
    Undisturbed without(std::span<const CoreWatch::Stall> stalls) const;

  private:
    SteadyTime began_;
    std::vector<Histogram> slices_;
};

}  // namespace penumbra::bench
