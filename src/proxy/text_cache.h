#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bounded_cache.h"
#include "proxy/plan.h"

namespace penumbra::proxy {

/// The plans of one shard's simple statements, by text and the keyspace that completes it: what an application sends
/// again and again is parsed once. Bounded. A text gets a place when it is seen for the second time, so statements with
/// their values inside, which never come back, pass without pushing out those that do.
class TextCache {
  public:
    explicit TextCache(std::size_t limit) : plans_(limit) {}

    /// The plan under this router.
    PlanPtr plan(std::string_view text, std::string_view keyspace, const routing::RouterPtr& router);

    std::size_t size() const { return plans_.size(); }
    /// How many texts had to be parsed.
    std::uint64_t parsed() const { return parsed_; }

    /// Longer texts are parsed each time: a few of them would be the whole cache.
    static constexpr std::size_t kLongestText = 16 * 1024;

  private:
    struct KeyView {
        std::string_view text;
        std::string_view keyspace;
        bool operator==(const KeyView&) const = default;
    };
    struct Key {
        std::string text;
        std::string keyspace;
        operator KeyView() const { return {text, keyspace}; }  // NOLINT(google-explicit-constructor)
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const KeyView& key) const noexcept {
            const std::hash<std::string_view> hash;
            return hash(key.text) * 31 + hash(key.keyspace);
        }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(const KeyView& a, const KeyView& b) const noexcept { return a == b; }
    };

    BoundedCache<Key, PlanPtr, Hash, Equal> plans_;
    std::array<std::size_t, 4096> seen_once_{};  ///< hashes; a collision only costs a parse, or a place
    std::uint64_t parsed_ = 0;
};

}  // namespace penumbra::proxy
