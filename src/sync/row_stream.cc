#include "sync/row_stream.h"

#include <charconv>

namespace penumbra::sync {

namespace {

std::int64_t wall_seconds() {
    return Shard::here().clock().wall_micros() / 1'000'000;
}

/// A scan must not wash a ScyllaDB node's cache; Cassandra knows no such words.
std::string_view scan_suffix(const cluster::Session& session) {
    return session.is_scylla() ? " BYPASS CACHE" : "";
}

}  // namespace

ElementTimes element_times(const cluster::Session& session) {
    if (session.is_scylla()) return ElementTimes::hidden;
    const auto version = session.release_version();
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    return major >= 5 ? ElementTimes::shown : ElementTimes::hidden;
}

RowStream::RowStream(ShapePtr shape, Requester& from, ElementTimes times, std::string text,
                     std::vector<cql::Cell> values, std::int32_t page_size, TableShape::Decoder::Rows which)
    : shape_(shape),
      from_(&from),
      text_(std::move(text)),
      values_(std::move(values)),
      page_size_(page_size),
      decoder_(shape, times, which) {}

RowStream RowStream::over_range(ShapePtr shape, Requester& from, ElementTimes times, const TokenRange& range,
                                std::int32_t page_size) {
    auto text = shape->select_range(range, times, scan_suffix(from.session()));
    auto values = shape->range_values(range);
    return {std::move(shape), from, times, std::move(text), std::move(values), page_size};
}

RowStream RowStream::over_partition(ShapePtr shape, Requester& from, ElementTimes times, Bytes partition,
                                    std::int32_t page_size) {
    auto text = shape->select_partition(times);
    auto values = shape->key_values(partition, {});
    return {std::move(shape), from, times, std::move(text), std::move(values), page_size};
}

RowStream RowStream::over_row(ShapePtr shape, Requester& from, ElementTimes times, const RowKey& key) {
    auto text = shape->select_row(key.is_static, times);
    auto values = shape->key_values(key.partition, key.clustering);
    using enum TableShape::Decoder::Rows;
    return {std::move(shape), from, times, std::move(text), std::move(values), 0, key.is_static ? statics : of_scope};
}

Task<Result<bool>> RowStream::fill() {
    while (!has_row()) {
        if (started_ && paging_state_.empty()) co_return false;
        rows_.clear();
        next_ = 0;
        auto read = co_await from_->read(text_, values_, paging_state_, page_size_);
        if (!read) co_return fail(std::move(read.error()).in("reading " + shape_->cql_name()));
        started_ = true;
        auto decoded = decoder_.page(read.value(), wall_seconds(), rows_);
        CO_TRY(std::move(decoded));
        paging_state_ = read.value().paging_state().value_or(Bytes{});
    }
    co_return true;
}

Task<Result<std::optional<RowImage>>> read_row(ShapePtr shape, Requester* from, ElementTimes times, RowKey key,
                                               std::optional<cql::Consistency> level) {
    auto text = shape->select_row(key.is_static, times);
    auto values = shape->key_values(key.partition, key.clustering);
    auto read = co_await from->read(std::move(text), std::move(values), {}, 0, level);
    if (!read) co_return fail(std::move(read.error()).in("reading a row of " + shape->cql_name()));
    std::vector<RowItem> items;
    TableShape::Decoder decoder(shape, times, TableShape::Decoder::Rows::all);
    auto decoded = decoder.page(read.value(), wall_seconds(), items);
    CO_TRY(std::move(decoded));
    std::optional<RowImage> found;
    for (auto& item : items) {
        if (item.key.is_static == key.is_static) found = std::move(item.image);
    }
    co_return found;
}

}  // namespace penumbra::sync
