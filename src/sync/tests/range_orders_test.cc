#include "sync/range_orders.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "runtime/shard.h"

namespace penumbra::sync {
namespace {

using journal::EntryId;
using routing::ScopeId;

/// A journal on disk and one shard, which runs on the test's thread.
class RangeOrdersTest : public ::testing::Test {
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
    void open(std::uint64_t quota, std::uint64_t slices_until = ~std::uint64_t{0}) {
        orders.reset();
        journal.reset();
        journal::Options options;
        options.directory = directory;
        options.quota_bytes = quota;
        options.segment_bytes = quota / 4;
        journal = journal::Journal::open(std::move(options), Clock::system()).value();
        orders = std::make_unique<RangeOrders>(*journal, slices_until);
    }

    void on_shard(UniqueFunction<void()> body) {
        bool done = false;
        shard.post([&] {
            body();
            done = true;
        });
        shard.run([&] { return done; });
    }
    Status order(const std::string& table, std::optional<RingSlice> slice, ScopeId scope = ScopeId(1)) {
        std::optional<Status> told;
        on_shard([&] { orders->order(1, scope, "ks", table, slice, [&](Status how) { told = std::move(how); }); });
        shard.run([&] { return told.has_value(); });
        return std::move(*told);
    }
    static RingSlice slice(std::size_t number) { return RingSlice(static_cast<std::uint16_t>(number)); }
    static OwedResync whole(const std::string& table) { return {"ks", table, {}}; }
    static OwedResync part(const std::string& table, std::size_t number) {
        auto order = whole(table);
        order.range = range_of(slice(number));
        return order;
    }
    std::vector<OwedResync> owed() const {
        std::vector<OwedResync> found;
        for (const auto& entry : journal->owed(1, 10'000))
            found.push_back(std::get<OwedResync>(decode_owed(journal->read(entry.id).value()).value()));
        return found;
    }
    EntryId newest() const { return journal->owed(1, 10'000).back().id; }
    EntryId newest_of(const OwedResync& order) const {
        EntryId found;
        for (const auto& entry : journal->owed(1, 10'000)) {
            if (std::get<OwedResync>(decode_owed(journal->read(entry.id).value()).value()) == order) found = entry.id;
        }
        return found;
    }
    void replay_begins(const OwedResync& order) { orders->begins(1, ScopeId(1), order, newest()); }
    void replay_is_put_off(const OwedResync& order, EntryId newest_then) {
        orders->put_off(1, ScopeId(1), order, newest_then);
    }
    /// Writes of another kind, until the journal takes no more.
    std::vector<EntryId> fill() {
        std::vector<EntryId> taken;
        for (const std::size_t size : {100, 1}) fill_with(Bytes(size), taken);
        return taken;
    }
    void fill_with(const Bytes& payload, std::vector<EntryId>& taken) {
        for (bool full = false; !full;) {
            bool answered = false;
            on_shard([&] {
                journal->append(0, 7, payload, [&](Result<EntryId> id) {
                    full = !id;
                    if (id) taken.push_back(id.value());
                    answered = true;
                });
            });
            shard.run([&] { return answered; });
        }
    }

    Shard shard{"test"};
    std::string directory;
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<RangeOrders> orders;
};

TEST_F(RangeOrdersTest, OneOrderStandsForAllThatComeBeforeItsReplay) {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(owed(), std::vector{part("t", 5)});
    EXPECT_TRUE(order("other", slice(5)));
    EXPECT_TRUE(order("t", slice(5), ScopeId(2)));
    EXPECT_EQ(owed().size(), 3U);
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_EQ(owed().size(), 4U);
    EXPECT_EQ(owed().back(), part("t", 6));
}

TEST_F(RangeOrdersTest, WhoseSliceIsNotKnownOrdersTheWholeTable) {
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("t", {}));
    EXPECT_EQ(owed(), std::vector{whole("t")}) << "which stands for the slice too";
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_TRUE(order("t", {}));
    EXPECT_EQ(owed().size(), 1U);
    replay_begins(whole("t"));
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_EQ(owed(), (std::vector{whole("t"), part("t", 6)}));
}

TEST_F(RangeOrdersTest, WhoComesAfterAReplayBeganNeedsAnother) {
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("t", slice(6)));
    replay_begins(part("t", 5));
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_EQ(owed(), (std::vector{part("t", 5), part("t", 6), part("t", 5)}));
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(owed().size(), 3U);
    orders->begins(1, ScopeId(1), {"ks", "t", {1, 2}}, newest());
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(owed().size(), 3U) << "of one partition: the slice's order still stands";
}

TEST_F(RangeOrdersTest, AReplayOfOlderOrdersLeavesTheNewOneStanding) {
    EXPECT_TRUE(order("t", slice(5)));
    const auto first = newest();
    replay_begins(part("t", 5));
    EXPECT_TRUE(order("t", slice(5)));
    orders->begins(1, ScopeId(1), part("t", 5), first);
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(owed().size(), 2U);
}

TEST_F(RangeOrdersTest, AClusterThatIsAwayIsOwedNoMoreOrdersHoweverOftenItIsTried) {
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("u", {}));
    for (int attempt = 0; attempt < 5; ++attempt) {
        for (const auto& one : {part("t", 5), whole("u")}) {
            const auto tried = newest_of(one);
            replay_begins(one);
            // While it is tried there must be another one; once it is put off it stands for that one's writes too.
            EXPECT_TRUE(order("t", slice(5)));
            EXPECT_TRUE(order("u", slice(9)));
            replay_is_put_off(one, tried);
        }
        EXPECT_TRUE(order("t", slice(5)));
        EXPECT_TRUE(order("u", slice(10)));
    }
    EXPECT_EQ(owed().size(), 2U);
}

TEST_F(RangeOrdersTest, WhatIsPutOffAfterItsScopeWasForgottenStandsForNothing) {
    for (const auto& one : {part("t", 5), whole("t")}) {
        const auto at = one.range ? std::optional(slice(5)) : std::nullopt;
        EXPECT_TRUE(order("t", at));
        const auto tried = newest();
        replay_begins(one);
        on_shard([&] { journal->forget_scope(1); });
        orders->forget(ScopeId(1));
        replay_is_put_off(one, tried);
        EXPECT_TRUE(owed().empty());
        EXPECT_TRUE(order("t", at));
        EXPECT_EQ(owed(), std::vector{one}) << "of the same scope, shadowed again";
        on_shard([&] { journal->forget_scope(1); });
        orders->forget(ScopeId(1));
    }
}

TEST_F(RangeOrdersTest, ItIsToldWhetherAnOrderThatWasPutOffStoodForMore) {
    EXPECT_TRUE(order("t", slice(5)));
    const auto first = newest();
    const auto begins = [&] { return orders->begins(1, ScopeId(1), part("t", 5), first); };
    EXPECT_FALSE(begins());
    replay_is_put_off(part("t", 5), first);
    EXPECT_FALSE(begins());
    replay_is_put_off(part("t", 5), first);
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(begins());
    EXPECT_TRUE(order("t", slice(5))) << "on its own while the first is tried";
    replay_is_put_off(part("t", 5), first);
    EXPECT_TRUE(begins());
    EXPECT_FALSE(begins());
}

TEST_F(RangeOrdersTest, OrdersOfAnEarlierProcessStandOnceTheyWereTried) {
    EXPECT_TRUE(order("t", slice(5)));
    open(1 << 20);
    EXPECT_EQ(owed(), std::vector{part("t", 5)});
    const auto recovered = newest();
    replay_begins(part("t", 5));
    replay_is_put_off(part("t", 5), recovered);
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(owed().size(), 1U);
    // Of a version that cut the ring otherwise: no slice of ours.
    auto other = part("t", 5);
    other.range->end = range_of(slice(6)).end;
    replay_begins(other);
    replay_is_put_off(other, recovered);
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_EQ(owed().size(), 2U);
}

TEST_F(RangeOrdersTest, MoreThanHalfOfTheSlicesAreTheWholeTable) {
    for (std::size_t i = 0; i < RangeOrders::kMostSlices; ++i) ASSERT_TRUE(order("t", slice(2 * i)));
    EXPECT_EQ(owed().size(), RangeOrders::kMostSlices);
    EXPECT_TRUE(order("t", slice(4))) << "of those that are ordered";
    EXPECT_EQ(owed().size(), RangeOrders::kMostSlices);
    EXPECT_TRUE(order("t", slice(3)));
    EXPECT_EQ(owed(), std::vector{whole("t")});
}

TEST_F(RangeOrdersTest, TheLastOfTheRoomIsForWholeTables) {
    open(1 << 20, 1);
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_TRUE(order("t", slice(6)));
    EXPECT_EQ(owed(), std::vector{whole("t")});
}

TEST_F(RangeOrdersTest, ThoseThatComeTogetherShareOne) {
    int told = 0;
    on_shard([&] {
        for (int i = 0; i < 20; ++i)
            orders->order(1, ScopeId(1), "ks", "t", slice(5), [&](Status how) { told += how.has_value(); });
        EXPECT_EQ(told, 0) << "never inside the call";
    });
    shard.run([&] { return told == 20; });
    EXPECT_EQ(owed().size(), 1U);
}

TEST_F(RangeOrdersTest, OneForTheTableThatComesTogetherWithSlicesStandsForThem) {
    int told = 0;
    on_shard([&] {
        const auto tell = [&](Status how) { told += how.has_value(); };
        orders->order(1, ScopeId(1), "ks", "t", slice(5), tell);
        orders->order(1, ScopeId(1), "ks", "t", {}, tell);
        orders->order(1, ScopeId(1), "ks", "t", slice(6), tell);
        orders->order(1, ScopeId(1), "ks", "t", slice(5), tell);
    });
    shard.run([&] { return told == 4; });
    EXPECT_TRUE(order("t", slice(5)));
    EXPECT_EQ(std::ranges::count(owed(), whole("t")), 1);
    EXPECT_EQ(std::ranges::count(owed(), part("t", 6)), 0);
}

TEST_F(RangeOrdersTest, AnewIsYoungerThanWhatWasAppendedBefore) {
    ASSERT_TRUE(order("t", {}));
    const auto standing = newest();
    std::optional<journal::EntryId> statement;
    on_shard([&] { journal->append(1, 1, bytes_of("a statement"), [&](auto id) { statement = id.value(); }); });
    shard.run([&] { return statement.has_value(); });
    journal->settle(*statement);
    std::optional<Status> told;
    on_shard([&] { orders->order_anew(1, ScopeId(1), "ks", "t", [&](Status how) { told = std::move(how); }); });
    shard.run([&] { return told.has_value(); });
    EXPECT_TRUE(*told);
    EXPECT_EQ(owed(), std::vector{whole("t")}) << "of two that stand for the same one is owed";
    EXPECT_EQ(newest(), standing);
    open(1 << 20);
    const auto offered = journal->owed(1, 10);
    ASSERT_EQ(offered.size(), 3U) << "a restart offers what is on disk";
    EXPECT_EQ(offered[1].id, *statement);
    EXPECT_EQ(std::get<OwedResync>(decode_owed(journal->read(offered[2].id).value()).value()), whole("t"));
}

TEST_F(RangeOrdersTest, AnewIsOfferedByARestartThatOffersWhatWasBeforeIt) {
    open(64 << 10);  // four segments
    const auto append = [&](std::uint32_t scope, std::size_t size) {
        std::optional<journal::EntryId> id;
        on_shard([&] { journal->append(1, scope, Bytes(size), [&](auto entry) { id = entry.value(); }); });
        shard.run([&] { return id.has_value(); });
        return *id;
    };
    append(2, 10);  // keeps the first segment
    const auto before = append(1, 10);
    journal->settle(before);
    journal->settle(append(3, 16'200));  // a second segment
    bool told = false;
    on_shard([&] { orders->order_anew(1, ScopeId(1), "ks", "t", [&](Status how) { told = how.has_value(); }); });
    shard.run([&] { return told; });
    const auto anew = newest();
    replay_begins(whole("t"));
    journal->settle(anew);
    journal->settle(append(3, 16'200));  // a third
    open(64 << 10);
    std::vector<journal::EntryId> offered;
    for (const auto& entry : journal->owed(1, 10)) {
        if (entry.scope == 1) offered.push_back(entry.id);
    }
    EXPECT_EQ(offered, (std::vector{before, anew}));
}

TEST_F(RangeOrdersTest, AnewIsToldWhenTheDiskDoesNotTakeIt) {
    open(8192);
    const auto taken = fill();
    std::optional<Status> told;
    on_shard([&] { orders->order_anew(1, ScopeId(1), "ks", "t", [&](Status how) { told = std::move(how); }); });
    shard.run([&] { return told.has_value(); });
    EXPECT_FALSE(*told);
    EXPECT_EQ(orders->unwritten(), 1U) << "and it is tried again";
    for (const auto id : taken) journal->settle(id);
    shard.run([&] { return orders->unwritten() == 0; });
    EXPECT_EQ(owed(), std::vector{whole("t")});
}

TEST_F(RangeOrdersTest, WhatTheDiskDoesNotTakeIsTriedUntilItDoes) {
    open(8192);
    const auto taken = fill();
    const auto refused = order("t", slice(5));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::overloaded);
    EXPECT_FALSE(order("t", slice(6)));
    EXPECT_EQ(orders->unwritten(1, ScopeId(1)), 1U) << "it counts: a switch must not overlook it";
    EXPECT_EQ(orders->unwritten(0, ScopeId(1)), 0U);
    EXPECT_EQ(orders->unwritten(), 1U);
    for (const auto id : taken) journal->settle(id);
    shard.run([&] { return orders->unwritten() == 0; });
    EXPECT_EQ(owed(), std::vector{whole("t")}) << "one for all that did not fit";
}

TEST_F(RangeOrdersTest, AScopeThatIsGoneOwesNothing) {
    open(8192);
    fill();
    EXPECT_FALSE(order("t", slice(5)));
    orders->forget(ScopeId(1));
    EXPECT_EQ(orders->unwritten(), 0U);
}

}  // namespace
}  // namespace penumbra::sync
