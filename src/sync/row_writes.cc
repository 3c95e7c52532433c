#include "sync/row_writes.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"

namespace penumbra::sync {

namespace {

/// Servers take markers by the thousand, but not without end; also what one statement loses when it is refused.
constexpr std::size_t kMaxDeletionsPerStatement = 50;

std::string quoted(const cql::ColumnDef& column) {
    return cql::quote_identifier(column.name);
}

std::string field_name(const cql::DataType& udt, const CellImage& cell) {
    return cql::quote_identifier(udt.field_names[static_cast<std::size_t>(load_be<std::int16_t>(cell.element.data()))]);
}

cql::Cell ttl_value(std::int64_t expires, std::int64_t now_seconds) {
    return cql::encode_int(expires == 0 ? 0 : static_cast<std::int32_t>(expires - now_seconds));
}

void append_key(const TableShape& shape, const RowKey& key, std::vector<cql::Cell>& values) {
    for (auto& value : shape.key_values(key.partition, key.clustering)) values.push_back(std::move(value));
}

/// (write time, expiry): what one statement can carry.
using Life = std::pair<std::int64_t, std::int64_t>;
using Group = std::vector<const CellImage*>;

Write insert_of(const TableShape& shape, const RowKey& key, const Life& life, const Group& cells,
                std::int64_t now_seconds) {
    std::string names, marks;
    const auto name = [&](const cql::ColumnDef& column) {
        names += (names.empty() ? "" : ", ") + quoted(column);
        marks += marks.empty() ? "?" : ", ?";
    };
    Write write;
    write.timestamp = life.first;
    for (const auto& column : shape.partition_key()) name(column);
    for (const auto& column : shape.clustering()) name(column);
    append_key(shape, key, write.values);
    for (const auto* cell : cells) {
        name(shape.column(cell->column));
        write.values.emplace_back(cell->value);
    }
    write.values.push_back(ttl_value(life.second, now_seconds));
    write.text = fmt::format("INSERT INTO {} ({}) VALUES ({}) USING TTL ?", shape.cql_name(), names, marks);
    return write;
}

Write update_of(const TableShape& shape, const RowKey& key, const Life& life, const Group& cells,
                std::int64_t now_seconds) {
    Write write;
    write.timestamp = life.first;
    write.values.push_back(ttl_value(life.second, now_seconds));
    std::string set;
    for (std::size_t i = 0; i < cells.size();) {
        const auto& column = shape.column(cells[i]->column);
        const auto& type = *column.type;
        set += set.empty() ? "" : ", ";
        if (!cells[i]->is_element) {
            set += quoted(column) + " = ?";
            write.values.emplace_back(cells[i++]->value);
        } else if (type.kind == cql::TypeKind::udt) {
            set += fmt::format("{}.{} = ?", quoted(column), field_name(type, *cells[i]));
            write.values.emplace_back(cells[i++]->value);
        } else {
            cql::ElementsBuilder elements(type);
            for (const auto of = cells[i]->column; i < cells.size() && cells[i]->column == of; ++i) {
                elements.add(BytesView(cells[i]->element));
                if (type.kind == cql::TypeKind::map) elements.add(BytesView(cells[i]->value));
            }
            set += fmt::format("{0} = {0} + ?", quoted(column));
            write.values.emplace_back(std::move(elements).finish());
        }
    }
    append_key(shape, key, write.values);
    write.text = fmt::format("UPDATE {} USING TTL ? SET {}{}", shape.cql_name(), set, shape.where(key.is_static));
    return write;
}

}  // namespace

WritePlan plan_writes(const TableShape& shape, const RowKey& key, const std::vector<const CellImage*>& cells,
                      Marker marker, WriteTimes times) {
    WritePlan plan;
    std::map<Life, Group> groups;
    for (const auto* cell : cells) {
        if (cell->expires != 0 && cell->expires <= times.now_seconds) {
            ++plan.expired;
            continue;
        }
        ++plan.cells;
        groups[{times.all.value_or(cell->written.value_or(times.unknown)), cell->expires}].push_back(cell);
    }
    if (marker != Marker::none && !key.is_static) {
        if (groups.empty()) {
            // Everything had run out: then so has the row. A row that is its key alone had nothing to run out.
            if (plan.expired == 0)
                plan.writes.push_back(
                    insert_of(shape, key, {times.all.value_or(times.unknown), 0}, {}, times.now_seconds));
        } else {
            // A time that we guess says nothing about when the row began, unless there is no other.
            auto first = std::ranges::find_if(
                groups, [](const auto& group) { return group.second.front()->written.has_value(); });
            if (first == groups.end()) first = groups.begin();
            const auto& life = first->first;
            if (marker == Marker::as_before && life.first > times.unknown) {
                plan.writes.push_back(insert_of(shape, key, {times.unknown, life.second}, {}, times.now_seconds));
            } else {
                // An INSERT would overwrite collections: their elements stay for an UPDATE.
                auto& group = first->second;
                Group atomic;
                std::erase_if(group, [&](const CellImage* cell) {
                    if (!cell->is_element) atomic.push_back(cell);
                    return !cell->is_element;
                });
                plan.writes.push_back(insert_of(shape, key, life, atomic, times.now_seconds));
                if (group.empty()) groups.erase(first);
            }
        }
    }
    for (const auto& [life, group] : groups)
        plan.writes.push_back(update_of(shape, key, life, group, times.now_seconds));
    return plan;
}

std::vector<Write> plan_deletes(const TableShape& shape, const RowKey& key, const std::vector<const CellImage*>& cells,
                                WriteTimes times) {
    std::map<std::int64_t, Group> groups;
    for (const auto* cell : cells) groups[times.all.value_or(cell->written.value_or(times.unknown))].push_back(cell);
    std::vector<Write> writes;
    for (const auto& [timestamp, group] : groups) {
        for (std::size_t begin = 0; begin < group.size(); begin += kMaxDeletionsPerStatement) {
            const auto end = std::min(group.size(), begin + kMaxDeletionsPerStatement);
            Write write;
            write.timestamp = timestamp;
            std::string what;
            for (std::size_t i = begin; i < end; ++i) {
                const auto& column = shape.column(group[i]->column);
                what += what.empty() ? "" : ", ";
                what += quoted(column);
                if (!group[i]->is_element) continue;
                if (column.type->kind == cql::TypeKind::udt) {
                    what += "." + field_name(*column.type, *group[i]);
                } else {
                    what += "[?]";
                    write.values.emplace_back(group[i]->element);
                }
            }
            append_key(shape, key, write.values);
            write.text = fmt::format("DELETE {} FROM {}{}", what, shape.cql_name(), shape.where(key.is_static));
            writes.push_back(std::move(write));
        }
    }
    return writes;
}

Write plan_row_delete(const TableShape& shape, const RowKey& key, std::int64_t timestamp) {
    Write write;
    write.text = fmt::format("DELETE FROM {}{}", shape.cql_name(), shape.where(false));
    append_key(shape, key, write.values);
    write.timestamp = timestamp;
    return write;
}

Result<std::vector<ListRun>> list_runs(const TableShape& shape, const WholeImage& list, std::int64_t unknown) {
    const auto& type = *shape.column(list.column).type;
    std::vector<ListRun> runs;
    if (list.times.empty()) {
        runs.push_back({list.value, unknown, 0});
        return runs;
    }
    cql::Elements elements(type, list.value);
    std::optional<cql::ElementsBuilder> builder;
    const auto finish = [&] {
        if (builder) runs.back().value = std::move(*builder).finish();
    };
    for (cql::Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) break;
        if (element.index >= list.times.size()) return fail(Errc::malformed, "a list with fewer times than elements");
        const auto& life = list.times[element.index];
        if (runs.empty() || runs.back().written != life.written || runs.back().expires != life.expires) {
            finish();
            runs.push_back({{}, life.written, life.expires});
            builder.emplace(type);
        }
        builder->add(element.value);
    }
    finish();
    return runs;
}

