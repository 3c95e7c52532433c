#include "control/clock_watch.h"

#include <algorithm>

namespace penumbra::control {

using routing::Side;

namespace {

constexpr Side kSides[] = {Side::source, Side::target};
/// Servers tell milliseconds, rounded down.
constexpr Nanos kResolution = Millis(1);

double seconds(Nanos duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Task<Result<ClockReading>> read_clock(ClusterView* cluster, Deadline by) {
    const auto& clock = Shard::here().clock();
    const auto asked = clock.wall_micros();
    auto answer = co_await cluster->clock(by);
    const auto answered = clock.wall_micros();
    CO_TRY(const auto told, std::move(answer));
    ClockReading reading;
    reading.ahead = Micros(told - (asked + answered) / 2);
    reading.uncertainty = Micros((answered - asked) / 2) + kResolution;
    co_return reading;
}

ClockWatch::ClockWatch(ClusterView& source, ClusterView& target, proxy::DataPlane& data_plane, Options options)
    : clusters_{&source, &target}, data_plane_(data_plane), options_(options) {}

Task<void> ClockWatch::measure() {
    const auto by = Deadline::in(Shard::here().clock(), options_.probe_timeout);
    std::vector<Task<Result<ClockReading>>> both;
    for (auto* cluster : clusters_) both.push_back(read_clock(cluster, by));
    const auto read = co_await when_all(std::move(both));
    Nanos lead{0};
    for (const auto side : kSides) {
        const auto at = static_cast<std::size_t>(side);
        if (read[at]) {
            readings_[at] = read[at].value();
            judge(side);
        }
        if (!readings_[at]) continue;
        // As far as it surely is: what one measurement leaves open must not push our clock to and fro.
        const auto& reading = *readings_[at];
        if (reading.ahead > reading.uncertainty && reading.ahead <= kMostLead)
            lead = std::max(lead, reading.ahead + reading.uncertainty);
    }
    if (lead == lead_) co_return;
    lead_ = lead;
    co_await data_plane_.lead_timestamps(lead);
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
        co_await sleep(self->options_.every, &self->stop_);  // a clock drifts, and nobody tells
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
