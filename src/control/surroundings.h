#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/migration.h"
#include "cql/schema/schema.h"
#include "journal/journal.h"
#include "routing/phase.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/range_orders.h"
#include "sync/report.h"

/// What the workflow asks of the rest of the process, as narrow as it needs it, so that a test can play each of them.
namespace penumbra::control {

struct ClusterStatus {
    std::string name;
    std::string release_version;
    std::uint64_t nodes = 0;
    std::uint64_t nodes_up = 0;
};

/// One cluster, on the control shard.
class ClusterView {
  public:
    virtual ~ClusterView() = default;
    /// Asks a node for its wall clock, which also proves that one answers.
    virtual Task<Result<WallMicros>> clock(Deadline by) = 0;
    /// Null until it was loaded once.
    virtual cql::SchemaPtr schema() const = 0;
    virtual ClusterStatus status() const = 0;
};

/// What the journal knows of owed writes. Any thread.
class OwedWrites {
  public:
    virtual ~OwedWrites() = default;
    virtual journal::Owed of(routing::Side side, routing::ScopeId scope) const = 0;
    virtual journal::Owed total() const = 0;
    virtual std::uint64_t bytes() const = 0;
    virtual void forget(routing::ScopeId scope) = 0;
};

class JournalOwed final : public OwedWrites {
  public:
    JournalOwed(journal::Journal& journal, sync::RangeOrders& ranges) : journal_(journal), ranges_(ranges) {}
    journal::Owed of(routing::Side side, routing::ScopeId scope) const override;
    journal::Owed total() const override;
    std::uint64_t bytes() const override;
    void forget(routing::ScopeId scope) override;

  private:
    journal::Journal& journal_;
    sync::RangeOrders& ranges_;
};

/// The number of a side's stream in the journal.
constexpr std::uint8_t stream_of(routing::Side side) {
    return side == routing::Side::source ? 0 : 1;
}

/// What one job has to do.
struct MoverOrder {
    JobKind kind = JobKind::copy;
    bool repair = false;
    Migration migration;
    std::string tenant_column;
    std::vector<sync::Portion> done;
    std::function<void(const sync::Portion&)> finished;  ///< called on the background shard
};

/// A copy or verify. Made, run and destroyed on the background shard.
class Mover {
  public:
    virtual ~Mover() = default;
    virtual Task<Result<sync::Report>> run(StopSignal& stop) = 0;
    /// Any thread.
    virtual sync::Progress snapshot() const = 0;
};
/// Called on the background shard.
using MakeMover = std::function<std::unique_ptr<Mover>(MoverOrder)>;

/// Movers of sync. The sessions and the traffic are of the background shard and outlive every mover, as `owed` does.
MakeMover sync_movers(cluster::Session& source, cluster::Session& target, sync::LiveTraffic& traffic,
                      sync::Transit& transit, const OwedWrites& owed, sync::WorkOptions work);

}  // namespace penumbra::control