Write plan_list_write(const TableShape& shape, const RowKey& key, std::size_t column, const ListRun& run, ListWrite how,
                      WriteTimes times) {
    Write write;
    const auto name = quoted(shape.column(column));
    const auto set = how == ListWrite::append    ? fmt::format("{0} = {0} + ?", name)
                     : how == ListWrite::prepend ? fmt::format("{0} = ? + {0}", name)
                                                 : name + " = ?";
    write.text = fmt::format("UPDATE {} USING TTL ? SET {}{}", shape.cql_name(), set, shape.where(key.is_static));
    write.values.push_back(ttl_value(run.expires, times.now_seconds));
    write.values.emplace_back(run.value);
    append_key(shape, key, write.values);
    write.timestamp = times.all.value_or(run.written);
    return write;
}

std::vector<Write> plan_list_deletes(const TableShape& shape, const RowKey& key, std::size_t column, std::size_t first,
                                     std::size_t count, std::int64_t timestamp) {
    std::vector<Write> writes;
    // From the back, so that the places of those that remain to be deleted stay what they are.
    for (auto end = first + count; end > first;) {
        const auto begin = std::max(first, end - std::min(end, kMaxDeletionsPerStatement));
        Write write;
        write.timestamp = timestamp;
        std::string what;
        // Within a statement too: Cassandra counts places as they are after the deletions before.
        for (auto place = end; place-- > begin;) {
            what += (what.empty() ? "" : ", ") + quoted(shape.column(column)) + "[?]";
            write.values.emplace_back(cql::encode_int(static_cast<std::int32_t>(place)));
        }
        append_key(shape, key, write.values);
        write.text = fmt::format("DELETE {} FROM {}{}", what, shape.cql_name(), shape.where(key.is_static));
        writes.push_back(std::move(write));
        end = begin;
    }
    return writes;
}

