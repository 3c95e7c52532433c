#include "cql/ddl/option_map.h"

#include <algorithm>

#include "cql/language/rewrite.h"

namespace penumbra::cql::ddl {

std::optional<OptionMap> OptionMap::from(std::string_view text, const Term& term) {
    OptionMap map;
    if (term.is(TermKind::set) && term.elements.empty()) return map;
    if (!term.is(TermKind::map)) return std::nullopt;
    for (std::size_t i = 0; i + 1 < term.elements.size(); i += 2) {
        const auto& key = term.elements[i];
        const auto& value = term.elements[i + 1];
        if (!key.is(TermKind::string) || !value.is_constant()) return std::nullopt;
        map.entries_.push_back({std::string(key.text), std::string(value.text), std::string(value.range.in(text))});
    }
    return map;
}

const OptionMap::Entry* OptionMap::find(std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
    return found == entries_.end() ? nullptr : &*found;
}

std::string_view OptionMap::value_or(std::string_view key, std::string_view otherwise) const {
    const auto* found = find(key);
    return found ? std::string_view(found->value) : otherwise;
}

void OptionMap::set(std::string_view key, std::string_view value) {
    for (auto& e : entries_) {
        if (e.key == key) {
            e.value = value;
            e.written = string_literal(value);
            return;
        }
    }
    entries_.push_back({std::string(key), std::string(value), string_literal(value)});
}

void OptionMap::rename(std::string_view key, std::string_view to) {
    for (auto& e : entries_) {
        if (e.key == key) e.key = to;
    }
}

bool OptionMap::erase(std::string_view key) {
    return std::erase_if(entries_, [&](const Entry& e) { return e.key == key; }) > 0;
}

std::string OptionMap::to_cql() const {
    std::string out = "{";
    for (const auto& e : entries_) {
        if (out.size() > 1) out += ", ";
        out += string_literal(e.key) + ": " + e.written;
    }
    return out + "}";
}

}  // namespace penumbra::cql::ddl
