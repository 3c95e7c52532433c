#include "sync/row_writes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/types/scalars.h"
#include "shapes.h"

namespace penumbra::sync {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kNow = 1'000;

class RowWrites : public ::testing::Test {
  protected:
    RowWrites() {
        key_.partition = cql::encode_int(1);
        key_.clustering = {cql::encode_text("a")};
    }
    static CellImage cell(std::size_t column, Bytes value, std::optional<std::int64_t> written,
                          std::int64_t expires = 0) {
        return {column, false, {}, std::move(value), written, expires};
    }
    static CellImage element(std::size_t column, Bytes name, Bytes value, std::optional<std::int64_t> written,
                             std::int64_t expires = 0) {
        return {column, true, std::move(name), std::move(value), written, expires};
    }
    WritePlan plan(const std::vector<CellImage>& cells, Marker marker = Marker::by_insert) const {
        std::vector<const CellImage*> pointers;
        for (const auto& one : cells) pointers.push_back(&one);
        return plan_writes(*shape_, key_, pointers, marker, {kNow, 77, {}});
    }
    static std::vector<std::string> texts(const std::vector<Write>& writes) {
        std::vector<std::string> out;
        for (const auto& write : writes) out.push_back(write.text + " @" + std::to_string(*write.timestamp));
        return out;
    }

