#include "load/sliced.h"

#include <algorithm>

namespace penumbra::bench {

SlicedLatency::SlicedLatency(Nanos length) : slices_(static_cast<std::size_t>(length / kSlice) + 1) {}

void SlicedLatency::record(SteadyTime due, Nanos latency) {
    if (due < began_) return;
    const auto slice = static_cast<std::size_t>((due - began_) / kSlice);
    if (slice < slices_.size()) slices_[slice].record(latency);
}

SlicedLatency::Undisturbed SlicedLatency::without(std::span<const CoreWatch::Stall> stalls) const {
    std::vector<bool> disturbed(slices_.size());
    for (const auto& stall : stalls) {
        // At three quarters of what is possible it takes three times as long to work off what queued up.
        const auto from = std::max<std::int64_t>(0, (stall.began - kSlice / 2 - began_) / kSlice);
        const auto to = (stall.ended + 3 * (stall.ended - stall.began) + kSlice / 2 - began_) / kSlice;
        for (auto slice = from; slice <= to && slice < std::ssize(slices_); ++slice)
            disturbed[static_cast<std::size_t>(slice)] = true;
    }
    Undisturbed result;
    for (std::size_t slice = 0; slice < slices_.size(); ++slice) {
        if (!disturbed[slice]) result.latency.add(slices_[slice]);
    }
    result.left_out = static_cast<double>(std::ranges::count(disturbed, true)) / static_cast<double>(slices_.size());
    return result;
}

}  // namespace penumbra::bench
