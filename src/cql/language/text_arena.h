#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace penumbra::cql {

/// Keeps decoded texts at addresses that never change, in few allocations: most statements decode none, the others a
/// handful of short names.
class TextArena {
  public:
    TextArena() = default;
    TextArena(const TextArena&) = delete;
    TextArena& operator=(const TextArena&) = delete;

    /// Room for `size` characters; may be filled up to there and shortened by giving back() the rest.
    char* take(std::size_t size) {
        if (left_ < size) {
            left_ = std::max<std::size_t>(size, kBlock);
            blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
            at_ = blocks_.back().get();
        }
        char* taken = at_;
        at_ += size;
        left_ -= size;
        return taken;
    }
    /// The last `size` characters of what was taken last are not needed.
    void give_back(std::size_t size) {
        at_ -= size;
        left_ += size;
    }

  private:
    static constexpr std::size_t kBlock = 480;

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* at_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace penumbra::cql
