#include "app/server.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include <boost/algorithm/string/predicate.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include "app/login_map.h"
#include "cql/ddl/datacenter_names.h"

namespace penumbra::app {

namespace {

constexpr std::uint64_t kOrdersRoom = 1 << 20;

Result<std::vector<HostPort>> contact_points(const std::vector<std::string>& texts, std::string_view flag) {
    std::vector<HostPort> contacts;
    for (const auto& text : texts) {
        auto parsed = HostPort::parse(text, 9042);
        if (!parsed) return fail(parsed.error().in(fmt::format("--{}", flag)));
        if (parsed.value().port == 0)
            return fail(Errc::invalid_argument, fmt::format("--{}: nobody listens on port 0, in '{}'", flag, text));
        contacts.push_back(std::move(parsed).value());
    }
    if (contacts.empty())
        return fail(Errc::invalid_argument,
                    fmt::format("--{} names nobody; give HOST:PORT of one or more nodes", flag));
    return contacts;
}

/// None for what is no level's name: "client".
std::optional<cql::Consistency> consistency_named(std::string_view name) {
    for (const auto level :
         {cql::Consistency::any, cql::Consistency::one, cql::Consistency::two, cql::Consistency::three,
          cql::Consistency::quorum, cql::Consistency::all, cql::Consistency::local_quorum,
          cql::Consistency::each_quorum, cql::Consistency::local_one}) {
        if (boost::iequals(cql::to_string(level), name)) return level;
    }
    return std::nullopt;
}

bool is_unspecified(const Endpoint& endpoint) {
    return std::ranges::all_of(endpoint.address(), [](Byte byte) { return byte == Byte{0}; });
}

/// The proxies that drivers are told of.
Result<proxy::ProxyRingPtr> proxy_ring(const Settings& settings, const Endpoint& listen) {
    proxy::ProxyNode self;
    self.address = listen;
    if (!settings.advertise().empty()) {
        auto advertised = Endpoint::parse(settings.advertise(), listen.port());
        if (!advertised) return fail(advertised.error().in("--advertise"));
        self.address = advertised.value();
        if (is_unspecified(self.address))
            return fail(Errc::invalid_argument,
                        fmt::format("--advertise {}: no driver could connect to that", settings.advertise()));
    } else if (is_unspecified(listen)) {
        return fail(Errc::invalid_argument,
                    fmt::format("--listen {} takes clients on every address: say by --advertise ADDRESS which of them "
                                "drivers are to be told",
                                settings.listen()));
    }
    self.rack = settings.rack();
    std::vector<proxy::ProxyNode> others;
    for (const auto& text : settings.proxies()) {
        auto node = proxy::ProxyNode::parse(text, self.address.port());
        if (!node) return fail(node.error().in("--proxies"));
        if (node.value().address == self.address && node.value().rack.empty()) node.value().rack = self.rack;
        others.push_back(std::move(node).value());
    }
    auto ring = proxy::ProxyRing::make(std::move(self), std::move(others));
    if (!ring) return fail(ring.error().in("--proxies"));
    return ring;
}

}  // namespace

Server::Server(const Settings& settings, Shard& control, std::string version)
    : settings_(settings), version_(std::move(version)), control_(control) {
    auto count = settings.shards();
    if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
    memory_ = memory_of(settings, count);
    for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(fmt::format("shard-{}", i)));
    for (auto& shard : shards_) {
        shard->memory().set_limit(memory_.per_shard);
        shard->start();
    }
    background_.start();
}

Server::~Server() {
    background_.stop();
    for (auto& shard : shards_) shard->stop();
}

