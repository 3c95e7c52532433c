#include "sync/owed_lookup.h"

#include <algorithm>

#include "cql/types/token.h"
#include "runtime/shard.h"

namespace penumbra::sync {

namespace {

/// For times of list elements, while clients are held: some milliseconds.
constexpr std::size_t kMostLookedThrough = 4096;

TokenRange tokens_of(const OwedResync& order) {
    if (order.partition_key.empty()) return order.range.value_or(TokenRange{});
    return TokenRange::of(cql::murmur3_token(order.partition_key));
}

}  // namespace

bool have_common_rows(const OwedResync& one, const OwedResync& other) {
    if (one.table != other.table || one.keyspace != other.keyspace) return false;
    if (!one.partition_key.empty() && !other.partition_key.empty()) return one.partition_key == other.partition_key;
    return tokens_of(one).meets(tokens_of(other));
}

ListTimes OwedLookup::list_times(routing::ScopeId scope, const OwedResync& partition, const cql::Schema* schema) const {
    const auto is_about_it = [&](const OwedResync& row) { return have_common_rows(row, partition); };
    ListTimes times;
    for (const auto& entry : journal_.owed(stream_, kMostLookedThrough)) {
        if (entry.scope != scope.value()) continue;
        auto payload = journal_.read(entry.id);
        if (!payload) continue;  // settled meanwhile; damage is told of when its turn comes
        auto work = decode_owed(payload.value());
        if (!work) continue;
        if (const auto* order = std::get_if<OwedResync>(&work.value())) {
            // One for a range or table stands for what was written since it was appended, too.
            const bool stands = order->partition_key.empty();
            if (is_about_it(*order)) times.otherwise(stands ? Shard::here().clock().wall_micros() : entry.appended_at);
            continue;
        }
        auto& statement = std::get<OwedStatement>(work.value());
        if (!statement.adds_to_lists || std::ranges::none_of(statement.rows, is_about_it)) continue;
        times.otherwise(entry.appended_at);
        if (const auto emptied = without_list_elements(std::move(statement), schema))
            times.merge(emptied.value().times);
    }
    return times;
}

OwedLookup::Seen OwedLookup::look(std::size_t limit) {
    const auto entries = journal_.owed(stream_, limit);
    std::map<journal::EntryId, std::optional<Statement>> now;
    for (const auto& entry : entries) {
        if (auto known = seen_.extract(entry.id)) {
            now.insert(now.end(), std::move(known));
            continue;
        }
        auto& statement = now[entry.id];
        const auto payload = journal_.read(entry.id);
        if (!payload) continue;  // settled meanwhile; what is damaged cannot be sent
        auto work = decode_owed(payload.value());
        if (!work) continue;
        if (auto* owed = std::get_if<OwedStatement>(&work.value()))
            statement = Statement{routing::ScopeId(entry.scope), std::move(owed->rows)};
    }
    seen_ = std::move(now);
    return {entries.empty() ? journal::EntryId{} : entries.back().id, entries.size() < limit};
}

bool OwedLookup::statements(routing::ScopeId scope, const OwedResync& order, journal::EntryId newest) const {
    return std::any_of(seen_.begin(), seen_.upper_bound(newest), [&](const auto& entry) {
        const auto& statement = entry.second;
        if (!statement || statement->scope != scope) return false;
        return statement->rows.empty() ||
               std::ranges::any_of(statement->rows, [&](const auto& row) { return have_common_rows(row, order); });
    });
}

}  // namespace penumbra::sync
