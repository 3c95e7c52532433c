#pragma once

#include <span>

#include "base/clock.h"
#include "base/result.h"

namespace penumbra::bench {

/// CPU time that processes have used so far, all their threads together (/proc/PID/stat, in steps of 10 ms).
struct CpuTime {
    Nanos user{0};
    Nanos system{0};
    CpuTime operator-(const CpuTime& earlier) const { return {user - earlier.user, system - earlier.system}; }
};

Result<CpuTime> cpu_time_of(std::span<const int> pids);

}  // namespace penumbra::bench