Status Server::open_state() {
    TRY(auto store, control::StateStore::open(settings_.state()));
    store_.emplace(std::move(store));
    TRY(auto known, KnownClusters::load(settings_.state()));
    known_clusters_.emplace(std::move(known));
    journal::Options options;
    options.directory = settings_.state() / "journal";
    // Beyond the quota there is room for orders to resync ranges and tables, which are few and small.
    const auto quota = settings_.journal_quota().bytes;
    const auto orders_room = std::max(quota / 8, kOrdersRoom);
    options.quota_bytes = quota + orders_room;
    // The smallest quota that the setting takes is less than one segment of the usual size.
    options.segment_bytes = std::min(options.segment_bytes, quota / 4);
    TRY(auto journal, journal::Journal::open(std::move(options), Clock::system()));
    journal_ = std::move(journal);
    range_orders_ = std::make_unique<sync::RangeOrders>(*journal_, quota + orders_room / 2);
    return ok();
}

cluster::ClusterOptions Server::cluster_options(routing::Side side, const std::vector<HostPort>& contacts,
                                                const std::string& user, const std::string& password,
                                                const TlsContextPtr& tls) {
    cluster::ClusterOptions options;
    options.pool.cluster = to_string(side);
    options.pool.credentials = {user, password};
    options.pool.tls = tls;
    options.pool.connections = settings_.connections();
    options.pool.max_groups = settings_.max_pools();
    options.pool.idle_after = settings_.pool_idle();
    // How many may wait is bounded in bytes as well, by --memory-budget: a thousand clients with a burst each are no
    // overload.
    options.pool.max_waiting = 16 * 1024;
    options.pool.connect_timeout = settings_.connect_timeout();
    options.contact_points = contacts;
    options.accept = [this, side](const cluster::Topology& topology) { return known_clusters_->check(side, topology); };
    options.request_timeout = settings_.request_timeout();
    return options;
}

Status Server::load_certificates() {
    TRY(tls_, TlsLegs::load(settings_));
    certificates_ = std::make_unique<TlsReloader>(tls_.all());
    certificates_->start();
    collectors_.add([this](metrics::MetricWriter& out) { tls_.collect(out); });
    return ok();
}

Task<Status> Server::start_clusters() {
    auto source_contacts = contact_points(settings_.source(), "source");
    CO_TRY(const auto source, std::move(source_contacts));
    auto target_contacts = contact_points(settings_.target(), "target");
    CO_TRY(const auto target, std::move(target_contacts));
    std::vector<Shard*> users{&control_, &background_};
    for (auto& shard : shards_) users.push_back(shard.get());
    auto source_options = cluster_options(routing::Side::source, source, settings_.source_user(),
                                          settings_.source_password(), tls_.source);
    source_options.local_datacenter = settings_.source_datacenter();
    source_options.pool.compression =
        cql::compression_named(settings_.source_compression()).value_or(cql::Compression::none);
    auto target_options = cluster_options(routing::Side::target, target, settings_.target_user(),
                                          settings_.target_password(), tls_.target);
    target_options.local_datacenter = settings_.target_datacenter();
    target_options.pool.compression =
        cql::compression_named(settings_.target_compression()).value_or(cql::Compression::none);
    source_ = std::make_unique<cluster::Cluster>(std::move(source_options), control_, users);
    target_ = std::make_unique<cluster::Cluster>(std::move(target_options), control_, users);
    clusters_started_ = true;
    const bool source_needed = &primary() == source_.get();
    // The cluster that answers must be there, and is waited for; the other one may be down, as it may be at any moment
    // later: it has the time of one attempt, and of a second one.
    const auto by = Deadline::in(control_.clock(), settings_.start_timeout());
    const auto soon = by.or_sooner(Deadline::in(control_.clock(), settings_.connect_timeout() + 1s));
    std::vector<Task<Status>> starting;
    starting.push_back(source_->start(source_needed ? by : soon));
    starting.push_back(target_->start(source_needed ? soon : by));
    const auto started = co_await when_all(std::move(starting));
    const auto& needed = started[source_needed ? 0 : 1];
    const auto& other = started[source_needed ? 1 : 0];
    if (!needed) co_return fail(needed.error().in(fmt::format("--{}", source_needed ? "source" : "target")));
    // A wrong cluster does not get right by waiting for it.
    if (!other && other.error().code == Errc::conflict)
        co_return fail(other.error().in(fmt::format("--{}", source_needed ? "target" : "source")));
    if (!other) log_.warn("the other cluster is not reachable; trying goes on", {kv("error", other.error().what)});
    co_return ok();
}

