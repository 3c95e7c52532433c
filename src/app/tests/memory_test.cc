#include "app/memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penumbra::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::size_t kMiB = 1 << 20;

TEST(Memory, IsTheBudgetsPartOrEnough) {
    Settings settings;
    EXPECT_EQ(memory_of(settings, 4).per_shard, 224 * kMiB);
    EXPECT_EQ(memory_of(settings, 4).journal, 128 * kMiB);
    settings.memory_budget.set(512_MiB);
    EXPECT_EQ(memory_of(settings, 4).per_shard, 112 * kMiB);
    EXPECT_EQ(memory_of(settings, 4).journal, 64 * kMiB);
    settings.memory_budget.set(config::Size{0});
    settings.max_frame.set(256_MiB);
    EXPECT_GE(memory_of(settings, 4).per_shard, 2 * 5 * 256 * kMiB);
    EXPECT_TRUE(check_memory(settings, 4));
}

TEST(Memory, TooLittleForOneRequestIsRefusedWithWhatIsEnough) {
    Settings settings;
    settings.memory_budget.set(128_MiB);
    EXPECT_TRUE(check_memory(settings, 1));

    const auto refused = check_memory(settings, 4);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_THAT(refused.error().what,
                AllOf(HasSubstr("--memory-budget 128MiB is 28MiB for each of 4 shards"),
                      HasSubstr("one request of --max-frame 16MiB"),
                      HasSubstr("give 366MiB or more, fewer --shards, or a shorter --max-frame")));

    // Each of the remedies is one.
    settings.memory_budget.set(366_MiB);
    EXPECT_TRUE(check_memory(settings, 4));
    settings.memory_budget.set(365_MiB);
    EXPECT_FALSE(check_memory(settings, 4));
    settings.max_frame.set(4_MiB);
    EXPECT_TRUE(check_memory(settings, 4));
}

}  // namespace
}  // namespace penumbra::app
