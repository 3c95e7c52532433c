#pragma once

#include <cstddef>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace penumbra {

/// A map with at most `limit` entries: a new one takes the place of an old one, those found since the last round being
/// spared (second chance, also called clock). Finding allocates nothing. Not synchronized.
/// Hash and Equal may be transparent, so that views find what strings keep.
template <class Key, class Value, class Hash = std::hash<Key>, class Equal = std::equal_to<>>
class BoundedCache {
  public:
    explicit BoundedCache(std::size_t limit) : limit_(limit) {}
    BoundedCache(const BoundedCache&) = delete;
    BoundedCache& operator=(const BoundedCache&) = delete;

    /// Null when it is not there. Valid until the next put().
    template <class K>
    Value* find(const K& key) {
        const auto found = map_.find(key);
        if (found == map_.end()) return nullptr;
        found->second.used = true;
        return &found->second.value;
    }

    /// Adds or replaces. Keeps nothing where the limit is 0.
    void put(Key key, Value value) {
        if (limit_ == 0) return;
        if (const auto found = map_.find(key); found != map_.end()) {
            found->second.value = std::move(value);
            return;
        }
        if (ring_.size() == limit_) {
            while (std::exchange(ring_[hand_]->second.used, false)) advance();
            map_.erase(map_.find(ring_[hand_]->first));
            ring_[hand_] = &*map_.emplace(std::move(key), Slot{std::move(value)}).first;
            advance();
        } else {
            ring_.push_back(&*map_.emplace(std::move(key), Slot{std::move(value)}).first);
        }
    }

    std::size_t size() const { return ring_.size(); }

  private:
    struct Slot {
        Value value;
        bool used = false;
    };
    using Map = std::unordered_map<Key, Slot, Hash, Equal>;

    void advance() { hand_ = (hand_ + 1) % ring_.size(); }

    std::size_t limit_;
    Map map_;
    std::vector<typename Map::value_type*> ring_;  ///< every entry once; entries stay where they are in memory
    std::size_t hand_ = 0;
};

}  // namespace penumbra