Task<Status> Server::refresh_schemas() {
    // Gates compare both. At once: whoever made the change waits for this. Only the primary is needed: the other may be
    // down, and routing does not go by it.
    std::vector<Task<Status>> both;
    for (auto* cluster : {&primary(), &other()}) both.push_back(cluster->refresh_schema());
    const auto done = co_await when_all(std::move(both));
    co_return done[0];
}

cluster::Cluster& Server::primary() const {
    const auto phase = routing::parse_phase(settings_.phase());
    const bool is_source = !phase || routing::primary_of(phase.value()) == routing::Side::source;
    return is_source ? *source_ : *target_;
}

cluster::Cluster& Server::other() const {
    return &primary() == source_.get() ? *target_ : *source_;
}

Task<Status> Server::start_workers() {
    source_view_ = std::make_unique<LiveClusterView>(*source_);
    target_view_ = std::make_unique<LiveClusterView>(*target_);
    owed_ = std::make_unique<control::JournalOwed>(*journal_, *range_orders_);
    prepared_ = std::make_unique<proxy::PreparedRegistry>(65536);
    context_ = std::make_unique<proxy::ProxyContext>();
    auto listen = Endpoint::parse(settings_.listen(), 9042);
    if (!listen) co_return fail(listen.error().in("--listen"));
    context_->options.listen = listen.value();
    auto ring = proxy_ring(settings_, listen.value());
    CO_TRY(context_->options.ring, std::move(ring));
    context_->options.datacenter = settings_.datacenter();
    context_->options.cluster_name = settings_.cluster_name();
    context_->options.request_timeout = settings_.request_timeout();
    context_->options.schema_timeout = settings_.schema_timeout();
    context_->options.shadow_timeout = settings_.shadow_timeout();
    context_->options.shadow_consistency = consistency_named(settings_.shadow_consistency());
    if (settings_.on_shadow_failure() == "strict") context_->options.on_shadow_failure = proxy::OnShadowFailure::strict;
    if (settings_.durability() == "intent") context_->options.durability = proxy::Durability::intent;
    context_->options.max_frame_bytes = static_cast<std::uint32_t>(settings_.max_frame().bytes);
    context_->options.newest_version = static_cast<cql::ProtocolVersion>(settings_.newest_protocol());
    auto& logins = context_->options.logins;
    logins.shadow =
        settings_.shadow_login() == "client" ? proxy::LoginPolicy::Shadow::client : proxy::LoginPolicy::Shadow::service;
    if (!settings_.login_map().empty()) {
        CO_TRY(read_login_map(settings_.login_map(), logins));
    }
    context_->clusters[0] = source_.get();
    context_->clusters[1] = target_.get();
    context_->journal = journal_.get();
    context_->range_orders = range_orders_.get();
    context_->options.journal_quota = settings_.journal_quota().bytes;
    context_->options.journal_most_entries = memory_.journal / journal::kMemoryPerOwed;
    context_->tls = tls_.listen;
    context_->prepared = prepared_.get();
    auto datacenters = cql::ddl::parse_datacenter_names(settings_.map_datacenter());
    if (!datacenters) co_return fail(datacenters.error().in("--map-datacenter"));
    context_->ddl[0].datacenters = std::move(datacenters.value().to_source);
    context_->ddl[1].datacenters = std::move(datacenters.value().to_target);
    for (auto& ddl : context_->ddl) ddl.tablets_off = settings_.tablets_off();
    context_->refresh_schema = [this]() -> Task<Status> {
        UniqueFunction<Task<Status>()> refresh = [this] { return refresh_schemas(); };
        return run_on<Status>(control_, std::move(refresh));
    };
    std::vector<Shard*> serving;
    for (auto& shard : shards_) serving.push_back(shard.get());
    proxy_ = std::make_unique<proxy::Proxy>(*context_, serving);

    auto make_work = [this] {
        auto made = std::make_unique<Background>();
        made->source = source_->session();
        made->target = target_->session();
        return made;
    };
    auto made_work = co_await call_on(background_, std::move(make_work));
    work_ = std::move(made_work);

    control::CoordinatorOptions options;
    options.default_phase = routing::parse_phase(settings_.phase()).value();
    options.tenant_column = settings_.tenant_column();
    options.hold_timeout = settings_.hold_timeout();
    options.allowed_skew = settings_.allowed_skew();
    sync::WorkOptions work;
    work.parallelism = settings_.copy_parallelism();
    work.rows_per_second = settings_.copy_rate();
    control::Surroundings surroundings{
        *store_,
        *proxy_,
        *owed_,
        *source_view_,
        *target_view_,
        background_,
        control::sync_movers(*work_->source, *work_->target, *proxy_, work_->transit, *owed_, work)};
    coordinator_ = std::make_unique<control::Coordinator>(std::move(options), std::move(surroundings));
    // The routes are known before anybody is served: a request under no epoch would be sent where it must not go.
    auto loaded = co_await coordinator_->start();
    if (!loaded) co_return loaded;
    coordinator_started_ = true;
    control::ClockWatch::Options watching;
    watching.allowed_skew = settings_.allowed_skew();
    clocks_ = std::make_unique<control::ClockWatch>(*source_view_, *target_view_, *proxy_, watching);
    // Once before anybody is served: the first timestamp must not lie behind either.
    co_await clocks_->measure();
    clocks_->start();
    collectors_.add([this](metrics::MetricWriter& out) { clocks_->collect(out); });
    for (auto* cluster : {source_.get(), target_.get()})
        cluster->on_schema([this](cql::SchemaPtr) { return coordinator_->on_schema(); });
    // Of both clusters each change would be told twice.
    primary().on_schema_event([this](const Bytes& frame) { proxy_->push_schema_event(frame); });

    auto start_replay = [this] {
        sync::ReplayOptions replay;
        replay.schema_patience = 2 * context_->options.schema_timeout + Seconds(30);
        replay.per_second = settings_.replay_rate();
        replay.slow = settings_.replay_slow();
        replay.scope_of = [this](routing::ScopeId scope) { return coordinator_->replay_scope(scope); };
        replay.range_orders = range_orders_.get();
        replay.stream = control::stream_of(routing::Side::target);
        work_->to_target = std::make_unique<sync::Replayer>(*journal_, *work_->target, *work_->source, *proxy_,
                                                            work_->transit, replay);
        replay.stream = control::stream_of(routing::Side::source);
        work_->to_source = std::make_unique<sync::Replayer>(*journal_, *work_->source, *work_->target, *proxy_,
                                                            work_->transit, replay);
        work_->to_target->start();
        work_->to_source->start();
        return Unit{};
    };
    co_await call_on(background_, std::move(start_replay));

    co_return ok();
}

