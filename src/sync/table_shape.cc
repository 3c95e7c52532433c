#include "sync/table_shape.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::sync {

namespace {

std::string quoted(const cql::ColumnDef& column) {
    return cql::quote_identifier(column.name);
}

std::string names_of(const std::vector<cql::ColumnDef>& columns) {
    std::string out;
    for (const auto& column : columns) out += (out.empty() ? "" : ", ") + quoted(column);
    return out;
}

/// WRITETIME() and TTL() of a collection: a list with one bigint or int per element, null where there is none.
Result<std::vector<std::optional<std::int64_t>>> decode_times(cql::CellView cell) {
    std::vector<std::optional<std::int64_t>> times;
    if (cell.is_null()) return times;
    Reader in(cell.bytes());
    TRY(const auto count, in.i32());
    for (std::int32_t i = 0; i < count; ++i) {
        TRY(const auto length, in.i32());
        if (length < 0) {
            times.emplace_back();
        } else if (length == 8) {
            TRY(const auto value, in.i64());
            times.emplace_back(value);
        } else if (length == 4) {
            TRY(const auto value, in.i32());
            times.emplace_back(value);
        } else {
            return fail(Errc::malformed, fmt::format("a time of {} bytes inside a collection", length));
        }
    }
    return times;
}

Bytes copy_of(BytesView bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

std::optional<std::int64_t> RowImage::newest() const {
    std::optional<std::int64_t> newest;
    const auto see = [&](std::int64_t time) {
        if (!newest || time > *newest) newest = time;
    };
    for (const auto& cell : cells) {
        if (cell.written) see(*cell.written);
    }
    for (const auto& whole : wholes) {
        for (const auto& times : whole.times) see(times.written);
    }
    return newest;
}

Result<ShapePtr> TableShape::make(const cql::Table& table, const cql::Table& other, const routing::Scope& scope,
                                  std::string_view tenant_column) {
    auto shape = std::make_shared<TableShape>();
    shape->table_ = table;
    shape->name_ = table.cql_name();
    for (const auto* column : table.partition_key()) shape->partition_key_.push_back(*column);
    for (const auto* column : table.clustering()) shape->clustering_.push_back(*column);
    for (const auto* keys : {&shape->partition_key_, &shape->clustering_}) {
        for (const auto& key : *keys) {
            const auto* twin = other.column(key.name);
            if (twin == nullptr || twin->kind != key.kind || twin->position != key.position ||
                twin->descending != key.descending || !cql::same_type(*twin->type, *key.type)) {
                return fail(Errc::conflict, fmt::format("{}: the key column {} is not the same on both clusters",
                                                        table.cql_name(), key.name));
            }
        }
    }
    for (const auto& column : table.columns) {
        if (column.kind != cql::ColumnKind::static_ && column.kind != cql::ColumnKind::regular) continue;
        const auto* twin = other.column(column.name);
        if (twin != nullptr && twin->kind == column.kind && cql::same_type(*twin->type, *column.type) &&
            twin->type->is_multi_cell() == column.type->is_multi_cell()) {
            shape->columns_.push_back(column);
        } else {
            shape->left_out_ += (shape->left_out_.empty() ? "" : ", ") + quoted(column);
        }
    }
    if (scope.all_tenants()) return ShapePtr(shape);

    const auto* tenant = table.column(tenant_column);
    if (tenant == nullptr)
        return fail(Errc::invalid_argument, fmt::format("{} has no tenant column {}", table.cql_name(), tenant_column));
    shape->tenant_name_ = tenant->name;
    for (const auto& text : scope.tenants) {
        auto value = cql::from_text(*tenant->type, text);
        if (!value)
            return fail(std::move(value.error())
                            .in(fmt::format("tenant '{}' for {}.{}", text, table.cql_name(), tenant->name)));
        shape->tenants_.insert(std::move(value.value()));
    }
    const auto position = [&](const std::vector<cql::ColumnDef>& columns) {
        const auto found = std::ranges::find(columns, tenant->name, &cql::ColumnDef::name);
        return static_cast<std::size_t>(found - columns.begin());
    };
    switch (tenant->kind) {
        case cql::ColumnKind::partition_key:
            shape->tenant_in_ = TenantIn::partition_key;
            shape->tenant_at_ = position(shape->partition_key_);
            shape->tenants_are_partitions_ = shape->partition_key_.size() == 1;
            break;
        case cql::ColumnKind::clustering:
            shape->tenant_in_ = TenantIn::clustering;
            shape->tenant_at_ = shape->partition_key_.size() + position(shape->clustering_);
            break;
        case cql::ColumnKind::static_:
        case cql::ColumnKind::regular:
            if (position(shape->columns_) == shape->columns_.size()) {
                return fail(Errc::invalid_argument, fmt::format("{}: the other cluster has no tenant column {}",
                                                                table.cql_name(), tenant_column));
            }
            shape->tenant_in_ = TenantIn::columns;
            shape->tenant_is_static_ = tenant->kind == cql::ColumnKind::static_;
            break;
    }
    return ShapePtr(shape);
}

Result<Bytes> TableShape::partition_of_tenant(std::string_view tenant) const {
    return cql::from_text(*partition_key_[0].type, tenant);
}

bool TableShape::is_whole(std::size_t column) const {
    const auto& type = *columns_[column].type;
    return type.is_counter() || (type.kind == cql::TypeKind::list && type.is_multi_cell());
}

std::string TableShape::selected(ElementTimes times) const {
    std::string out = names_of(partition_key_);
    if (!clustering_.empty()) out += ", " + names_of(clustering_);
    for (const auto& column : columns_) {
        const auto name = quoted(column);
        out += ", " + name;
        if (column.type->is_counter()) continue;
        if (!column.type->is_multi_cell() || times == ElementTimes::shown)
            out += fmt::format(", WRITETIME({0}), TTL({0})", name);
    }
    return out;
}

Status TableShape::check_columns(const cql::Rows& rows, ElementTimes times) const {
    if (rows.empty()) return ok();
    std::size_t wanted = partition_key_.size() + clustering_.size();
    for (const auto& column : columns_) {
        const bool timed = !column.type->is_multi_cell() || times == ElementTimes::shown;
        wanted += !column.type->is_counter() && timed ? 3 : 1;
    }
    const auto& columns = rows.columns();
    if (columns.size() != wanted) {
        return fail(Errc::malformed, fmt::format("{}: the node answered with {} columns instead of the {} asked for",
                                                 name_, columns.size(), wanted));
    }
    auto at = columns.begin();
    for (const auto* part : {&partition_key_, &clustering_}) {
        for (const auto& column : *part) {
            if ((at++)->name == column.name) continue;
            return fail(Errc::malformed, fmt::format("{}: the node answered without column {}", name_, column.name));
        }
    }
    for (const auto row : rows) {
        for (std::size_t i = 0; i < partition_key_.size(); ++i) {
            if (!row[i].has_value())
                return fail(Errc::malformed, name_ + ": the node answered with a row without a key");
        }
    }
    return ok();
}

std::string TableShape::select_range(const TokenRange& range, ElementTimes times, std::string_view suffix) const {
    std::string out = "SELECT " + selected(times) + " FROM " + name_;
    const auto token = "token(" + names_of(partition_key_) + ")";
    const bool from = range.start != cql::kMinToken, to = range.end != cql::kMaxToken;
    if (from) out += " WHERE " + token + " > ?";
    if (to) out += (from ? " AND " : " WHERE ") + token + " <= ?";
    return out += suffix;
}

std::vector<cql::Cell> TableShape::range_values(const TokenRange& range) const {
    std::vector<cql::Cell> values;
    if (range.start != cql::kMinToken) values.emplace_back(cql::encode_bigint(range.start.value()));
    if (range.end != cql::kMaxToken) values.emplace_back(cql::encode_bigint(range.end.value()));
    return values;
}

std::string TableShape::where(bool partition_only) const {
    std::string out;
    for (const auto& column : partition_key_) out += (out.empty() ? " WHERE " : " AND ") + quoted(column) + " = ?";
    if (!partition_only) {
        for (const auto& column : clustering_) out += " AND " + quoted(column) + " = ?";
    }
    return out;
}

std::string TableShape::select_partition(ElementTimes times) const {
    return "SELECT " + selected(times) + " FROM " + name_ + where(true);
}

std::string TableShape::select_key() const {
    return "SELECT " + names_of(partition_key_) + " FROM " + name_ + where(true) + " LIMIT 1";
}

std::string TableShape::select_row(bool is_static, ElementTimes times) const {
    return "SELECT " + selected(times) + " FROM " + name_ + where(is_static) + (is_static ? " LIMIT 1" : "");
}

std::vector<cql::Cell> TableShape::key_values(BytesView partition, const std::vector<Bytes>& clustering) const {
    std::vector<cql::Cell> values;
    auto parts = cql::split_partition_key(partition, partition_key_.size());
    if (parts) {
        for (const auto part : parts.value()) values.emplace_back(copy_of(part));
    }
    for (const auto& value : clustering) values.emplace_back(value);
    return values;
}

bool TableShape::in_scope(const cql::Row& row) const {
    if (tenant_in_ == TenantIn::nothing) return true;
    const auto cell = tenant_in_ == TenantIn::columns ? row[tenant_name_] : row[tenant_at_];
    return cell.has_value() && tenants_.contains(copy_of(cell.bytes()));
}

Status TableShape::decode_column(const cql::Row& row, std::size_t& at, std::size_t column, ElementTimes times,
                                 std::int64_t now_seconds, RowImage& out) const {
    const auto& type = *columns_[column].type;
    const auto cell = row[at++];
    if (type.is_counter()) {
        if (!cell.is_null()) out.wholes.push_back({column, copy_of(cell.bytes()), {}});
        return ok();
    }
    if (!type.is_multi_cell()) {
        const auto written = row[at++];
        const auto ttl = row[at++];
        if (cell.is_null()) return ok();
        CellImage image{column, false, {}, copy_of(cell.bytes()), std::nullopt, 0};
        if (!written.is_null()) {
            TRY(image.written, cql::decode_bigint(written.bytes()));
        }
        if (!ttl.is_null()) {
            TRY(const auto left, cql::decode_int(ttl.bytes()));
            image.expires = now_seconds + left;
        }
        out.cells.push_back(std::move(image));
        return ok();
    }

    std::vector<std::optional<std::int64_t>> written, ttls;
    if (times == ElementTimes::shown) {
        TRY(written, decode_times(row[at++]));
        TRY(ttls, decode_times(row[at++]));
    }
    if (cell.is_null()) return ok();
    const auto expires_of = [&](std::size_t n) { return n < ttls.size() && ttls[n] ? now_seconds + *ttls[n] : 0; };
    if (type.kind == cql::TypeKind::list) {
        WholeImage whole{column, copy_of(cell.bytes()), {}};
        for (std::size_t n = 0; n < written.size() && written[n]; ++n)
            whole.times.push_back({*written[n], expires_of(n)});
        if (whole.times.size() != written.size()) whole.times.clear();
        out.wholes.push_back(std::move(whole));
        return ok();
    }
    const auto first = out.cells.size();
    cql::Elements elements(type, cell.bytes());
    for (cql::Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) break;
        const auto n = type.kind == cql::TypeKind::map ? element.index / 2 : element.index;
        if (type.kind == cql::TypeKind::map && element.index % 2 == 1) {
            out.cells.back().value = copy_of(element.value.bytes());
            continue;
        }
        CellImage image{column, true, {}, {}, std::nullopt, expires_of(n)};
        if (n < written.size()) image.written = written[n];
        if (type.kind == cql::TypeKind::udt) {
            if (element.value.is_null()) continue;
            image.element = cql::encode_smallint(static_cast<std::int16_t>(n));
            image.value = copy_of(element.value.bytes());
        } else {
            image.element = copy_of(element.value.bytes());
        }
        out.cells.push_back(std::move(image));
    }
    // Servers send them sorted; merging two images relies on it.
    if (type.kind != cql::TypeKind::udt) {
        std::stable_sort(out.cells.begin() + static_cast<std::ptrdiff_t>(first), out.cells.end(),
                         [&](const CellImage& a, const CellImage& b) {
                             return cql::compare_values(*type.elements[0], a.element, b.element) < 0;
                         });
    }
    return ok();
}

Status TableShape::Decoder::page(const cql::Rows& rows, std::int64_t now_seconds, std::vector<RowItem>& out) {
    const auto& shape = *shape_;
    TRY(shape.check_columns(rows, times_));
    const auto keys = shape.partition_key_.size();
    for (const auto row : rows) {
        Bytes partition;
        std::vector<BytesView> components;
        for (std::size_t i = 0; i < keys; ++i) components.push_back(row[i].bytes());
        TRY(cql::append_partition_key(components, partition));
        if (!have_partition_ || partition != partition_) {
            partition_ = std::move(partition);
            have_partition_ = true;
            statics_done_ = false;
        }

        RowItem item;
        item.key.partition = partition_;
        item.key.token = cql::murmur3_token(partition_);
        // A partition with nothing but statics is one row whose clustering columns are null.
        const bool only_statics = !shape.clustering_.empty() && row[keys].is_null();
        // Statics belong to the partition, not to a row. Where the tenant is in the rows, those of a partition that has
        // no row belong to nobody and go with everybody.
        const bool nobodys = only_statics && (shape.tenant_in_ == TenantIn::clustering ||
                                              (shape.tenant_in_ == TenantIn::columns && !shape.tenant_is_static_));
        if (which_ == Rows::of_scope && !nobodys && !shape.in_scope(row)) continue;

        RowItem statics{item.key, {}};
        statics.key.is_static = true;
        if (!only_statics) {
            for (std::size_t i = 0; i < shape.clustering_.size(); ++i)
                item.key.clustering.push_back(copy_of(row[keys + i].bytes()));
        }
        auto at = keys + shape.clustering_.size();
        for (std::size_t column = 0; column < shape.columns_.size(); ++column) {
            const bool is_static = shape.columns_[column].kind == cql::ColumnKind::static_;
            TRY(shape.decode_column(row, at, column, times_, now_seconds, is_static ? statics.image : item.image));
        }
        if (!statics_done_ && !(statics.image == RowImage{})) out.push_back(std::move(statics));
        statics_done_ = true;
        if (!only_statics && which_ != Rows::statics) out.push_back(std::move(item));
    }
    return ok();
}

std::weak_ordering TableShape::compare(const RowKey& a, const RowKey& b) const {
    if (const auto order = a.token <=> b.token; order != 0) return order;
    if (a.partition != b.partition) return a.partition <=> b.partition;
    if (a.is_static != b.is_static) return a.is_static ? std::weak_ordering::less : std::weak_ordering::greater;
    for (std::size_t i = 0; i < std::min(a.clustering.size(), b.clustering.size()); ++i) {
        const auto order = cql::compare_values(*clustering_[i].type, a.clustering[i], b.clustering[i]);
        if (order != 0) return clustering_[i].descending ? 0 <=> order : order;
    }
    return std::weak_ordering::equivalent;
}

std::string TableShape::key_text(const RowKey& key) const {
    std::string out;
    const auto add = [&](const cql::ColumnDef& column, BytesView value) {
        const auto literal = cql::to_literal(*column.type, value);
        out += fmt::format("{}{}={}", out.empty() ? "" : ", ", column.name,
                           literal ? literal.value() : cql::to_text(*column.type, value));
    };
    if (const auto parts = cql::split_partition_key(key.partition, partition_key_.size())) {
        for (std::size_t i = 0; i < parts.value().size(); ++i) add(partition_key_[i], parts.value()[i]);
    }
    for (std::size_t i = 0; i < key.clustering.size(); ++i) add(clustering_[i], key.clustering[i]);
    return out;
}

std::string TableShape::cell_name(const CellImage& cell) const {
    const auto& column = columns_[cell.column];
    if (!cell.is_element) return column.name;
    const auto& type = *column.type;
    if (type.kind == cql::TypeKind::udt) {
        const auto field = static_cast<std::size_t>(load_be<std::int16_t>(cell.element.data()));
        return column.name + "." + type.field_names[field];
    }
    return fmt::format("{}[{}]", column.name, cql::to_text(*type.elements[0], BytesView(cell.element)));
}

std::string TableShape::cell_text(const CellImage& cell) const {
    const auto& type = *columns_[cell.column].type;
    std::string out;
    if (!cell.is_element) {
        out = cql::to_text(type, BytesView(cell.value));
    } else if (type.kind == cql::TypeKind::map) {
        out = cql::to_text(*type.elements[1], BytesView(cell.value));
    } else if (type.kind == cql::TypeKind::udt) {
        out = cql::to_text(*type.elements[static_cast<std::size_t>(load_be<std::int16_t>(cell.element.data()))],
                           BytesView(cell.value));
    } else {
        out = "present";
    }
    // A megabyte of blob helps nobody.
    if (out.size() > 200) out = out.substr(0, 200) + "…";
    if (cell.written) out += fmt::format(" written {}", *cell.written);
    if (cell.expires != 0) out += fmt::format(" expires {}", cell.expires);
    return out;
}

}  // namespace penumbra::sync
