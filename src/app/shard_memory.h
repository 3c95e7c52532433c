#pragma once

#include <cstddef>

#include "app/settings.h"
#include "base/result.h"

namespace penumbra::app {

/// What each of so many shards may hold: its part of --memory-budget, or what is enough where none is given.
std::size_t memory_per_shard(const Settings& settings, std::size_t shards);

/// Errc::invalid_argument, with what to give instead, where a shard could not hold one request of --max-frame.
Status check_memory(const Settings& settings, std::size_t shards);

}  // namespace penumbra::app
