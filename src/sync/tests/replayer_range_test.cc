// Orders to resync token ranges: which rows are read for one, and for which writes it stands.
#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "cql/types/token.h"
#include "sync/range_orders.h"
#include "sync/resync.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using testing::FakeSession;
using testing::Replaying;
using testing::schema_with;
using testing::server_says;

class ReplayerRangeTest : public Replaying {
  protected:
    ReplayerRangeTest() {
        both_have(schema_with({"v"}));
        orders = std::make_unique<RangeOrders>(*journal, ~std::uint64_t{0});
        options.range_orders = orders.get();
    }
    ~ReplayerRangeTest() override {
        stop();
        orders->stop();
    }
    static OwedResync part(RingSlice slice) {
        OwedResync order{"app", "rows", {}};
        order.range = range_of(slice);
        return order;
    }
    /// A write past the quota that touches the slice.
    void touch(RingSlice slice) {
        bool told = false;
        loop.on([&] {
            orders->order(1, routing::ScopeId(kScope), "app", "rows", slice,
                          [&](Status how) { told = how.has_value(); });
        });
        loop.until([&] { return told; });
    }

    void owe_statement(const char* text) {
        Bytes frame, payload;
        cql::encode_query(frame, {}, text, {});
        encode_owed_statement("app", {}, {{"app", "rows", cql::encode_int(3)}}, frame, payload);
        loop.on([&] { journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); }); });
    }
    static cql::Rows row_of_three(bool is_there) {
        cql::RowsBuilder rows("app", "rows");
        for (const auto* name : {"k", "v"}) rows.add_column(name, cql::scalar(cql::TypeKind::int_));
        rows.add_column("writetime(v)", cql::scalar(cql::TypeKind::bigint));
        rows.add_column("ttl(v)", cql::scalar(cql::TypeKind::int_));
        if (is_there) {
            rows.add(cql::encode_int(3));
            rows.add(cql::encode_int(1));
            rows.add(cql::encode_bigint(10));
            rows.add(cql::CellView::null());
        }
        return testing::answered(rows);
    }

    std::unique_ptr<RangeOrders> orders;
};

std::vector<cql::Cell> tokens(cql::Token start, cql::Token end) {
    return {cql::Cell(cql::encode_bigint(start.value())), cql::Cell(cql::encode_bigint(end.value()))};
}

TEST_F(ReplayerRangeTest, OnlyTheRangeIsRead) {
    const RingSlice slice(9);
    const auto range = range_of(slice);
    owe(part(slice));
    start();
    loop.until([this] { return paid(); });
    for (const auto* cluster : {&source, &target}) {
        ASSERT_EQ(cluster->asked.size(), 1U);
        EXPECT_NE(cluster->asked[0].text.find(" WHERE token(k) > ? AND token(k) <= ?"), std::string::npos)
            << cluster->asked[0].text;
        EXPECT_EQ(cluster->asked[0].values, tokens(range.start, range.end));
    }
    EXPECT_EQ(replayer->counts().resyncs, 1U);
}

TEST_F(ReplayerRangeTest, ARangeIsReadReplicaByReplica) {
    const auto range = range_of(RingSlice(9));
    const cql::Token inside(range.start.value() + 1000);
    source.tokens = {inside};
    owe(part(RingSlice(9)));
    start();
    loop.until([this] { return paid(); });
    std::vector<std::vector<cql::Cell>> read;
    for (const auto& asked : source.asked) read.push_back(asked.values);
    EXPECT_EQ(read.size(), 2U);
    EXPECT_NE(std::ranges::find(read, tokens(range.start, inside)), read.end());
    EXPECT_NE(std::ranges::find(read, tokens(inside, range.end)), read.end());
}

