#include "cluster/token_map.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "cluster/topology.h"

namespace penumbra::cluster {

namespace {

/// "3"; of "3/1" (Cassandra's transient replication) all three, as any of them coordinates.
std::size_t replicas_in(std::string_view text) {
    std::size_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

struct RingToken {
    cql::Token token;
    NodeIndex node;
};

/// One data centre's share while replicas are counted for one range.
struct Center {
    std::size_t wanted = 0;   // by the keyspace, but not more than there are nodes
    std::size_t repeats = 0;  // replicas that may stand in a rack that has one already
    std::set<std::string_view> racks_seen;
};

}  // namespace

Replication Replication::from(const std::map<std::string, std::string>& options) {
    Replication replication;
    const auto name = options.find("class");
    if (name == options.end()) return replication;
    // "SimpleStrategy" or "org.apache.cassandra.locator.SimpleStrategy".
    const std::string_view simple_name = std::string_view(name->second).substr(name->second.rfind('.') + 1);
    if (simple_name == "SimpleStrategy") {
        const auto factor = options.find("replication_factor");
        replication.strategy = Strategy::simple;
        replication.factor = factor == options.end() ? 0 : replicas_in(factor->second);
    } else if (simple_name == "NetworkTopologyStrategy") {
        replication.strategy = Strategy::network_topology;
        for (const auto& [center, count] : options) {
            if (center != "class") replication.per_center[center] = replicas_in(count);
        }
    } else if (simple_name == "EverywhereStrategy") {
        replication.strategy = Strategy::everywhere;
    }
    return replication;
}

ReplicaMap::ReplicaMap(std::span<const Node> nodes, const Replication& replication) {
    if (replication.strategy == Replication::Strategy::everywhere) {
        for (std::size_t i = 0; i < nodes.size(); ++i) everywhere_.push_back(static_cast<NodeIndex>(i));
        return;
    }
    std::vector<RingToken> ring;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        for (const auto token : nodes[i].tokens) ring.push_back({token, static_cast<NodeIndex>(i)});
    }
    std::ranges::sort(ring, [](const auto& a, const auto& b) { return a.token < b.token; });

    std::map<std::string_view, std::size_t> nodes_in;
    std::map<std::string_view, std::set<std::string_view>> racks_in;
    for (const auto& node : nodes) {
        if (node.tokens.empty()) continue;
        ++nodes_in[node.datacenter];
        racks_in[node.datacenter].insert(node.rack);
    }
    const bool by_center = replication.strategy == Replication::Strategy::network_topology;
    std::map<std::string_view, Center> fresh;
    std::size_t all_wanted = std::min(replication.factor, nodes.size());
    if (by_center) {
        all_wanted = 0;
        for (const auto& [name, count] : replication.per_center) {
            const auto there = nodes_in.find(name);
            if (there == nodes_in.end()) continue;
            Center center;
            center.wanted = std::min(count, there->second);
            const auto racks = racks_in[name].size();
            center.repeats = count > racks ? count - racks : 0;
            all_wanted += center.wanted;
            fresh.emplace(name, std::move(center));
        }
    }

    std::vector<NodeIndex> found;
    for (std::size_t start = 0; start < ring.size(); ++start) {
        auto centers = fresh;
        found.clear();
        for (std::size_t step = 0; step < ring.size() && found.size() < all_wanted; ++step) {
            const auto index = ring[(start + step) % ring.size()].node;
            if (std::ranges::find(found, index) != found.end()) continue;
            if (by_center) {
                const auto at = centers.find(nodes[index].datacenter);
                if (at == centers.end() || at->second.wanted == 0) continue;
                auto& center = at->second;
                if (!center.racks_seen.insert(nodes[index].rack).second) {
                    if (center.repeats == 0) continue;
                    --center.repeats;
                }
                --center.wanted;
            }
            found.push_back(index);
        }
        ring_.push_back(ring[start].token);
        first_.push_back(static_cast<std::uint32_t>(replicas_.size()));
        replicas_.insert(replicas_.end(), found.begin(), found.end());
    }
    first_.push_back(static_cast<std::uint32_t>(replicas_.size()));
}

std::span<const NodeIndex> ReplicaMap::of(cql::Token token) const {
    if (ring_.empty()) return everywhere_;
    // A token ends its range: the first one at or above ours, or, past the last one, the first of all.
    auto at = std::ranges::lower_bound(ring_, token) - ring_.begin();
    if (at == std::ssize(ring_)) at = 0;
    const auto i = static_cast<std::size_t>(at);
    return std::span(replicas_).subspan(first_[i], first_[i + 1] - first_[i]);
}

TokenMap::TokenMap(std::span<const Node> nodes, const std::map<std::string, Replication>& keyspaces) {
    std::map<Replication, ReplicaMapPtr> made;
    for (const auto& [name, replication] : keyspaces) {
        if (replication.strategy == Replication::Strategy::other) continue;
        auto& map = made[replication];
        if (!map) map = std::make_shared<ReplicaMap>(nodes, replication);
        keyspaces_.emplace(name, map);
    }
}

ReplicaMapPtr TokenMap::keyspace(std::string_view name) const {
    const auto found = keyspaces_.find(name);
    return found == keyspaces_.end() ? nullptr : found->second;
}

}  // namespace penumbra::cluster
