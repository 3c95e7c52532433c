#include "sync/row_diff.h"

#include <algorithm>
#include <cstdlib>

#include "cql/types/value.h"

namespace penumbra::sync {

namespace {

bool ends_soon(std::int64_t expires, DiffLimits limits) {
    return expires != 0 && expires - limits.now_seconds <= limits.tolerance_seconds;
}

bool same_expiry(std::int64_t a, std::int64_t b, DiffLimits limits) {
    if ((a == 0) != (b == 0)) return false;
    return std::abs(a - b) <= limits.tolerance_seconds;
}

/// Whether everything that keeps the row alive is about to end (or, its key alone, nothing visible does).
bool row_ends_soon(const RowImage& row, DiffLimits limits) {
    if (row.cells.empty() && row.wholes.empty()) return false;
    const bool cells_end =
        std::ranges::all_of(row.cells, [&](const auto& cell) { return ends_soon(cell.expires, limits); });
    const bool wholes_end = std::ranges::all_of(row.wholes, [&](const auto& whole) {
        return !whole.times.empty() &&
               std::ranges::all_of(whole.times, [&](const auto& times) { return ends_soon(times.expires, limits); });
    });
    return cells_end && wholes_end;
}

const cql::DataType* element_type(const TableShape& shape, const CellImage& cell) {
    const auto& type = *shape.column(cell.column).type;
    return type.kind == cql::TypeKind::udt ? nullptr : type.elements[0].get();
}

/// Order of two cells within a row.
std::weak_ordering order_of(const TableShape& shape, const CellImage& a, const CellImage& b) {
    if (a.column != b.column) return a.column <=> b.column;
    if (!a.is_element) return std::weak_ordering::equivalent;
    if (const auto* type = element_type(shape, a)) return cql::compare_values(*type, a.element, b.element);
    return a.element <=> b.element;
}

const cql::DataType& value_type(const TableShape& shape, const CellImage& cell) {
    const auto& type = *shape.column(cell.column).type;
    if (!cell.is_element) return type;
    if (type.kind == cql::TypeKind::map) return *type.elements[1];
    if (type.kind == cql::TypeKind::udt)
        return *type.elements[static_cast<std::size_t>(load_be<std::int16_t>(cell.element.data()))];
    return *type.elements[0];  // sets: the value is empty on both sides
}

std::optional<DifferenceKind> compare_cells(const TableShape& shape, const CellImage& p, const CellImage& s,
                                            DiffLimits limits) {
    if (!cql::equal_values(value_type(shape, p), BytesView(p.value), BytesView(s.value))) return DifferenceKind::value;
    if (!p.written || !s.written) return std::nullopt;
    if (*p.written != *s.written) return DifferenceKind::write_time;
    if (!same_expiry(p.expires, s.expires, limits)) return DifferenceKind::expiry;
    return std::nullopt;
}

void compare_wholes(const TableShape& shape, const RowImage& primary, const RowImage& shadow, DiffLimits limits,
                    std::vector<CellDifference>& out) {
    const auto of = [](const RowImage& row, std::size_t column) -> const WholeImage* {
        const auto found = std::ranges::find(row.wholes, column, &WholeImage::column);
        return found == row.wholes.end() ? nullptr : &*found;
    };
    for (std::size_t column = 0; column < shape.columns().size(); ++column) {
        const auto* p = of(primary, column);
        const auto* s = of(shadow, column);
        if (p == nullptr && s == nullptr) continue;
        CellDifference difference{DifferenceKind::value, nullptr, nullptr, p, s};
        const auto all_end = [&](const WholeImage& whole) {
            return std::ranges::any_of(whole.times,
                                       [&](const auto& times) { return ends_soon(times.expires, limits); });
        };
        // A list with an element that is about to end may be read with it on one side and without it on the other.
        if ((p != nullptr && all_end(*p)) || (s != nullptr && all_end(*s))) continue;
        if (p == nullptr || s == nullptr) {
            difference.kind = s == nullptr ? DifferenceKind::absent : DifferenceKind::unexpected;
            out.push_back(difference);
        } else if (!cql::equal_values(*shape.column(column).type, BytesView(p->value), BytesView(s->value))) {
            out.push_back(difference);
        } else if (!p->times.empty() && p->times.size() == s->times.size() &&
                   !std::ranges::equal(p->times, s->times, [&](const auto& a, const auto& b) {
                       return same_expiry(a.expires, b.expires, limits);
                   })) {
            difference.kind = DifferenceKind::expiry;
            out.push_back(difference);
        }
    }
}

}  // namespace

bool CellDifference::is_conflict() const {
    if (primary == nullptr || shadow == nullptr || !primary->written || !shadow->written) return false;
    if (*shadow->written != *primary->written) return *shadow->written > *primary->written;
    if (kind == DifferenceKind::value) return true;
    // At one time an expiring cell wins over one that does not end, and the later end over the sooner.
    return kind == DifferenceKind::expiry &&
           (primary->expires == 0 || (shadow->expires != 0 && shadow->expires > primary->expires));
}

std::vector<CellDifference> compare_rows(const TableShape& shape, const RowImage* primary, const RowImage* shadow,
                                         DiffLimits limits) {
    std::vector<CellDifference> out;
    if (primary == nullptr || shadow == nullptr) {
        if (primary == shadow) return out;
        if (row_ends_soon(primary ? *primary : *shadow, limits)) return out;
        out.push_back({primary ? DifferenceKind::missing : DifferenceKind::extra});
        return out;
    }
    auto p = primary->cells.begin();
    auto s = shadow->cells.begin();
    while (p != primary->cells.end() || s != shadow->cells.end()) {
        std::weak_ordering order = std::weak_ordering::equivalent;
        if (s == shadow->cells.end()) {
            order = std::weak_ordering::less;
        } else if (p == primary->cells.end()) {
            order = std::weak_ordering::greater;
        } else {
            order = order_of(shape, *p, *s);
        }
        if (order < 0) {
            if (!ends_soon(p->expires, limits)) out.push_back({DifferenceKind::absent, &*p, nullptr});
            ++p;
        } else if (order > 0) {
            if (!ends_soon(s->expires, limits)) out.push_back({DifferenceKind::unexpected, nullptr, &*s});
            ++s;
        } else {
            if (const auto kind = compare_cells(shape, *p, *s, limits)) out.push_back({*kind, &*p, &*s});
            ++p;
            ++s;
        }
    }
    compare_wholes(shape, *primary, *shadow, limits, out);
    return out;
}

}  // namespace penumbra::sync
