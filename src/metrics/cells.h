#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace penumbra::metrics {

/// Only grows. One thread writes, any thread reads: a plain add without a locked instruction.
class Counter {
  public:
    void add(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void operator++() { add(1); }
    void operator+=(std::uint64_t n) { add(n); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down. One thread writes, any thread reads.
class Gauge {
  public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t n) { set(value() + n); }
    void operator++() { add(1); }
    void operator--() { add(-1); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_{0};
};

/// Which of the buckets a number of nanoseconds falls in: exact up to 8 ns, then eight per power of two, so that a
/// bucket is at most an eighth of its value wide. Ends at 2^40 ns, some 18 minutes; what is longer counts in the last.
struct LogLinear {
    static constexpr std::size_t kSubBits = 3;
    static constexpr std::size_t kTopBit = 40;
    static constexpr std::size_t kBuckets = ((kTopBit - kSubBits) << kSubBits) + (1 << kSubBits);

    static constexpr std::size_t index(std::uint64_t nanos) {
        if (nanos < (1u << kSubBits)) return static_cast<std::size_t>(nanos);
        const auto top = static_cast<std::size_t>(std::bit_width(nanos)) - 1;
        if (top >= kTopBit) return kBuckets - 1;
        const auto sub = static_cast<std::size_t>(nanos >> (top - kSubBits)) & ((1 << kSubBits) - 1);
        return ((top - kSubBits + 1) << kSubBits) + sub;
    }
    /// The smallest number of the bucket; that of the bucket after the last is the end of the scale.
    static constexpr std::uint64_t lower_bound(std::size_t bucket) {
        const auto group = bucket >> kSubBits;
        const auto sub = bucket & ((1 << kSubBits) - 1);
        if (group == 0) return sub;
        return ((std::uint64_t{1} << kSubBits) + sub) << (group - 1);
    }
};

/// Counts of a histogram at some moment. Sums over shards are made of these.
struct HistogramSnapshot {
    std::array<std::uint64_t, LogLinear::kBuckets> buckets{};
    std::uint64_t count = 0;
    std::uint64_t sum_nanos = 0;
    std::uint64_t max_nanos = 0;

    void add(const HistogramSnapshot& other);
    /// The value that the share `q` (0 to 1) of all does not exceed, at most an eighth too large; 0 when empty.
    Nanos quantile(double q) const;
};

/// Durations. One thread records, any thread takes a snapshot.
class Histogram {
  public:
    void record(Nanos duration) {
        const auto nanos = duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count());
        bump(buckets_[LogLinear::index(nanos)], 1);
        bump(sum_, nanos);
        if (nanos > max_.load(std::memory_order_relaxed)) max_.store(nanos, std::memory_order_relaxed);
    }
    HistogramSnapshot snapshot() const;

  private:
    static void bump(std::atomic<std::uint64_t>& cell, std::uint64_t by) {
        cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    std::array<std::atomic<std::uint64_t>, LogLinear::kBuckets> buckets_{};
    std::atomic<std::uint64_t> sum_{0};
    std::atomic<std::uint64_t> max_{0};
};

}  // namespace penumbra::metrics
