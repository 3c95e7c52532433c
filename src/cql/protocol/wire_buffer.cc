#include "cql/protocol/wire_buffer.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace penumbra::cql {
namespace {

/// A segment's payload and what the writer puts around it fit.
constexpr std::size_t kSmallest = 160u << 10;

struct Stock {
    struct Item {
        std::unique_ptr<Byte[]> bytes;
        std::size_t capacity;
    };
    std::vector<Item> items;
    std::size_t total = 0;
};

Stock& stock() {
    thread_local Stock stock;
    return stock;
}

}  // namespace

WireBuffer::WireBuffer(WireBuffer&& other) noexcept
    : bytes_(std::move(other.bytes_)), capacity_(std::exchange(other.capacity_, 0)) {}

WireBuffer& WireBuffer::operator=(WireBuffer&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    bytes_ = std::move(other.bytes_);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
}

Byte* WireBuffer::take(std::size_t size) {
    if (capacity_ >= size && bytes_) return bytes_.get();
    give_back();
    auto& all = stock();
    // The smallest that fits: a few at most, since each busy moment of a thread needs one or two.
    auto best = all.items.end();
    for (auto it = all.items.begin(); it != all.items.end(); ++it) {
        if (it->capacity >= size && (best == all.items.end() || it->capacity < best->capacity)) best = it;
    }
    if (best != all.items.end()) {
        bytes_ = std::move(best->bytes);
        capacity_ = best->capacity;
        all.total -= capacity_;
        std::swap(*best, all.items.back());
        all.items.pop_back();
        return bytes_.get();
    }
    capacity_ = size <= kSmallest ? kSmallest : std::bit_ceil(size) <= kMaxStock / 4 ? std::bit_ceil(size) : size;
    bytes_ = std::make_unique_for_overwrite<Byte[]>(capacity_);
    return bytes_.get();
}

void WireBuffer::give_back() {
    if (!bytes_) return;
    auto& all = stock();
    if (all.total + capacity_ <= kMaxStock) {
        all.total += capacity_;
        all.items.push_back({std::move(bytes_), capacity_});
    }
    bytes_.reset();
    capacity_ = 0;
}

}  // namespace penumbra::cql
