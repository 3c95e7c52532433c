#include "cluster/node_group.h"

#include <algorithm>

#include <fmt/format.h>

#include "cluster/pool.h"
#include "cluster/table_route.h"

namespace penumbra::cluster {

namespace {

// Of the ephemeral range, so that no service of this machine listens there.
constexpr std::uint32_t kFirstSourcePort = 49152;
constexpr std::uint32_t kSourcePorts = 65536 - kFirstSourcePort;
constexpr int kSourcePortTries = 8;

/// The node refused what we said (user, keyspace), and not because it is in trouble.
bool is_refusal(const Error& error) {
    if (error.code != Errc::server) return false;
    const auto code = static_cast<cql::ErrorCode>(error.detail);
    return code == cql::ErrorCode::bad_credentials || code == cql::ErrorCode::unauthorized ||
           code == cql::ErrorCode::invalid;
}

}  // namespace

NodeGroup::NodeGroup(Pool& pool, Endpoint node, const GroupKey& key) : pool_(pool), node_(node), key_(key) {}

NodeGroup::~NodeGroup() {
    close({Errc::shutting_down, "pool destroyed"});
}

void NodeGroup::close(const Error& why) {
    if (closed_) return;
    closed_ = true;
    *alive_ = false;
    if (retry_timer_) Shard::here().cancel(retry_timer_);
    by_shard_.clear();
    for (auto& connection : std::exchange(connections_, {})) {
        connection->set_owner(nullptr);
        connection->close(why);
        Shard::here().dispose(std::move(connection));
    }
    fail_waiting(why);
}

std::size_t NodeGroup::wanted() const {
    return sharding_ ? std::max<std::size_t>(pool_.options().connections, sharding_->shards)
                     : pool_.options().connections;
}

Connection* NodeGroup::for_place(const Place& place) const {
    if (by_shard_.empty()) return nullptr;
    auto shard = place.shard;
    if (shard < 0 && place.token)
        shard = static_cast<std::int32_t>(cql::shard_of(*place.token, sharding_->shards, sharding_->ignore_msb));
    if (shard < 0 || static_cast<std::size_t>(shard) >= by_shard_.size()) return nullptr;
    return by_shard_[static_cast<std::size_t>(shard)];
}

bool NodeGroup::send_now(Request& request, const Place& place) {
    if (auto* owner = for_place(place); owner && owner->send(request)) return true;
    for (std::size_t tries = 0; tries < connections_.size(); ++tries) {
        if (++next_ >= connections_.size()) next_ = 0;
        if (connections_[next_]->send(request)) return true;
    }
    return false;
}

Status NodeGroup::submit(Request& request, const Place& place) {
    if (closed_ || closed_to_new_)
        return fail(Errc::shutting_down, fmt::format("pool of {} is closed", pool_.options().cluster));
    if (connections_.size() + opening_ < wanted()) open_missing();
    if (send_now(request, place)) return ok();
    if (connections_.empty() && opening_ == 0) {
        if (is_refusal(last_error_)) return fail(last_error_);
        return fail(Errc::unavailable,
                    fmt::format("{} node {} is down: {}", pool_.options().cluster, to_string(node_), last_error_.what));
    }
    if (waiting_.size() >= pool_.options().max_waiting) {
        return fail(Errc::overloaded, fmt::format("{} requests wait for {} node {}", waiting_.size(),
                                                  pool_.options().cluster, to_string(node_)));
    }
    request.waiting_in_ = this;
    waiting_.push_back(request);
    return ok();
}

void NodeGroup::stop_opening() {
    *alive_ = false;
    if (retry_timer_) Shard::here().cancel(retry_timer_);
    retry_timer_ = 0;
    opening_ = 0;
    closed_to_new_ = true;
    fail_waiting({Errc::unavailable,
                  fmt::format("{} is no node of the {} cluster any more", to_string(node_), pool_.options().cluster)});
}

std::size_t NodeGroup::in_flight() const {
    std::size_t sum = 0;
    for (const auto& connection : connections_) sum += connection->in_flight();
    return sum;
}

void NodeGroup::forget(Request& request) {
    waiting_.erase(waiting_.iterator_to(request));
}

// ---- opening

void NodeGroup::start_opening(std::int32_t shard) {
    ++opening_;
    if (shard >= 0) opening_shard_[static_cast<std::size_t>(shard)] = true;
    pool_.gate().spawn(open_one(this, alive_, shard));
}

void NodeGroup::open_missing() {
    if (closed_ || closed_to_new_ || pool_.gate().is_closed() || Shard::here().now() < retry_at_) return;
    if (!sharding_) {
        // Counted before: an attempt that fails at once (no route, no descriptor) must not be made again in the same
        // breath.
        const auto there = connections_.size() + opening_;
        const auto target = wanted();
        for (auto missing = target > there ? target - there : 0; missing > 0; --missing) start_opening(-1);
        return;
    }
    const auto port = pool_.options().tls ? sharding_->port_tls : sharding_->port;
    bool covered = true;
    for (std::size_t shard = 0; shard < by_shard_.size(); ++shard) {
        if (by_shard_[shard] || opening_shard_[shard]) continue;
        covered = false;
        if (port != 0 && shard_port_works_) start_opening(static_cast<std::int32_t>(shard));
    }
    // By chance: one after another, as the node gives a new one to the shard that has the fewest.
    if (!covered && (port == 0 || !shard_port_works_) && opening_ == 0 && (chances_left_ > 0 || connections_.empty())) {
        if (chances_left_ > 0) --chances_left_;
        start_opening(-1);
    }
}

Task<void> NodeGroup::open_one(NodeGroup* group, std::shared_ptr<bool> alive, std::int32_t shard) {
    auto& pool = group->pool_;
    auto options = pool.connection_options(group->key_);
    auto to = group->node_;
    const auto by = Deadline::in(Shard::here().clock(), pool.options().connect_timeout);
    std::optional<Result<std::unique_ptr<Connection>>> opened;
    if (shard < 0) {
        auto result = co_await Connection::open(to, options, nullptr, by);
        opened.emplace(std::move(result));
    } else {
        const auto& sharding = *group->sharding_;
        const auto shards = sharding.shards;
        const auto port = pool.options().tls ? sharding.port_tls : sharding.port;
        to = Endpoint::from_address(to.address(), port).value();
        for (int tries = 0; tries < kSourcePortTries; ++tries) {
            // Somewhere in the range, then up to the next port that the node maps to this shard.
            const auto some = static_cast<std::uint32_t>(pool.random() % (kSourcePorts - shards));
            const auto from = kFirstSourcePort + some;
            const auto source = from + (static_cast<std::uint32_t>(shard) + shards - from % shards) % shards;
            options.source_port = static_cast<std::uint16_t>(source);
            auto result = co_await Connection::open(to, options, nullptr, by);
            const bool taken = !result && result.error().code == Errc::io;
            opened.emplace(std::move(result));
            if (!taken || !*alive) break;
        }
    }
    if (!*alive) {
        if (*opened) Shard::here().dispose(std::move(*opened).value());
        co_return;
    }
    --group->opening_;
    if (shard >= 0 && static_cast<std::size_t>(shard) < group->opening_shard_.size())
        group->opening_shard_[static_cast<std::size_t>(shard)] = false;
    if (*opened) {
        group->keep(std::move(*opened).value(), shard);
    } else {
        group->attempt_failed(opened->error(), shard);
    }
}

void NodeGroup::adopt(std::unique_ptr<Connection> connection) {
    if (closed_ || closed_to_new_ || connections_.size() + opening_ >= wanted()) {
        Shard::here().dispose(std::move(connection));
        return;
    }
    keep(std::move(connection), -1);
}

void NodeGroup::keep(std::unique_ptr<Connection> connection, std::int32_t wanted_shard) {
    connection->set_owner(this);
    connection->stands_for(node_);  // also where it ends at the shard-aware port
    failures_ = 0;
    retry_at_ = SteadyTime::min();
    auto* made = connection.get();
    connections_.push_back(std::move(connection));
    if (const auto& says = made->supported().sharding) {
        learn_sharding(*says);
        // Something between us and the node changes source ports: the port is of no use.
        if (wanted_shard >= 0 && says->shard != static_cast<std::uint32_t>(wanted_shard)) shard_port_works_ = false;
        auto& slot = by_shard_[says->shard];
        if (!slot) slot = made;
        drop_spares();
    }
    drain_waiting();
    if (sharding_) open_missing();
}

void NodeGroup::learn_sharding(const Sharding& sharding) {
    if (sharding_ && sharding_->shards == sharding.shards) {
        sharding_->ignore_msb = sharding.ignore_msb;
        return;
    }
    // New, or the node came back with another number of cores: what the old connections said of themselves still holds
    // for their numbers, but they are few and will be replaced as they end.
    sharding_ = sharding;
    by_shard_.assign(sharding.shards, nullptr);
    opening_shard_.assign(sharding.shards, false);
    chances_left_ = 2 * std::size_t{sharding.shards};
    for (const auto& one : connections_) {
        const auto& says = one->supported().sharding;
        if (says && says->shards == sharding.shards && !by_shard_[says->shard]) by_shard_[says->shard] = one.get();
    }
}

void NodeGroup::drop_spares() {
    if (connections_.size() <= wanted() || std::ranges::count(by_shard_, nullptr) > 0) return;
    for (std::size_t i = 0; i < connections_.size() && connections_.size() > wanted();) {
        auto* one = connections_[i].get();
        if (one->in_flight() > 0 || std::ranges::find(by_shard_, one) != by_shard_.end()) {
            ++i;
            continue;
        }
        one->set_owner(nullptr);
        Shard::here().dispose(std::move(connections_[i]));
        connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void NodeGroup::attempt_failed(const Error& why, std::int32_t shard) {
    if (shard >= 0 && is_up()) {
        // The shard-aware port is closed to us, the ordinary one is not.
        if (shard_port_works_) {
            shard_port_works_ = false;
            log_.info("no way to the shard-aware port; connections go to the node's shards by chance",
                      {kv("cluster", pool_.options().cluster), kv("node", node_), kv("error", why.what)});
        }
        open_missing();
        return;
    }
    last_error_ = why;
    // A keyspace that does not exist is the request's error, not the node's: no pause, or a later CREATE would wait for
    // it. A password that is wrong does not become right by trying: the pause keeps us from asking for each request.
    const bool no_keyspace = why.code == Errc::server && why.detail == static_cast<int>(cql::ErrorCode::invalid);
    if (!no_keyspace) {
        const auto pause = pool_.pause_after(failures_);
        ++failures_;
        retry_at_ = Shard::here().now() + pause;
        if (failures_ == 1) {
            log_.warn("cannot use a node; trying again",
                      {kv("cluster", pool_.options().cluster), kv("node", node_), kv("error", why.what)});
        }
        // The timer follows retry_at_, which a second failure of several connections has moved; and it means what it
        // says even when it fires a moment before retry_at_ by the turn's clock.
        if (retry_timer_) Shard::here().cancel(retry_timer_);
        retry_timer_ = Shard::here().call_in(pause, [this] {
            retry_timer_ = 0;
            retry_at_ = SteadyTime::min();
            // Refused as a user, the next request asks again; nobody else does.
            if (!is_refusal(last_error_)) open_missing();
        });
    }
    if (connections_.empty() && opening_ == 0) fail_waiting(why);
}

void NodeGroup::try_now() {
    if (closed_ || closed_to_new_) return;
    if (retry_timer_) Shard::here().cancel(retry_timer_);
    retry_timer_ = 0;
    retry_at_ = SteadyTime::min();
    shard_port_works_ = true;
    if (sharding_) chances_left_ = 2 * std::size_t{sharding_->shards};
    open_missing();
}

// ---- what happens to connections

void NodeGroup::drain_waiting() {
    while (!waiting_.empty()) {
        auto& request = waiting_.front();
        request.waiting_in_ = nullptr;
        if (!send_now(request, {})) {
            request.waiting_in_ = this;
            return;
        }
        waiting_.pop_front();
    }
}

void NodeGroup::fail_waiting(const Error& why) {
    // One at a time, those that wait now: what one is told may cancel another, or bring a new one.
    const Error reason = why;
    for (auto left = waiting_.size(); left > 0 && !waiting_.empty(); --left) {
        auto& request = waiting_.front();
        waiting_.pop_front();
        request.waiting_in_ = nullptr;
        pool_.not_sent(request, key_, reason);
    }
}

void NodeGroup::on_connection_lost(Connection& connection, const Error& why) {
    std::ranges::replace(by_shard_, &connection, static_cast<Connection*>(nullptr));
    const auto found = std::ranges::find_if(connections_, [&](const auto& one) { return one.get() == &connection; });
    if (found == connections_.end()) return;
    Shard::here().dispose(std::move(*found));
    connections_.erase(found);
    last_error_ = why;
    log_.warn("connection lost", {kv("cluster", pool_.options().cluster), kv("node", node_), kv("error", why.what)});
    if (closed_) return;
    open_missing();
    if (connections_.empty() && opening_ == 0) fail_waiting(why);
}

void NodeGroup::on_capacity(Connection&) {
    drain_waiting();
}

void NodeGroup::on_tablet(TableRoute& route, const TabletHint& hint) {
    pool_.learn(route, hint);
}

}  // namespace penumbra::cluster
