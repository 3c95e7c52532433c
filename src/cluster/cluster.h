#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/log.h"
#include "cluster/pool.h"
#include "cluster/pool_session.h"
#include "cluster/session.h"
#include "cluster/topology.h"
#include "cql/schema/schema.h"
#include "runtime/async.h"

namespace penumbra::cluster {

struct ClusterOptions {
    PoolOptions pool;
    std::vector<HostPort> contact_points;
    std::string local_datacenter;  ///< whose nodes are used; empty: that of the contact point which answers first
    Nanos request_timeout = std::chrono::seconds(10);  ///< of requests that bring no deadline of their own
    /// Asked on the control shard about each topology before it is used, where there is one: an error keeps the one of
    /// before, or the cluster unreachable.
    std::function<Status(const Topology&)> accept;
};

/// One CQL cluster: knows its nodes and schema through a control connection, and gives each shard its Pool and
/// Sessions.
///
/// The control connection lives on the control shard: it loads topology and schema, hears events, loads again, and
/// moves to another node when its own goes away. What it learned goes to every shard as an immutable snapshot.
class Cluster final : Connection::Owner {
  public:
    /// `shards`: all that will send requests to this cluster.
    Cluster(ClusterOptions options, Shard& control, std::vector<Shard*> shards);
    ~Cluster();

    /// Called on the control shard for each schema loaded, the first included; awaited before the load counts as done,
    /// so that whoever asked for a refresh knows that routing follows it.
    void on_schema(std::function<Task<void>(cql::SchemaPtr)> listener) { on_schema_ = std::move(listener); }
    /// Called on the control shard with each SCHEMA_CHANGE event frame, after on_schema().
    void on_schema_event(std::function<void(const Bytes& frame)> listener) { on_schema_event_ = std::move(listener); }

    /// On the control shard. Makes the pools, connects, loads. All contact points are tried at once, and again until
    /// the deadline or until one says what trying again does not change (a wrong password). The error then says of each
    /// why; trying goes on in the background all the same.
    Task<Status> start(Deadline by);
    /// On the control shard.
    Task<void> stop();

    /// Of the calling shard.
    Pool& pool();
    std::unique_ptr<Session> session();

    /// On the control shard: loads the schema anew and returns when every listener has it.
    Task<Status> refresh_schema();

    /// Any shard: waits until the nodes know one schema, or for the deadline, and says whether they do. A node that was
    /// lost before it learned the schema keeps the others from agreeing until it is back or removed, as everywhere.
    Task<bool> schema_agreed(Deadline by);

    /// Any shard: the schema as the nodes had it at `when` or later, loaded anew if it has changed. Costs nothing if
    /// somebody has looked since, else two small reads. Nodes that do not agree are waited for a while, those that did
    /// not in an earlier such wait (they are away) no more.
    Task<Result<cql::SchemaPtr>> schema_as_of(SteadyTime when, Deadline by);

    /// Any thread. Null, or without nodes, until the first load.
    cql::SchemaPtr schema() const;
    TopologyPtr topology() const;
    /// The newest protocol version that all its nodes speak: v5 from Cassandra 4.0 on, v4 on ScyllaDB and before.
    /// v4 until the first load.
    cql::ProtocolVersion newest_version() const { return newest_version_; }
    const ClusterOptions& options() const { return options_; }
    /// The authenticator's class when the nodes ask for authentication.
    std::optional<std::string> authenticator() const;
    const std::string& name() const { return options_.pool.cluster; }
    /// Whether the control connection is up now. Any thread.
    bool is_connected() const { return connected_; }

  private:
    /// What one shard has of this cluster.
    struct PerShard {
        Shard* shard;
        std::unique_ptr<Pool> pool;
        SessionStatements statements;
    };

    void on_connection_lost(Connection& connection, const Error& why) override;
    void on_capacity(Connection&) override {}
    void on_event(const cql::FrameView& frame) override;

    static Task<void> watch(Cluster* self);
    static Task<void> refresh_loop(Cluster* self);
    struct Race;
    static Task<void> race(Cluster* self, std::shared_ptr<Race> race, Endpoint to);
    Task<Result<std::unique_ptr<Connection>>> open_control(Endpoint to);
    Task<Result<std::unique_ptr<Connection>>> connect_to_any();
    Task<Status> connect_and_load();
    Task<Status> load_all();
    void tell_pools(std::function<void(Pool&)> what);
    Task<Result<std::vector<Endpoint>>> candidates();
    Task<Status> load_topology();
    struct LoadedSchema {
        cql::SchemaPtr schema;
        std::optional<cql::Uuid> version;
    };
    Task<Result<LoadedSchema>> load_schema();
    /// What the nodes say, as the one of the control connection knows it.
    struct SchemaVersions {
        cql::Uuid here;  ///< of that node itself
        std::set<cql::Uuid> all;
        bool agree() const { return all.size() <= 1; }
    };
    Task<Result<SchemaVersions>> read_schema_versions();
    Task<bool> wait_for_agreement(Deadline by);
    Task<Result<cql::SchemaPtr>> look_at_schema(SteadyTime when, Deadline by);
    cql::SchemaPtr schema_if_seen(SteadyTime when) const;
    Task<Result<cql::Rows>> read(std::string text);
    Task<void> publish_topology(TopologyPtr topology);
    PerShard& here();

    ClusterOptions options_;
    Shard& control_;
    std::vector<PerShard> shards_;
    Log log_{"cluster"};
    Gate gate_;
    StopSignal stop_;
    Worker resolver_{"resolver"};
    std::unique_ptr<Connection> connection_;
    std::function<Task<void>(cql::SchemaPtr)> on_schema_;
    std::function<void(const Bytes&)> on_schema_event_;
    std::map<std::string, Replication> replications_;  ///< by keyspace, as last read
    std::string why_not_;                              ///< what the last round of attempts failed of, by contact point
    std::vector<OneShot<Status>> refresh_waiters_;
    std::vector<Bytes> schema_events_;
    std::optional<cql::Uuid> schema_version_;  ///< of schema_; nothing: it may be of none
    std::set<cql::Uuid> disagreement_;         ///< that was waited for in vain
    bool refreshing_ = false;
    bool topology_dirty_ = false;
    OneShot<Unit> wake_;
    OneShot<Status> first_load_;
    std::atomic<bool> connected_{false};
    std::atomic<cql::ProtocolVersion> newest_version_{cql::ProtocolVersion::v4};

    mutable std::mutex mutex_;  // guards the four below: read by any thread, written by the control shard
    cql::SchemaPtr schema_;
    SteadyTime schema_seen_at_{};  ///< when it was the nodes' own, for all that is known
    TopologyPtr topology_;
    std::optional<std::string> authenticator_;
};

/// Puts a Schema together from the rows of system_schema.
Result<cql::SchemaPtr> build_schema(const cql::Rows& keyspaces, const cql::Rows& tables, const cql::Rows& columns,
                                    const cql::Rows& types, const cql::Rows& views);

}  // namespace penumbra::cluster
