#include "routing/scope.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace penumbra::routing {

namespace {

bool glob(std::string_view pattern, std::string_view text) {
    // The classic two-pointer match: on a mismatch go back to the last star and let it swallow one more character.
    std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool globs_meet(std::string_view a, std::string_view b) {
    if (a.empty() && b.empty()) return true;
    if (!a.empty() && a[0] == '*') return globs_meet(a.substr(1), b) || (!b.empty() && globs_meet(a, b.substr(1)));
    if (!b.empty() && b[0] == '*') return globs_meet(a, b.substr(1)) || (!a.empty() && globs_meet(a.substr(1), b));
    return !a.empty() && !b.empty() && a[0] == b[0] && globs_meet(a.substr(1), b.substr(1));
}

}  // namespace

Result<TablePattern> TablePattern::parse(std::string_view text) {
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size() ||
        text.find('.', dot + 1) != std::string_view::npos) {
        return fail(
            Errc::invalid_argument,
            fmt::format(
                "'{}' is not a table pattern; KEYSPACE.TABLE is wanted, where * stands for anything: media.*, *.users",
                text));
    }
    if (text.size() > 256 || std::ranges::count(text, '*') > 8) {
        return fail(Errc::invalid_argument,
                    fmt::format("table pattern '{}' is too long or has more than 8 stars", text.substr(0, 64)));
    }
    TablePattern pattern;
    pattern.text_ = text;
    pattern.keyspace_ = text.substr(0, dot);
    pattern.table_ = text.substr(dot + 1);
    return pattern;
}

bool TablePattern::matches(std::string_view keyspace, std::string_view table) const {
    return glob(keyspace_, keyspace) && glob(table_, table);
}

bool TablePattern::overlaps(const TablePattern& other) const {
    return globs_meet(keyspace_, other.keyspace_) && globs_meet(table_, other.table_);
}

bool Scope::covers_table(std::string_view keyspace, std::string_view table) const {
    if (is_system_keyspace(keyspace)) return false;
    const auto hit = [&](const TablePattern& pattern) { return pattern.matches(keyspace, table); };
    if (std::ranges::any_of(deny, hit)) return false;
    return allow.empty() || std::ranges::any_of(allow, hit);
}

bool Scope::overlaps(const Scope& other) const {
    if (!all_tenants() && !other.all_tenants()) {
        const bool common = std::ranges::any_of(tenants, [&](const auto& tenant) {
            return std::ranges::find(other.tenants, tenant) != other.tenants.end();
        });
        if (!common) return false;
    }
    if (allow.empty() || other.allow.empty()) {
        // One covers everything but its deny list: they meet unless that list names the whole of the other's.
        const auto& wide = allow.empty() ? *this : other;
        const auto& narrow = allow.empty() ? other : *this;
        if (narrow.allow.empty()) return true;
        return std::ranges::any_of(narrow.allow, [&](const auto& pattern) {
            return std::ranges::find(wide.deny, pattern) == wide.deny.end();
        });
    }
    for (const auto& mine : allow) {
        for (const auto& theirs : other.allow) {
            if (!mine.overlaps(theirs)) continue;
            const bool denied = std::ranges::find(deny, theirs) != deny.end() ||
                                std::ranges::find(other.deny, mine) != other.deny.end();
            if (!denied) return true;
        }
    }
    return false;
}

bool is_system_keyspace(std::string_view keyspace) {
    static constexpr std::array kNames{"system",
                                       "system_schema",
                                       "system_auth",
                                       "system_distributed",
                                       "system_traces",
                                       "system_views",
                                       "system_virtual_schema",
                                       "system_distributed_everywhere",
                                       "system_replicated_keys",
                                       "system_cluster_metadata"};
    return std::ranges::find(kNames, keyspace) != kNames.end();
}

}  // namespace penumbra::routing
