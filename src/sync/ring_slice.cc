#include "sync/ring_slice.h"

#include <bit>

namespace penumbra::sync {

namespace {

static_assert(std::has_single_bit(kRingSlices));
constexpr int kShift = 64 - std::countr_zero(kRingSlices);

/// Unsigned: the ring is wider than a signed token.
std::uint64_t above_min(cql::Token token) {
    return static_cast<std::uint64_t>(token.value()) - static_cast<std::uint64_t>(cql::kMinToken.value());
}

cql::Token at(std::uint64_t above) {
    return cql::Token(static_cast<std::int64_t>(above + static_cast<std::uint64_t>(cql::kMinToken.value())));
}

}  // namespace

RingSlice slice_of(cql::Token token) {
    // A range is open at its start: the token at a boundary belongs to the slice below. No partition has kMinToken.
    const auto above = above_min(token);
    return RingSlice(static_cast<std::uint16_t>(above == 0 ? 0 : (above - 1) >> kShift));
}

TokenRange range_of(RingSlice slice) {
    const auto start = std::uint64_t{slice.value()} << kShift;
    const bool last = slice.value() + std::size_t{1} == kRingSlices;
    return {at(start), last ? cql::kMaxToken : at(start + (std::uint64_t{1} << kShift))};
}

std::optional<RingSlice> slice_at(const TokenRange& range) {
    const auto slice = slice_of(range.end);
    return range == range_of(slice) ? std::optional(slice) : std::nullopt;
}

}  // namespace penumbra::sync
