#include "proxy/virtual_tables.h"

#include <algorithm>
#include <array>

#include "cql/types/scalars.h"

namespace penumbra::proxy {

namespace {

constexpr std::array<std::string_view, 15> kOurs{
    "cluster_name",   "bootstrapped", "broadcast_address",      "cql_version", "data_center", "host_id",
    "listen_address", "rack",         "native_address",         "native_port", "rpc_address", "rpc_port",
    "schema_version", "tokens",       "native_protocol_version"};

/// What a server tells of itself alone: drivers would take it for something that we can do.
bool is_private(std::string_view column) {
    return column == "supported_features" || column.starts_with("scylla_");
}

std::string text_of(const cluster::Topology& topology, std::string_view column) {
    if (topology.system_local.empty()) return {};
    const auto text = topology.system_local[0].text(column);
    return text ? text.value() : std::string();
}

}  // namespace

bool VirtualTables::is_ours(std::string_view column) {
    return std::ranges::find(kOurs, column) != kOurs.end() || is_private(column);
}

std::optional<Bytes> VirtualTables::node_value(std::string_view column, const ProxyNode& node,
                                               const cluster::Topology& primary) const {
    static constexpr std::array<std::string_view, 5> kAddresses{"broadcast_address", "listen_address", "rpc_address",
                                                                "native_address", "peer"};
    static constexpr std::array<std::string_view, 3> kPorts{"rpc_port", "native_port", "peer_port"};
    if (std::ranges::find(kAddresses, column) != kAddresses.end()) return node.address.address();
    if (std::ranges::find(kPorts, column) != kPorts.end()) return cql::encode_int(node.address.port());
    if (column == "data_center") return cql::encode_text(datacenter_.empty() ? primary.local_datacenter : datacenter_);
    if (column == "rack") return cql::encode_text(node.rack.empty() ? text_of(primary, "rack") : node.rack);
    if (column == "host_id") return cql::encode_uuid(*node.host_id);
    if (column == "schema_version") return cql::encode_uuid(primary.schema_version);
    if (column == "tokens") {
        std::vector<std::string> tokens;
        for (const auto token : node.tokens) tokens.push_back(to_string(token));
        std::ranges::sort(tokens);
        return cql::encode_text_list(tokens);
    }
    return std::nullopt;
}

std::optional<Bytes> VirtualTables::local_value(std::string_view column, const cluster::Topology& primary,
                                                const cluster::Topology* shadow) const {
    if (is_private(column)) return std::nullopt;
    if (auto value = node_value(column, ring_->self(), primary)) return value;
    if (column == "cluster_name" && !cluster_name_.empty()) return cql::encode_text(cluster_name_);
    if (column == "bootstrapped") return cql::encode_text("COMPLETED");
    if (primary.system_local.empty()) return std::nullopt;
    if (column == "cql_version" || column == "native_protocol_version") {
        // What only one of the clusters speaks cannot be promised: the next phase may be the other's.
        auto lowest = text_of(primary, column);
        const auto others = shadow ? text_of(*shadow, column) : std::string();
        if (!others.empty() && cluster::version_less(others, lowest)) lowest = others;
        if (!lowest.empty()) return cql::encode_text(lowest);
    }
    const auto cell = primary.system_local[0][column];
    if (!cell.has_value()) return std::nullopt;
    return Bytes(cell.bytes().begin(), cell.bytes().end());
}

std::optional<Bytes> VirtualTables::peer_value(std::string_view column, const ProxyNode& node,
                                               const cluster::Topology& primary) const {
    if (is_private(column)) return std::nullopt;
    if (column == "release_version") return cql::encode_text(text_of(primary, column));
    return node_value(column, node, primary);
}

std::vector<cql::MemoryRow> VirtualTables::rows(const cql::Table& table, const cluster::Topology& primary,
                                                const cluster::Topology* shadow) const {
    std::vector<cql::MemoryRow> rows;
    if (table.name == "local") {
        auto& row = rows.emplace_back();
        for (const auto& column : table.columns) row.push_back(local_value(column.name, primary, shadow));
        return rows;
    }
    const auto& nodes = ring_->nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (i == ring_->self_index() || !up_ || !(*up_)[i]) continue;
        cql::MemoryRow row;
        for (const auto& column : table.columns) row.push_back(peer_value(column.name, nodes[i], primary));
        // system.peers has one row per address: of proxies that differ by their port only, peers_v2 alone can tell.
        const bool taken =
            table.name == "peers" &&
            (nodes[i].address.address() == ring_->self().address.address() ||
             std::ranges::any_of(rows, [&](const auto& other) { return cql::same_partition(table, other, row); }));
        if (!taken) rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace penumbra::proxy
