#include "cluster/cluster.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cql/protocol/requests.h"

namespace penumbra::cluster {

using namespace std::chrono_literals;

/// Nodes do not tell when they agree: they have to be asked.
constexpr Nanos kAgreementLook = 50ms;
/// How long schema_as_of() waits for nodes that do not agree.
constexpr Nanos kDisagreementPatience = 5s;

Cluster::Cluster(ClusterOptions options, Shard& control, std::vector<Shard*> shards)
    : options_(std::move(options)), control_(control) {
    for (auto* shard : shards) shards_.push_back({shard, nullptr, {}});
}

Cluster::~Cluster() = default;

Cluster::PerShard& Cluster::here() {
    auto* shard = &Shard::here();
    const auto found = std::ranges::find(shards_, shard, &PerShard::shard);
    ASSERT(found != shards_.end());
    return *found;
}

Pool& Cluster::pool() {
    return *here().pool;
}

cql::SchemaPtr Cluster::schema() const {
    const std::lock_guard lock(mutex_);
    return schema_;
}

TopologyPtr Cluster::topology() const {
    const std::lock_guard lock(mutex_);
    return topology_;
}

std::optional<std::string> Cluster::authenticator() const {
    const std::lock_guard lock(mutex_);
    return authenticator_;
}

Task<Status> Cluster::start(Deadline by) {
    ASSERT(control_.is_here());
    for (auto& one : shards_) {
        auto* slot = &one;
        auto make = [slot, options = options_.pool] {
            slot->pool = std::make_unique<Pool>(options);
            return Unit{};
        };
        co_await call_on(*one.shard, std::move(make));
    }
    gate_.spawn(watch(this));
    const auto first = first_load_;
    const auto timer = control_.call_at(by.at, [first, this] {
        std::string asked;
        for (const auto& contact : options_.contact_points)
            asked += fmt::format("{}{}:{}", asked.empty() ? "" : ", ", contact.host, contact.port);
        first.set(fail(Errc::unavailable,
                       why_not_.empty()
                           ? fmt::format("the {} cluster did not answer in time at {}; is it up, and does it speak "
                                         "CQL there?",
                                         name(), asked)
                           : why_not_));
    });
    auto loaded = co_await first;
    control_.cancel(timer);
    co_return loaded;
}

std::unique_ptr<Session> Cluster::session() {
    auto& mine = here();
    return make_pool_session(*this, *mine.pool, mine.statements);
}

namespace {
/// What trying again in a moment does not change: somebody has to act.
bool is_lasting(const Error& error) {
    switch (error.code) {
        case Errc::invalid_argument:
        case Errc::unsupported:
        case Errc::conflict:
            return true;
        case Errc::server:
            return error.detail == static_cast<int>(cql::ErrorCode::bad_credentials) ||
                   error.detail == static_cast<int>(cql::ErrorCode::unauthorized);
        default:
            return false;
    }
}
}  // namespace

namespace {
Task<Unit> stop_pool(std::unique_ptr<Pool>* pool) {
    if (*pool) {
        co_await (*pool)->stop();
        pool->reset();
    }
    co_return Unit{};
}
}  // namespace

Task<void> Cluster::stop() {
    gate_.close();
    stop_.request();
    wake_.set(Unit{});
    if (connection_) {
        connection_->set_owner(nullptr);
        connection_->close({Errc::shutting_down, "stopping"});
    }
    co_await gate_.drained();
    if (connection_) Shard::here().dispose(std::move(connection_));
    for (auto& one : shards_) {
        auto* slot = &one;
        UniqueFunction<Task<Unit>()> stop_it = [slot] { return stop_pool(&slot->pool); };
        co_await run_on<Unit>(*one.shard, std::move(stop_it));
    }
}

Task<void> Cluster::watch(Cluster* self) {
    Nanos pause = 200ms;
    while (!self->stop_.requested()) {
        auto loaded = co_await self->connect_and_load();
        if (!loaded) {
            if (self->stop_.requested()) break;
            self->log_.warn("no control connection; trying again",
                            {kv("cluster", self->name()), kv("error", loaded.error().what)});
            self->why_not_ = loaded.error().what;
            if (is_lasting(loaded.error())) self->first_load_.set(fail(loaded.error()));
            co_await sleep(pause, &self->stop_);
            pause = std::min<Nanos>(pause * 2, 5s);
            continue;
        }
        pause = 200ms;
        self->connected_ = true;
        self->first_load_.set(ok());
        // Up: sleep until the connection is lost or something changed, and settle for a moment, as changes come in
        // flocks.
        while (!self->stop_.requested() && self->connection_ && self->connection_->is_open()) {
            self->wake_ = {};
            if (!self->topology_dirty_ && self->schema_events_.empty()) co_await self->wake_;
            if (self->stop_.requested() || !self->connection_ || !self->connection_->is_open()) break;
            co_await sleep(20ms, &self->stop_);
            if (std::exchange(self->topology_dirty_, false)) {
                auto reloaded = co_await self->load_topology();
                if (!reloaded)
                    self->log_.warn("cannot load the topology",
                                    {kv("cluster", self->name()), kv("error", reloaded.error().what)});
            }
            const auto events = std::exchange(self->schema_events_, {});
            if (!events.empty()) {
                auto refreshed = co_await self->refresh_schema();
                if (!refreshed)
                    self->log_.warn("cannot load the schema",
                                    {kv("cluster", self->name()), kv("error", refreshed.error().what)});
                if (self->on_schema_event_) {
                    for (const auto& event : events) self->on_schema_event_(event);
                }
            }
        }
        self->connected_ = false;
        if (self->connection_) Shard::here().dispose(std::move(self->connection_));
    }
}

void Cluster::on_connection_lost(Connection&, const Error& why) {
    log_.warn("control connection lost", {kv("cluster", name()), kv("error", why.what)});
    wake_.set(Unit{});
}

void Cluster::on_event(const cql::FrameView& frame) {
    const auto event = cql::decode_event(frame);
    if (!event) return;
    if (const auto* node = std::get_if<cql::NodeEvent>(&event.value())) {
        // A node that is down keeps its place in the ring; every other change may bring or take one.
        const bool down = node->type == "STATUS_CHANGE" && node->change == "DOWN";
        const bool up = node->type == "STATUS_CHANGE" && node->change == "UP";
        const auto where =
            Endpoint::from_address(node->node.address.view(), static_cast<std::uint16_t>(node->node.port));
        if (where && (down || up)) tell_pools([at = where.value(), up](Pool& pool) { pool.node_is(at, up); });
        topology_dirty_ |= !down;
    } else if (!std::holds_alternative<cql::OtherEvent>(event.value())) {
        schema_events_.emplace_back(frame.whole.begin(), frame.whole.end());
    }
    wake_.set(Unit{});
}

void Cluster::tell_pools(std::function<void(Pool&)> what) {
    for (auto& one : shards_) {
        auto* slot = &one;
        slot->shard->post([slot, what] {
            if (slot->pool) what(*slot->pool);
        });
    }
}

Task<Result<std::vector<Endpoint>>> Cluster::candidates() {
    std::vector<Endpoint> found;
    std::optional<Error> failed;
    for (const auto& contact : options_.contact_points) {
        auto look_up = [contact] { return resolve(contact); };
        auto resolved = co_await resolver_.run(std::move(look_up));
        if (resolved) {
            // Nodes that we know by name are verified by it, those that the cluster tells us of by their address.
            if (options_.pool.tls) options_.pool.tls->known_as(contact.host, resolved.value());
            found.insert(found.end(), resolved.value().begin(), resolved.value().end());
        } else {
            failed = resolved.error();
        }
    }
    if (const auto known = topology()) {
        for (const auto& node : known->nodes) {
            if (std::ranges::find(found, node.endpoint) == found.end()) found.push_back(node.endpoint);
        }
    }
    if (found.empty() && failed) co_return fail(std::move(*failed));
    co_return found;
}

/// Several contact points asked at once: the first that answers is taken.
struct Cluster::Race {
    OneShot<Unit> over;
    std::unique_ptr<Connection> winner;
    std::size_t left = 0;
    bool decided = false;
    std::vector<std::string> failures;  ///< one each, as they came
    std::optional<Error> lasting;
};

Task<void> Cluster::race(Cluster* self, std::shared_ptr<Race> race, Endpoint to) {
    auto opened = co_await self->open_control(to);
    --race->left;
    if (opened && !race->decided && !self->stop_.requested()) {
        race->decided = true;
        race->winner = std::move(opened).value();
    } else if (opened) {
        Shard::here().dispose(std::move(opened).value());
    } else {
        auto text = to_string(to);
        const auto& why = opened.error();
        if (is_lasting(why)) race->lasting = why;
        race->failures.push_back(why.what.find(text) == std::string::npos ? fmt::format("{}: {}", text, why.what)
                                                                          : why.what);
    }
    if (race->decided || race->left == 0) race->over.set(Unit{});
}

Task<Result<std::unique_ptr<Connection>>> Cluster::open_control(Endpoint to) {
    // Every server we meet speaks v4; what else it speaks it says in its SUPPORTED.
    ConnectionOptions options;
    options.tls = options_.pool.tls;
    if (!options_.pool.credentials.empty()) options.login = plain_login(options_.pool.credentials);
    const auto by = Deadline::in(control_.clock(), options_.pool.connect_timeout);
    auto opened = co_await Connection::open(to, options, nullptr, by);
    const bool not_v4 = !opened && opened.error().code == Errc::server &&
                        opened.error().detail == static_cast<int>(cql::ErrorCode::protocol_error);
    if (not_v4) {
        options.version = cql::ProtocolVersion::v5;
        auto newer = co_await Connection::open(to, options, nullptr, by);
        co_return newer;
    }
    co_return opened;
}

Task<Result<std::unique_ptr<Connection>>> Cluster::connect_to_any() {
    // So many at once that one of them answers soon, and so few that a large cluster does not get a storm.
    constexpr std::size_t kAtOnce = 8;
    auto where = co_await candidates();
    CO_TRY(const auto endpoints, std::move(where));
    if (endpoints.empty()) co_return fail(Errc::invalid_argument, "no contact point configured");
    std::string failures;
    std::optional<Error> lasting;
    for (std::size_t at = 0; at < endpoints.size() && !stop_.requested(); at += kAtOnce) {
        const auto end = std::min(at + kAtOnce, endpoints.size());
        auto racing = std::make_shared<Race>();
        racing->left = end - at;
        for (auto i = at; i < end; ++i) gate_.spawn(race(this, racing, endpoints[i]));
        if (!gate_.is_closed()) co_await racing->over;
        if (racing->winner) co_return std::move(racing->winner);
        for (const auto& failure : racing->failures)
            failures += fmt::format("{}{}", failures.empty() ? "" : "; ", failure);
        if (racing->lasting) lasting = racing->lasting;
    }
    if (stop_.requested()) co_return fail(Errc::shutting_down, "stopping");
    if (lasting) co_return fail(lasting->code, failures, lasting->detail);
    co_return fail(Errc::unavailable, failures);
}

Task<Status> Cluster::load_all() {
    // Registered before anything is read, or a change in between would go unnoticed.
    Bytes request;
    cql::RequestHead head;
    head.version = connection_->options().version;
    const std::string_view events[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"};
    cql::encode_register(request, head, events);
    auto registered =
        co_await connection_->call(std::move(request), Deadline::in(control_.clock(), options_.request_timeout));
    CO_TRY(const auto reply, std::move(registered));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    if (frame.header.opcode == cql::Opcode::error) {
        auto decoded = cql::decode_error(frame);
        CO_TRY(const auto message, std::move(decoded));
        co_return fail(cql::to_error(message).in("REGISTER"));
    }
    auto topology = co_await load_topology();
    if (!topology) co_return topology;
    auto schema = co_await refresh_schema();
    co_return schema;
}

Task<Status> Cluster::connect_and_load() {
    auto connected = co_await connect_to_any();
    if (!connected) co_return fail(connected.error().in(fmt::format("cannot use the {} cluster", name())));
    connection_ = std::move(connected).value();
    connection_->set_owner(this);
    {
        const std::lock_guard lock(mutex_);
        authenticator_ = connection_->authenticator();
    }
    auto loaded = co_await load_all();
    if (loaded) {
        tell_pools([](Pool& pool) { pool.forget_what_was_said(); });
        co_return ok();
    }
    const auto last = loaded.error();
    if (connection_) {
        connection_->set_owner(nullptr);
        Shard::here().dispose(std::move(connection_));
    }
    co_return fail(last.in(fmt::format("cannot use the {} cluster", name())));
}

Task<Result<cql::Rows>> Cluster::read(std::string text) {
    // The connection may be replaced while we wait: its answer is awaited on the one that was asked.
    if (!connection_ || !connection_->is_open())
        co_return fail(Errc::unavailable, fmt::format("no control connection to the {} cluster", name()));
    Bytes request;
    cql::RequestHead head;
    head.version = connection_->options().version;
    cql::Parameters parameters;
    parameters.consistency = cql::Consistency::one;
    cql::encode_query(request, head, text, parameters);
    auto replied =
        co_await connection_->call(std::move(request), Deadline::in(control_.clock(), options_.request_timeout));
    CO_TRY(auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(auto frame, std::move(viewed));
    auto rows = cql::Rows::from(frame);
    co_return rows;
}

namespace {

Result<Node> read_node(const cql::Row& row, const Endpoint& fallback) {
    Node node;
    node.endpoint = fallback;
    if (auto host_id = row.uuid("host_id")) node.host_id = host_id.value();
    if (auto dc = row.text("data_center")) node.datacenter = dc.value();
    if (auto rack = row.text("rack")) node.rack = rack.value();
    if (auto version = row.text("release_version")) node.release_version = version.value();
    TRY(auto tokens, row.texts("tokens"));
    for (const auto& text : tokens) {
        char* end = nullptr;
        const auto token = std::strtoll(text.c_str(), &end, 10);
        if (*end != '\0')
            return fail(Errc::unsupported, fmt::format("token '{}' is not one of Murmur3Partitioner", text));
        node.tokens.emplace_back(token);
    }
    return node;
}

/// Where a peer takes clients: native_address of peers_v2, rpc_address of peers; 0.0.0.0 means the peer's own address.
std::optional<Endpoint> peer_endpoint(const cql::Row& row, std::uint16_t default_port) {
    auto port = default_port;
    if (auto native = row.int32("native_port")) port = static_cast<std::uint16_t>(native.value());
    for (const auto* column : {"native_address", "rpc_address", "peer"}) {
        const auto cell = row[column];
        if (!cell.has_value()) continue;
        if (std::ranges::all_of(cell.bytes(), [](Byte b) { return b == 0; })) continue;
        if (auto endpoint = Endpoint::from_address(cell.bytes(), port)) return endpoint.value();
    }
    return std::nullopt;
}

}  // namespace

Task<Status> Cluster::load_topology() {
    auto topology = std::make_shared<Topology>();
    const auto supported = connection_->supported();
    topology->is_scylla = supported.is_scylla;
    topology->tablets = supported.tablets_routing;
    topology->newest_version = supported.newest;

    auto local_read = co_await read("SELECT * FROM system.local WHERE key='local'");
    CO_TRY(auto local, std::move(local_read));
    if (local.empty()) co_return fail(Errc::malformed, fmt::format("system.local of the {} cluster is empty", name()));
    const auto me = local[0];
    if (auto text = me.text("partitioner")) topology->partitioner = text.value();
    // Before its tokens are read, which are no numbers on some.
    if (!topology->is_murmur3()) {
        co_return fail(Errc::unsupported, fmt::format("the {} cluster uses {}; only Murmur3Partitioner is supported",
                                                      name(), topology->partitioner));
    }
    auto local_node = read_node(me, connection_->peer());
    CO_TRY(auto node, std::move(local_node));
    topology->local_datacenter = node.datacenter;
    topology->nodes.push_back(node);
    if (auto text = me.text("cluster_name")) topology->cluster_name = text.value();
    if (auto id = me.uuid("schema_version")) topology->schema_version = id.value();
    const auto port = connection_->peer().port();
    auto peers_read = co_await read("SELECT * FROM system.peers_v2");
    topology->has_peers_v2 = peers_read.has_value();
    if (!peers_read) peers_read = co_await read("SELECT * FROM system.peers");
    CO_TRY(auto peers, std::move(peers_read));
    for (const auto& row : peers) {
        const auto endpoint = peer_endpoint(row, port);
        if (!endpoint || *endpoint == connection_->peer()) continue;
        auto peer = read_node(row, *endpoint);
        // A row without tokens is a node that is joining or was never cleaned up: no driver uses it either.
        if (peer && !peer.value().tokens.empty()) topology->nodes.push_back(peer.value());
    }
    topology->system_local = std::move(local);
    if (!options_.local_datacenter.empty()) topology->local_datacenter = options_.local_datacenter;
    std::set<std::string> centers;
    for (const auto& one : topology->nodes) {
        centers.insert(one.datacenter);
        // The node that was asked may be ahead of others in a rolling upgrade (v5 came with Cassandra 4.0).
        if (!topology->is_scylla && version_less(one.release_version, "4.0"))
            topology->newest_version = std::min(topology->newest_version, cql::ProtocolVersion::v4);
    }
    if (!centers.contains(topology->local_datacenter)) {
        co_return fail(Errc::invalid_argument, fmt::format("the {} cluster has no data centre '{}', only {}", name(),
                                                           topology->local_datacenter, fmt::join(centers, ", ")));
    }
    if (options_.accept) {
        auto accepted = options_.accept(*topology);
        if (!accepted) co_return accepted;
    }
    if (!replications_.empty()) topology->token_map = std::make_shared<TokenMap>(topology->nodes, replications_);
    co_await publish_topology(topology);
    log_.info("topology loaded",
              {kv("cluster", name()), kv("name", topology->cluster_name), kv("nodes", topology->nodes.size()),
               kv("version", topology->release_version()), kv("datacenter", topology->local_datacenter)});
    co_return ok();
}

Task<void> Cluster::publish_topology(TopologyPtr topology) {
    {
        const std::lock_guard lock(mutex_);
        topology_ = topology;
    }
    newest_version_ = topology->newest_version;
    for (auto& one : shards_) {
        auto* slot = &one;
        auto set = [slot, topology] {
            if (slot->pool) slot->pool->set_topology(topology);
            return Unit{};
        };
        co_await call_on(*one.shard, std::move(set));
    }
}

Task<Status> Cluster::refresh_schema() {
    ASSERT(control_.is_here());
    const OneShot<Status> done;
    refresh_waiters_.push_back(done);
    if (!refreshing_) gate_.spawn(refresh_loop(this));
    if (gate_.is_closed()) co_return fail(Errc::shutting_down, "stopping");
    auto status = co_await done;
    co_return status;
}

Task<bool> Cluster::schema_agreed(Deadline by) {
    UniqueFunction<Task<bool>()> wait = [this, by] { return wait_for_agreement(by); };
    auto agreed = co_await run_on<bool>(control_, std::move(wait));
    co_return agreed;
}

Task<Result<Cluster::SchemaVersions>> Cluster::read_schema_versions() {
    // Both of the same node, hence over the control connection: a node's peers are all but itself.
    auto local_read = co_await read("SELECT schema_version FROM system.local WHERE key='local'");
    CO_TRY(const auto local, std::move(local_read));
    auto peers_read = co_await read("SELECT schema_version FROM system.peers");
    CO_TRY(const auto peers, std::move(peers_read));
    SchemaVersions versions;
    for (const auto* rows : {&local, &peers}) {
        for (const auto row : *rows) {
            const auto version = row.uuid("schema_version");
            if (!version) continue;
            if (rows == &local) versions.here = version.value();
            versions.all.insert(version.value());
        }
    }
    co_return versions;
}

Task<bool> Cluster::wait_for_agreement(Deadline by) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return false;
    for (;;) {
        const auto versions = co_await read_schema_versions();
        if (versions && versions.value().agree()) co_return true;
        if (stop_.requested() || by.passed(control_.clock().now())) co_return false;
        co_await sleep(kAgreementLook, &stop_);
    }
}

cql::SchemaPtr Cluster::schema_if_seen(SteadyTime when) const {
    const std::lock_guard lock(mutex_);
    return schema_seen_at_ >= when ? schema_ : nullptr;
}

Task<Result<cql::SchemaPtr>> Cluster::schema_as_of(SteadyTime when, Deadline by) {
    if (auto seen = schema_if_seen(when)) co_return seen;
    UniqueFunction<Task<Result<cql::SchemaPtr>>()> look = [this, when, by] { return look_at_schema(when, by); };
    auto schema = co_await run_on<Result<cql::SchemaPtr>>(control_, std::move(look));
    co_return schema;
}

Task<Result<cql::SchemaPtr>> Cluster::look_at_schema(SteadyTime when, Deadline by) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return fail(Errc::shutting_down, "stopping");
    const auto patience = Deadline::in(control_.clock(), kDisagreementPatience).or_sooner(by);
    for (;;) {
        if (auto seen = schema_if_seen(when)) co_return seen;
        const auto began = control_.clock().now();
        auto read = co_await read_schema_versions();
        CO_TRY(const auto versions, std::move(read));
        const auto now = control_.clock().now();
        const bool known = versions.agree() || versions.all == disagreement_;
        if (!known && !patience.passed(now)) {
            if (stop_.requested()) co_return fail(Errc::cancelled, "stopped");
            co_await sleep(kAgreementLook, &stop_);
            continue;
        }
        if (!known) log_.warn("the nodes of a cluster do not agree on a schema", {kv("cluster", name())});
        disagreement_ = versions.agree() ? std::set<cql::Uuid>() : versions.all;
        if (schema_version_ == versions.here) {
            const std::lock_guard lock(mutex_);
            schema_seen_at_ = std::max(schema_seen_at_, began);
            continue;
        }
        if (by.passed(now)) co_return fail(Errc::timeout, "the schema goes on changing");
        auto refreshed = co_await refresh_schema();
        CO_TRY(std::move(refreshed));
    }
}

Task<void> Cluster::refresh_loop(Cluster* self) {
    self->refreshing_ = true;
    // Whoever asks while a load is under way gets the next one: the change may be newer than what is being read.
    while (!self->refresh_waiters_.empty()) {
        const auto waiters = std::exchange(self->refresh_waiters_, {});
        auto loaded = co_await self->load_schema();
        Status status = ok();
        if (loaded) {
            {
                const std::lock_guard lock(self->mutex_);
                self->schema_ = loaded.value().schema;
            }
            self->schema_version_ = loaded.value().version;
            if (self->on_schema_) co_await self->on_schema_(loaded.value().schema);
        } else {
            status = fail(loaded.error());
        }
        for (const auto& waiter : waiters) waiter.set(status);
    }
    self->refreshing_ = false;
}

Task<Result<Cluster::LoadedSchema>> Cluster::load_schema() {
    // Before the tables are read: what changes in between is then taken for a later version, and read once more.
    auto version_read = co_await read("SELECT schema_version FROM system.local WHERE key='local'");
    std::optional<cql::Uuid> version;
    if (version_read && !version_read.value().empty()) {
        if (auto id = version_read.value()[0].uuid("schema_version")) version = id.value();
    }
    auto keyspaces_read = co_await read("SELECT * FROM system_schema.keyspaces");
    CO_TRY(auto keyspaces, std::move(keyspaces_read));
    auto tables_read = co_await read(
        "SELECT keyspace_name, table_name, default_time_to_live, gc_grace_seconds FROM system_schema.tables");
    CO_TRY(auto tables, std::move(tables_read));
    auto columns_read = co_await read(
        "SELECT keyspace_name, table_name, column_name, kind, position, type, clustering_order FROM "
        "system_schema.columns");
    CO_TRY(auto columns, std::move(columns_read));
    auto types_read =
        co_await read("SELECT keyspace_name, type_name, field_names, field_types FROM system_schema.types");
    CO_TRY(auto types, std::move(types_read));
    auto views_read = co_await read("SELECT keyspace_name, view_name FROM system_schema.views");
    CO_TRY(auto views, std::move(views_read));
    std::map<std::string, Replication> replications;
    for (const auto& row : keyspaces) {
        auto keyspace = row.text("keyspace_name");
        auto replication = row.text_map("replication");
        if (keyspace && replication) replications[keyspace.value()] = Replication::from(replication.value());
    }
    if (const auto known = topology()) {
        auto changed = std::make_shared<Topology>(*known);
        if (version) changed->schema_version = *version;
        if (!changed->token_map || replications != replications_) {
            replications_ = std::move(replications);
            changed->token_map = std::make_shared<TokenMap>(changed->nodes, replications_);
        }
        co_await publish_topology(std::move(changed));
    }
    auto built = build_schema(keyspaces, tables, columns, types, views);
    CO_TRY(auto schema, std::move(built));
    co_return LoadedSchema{std::move(schema), version};
}

}  // namespace penumbra::cluster
