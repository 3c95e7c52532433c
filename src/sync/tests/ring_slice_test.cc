#include "sync/ring_slice.h"

#include <gtest/gtest.h>

namespace penumbra::sync {
namespace {

using cql::Token;

RingSlice slice(std::size_t number) {
    return RingSlice(static_cast<std::uint16_t>(number));
}

TEST(RingSlices, CoverTheRingOnce) {
    EXPECT_EQ(range_of(slice(0)).start, cql::kMinToken);
    EXPECT_EQ(range_of(slice(kRingSlices - 1)).end, cql::kMaxToken);
    for (std::size_t i = 0; i < kRingSlices; ++i) {
        const auto range = range_of(slice(i));
        EXPECT_LT(range.start, range.end) << i;
        if (i > 0) {
            EXPECT_EQ(range.start, range_of(slice(i - 1)).end) << i;
        }
        EXPECT_EQ(slice_at(range), slice(i));
    }
}

TEST(RingSlices, ATokenIsInTheRangeOfItsSlice) {
    for (std::size_t i = 0; i < kRingSlices; ++i) {
        const auto range = range_of(slice(i));
        EXPECT_EQ(slice_of(range.end), slice(i)) << "ends are inclusive";
        EXPECT_EQ(slice_of(Token(range.start.value() + 1)), slice(i)) << "starts are not";
        EXPECT_TRUE(range.contains(range.end));
        EXPECT_FALSE(range.contains(range.start));
    }
    EXPECT_EQ(slice_of(Token(0)), slice(kRingSlices / 2 - 1));
    EXPECT_EQ(slice_of(Token(1)), slice(kRingSlices / 2));
    EXPECT_EQ(slice_of(cql::kMinToken), slice(0)) << "no partition has it";
}

TEST(RingSlices, RangesOfAnotherCutAreNone) {
    const auto range = range_of(slice(7));
    EXPECT_FALSE(slice_at({range.start, range_of(slice(8)).end}));
    EXPECT_FALSE(slice_at({Token(range.start.value() + 1), range.end}));
    EXPECT_FALSE(slice_at({}));
}

}  // namespace
}  // namespace penumbra::sync
