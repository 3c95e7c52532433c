#include "sync/at_once.h"

#include <gtest/gtest.h>

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;

TEST(AtOnce, GrowsWhileTheClusterIsQuickAndShrinksWhileItIsSlow) {
    AtOnce at_once(32, 100ms);
    EXPECT_EQ(at_once.now(), 1u) << "it begins carefully";
    for (int i = 0; i < 10; ++i) at_once.ended(8 * 1ms, 8);
    EXPECT_EQ(at_once.now(), 32u);
    at_once.ended(8 * 101ms, 8);
    EXPECT_EQ(at_once.now(), 16u);
    at_once.ended(0ns, 0);
    EXPECT_EQ(at_once.now(), 32u) << "orders to resync say nothing of writes";
    at_once.paused();
    EXPECT_EQ(at_once.now(), 1u);
    at_once.ended(1s, 1);
    EXPECT_EQ(at_once.now(), 1u) << "never none";
}

}  // namespace
}  // namespace penumbra::sync
