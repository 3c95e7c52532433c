#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "cluster/connection.h"
#include "cql/types/token.h"
#include "runtime/async.h"

namespace penumbra::cluster {

class Pool;
struct PoolOptions;

/// The connections of one shard to one node for one GroupKey: opened when first wanted, kept up, reopened with a
/// growing pause. To a ScyllaDB node there is one for each of its own shards, by its shard-aware port where that can be
/// reached, and otherwise as chance gives them.
class NodeGroup final : Connection::Owner {
  public:
    NodeGroup(Pool& pool, Endpoint node, const GroupKey& key);
    ~NodeGroup();

    /// Which of a ScyllaDB node's shards the request is for; another takes it where there is no connection to that one.
    struct Place {
        const cql::Token* token = nullptr;
        std::int32_t shard = -1;  ///< known already; below zero: by the token
    };
    /// Sends at once, or waits for a connection that is being opened. An error means that it was not sent: the node is
    /// down, refuses us, or too many wait.
    Status submit(Request& request, const Place& place);
    void forget(Request& request);
    /// Opens what is missing, unless the pause after a failure lasts.
    void open_missing();
    /// The node is said to be up again: the pause ends.
    void try_now();
    /// From now on nothing new: those that wait look for another node, what is in flight may end.
    void stop_opening();
    /// Adds a connection that somebody else made.
    void adopt(std::unique_ptr<Connection> connection);

    std::size_t in_flight() const;
    std::size_t waiting() const { return waiting_.size(); }
    std::size_t connections() const { return connections_.size(); }
    bool is_up() const { return !connections_.empty(); }
    /// Not known to be down: worth trying.
    bool is_hopeful() const { return is_up() || failures_ == 0; }
    const Endpoint& node() const { return node_; }
    void close(const Error& why);

  private:
    void on_connection_lost(Connection& connection, const Error& why) override;
    void on_capacity(Connection& connection) override;
    void on_event(const cql::FrameView&) override {}
    void on_tablet(TableRoute& route, const TabletHint& hint) override;

    static Task<void> open_one(NodeGroup* group, std::shared_ptr<bool> alive, std::int32_t shard);
    void keep(std::unique_ptr<Connection> connection, std::int32_t wanted_shard);
    void attempt_failed(const Error& why, std::int32_t shard);
    void start_opening(std::int32_t shard);
    void learn_sharding(const Sharding& sharding);
    void drop_spares();
    Connection* for_place(const Place& place) const;
    bool send_now(Request& request, const Place& place);
    void drain_waiting();
    void fail_waiting(const Error& why);
    std::size_t wanted() const;

    Pool& pool_;
    Endpoint node_;
    const GroupKey key_;
    Log log_{"cluster"};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::size_t opening_ = 0;
    std::size_t next_ = 0;
    Request::WaitingList waiting_;
    unsigned failures_ = 0;
    SteadyTime retry_at_ = SteadyTime::min();
    TimerId retry_timer_ = 0;
    Error last_error_;
    bool closed_ = false;
    bool closed_to_new_ = false;

    // ScyllaDB: one connection per shard of the node.
    std::optional<Sharding> sharding_;
    std::vector<Connection*> by_shard_;
    std::vector<bool> opening_shard_;
    bool shard_port_works_ = true;
    std::size_t chances_left_ = 0;  ///< how many more connections by chance to try for the shards still missing

    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace penumbra::cluster
