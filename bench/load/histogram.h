#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace penumbra::bench {

/// Counts latencies in buckets of less than 0.8 % width, from a nanosecond to hours: 128 steps to each power of two.
/// record() is a few instructions and never allocates.
class Histogram {
  public:
    void record(Nanos latency) {
        const auto nanos = latency.count() < 0 ? 0 : static_cast<std::uint64_t>(latency.count());
        ++buckets_[bucket_of(nanos)];
        ++count_;
        if (nanos > max_) max_ = nanos;
    }
    void add(const Histogram& other);
    std::uint64_t count() const { return count_; }
    Nanos max() const { return Nanos(max_); }
    /// The latency that `part` (0 to 1) of all were within: the upper end of its bucket, and never over max().
    Nanos percentile(double part) const;
    double mean_micros() const;

  private:
    static constexpr unsigned kStepBits = 7;
    static constexpr std::size_t kSteps = std::size_t{1} << kStepBits;
    static constexpr std::size_t kBuckets = (64 - kStepBits + 1) * kSteps;

    static std::size_t bucket_of(std::uint64_t nanos) {
        if (nanos < kSteps) return nanos;
        const auto shift = static_cast<unsigned>(std::bit_width(nanos)) - 1 - kStepBits;
        return (shift + 1) * kSteps + ((nanos >> shift) - kSteps);
    }
    /// The first value that belongs to the next bucket.
    static std::uint64_t end_of(std::size_t bucket);

    std::array<std::uint64_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace penumbra::bench
