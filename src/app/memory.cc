#include "app/memory.h"

#include <algorithm>

#include <fmt/format.h>

#include "proxy/exchange.h"

namespace penumbra::app {

namespace {

constexpr std::size_t kMemoryPerShard = std::size_t{256} << 20;
/// Of this many parts one is the journal's.
constexpr std::size_t kParts = 8;

/// What the longest request may take while it is under way: where it arrives, and what its exchange is charged.
std::size_t memory_of_longest(const Settings& settings) {
    const auto frame = settings.max_frame().bytes;
    return frame + proxy::Exchange::cost_of(frame);
}

}  // namespace

Memory memory_of(const Settings& settings, std::size_t shards) {
    auto budget = settings.memory_budget().bytes;
    if (budget == 0)
        budget = shards * std::max(kMemoryPerShard, 2 * memory_of_longest(settings) * kParts / (kParts - 1));
    const auto journal = budget / kParts;
    return {(budget - journal) / shards, journal};
}

Status check_memory(const Settings& settings, std::size_t shards) {
    const auto each = memory_of(settings, shards).per_shard;
    const auto longest = memory_of_longest(settings);
    if (each >= longest) return ok();
    constexpr std::size_t kMebibyte = 1 << 20;
    const auto least = shards * longest * kParts / (kParts - 1);
    const auto enough = (least + kMebibyte) / kMebibyte * kMebibyte;
    return fail(
        Errc::invalid_argument,
        fmt::format("--memory-budget {} is {} for each of {} shards besides the journal's eighth, too little for one "
                    "request of --max-frame {}, "
                    "which takes five times its size: give {} or more, fewer --shards, or a shorter --max-frame",
                    config::print_size(settings.memory_budget()), config::print_size(config::Size{each}), shards,
                    config::print_size(settings.max_frame()), config::print_size(config::Size{enough})));
}

}  // namespace penumbra::app
