#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "base/clock.h"

namespace penumbra::sync {

/// How many owed writes are sent at once: one after a pause, then twice as many with each batch as long as the cluster
/// is quick, half as many while it is slow. A cluster that comes back has clients of its own to serve. One writer; read
/// on any thread.
class AtOnce {
  public:
    AtOnce(std::size_t most, Nanos slow) : most_(std::max<std::size_t>(most, 1)), slow_(slow) {}

    /// A batch has ended: `took` is what its `sent` writes took together.
    void ended(Nanos took, std::int64_t sent) {
        const bool slow = sent > 0 && took / sent > slow_;
        now_ = slow ? std::max<std::size_t>(1, now_ / 2) : std::min(most_, now_ * 2);
    }
    /// The cluster took something not at all.
    void paused() { now_ = 1; }
    std::size_t now() const { return now_; }

  private:
    const std::size_t most_;
    const Nanos slow_;
    std::atomic<std::size_t> now_{1};
};

}  // namespace penumbra::sync
