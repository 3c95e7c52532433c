// Counted work instead of time: what the proxy allocates for a request in steady state.

#include "cql/protocol/tests/allocations.h"

#include "path.h"

namespace penumbra::bench {
namespace {

struct Case {
    const char* name;
    Phase phase;
    double reads;
    Style style;
};
void PrintTo(const Case& one, std::ostream* out) {
    *out << one.name;
}

class Allocations : public ::testing::TestWithParam<Case> {};

TEST_P(Allocations, ThereAreNonePerRequest) {
    const auto& one = GetParam();
    Path path;
    const auto each = path.per_request(path.load(one.phase, one.reads, one.style), allocations_so_far);
    RecordProperty("allocations_per_request", std::to_string(each));
    // What remains happens once in a while: a turn with more in flight than ever before, timers, the group commits of
    // the journal. By time, so that a busy machine sees more of it for a request.
    EXPECT_LE(each, one.phase == Phase::shadow_async ? 0.5 : 0.2);
}

INSTANTIATE_TEST_SUITE_P(Path, Allocations,
                         ::testing::Values(Case{"prepared_read", Phase::source_only, 1, Style::prepared},
                                           Case{"simple_read", Phase::source_only, 1, Style::simple},
                                           Case{"prepared_write", Phase::source_only, 0, Style::prepared},
                                           Case{"shadow_sync_write", Phase::shadow_sync, 0, Style::prepared},
                                           Case{"shadow_async_write", Phase::shadow_async, 0, Style::prepared},
                                           Case{"shadow_sync_batch", Phase::shadow_sync, 0, Style::batch}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace penumbra::bench
