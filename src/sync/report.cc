#include "sync/report.h"

#include <algorithm>

namespace penumbra::sync {

std::string_view to_string(DifferenceKind kind) {
    switch (kind) {
        case DifferenceKind::schema:
            return "schema";
        case DifferenceKind::missing:
            return "missing";
        case DifferenceKind::extra:
            return "extra";
        case DifferenceKind::value:
            return "value";
        case DifferenceKind::absent:
            return "absent";
        case DifferenceKind::unexpected:
            return "unexpected";
        case DifferenceKind::write_time:
            return "write_time";
        case DifferenceKind::expiry:
            return "expiry";
        case DifferenceKind::refused:
            return "refused";
    }
    return "?";
}

void Report::add(Report other) {
    rows += other.rows;
    cells += other.cells;
    statements += other.statements;
    differences += other.differences;
    conflicts += other.conflicts;
    repaired += other.repaired;
    moving += other.moving;
    collections_without_times += other.collections_without_times;
    lists_rewritten += other.lists_rewritten;
    counters_settled += other.counters_settled;
    expired += other.expired;
    refused += other.refused;
    unknown_fate += other.unknown_fate;
    retries += other.retries;
    for (auto& sample : other.samples) add_sample(std::move(sample));
}

void Report::add_sample(Difference sample) {
    if (samples.size() < kMaxSamples) samples.push_back(std::move(sample));
}

void ProgressMeter::start(SteadyTime now, std::uint64_t total, std::uint64_t already_done) {
    total_ = total;
    done_ = already_done;
    already_done_ = already_done;
    started_ = now.time_since_epoch().count();
}

void ProgressMeter::end(SteadyTime now) {
    ended_ = now.time_since_epoch().count();
}

Progress ProgressMeter::snapshot(SteadyTime now) const {
    Progress progress;
    progress.done = done_;
    progress.total = total_;
    progress.rows = rows_;
    const auto started = started_.load();
    if (started == 0) return progress;
    const auto ended = ended_.load();
    const auto until = ended != 0 ? ended : now.time_since_epoch().count();
    const double seconds = std::max(1e-9 * static_cast<double>(until - started), 1e-9);
    progress.rows_per_second = static_cast<double>(progress.rows) / seconds;
    if (ended != 0) {
        progress.seconds_left = 0;
    } else if (const auto done_now = progress.done - already_done_; done_now > 0) {
        // Portions are of one size by tokens, not by rows: an estimate that gets better as it goes.
        progress.seconds_left =
            seconds / static_cast<double>(done_now) * static_cast<double>(progress.total - progress.done);
    }
    return progress;
}

}  // namespace penumbra::sync
