#include "sync/transit.h"

#include <algorithm>

namespace penumbra::sync {

namespace {
constexpr Nanos kLook = Millis(1);
}

bool Transit::Place::meets(const Place& other) const {
    return shadow == other.shadow && scope == other.scope && tokens.meets(other.tokens) && table == other.table &&
           keyspace == other.keyspace;
}

Transit::Passage Transit::begin(Place place) {
    const auto number = next_++;
    under_way_.emplace(number, std::move(place));
    return {*this, number};
}

Task<Status> Transit::arrived(Place place, StopSignal* stop) const {
    const auto mine = next_;
    const auto is_before = [&](const auto& passage) { return passage.first < mine && passage.second.meets(place); };
    while (std::ranges::any_of(under_way_, is_before)) {
        if (stop->requested()) co_return fail(Errc::cancelled, "stopped");
        co_await sleep(kLook, stop);  // seldom, and shorter than the request that is waited for: nobody has to tell
    }
    co_return ok();
}

}  // namespace penumbra::sync
