#pragma once

#include <cstddef>

#include "app/settings.h"
#include "base/result.h"

namespace penumbra::app {

/// How --memory-budget is divided, in bytes; or what is enough where none is given.
struct Memory {
    std::size_t per_shard = 0;  ///< for requests and answers
    std::size_t journal = 0;    ///< for knowing what is owed, which lies on disk: an eighth of all
};
Memory memory_of(const Settings& settings, std::size_t shards);

/// Errc::invalid_argument, with what to give instead, where a shard could not hold one request of --max-frame.
Status check_memory(const Settings& settings, std::size_t shards);

}  // namespace penumbra::app
