#pragma once

#include <array>
#include <optional>

#include "base/log.h"
#include "control/surroundings.h"
#include "metrics/exposition.h"
#include "proxy/data_plane.h"
#include "runtime/async.h"
#include "runtime/gate.h"

namespace penumbra::control {

/// A cluster's wall clock against ours.
struct ClockReading {
    Nanos ahead{0};        ///< negative: behind
    Nanos uncertainty{0};  ///< half of the round trip, and what the server's answer leaves open
    SteadyTime at{};
};

/// Asks once. One node's word: the others are its peers, and a cluster whose nodes disagree has troubles of its own.
Task<Result<ClockReading>> read_clock(ClusterView* cluster, Deadline by);

/// Keeps the timestamps that we put into writes from lying behind those that a cluster gave out by itself: measures
/// both clocks for as long as the process runs, lets the data plane run ahead as far as a cluster surely does, and
/// tells of clocks that are too far apart. When our own clock is set, what was measured is set with it: the clusters'
/// are where they were. An answer that was long on its way says little, and is not believed over a sharper one from
/// shortly before. Lives on the control shard.
class ClockWatch {
  public:
    struct Options {
        Nanos every = Seconds(10);
        Nanos probe_timeout = Seconds(2);
        Nanos allowed_skew = Millis(500);
    };
    /// A clock that is further ahead than that is wrong, and not followed: cells from the future would win for as long.
    static constexpr Nanos kMostLead = Seconds(60);

    ClockWatch(ClusterView& source, ClusterView& target, proxy::DataPlane& data_plane, Options options);

    /// Both, once; a cluster that does not answer keeps its last reading.
    Task<void> measure();
    /// Where our own clock was set since: readings and lead as they are by it.
    Task<void> follow_own_clock();
    void start();
    Task<void> stop();

    std::optional<ClockReading> of(routing::Side side) const { return readings_[static_cast<std::size_t>(side)]; }
    Nanos lead() const { return lead_; }
    void collect(metrics::MetricWriter& out) const;

  private:
    static Task<void> run(ClockWatch* self);
    void shift_readings();
    Task<void> lead_on();
    void judge(routing::Side side);

    std::array<ClusterView*, 2> clusters_;
    proxy::DataPlane& data_plane_;
    Options options_;
    Log log_{"control"};
    std::array<std::optional<ClockReading>, 2> readings_;
    std::array<bool, 2> warned_{};
    Nanos lead_{0};
    std::optional<Nanos> wall_over_steady_;  // as of the readings
    Gate gate_;
    StopSignal stop_;
};

}  // namespace penumbra::control
