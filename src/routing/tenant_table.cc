#include "routing/tenant_table.h"

#include <utility>

namespace penumbra::routing {

void TenantTable::put(BytesView tenant, Route route) {
    if (tenant.size() != kUuidSize) {
        others_.insert_or_assign(std::string(text_of(tenant)), route);
        return;
    }
    if (2 * (uuids_ + 1) > slots_.size()) {
        const auto before = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
        uuids_ = 0;
        for (const auto& slot : before) {
            if (slot.taken) put_uuid(slot.high, slot.low, slot.route);
        }
    }
    put_uuid(load_be<std::uint64_t>(tenant.data()), load_be<std::uint64_t>(tenant.data() + 8), route);
}

void TenantTable::put_uuid(std::uint64_t high, std::uint64_t low, Route route) {
    auto at = place_of(high, low);
    while (slots_[at].taken && (slots_[at].high != high || slots_[at].low != low)) at = (at + 1) & (slots_.size() - 1);
    uuids_ += !slots_[at].taken;
    slots_[at] = {high, low, route, true};
}

const Route* TenantTable::find_other(BytesView tenant) const {
    const auto found = others_.find(text_of(tenant));
    return found == others_.end() ? nullptr : &found->second;
}

}  // namespace penumbra::routing
