// Counted work instead of time: how often the proxy enters the kernel for a request.

#include "system_calls.h"

#include "path.h"

namespace penumbra::bench {
namespace {

double of_load(Phase phase, double reads, std::size_t connections, std::size_t in_flight) {
    Path path;
    auto load = path.load(phase, reads, Style::prepared);
    load.connections = connections;
    load.in_flight = in_flight;
    const auto each = path.per_request(load, system_calls_so_far);
    ::testing::Test::RecordProperty("system_calls_per_request", std::to_string(each));
    return each;
}

// A wait, a read and a write for the request, and the same for its answer: nothing can be shared with others, and
// nothing is asked twice. The half is for the timers of a busy machine.
TEST(SystemCalls, OfARequestThatIsAloneAreSix) {
    EXPECT_LE(of_load(Phase::source_only, 1, 1, 1), 6.5);
}
TEST(SystemCalls, OfAWriteToTwoClustersThatIsAloneAreNine) {
    // One more write, and a wait and a read more when the second answer comes in a turn of its own.
    EXPECT_LE(of_load(Phase::shadow_sync, 0, 1, 1), 9.5);
}
// What one client sends at once costs as much as one request, on either side.
TEST(SystemCalls, AreSharedByRequestsThatComeTogether) {
    EXPECT_LE(of_load(Phase::source_only, 1, 1, 64), 1.0);
    EXPECT_LE(of_load(Phase::shadow_sync, 0, 1, 64), 1.0);
}
// Sixteen clients with one request each: their reads and answers are their own, the cluster's side is shared.
TEST(SystemCalls, OfTheClustersSideAreSharedByClients) {
    EXPECT_LE(of_load(Phase::source_only, 1, 16, 1), 4.0);
}

}  // namespace
}  // namespace penumbra::bench
