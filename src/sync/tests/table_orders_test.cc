#include "sync/table_orders.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "runtime/shard.h"

namespace penumbra::sync {
namespace {

using routing::ScopeId;

/// A journal on disk and one shard, which runs on the test's thread.
class TableOrdersTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "penumbra-orders-XXXXXX";
        directory = ::mkdtemp(name.data());
        open(1 << 20);
    }
    void TearDown() override {
        orders.reset();
        journal.reset();
        std::filesystem::remove_all(directory);
    }
    void open(std::uint64_t quota) {
        orders.reset();
        journal.reset();
        journal::Options options;
        options.directory = directory;
        options.quota_bytes = quota;
        options.segment_bytes = quota / 4;
        journal = journal::Journal::open(std::move(options), Clock::system()).value();
        orders = std::make_unique<TableOrders>(*journal);
    }

    void on_shard(UniqueFunction<void()> body) {
        bool done = false;
        shard.post([&] {
            body();
            done = true;
        });
        shard.run([&] { return done; });
    }
    Status order(const std::string& table, ScopeId scope = ScopeId(1)) {
        std::optional<Status> told;
        on_shard([&] { orders->order(1, scope, "ks", table, [&](Status how) { told = std::move(how); }); });
        shard.run([&] { return told.has_value(); });
        return std::move(*told);
    }
    std::vector<OwedResync> owed() const {
        std::vector<OwedResync> found;
        for (const auto& entry : journal->owed(1, 1000))
            found.push_back(std::get<OwedResync>(decode_owed(journal->read(entry.id).value()).value()));
        return found;
    }
    void replay_begins(const std::string& table) {
        orders->begins(1, ScopeId(1), {"ks", table, {}}, journal->owed(1, 1000).back().id);
    }
    /// Writes of another kind, until the journal takes no more.
    std::vector<journal::EntryId> fill() {
        std::vector<journal::EntryId> taken;
        const Bytes payload(100);
        for (bool full = false; !full;) {
            bool answered = false;
            on_shard([&] {
                journal->append(0, 7, payload, [&](Result<journal::EntryId> id) {
                    full = !id;
                    if (id) taken.push_back(id.value());
                    answered = true;
                });
            });
            shard.run([&] { return answered; });
        }
        return taken;
    }

    Shard shard{"test"};
    std::string directory;
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<TableOrders> orders;
};

TEST_F(TableOrdersTest, OneOrderStandsForAllThatComeBeforeItsReplay) {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(order("t"));
    EXPECT_EQ(owed(), (std::vector<OwedResync>{{"ks", "t", {}}}));
    EXPECT_TRUE(order("other"));
    EXPECT_TRUE(order("t", ScopeId(2)));
    EXPECT_EQ(owed().size(), 3U);
}

TEST_F(TableOrdersTest, WhoComesAfterAReplayBeganNeedsAnother) {
    EXPECT_TRUE(order("t"));
    replay_begins("t");
    EXPECT_TRUE(order("t"));
    EXPECT_EQ(owed().size(), 2U);
    EXPECT_TRUE(order("t"));
    EXPECT_EQ(owed().size(), 2U);
    orders->begins(1, ScopeId(1), {"ks", "t", {1, 2}}, journal->owed(1, 1000).back().id);
    EXPECT_TRUE(order("t"));
    EXPECT_EQ(owed().size(), 2U) << "of one partition: the table's order still stands";
}

TEST_F(TableOrdersTest, ThoseThatComeTogetherShareOne) {
    int told = 0;
    on_shard([&] {
        for (int i = 0; i < 20; ++i)
            orders->order(1, ScopeId(1), "ks", "t", [&](Status how) { told += how.has_value(); });
        EXPECT_EQ(told, 0) << "never inside the call";
    });
    shard.run([&] { return told == 20; });
    EXPECT_EQ(owed().size(), 1U);
}

TEST_F(TableOrdersTest, WhatTheDiskDoesNotTakeIsTriedUntilItDoes) {
    open(8192);
    const auto taken = fill();
    const auto refused = order("t");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::overloaded);
    EXPECT_EQ(orders->unwritten(1, ScopeId(1)), 1U) << "it counts: a switch must not overlook it";
    EXPECT_EQ(orders->unwritten(0, ScopeId(1)), 0U);
    EXPECT_EQ(orders->unwritten(), 1U);
    for (const auto id : taken) journal->settle(id);
    shard.run([&] { return orders->unwritten() == 0; });
    EXPECT_EQ(owed(), (std::vector<OwedResync>{{"ks", "t", {}}}));
}

TEST_F(TableOrdersTest, AScopeThatIsGoneOwesNothing) {
    open(8192);
    fill();
    EXPECT_FALSE(order("t"));
    orders->forget(ScopeId(1));
    EXPECT_EQ(orders->unwritten(), 0U);
}

}  // namespace
}  // namespace penumbra::sync
