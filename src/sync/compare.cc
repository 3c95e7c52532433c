#include "sync/compare.h"

namespace penumbra::sync {

namespace {
constexpr std::size_t kSuspectsAtOnce = 64;
}

Task<Status> compare_streams(Work* work, Equalizer* equalizer, ShapePtr shape, RowStream primary, RowStream shadow,
                             DiffLimits tolerance, Pace* pace, ProgressMeter* meter) {
    std::vector<RowKey> suspects;
    std::uint64_t unpaced = 0;
    for (;;) {
        if (!primary.has_row() && unpaced > 0) {
            co_await pace->take(unpaced, &work->stop);
            unpaced = 0;
        }
        auto more_primary = co_await primary.fill();
        CO_TRY(const bool has_primary, std::move(more_primary));
        auto more_shadow = co_await shadow.fill();
        CO_TRY(const bool has_shadow, std::move(more_shadow));
        if (!has_primary && !has_shadow) break;

        auto order = std::weak_ordering::equivalent;
        if (!has_shadow) {
            order = std::weak_ordering::less;
        } else if (!has_primary) {
            order = std::weak_ordering::greater;
        } else {
            order = shape->compare(primary.front().key, shadow.front().key);
        }
        const RowItem* p = order <= 0 ? &primary.front() : nullptr;
        const RowItem* s = order >= 0 ? &shadow.front() : nullptr;
        auto limits = tolerance;
        limits.now_seconds = work->wall_seconds();
        if (!compare_rows(*shape, p ? &p->image : nullptr, s ? &s->image : nullptr, limits).empty())
            suspects.push_back(p ? p->key : s->key);
        if (p != nullptr) {
            if (!p->key.is_static) {
                ++work->report.rows;
                ++unpaced;
                if (meter) meter->rows(1);
            }
            work->report.cells += p->image.cells.size() + p->image.wholes.size();
            primary.take();
        }
        if (s != nullptr) shadow.take();
        if (suspects.size() >= kSuspectsAtOnce) {
            auto batch = std::exchange(suspects, {});
            auto examined = co_await equalizer->examine(shape, std::move(batch));
            CO_TRY(std::move(examined));
        }
    }
    if (!suspects.empty()) {
        auto examined = co_await equalizer->examine(shape, std::move(suspects));
        CO_TRY(std::move(examined));
    }
    co_return ok();
}

}  // namespace penumbra::sync
