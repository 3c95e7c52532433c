#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cql/protocol/responses.h"
#include "cql/types/cell.h"
#include "cql/types/type.h"
#include "cql/types/uuid.h"

namespace penumbra::cql {

struct Column {
    std::string keyspace;
    std::string table;
    std::string name;
    TypePtr type;
};

class Rows;

/// One row of a Rows, by reference: valid as long as it. The typed getters fail with Errc::not_found when there is no
/// such column or it is null, and with Errc::malformed when it holds something else.
class Row {
  public:
    Row(const Rows& rows, std::size_t index) : rows_(&rows), index_(index) {}

    /// A null cell when there is no such column: servers of different versions lack different ones.
    CellView operator[](std::string_view column) const;
    CellView operator[](std::size_t column) const;
    bool has(std::string_view column) const { return (*this)[column].has_value(); }

    Result<std::string> text(std::string_view column) const;
    Result<bool> boolean(std::string_view column) const;
    Result<std::int32_t> int32(std::string_view column) const;
    Result<std::int64_t> bigint(std::string_view column) const;
    Result<double> float64(std::string_view column) const;
    Result<Uuid> uuid(std::string_view column) const;
    Result<InetAddress> inet(std::string_view column) const;
    /// list<text> or set<text>; null is an empty one, as it is to a server.
    Result<std::vector<std::string>> texts(std::string_view column) const;
    Result<std::map<std::string, std::string>> text_map(std::string_view column) const;
    Result<Bytes> blob(std::string_view column) const;

  private:
    Result<BytesView> value(std::string_view column) const;

    const Rows* rows_;
    std::size_t index_;
};

/// The rows of a RESULT frame, owned: for reads of the control path, where convenience counts.
class Rows {
  public:
    Rows() = default;
    /// An ERROR frame gives Errc::server; VOID and others give no rows and no columns.
    static Result<Rows> from(const FrameView& frame);

    std::size_t size() const { return row_count_; }
    bool empty() const { return row_count_ == 0; }
    Row operator[](std::size_t row) const { return {*this, row}; }

    class iterator {
      public:
        using value_type = Row;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        iterator() = default;
        iterator(const Rows* rows, std::size_t row) : rows_(rows), row_(row) {}
        Row operator*() const { return {*rows_, row_}; }
        iterator& operator++() {
            ++row_;
            return *this;
        }
        iterator operator++(int) { return {rows_, row_++}; }
        bool operator==(const iterator&) const = default;

      private:
        const Rows* rows_ = nullptr;
        std::size_t row_ = 0;
    };
    iterator begin() const { return {this, 0}; }
    iterator end() const { return {this, row_count_}; }

    const std::vector<Column>& columns() const { return columns_; }
    /// Index of the column of this name; nothing when there is none.
    std::optional<std::size_t> column(std::string_view name) const;
    CellView cell(std::size_t row, std::size_t column) const;
    const std::optional<Bytes>& paging_state() const { return paging_state_; }
    const std::vector<std::string>& warnings() const { return warnings_; }

  private:
    std::vector<Column> columns_;
    std::size_t row_count_ = 0;
    Bytes bytes_;  ///< all cells as sent
    struct Span {
        std::uint32_t at;
        std::int32_t size;  ///< negative: null
    };
    std::vector<Span> cells_;
    std::optional<Bytes> paging_state_;
    std::vector<std::string> warnings_;
};

/// Puts together the rows that we answer ourselves: virtual tables. Columns share one keyspace and table.
class RowsBuilder {
  public:
    RowsBuilder(std::string keyspace, std::string table);
    void add_column(std::string name, TypePtr type);
    /// The next cell, row by row.
    void add(CellView cell);

    std::size_t column_count() const { return columns_.size(); }
    /// What encode_rows() takes; valid as long as the builder and not changed after. `no_metadata` as the client asked
    /// with skip_metadata.
    RowsView view(bool no_metadata = false) const;

  private:
    std::string keyspace_;
    std::string table_;
    struct NamedColumn {
        std::string name;
        TypePtr type;
    };
    std::vector<NamedColumn> columns_;
    std::size_t cell_count_ = 0;
    Bytes cells_;
};

}  // namespace penumbra::cql
