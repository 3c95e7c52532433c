#include "sync/counter_settling.h"

#include <gtest/gtest.h>

namespace penumbra::sync {
namespace {

using Next = CounterSettling::Next;

class CounterSettlingTest : public testing::Test {
  protected:
    static journal::EntryId order(std::uint64_t id) { return journal::EntryId(id); }

    CounterSettling settling{Seconds(5)};
    const CounterSettling::Row row{routing::ScopeId(1), "shop", "visits", Bytes{1}};
    const CounterSettling::Row other{routing::ScopeId(1), "shop", "visits", Bytes{2}};
    SteadyTime now{Seconds(1000)};
};

TEST_F(CounterSettlingTest, CountsWhenTheClustersAnsweredAndWereLeftAlone) {
    EXPECT_EQ(settling.next(row, now), Next::probe);
    settling.answered(row, now, {order(7)});
    EXPECT_EQ(settling.next(row, now + Seconds(4)), Next::wait);
    EXPECT_EQ(settling.next(row, now + Seconds(5)), Next::count);
    EXPECT_EQ(settling.next(other, now + Seconds(5)), Next::probe);
}

TEST_F(CounterSettlingTest, SlicesOfATableTakeTheirTurnsByThemselves) {
    CounterSettling::Row low{routing::ScopeId(1), "shop", "visits", {}, TokenRange{cql::kMinToken, cql::Token(0)}};
    CounterSettling::Row high{routing::ScopeId(1), "shop", "visits", {}, TokenRange{cql::Token(0), cql::kMaxToken}};
    EXPECT_FALSE(settling.has_answered(low));
    settling.answered(low, now, {order(7)});
    settling.unanswered(high, now);
    EXPECT_TRUE(settling.has_answered(low));
    EXPECT_FALSE(settling.has_answered(high));
    EXPECT_FALSE(settling.takes_part(low, order(8)));
    EXPECT_TRUE(settling.takes_part(high, order(8)));
}

TEST_F(CounterSettlingTest, WhatComesAfterTheAnswerHasATurnOfItsOwn) {
    EXPECT_TRUE(settling.takes_part(row, order(7)));
    settling.answered(row, now, {order(7), order(9)});
    EXPECT_TRUE(settling.takes_part(row, order(7)));
    EXPECT_TRUE(settling.takes_part(row, order(9)));
    // Also one that is older by its number: it was released later.
    EXPECT_FALSE(settling.takes_part(row, order(8)));
    EXPECT_FALSE(settling.takes_part(row, order(10)));
    EXPECT_TRUE(settling.takes_part(other, order(8)));
    settling.ended(row);
    EXPECT_TRUE(settling.takes_part(row, order(8)));
    EXPECT_EQ(settling.next(row, now + Seconds(60)), Next::probe);
}

TEST_F(CounterSettlingTest, AReplicaThatDoesNotAnswerIsAskedAgainAfterAWhile) {
    settling.unanswered(row, now);
    EXPECT_EQ(settling.next(row, now + Seconds(1)), Next::wait);
    EXPECT_TRUE(settling.takes_part(row, order(7)));  // nothing was promised to any of them yet
    EXPECT_EQ(settling.next(row, now + Seconds(5)), Next::probe);
}

}  // namespace
}  // namespace penumbra::sync
