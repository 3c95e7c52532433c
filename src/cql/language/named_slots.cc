#include "cql/language/named_slots.h"

#include <string_view>
#include <unordered_map>

namespace penumbra::cql {

NamedSlots::NamedSlots(const Statement& statement) {
    std::unordered_map<std::string_view, std::uint32_t> slots;
    for (std::uint32_t ordinal = 0; ordinal < statement.marker_count; ++ordinal) {
        const auto fresh = static_cast<std::uint32_t>(first_of_.size());
        const auto name =
            ordinal < statement.marker_names.size() ? statement.marker_names[ordinal] : std::string_view();
        const auto slot = name.empty() ? fresh : slots.emplace(name, fresh).first->second;
        if (slot == fresh) first_of_.push_back(ordinal);
        slot_of_.push_back(slot);
    }
}

std::optional<std::uint32_t> NamedSlots::position(std::uint32_t ordinal, std::uint32_t bound) const {
    if (ordinal >= by_occurrence()) return std::nullopt;
    if (bound == by_occurrence()) return ordinal;
    if (bound == by_name()) return slot_of_[ordinal];
    return std::nullopt;
}

std::optional<std::vector<std::uint32_t>> NamedSlots::for_occurrences(std::uint32_t bound) const {
    if (are_alike() || bound != by_name()) return std::nullopt;
    return slot_of_;
}

std::optional<std::vector<std::uint32_t>> NamedSlots::for_names(std::uint32_t bound) const {
    if (are_alike() || bound != by_occurrence()) return std::nullopt;
    return first_of_;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> NamedSlots::repeats() const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
    for (std::uint32_t ordinal = 0; ordinal < by_occurrence(); ++ordinal) {
        const auto first = first_of_[slot_of_[ordinal]];
        if (first != ordinal) found.emplace_back(first, ordinal);
    }
    return found;
}

}  // namespace penumbra::cql
