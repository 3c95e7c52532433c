#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "routing/route.h"

namespace penumbra::routing {

/// The routes of tenants, by the bytes of their column. Every request looks one up, of thousands that are rarely the
/// same twice in a row: a look-up touches one line of memory where the tenant is a uuid, as most are. Other keys are in
/// an ordinary map. Filled once, then read.
class TenantTable {
  public:
    void put(BytesView tenant, Route route);
    /// Null when nobody put it.
    const Route* find(BytesView tenant) const {
        if (tenant.size() != kUuidSize) return find_other(tenant);
        if (slots_.empty()) return nullptr;
        const auto high = load_be<std::uint64_t>(tenant.data());
        const auto low = load_be<std::uint64_t>(tenant.data() + 8);
        for (auto at = place_of(high, low);; at = (at + 1) & (slots_.size() - 1)) {
            const auto& slot = slots_[at];
            if (!slot.taken) return nullptr;
            if (slot.high == high && slot.low == low) return &slot.route;
        }
    }
    bool empty() const { return uuids_ == 0 && others_.empty(); }

  private:
    static constexpr std::size_t kUuidSize = 16;
    struct alignas(32) Slot {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        Route route;
        bool taken = false;
    };
    struct BytesHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view bytes) const noexcept { return std::hash<std::string_view>{}(bytes); }
    };

    /// The keys are the operator's, so nobody can choose them to collide.
    std::size_t place_of(std::uint64_t high, std::uint64_t low) const {
        constexpr std::uint64_t kMultiplier = 0x9fb21c651e98df25ULL;
        auto mixed = (high ^ high >> 29) * kMultiplier ^ low;
        mixed = (mixed ^ mixed >> 32) * kMultiplier;
        return static_cast<std::size_t>(mixed >> 32) & (slots_.size() - 1);
    }
    void put_uuid(std::uint64_t high, std::uint64_t low, Route route);
    const Route* find_other(BytesView tenant) const;

    std::vector<Slot> slots_;  ///< a power of two, at most half of them taken; a key is at its place or right behind it
    std::size_t uuids_ = 0;
    std::unordered_map<std::string, Route, BytesHash, std::equal_to<>> others_;
};

}  // namespace penumbra::routing
