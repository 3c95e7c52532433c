#include "sync/token_range.h"

#include <gtest/gtest.h>

namespace penumbra::sync {
namespace {

using cql::Token;

void expect_cover(const std::vector<TokenRange>& ranges) {
    ASSERT_FALSE(ranges.empty());
    EXPECT_EQ(ranges.front().start, cql::kMinToken);
    EXPECT_EQ(ranges.back().end, cql::kMaxToken);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        EXPECT_LT(ranges[i].start, ranges[i].end) << to_string(ranges[i]);
        EXPECT_NE(ranges[i].end, cql::kMinToken) << "as an upper bound it means the whole ring";
        if (i > 0) {
            EXPECT_EQ(ranges[i].start, ranges[i - 1].end);
        }
    }
}

TEST(TokenRanges, CoverTheRingOnceWithoutWrapping) {
    const std::vector<Token> ring{Token(100), Token(-100), Token(7)};
    for (const std::size_t splits : {1U, 3U, 64U}) {
        const auto ranges = split_ring(ring, splits);
        expect_cover(ranges);
        EXPECT_EQ(ranges.size(), 4 * splits);
    }
    EXPECT_EQ(split_ring(ring, 1)[1], (TokenRange{Token(-100), Token(7)}));
}

TEST(TokenRanges, OddRings) {
    expect_cover(split_ring({}, 1));
    expect_cover(split_ring({}, 5));
    expect_cover(split_ring({cql::kMinToken, cql::kMaxToken}, 2));
    const auto narrow = split_ring({Token(1), Token(2), Token(2)}, 16);
    expect_cover(narrow);
    EXPECT_EQ(narrow.size(), 16U + 1U + 16U) << "a range of one token cannot be cut";
}

TEST(TokenRanges, Containment) {
    const TokenRange whole;
    EXPECT_TRUE(whole.contains({Token(1), Token(2)}));
    EXPECT_FALSE((TokenRange{Token(1), Token(2)}).contains(whole));
    EXPECT_TRUE((TokenRange{Token(1), Token(2)}).contains(Token(2)));
    EXPECT_FALSE((TokenRange{Token(1), Token(2)}).contains(Token(1)));
}

TEST(TokenRanges, WithinARangeIsWhatItSharesWithEach) {
    const auto ring = split_ring({Token(-100), Token(7), Token(100)}, 1);
    EXPECT_EQ(within({}, ring), ring);
    EXPECT_EQ(within({Token(-100), Token(7)}, ring), (std::vector<TokenRange>{{Token(-100), Token(7)}}));
    EXPECT_EQ(within({Token(-101), Token(8)}, ring),
              (std::vector<TokenRange>{{Token(-101), Token(-100)}, {Token(-100), Token(7)}, {Token(7), Token(8)}}));
    EXPECT_EQ(within({Token(20), Token(30)}, ring), (std::vector<TokenRange>{{Token(20), Token(30)}}));
    EXPECT_EQ(within({Token(20), Token(30)}, {}), std::vector<TokenRange>{});
}

}  // namespace
}  // namespace penumbra::sync
