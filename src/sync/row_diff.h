#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sync/report.h"
#include "sync/table_shape.h"

namespace penumbra::sync {

/// One way in which the shadow's row is not the primary's. The pointers are into the compared images.
struct CellDifference {
    DifferenceKind kind = DifferenceKind::value;
    const CellImage* primary = nullptr;
    const CellImage* shadow = nullptr;
    const WholeImage* primary_whole = nullptr;
    const WholeImage* shadow_whole = nullptr;

    bool is_whole() const { return primary_whole != nullptr || shadow_whole != nullptr; }
    bool is_row() const { return kind == DifferenceKind::missing || kind == DifferenceKind::extra; }
    /// The shadow's cell wins over the primary's by its time, or would keep winning a tie: writing the primary's cell
    /// again as it is changes nothing.
    bool is_conflict() const;
};

struct DiffLimits {
    std::int64_t now_seconds = 0;
    /// Expiry instants nearer than this are equal, and a cell that ends within it may be there or not.
    std::int64_t tolerance_seconds = 5;
};

/// What differs. An image is null where the cluster has no such row; one without cells is a row that is its key alone.
/// A row that one side lacks is one difference, of kind missing or extra. Times are compared where both clusters show
/// them. Of lists only values and expiries: one that had to be written whole has other write times for good.
std::vector<CellDifference> compare_rows(const TableShape& shape, const RowImage* primary, const RowImage* shadow,
                                         DiffLimits limits);

}  // namespace penumbra::sync
