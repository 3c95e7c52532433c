#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cluster/connection.h"
#include "cluster/identity.h"
#include "cluster/login.h"
#include "cluster/node_group.h"
#include "cluster/table_route.h"
#include "cluster/topology.h"
#include "runtime/async.h"
#include "runtime/gate.h"

namespace penumbra::cluster {

struct PoolOptions {
    std::string cluster;                                    ///< "source", "target": for messages
    Credentials credentials;                                ///< of the service user
    TlsContextPtr tls;                                      ///< of every connection to this cluster; null: in clear
    cql::Compression compression = cql::Compression::none;  ///< where nodes offer it
    std::size_t connections = 1;        ///< per node, shard and group; a ScyllaDB node has one per shard of its own
    std::size_t max_in_flight = 4096;   ///< per connection
    std::size_t max_unsent = 4u << 20;  ///< bytes that a node has not taken, per connection
    std::size_t max_waiting = 1024;     ///< requests that wait for a connection, per node and group
    std::size_t max_groups = 256;       ///< of clients' logins and keyspaces, that have connections at one time
    std::string max_groups_setting = "max-pools";  ///< what an operator calls that
    Nanos connect_timeout = std::chrono::seconds(5);
    Nanos reconnect_after = std::chrono::milliseconds(200);  ///< doubled with each failure
    Nanos reconnect_at_most = std::chrono::seconds(10);
    Nanos idle_after = std::chrono::minutes(10);  ///< without requests a group other than the default closes
    std::uint64_t seed = 0;                       ///< of the jitter; 0: of the clock
};

/// One identity, keyspace and protocol version on all nodes of a cluster: where a request's connection comes from.
/// Opened when first used, closed when idle; whoever holds it may use it again at any time. One shard.
class Group {
  public:
    const GroupKey& key() const { return key_; }
    bool is_open() const { return open_; }

  private:
    friend class Pool;
    explicit Group(GroupKey key) : key_(std::move(key)) {}
    /// Of no login and no keyspace: what our own work and most clients use.
    bool is_default() const { return !key_.login && key_.keyspace.empty(); }
    bool is_busy() const;

    GroupKey key_;
    bool open_ = false;  ///< it is in Pool::open_groups_
    SteadyTime last_used_;
    std::vector<std::unique_ptr<NodeGroup>> nodes_;  ///< by NodeIndex; null until wanted
};
using GroupPtr = std::shared_ptr<Group>;

/// One shard's way to all nodes of one cluster.
///
/// A caller asks once for its Group and for the TableRoutes of its statements, keeps both, and names them with each
/// request: submitting compares no strings and allocates nothing.
class Pool {
  public:
    explicit Pool(PoolOptions options);
    ~Pool();

    /// The nodes to use from now on; connections to others close once what is in flight on them has ended.
    void set_topology(TopologyPtr topology);
    const TopologyPtr& topology() const { return topology_; }
    /// What the cluster says of a node: one that it calls down is not chosen while another is up.
    void node_is(const Endpoint& node, bool up);
    /// Nobody has listened for a while: what was said of nodes may have changed.
    void forget_what_was_said();

    /// The one group of this key; made when it is new.
    GroupPtr group(const GroupKey& key);
    TableRoutePtr table(std::string_view keyspace, std::string_view table);

    struct Placement {
        Group* group = nullptr;
        TableRoute* table = nullptr;  ///< with `token`: a replica is asked, if one is up
        std::optional<cql::Token> token;
        const Endpoint* node = nullptr;  ///< this node and no other
    };
    /// Sends the request to the replica with the fewest requests in flight, else to some node that is up (in turn), or,
    /// where none is, to one that may come up; or says why it was sent nowhere. Only nodes of the local data centre.
    /// A request that waits for a connection which is not made moves to another node by itself.
    Status submit(Request& request, const Placement& placement);
    /// The same for callers that do not care for a look-up of the group.
    struct KeyedPlacement {
        GroupKey group;
        const Endpoint* node = nullptr;
    };
    Status submit(Request& request, const KeyedPlacement& placement);

    /// A connection that waits for a client's user and password: nothing is known of the client until it ends well.
    Task<Result<std::unique_ptr<LoginAttempt>>> begin_login(cql::ProtocolVersion version, Deadline by);
    /// All of it at once, for a login that is known (mapped credentials).
    Task<Result<LoginVerdict>> log_in(LoginPtr login, cql::ProtocolVersion version, Deadline by);

    std::size_t nodes_up() const;
    std::size_t groups_open() const { return open_groups_.size(); }
    const PoolOptions& options() const { return options_; }
    /// Refuses new requests, closes all connections, waits for what was opening.
    Task<void> stop();

    // For NodeGroup and LoginAttempt:
    Gate& gate() { return gate_; }
    ConnectionOptions connection_options(const GroupKey& key) const;
    /// The next one to wait after so many failures in a row, with jitter.
    Nanos pause_after(unsigned failures);
    std::uint64_t random();
    /// A request that waited was surely not sent: another node may do, or it fails.
    void not_sent(Request& request, const GroupKey& key, const Error& why);
    void learn(TableRoute& route, const TabletHint& hint);
    /// Keeps a connection that a client's login made, if its group has room for it.
    void adopt(const LoginPtr& login, std::unique_ptr<Connection> connection);

  private:
    struct NodeState {
        Endpoint endpoint;
        bool is_local = false;
        bool said_down = false;
    };

    static Task<void> retire(Pool* self, std::unique_ptr<NodeGroup> group);
    NodeGroup& at(Group& group, NodeIndex node) {
        if (auto& slot = group.nodes_[node]) [[likely]]
            return *slot;
        return make_node_group(group, node);
    }
    NodeGroup& make_node_group(Group& group, NodeIndex node);
    NodeGroup* replica_for(Group& group, const TableRoute& table, cql::Token token, NodeGroup::Place& place);
    Status submit_anywhere(Request& request, Group& group, const NodeGroup::Place& place, bool only_hopeful);
    Status submit_to(Request& request, Group& group, const Endpoint& node);
    Status open(Group& group);
    void close(Group& group);
    bool evict_one();
    void close_idle();

    PoolOptions options_;
    LoginPtr service_login_;
    Gate gate_;
    StopSignal stop_;
    TopologyPtr topology_;
    std::vector<NodeState> nodes_;        ///< by NodeIndex
    std::vector<NodeIndex> local_nodes_;  ///< of the local data centre
    std::vector<GroupPtr> open_groups_;
    std::map<GroupKey, std::weak_ptr<Group>> groups_;
    std::map<std::pair<std::string, std::string>, std::weak_ptr<TableRoute>> tables_;
    std::size_t next_ = 0;
    std::uint64_t random_;
    TimerId idle_timer_ = 0;
};

}  // namespace penumbra::cluster
