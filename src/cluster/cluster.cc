#include "cluster/cluster.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"

namespace penumbra::cluster {

using namespace std::chrono_literals;

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
        first.set(
            fail(Errc::unavailable,
                 fmt::format("the {} cluster did not answer in time at {}; is it up, and does it speak CQL there?",
                             name(), asked)));
    });
    auto loaded = co_await first;
    control_.cancel(timer);
    co_return loaded;
}

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
            self->first_load_.set(fail(loaded.error()));
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
    if (std::holds_alternative<cql::NodeEvent>(event.value())) topology_dirty_ = true;
    if (!std::holds_alternative<cql::NodeEvent>(event.value()) &&
        !std::holds_alternative<cql::OtherEvent>(event.value())) {
        schema_events_.emplace_back(frame.whole.begin(), frame.whole.end());
    }
    wake_.set(Unit{});
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

Task<Status> Cluster::connect_and_load() {
    auto where = co_await candidates();
    CO_TRY(auto endpoints, std::move(where));
    Error last(Errc::unavailable, "no contact point configured");
    for (const auto& endpoint : endpoints) {
        if (stop_.requested())
            co_return fail(Errc::shutting_down, "stopping");  // each attempt may last its whole timeout
        ConnectionOptions options;
        options.tls = options_.pool.tls;
        if (!options_.pool.credentials.empty()) options.sasl_token = options_.pool.credentials.plain_token();
        const auto by = Deadline::in(control_.clock(), options_.pool.connect_timeout);
        auto opened = co_await Connection::open(endpoint, options, this, by);
        if (!opened) {
            last = opened.error();
            continue;
        }
        connection_ = std::move(opened).value();
        {
            const std::lock_guard lock(mutex_);
            authenticator_ = connection_->authenticator();
        }
        auto loaded = co_await load_topology();
        if (loaded) {
            // Registered before the schema is read, or a change in between would go unnoticed.
            Bytes request;
            const cql::RequestHead head;
            const std::string_view events[] = {"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"};
            cql::encode_register(request, head, events);
            auto registered = co_await connection_->call(std::move(request), by);
            if (registered) {
                loaded = co_await refresh_schema();
            } else {
                loaded = fail(registered.error());
            }
        }
        if (loaded) co_return ok();
        last = loaded.error();
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
    const cql::RequestHead head;
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
    Bytes request;
    const cql::RequestHead head;
    cql::encode_options(request, head);
    auto replied =
        co_await connection_->call(std::move(request), Deadline::in(control_.clock(), options_.request_timeout));
    CO_TRY(auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(auto frame, std::move(viewed));
    if (auto supported = cql::decode_supported(frame)) {
        for (const auto& [key, values] : supported.value()) topology->is_scylla |= key.starts_with("SCYLLA_");
    }

    auto local_read = co_await read("SELECT * FROM system.local WHERE key='local'");
    CO_TRY(auto local, std::move(local_read));
    if (local.empty()) co_return fail(Errc::malformed, fmt::format("system.local of the {} cluster is empty", name()));
    const auto me = local[0];
    auto local_node = read_node(me, connection_->peer());
    CO_TRY(auto node, std::move(local_node));
    topology->local_datacenter = node.datacenter;
    topology->nodes.push_back(node);
    if (auto text = me.text("cluster_name")) topology->cluster_name = text.value();
    if (auto text = me.text("partitioner")) topology->partitioner = text.value();
    if (auto id = me.uuid("schema_version")) topology->schema_version = id.value();
    if (!topology->partitioner.ends_with("Murmur3Partitioner")) {
        co_return fail(Errc::unsupported, fmt::format("the {} cluster uses {}; only Murmur3Partitioner is supported",
                                                      name(), topology->partitioner));
    }
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
                self->schema_ = loaded.value();
            }
            if (self->on_schema_) co_await self->on_schema_(loaded.value());
        } else {
            status = fail(loaded.error());
        }
        for (const auto& waiter : waiters) waiter.set(status);
    }
    self->refreshing_ = false;
}

Task<Result<cql::SchemaPtr>> Cluster::load_schema() {
    auto version_read = co_await read("SELECT schema_version FROM system.local WHERE key='local'");
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
    if (version_read && !version_read.value().empty()) {
        if (auto id = version_read.value()[0].uuid("schema_version")) {
            auto changed = std::make_shared<Topology>(*topology());
            changed->schema_version = id.value();
            co_await publish_topology(std::move(changed));
        }
    }
    auto built = build_schema(keyspaces, tables, columns, types, views);
    co_return built;
}

/// Coroutine access through the pool of the shard that made it.
class Cluster::PoolSession final : public Session {
  public:
    explicit PoolSession(Cluster& cluster) : cluster_(cluster), mine_(cluster.here()) {}

