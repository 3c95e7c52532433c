#include "cluster/pool.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/protocol/responses.h"

namespace penumbra::cluster {

using namespace std::chrono_literals;

namespace {
constexpr Nanos kRetireWithin = 30s;  // longer than any request waits
constexpr Nanos kRetireLook = 20ms;   // nobody waits for it, so the hot path need not tell
}  // namespace

bool Group::is_busy() const {
    return std::ranges::any_of(nodes_,
                               [](const auto& one) { return one && (one->in_flight() > 0 || one->waiting() > 0); });
}

Pool::Pool(PoolOptions options)
    : options_(std::move(options)),
      random_(options_.seed != 0 ? options_.seed
                                 : static_cast<std::uint64_t>(Shard::here().clock().now().time_since_epoch().count())) {
    if (!options_.credentials.empty()) service_login_ = plain_login(options_.credentials);
    idle_timer_ = Shard::here().call_in(options_.idle_after / 2, [this] { close_idle(); });
}

Pool::~Pool() {
    if (idle_timer_) Shard::here().cancel(idle_timer_);
}

std::uint64_t Pool::random() {
    // SplitMix64: nothing secret hangs on it.
    random_ += 0x9e3779b97f4a7c15ULL;
    auto z = random_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

Nanos Pool::pause_after(unsigned failures) {
    const auto pause =
        std::min<Nanos>(options_.reconnect_after * (1u << std::min(failures, 10u)), options_.reconnect_at_most);
    // Between three quarters and all of it: the shards of many proxies do not come back in one moment.
    return pause - Nanos(static_cast<Nanos::rep>(random() % (static_cast<std::uint64_t>(pause.count()) / 4 + 1)));
}

ConnectionOptions Pool::connection_options(const GroupKey& key) const {
    ConnectionOptions options;
    options.version = key.version;
    options.keyspace = key.keyspace;
    options.max_in_flight = options_.max_in_flight;
    options.max_unsent = options_.max_unsent;
    options.compression = options_.compression;
    options.tls = options_.tls;
    options.login = key.login ? key.login : service_login_;
    return options;
}

// ---- nodes

void Pool::set_topology(TopologyPtr topology) {
    topology_ = std::move(topology);
    auto before = std::exchange(nodes_, {});
    local_nodes_.clear();
    for (std::size_t i = 0; i < topology_->nodes.size(); ++i) {
        const auto& node = topology_->nodes[i];
        nodes_.push_back({node.endpoint, node.datacenter == topology_->local_datacenter, false});
        if (nodes_.back().is_local) local_nodes_.push_back(static_cast<NodeIndex>(i));
        const auto known = std::ranges::find(before, node.endpoint, &NodeState::endpoint);
        if (known != before.end()) nodes_.back().said_down = known->said_down;
    }
    // Out of the groups first: requests that wait there look for another node in them.
    std::vector<std::unique_ptr<NodeGroup>> leaving;
    for (auto& group : open_groups_) {
        auto had = std::exchange(group->nodes_, {});
        group->nodes_.resize(nodes_.size());
        for (auto& one : had) {
            if (!one) continue;
            const auto found = std::ranges::find(nodes_, one->node(), &NodeState::endpoint);
            if (found != nodes_.end() && found->is_local) {
                group->nodes_[static_cast<std::size_t>(found - nodes_.begin())] = std::move(one);
            } else {
                leaving.push_back(std::move(one));
            }
        }
    }
    for (auto at = tables_.begin(); at != tables_.end();) {
        if (const auto table = at->second.lock()) {
            table->follow(*topology_);
            ++at;
        } else {
            at = tables_.erase(at);
        }
    }
    for (auto& one : leaving) {
        one->stop_opening();
        gate_.spawn(retire(this, std::move(one)));
    }
}

Task<void> Pool::retire(Pool* self, std::unique_ptr<NodeGroup> group) {
    // A node that leaves the ring, or is known by another address from now on, answers what it was asked before.
    const auto by = Deadline::in(Shard::here().clock(), kRetireWithin);
    while (group->in_flight() > 0 && !self->stop_.requested() && !by.passed(Shard::here().now()))
        co_await sleep(kRetireLook, &self->stop_);
    group->close({Errc::shutting_down, fmt::format("connection to {} closed by us", to_string(group->node()))});
}

void Pool::node_is(const Endpoint& node, bool up) {
    const auto found = std::ranges::find(nodes_, node, &NodeState::endpoint);
    if (found == nodes_.end()) return;
    found->said_down = !up;
    if (!up) return;
    for (auto& group : open_groups_) {
        if (auto& one = group->nodes_[static_cast<std::size_t>(found - nodes_.begin())]) one->try_now();
    }
}

void Pool::forget_what_was_said() {
    for (auto& node : nodes_) node.said_down = false;
}

TableRoutePtr Pool::table(std::string_view keyspace, std::string_view table) {
    auto& slot = tables_[{std::string(keyspace), std::string(table)}];
    auto route = slot.lock();
    if (!route) {
        route = std::make_shared<TableRoute>(std::string(keyspace), std::string(table));
        if (topology_) route->follow(*topology_);
        slot = route;
    }
    return route;
}

void Pool::learn(TableRoute& route, const TabletHint& hint) {
    if (topology_) route.learn(hint, *topology_);
}

// ---- groups

GroupPtr Pool::group(const GroupKey& key) {
    auto& slot = groups_[key];
    auto group = slot.lock();
    if (!group) {
        group = GroupPtr(new Group(key));
        slot = group;
    }
    return group;
}

Status Pool::open(Group& group) {
    if (gate_.is_closed()) return fail(Errc::shutting_down, fmt::format("pool of {} is closed", options_.cluster));
    if (!group.is_default()) {
        const auto counted = static_cast<std::size_t>(
            std::ranges::count_if(open_groups_, [](const auto& one) { return !one->is_default(); }));
        if (counted >= options_.max_groups && !evict_one()) {
            return fail(Errc::overloaded,
                        fmt::format("{} pools of the {} cluster, one per user and keyspace, are all in use; "
                                    "--{} allows more",
                                    counted, options_.cluster, options_.max_groups_setting));
        }
    }
    const auto known = groups_.find(group.key_);
    ASSERT(known != groups_.end());
    group.nodes_.resize(nodes_.size());
    group.open_ = true;
    open_groups_.push_back(known->second.lock());
    return ok();
}

void Pool::close(Group& group) {
    const auto at = std::ranges::find_if(open_groups_, [&](const auto& one) { return one.get() == &group; });
    ASSERT(at != open_groups_.end());
    const auto hold = std::move(*at);
    open_groups_.erase(at);
    group.open_ = false;
    for (auto& one : std::exchange(group.nodes_, {})) {
        if (!one) continue;
        one->close({Errc::shutting_down, fmt::format("idle connection to {} closed by us", to_string(one->node()))});
        Shard::here().dispose(std::move(one));
    }
}

bool Pool::evict_one() {
    Group* oldest = nullptr;
    for (const auto& one : open_groups_) {
        if (one->is_default() || one->is_busy()) continue;
        if (!oldest || one->last_used_ < oldest->last_used_) oldest = one.get();
    }
    if (oldest) close(*oldest);
    return oldest != nullptr;
}

void Pool::close_idle() {
    idle_timer_ = Shard::here().call_in(options_.idle_after / 2, [this] { close_idle(); });
    const auto before = Shard::here().now() - options_.idle_after;
    std::vector<GroupPtr> idle;
    for (const auto& one : open_groups_) {
        if (!one->is_default() && !one->is_busy() && one->last_used_ <= before) idle.push_back(one);
    }
    for (const auto& one : idle) close(*one);
    idle.clear();
    std::erase_if(groups_, [](const auto& entry) { return entry.second.expired(); });
}

NodeGroup& Pool::make_node_group(Group& group, NodeIndex node) {
    auto& slot = group.nodes_[node];
    if (!slot) slot = std::make_unique<NodeGroup>(*this, nodes_[node].endpoint, group.key_);
    return *slot;
}

void Pool::adopt(const LoginPtr& login, std::unique_ptr<Connection> connection) {
    const auto found = std::ranges::find(nodes_, connection->peer(), &NodeState::endpoint);
    const auto mine = group({connection->options().version, {}, login});
    if (found == nodes_.end() || !found->is_local || (!mine->open_ && !open(*mine))) {
        Shard::here().dispose(std::move(connection));
        return;
    }
    mine->last_used_ = Shard::here().now();
    at(*mine, static_cast<NodeIndex>(found - nodes_.begin())).adopt(std::move(connection));
}

// ---- requests

NodeGroup* Pool::replica_for(Group& group, const TableRoute& table, cql::Token token, NodeGroup::Place& place) {
    NodeGroup* best = nullptr;
    std::size_t fewest = 0;
    std::size_t equals = 0;
    table.for_each_replica(token, [&](const TableRoute::Replica& replica) {
        if (replica.node >= nodes_.size() || !nodes_[replica.node].is_local) return;
        auto& candidate = at(group, replica.node);
        if (!candidate.is_up()) {
            candidate.open_missing();
            return;
        }
        if (nodes_[replica.node].said_down) return;
        const auto load = candidate.in_flight();
        // Among equals each has the same chance.
        if (best && load > fewest) return;
        equals = best && load == fewest ? equals + 1 : 1;
        if (equals > 1 && random() % equals != 0) return;
        best = &candidate;
        fewest = load;
        place.shard = replica.shard;
    });
    return best;
}

Status Pool::submit(Request& request, const KeyedPlacement& placement) {
    const auto found = group(placement.group);
    return submit(request, Placement{found.get(), nullptr, std::nullopt, placement.node});
}

Status Pool::submit(Request& request, const Placement& placement) {
    auto& group = *placement.group;
    group.last_used_ = Shard::here().now();
    if (!group.open_) {
        TRY(open(group));
    }
    request.one_node_only_ = placement.node != nullptr;
    if (placement.node) return submit_to(request, group, *placement.node);
    NodeGroup::Place place;
    if (placement.token && placement.table) {
        place.token = &*placement.token;
        if (topology_ && topology_->tablets) request.learns_ = placement.table->shared_from_this();
        if (auto* replica = replica_for(group, *placement.table, *placement.token, place)) {
            if (auto sent = replica->submit(request, place)) return sent;
        }
        // Not a replica: its shards hold other rows.
        place = {};
    }
    return submit_anywhere(request, group, place, false);
}

Status Pool::submit_to(Request& request, Group& group, const Endpoint& node) {
    const auto found = std::ranges::find(nodes_, node, &NodeState::endpoint);
    if (found == nodes_.end()) {
        return fail(Errc::unavailable,
                    fmt::format("{} is no node of the {} cluster any more", to_string(node), options_.cluster));
    }
    return at(group, static_cast<NodeIndex>(found - nodes_.begin())).submit(request, {});
}

Status Pool::submit_anywhere(Request& request, Group& group, const NodeGroup::Place& place, bool only_hopeful) {
    if (local_nodes_.empty())
        return fail(Errc::unavailable, fmt::format("no node of the {} cluster is known yet", options_.cluster));
    // First those that are up: no request waits for a node that may never answer while another could have answered it.
    // Then those not known to be down, then the others: their pause may be over.
    enum class Try : std::uint8_t { up, hopeful, down };
    std::optional<Error> last;
    for (const auto now : {Try::up, Try::hopeful, Try::down}) {
        if (now == Try::down && only_hopeful) break;
        for (std::size_t tries = 0; tries < local_nodes_.size(); ++tries) {
            const auto node = local_nodes_[++next_ % local_nodes_.size()];
            auto& candidate = at(group, node);
            const bool said_down = nodes_[node].said_down;
            const auto is = candidate.is_up() && !said_down        ? Try::up
                            : candidate.is_up()                    ? Try::hopeful
                            : candidate.is_hopeful() && !said_down ? Try::hopeful
                                                                   : Try::down;
            if (is != now) {
                if (now == Try::up) candidate.open_missing();
                continue;
            }
            auto sent = candidate.submit(request, place);
            if (sent) return sent;
            last = std::move(sent).error();
        }
    }
    if (last) return fail(std::move(*last));
    return fail(Errc::unavailable, fmt::format("no node of the {} cluster is up", options_.cluster));
}

void Pool::not_sent(Request& request, const GroupKey& key, const Error& why) {
    // Refused for what we said: the next node would say the same.
    if (!request.one_node_only_ && why.code != Errc::server && !gate_.is_closed()) {
        const auto group = this->group(key);
        if (group->open_) {
            const auto sent = submit_anywhere(request, *group, {}, true);
            if (sent) return;
        }
    }
    request.learns_ = nullptr;
    request.on_failed(why, Applied::no);
}

std::size_t Pool::nodes_up() const {
    std::size_t up = 0;
    for (const auto node : local_nodes_) {
        up += std::ranges::any_of(open_groups_, [&](const auto& group) {
            const auto& one = group->nodes_[node];
            return one && one->is_up();
        });
    }
    return up;
}

// ---- logins

Task<Result<std::unique_ptr<LoginAttempt>>> Pool::begin_login(cql::ProtocolVersion version, Deadline by) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return fail(Errc::shutting_down, fmt::format("pool of {} is closed", options_.cluster));
    if (local_nodes_.empty())
        co_return fail(Errc::unavailable, fmt::format("no node of the {} cluster is known yet", options_.cluster));
    std::optional<Error> last;
    // Those that are up for anybody come first; what we know may be old, so each of the others has its chance too.
    std::vector<Endpoint> order;
    for (const bool want_up : {true, false}) {
        for (std::size_t i = 0; i < local_nodes_.size(); ++i) {
            const auto node = local_nodes_[(next_ + i) % local_nodes_.size()];
            const bool up = !nodes_[node].said_down && std::ranges::any_of(open_groups_, [&](const auto& group) {
                return group->nodes_[node] && group->nodes_[node]->is_up();
            });
            if (up == want_up) order.push_back(nodes_[node].endpoint);
        }
    }
    ++next_;
    for (const auto& endpoint : order) {
        const auto options = connection_options({version, {}, {}});
        const auto soon = by.or_sooner(Deadline::in(Shard::here().clock(), options_.connect_timeout));
        auto greeted = co_await Connection::greet(endpoint, options, soon);
        if (greeted) co_return std::make_unique<LoginAttempt>(*this, std::move(greeted).value());
        last = std::move(greeted).error();
        if (stop_.requested() || by.passed(Shard::here().now())) break;
    }
    co_return fail(std::move(*last));
}

Task<Result<LoginVerdict>> Pool::log_in(LoginPtr login, cql::ProtocolVersion version, Deadline by) {
    auto begun = co_await begin_login(version, by);
    CO_TRY(const auto attempt, std::move(begun));
    LoginVerdict verdict;
    if (!attempt->authenticator()) {
        verdict.accepted = true;
        cql::ResponseHead head;
        head.version = version;
        cql::encode_ready(verdict.frame, head);
        co_return verdict;
    }
    for (const auto& token : login->tokens) {
        auto answered = co_await attempt->answer(token, by);
        CO_TRY(auto answer, std::move(answered));
        verdict.frame = std::move(answer);
        auto viewed = cql::view_frame(verdict.frame, cql::Direction::response);
        CO_TRY(const auto frame, std::move(viewed));
        if (frame.header.opcode != cql::Opcode::auth_challenge) break;
    }
    verdict.accepted = attempt->finish() != nullptr;
    co_return verdict;
}

Task<void> Pool::stop() {
    gate_.close();
    stop_.request();
    if (idle_timer_) Shard::here().cancel(std::exchange(idle_timer_, 0));
    const auto groups = open_groups_;
    for (const auto& group : groups) {
        for (auto& one : group->nodes_) {
            if (one)
                one->close({Errc::shutting_down, fmt::format("connection to {} closed by us", to_string(one->node()))});
        }
    }
    co_await gate_.drained();
    for (const auto& group : groups) close(*group);
}

}  // namespace penumbra::cluster
