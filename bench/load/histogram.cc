#include "load/histogram.h"

#include <algorithm>
#include <cmath>

namespace penumbra::bench {

std::uint64_t Histogram::end_of(std::size_t bucket) {
    if (bucket < kSteps) return bucket + 1;
    const auto shift = bucket / kSteps - 1;
    return (bucket % kSteps + kSteps + 1) << shift;
}

void Histogram::add(const Histogram& other) {
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) buckets_[bucket] += other.buckets_[bucket];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

Nanos Histogram::percentile(double part) const {
    if (count_ == 0) return Nanos(0);
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        seen += buckets_[bucket];
        if (seen >= wanted) return Nanos(std::min(end_of(bucket) - 1, max_));
    }
    return max();
}

double Histogram::mean_micros() const {
    if (count_ == 0) return 0;
    double sum = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket)
        sum += static_cast<double>(buckets_[bucket]) * static_cast<double>(end_of(bucket));
    return sum / static_cast<double>(count_) / 1000;
}

}  // namespace penumbra::bench
