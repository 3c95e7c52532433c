#include "base/bounded_cache.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace penumbra {
namespace {

struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};
using Cache = BoundedCache<std::string, int, Hash>;

TEST(BoundedCache, FindsWhatWasPutByAView) {
    Cache cache(2);
    EXPECT_EQ(cache.find(std::string_view("a")), nullptr);
    cache.put("a", 1);
    ASSERT_NE(cache.find(std::string_view("a")), nullptr);
    EXPECT_EQ(*cache.find(std::string_view("a")), 1);
    cache.put("a", 2);
    EXPECT_EQ(*cache.find(std::string_view("a")), 2);
    EXPECT_EQ(cache.size(), 1u);
}

TEST(BoundedCache, NeverHoldsMoreAndSparesWhatIsUsed) {
    Cache cache(4);
    cache.put("hot", 0);
    for (int i = 1; i < 1000; ++i) {
        ASSERT_NE(cache.find(std::string_view("hot")), nullptr) << i;
        cache.put(std::to_string(i), i);
        EXPECT_LE(cache.size(), 4u);
    }
    EXPECT_NE(cache.find(std::string_view("999")), nullptr) << "what was put last is there";
    EXPECT_EQ(cache.find(std::string_view("1")), nullptr);
}

TEST(BoundedCache, ALimitOfNothingKeepsNothing) {
    Cache cache(0);
    cache.put("a", 1);
    EXPECT_EQ(cache.find(std::string_view("a")), nullptr);
}

}  // namespace
}  // namespace penumbra
