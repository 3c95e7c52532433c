#include "metrics/cells.h"

#include <algorithm>
#include <cmath>

namespace penumbra::metrics {

void HistogramSnapshot::add(const HistogramSnapshot& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
    count += other.count;
    sum_nanos += other.sum_nanos;
    max_nanos = std::max(max_nanos, other.max_nanos);
}

Nanos HistogramSnapshot::quantile(double q) const {
    if (count == 0) return Nanos(0);
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        seen += buckets[i];
        if (seen >= wanted) return Nanos(std::min(LogLinear::lower_bound(i + 1) - 1, max_nanos));
    }
    return Nanos(max_nanos);
}

HistogramSnapshot Histogram::snapshot() const {
    HistogramSnapshot snapshot;
    // Counted from the buckets rather than kept beside them, so that count and buckets agree also in the middle of a
    // record.
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        snapshot.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
        snapshot.count += snapshot.buckets[i];
    }
    snapshot.sum_nanos = sum_.load(std::memory_order_relaxed);
    snapshot.max_nanos = max_.load(std::memory_order_relaxed);
    return snapshot;
}

}  // namespace penumbra::metrics
