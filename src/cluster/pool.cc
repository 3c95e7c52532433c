#include "cluster/pool.h"

#include <algorithm>

#include <fmt/format.h>

namespace penumbra::cluster {

using namespace std::chrono_literals;

namespace {
constexpr Nanos kRetireWithin = 30s;  // longer than any request waits
constexpr Nanos kRetireLook = 20ms;
}  // namespace

ConnectionGroup::ConnectionGroup(Endpoint node, GroupKey key, const PoolOptions& options, Gate& gate)
    : node_(node), key_(std::move(key)), options_(options), gate_(gate) {}

ConnectionGroup::~ConnectionGroup() {
    close();
}

void ConnectionGroup::close() {
    if (closed_) return;
    closed_ = true;
    *alive_ = false;
    if (retry_timer_) Shard::here().cancel(retry_timer_);
    for (auto& connection : connections_) {
        connection->set_owner(nullptr);
        connection->close({Errc::shutting_down, fmt::format("connection to {} closed by us", to_string(node_))});
        Shard::here().dispose(std::move(connection));
    }
    connections_.clear();
    fail_waiting({Errc::shutting_down, fmt::format("connection to {} closed by us", to_string(node_))});
}

Status ConnectionGroup::submit(Request& request) {
    if (closed_ || closed_to_new_)
        return fail(Errc::shutting_down, fmt::format("pool of {} is closed", options_.cluster));
    if (connections_.size() + opening_ < options_.connections) open_missing();
    for (std::size_t tries = 0; tries < connections_.size(); ++tries) {
        next_ = (next_ + 1) % connections_.size();
        if (connections_[next_]->send(request)) return ok();
    }
    if (connections_.empty() && opening_ == 0) {
        return fail(Errc::unavailable,
                    fmt::format("{} node {} is down: {}", options_.cluster, to_string(node_), last_error_.what));
    }
    if (waiting_.size() >= options_.max_waiting) {
        return fail(Errc::overloaded, fmt::format("{} requests wait for {} node {}", waiting_.size(), options_.cluster,
                                                  to_string(node_)));
    }
    request.waiting_in_ = this;
    waiting_.push_back(&request);
    return ok();
}

void ConnectionGroup::stop_opening() {
    *alive_ = false;
    if (retry_timer_) Shard::here().cancel(retry_timer_);
    retry_timer_ = 0;
    opening_ = 0;
    closed_to_new_ = true;
    fail_waiting({Errc::unavailable,
                  fmt::format("{} is no node of the {} cluster any more", to_string(node_), options_.cluster)});
}

std::size_t ConnectionGroup::in_flight() const {
    std::size_t sum = 0;
    for (const auto& connection : connections_) sum += connection->in_flight();
    return sum;
}

void ConnectionGroup::forget(Request& request) {
    std::erase(waiting_, &request);
}

void ConnectionGroup::open_missing() {
    if (closed_ || closed_to_new_ || gate_.is_closed() || Shard::here().now() < retry_at_) return;
    // Counted before: an attempt that fails at once (no route, no descriptor) must not be made again in the same
    // breath.
    const auto there = connections_.size() + opening_;
    for (auto missing = options_.connections > there ? options_.connections - there : 0; missing > 0; --missing) {
        ++opening_;
        gate_.spawn(open_one(this, alive_));
    }
}

Task<void> ConnectionGroup::open_one(ConnectionGroup* group, std::shared_ptr<bool> alive) {
    ConnectionOptions options;
    options.version = group->key_.version;
    options.keyspace = group->key_.keyspace;
    options.max_in_flight = group->options_.max_in_flight;
    options.tls = group->options_.tls;
    if (!group->options_.credentials.empty()) options.sasl_token = group->options_.credentials.plain_token();
    const auto by = Deadline::in(Shard::here().clock(), group->options_.connect_timeout);
    auto opened = co_await Connection::open(group->node_, options, nullptr, by);
    if (!*alive) {
        if (opened) Shard::here().dispose(std::move(opened).value());
        co_return;
    }
    --group->opening_;
    if (opened) {
        opened.value()->set_owner(group);
        group->connections_.push_back(std::move(opened).value());
        group->failures_ = 0;
        group->drain_waiting();
        co_return;
    }
    group->last_error_ = opened.error();
    // A keyspace that does not exist is the request's error, not the node's: no pause, or a later CREATE would wait for
    // it.
    const bool refused =
        opened.error().code == Errc::server && opened.error().detail == static_cast<int>(cql::ErrorCode::invalid);
    if (!refused) {
        const auto pause = std::min<Nanos>(group->options_.reconnect_after * (1u << std::min(group->failures_, 10u)),
                                           group->options_.reconnect_at_most);
        ++group->failures_;
        group->retry_at_ = Shard::here().now() + pause;
        if (group->failures_ == 1) {
            group->log_.warn(
                "cannot reach a node; trying again",
                {kv("cluster", group->options_.cluster), kv("node", group->node_), kv("error", opened.error().what)});
        }
        // The timer follows retry_at_, which a second failure of several connections has moved; and it means what it
        // says even when it fires a moment before retry_at_ by the turn's clock.
        if (group->retry_timer_) Shard::here().cancel(group->retry_timer_);
        group->retry_timer_ = Shard::here().call_in(pause, [group] {
            group->retry_timer_ = 0;
            group->retry_at_ = SteadyTime::min();
            group->open_missing();
        });
    }
    if (group->connections_.empty() && group->opening_ == 0) group->fail_waiting(opened.error());
}

void ConnectionGroup::drain_waiting() {
    while (!waiting_.empty()) {
        auto* request = waiting_.front();
        bool sent = false;
        request->waiting_in_ = nullptr;
        for (auto& connection : connections_) {
            if (connection->send(*request)) {
                sent = true;
                break;
            }
        }
        if (!sent) {
            request->waiting_in_ = this;
            return;
        }
        waiting_.pop_front();
    }
}

void ConnectionGroup::fail_waiting(const Error& why) {
    auto waiting = std::exchange(waiting_, {});
    for (auto* request : waiting) request->waiting_in_ = nullptr;
    for (auto* request : waiting) request->on_failed(why, Applied::no);
}

void ConnectionGroup::on_connection_lost(Connection& connection, const Error& why) {
    const auto found = std::ranges::find_if(connections_, [&](const auto& one) { return one.get() == &connection; });
    if (found == connections_.end()) return;
    Shard::here().dispose(std::move(*found));
    connections_.erase(found);
    last_error_ = why;
    log_.warn("connection lost", {kv("cluster", options_.cluster), kv("node", node_), kv("error", why.what)});
    if (!closed_) open_missing();
}

void ConnectionGroup::on_capacity(Connection&) {
    drain_waiting();
}

Pool::Pool(PoolOptions options) : options_(std::move(options)) {}

Pool::~Pool() = default;

void Pool::set_topology(TopologyPtr topology) {
    topology_ = std::move(topology);
    nodes_.clear();
    for (const auto& node : topology_->nodes) {
        if (node.datacenter == topology_->local_datacenter) nodes_.push_back(node.endpoint);
    }
    std::sort(nodes_.begin(), nodes_.end());
    // Out of the map first: requests that wait there are told, and look for another node in it.
    std::vector<std::unique_ptr<ConnectionGroup>> leaving;
    for (auto at = groups_.begin(); at != groups_.end();) {
        if (std::ranges::find(nodes_, at->first) != nodes_.end()) {
            ++at;
            continue;
        }
        for (auto& [key, one] : at->second) leaving.push_back(std::move(one));
        at = groups_.erase(at);
    }
    for (auto& one : leaving) {
        one->stop_opening();
        gate_.spawn(retire(this, std::move(one)));
    }
}

Task<void> Pool::retire(Pool* self, std::unique_ptr<ConnectionGroup> group) {
    // A node that leaves the ring, or is known by another address from now on, answers what it was asked before.
    const auto by = Deadline::in(Shard::here().clock(), kRetireWithin);
    while (group->in_flight() > 0 && !self->stop_.requested() && !by.passed(Shard::here().now()))
        co_await sleep(kRetireLook, &self->stop_);
    group->close();
}

ConnectionGroup& Pool::group(const Endpoint& node, const GroupKey& key) {
    auto& slot = groups_[node][key];
    if (!slot) slot = std::make_unique<ConnectionGroup>(node, key, options_, gate_);
    return *slot;
}

Status Pool::submit(Request& request, const Placement& placement) {
    if (placement.node) return group(*placement.node, placement.group).submit(request);
    if (nodes_.empty())
        return fail(Errc::unavailable, fmt::format("no node of the {} cluster is known yet", options_.cluster));
    Status last = fail(Errc::unavailable, fmt::format("no node of the {} cluster is up", options_.cluster));
    // First those that are up: no request waits for a node that may never answer while another could have answered it.
    // Then those not known to be down, then the others: their pause may be over.
    enum class Try : std::uint8_t { up, hopeful, down };
    for (const auto now : {Try::up, Try::hopeful, Try::down}) {
        for (std::size_t tries = 0; tries < nodes_.size(); ++tries) {
            next_ = (next_ + 1) % nodes_.size();
            auto& candidate = group(nodes_[next_], placement.group);
            const auto is = candidate.is_up() ? Try::up : candidate.is_hopeful() ? Try::hopeful : Try::down;
            if (is != now) {
                if (now == Try::up) candidate.open_missing();
                continue;
            }
            last = candidate.submit(request);
            if (last) return last;
        }
    }
    return last;
}

std::size_t Pool::nodes_up() const {
    return static_cast<std::size_t>(std::ranges::count_if(groups_, [](const auto& entry) {
        return std::ranges::any_of(entry.second, [](const auto& one) { return one.second->is_up(); });
    }));
}

Task<void> Pool::stop() {
    gate_.close();
    stop_.request();
    for (auto& [node, by_key] : groups_) {
        for (auto& [key, one] : by_key) one->close();
    }
    co_await gate_.drained();
    groups_.clear();
}

}  // namespace penumbra::cluster
