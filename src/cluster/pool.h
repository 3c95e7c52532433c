#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/connection.h"
#include "cluster/topology.h"
#include "runtime/async.h"
#include "runtime/gate.h"

namespace penumbra::cluster {

struct PoolOptions {
    std::string cluster;  ///< "source", "target": for messages
    Credentials credentials;
    TlsContextPtr tls;                 ///< of every connection to this cluster; null: in clear
    std::size_t connections = 1;       ///< per node, shard, protocol version and keyspace
    std::size_t max_in_flight = 4096;  ///< per connection
    std::size_t max_waiting = 1024;    ///< requests that wait for a connection, per group
    Nanos connect_timeout = std::chrono::seconds(5);
    Nanos reconnect_after = std::chrono::milliseconds(200);  ///< doubled with each failure
    Nanos reconnect_at_most = std::chrono::seconds(10);
    Nanos idle_after = std::chrono::minutes(10);  ///< without requests a group other than the default closes
};

/// What connections of one group have in common.
struct GroupKey {
    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    std::string keyspace;
    auto operator<=>(const GroupKey&) const = default;
};

/// The connections of one shard to one node with one protocol version and keyspace: opened when first wanted, kept up,
/// reopened with a growing pause.
class ConnectionGroup final : Connection::Owner {
  public:
    ConnectionGroup(Endpoint node, GroupKey key, const PoolOptions& options, Gate& gate);
    ~ConnectionGroup();

    /// Sends at once, or waits for a connection that is being opened. An error means that it was not sent: the node is
    /// down or too many wait.
    Status submit(Request& request);
    void forget(Request& request);
    /// Opens what is missing, unless the pause after a failure lasts.
    void open_missing();
    /// From now on nothing new: those that wait are told so, what is in flight may end.
    void stop_opening();
    std::size_t in_flight() const;
    bool is_up() const { return !connections_.empty(); }
    /// Not known to be down: worth trying.
    bool is_hopeful() const { return is_up() || failures_ == 0; }
    void close();

  private:
    void on_connection_lost(Connection& connection, const Error& why) override;
    void on_capacity(Connection& connection) override;
    void on_event(const cql::FrameView&) override {}
    static Task<void> open_one(ConnectionGroup* group, std::shared_ptr<bool> alive);
    void drain_waiting();
    void fail_waiting(const Error& why);

    Endpoint node_;
    GroupKey key_;
    const PoolOptions& options_;
    Gate& gate_;
    Log log_{"cluster"};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::size_t opening_ = 0;
    std::size_t next_ = 0;
    std::deque<Request*> waiting_;
    unsigned failures_ = 0;
    SteadyTime retry_at_ = SteadyTime::min();
    TimerId retry_timer_ = 0;
    Error last_error_;
    bool closed_ = false;
    bool closed_to_new_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// One shard's way to all nodes of one cluster.
class Pool {
  public:
    explicit Pool(PoolOptions options);
    ~Pool();

    /// The nodes to use from now on; connections to others close once what is in flight on them has ended.
    void set_topology(TopologyPtr topology);
    const TopologyPtr& topology() const { return topology_; }

    struct Placement {
        GroupKey group;
        const Endpoint* node = nullptr;  ///< this node and no other
    };
    /// Sends the request to some node that is up (in turn), or, where none is, to one that may come up; or says why it
    /// was sent nowhere.
    Status submit(Request& request, const Placement& placement);

    std::size_t nodes_up() const;
    const PoolOptions& options() const { return options_; }
    /// Refuses new requests, closes all connections, waits for what was opening.
    Task<void> stop();

  private:
    static Task<void> retire(Pool* self, std::unique_ptr<ConnectionGroup> group);
    ConnectionGroup& group(const Endpoint& node, const GroupKey& key);

    PoolOptions options_;
    Gate gate_;
    StopSignal stop_;
    TopologyPtr topology_;
    std::vector<Endpoint> nodes_;  ///< of the local data centre
    std::map<Endpoint, std::map<GroupKey, std::unique_ptr<ConnectionGroup>>> groups_;
    std::size_t next_ = 0;
};

}  // namespace penumbra::cluster
