#include "sync/row_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/types/scalars.h"
#include "shapes.h"

namespace penumbra::sync {
namespace {

using namespace test;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = DifferenceKind;

constexpr DiffLimits kLimits{1'000, 5};

CellImage cell(int value, std::int64_t written, std::int64_t expires = 0) {
    return {v, false, {}, cql::encode_int(value), written, expires};
}
CellImage member(int value, std::optional<std::int64_t> written) {
    return {s, true, cql::encode_int(value), {}, written, 0};
}

std::vector<Kind> kinds(const RowImage& primary, const RowImage& shadow) {
    std::vector<Kind> out;
    for (const auto& difference : compare_rows(*wide_shape(), &primary, &shadow, kLimits))
        out.push_back(difference.kind);
    return out;
}

TEST(RowDiff, EqualRowsHaveNone) {
    const RowImage row{{member(1, 5), cell(1, 10)}, {}};
    EXPECT_THAT(kinds(row, row), IsEmpty());
    EXPECT_THAT(kinds({}, {}), IsEmpty()) << "two rows that are their keys alone";
}

TEST(RowDiff, EveryKindOfDifference) {
    EXPECT_THAT(kinds({{cell(1, 10)}, {}}, {{cell(2, 10)}, {}}), ElementsAre(Kind::value));
    EXPECT_THAT(kinds({{cell(1, 10)}, {}}, {{cell(1, 11)}, {}}), ElementsAre(Kind::write_time));
    EXPECT_THAT(kinds({{cell(1, 10, 2'000)}, {}}, {{cell(1, 10, 2'006)}, {}}), ElementsAre(Kind::expiry));
    EXPECT_THAT(kinds({{cell(1, 10)}, {}}, {{cell(1, 10, 9'000)}, {}}), ElementsAre(Kind::expiry));
    EXPECT_THAT(kinds({{cell(1, 10)}, {}}, {}), ElementsAre(Kind::absent));
    EXPECT_THAT(kinds({}, {{cell(1, 10)}, {}}), ElementsAre(Kind::unexpected));
}

TEST(RowDiff, AnEmptyValueIsNotNullNorZero) {
    const RowImage empty{{{v, false, {}, {}, 10, 0}}, {}};
    EXPECT_THAT(kinds({}, empty), ElementsAre(Kind::unexpected));
    EXPECT_THAT(kinds({{cell(0, 10)}, {}}, empty), ElementsAre(Kind::value));
}

TEST(RowDiff, WholeRows) {
    const RowImage row{{cell(1, 10)}, {}};
    const auto shape = wide_shape();
    EXPECT_EQ(compare_rows(*shape, &row, nullptr, kLimits).front().kind, Kind::missing);
    EXPECT_EQ(compare_rows(*shape, nullptr, &row, kLimits).front().kind, Kind::extra);
    EXPECT_THAT(compare_rows(*shape, nullptr, nullptr, kLimits), IsEmpty());
}

TEST(RowDiff, ElementsAreComparedOneByOneAndTheirTimesWhereBothShowThem) {
    EXPECT_THAT(kinds({{member(1, 5), member(2, 5), member(4, 5)}, {}},
                      {{member(2, 6), member(3, 5), member(4, std::nullopt)}, {}}),
                ElementsAre(Kind::absent, Kind::write_time, Kind::unexpected));
}

TEST(RowDiff, WhatIsAboutToExpireMayBeThereOrNot) {
    const RowImage ending{{cell(1, 10, kLimits.now_seconds + 5)}, {}};
    EXPECT_THAT(kinds(ending, {}), IsEmpty());
    EXPECT_THAT(kinds({}, ending), IsEmpty());
    EXPECT_THAT(compare_rows(*wide_shape(), &ending, nullptr, kLimits), IsEmpty());
    EXPECT_THAT(kinds({{cell(1, 10, 2'000)}, {}}, {{cell(1, 10, 2'005)}, {}}), IsEmpty())
        << "two clocks, read at two moments";
}

TEST(RowDiff, AConflictIsWhatThePrimarysCellCannotWin) {
    const auto conflict = [](const CellImage& p, const CellImage& shadow, Kind kind) {
        return CellDifference{kind, &p, &shadow}.is_conflict();
    };
    EXPECT_TRUE(conflict(cell(1, 10), cell(2, 11), Kind::value));
    EXPECT_TRUE(conflict(cell(1, 10), cell(2, 10), Kind::value));
    EXPECT_FALSE(conflict(cell(1, 11), cell(2, 10), Kind::value));
    EXPECT_TRUE(conflict(cell(1, 10), cell(1, 11), Kind::write_time));
    EXPECT_TRUE(conflict(cell(1, 10), cell(1, 10, 9'000), Kind::expiry)) << "an expiring cell wins the tie";
    EXPECT_FALSE(conflict(cell(1, 10, 9'000), cell(1, 10), Kind::expiry));
    EXPECT_FALSE(conflict(cell(1, 10, 9'000), cell(1, 10, 8'000), Kind::expiry)) << "so does the later end";
}

TEST(RowDiff, ListsAreOneValue) {
    const Bytes one{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1}, other{0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2};
    EXPECT_THAT(kinds({{}, {{l, one, {}}}}, {{}, {{l, other, {}}}}), ElementsAre(Kind::value));
    EXPECT_THAT(kinds({{}, {{l, one, {}}}}, {}), ElementsAre(Kind::absent));
    EXPECT_THAT(kinds({{}, {{l, one, {{10, 0}}}}}, {{}, {{l, one, {{99, 0}}}}}), IsEmpty())
        << "a list that was written whole has new times";
    EXPECT_THAT(kinds({{}, {{l, one, {{10, 5'000}}}}}, {{}, {{l, one, {{10, 0}}}}}), ElementsAre(Kind::expiry));
}

TEST(RowOrder, StaticsFirstThenClusteringInItsDirection) {
    const auto shape = wide_shape();
    RowKey statics, a, b;
    statics.is_static = true;
    a.clustering = {cql::encode_text("a")};
    b.clustering = {cql::encode_text("b")};
    EXPECT_TRUE(shape->compare(statics, a) < 0);
    EXPECT_TRUE(shape->compare(b, a) < 0) << "c is clustered in descending order";
    EXPECT_TRUE(shape->compare(a, a) == 0);
    RowKey later = b;
    later.token = cql::Token(1);
    EXPECT_TRUE(shape->compare(a, later) < 0);
}

}  // namespace
}  // namespace penumbra::sync
