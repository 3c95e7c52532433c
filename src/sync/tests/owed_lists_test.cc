#include "sync/owed_lists.h"

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

const Bytes kId{1, 2};

cql::Schema schema() {
    cql::Schema made;
    made.add_table(test::wide_table());
    return made;
}

Bytes list(std::initializer_list<int> values) {
    const auto type = cql::list_of(cql::scalar(cql::TypeKind::int_));
    cql::ElementsBuilder builder(*type);
    std::vector<Bytes> encoded;
    for (const int value : values) encoded.push_back(cql::encode_int(value));
    for (const auto& value : encoded) builder.add(BytesView(value));
    return std::move(builder).finish();
}

ListsEmptied emptied(std::string_view text, std::optional<std::int64_t> timestamp = {}) {
    OwedStatement statement;
    cql::Parameters parameters;
    parameters.timestamp = timestamp;
    cql::encode_query(statement.frame, {}, text, parameters);
    const auto known = schema();
    return without_list_elements(std::move(statement), &known).value();
}
std::string text_of_query(const ListsEmptied& changed) {
    const auto frame = cql::view_frame(changed.statement.frame, cql::Direction::request).value();
    return std::string(cql::decode_query(frame).value().query);
}
std::optional<std::int64_t> time_of(const ListsEmptied& changed, int element) {
    return changed.times.of(cql::encode_int(element));
}

TEST(OwedLists, LiteralsAreEmptied) {
    const auto set = emptied("UPDATE ks.t SET l = [1, 2], v = 3 WHERE k = 1 AND c = 'a'", 77);
    EXPECT_TRUE(set.complete);
    EXPECT_EQ(text_of_query(set), "UPDATE ks.t SET l = [], v = 3 WHERE k = 1 AND c = 'a'");
    EXPECT_EQ(time_of(set, 1), 77);
    EXPECT_EQ(time_of(set, 2), 77);
    EXPECT_EQ(time_of(set, 3), std::nullopt) << "not an element";

    EXPECT_EQ(text_of_query(emptied("UPDATE ks.t SET l = l + [1] WHERE k = 1 AND c = 'a'")),
              "UPDATE ks.t SET l = l + [] WHERE k = 1 AND c = 'a'");
    EXPECT_EQ(text_of_query(emptied("UPDATE ks.t SET l = [1] + l WHERE k = 1 AND c = 'a'")),
              "UPDATE ks.t SET l = [] + l WHERE k = 1 AND c = 'a'");
    EXPECT_EQ(text_of_query(emptied("INSERT INTO ks.t (k, c, l) VALUES (1, 'a', [5])")),
              "INSERT INTO ks.t (k, c, l) VALUES (1, 'a', [])");
}

TEST(OwedLists, TheTimeIsTheOneThatTheServerTakes) {
    EXPECT_EQ(time_of(emptied("UPDATE ks.t USING TIMESTAMP 5 SET l = [1] WHERE k = 1 AND c = 'a'", 77), 1), 5);
    const auto batch = emptied(
        "BEGIN BATCH USING TIMESTAMP 9 UPDATE ks.t SET l = [1] WHERE k = 1 AND c = 'a'; "
        "UPDATE ks.t SET l = l + [2] WHERE k = 1 AND c = 'a'; APPLY BATCH",
        77);
    EXPECT_EQ(time_of(batch, 1), 9);
    EXPECT_EQ(time_of(batch, 2), 9);
    EXPECT_EQ(text_of_query(batch),
              "BEGIN BATCH USING TIMESTAMP 9 UPDATE ks.t SET l = [] WHERE k = 1 AND c = 'a'; "
              "UPDATE ks.t SET l = l + [] WHERE k = 1 AND c = 'a'; APPLY BATCH");
}

TEST(OwedLists, BoundListsAreEmptiedAndOtherValuesStay) {
    const auto elements = list({4, 5});
    const auto value = cql::encode_int(6);
    const std::vector<cql::CellView> values{BytesView(elements), BytesView(value)};
    cql::Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1234;
    OwedStatement statement;
    statement.prepared = {{kId, "UPDATE t SET l = ?, v = ? WHERE k = 1 AND c = 'a'", "ks"}};
    cql::encode_execute(statement.frame, {}, kId, {}, parameters);
    const auto known = schema();
    const auto changed = without_list_elements(statement, &known).value();
    EXPECT_TRUE(changed.complete);
    EXPECT_EQ(changed.statement.prepared[0].text, statement.prepared[0].text);
    const auto frame = cql::view_frame(changed.statement.frame, cql::Direction::request).value();
    const auto execute = cql::decode_execute(frame).value();
    const auto none = list({});
    EXPECT_TRUE(equal(execute.parameters.values.cell(0).bytes(), none));
    EXPECT_TRUE(equal(execute.parameters.values.cell(1).bytes(), value));
    EXPECT_EQ(execute.parameters.timestamp, 1234);
    EXPECT_EQ(time_of(changed, 4), 1234);
    EXPECT_EQ(time_of(changed, 5), 1234);
}

TEST(OwedLists, WhatIsNotUnderstoodMustNotBeSent) {
    EXPECT_FALSE(emptied("INSERT INTO ks.t JSON '{\"k\": 1, \"c\": \"a\", \"l\": [1]}'").complete);
    EXPECT_FALSE(emptied("UPDATE ks.t SET l = [?] WHERE k = 1 AND c = 'a'").complete);
    EXPECT_FALSE(emptied("UPDATE ks.unheard SET l = [1] WHERE k = 1").complete);
    EXPECT_TRUE(emptied("UPDATE ks.t SET l = null, s = {1} WHERE k = 1 AND c = 'a'").complete) << "adds nothing";
}

TEST(ListTimes, TheNewestOfEqualElementsAndWhatElseIsKnown) {
    ListTimes times;
    const auto one = cql::encode_int(1), two = cql::encode_int(2);
    times.add(one, 5);
    times.add(one, 3);
    EXPECT_EQ(times.of(one), 5);
    EXPECT_EQ(times.of(two), std::nullopt);
    ListTimes more;
    more.add(two, 8);
    more.otherwise(100);
    times.merge(more);
    EXPECT_EQ(times.of(two), 8);
    EXPECT_EQ(times.of(cql::encode_int(3)), std::nullopt);
    EXPECT_EQ(times.otherwise(), 100);
}

}  // namespace
}  // namespace penumbra::sync
