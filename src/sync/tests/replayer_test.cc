// What the replayer decides without asking a cluster; live_test.cc has the rest.
#include "sync/replayer.h"

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cql/types/scalars.h"
#include "journal/journal.h"
#include "runtime/async.h"
#include "runtime/tests/support/run.h"
#include "sync/live_traffic.h"
#include "sync/owed_write.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;

/// A cluster where nobody answers.
cluster::ClusterOptions nobody(const char* name) {
    cluster::ClusterOptions out;
    out.pool.cluster = name;
    out.contact_points.push_back(HostPort::parse("127.0.0.1:1", 9042).value());
    return out;
}

constexpr routing::ScopeId kScope(7);

Task<void> owe(journal::Journal* journal, std::uint8_t stream, BytesView payload) {
    const OneShot<Result<journal::EntryId>> appended;
    journal->append(stream, kScope.value(), payload, [appended](auto id) { appended.set(std::move(id)); });
    const auto id = co_await appended;
    EXPECT_TRUE(id);
    journal->release(id.value());
}

/// A crash offers orders once more that were carried out before a switch: by now their cluster is the primary, and has
/// what the other one has not.
Task<void> order_of_a_phase_that_is_over(std::filesystem::path directory) {
    cluster::Cluster source(nobody("source"), Shard::here(), {&Shard::here()});
    cluster::Cluster target(nobody("target"), Shard::here(), {&Shard::here()});
    co_await source.start(Deadline::in(Clock::system(), 50ms));
    co_await target.start(Deadline::in(Clock::system(), 50ms));
    auto to = target.session();
    auto from = source.session();
    auto journal = journal::Journal::open({directory}, Clock::system()).value();
    NoTraffic traffic;
    Transit transit;
    ReplayOptions options;
    options.stream = 1;
    options.scope_of = [](routing::ScopeId) {
        return std::optional(ReplayScope{routing::Scope{}, "tenant", 1, routing::Side::target});
    };
    Replayer replayer(*journal, *to, *from, traffic, transit, options);
    replayer.start();
    const OwedResync order{"app", "rows", cql::encode_int(3)};
    Bytes payload;
    encode_owed_resync(order, payload);
    co_await owe(journal.get(), 1, payload);
    for (int i = 0; i < 5000 && journal->owed_of(1, kScope.value()).entries > 0; ++i) co_await sleep(1ms);
    EXPECT_EQ(journal->owed_of(1, kScope.value()).entries, 0U);
    const auto turned = journal->owed(0, 10);
    EXPECT_EQ(turned.size(), 1U);
    if (turned.size() == 1) {
        EXPECT_EQ(std::get<OwedResync>(decode_owed(journal->read(turned[0].id).value()).value()), order);
    }
    co_await replayer.stop();
    to.reset();
    from.reset();
    journal.reset();
    co_await source.stop();
    co_await target.stop();
}

TEST(Replayer, AnOrderOfAPhaseThatIsOverIsTurnedRound) {
    const auto directory = std::filesystem::path(::testing::TempDir()) / "replayer_test";
    std::filesystem::remove_all(directory);
    penumbra::testing::run(order_of_a_phase_that_is_over(directory));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace penumbra::sync
