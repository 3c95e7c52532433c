#include "cql/select/memory_table.h"

#include <algorithm>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {

namespace {

bool holds(Operator op, std::weak_ordering order) {
    switch (op) {
        case Operator::eq:
        case Operator::in:
            return order == 0;
        case Operator::ne:
        case Operator::not_in:
            return order != 0;
        case Operator::lt:
            return order < 0;
        case Operator::le:
            return order <= 0;
        case Operator::gt:
            return order > 0;
        case Operator::ge:
            return order >= 0;
        default:
            return false;
    }
}

/// Compares value by value; nothing when one of them is null.
std::optional<std::weak_ordering> compare(const std::vector<const DataType*>& types, const std::vector<CellView>& left,
                                          const std::vector<Cell>& right) {
    for (std::size_t i = 0; i < types.size() && i < right.size(); ++i) {
        if (!left[i].has_value() || !right[i]) return std::nullopt;
        const auto order = compare_values(*types[i], left[i].bytes(), *right[i]);
        if (order != 0) return order;
    }
    return std::weak_ordering::equivalent;
}

/// Whether a collection has this element, or a map this key.
bool contains(const DataType& type, BytesView collection, bool keys, BytesView wanted) {
    Elements elements(type, collection);
    Element element;
    for (auto more = elements.next(element); more && more.value(); more = elements.next(element)) {
        if (type.kind == TypeKind::map && (element.index % 2 == 0) != keys) continue;
        if (element.value.has_value() && compare_values(*element.type, element.value.bytes(), wanted) == 0) return true;
    }
    return false;
}

CellView element_of(const DataType& type, BytesView collection, BytesView key) {
    if (type.kind == TypeKind::map) {
        const auto entry = map_entry(type, collection, key);
        return entry ? entry.value() : CellView::null();
    }
    Elements elements(type, collection);
    Element element;
    for (auto more = elements.next(element); more && more.value(); more = elements.next(element)) {
        if (type.kind == TypeKind::set && element.value.has_value() &&
            compare_values(*element.type, element.value.bytes(), key) == 0)
            return element.value;
    }
    return CellView::null();
}

std::weak_ordering compare_cells(const DataType& type, const Cell& a, const Cell& b) {
    if (!a || !b) return a.has_value() <=> b.has_value();
    return compare_values(type, *a, *b);
}

}  // namespace

bool Predicate::matches(const Table& table, const MemoryRow& row) const {
    std::vector<const DataType*> types;
    std::vector<CellView> left;
    Bytes token;
    for (const auto column : columns) {
        types.push_back(table.columns[column].type.get());
        left.push_back(view_of(row[column]));
    }
    if (subject == Restriction::Subject::token) {
        token = encode_bigint(token_of(table, row).value());
        types = {scalar(TypeKind::bigint).get()};
        left = {CellView(token)};
    } else if (subject == Restriction::Subject::element) {
        if (!left[0].has_value() || !key) return false;
        const auto& collection = *types[0];
        left[0] = element_of(collection, left[0].bytes(), *key);
        types[0] = collection.elements.back().get();
    }
    switch (op) {
        case Operator::contains:
        case Operator::contains_key:
        case Operator::not_contains:
        case Operator::not_contains_key: {
            if (!left[0].has_value() || !operands[0][0]) return false;
            const bool keys = op == Operator::contains_key || op == Operator::not_contains_key;
            const bool negated = op == Operator::not_contains || op == Operator::not_contains_key;
            return contains(*types[0], left[0].bytes(), keys, *operands[0][0]) != negated;
        }
        case Operator::is_null:
            return left[0].is_null();
        case Operator::is_not_null:
            return !left[0].is_null();
        case Operator::between:
        case Operator::not_between: {
            const auto low = compare(types, left, operands[0]);
            const auto high = compare(types, left, operands[1]);
            if (!low || !high) return false;
            return (*low >= 0 && *high <= 0) == (op == Operator::between);
        }
        case Operator::in:
            return std::ranges::any_of(operands, [&](const auto& operand) {
                const auto order = compare(types, left, operand);
                return order && *order == 0;
            });
        case Operator::not_in:
            return std::ranges::all_of(operands, [&](const auto& operand) {
                const auto order = compare(types, left, operand);
                return order && *order != 0;
            });
        default: {
            const auto order = compare(types, left, operands[0]);
            return order && holds(op, *order);
        }
    }
}

