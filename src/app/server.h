#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/server.h"
#include "app/cluster_view.h"
#include "app/known_clusters.h"
#include "app/memory.h"
#include "app/settings.h"
#include "app/tls_legs.h"
#include "cluster/cluster.h"
#include "control/clock_watch.h"
#include "control/coordinator.h"
#include "control/set_aside.h"
#include "control/state_store.h"
#include "journal/journal.h"
#include "proxy/proxy.h"
#include "runtime/tls_reloader.h"
#include "sync/replayer.h"
#include "sync/transit.h"

namespace penumbra::app {

/// Everything of `penumbra serve`, started bottom first and stopped in reverse. Lives on the control shard, which is
/// the thread that calls run_server().
class Server {
  public:
    Server(const Settings& settings, Shard& control, std::string version);
    ~Server();

    /// An error says what could not be had and what to do; what was started before it must be stopped all the same.
    Task<Status> start();
    /// Everything but listeners for clients and operators: pays what is owed.
    Task<Status> start_replaying();
    Task<void> stop();
    control::OwedWrites& owed();
    /// Any thread, while the replayers run.
    sync::ReplayCounts replay_counts(routing::Side owed) const;
    /// SIGHUP: certificates are read again at once.
    void reload_certificates() {
        if (certificates_) certificates_->reload_now();
    }

  private:
    Status open_state();
    Task<Status> start_clusters();
    Task<Status> start_workers();
    Task<Status> start_serving();
    Task<Status> refresh_schemas();
    /// The default phase's, which must be there, and the other one.
    cluster::Cluster& primary() const;
    cluster::Cluster& other() const;
    cluster::ClusterOptions cluster_options(routing::Side side, const std::vector<HostPort>& contacts,
                                            const std::string& user, const std::string& password,
                                            const TlsContextPtr& tls);

    Status load_certificates();
    void collect_replay(metrics::MetricWriter& out) const;

    const Settings& settings_;
    std::string version_;
    Log log_{"penumbra"};
    Memory memory_;
    Shard& control_;
    Shard background_{"background"};
    std::vector<std::unique_ptr<Shard>> shards_;

    TlsLegs tls_;
    std::unique_ptr<TlsReloader> certificates_;
    std::optional<control::StateStore> store_;
    std::optional<KnownClusters> known_clusters_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<sync::RangeOrders> range_orders_;  ///< goes when the shards have: they are told what it wrote
    std::unique_ptr<cluster::Cluster> source_, target_;
    std::unique_ptr<LiveClusterView> source_view_, target_view_;
    std::unique_ptr<control::JournalOwed> owed_;
    std::unique_ptr<proxy::PreparedRegistry> prepared_;
    std::unique_ptr<proxy::ProxyContext> context_;
    std::unique_ptr<proxy::Proxy> proxy_;
    std::unique_ptr<proxy::PeerWatch> peers_;
    std::unique_ptr<control::Coordinator> coordinator_;
    std::unique_ptr<control::ClockWatch> clocks_;
    std::unique_ptr<control::SetAside> set_aside_;
    metrics::Collectors collectors_;
    std::unique_ptr<admin::Api> api_;
    std::unique_ptr<admin::AdminServer> admin_;

    /// Built, used and destroyed on the background shard.
    struct Background {
        sync::Transit transit;
        std::unique_ptr<cluster::Session> source, target;
        std::unique_ptr<sync::Replayer> to_source, to_target;
    };
    std::unique_ptr<Background> work_;
    bool clusters_started_ = false;
    bool coordinator_started_ = false;
};

enum class Purpose : std::uint8_t {
    serve,
    replay,  ///< pay what is owed without serving anybody, and end
};

/// Until SIGTERM or SIGINT, or until all is paid. The exit status of the program; errors are on standard error.
int run_server(const Settings& settings, const std::string& version, Purpose purpose = Purpose::serve);

}  // namespace penumbra::app