    ShapePtr shape_ = wide_shape();
    RowKey key_;
};

TEST_F(RowWrites, CellsOfOneTimeAndExpiryGoTogetherTheEarliestByInsert) {
    const auto planned = plan({cell(v, cql::encode_int(5), 20), cell(w, cql::encode_text("x"), 10, kNow + 60)});
    EXPECT_THAT(texts(planned.writes), ElementsAre("INSERT INTO ks.t (k, c, w) VALUES (?, ?, ?) USING TTL ? @10",
                                                   "UPDATE ks.t USING TTL ? SET v = ? WHERE k = ? AND c = ? @20"));
    EXPECT_EQ(planned.writes[0].values.back(), cql::encode_int(60));
    EXPECT_EQ(planned.writes[1].values.front(), cql::encode_int(0))
        << "0, lest the table's default_time_to_live applies";
}

TEST_F(RowWrites, NullsAreNotWritten) {
    const auto planned = plan({cell(v, cql::encode_int(5), 20)});
    ASSERT_THAT(planned.writes, SizeIs(1));
    for (const auto& value : planned.writes[0].values) EXPECT_TRUE(value.has_value());
}

TEST_F(RowWrites, ARowOfItsKeyAloneIsInsertedAtTheGuessedTime) {
    EXPECT_THAT(texts(plan({}).writes), ElementsAre("INSERT INTO ks.t (k, c) VALUES (?, ?) USING TTL ? @77"));
    EXPECT_THAT(plan({}, Marker::none).writes, IsEmpty());
}

TEST_F(RowWrites, CollectionsAreMergedAndNeverOverwritten) {
    const auto planned = plan(
        {element(m, cql::encode_text("a"), cql::encode_int(1), std::nullopt),
         element(m, cql::encode_text("b"), cql::encode_int(2), std::nullopt), element(s, cql::encode_int(3), {}, 10),
         element(u, cql::encode_smallint(1), cql::encode_int(4), 10), cell(v, cql::encode_int(5), 10)});
    EXPECT_THAT(texts(planned.writes),
                ElementsAre("INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?) USING TTL ? @10",
                            "UPDATE ks.t USING TTL ? SET s = s + ?, u.\"Y\" = ? WHERE k = ? AND c = ? @10",
                            "UPDATE ks.t USING TTL ? SET m = m + ? WHERE k = ? AND c = ? @77"));
    EXPECT_EQ(planned.writes[2].values[1],
              Bytes({0, 0, 0, 2, 0, 0, 0, 1, 'a', 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 'b', 0, 0, 0, 4, 0, 0, 0, 2}));
}

TEST_F(RowWrites, AMarkerIsNotOlderThanWhatIsKnownOnlyBecauseATimeWasGuessed) {
    const auto planned =
        plan({element(s, cql::encode_int(3), {}, std::nullopt), cell(v, cql::encode_int(5), 500, kNow + 9)});
    EXPECT_THAT(texts(planned.writes), ElementsAre("INSERT INTO ks.t (k, c, v) VALUES (?, ?, ?) USING TTL ? @500",
                                                   "UPDATE ks.t USING TTL ? SET s = s + ? WHERE k = ? AND c = ? @77"));
}

TEST_F(RowWrites, AMarkerAsItWasBeforeLeavesThatOfALaterInsertAlone) {
    EXPECT_THAT(texts(plan({cell(v, cql::encode_int(5), 500, kNow + 9)}, Marker::as_before).writes),
                ElementsAre("INSERT INTO ks.t (k, c) VALUES (?, ?) USING TTL ? @77",
                            "UPDATE ks.t USING TTL ? SET v = ? WHERE k = ? AND c = ? @500"));
    EXPECT_EQ(texts(plan({cell(v, cql::encode_int(5), 70)}, Marker::as_before).writes),
              texts(plan({cell(v, cql::encode_int(5), 70)}, Marker::by_insert).writes));
}

TEST_F(RowWrites, WhatHasRunOutIsNotWritten) {
    const auto planned = plan({cell(v, cql::encode_int(5), 10, kNow), cell(w, cql::encode_text("x"), 10, kNow - 1)});
    EXPECT_THAT(planned.writes, IsEmpty()) << "not its key either: the row is gone";
    EXPECT_EQ(planned.expired, 2U);
}

TEST_F(RowWrites, StaticsAreUpdatedByTheirPartition) {
    key_.is_static = true;
    key_.clustering.clear();
    EXPECT_THAT(texts(plan({cell(st, cql::encode_int(5), 10)}).writes),
                ElementsAre("UPDATE ks.t USING TTL ? SET st = ? WHERE k = ? @10"));
}

TEST_F(RowWrites, EachCellIsDeletedAtItsOwnTime) {
    const std::vector<CellImage> cells{cell(v, {}, 10), element(m, cql::encode_text("a"), {}, 10),
                                       element(u, cql::encode_smallint(0), {}, 20),
                                       element(s, cql::encode_int(1), {}, std::nullopt)};
    std::vector<const CellImage*> pointers;
    for (const auto& one : cells) pointers.push_back(&one);
    EXPECT_THAT(texts(plan_deletes(*shape_, key_, pointers, {kNow, 77, {}})),
                ElementsAre("DELETE v, m[?] FROM ks.t WHERE k = ? AND c = ? @10",
                            "DELETE u.x FROM ks.t WHERE k = ? AND c = ? @20",
                            "DELETE s[?] FROM ks.t WHERE k = ? AND c = ? @77"));
}

TEST_F(RowWrites, ElementsOfAListGoByTheirPlacesFromTheBack) {
    const auto one = plan_list_deletes(*shape_, key_, l, 2, 3, 77);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].text, "DELETE l[?], l[?], l[?] FROM ks.t WHERE k = ? AND c = ?");
    EXPECT_EQ(one[0].timestamp, 77);
    EXPECT_EQ(cql::decode_int(*one[0].values[0]).value(), 4);
    EXPECT_EQ(cql::decode_int(*one[0].values[2]).value(), 2);
    const auto many = plan_list_deletes(*shape_, key_, l, 0, 120, 77);
    ASSERT_EQ(many.size(), 3U);
    EXPECT_EQ(cql::decode_int(*many[0].values[0]).value(), 119) << "what is deleted next keeps its place";
    EXPECT_EQ(cql::decode_int(*many[2].values[19]).value(), 0);
}

TEST_F(RowWrites, AListIsCutWhereItsTimesChange) {
    const Bytes three{0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 3};
    const auto runs = list_runs(*shape_, {l, three, {{10, 0}, {10, 0}, {10, 50}}}, 77).value();
    ASSERT_THAT(runs, SizeIs(2));
    EXPECT_EQ(runs[0].value, Bytes({0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2}));
    EXPECT_EQ(runs[1].expires, 50);
    const auto whole = list_runs(*shape_, {l, three, {}}, 77).value();
    ASSERT_THAT(whole, SizeIs(1));
    EXPECT_EQ(whole[0].written, 77);
}

}  // namespace
}  // namespace penumbra::sync
