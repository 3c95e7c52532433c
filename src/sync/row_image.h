#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cql/types/token.h"

namespace penumbra::sync {

/// The smallest thing that has a write time of its own: the value of an atomic column, or one element of a non-frozen
/// set, map or UDT.
struct CellImage {
    std::size_t column = 0;  ///< in TableShape::columns()
    bool is_element = false;
    Bytes element;                        ///< set: the element; map: its key; UDT: number of the field, as a smallint
    Bytes value;                          ///< empty for sets
    std::optional<std::int64_t> written;  ///< microseconds; nothing: the cluster does not show it
    std::int64_t expires = 0;             ///< seconds since 1970; 0: never, or not shown
    bool operator==(const CellImage&) const = default;
};

/// A non-frozen list or a counter: what cannot be merged cell by cell through CQL.
struct WholeImage {
    std::size_t column = 0;
    Bytes value;
    struct Times {
        std::int64_t written = 0;
        std::int64_t expires = 0;
        bool operator==(const Times&) const = default;
    };
    std::vector<Times> times;  ///< one per element of a list, where the cluster shows them
    bool operator==(const WholeImage&) const = default;
};

/// Names one row on both clusters. Static columns are a row of their own, in front of the others of its partition.
struct RowKey {
    cql::Token token;
    Bytes partition;  ///< serialized as for the token
    bool is_static = false;
    std::vector<Bytes> clustering;  ///< empty for statics
    bool operator==(const RowKey&) const = default;
};

/// What one cluster shows of a row: columns that are null are not there.
struct RowImage {
    std::vector<CellImage> cells;    ///< by column, then element in the order of its type
    std::vector<WholeImage> wholes;  ///< by column

    /// Of all cells and list elements whose time is known.
    std::optional<std::int64_t> newest() const;
    bool operator==(const RowImage&) const = default;
};

struct RowItem {
    RowKey key;
    RowImage image;
};

}  // namespace penumbra::sync
