#include <algorithm>

#include "base/inject.h"
#include "proxy/exchange.h"
#include "proxy/proxy_shard.h"
#include "sync/range_orders.h"
#include "sync/ring_slice.h"

// What the shadow is owed: the statement, or the order to resync what it touched, in the journal.
namespace penumbra::proxy {

namespace {

/// What is owed where there is no room for more: a slice of a table, or all of it.
struct Range {
    std::string_view keyspace, table;
    std::optional<sync::RingSlice> slice;
    auto operator<=>(const Range&) const = default;
};

}  // namespace

bool Exchange::adds_to_lists() const {
    return mirroring_ == Mirroring::once &&
           std::ranges::none_of(pieces_, [](const Piece& piece) { return piece.plan->is_counter; });
}

Exchange::Owed Exchange::owed_as() const {
    if (mirroring_ != Mirroring::once || INJECT("proxy.replay_twice")) return Owed::statement;
    return adds_to_lists() ? Owed::lists : Owed::rows;
}

void Exchange::owe(Owed what) {
    owing_ = Owing::appending;
    // Where its shadow had more time than itself, its own is over: the disk gets as much, and not more.
    if (!answered_ && !request_hook_.is_linked()) shard_.watch_request(*this);
    if (what == Owed::rows && !intents_.empty()) {
        // The same orders, on disk since before anybody was asked.
        intents_become_owed();
        owing_ = Owing::durable;
        return;
    }
    if (shard_.journal_is_full() && touches_rows()) {
        owe_ranges();
        return;
    }
    const auto scopes = owing_scopes();
    if (what == Owed::rows && touches_rows()) {
        OwedOrders orders;
        encode_orders(orders);
        appends_ = orders.size() * scopes.size();
        for (const auto scope : scopes) {
            for (const auto& order : orders) append(scope, BytesView(shard_.scratch()).subspan(order.at, order.size));
        }
    } else {
        appends_ = scopes.size();
        const auto statement = owed_statement(what == Owed::lists ? sync::AddsToLists::yes : sync::AddsToLists::no);
        for (const auto scope : scopes) append(scope, statement);
    }
}

/// What belongs to several scopes is owed by each: every fence must see it, and a repeat does no harm.
Scopes Exchange::owing_scopes() const {
    Scopes scopes;
    for (const auto scope : scopes_) {
        if (scope != routing::kDefaultScope) scopes.push_back(scope);
    }
    if (scopes.empty()) scopes.push_back(routing::kDefaultScope);
    return scopes;
}

bool Exchange::touches_rows() const {
    return std::ranges::any_of(pieces_, [](const Piece& piece) { return !piece.plan->parts.empty(); });
}

bool Exchange::is_conditional() const {
    return std::ranges::any_of(pieces_, [](const Piece& piece) { return piece.plan->is_conditional; });
}

std::optional<cql::Consistency> Exchange::serial_read() const {
    if (!is_conditional()) return std::nullopt;
    auto serial = parameters_.serial_consistency.value_or(cql::Consistency::serial);
    if (!cql::is_serial(serial)) serial = cql::Consistency::serial;  // some servers take whatever stands there
    if (primary_.outcome != Outcome::ok) return serial;
    switch (parameters_.consistency) {
        case cql::Consistency::quorum:
        case cql::Consistency::all:
        case cql::Consistency::local_quorum:
        case cql::Consistency::each_quorum:
        case cql::Consistency::serial:
        case cql::Consistency::local_serial:
            return std::nullopt;  // a majority has committed it
        case cql::Consistency::any:
        case cql::Consistency::one:
        case cql::Consistency::two:
        case cql::Consistency::three:
        case cql::Consistency::local_one:
            break;
    }
    return serial;
}

bool Exchange::owes_single_rows() const {
    // Each row is an order of its own, and read on its own. Beyond a few, a partition is not much more to read.
    constexpr std::size_t kMostRows = 8;
    std::size_t parts = 0;
    for (const auto& piece : pieces_) parts += piece.plan->parts.size();
    return parts <= kMostRows;
}

void Exchange::encode_order(const Piece& piece, const PlanPart& part, const ClusteringKey& row,
                            std::optional<cql::Consistency> serial) const {
    auto& all = shard_.scratch();
    const auto at = all.size();
    if (!row.empty()) {
        const auto key_at = sync::begin_owed_row_resync(part.keyspace, part.table, serial, all);
        const auto before = all.size();
        if (append_partition_key(part, piece.values, all) && all.size() > before) {
            sync::end_owed_row_resync(key_at, row, all);
            return;
        }
        all.resize(at);
    }
    sync::begin_owed_resync(part.keyspace, part.table, serial, all);
    if (!append_partition_key(part, piece.values, all) && serial) {
        // Paxos is of one partition, and so is such a read.
        all.resize(at);
        sync::begin_owed_resync(part.keyspace, part.table, std::nullopt, all);
    }
}

void Exchange::encode_orders(OwedOrders& orders) const {
    const auto serial = serial_read();
    const bool single_rows = owes_single_rows();
    auto& all = shard_.scratch();
    all.clear();
    for (const auto& piece : pieces_) {
        for (const auto& part : piece.plan->parts) {
            OwedOrder order{all.size(), 0};
            encode_order(piece, part, single_rows ? clustering_key(part, piece.values) : ClusteringKey(), serial);
            order.size = all.size() - order.at;
            const auto bytes = [&all](const OwedOrder& one) { return BytesView(all).subspan(one.at, one.size); };
            const bool known =
                std::ranges::any_of(orders, [&](const auto& one) { return equal(bytes(one), bytes(order)); });
            if (known) {
                all.resize(order.at);
            } else {
                orders.push_back(order);
            }
        }
    }
}

BytesView Exchange::owed_statement(sync::AddsToLists adds_to_lists) {
    auto& payload = shard_.scratch();
    payload.clear();
    sync::OwedStatementWriter writer(
        payload, needs_keyspace_ ? std::string_view(session_keyspace_) : std::string_view(), adds_to_lists);
    for (const auto& piece : pieces_) {
        if (!piece.prepared) continue;
        const auto& text = *piece.prepared->text;
        writer.add_prepared({text.id, text.text_for_clusters(), text.keyspace});
    }
    writer.close_prepared();
    const bool single_rows = owes_single_rows();
    for (const auto& piece : pieces_) {
        for (const auto& part : piece.plan->parts) {
            writer.begin_row(part.keyspace, part.table);
            const bool says_partition = append_partition_key(part, piece.values, payload);
            const bool says_row = says_partition && single_rows;
            writer.end_row(says_row ? clustering_key(part, piece.values) : ClusteringKey());
        }
    }
    writer.close_rows();
    auto& edit = shard_.edit();
    edit.reset(view_);
    edit.set_stream(0);
    if (!prefix_.payload.empty()) edit.strip_payload(prefix_);
    settle_repeated_names(edit);
    if (const auto level = level_on(Role::shadow)) edit.replace_consistency(parameters_, *level);
    if (timestamp_) edit.add_timestamp(parameters_, *timestamp_);
    edit.append_to(payload);
    return payload;
}

void Exchange::append(routing::ScopeId scope, BytesView payload) {
    if (INJECT("proxy.drop_owed_write")) {
        owing_ended(ok());
        return;
    }
    const auto stream = static_cast<std::uint8_t>(routing::other(primary_.side));
    shard_.context().journal->append(stream, scope.value(), payload, [this](Result<journal::EntryId> appended) {
        if (appended) {
            entries_.push_back(appended.value());
            owing_ended(ok());
        } else {
            owing_ended(fail(std::move(appended.error())));
        }
    });
}

void Exchange::owe_ranges() {
    ranges_owed_ = true;
    std::vector<Range> ranges;
    for (const auto& piece : pieces_) {
        for (const auto& part : piece.plan->parts) {
            const auto token = token_of(part, piece.values, shard_.scratch());
            ranges.push_back({part.keyspace, part.table, token ? std::optional(sync::slice_of(*token)) : std::nullopt});
        }
    }
    std::ranges::sort(ranges);
    const auto repeated = std::ranges::unique(ranges);
    ranges.erase(repeated.begin(), repeated.end());
    const auto stream = static_cast<std::uint8_t>(routing::other(primary_.side));
    const auto scopes = owing_scopes();
    appends_ = scopes.size() * ranges.size();
    for (const auto scope : scopes) {
        for (const auto& range : ranges) {
            shard_.context().range_orders->order(stream, scope, range.keyspace, range.table, range.slice,
                                                 [this](Status how) { owing_ended(std::move(how)); });
        }
    }
}

void Exchange::owing_ended(Status how) {
    if (!how) owe_error_ = how.error();
    if (--appends_ > 0) return;
    if (!owe_error_.what.empty() && !ranges_owed_ && touches_rows()) {
        // Orders that may stand already, or small ones, may find the room that all these statements have not.
        owe_error_ = {};
        owe_ranges();
        return;
    }
    if (!owe_error_.what.empty() && !intents_.empty()) {
        owe_error_ = {};
        intents_become_owed();
    }
    owing_ = owe_error_.what.empty() ? Owing::durable : Owing::failed;
    if (owing_ == Owing::failed) shard_.log().error("a write could not be journalled", {kv("error", owe_error_.what)});
    advance();
}

void Exchange::settle_or_release() {
    // What is owed now is on disk in other words, or nothing is.
    settle_intents();
    if (owing_ended_ || entries_.empty()) return;
    owing_ended_ = true;
    auto& journal = *shard_.context().journal;
    const bool shadow_has_it = shadow_.outcome == Outcome::ok && primary_.outcome == Outcome::ok && !adds_to_lists();
    for (const auto entry : entries_) {
        if (shadow_has_it) {
            journal.settle(entry);
        } else {
            journal.release(entry);
        }
    }
}

}  // namespace penumbra::proxy