Task<Status> Server::start_serving() {
    auto bound = co_await proxy_->listen();
    if (!bound) co_return fail(bound.error().in("--listen"));
    CO_TRY(const auto endpoint, std::move(bound));
    proxy::PeerWatch::Options watching;
    watching.tls = tls_.proxies;
    peers_ = std::make_unique<proxy::PeerWatch>(
        context_->options.ring,
        [this](proxy::ProxiesUp up, proxy::PeerChange change) { proxy_->set_peers(up, change); }, std::move(watching));
    peers_->start();
    auto admin_at = Endpoint::parse(settings_.admin(), 8080);
    if (!admin_at) co_return fail(admin_at.error().in("--admin"));
    admin::ApiOptions api{version_, endpoint, control_.clock().now(), &settings_.registry, &collectors_};
    api.schema_changes = context_->schema_changes.get();
    set_aside_ = std::make_unique<control::SetAside>(*journal_, *coordinator_, background_);
    api.set_aside = set_aside_.get();
    api.journal_quota = settings_.journal_quota().bytes;
    api.journal_most_entries = context_->options.journal_most_entries;
    api.replay = [this](routing::Side owed) { return replay_counts(owed); };
    collectors_.add([this](metrics::MetricWriter& out) { collect_replay(out); });
    api_ = std::make_unique<admin::Api>(*coordinator_, std::move(api));
    admin_ = std::make_unique<admin::AdminServer>(*api_, control_);
    auto admin_bound = admin_->listen(admin_at.value());
    CO_TRY(const auto admin_endpoint, std::move(admin_bound));
    log_.info("serving", {kv("listen", endpoint), kv("admin", admin_endpoint), kv("shards", shards_.size())});
    co_return ok();
}

