#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace penumbra {

/// The bytes that one shard's requests may hold at a time: what is taken before memory is asked for, and given back
/// when it is free again. One shard, no lock; each Shard has one, without a limit until it is given one.
///
/// try_take() is for what can be refused, and comes first. take() is for what is there already and must be counted: it
/// may go past the limit, and then everything that asks is refused until enough came back.
///
/// What waits for peers that do not read may have all but the last quarter: that one is for the requests of the others.
class MemoryBudget {
  public:
    static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
    enum class For : std::uint8_t { request, waiting };

    void set_limit(std::size_t bytes) { limit_ = bytes; }
    std::size_t limit() const { return limit_; }
    std::size_t used() const { return used_; }
    /// The most that was ever used at once.
    std::size_t peak() const { return peak_; }
    bool is_exhausted() const { return used_ >= limit_; }
    /// Nothing is left for what waits.
    bool is_tight() const { return used_ >= limit_of(For::waiting); }

    bool try_take(std::size_t bytes, For whom = For::request) {
        const auto limit = limit_of(whom);
        if (used_ > limit || bytes > limit - used_) return false;
        take(bytes);
        return true;
    }
    void take(std::size_t bytes) {
        used_ += bytes;
        peak_ = std::max(peak_, used_);
    }
    void give_back(std::size_t bytes) { used_ -= std::min(bytes, used_); }

    /// Empty buffers that connections keep for their next use are of what is used, and all together no more than an
    /// eighth of the limit. Whether one who keeps `before` may keep `bytes` instead; less is always allowed.
    bool try_keep(std::size_t bytes, std::size_t before) {
        const auto kept = kept_ - before + bytes;
        if (bytes > before && kept > limit_ / 8) return false;
        kept_ = kept;
        return true;
    }

  private:
    std::size_t limit_of(For whom) const { return whom == For::waiting ? limit_ - limit_ / 4 : limit_; }

    std::size_t limit_ = kNoLimit;
    std::size_t used_ = 0;
    std::size_t peak_ = 0;
    std::size_t kept_ = 0;
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
