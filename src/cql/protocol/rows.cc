#include "cql/protocol/rows.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "cql/types/scalars.h"

namespace penumbra::cql {
namespace {

auto missing(std::string_view column) {
    return fail(Errc::not_found, "column " + std::string(column) + " is missing or null");
}

Error in_column(Error error, std::string_view column) {
    return std::move(error).in("column " + std::string(column));
}

template <class T>
Result<T> named(Result<T> result, std::string_view column) {
    if (!result) return fail(in_column(std::move(result).error(), column));
    return result;
}

}  // namespace

CellView Row::operator[](std::string_view column) const {
    const auto index = rows_->column(column);
    return index ? rows_->cell(index_, *index) : CellView::null();
}

CellView Row::operator[](std::size_t column) const {
    return rows_->cell(index_, column);
}

Result<BytesView> Row::value(std::string_view column) const {
    const auto cell = (*this)[column];
    if (!cell.has_value()) return missing(column);
    return cell.bytes();
}

Result<std::string> Row::text(std::string_view column) const {
    TRY(const auto bytes, value(column));
    TRY(const auto text, named(decode_text(bytes), column));
    return std::string(text);
}
Result<bool> Row::boolean(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_boolean(bytes), column);
}
Result<std::int32_t> Row::int32(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_int(bytes), column);
}
Result<std::int64_t> Row::bigint(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_bigint(bytes), column);
}
Result<double> Row::float64(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_double(bytes), column);
}
Result<Uuid> Row::uuid(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_uuid(bytes), column);
}
Result<InetAddress> Row::inet(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return named(decode_inet(bytes), column);
}
Result<std::vector<std::string>> Row::texts(std::string_view column) const {
    const auto cell = (*this)[column];
    if (!cell.has_value()) return std::vector<std::string>{};
    return named(decode_text_list(cell.bytes()), column);
}
Result<std::map<std::string, std::string>> Row::text_map(std::string_view column) const {
    const auto cell = (*this)[column];
    if (!cell.has_value()) return std::map<std::string, std::string>{};
    return named(decode_text_map(cell.bytes()), column);
}
Result<Bytes> Row::blob(std::string_view column) const {
    TRY(const auto bytes, value(column));
    return Bytes(bytes.begin(), bytes.end());
}

Result<Rows> Rows::from(const FrameView& frame) {
    if (frame.header.opcode == Opcode::error) {
        TRY(const auto error, decode_error(frame));
        return fail(to_error(error));
    }
    TRY(const auto prefix, read_response_prefix(frame));
    TRY(const auto result, decode_result(frame));
    Rows rows;
    for (const auto warning : prefix.warnings) rows.warnings_.emplace_back(warning);
    const auto* view = std::get_if<RowsView>(&result);
    if (view == nullptr) return rows;
    for (const auto& column : view->metadata.columns) {
        rows.columns_.push_back(
            {std::string(column.keyspace), std::string(column.table), std::string(column.name), column.type});
    }
    // Without metadata the columns are there all the same, only nameless.
    rows.columns_.resize(view->row_count() > 0 ? view->column_count() : rows.columns_.size());
    if (const auto& state = view->metadata.paging_state; state && state->has_value()) {
        rows.paging_state_ = Bytes(state->bytes().begin(), state->bytes().end());
    }
    rows.row_count_ = view->row_count();
    rows.bytes_.assign(view->cells().begin(), view->cells().end());
    rows.cells_.reserve(rows.row_count_ * rows.columns_.size());
    const Byte* const base = rows.bytes_.data();
    Reader in(rows.bytes_);
    for (std::size_t i = 0; i < rows.row_count_ * rows.columns_.size(); ++i) {
        const auto cell = read_bytes(in).value();
        if (cell.has_value()) {
            rows.cells_.push_back({static_cast<std::uint32_t>(cell.bytes().data() - base),
                                   static_cast<std::int32_t>(cell.bytes().size())});
        } else {
            rows.cells_.push_back({0, -1});
        }
    }
    return rows;
}

std::optional<std::size_t> Rows::column(std::string_view name) const {
    const auto found = std::ranges::find(columns_, name, &Column::name);
    if (found == columns_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns_.begin());
}

CellView Rows::cell(std::size_t row, std::size_t column) const {
    ASSERT(row < row_count_ && column < columns_.size());
    const auto& span = cells_[row * columns_.size() + column];
    if (span.size < 0) return CellView::null();
    return BytesView(bytes_).subspan(span.at, static_cast<std::size_t>(span.size));
}

RowsBuilder::RowsBuilder(std::string keyspace, std::string table)
    : keyspace_(std::move(keyspace)), table_(std::move(table)) {}

void RowsBuilder::add_column(std::string name, TypePtr type) {
    ASSERT(cell_count_ == 0);
    columns_.push_back({std::move(name), std::move(type)});
}

void RowsBuilder::add(CellView cell) {
    Writer out(cells_);
    write_value(out, cell.is_unset() ? CellView::null() : cell);
    ++cell_count_;
}

RowsView RowsBuilder::view(bool no_metadata) const {
    ASSERT(!columns_.empty() && cell_count_ % columns_.size() == 0);
    RowsMetadata metadata;
    metadata.flags = no_metadata ? metadata_flag::kNoMetadata : metadata_flag::kGlobalTable;
    metadata.column_count = static_cast<std::int32_t>(columns_.size());
    metadata.global = {keyspace_, table_};
    for (const auto& column : columns_) {
        if (!no_metadata) metadata.columns.push_back({keyspace_, table_, column.name, column.type});
    }
    return {std::move(metadata), static_cast<std::int32_t>(cell_count_ / columns_.size()), cells_};
}

}  // namespace penumbra::cql
