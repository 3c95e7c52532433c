// At which time a resync writes the elements of a list whose times the primary does not show.
#include <algorithm>

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using testing::FakeSession;
using testing::Replaying;

/// app.rows (k int PRIMARY KEY, l list<int>)
cql::SchemaPtr schema_with_list() {
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "app";
    table.name = "rows";
    table.columns = {{"k", integer, cql::ColumnKind::partition_key, 0},
                     {"l", cql::list_of(integer), cql::ColumnKind::regular}};
    auto schema = std::make_shared<cql::Schema>();
    schema->add_keyspace("app", "");
    schema->add_table(std::move(table));
    return schema;
}

const Bytes kKey = cql::encode_int(3);
/// [5]
const Bytes kList{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5};

/// A cluster with the row of kKey, or without it, or without its list.
struct Has {
    bool row = false;
    bool list = false;
};
cql::Rows rows_of(Has has) {
    cql::RowsBuilder rows("app", "rows");
    rows.add_column("k", cql::scalar(cql::TypeKind::int_));
    rows.add_column("l", cql::list_of(cql::scalar(cql::TypeKind::int_)));
    if (has.row) {
        rows.add(kKey);
        rows.add(has.list ? cql::CellView(kList) : cql::CellView::null());
    }
    Bytes frame;
    cql::encode_rows(frame, {}, rows.view());
    return cql::Rows::from(cql::view_frame(frame, cql::Direction::response).value()).value();
}

class ReplayerListTest : public Replaying {
  protected:
    ReplayerListTest() {
        both_have(schema_with_list());
        options.parallelism = 1;  // a few entries at a time: see Replayer
        source.answer = [](const FakeSession::Asked& asked) -> Result<cql::Rows> {
            const bool is_row = !asked.values.empty() && asked.values[0] == cql::Cell(kKey);
            return rows_of({is_row, is_row});
        };
        target.answer = [this](const FakeSession::Asked& asked) -> Result<cql::Rows> {
            if (asked.text.starts_with("INSERT")) has.row = true;
            if (asked.text.starts_with("UPDATE")) {
                has = {true, true};
                written_at.push_back(asked.timestamp.value_or(0));
            }
            const bool is_row = !asked.values.empty() && asked.values[0] == cql::Cell(kKey);
            return asked.text.starts_with("SELECT") ? rows_of(is_row ? has : Has{}) : cql::Rows();
        };
        cql::encode_void(target.reply, {});
    }
    void owe_append(std::int64_t timestamp) {
        cql::Parameters parameters;
        parameters.timestamp = timestamp;
        Bytes frame, payload;
        cql::encode_query(frame, {}, "UPDATE app.rows SET l = l + [5] WHERE k = 3", parameters);
        encode_owed_statement("app", {}, {{"app", "rows", kKey}}, frame, payload, AddsToLists::yes);
        loop.on([&] { journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); }); });
    }

    Has has;
    std::vector<std::int64_t> written_at;
};

TEST_F(ReplayerListTest, AtThatOfItsWriteWhereverThatIsInTheJournal) {
    // The order in hand is of another write, and so are many more before the one that says when.
    owe({"app", "rows", kKey});
    for (int other = 100; other < 140; ++other) owe({"app", "rows", cql::encode_int(other)});
    owe_append(1'234);
    loop.until([this] { return journal->owed(1, 100).size() == 42; });
    start();
    loop.until([this] { return paid(); });
    EXPECT_EQ(written_at, std::vector<std::int64_t>{1'234});
}

TEST_F(ReplayerListTest, AtThatOfTheNewestOrderWhereNothingTells) {
    const auto before = Clock::system().wall_micros();
    owe({"app", "rows", kKey});
    loop.until([this] { return journal->owed(1, 100).size() == 1; });
    start();
    loop.until([this] { return paid(); });
    ASSERT_EQ(written_at.size(), 1U);
    EXPECT_GE(written_at[0], before);
    EXPECT_LE(written_at[0], Clock::system().wall_micros());
}

/// A row that lost its last element on the primary, by `l = l - …`: there it has no tombstone.
class LostListTest : public ReplayerListTest {
  protected:
    LostListTest() {
        source.answer = [](const auto&) -> Result<cql::Rows> { return rows_of({}); };
        target.answer = [this](const FakeSession::Asked& asked) -> Result<cql::Rows> {
            if (asked.text.starts_with("DELETE FROM")) {
                row_deleted_at.push_back(asked.timestamp.value_or(0));
                if (row_deleted_at.back() > marker) marker = 0;
            } else if (asked.text.starts_with("DELETE")) {
                EXPECT_TRUE(asked.text.starts_with("DELETE l[")) << asked.text;
                has.list = false;
            }
            has.row = has.list || marker > 0;
            return asked.text.starts_with("SELECT") ? rows_of(has) : cql::Rows();
        };
        has = {true, true};
    }
    void pay() {
        owe({"app", "rows", kKey});
        loop.until([this] { return journal->owed(1, 100).size() == 1; });
        start();
        loop.until([this] { return paid(); });
        EXPECT_FALSE(has.row);
    }
    std::int64_t marker = 0;
    std::vector<std::int64_t> row_deleted_at;
};

TEST_F(LostListTest, TheShadowGetsNoTombstoneOfTheRowEither) {
    pay();
    ASSERT_FALSE(row_deleted_at.empty());
    EXPECT_LE(std::ranges::max(row_deleted_at), 1) << "of what a copy wrote at most, unknown_timestamp";
}

TEST_F(LostListTest, ButForAMarkerThatNobodyCanSee) {
    marker = Clock::system().wall_micros();
    pay();
    EXPECT_LT(row_deleted_at.back(), Clock::system().wall_micros());
}

}  // namespace
}  // namespace penumbra::sync
