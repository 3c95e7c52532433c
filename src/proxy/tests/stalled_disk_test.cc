#include <gtest/gtest.h>

#include "journal/tests/memory_file_system.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;

constexpr auto* kInsert = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')";

/// A journal whose disk hangs in fdatasync. What the clusters have done is neither acknowledged nor forgotten: the
/// client has an answer in time, and the write is owed once the disk goes on.
class StalledDiskTest : public ::testing::Test {
  protected:
    ~StalledDiskTest() override { disk.hold_syncs(false); }

    void start(Nanos request_timeout, Nanos shadow_timeout) {
        disk.add_directory("/journal");
        world = std::make_unique<World>(
            request_timeout, shadow_timeout, LoginPolicy{}, std::map<std::string, std::string>{},
            [this](World& made, ProxyContext& context) {
                journal::Options options;
                options.directory = "/journal";
                made.journal = journal::Journal::open(options, Clock::system(), disk).value();
                made.range_orders = std::make_unique<sync::RangeOrders>(*made.journal, ~std::uint64_t{0});
                context.journal = made.journal.get();
                context.range_orders = made.range_orders.get();
            });
        world->set_phase(Phase::shadow_sync);
        client = world->client();
    }
    /// What the client is answered while the disk hangs; then the disk goes on.
    cql::ErrorMessage answer_while_stalled(const std::string& text) {
        world->settle();
        const auto owed_before = world->owed(Side::target).size();
        disk.hold_syncs(true);
        stream = client->query(text);
        const auto answer = client->wait(stream);
        EXPECT_EQ(world->owed(Side::target).size(), owed_before);
        disk.hold_syncs(false);
        world->settle();
        EXPECT_EQ(client->answers[stream].size(), 1U);
        if (!Client::error(answer)) return {};
        return cql::decode_error(Client::view(client->answers[stream][0])).value();
    }
    void expect_write_timeout(const std::string& text, std::string_view write_type) {
        const auto error = answer_while_stalled(text);
        ASSERT_EQ(error.code, ErrorCode::write_timeout) << text;
        EXPECT_EQ(std::get<cql::WriteTimeout>(error.detail).write_type, write_type) << text;
        EXPECT_EQ(error.message.find("the journal's disk has not taken in time"), 0U) << error.message;
    }
    void silence_shadow() {
        world->target->on_request = [](const auto&) {};
    }

    journal::MemoryFileSystem disk;
    std::unique_ptr<World> world;
    std::unique_ptr<Client> client;
    std::int16_t stream = 0;
};

TEST_F(StalledDiskTest, AConditionalWriteEndsInTimeAndIsOwed) {
    start(200ms, 60ms);
    expect_write_timeout("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x') IF NOT EXISTS", "CAS");
    const auto owed = world->owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<sync::OwedResync>(owed[0]));
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
}

TEST_F(StalledDiskTest, AnAdditionToAListEndsInTimeAndIsOwed) {
    start(200ms, 60ms);
    expect_write_timeout("UPDATE app.rows SET tags = tags + ['x'] WHERE tenant = 'acme' AND id = 1", "SIMPLE");
    EXPECT_EQ(world->target->applied.size(), 1U);
    EXPECT_EQ(world->owed(Side::target).size(), 1U);
}

TEST_F(StalledDiskTest, AWriteThatTheShadowHasNotTakenEndsInTimeAndIsOwed) {
    start(200ms, 60ms);
    silence_shadow();
    expect_write_timeout(kInsert, "SIMPLE");
    const auto owed = world->owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
}

TEST_F(StalledDiskTest, AShadowThatOutlivesTheRequestsTimeLeavesTheDiskSome) {
    start(60ms, 120ms);
    silence_shadow();
    EXPECT_TRUE(Client::is_result(client->run(kInsert))) << "the disk is quick";
    expect_write_timeout(kInsert, "SIMPLE");
    EXPECT_EQ(world->owed(Side::target).size(), 2U);
}

TEST_F(StalledDiskTest, AWriteThatBothHaveNeedsNoDisk) {
    start(10s, 10s);
    disk.hold_syncs(true);
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
}

TEST_F(StalledDiskTest, ATruncateEndsInTimeAndItsTableIsOwed) {
    start(200ms, 60ms);
    const auto error = answer_while_stalled("TRUNCATE app.rows");
    EXPECT_EQ(error.code, ErrorCode::truncate_error);
    EXPECT_EQ(error.message.find("the journal's disk has not taken in time"), 0U) << error.message;
    EXPECT_EQ(world->source->applied.size(), 1U);
    EXPECT_EQ(world->target->applied.size(), 1U);
    world->loop.until([&] { return !world->owed(Side::target).empty(); });
    const auto owed = world->owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_EQ(std::get<sync::OwedResync>(owed[0]), (sync::OwedResync{"app", "rows", {}}));
}

}  // namespace
}  // namespace penumbra::proxy::testing