sync::ReplayCounts Server::replay_counts(routing::Side owed) const {
    return (owed == routing::Side::target ? work_->to_target : work_->to_source)->counts();
}

void Server::collect_replay(metrics::MetricWriter& out) const {
    for (const auto side : {routing::Side::source, routing::Side::target}) {
        const auto counts = replay_counts(side);
        const metrics::Labels cluster{{"cluster", routing::to_string(side)}};
        out.counter("penumbra_replay_settled_total", "Owed writes that were paid.", counts.settled, cluster);
        out.counter("penumbra_replay_resyncs_total", "Orders to resync that were carried out.", counts.resyncs,
                    cluster);
        out.counter("penumbra_replay_rows_read_total", "Rows of the primary that resyncs have read.", counts.rows_read,
                    cluster);
        out.counter("penumbra_replay_retries_total", "Pauses because the cluster did not take owed writes.",
                    counts.retries, cluster);
        out.gauge("penumbra_replay_paused", "1 while the cluster does not take owed writes.", counts.paused ? 1 : 0,
                  cluster);
        out.gauge("penumbra_replay_per_second", "Owed writes paid per second, over the last seconds.",
                  counts.per_second, cluster);
    }
}

Task<Status> Server::start() {
    auto workers = co_await start_replaying();
    if (!workers) co_return workers;
    auto serving = co_await start_serving();
    co_return serving;
}

control::OwedWrites& Server::owed() {
    return *owed_;
}

Task<Status> Server::start_replaying() {
    auto certificates = load_certificates();
    if (!certificates) co_return certificates;
    auto memory = check_memory(settings_, shards_.size());
    if (!memory) co_return memory;
    auto state = open_state();
    if (!state) co_return state;
    auto clusters = co_await start_clusters();
    if (!clusters) co_return clusters;
    auto workers = co_await start_workers();
    co_return workers;
}

namespace {

Task<Unit> stop_replayers(std::unique_ptr<sync::Replayer>* one, std::unique_ptr<sync::Replayer>* two) {
    for (auto* replayer : {one, two}) {
        if (*replayer) co_await (*replayer)->stop();
        replayer->reset();
    }
    co_return Unit{};
}

}  // namespace

Task<void> Server::stop() {
    const auto by = Deadline::in(control_.clock(), settings_.stop_timeout());
    if (admin_) co_await admin_->stop();
    admin_.reset();
    if (clocks_) co_await clocks_->stop();
    if (peers_) co_await peers_->stop();
    peers_.reset();
    if (proxy_) co_await proxy_->stop(by);
    for (auto* cluster : {source_.get(), target_.get()}) {
        if (cluster) cluster->on_schema({});
    }
    if (coordinator_ && coordinator_started_) co_await coordinator_->stop();
    if (work_) {
        UniqueFunction<Task<Unit>()> stop_them = [this] {
            return stop_replayers(&work_->to_target, &work_->to_source);
        };
        co_await run_on<Unit>(background_, std::move(stop_them));
        auto drop = [this] {
            work_.reset();
            return Unit{};
        };
        co_await call_on(background_, std::move(drop));
    }
    clocks_.reset();
    coordinator_.reset();
    source_view_.reset();
    target_view_.reset();
    if (clusters_started_) {
        co_await source_->stop();
        co_await target_->stop();
    }
    if (certificates_) co_await certificates_->stop();
    proxy_.reset();
    if (range_orders_) range_orders_->stop();
    journal_.reset();
    store_.reset();
}

