#include "cluster/table_route.h"

#include <algorithm>

#include "cluster/topology.h"

namespace penumbra::cluster {

namespace {

constexpr std::string_view kTabletsPayload = "tablets-routing-v1";
// A node tells one tablet at a time; a payload with more replicas than any replication is none.
constexpr std::size_t kMostReplicas = 256;

/// The next element of a serialized tuple or list: its length and bytes.
Result<Reader> element(Reader& in) {
    TRY(const auto size, in.i32());
    if (size < 0) return fail(Errc::malformed, "null where a tablet says its place");
    TRY(const auto bytes, in.take(static_cast<std::size_t>(size)));
    return Reader(bytes);
}

/// tuple<bigint, bigint, list<tuple<uuid, int>>>, CQL-FACTS 3.1.
Result<TabletHint> parse_hint(BytesView bytes) {
    Reader in(bytes);
    TabletHint hint;
    TRY(auto after, element(in));
    TRY(const auto after_token, after.i64());
    TRY(auto last, element(in));
    TRY(const auto last_token, last.i64());
    hint.after = cql::Token(after_token);
    hint.last = cql::Token(last_token);
    TRY(auto list, element(in));
    TRY(const auto count, list.i32());
    if (count < 0 || static_cast<std::size_t>(count) > kMostReplicas || hint.last <= hint.after)
        return fail(Errc::malformed, "a tablet that cannot be");
    for (std::int32_t i = 0; i < count; ++i) {
        TRY(auto pair, element(list));
        TRY(auto host, element(pair));
        TRY(const auto uuid, cql::Uuid::from_bytes(host.rest()));
        TRY(auto shard, element(pair));
        TRY(const auto number, shard.i32());
        if (number < 0) return fail(Errc::malformed, "a tablet on a shard below zero");
        hint.replicas.push_back({uuid, static_cast<std::uint32_t>(number)});
    }
    return hint;
}

}  // namespace

std::optional<TabletHint> read_tablet_hint(const cql::ResponsePrefix& prefix) {
    for (const auto& [key, value] : prefix.payload) {
        if (key != kTabletsPayload || !value.has_value()) continue;
        if (auto hint = parse_hint(value.bytes())) return std::move(hint).value();
    }
    return std::nullopt;
}

const TableRoute::Tablet* TableRoute::tablet_of(cql::Token token) const {
    const auto at = std::ranges::lower_bound(tablets_, token, {}, &Tablet::last);
    return at != tablets_.end() && at->after < token ? &*at : nullptr;
}

void TableRoute::place(Tablet& tablet, const Topology& topology) {
    for (auto& replica : tablet.replicas) {
        const auto found = std::ranges::find(topology.nodes, replica.said.host, &Node::host_id);
        replica.known = found != topology.nodes.end();
        if (replica.known) {
            replica.at = {static_cast<NodeIndex>(found - topology.nodes.begin()),
                          static_cast<std::int32_t>(replica.said.shard)};
        }
    }
}

void TableRoute::follow(const Topology& topology) {
    replicas_ = topology.token_map ? topology.token_map->keyspace(keyspace_) : nullptr;
    // A tablet on a host that went away is unknown again: the next response says where it is now.
    for (auto& tablet : tablets_) place(tablet, topology);
    std::erase_if(tablets_, [](const auto& tablet) {
        return std::ranges::any_of(tablet.replicas, [](const auto& replica) { return !replica.known; });
    });
}

void TableRoute::learn(const TabletHint& hint, const Topology& topology) {
    Tablet fresh{hint.after, hint.last, {}};
    for (const auto& replica : hint.replicas) fresh.replicas.push_back({replica, {}, false});
    place(fresh, topology);
    // Those that end behind its start and start before its end overlap it: it was split, merged or moved since.
    const auto from = std::ranges::upper_bound(tablets_, fresh.after, {}, &Tablet::last);
    auto to = from;
    while (to != tablets_.end() && to->after < fresh.last) ++to;
    tablets_.insert(tablets_.erase(from, to), std::move(fresh));
}

std::optional<cql::Token> routing_token(std::span<const std::uint16_t> key_columns, const cql::ValuesView& values,
                                        std::span<const std::string> names, Bytes& scratch) {
    if (key_columns.empty()) return std::nullopt;
    const auto value_of = [&](std::uint16_t marker) -> std::optional<BytesView> {
        std::optional<cql::BoundValue> bound;
        if (!values.named()) {
            bound = values.nth(marker);
        } else if (marker < names.size()) {
            bound = values.by_name(names[marker]);
        }
        if (!bound || !bound->value.has_value()) return std::nullopt;
        return bound->value.bytes();
    };
    if (key_columns.size() == 1) {
        const auto key = value_of(key_columns[0]);
        if (!key) return std::nullopt;
        return cql::murmur3_token(*key);
    }
    scratch.clear();
    Writer out(scratch);
    for (const auto marker : key_columns) {
        const auto part = value_of(marker);
        if (!part || part->size() > 0xFFFF) return std::nullopt;
        out.u16(static_cast<std::uint16_t>(part->size()));
        out.raw(*part);
        out.u8(0);
    }
    return cql::murmur3_token(scratch);
}

}  // namespace penumbra::cluster
