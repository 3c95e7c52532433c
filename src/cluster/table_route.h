#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/token_map.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/types/uuid.h"

namespace penumbra::cluster {

struct Topology;

/// Where ScyllaDB keeps one tablet: the payload `tablets-routing-v1` of a response that came from the wrong place.
struct TabletHint {
    struct Replica {
        cql::Uuid host;
        std::uint32_t shard = 0;
        bool operator==(const Replica&) const = default;
    };
    cql::Token after;  ///< the tablet starts behind it
    cql::Token last;   ///< and ends with it
    std::vector<Replica> replicas;
};
/// Nothing where the payload holds no hint, or one that cannot be.
std::optional<TabletHint> read_tablet_hint(const cql::ResponsePrefix& prefix);

/// What a shard knows of the place of one table's rows. Made by Pool::table(), which keeps it up to date with the
/// cluster; one shard.
class TableRoute : public std::enable_shared_from_this<TableRoute> {
  public:
    struct Replica {
        NodeIndex node = 0;
        std::int32_t shard = -1;  ///< of the node; below zero: by the token
    };

    TableRoute(std::string keyspace, std::string table) : keyspace_(std::move(keyspace)), table_(std::move(table)) {}
    const std::string& keyspace() const { return keyspace_; }
    const std::string& table() const { return table_; }

    /// Calls `visit(Replica)` for each replica of the token; nothing where none is known.
    template <class F>
    void for_each_replica(cql::Token token, F visit) const {
        if (const auto* tablet = tablet_of(token)) {
            for (const auto& replica : tablet->replicas) {
                if (replica.known) visit(replica.at);
            }
            return;
        }
        if (!replicas_) return;
        for (const auto node : replicas_->of(token)) visit(Replica{node, -1});
    }

    /// For the Pool: what follows from a new topology or schema.
    void follow(const Topology& topology);
    /// For the Pool: a tablet takes the place of those that it overlaps.
    void learn(const TabletHint& hint, const Topology& topology);
    std::size_t tablets() const { return tablets_.size(); }

  private:
    struct TabletReplica {
        TabletHint::Replica said;
        Replica at;
        bool known = false;  ///< its host is in the topology
    };
    struct Tablet {
        cql::Token after;
        cql::Token last;
        std::vector<TabletReplica> replicas;
    };
    const Tablet* tablet_of(cql::Token token) const;
    static void place(Tablet& tablet, const Topology& topology);

    std::string keyspace_;
    std::string table_;
    ReplicaMapPtr replicas_;
    std::vector<Tablet> tablets_;  // by `last`; none overlap
};
using TableRoutePtr = std::shared_ptr<TableRoute>;

/// The token of the partition that an EXECUTE with these values is about. `key_columns`: for each column of the
/// partition key, in order, the bind marker that gives its value (PREPARED's pk_indices). Nothing where a value is
/// missing, null or unset, or where values are named: `names` then says the markers' names, in their order, and may be
/// empty where no client of ours names values. `scratch` is reused.
std::optional<cql::Token> routing_token(std::span<const std::uint16_t> key_columns, const cql::ValuesView& values,
                                        std::span<const std::string> names, Bytes& scratch);

}  // namespace penumbra::cluster