namespace {

/// Pays what is owed, tells how it goes once a second, and ends when only what was set aside is left.
Task<int> replay_all(Server* server, StopSignal* stop) {
    for (std::uint64_t second = 0; !stop->requested(); ++second) {
        const auto owed = server->owed().total();
        if (owed.entries == owed.set_aside) {
            std::printf("nothing is owed any more%s\n",
                        owed.set_aside > 0 ? fmt::format("; {} writes were refused for good: `penumbra serve`, then "
                                                         "`penumbra set-aside list`",
                                                         owed.set_aside)
                                                 .c_str()
                                           : "");
            co_return owed.set_aside == 0 ? 0 : 1;
        }
        if (second % 5 == 0) {
            for (const auto side : {routing::Side::source, routing::Side::target}) {
                const auto counts = server->replay_counts(side);
                if (counts.settled == 0 && !counts.paused) continue;
                std::fprintf(stderr, "%s: %llu paid, %.0f/s%s\n", std::string(routing::to_string(side)).c_str(),
                             static_cast<unsigned long long>(counts.settled), counts.per_second,
                             counts.paused ? "; it does not take writes now, trying on" : "");
            }
            std::fprintf(stderr, "%llu writes are owed\n",
                         static_cast<unsigned long long>(owed.entries - owed.set_aside));
        }
        co_await sleep(1s, stop);  // between two looks that an operator reads
    }
    std::fprintf(stderr, "penumbra: stopped; what is left stays owed\n");
    co_return 1;
}

/// The life of the process as one coroutine on the control shard.
Task<void> live(Server* server, Purpose purpose, StopSignal* stop, int* exit_status, bool* ended) {
    Status started = ok();
    if (purpose == Purpose::serve) {
        auto serving = co_await server->start();
        started = std::move(serving);
    } else {
        auto replaying = co_await server->start_replaying();
        started = std::move(replaying);
    }
    if (started && purpose == Purpose::replay) {
        *exit_status = co_await replay_all(server, stop);
    } else if (started) {
        while (!stop->requested()) co_await sleep(1h, stop);
    } else {
        std::fprintf(stderr, "penumbra: %s\n", started.error().what.c_str());
        *exit_status = 1;
    }
    co_await server->stop();
    *ended = true;
}

}  // namespace

int run_server(const Settings& settings, const std::string& version, Purpose purpose) {
    // Signals are taken by one thread that turns them into a message; every other thread has them blocked from its
    // start.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);

    Shard control("control");
    StopSignal stop;
    std::atomic<bool> over{false};
    int exit_status = 0;
    {
        Server server(settings, control, version);
        std::thread listener([&] {
            const timespec tick{0, 200'000'000};
            while (!over) {
                const int signal = sigtimedwait(&signals, nullptr, &tick);
                if (signal == SIGHUP) {
                    control.post([&server] { server.reload_certificates(); });
                } else if (signal > 0) {
                    control.post([&stop] { stop.request(); });
                }
            }
        });
        Gate gate;
        bool begun = false;
        bool ended = false;
        control.run([&] {
            if (!std::exchange(begun, true)) gate.spawn(live(&server, purpose, &stop, &exit_status, &ended));
            return ended && gate.holders() == 0;
        });
        over = true;
        listener.join();
    }
    return exit_status;
}

}  // namespace penumbra::app
