#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace penumbra::proxy {

/// Whether one shard sends writes to a cluster as their shadow. After failures in a row it does not, for a while: what
/// a cluster that is away or overloaded would be asked in vain costs memory until its time is over, and keeps it busy
/// when it comes back. What is not sent is owed, as what failed is. Then one write at a time is a probe.
///
///     closed ──failures in a row──→ open ──pause over──→ half open ──the probe is taken──→ closed
///                                    ↑                        │
///                                    └──the probe fails: the pause doubles
class ShadowBreaker {
  public:
    struct Options {
        std::uint32_t failures = 16;  ///< in a row
        Nanos first_pause = std::chrono::milliseconds(250);
        Nanos longest_pause = std::chrono::seconds(5);
    };
    enum class State : std::uint8_t { closed, open, half_open };

    ShadowBreaker() = default;
    explicit ShadowBreaker(const Options& options) : options_(options) {}

    /// Whether this write is sent. Whoever is told so reports how it ended.
    bool allows(SteadyTime now) {
        if (state_ == State::closed) return true;
        if (state_ == State::open && now >= open_until_) state_ = State::half_open;
        if (state_ == State::open || probing_) return false;
        probing_ = true;
        return true;
    }
    /// The cluster answered, whatever it thinks of the statement.
    void answered() {
        failures_ = 0;
        pause_ = Nanos(0);
        probing_ = false;
        state_ = State::closed;
    }
    /// It did not, or said that it cannot now.
    void failed(SteadyTime now) {
        if (state_ == State::open) return;  // one that was sent before
        if (state_ == State::closed && ++failures_ < options_.failures) return;
        pause_ = pause_ == Nanos(0) ? options_.first_pause : std::min(pause_ * 2, options_.longest_pause);
        open_until_ = now + pause_;
        probing_ = false;
        state_ = State::open;
    }
    State state() const { return state_; }

  private:
    Options options_;
    State state_ = State::closed;
    bool probing_ = false;
    std::uint32_t failures_ = 0;
    Nanos pause_{0};
    SteadyTime open_until_{};
};

}  // namespace penumbra::proxy