Write plan_column_delete(const TableShape& shape, const RowKey& key, std::size_t column, std::int64_t timestamp) {
    Write write;
    write.text =
        fmt::format("DELETE {} FROM {}{}", quoted(shape.column(column)), shape.cql_name(), shape.where(key.is_static));
    append_key(shape, key, write.values);
    write.timestamp = timestamp;
    return write;
}

Write plan_counter_shards(const TableShape& shape, const RowKey& key, const std::vector<CounterChange>& changes,
                          const cql::Uuid& shard) {
    // A global shard: neither a node's own, nor one of the form before Cassandra 2.1.
    constexpr std::int32_t kGlobal = 'g';
    constexpr std::int64_t kClock = 1;
    Write write;
    std::string set;
    for (const auto& change : changes) {
        set += fmt::format("{}{} = SCYLLA_COUNTER_SHARD_LIST(?)", set.empty() ? "" : ", ",
                           quoted(shape.column(change.column)));
        // list<tuple<int, uuid, bigint, bigint>>: type of the shard, its id, its clock, its value
        Bytes value;
        Writer out(value);
        out.u32(1);
        const std::array<Bytes, 4> fields{cql::encode_int(kGlobal), Bytes(shard.view().begin(), shard.view().end()),
                                          cql::encode_bigint(kClock), cql::encode_bigint(change.delta)};
        std::uint32_t size = 0;
        for (const auto& field : fields) size += 4 + static_cast<std::uint32_t>(field.size());
        out.u32(size);
        for (const auto& field : fields) {
            out.u32(static_cast<std::uint32_t>(field.size()));
            out.raw(field);
        }
        write.values.emplace_back(std::move(value));
    }
    append_key(shape, key, write.values);
    write.text = fmt::format("UPDATE {} SET {}{}", shape.cql_name(), set, shape.where(key.is_static));
    return write;
}

Write plan_counter_change(const TableShape& shape, const RowKey& key, const std::vector<CounterChange>& changes) {
    Write write;
    std::string set;
    for (const auto& change : changes) {
        set += fmt::format("{0}{1} = {1} + ?", set.empty() ? "" : ", ", quoted(shape.column(change.column)));
        write.values.emplace_back(cql::encode_bigint(change.delta));
    }
    append_key(shape, key, write.values);
    write.text = fmt::format("UPDATE {} SET {}{}", shape.cql_name(), set, shape.where(key.is_static));
    return write;
}

}  // namespace penumbra::sync
