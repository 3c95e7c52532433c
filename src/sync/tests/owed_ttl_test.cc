#include "sync/owed_ttl.h"

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/types/scalars.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

using std::chrono_literals::operator""s;

const Bytes kId{1, 2};

/// ks.t without a TTL of its own, ks.brief with one of 100 seconds.
cql::Schema schema() {
    cql::Schema made;
    auto table = test::wide_table();
    made.add_table(table);
    table.name = "brief";
    table.default_ttl = 100;
    made.add_table(table);
    return made;
}

std::string query_after(std::string_view text, Seconds elapsed, std::string keyspace = "") {
    OwedStatement statement;
    statement.keyspace = std::move(keyspace);
    cql::encode_query(statement.frame, {}, text, {});
    const auto known = schema();
    const auto changed = with_ttl_left(std::move(statement), elapsed, &known).value();
    const auto frame = cql::view_frame(changed.frame, cql::Direction::request).value();
    return std::string(cql::decode_query(frame).value().query);
}

TEST(OwedTtl, WhatIsLeftOfALiteral) {
    EXPECT_EQ(query_after("INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 60", 20s),
              "INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 40");
    EXPECT_EQ(query_after("UPDATE ks.t USING TIMESTAMP 5 AND TTL 60 SET v = 1 WHERE k = 1 AND c = 'a'", 20s),
              "UPDATE ks.t USING TIMESTAMP 5 AND TTL 40 SET v = 1 WHERE k = 1 AND c = 'a'");
}

TEST(OwedTtl, NothingLeftIsOneSecond) {
    EXPECT_EQ(query_after("INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 60", 3600s),
              "INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 1");
}

TEST(OwedTtl, TheTablesOwn) {
    EXPECT_EQ(query_after("INSERT INTO ks.brief (k, c) VALUES (1, 'a')", 30s),
              "INSERT INTO ks.brief (k, c) VALUES (1, 'a') USING TTL 70");
    EXPECT_EQ(query_after("INSERT INTO brief (k, c) VALUES (1, 'a');", 30s, "ks"),
              "INSERT INTO brief (k, c) VALUES (1, 'a') USING TTL 70;");
    EXPECT_EQ(query_after("INSERT INTO ks.brief (k, c) VALUES (1, 'a') USING TIMESTAMP 7", 30s),
              "INSERT INTO ks.brief (k, c) VALUES (1, 'a') USING TIMESTAMP 7 AND TTL 70");
    EXPECT_EQ(query_after("UPDATE ks.brief SET v = 1 WHERE k = 1 AND c = 'a'", 30s),
              "UPDATE ks.brief USING TTL 70 SET v = 1 WHERE k = 1 AND c = 'a'");
    EXPECT_EQ(query_after("UPDATE ks.brief USING TIMESTAMP 7 SET v = 1 WHERE k = 1 AND c = 'a'", 30s),
              "UPDATE ks.brief USING TIMESTAMP 7 AND TTL 70 SET v = 1 WHERE k = 1 AND c = 'a'");
}

TEST(OwedTtl, WhatHasNoneIsLeftAlone) {
    for (const auto* text :
         {"INSERT INTO ks.t (k, c) VALUES (1, 'a')", "INSERT INTO ks.brief (k, c) VALUES (1, 'a') USING TTL 0",
          "DELETE FROM ks.brief WHERE k = 1", "INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 60 AND SOMETHING 5"})
        EXPECT_EQ(query_after(text, 10s), text);
}

TEST(OwedTtl, OfEachStatementOfABatch) {
    EXPECT_EQ(
        query_after("BEGIN BATCH INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 60; UPDATE ks.brief SET v = 1 "
                    "WHERE k = 1 AND c = 'a'; DELETE FROM ks.t WHERE k = 2 APPLY BATCH",
                    10s),
        "BEGIN BATCH INSERT INTO ks.t (k, c) VALUES (1, 'a') USING TTL 50; UPDATE ks.brief USING TTL 90 SET v = 1 "
        "WHERE k = 1 AND c = 'a'; DELETE FROM ks.t WHERE k = 2 APPLY BATCH");
}

TEST(OwedTtl, OfABoundValue) {
    const auto one = cql::encode_int(1), ttl = cql::encode_int(60);
    const std::vector<cql::CellView> values{BytesView(one), BytesView(ttl), BytesView(one)};
    cql::Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1234;
    OwedStatement statement;
    statement.prepared = {{kId, "INSERT INTO t (k, c) VALUES (?, 'a') USING TTL ? AND TIMESTAMP ?", "ks"}};
    cql::encode_execute(statement.frame, {}, kId, {}, parameters);
    const auto changed = with_ttl_left(statement, 20s, nullptr).value();
    EXPECT_EQ(changed.prepared[0].text, statement.prepared[0].text) << "one statement for every moment";
    const auto frame = cql::view_frame(changed.frame, cql::Direction::request).value();
    const auto execute = cql::decode_execute(frame).value();
    EXPECT_EQ(cql::decode_int(execute.parameters.values.nth(1)->value.bytes()).value(), 40);
    EXPECT_TRUE(equal(execute.parameters.values.nth(2)->value.bytes(), one));
    EXPECT_EQ(execute.parameters.timestamp, 1234);
}

TEST(OwedTtl, OfPreparedChildren) {
    const auto one = cql::encode_int(1), ttl = cql::encode_int(60), zero = cql::encode_int(0);
    const std::vector<cql::CellView> brief{BytesView(one), BytesView(ttl)}, for_ever{BytesView(one), BytesView(zero)};
    const std::vector<cql::BatchStatement> children{
        {"", kId, brief}, {"INSERT INTO ks.t (k) VALUES (1) USING TTL 9", {}, {}}, {"", kId, for_ever}};
    OwedStatement statement;
    statement.prepared = {{kId, "INSERT INTO t (k) VALUES (?) USING TTL ?", "ks"}};
    cql::encode_batch(statement.frame, {}, cql::BatchType::logged, children, {});
    const auto changed = with_ttl_left(statement, 2s, nullptr).value();
    const auto batch = cql::decode_batch(cql::view_frame(changed.frame, cql::Direction::request).value()).value();
    std::vector<std::int32_t> ttls;
    std::string text;
    for (const auto child : batch.children) {
        if (child.prepared) {
            ttls.push_back(cql::decode_int(child.values.nth(1)->value.bytes()).value());
        } else {
            text = child.query;
        }
    }
    EXPECT_EQ(ttls, (std::vector<std::int32_t>{58, 0}));
    EXPECT_EQ(text, "INSERT INTO ks.t (k) VALUES (1) USING TTL 7");
}

}  // namespace
}  // namespace penumbra::sync