std::size_t column_index(const Table& table, const ColumnDef& column) {
    return static_cast<std::size_t>(&column - table.columns.data());
}

Token token_of(const Table& table, const MemoryRow& row) {
    std::vector<BytesView> parts;
    for (const auto* column : table.partition_key()) {
        const auto& cell = row[column_index(table, *column)];
        parts.push_back(cell ? BytesView(*cell) : BytesView());
    }
    Bytes key;
    // Rows of ours have keys of ours: addresses and short names.
    if (!append_partition_key(parts, key)) return kMinToken;
    return murmur3_token(key);
}

bool same_partition(const Table& table, const MemoryRow& a, const MemoryRow& b) {
    return std::ranges::all_of(table.partition_key(), [&](const auto* column) {
        const auto at = column_index(table, *column);
        return a[at] == b[at];
    });
}

MemoryRows RowChoice::choose(const Table& table, const std::vector<MemoryRow>& rows) const {
    MemoryRows chosen;
    for (const auto& row : rows) {
        if (std::ranges::all_of(predicates, [&](const auto& predicate) { return predicate.matches(table, row); }))
            chosen.push_back(&row);
    }
    const auto keys = table.partition_key();
    const auto clustering = table.clustering();
    const bool by_key = std::ranges::any_of(predicates, [&](const auto& predicate) {
        return predicate.op == Operator::in && predicate.subject == Restriction::Subject::column &&
               table.columns[predicate.columns[0]].kind == ColumnKind::partition_key;
    });
    const auto compare_keys = [&](const MemoryRow& a, const MemoryRow& b) {
        if (!by_key) {
            const auto ta = token_of(table, a);
            const auto tb = token_of(table, b);
            if (ta != tb) return ta < tb ? std::weak_ordering::less : std::weak_ordering::greater;
        }
        for (const auto* column : keys) {
            const auto at = column_index(table, *column);
            const auto order = compare_cells(*column->type, a[at], b[at]);
            if (order != 0) return order;
        }
        return std::weak_ordering::equivalent;
    };
    const auto compare_clustering = [&](const MemoryRow& a, const MemoryRow& b) {
        for (const auto* column : clustering) {
            const auto at = column_index(table, *column);
            const auto order = compare_cells(*column->type, a[at], b[at]);
            if (order != 0) return column->descending ? 0 <=> order : order;
        }
        return std::weak_ordering::equivalent;
    };
    std::ranges::stable_sort(chosen, [&](const auto* a, const auto* b) {
        const auto order = compare_keys(*a, *b);
        return order != 0 ? order < 0 : compare_clustering(*a, *b) < 0;
    });
    if (statement != nullptr && !statement->order_by.empty()) {
        std::ranges::stable_sort(chosen, [&](const auto* a, const auto* b) {
            for (const auto& ordering : statement->order_by) {
                const auto* column = table.column(ordering.column);
                if (column == nullptr) continue;
                const auto at = column_index(table, *column);
                const auto order = compare_cells(*column->type, (*a)[at], (*b)[at]);
                if (order != 0) return ordering.direction == Ordering::Direction::descending ? order > 0 : order < 0;
            }
            return false;
        });
    }
    const auto limit =
        statement != nullptr && statement->distinct ? std::optional<std::size_t>(1) : per_partition_limit;
    if (!limit) return chosen;
    MemoryRows limited;
    for (const auto* row : chosen) {
        const auto taken = static_cast<std::size_t>(
            std::ranges::count_if(limited, [&](const auto* other) { return same_partition(table, *row, *other); }));
        if (taken < *limit) limited.push_back(row);
    }
    return limited;
}

std::vector<MemoryRows> group_rows(const Table&, const std::vector<std::size_t>& by, const MemoryRows& rows) {
    std::vector<MemoryRows> groups;
    for (const auto* row : rows) {
        const bool starts = groups.empty() || std::ranges::any_of(by, [&](std::size_t column) {
                                return (*groups.back().front())[column] != (*row)[column];
                            });
        if (starts) groups.emplace_back();
        groups.back().push_back(row);
    }
    return groups;
}

}  // namespace penumbra::cql
