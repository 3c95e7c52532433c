#include "app/cluster_view.h"

namespace penumbra::app {

Task<Result<control::WallMicros>> LiveClusterView::clock(Deadline by) {
    // toUnixTimestamp is known to every server we meet; milliseconds are what it has.
    cluster::QueryOptions options;
    options.consistency = cql::Consistency::one;
    options.by = by;
    std::vector<cql::Cell> none;
    auto read = co_await session_->execute("SELECT toUnixTimestamp(now()) AS now FROM system.local WHERE key='local'",
                                           std::move(none), options);
    CO_TRY(auto rows, std::move(read));
    if (rows.empty()) co_return fail(Errc::malformed, "system.local is empty");
    auto millis = rows[0].bigint("now");
    CO_TRY(const auto now, std::move(millis));
    co_return now * 1000;
}

control::ClusterStatus LiveClusterView::status() const {
    control::ClusterStatus status;
    if (const auto topology = cluster_.topology()) {
        status.name = topology->cluster_name;
        status.release_version = topology->release_version();
        status.nodes = topology->nodes.size();
    }
    // What the control connection hears decides whether the cluster is there; of its nodes the pool knows those it
    // uses.
    const auto used = cluster_.pool().nodes_up();
    status.nodes_up = cluster_.is_connected() ? std::max<std::uint64_t>(used, 1) : used;
    return status;
}

}  // namespace penumbra::app
