#include "control/clock_watch.h"

#include <algorithm>

namespace penumbra::control {

using routing::Side;

namespace {

constexpr Side kSides[] = {Side::source, Side::target};
/// Servers tell milliseconds, rounded down.
constexpr Nanos kResolution = Millis(1);
/// The best of a few answers, unless one is this good.
constexpr int kProbes = 3;
constexpr Nanos kSharp = Millis(5);
/// What leaves more open than this, and twice as much as the reading before, is not believed over that for a while.
constexpr Nanos kBlurred = Millis(20);
constexpr Nanos kTrusted = Seconds(60);
/// How often it is looked whether our clock was set, and what counts as that.
constexpr Nanos kLook = Seconds(1);
constexpr Nanos kSet = Millis(2);

double seconds(Nanos duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Task<Result<ClockReading>> read_clock(ClusterView* cluster, Deadline by) {
    const auto& clock = Shard::here().clock();
    const auto asked = clock.now();
    auto answer = co_await cluster->clock(by);
    // The way there and back by the clock that nobody sets.
    const auto answered = clock.now();
    const Nanos wall = Micros(clock.wall_micros());
    CO_TRY(const auto told, std::move(answer));
    const auto half = (answered - asked) / 2;
    co_return ClockReading{Micros(told) - (wall - half), half + kResolution, answered};
}

namespace {

Task<Result<ClockReading>> read_sharply(ClusterView* cluster, Deadline by) {
    auto best = co_await read_clock(cluster, by);
    for (int probe = 1; probe < kProbes && best && best.value().uncertainty > kSharp; ++probe) {
        auto next = co_await read_clock(cluster, by);
        if (next && next.value().uncertainty < best.value().uncertainty) best = std::move(next);
    }
    co_return best;
}

Nanos wall_over_steady() {
    const auto& clock = Shard::here().clock();
    return Micros(clock.wall_micros()) - clock.now().time_since_epoch();
}

bool is_worse(const ClockReading& reading, const ClockReading& before) {
    return reading.uncertainty > std::max(kBlurred, before.uncertainty * 2) && reading.at - before.at < kTrusted;
}

}  // namespace

ClockWatch::ClockWatch(ClusterView& source, ClusterView& target, proxy::DataPlane& data_plane, Options options)
    : clusters_{&source, &target}, data_plane_(data_plane), options_(options) {}

Task<void> ClockWatch::measure() {
    const auto by = Deadline::in(Shard::here().clock(), options_.probe_timeout);
    std::vector<Task<Result<ClockReading>>> both;
    for (auto* cluster : clusters_) both.push_back(read_sharply(cluster, by));
    const auto read = co_await when_all(std::move(both));
    shift_readings();
    for (const auto side : kSides) {
        const auto at = static_cast<std::size_t>(side);
        if (!read[at] || (readings_[at] && is_worse(read[at].value(), *readings_[at]))) continue;
        readings_[at] = read[at].value();
        judge(side);
    }
    co_await lead_on();
}

Task<void> ClockWatch::lead_on() {
    Nanos lead{0};
    for (const auto& reading : readings_) {
        // As far as it surely is: what one measurement leaves open must not push our clock to and fro.
        if (reading && reading->ahead > reading->uncertainty && reading->ahead <= kMostLead)
            lead = std::max(lead, reading->ahead + reading->uncertainty);
    }
    if (lead == lead_) co_return;
    lead_ = lead;
    co_await data_plane_.lead_timestamps(lead);
}

void ClockWatch::shift_readings() {
    const auto now = wall_over_steady();
    const auto set_by = now - wall_over_steady_.value_or(now);
    wall_over_steady_ = now;
    for (auto& reading : readings_) {
        if (reading) reading->ahead -= set_by;
    }
}

Task<void> ClockWatch::follow_own_clock() {
    if (!wall_over_steady_ || std::chrono::abs(wall_over_steady() - *wall_over_steady_) < kSet) co_return;
    shift_readings();
    co_await lead_on();
}

void ClockWatch::judge(Side side) {
    const auto at = static_cast<std::size_t>(side);
    const auto& reading = *readings_[at];
    const bool apart = std::max(reading.ahead, -reading.ahead) > options_.allowed_skew + reading.uncertainty;
    if (apart && !warned_[at]) {
        log_.warn(
            "a cluster's clock and ours are too far apart: changes of phase that give out timestamps are refused until "
            "they agree; synchronise the clocks of its nodes and of this host (chrony, NTP)",
            {kv("cluster", routing::to_string(side)), kv("ahead_seconds", seconds(reading.ahead)),
             kv("allowed_seconds", seconds(options_.allowed_skew))});
    }
    if (!apart && warned_[at])
        log_.info("a cluster's clock and ours agree again", {kv("cluster", routing::to_string(side))});
    warned_[at] = apart;
}

Task<void> ClockWatch::run(ClockWatch* self) {
    while (!self->stop_.requested()) {
        co_await self->measure();
        // A clock drifts, or is set, and nobody tells.
        const auto next = Shard::here().clock().now() + self->options_.every;
        while (Shard::here().clock().now() < next && !self->stop_.requested()) {
            co_await sleep(std::min(kLook, self->options_.every), &self->stop_);  // ends with stop()
            co_await self->follow_own_clock();
        }
    }
}

void ClockWatch::start() {
    gate_.spawn(run(this));
}

Task<void> ClockWatch::stop() {
    gate_.close();
    stop_.request();
    co_await gate_.drained();
}

void ClockWatch::collect(metrics::MetricWriter& out) const {
    for (const auto side : kSides) {
        const auto& reading = readings_[static_cast<std::size_t>(side)];
        if (!reading) continue;
        out.gauge("penumbra_cluster_clock_ahead_seconds", "How far the cluster's clock is ahead of ours.",
                  seconds(reading->ahead), {{"cluster", routing::to_string(side)}});
        out.gauge("penumbra_cluster_clock_uncertainty_seconds", "How far the last measurement may be off.",
                  seconds(reading->uncertainty), {{"cluster", routing::to_string(side)}});
    }
    out.gauge("penumbra_timestamp_lead_seconds",
              "How far the timestamps that we give out run ahead of our clock, so as not to lie behind a cluster's.",
              seconds(lead_));
}

}  // namespace penumbra::control
