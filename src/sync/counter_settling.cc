#include "sync/counter_settling.h"

#include <algorithm>
#include <utility>

namespace penumbra::sync {

bool CounterSettling::takes_part(const Row& row, journal::EntryId order) const {
    if (!has_answered(row)) return true;
    const auto& orders = turns_.at(row).orders;
    return std::ranges::find(orders, order) != orders.end();
}

bool CounterSettling::has_answered(const Row& row) const {
    const auto found = turns_.find(row);
    return found != turns_.end() && !found->second.orders.empty();
}

CounterSettling::Next CounterSettling::next(const Row& row, SteadyTime now) {
    const auto found = turns_.find(row);
    if (found == turns_.end()) return Next::probe;
    if (now - found->second.since < late_writes_) return Next::wait;
    if (!found->second.orders.empty()) return Next::count;
    turns_.erase(found);
    return Next::probe;
}

void CounterSettling::answered(const Row& row, SteadyTime now, std::vector<journal::EntryId> orders) {
    turns_[row] = {now, std::move(orders)};
}

void CounterSettling::unanswered(const Row& row, SteadyTime now) {
    turns_[row] = {now, {}};
}

}  // namespace penumbra::sync
