#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/session.h"
#include "cluster/table_route.h"
#include "runtime/endpoint.h"

namespace penumbra::cluster {

class Cluster;
class Pool;

/// What a shard's sessions know of one statement that they prepared.
struct SessionStatement {
    struct Ids {
        Bytes id;
        Bytes result_metadata_id;  ///< v5
    };
    /// What the node knows it by: nodes of one version agree, those of a cluster in the middle of an upgrade may not.
    const Ids& on(const Endpoint& node) const;
    void set(const Endpoint& node, Ids ids);

    Ids first;  ///< of the node that was asked first
    std::vector<std::pair<Endpoint, Ids>> others;
    std::vector<std::uint16_t> key_columns;
    TableRoutePtr table;
};

/// By version, keyspace and text. Shared by the sessions of one shard.
class SessionStatements {
  public:
    using Ptr = std::shared_ptr<SessionStatement>;
    Ptr find(const std::string& key) const;
    void put(const std::string& key, Ptr statement);

  private:
    std::unordered_map<std::string, Ptr> by_key_;
};

std::unique_ptr<Session> make_pool_session(Cluster& cluster, Pool& pool, SessionStatements& statements);

}  // namespace penumbra::cluster
