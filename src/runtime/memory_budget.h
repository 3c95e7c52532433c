#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

namespace penumbra {

/// The bytes that one shard's requests may hold at a time: what is taken before memory is asked for, and given back
/// when it is free again. One shard, no lock; each Shard has one, without a limit until it is given one.
///
/// try_take() is for what can be refused, and comes first. take() is for what is there already and must be counted: it
/// may go past the limit, and then everything that asks is refused until enough came back.
class MemoryBudget {
  public:
    static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

    void set_limit(std::size_t bytes) { limit_ = bytes; }
    std::size_t limit() const { return limit_; }
    std::size_t used() const { return used_; }
    /// The most that was ever used at once.
    std::size_t peak() const { return peak_; }
    bool is_exhausted() const { return used_ >= limit_; }

    bool try_take(std::size_t bytes) {
        if (used_ > limit_ || bytes > limit_ - used_) return false;
        take(bytes);
        return true;
    }
    void take(std::size_t bytes) {
        used_ += bytes;
        peak_ = std::max(peak_, used_);
    }
    void give_back(std::size_t bytes) { used_ -= std::min(bytes, used_); }

  private:
    std::size_t limit_ = kNoLimit;
    std::size_t used_ = 0;
    std::size_t peak_ = 0;
};

/// What one holder has taken of a budget; given back when it ends, however it ends.
class MemoryHold {
  public:
    explicit MemoryHold(MemoryBudget& budget) : budget_(budget) {}
    ~MemoryHold() { clear(); }
    MemoryHold(const MemoryHold&) = delete;
    MemoryHold& operator=(const MemoryHold&) = delete;

    std::size_t bytes() const { return bytes_; }
    bool try_add(std::size_t bytes) {
        if (!budget_.try_take(bytes)) return false;
        bytes_ += bytes;
        return true;
    }
    void add(std::size_t bytes) {
        budget_.take(bytes);
        bytes_ += bytes;
    }
    /// Whether there is room or not: for memory that is there.
    void set(std::size_t bytes) {
        if (bytes > bytes_) {
            budget_.take(bytes - bytes_);
        } else {
            budget_.give_back(bytes_ - bytes);
        }
        bytes_ = bytes;
    }
    void clear() { set(0); }

  private:
    MemoryBudget& budget_;
    std::size_t bytes_ = 0;
};

}  // namespace penumbra
