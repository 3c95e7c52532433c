// What is owed as a statement goes before the orders that delete what it wrote.
#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using testing::FakeSession;

const Bytes kKey = cql::encode_int(3);

/// The primary has had an INSERT of kKey and a DELETE … IF EXISTS after it, so it has nothing. The shadow is owed both.
class ReplayerOrderTest : public testing::Replaying {
  protected:
    ReplayerOrderTest() {
        both_have(testing::schema_with({"v"}));
        target.answer = [this](const FakeSession::Asked& asked) -> Result<cql::Rows> {
            if (asked.text.starts_with("DELETE")) is_there = false;
            const bool shown = is_there && !asked.values.empty() && asked.values[0] == cql::Cell(kKey);
            return asked.text.starts_with("SELECT") ? rows(shown) : cql::Rows();
        };
        cql::encode_void(target.reply, {});
    }
    static cql::Rows rows(bool shown) {
        cql::RowsBuilder rows("app", "rows");
        rows.add_column("k", cql::scalar(cql::TypeKind::int_));
        rows.add_column("v", cql::scalar(cql::TypeKind::int_));
        rows.add_column("writetime(v)", cql::scalar(cql::TypeKind::bigint));
        rows.add_column("ttl(v)", cql::scalar(cql::TypeKind::int_));
        if (shown) {
            rows.add(kKey);
            rows.add(cql::encode_int(1));
            rows.add(cql::encode_bigint(10));
            rows.add(cql::CellView::null());
        }
        return testing::answered(rows);
    }
    void owe_insert(const Bytes& key) {
        Bytes frame, payload;
        cql::encode_query(frame, {}, "INSERT INTO app.rows (k, v) VALUES (3, 1)", {});
        encode_owed_statement("app", {}, {{"app", "rows", key}}, frame, payload);
        loop.on([&] { journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); }); });
    }
    void await_owed(std::size_t entries) {
        loop.until([&] { return journal->owed(1, 10'000).size() == entries; });
    }
    void pay() {
        start();
        loop.until([this] { return paid(); });
    }

    bool is_there = false;
};

TEST_F(ReplayerOrderTest, AStatementThatIsTriedAgainGoesBeforeTheOrder) {
    options.parallelism = 4;
    int sent = 0;
    target.on_send = [&] {
        target.reply.clear();
        if (++sent == 1) {
            cql::encode_error(target.reply, {}, {cql::ErrorCode::server_error, "perhaps later"});
        } else {
            cql::encode_void(target.reply, {});
            is_there = true;
        }
    };
    owe_insert(kKey);
    owe({"app", "rows", kKey});
    await_owed(2);
    pay();
    EXPECT_EQ(sent, 2);
    EXPECT_FALSE(is_there);
}

TEST_F(ReplayerOrderTest, SoDoesOneThatBecameOwedAfterTheOrder) {
    target.on_send = [&] { is_there = true; };
    owe({"app", "rows", kKey});
    owe_insert(kKey);
    await_owed(2);
    pay();
    EXPECT_FALSE(is_there);
}

TEST_F(ReplayerOrderTest, HoweverFarBehindItIs) {
    target.on_send = [&] { is_there = true; };  // the last one is it
    owe({"app", "rows", kKey});
    loop.until([&] { return journal->owed(1, 10).size() == 1; });
    for (int other = 0; other < 1'000; ++other) owe_insert(cql::encode_int(1'000 + other));
    owe_insert(kKey);
    await_owed(1'002);
    pay();
    EXPECT_FALSE(is_there);
}

TEST_F(ReplayerOrderTest, AnOrderIsPutBehindOthersOnce) {
    constexpr int kOrders = 50, kStatements = 3'000;
    for (int order = 0; order < kOrders; ++order) owe({"app", "rows", cql::encode_int(order)});
    for (int other = 0; other < kStatements; ++other) owe_insert(cql::encode_int(1'000 + other));
    await_owed(kOrders + kStatements);
    const auto before = journal->figures().records;
    pay();
    EXPECT_LE(journal->figures().records - before, 2U * kOrders);
    EXPECT_EQ(replayer->counts().resyncs, kOrders);
}

TEST_F(ReplayerOrderTest, AnOrderForATableWaitsToo) {
    target.on_send = [&] { is_there = true; };
    owe({"app", "rows", {}});
    owe_insert(kKey);
    await_owed(2);
    target.answer = [this](const FakeSession::Asked& asked) -> Result<cql::Rows> {
        if (asked.text.starts_with("DELETE")) is_there = false;
        return asked.text.starts_with("SELECT") ? rows(is_there) : cql::Rows();
    };
    pay();
    EXPECT_FALSE(is_there);
}

TEST_F(ReplayerOrderTest, StatementsOfOtherRowsAreNotAwaited) {
    options.attempts_when_unclear = 1'000'000;
    target.on_send = [&] {
        target.reply.clear();
        cql::encode_error(target.reply, {}, {cql::ErrorCode::server_error, "never"});
    };
    owe_insert(cql::encode_int(4));
    owe({"app", "rows", kKey});
    await_owed(2);
    start();
    await_owed(1);
    EXPECT_EQ(replayer->counts().resyncs, 1U);
}

}  // namespace
}  // namespace penumbra::sync
