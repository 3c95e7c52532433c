#include "cql/language/named_slots.h"

#include <string_view>
#include <unordered_map>

namespace penumbra::cql {

NamedSlots::NamedSlots(const Statement& statement) {
    std::unordered_map<std::string_view, std::uint32_t> slots;
    slot_of_.reserve(statement.marker_count);
    for (std::uint32_t ordinal = 0; ordinal < statement.marker_count; ++ordinal) {
        const auto name =
            ordinal < statement.marker_names.size() ? statement.marker_names[ordinal] : std::string_view();
        const auto slot = name.empty() ? names_ : slots.emplace(name, names_).first->second;
        if (slot == names_) ++names_;
        slot_of_.push_back(slot);
    }
}

std::optional<std::uint32_t> NamedSlots::position(std::uint32_t ordinal, std::uint32_t bound) const {
    if (ordinal >= by_occurrence()) return std::nullopt;
    if (bound == by_occurrence()) return ordinal;
    if (bound == by_name()) return slot_of_[ordinal];
    return std::nullopt;
}

}  // namespace penumbra::cql
