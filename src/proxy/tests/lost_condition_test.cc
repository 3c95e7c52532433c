#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::ErrorCode;

constexpr auto kJson = "INSERT INTO app.settings JSON '{\"name\": \"a\", \"value\": \"b\"}' IF NOT EXISTS";
constexpr auto kPlain = "INSERT INTO app.settings (name, value) VALUES ('a', 'b') IF NOT EXISTS";

class LostConditionTest : public ::testing::TestWithParam<bool> {
  protected:
    static void make_scylla(LyingServer& server) { server.shards = LyingServer::Shards{2, false, 0}; }
    World world{std::chrono::milliseconds(400), std::chrono::milliseconds(60), {}, {}, [](World& made, ProxyContext&) {
                    made.loop.on([&] { make_scylla(GetParam() ? *made.source : *made.target); });
                }};
};

TEST_P(LostConditionTest, IsRefusedWhereOnlyTheNewPrimaryLosesIt) {
    const bool from_scylla = GetParam();
    auto client = world.client();
    const auto id = client->prepare(kJson);
    for (const auto phase : {Phase::source_only, Phase::shadow_sync, Phase::target_primary, Phase::target_only}) {
        world.set_phase(phase, phase);
        const bool lost = !from_scylla && routing::primary_of(phase) == Side::target;
        const auto before = world.primary().asked.size();
        for (const auto& answer : {client->run(kJson), client->wait(client->execute(id, {}))}) {
            if (lost) {
                EXPECT_EQ(Client::error(answer), ErrorCode::invalid) << routing::to_string(phase);
            } else {
                EXPECT_TRUE(Client::is_result(answer)) << routing::to_string(phase);
            }
        }
        if (lost) {
            EXPECT_EQ(world.primary().asked.size(), before) << "nothing was sent";
        }
        EXPECT_TRUE(Client::is_result(client->run(kPlain)));
    }
}

INSTANTIATE_TEST_SUITE_P(From, LostConditionTest, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "ScyllaDB" : "Cassandra"; });

}  // namespace
}  // namespace penumbra::proxy::testing