TEST_F(ReplayerRangeTest, OfTenantsThatArePartitionsThoseInTheRangeAreRead) {
    routing::Scope scope;
    for (int tenant = 0; tenant < 100; ++tenant) scope.tenants.push_back(std::to_string(tenant));
    options.scope_of = [&scope](routing::ScopeId) { return std::optional(ReplayScope{scope, "k", 1}); };
    const auto key_of_third = cql::encode_int(3);
    const auto slice = slice_of(cql::murmur3_token(key_of_third));
    std::vector<std::vector<cql::Cell>> wanted;
    for (int tenant = 0; tenant < 100; ++tenant) {
        const auto key = cql::encode_int(tenant);
        if (slice_of(cql::murmur3_token(key)) == slice) wanted.push_back({cql::Cell(key)});
    }
    owe(part(slice));
    start();
    loop.until([this] { return paid(); });
    std::vector<std::vector<cql::Cell>> read;
    for (const auto& asked : source.asked) read.push_back(asked.values);
    std::ranges::sort(read);
    std::ranges::sort(wanted);
    EXPECT_EQ(read, wanted);
    EXPECT_LT(wanted.size(), 10U);
}

TEST_F(ReplayerRangeTest, WhatIsWrittenWhileTheRangeIsReadIsReadOnceMore) {
    const RingSlice slice(9);
    touch(slice);
    bool written = false;
    source.answer = [&](const auto&) -> Result<cql::Rows> {
        if (!std::exchange(written, true))
            orders->order(1, routing::ScopeId(kScope), "app", "rows", slice, [](const Status&) {});
        return cql::Rows();
    };
    start();
    loop.until([this] { return replayer->counts().resyncs == 2 && paid(); });
    EXPECT_EQ(source.asked.size(), 2U);
}

TEST_F(ReplayerRangeTest, AnOrderThatStandsForMoreWaitsForStatementsFromBeforeThat) {
    // The shadow is owed an order, and a statement of the same rows before it. Then an INSERT is owed, and a DELETE
    // past the quota for which the order stands: on the primary is nothing.
    const RingSlice slice(slice_of(cql::murmur3_token(cql::encode_int(3))));
    bool is_there = false, may_go = false;
    std::size_t tried = 0, inserted = 0;
    target.answer = [&](const FakeSession::Asked& asked) -> Result<cql::Rows> {
        if (asked.text.starts_with("DELETE")) is_there = false;
        return asked.text.starts_with("SELECT") ? row_of_three(is_there) : cql::Rows();
    };
    target.on_send = [&] {
        target.reply.clear();
        const std::string_view sent(reinterpret_cast<const char*>(target.sent.data()), target.sent.size());
        const bool insert = sent.find("INSERT") != sent.npos;
        if (insert ? inserted == 0 && !may_go : !may_go) {
            ++tried;
            cql::encode_error(target.reply, {}, {ErrorCode::server_error, "not yet"});
            return;
        }
        is_there |= insert;
        inserted += insert ? 1 : 0;
        cql::encode_void(target.reply, {});
    };
    options.attempts_when_unclear = 1'000'000;
    owe_statement("DELETE FROM app.rows WHERE k = 3");
    touch(slice);
    start();
    loop.until([&] { return tried >= 3; });  // the order was looked at, and put off
    owe_statement("INSERT INTO app.rows (k, v) VALUES (3, 1)");
    loop.until([this] { return journal->owed(1, 10).size() == 3; });
    touch(slice);
    EXPECT_EQ(journal->owed(1, 10).size(), 3U) << "one order stands for both";
    may_go = true;
    loop.until([this] { return paid(); });
    EXPECT_FALSE(is_there);
}

TEST_F(ReplayerRangeTest, WhileTheClusterIsAwayOneOrderStandsForAllWrites) {
    const RingSlice slice(9);
    bool away = true;
    target.answer = [&](const auto&) -> Result<cql::Rows> {
        if (away) return fail(server_says(ErrorCode::unavailable));
        return cql::Rows();
    };
    touch(slice);
    start();
    const auto owed = [this] { return journal->owed_of(1, kScope).entries; };
    for (std::uint64_t tries = 1; tries <= 5; ++tries) {
        loop.until([&] { return replayer->counts().retries >= tries; });
        touch(slice);
        EXPECT_LE(owed(), 2U) << "a second one only while the first is being tried";
    }
    EXPECT_FALSE(paid());
    away = false;
    loop.until([this] { return paid(); });
    EXPECT_EQ(replayer->counts().set_aside, 0U);
}

}  // namespace
}  // namespace penumbra::sync
