// What real servers answered to conditional writes, and what becomes of them.
#include <gtest/gtest.h>

#include "cluster/tests/support/recorded.h"
#include "cql/language/parser.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cluster::testing::recorded;

/// [applied] of every row; nothing when the answer has none.
std::optional<bool> applied(const Bytes& answer) {
    const auto rows = cql::Rows::from(Client::view(answer));
    if (!rows || rows.value().columns().empty() || rows.value().columns()[0].name != "[applied]") return std::nullopt;
    bool any = false;
    for (const auto& row : rows.value()) any |= row.boolean("[applied]").value();
    return any;
}

/// ScyllaDB answers with the old row whether it applied the write or not, and to a batch with a row for each statement;
/// Cassandra only with what did not match. Either way the rows are read back exactly where something may have changed,
/// and the client gets the answer as it was.
TEST(RecordedConditions, AreResyncedWhereTheyApplied) {
    for (const auto* server : cluster::testing::kRecordedServers) {
        World world;
        world.set_phase(Phase::shadow_sync);
        auto client = world.client();
        std::size_t owed = 0, taken = 0, refused = 0;
        for (const auto& one : recorded(server)) {
            if (one.scenario() != "conditional") continue;
            const auto statement = cql::parse(std::string_view(one.text));
            if (!statement.conditional()) continue;
            world.source->on_request = [&](const auto& asked) {
                auto answer = one.answer;
                store_be(answer.data() + 2, static_cast<std::uint16_t>(asked.stream));
                asked.server->raw(asked, answer);
            };
            // On a table of the moving tenant: what the condition is about does not matter, nobody executes it.
            const auto answer = client->run("UPDATE app.rows SET v = 'x' WHERE tenant = 'acme' AND id = 1 IF v = 'y'");
            ASSERT_EQ(answer.size(), one.answer.size()) << server << ' ' << one.step;
            EXPECT_TRUE(equal(BytesView(answer).subspan(4), BytesView(one.answer).subspan(4)))
                << server << ' ' << one.step;
            world.settle();
            const auto now = world.owed(Side::target).size();
            const auto did = applied(one.answer);
            const bool failed = Client::opcode(one.answer) == cql::Opcode::error;
            // VOID is the answer of a ScyllaDB that wrote without looking (INSERT JSON).
            EXPECT_EQ(now - owed, !failed && did.value_or(true) ? 1U : 0U)
                << server << ' ' << one.step << ' ' << one.text;
            owed = now;
            ++(failed || !did.value_or(true) ? refused : taken);
        }
        EXPECT_GT(taken, 30U) << server;
        EXPECT_GT(refused, 30U) << server;
    }
}

/// The servers agree on which conditions held: only then may one cluster decide for both.
TEST(RecordedConditions, HoldOnScyllaWhereTheyHoldOnCassandra) {
    const auto scylla = recorded("scylla-5.2");
    std::size_t compared = 0;
    for (const auto& one : recorded("cassandra-5.0")) {
        if (one.scenario() != "conditional") continue;
        const auto same = std::ranges::find(scylla, one.step, &cluster::testing::Recorded::step);
        if (same == scylla.end() || same->text != one.text) continue;
        const auto there = applied(one.answer), here = applied(same->answer);
        // There v is 34 by then: `SET v = v + 1 .. IF EXISTS` (056, 057) runs on Cassandra alone.
        if (!there || !here || one.step == "conditional/062") continue;
        ++compared;
        EXPECT_EQ(*there, *here) << one.step << ' ' << one.text;
    }
    EXPECT_GT(compared, 60U);
}

}  // namespace
}  // namespace penumbra::proxy::testing