    Task<Result<cql::Rows>> execute(std::string text, std::vector<cql::Cell> values, QueryOptions options) override {
        const auto by = bounded(options.by);
        std::vector<cql::CellView> views;
        views.reserve(values.size());
        for (const auto& value : values) views.push_back(cql::view_of(value));
        cql::Parameters parameters;
        parameters.consistency = options.consistency;
        parameters.values = views;
        parameters.timestamp = options.timestamp;
        if (options.page_size > 0) parameters.page_size = options.page_size;
        if (!options.paging_state.empty()) parameters.paging_state = cql::CellView(options.paging_state);
        const cql::RequestHead head;
        Bytes request;
        std::optional<Endpoint> node;
        for (int attempt = 0;; ++attempt) {
            request.clear();
            if (values.empty()) {
                cql::encode_query(request, head, text, parameters);
            } else {
                auto prepared = co_await prepare_on(text, {}, node, by);
                CO_TRY(auto id, std::move(prepared));
                cql::encode_execute(request, head, id, {}, parameters);
            }
            Endpoint used;
            auto replied = co_await exchange(request, {}, node, by, &used);
            CO_TRY(auto reply, std::move(replied));
            auto viewed = cql::view_frame(reply, cql::Direction::response);
            CO_TRY(auto frame, std::move(viewed));
            if (cql::is_unprepared(frame) && attempt < 3) {
                // That node forgot it (restart, schema change) or never knew: prepare there and ask again. Nothing was
                // done.
                mine_.prepared.erase(cache_key(text, {}));
                node = used;
                continue;
            }
            auto rows = cql::Rows::from(frame);
            co_return rows;
        }
    }

    Task<Result<Bytes>> send(Bytes frame, std::string keyspace, Deadline by) override {
        auto reply = co_await exchange(std::move(frame), std::move(keyspace), std::nullopt, bounded(by), nullptr);
        co_return reply;
    }

    Task<Result<Bytes>> prepare(std::string text, std::string keyspace, Deadline by) override {
        // Sent anew each time it is asked for: the caller does so when a node said UNPREPARED.
        mine_.prepared.erase(cache_key(text, keyspace));
        auto id = co_await prepare_on(std::move(text), std::move(keyspace), std::nullopt, bounded(by));
        co_return id;
    }

    cql::SchemaPtr schema() const override { return cluster_.schema(); }
    std::vector<cql::Token> ring() const override {
        const auto topology = cluster_.topology();
        return topology ? topology->ring() : std::vector<cql::Token>();
    }
    std::string release_version() const override {
        const auto topology = cluster_.topology();
        return topology ? topology->release_version() : std::string();
    }
    bool is_scylla() const override {
        const auto topology = cluster_.topology();
        return topology && topology->is_scylla;
    }

  private:
    static std::string cache_key(const std::string& text, const std::string& keyspace) {
        return keyspace + '\0' + text;
    }

    Deadline bounded(Deadline by) const {
        return by.or_sooner(Deadline::in(Shard::here().clock(), cluster_.options_.request_timeout));
    }

    Task<Result<Bytes>> exchange(Bytes frame, std::string keyspace, std::optional<Endpoint> node, Deadline by,
                                 Endpoint* used) {
        auto viewed = cql::view_frame(frame, cql::Direction::request);
        CO_TRY(auto view, std::move(viewed));
        Pool::Placement placement{{view.version(), std::move(keyspace)}, node ? &*node : nullptr};
        CallRequest request(std::move(frame));
        auto submitted = mine_.pool->submit(request, placement);
        if (!submitted) co_return fail(std::move(submitted).error());
        const auto outcome = request.outcome();
        const auto timer = Shard::here().call_at(by.at, [outcome, name = cluster_.name()] {
            outcome.set(
                {fail(Errc::timeout, fmt::format("the {} cluster did not answer in time", name)), Applied::unknown});
        });
        auto result = co_await outcome;
        Shard::here().cancel(timer);
        if (used) *used = request.node();
        co_return std::move(result.frame);
    }

    Task<Result<Bytes>> prepare_on(std::string text, std::string keyspace, std::optional<Endpoint> node, Deadline by) {
        const auto key = cache_key(text, keyspace);
        if (!node) {
            if (const auto known = mine_.prepared.find(key); known != mine_.prepared.end()) co_return known->second;
        }
        const cql::RequestHead head;
        Bytes request;
        cql::encode_prepare(request, head, text);
        auto replied = co_await exchange(std::move(request), std::move(keyspace), node, by, nullptr);
        CO_TRY(auto reply, std::move(replied));
        auto viewed = cql::view_frame(reply, cql::Direction::response);
        CO_TRY(auto frame, std::move(viewed));
        auto decoded = cql::decode_prepared(frame);
        CO_TRY(auto prepared, std::move(decoded));
        Bytes id(prepared.id.begin(), prepared.id.end());
        // Our own statements are few; the bound is for replays of many applications' texts.
        if (mine_.prepared.size() > 4096) mine_.prepared.clear();
        mine_.prepared.insert_or_assign(key, id);
        co_return id;
    }

    Cluster& cluster_;
    PerShard& mine_;
};

std::unique_ptr<Session> Cluster::session() {
    return std::make_unique<PoolSession>(*this);
}

}  // namespace penumbra::cluster
