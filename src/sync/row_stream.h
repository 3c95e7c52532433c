#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sync/requester.h"
#include "sync/table_shape.h"

namespace penumbra::sync {

/// The rows of the scope in one token range or partition of one cluster, page by page and in order, holding one page.
class RowStream {
  public:
    static RowStream over_range(ShapePtr shape, Requester& from, ElementTimes times, const TokenRange& range,
                                std::int32_t page_size);
    static RowStream over_partition(ShapePtr shape, Requester& from, ElementTimes times, Bytes partition,
                                    std::int32_t page_size);
    /// Of one row, or of the statics of a partition.
    static RowStream over_row(ShapePtr shape, Requester& from, ElementTimes times, const RowKey& key);

    /// Reads on when everything was taken; false at the end. Pages may be empty and not the last: only the paging state
    /// tells.
    Task<Result<bool>> fill();
    bool has_row() const { return next_ < rows_.size(); }
    const RowItem& front() const { return rows_[next_]; }
    RowItem take() { return std::move(rows_[next_++]); }

  private:
    RowStream(ShapePtr shape, Requester& from, ElementTimes times, std::string text, std::vector<cql::Cell> values,
              std::int32_t page_size, TableShape::Decoder::Rows which = TableShape::Decoder::Rows::of_scope);

    ShapePtr shape_;
    Requester* from_;
    std::string text_;
    std::vector<cql::Cell> values_;
    std::int32_t page_size_;
    TableShape::Decoder decoder_;
    std::vector<RowItem> rows_;
    std::size_t next_ = 0;
    Bytes paging_state_;
    bool started_ = false;
};

/// One row as it is now; nothing when the cluster has none. `level`: if not as the run reads.
Task<Result<std::optional<RowImage>>> read_row(ShapePtr shape, Requester* from, ElementTimes times, RowKey key,
                                               std::optional<cql::Consistency> level = {});

/// Cassandra shows times inside collections from 5.0 on. `release_version` is that of the oldest node, so all of them
/// do.
ElementTimes element_times(const cluster::Session& session);

}  // namespace penumbra::sync
