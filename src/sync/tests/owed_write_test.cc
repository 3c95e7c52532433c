#include "sync/owed_write.h"

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "sync/owed_frame.h"

namespace penumbra::sync {
namespace {

const Bytes kIdA{1, 2, 3, 4}, kIdB{9, 9};
const OwedResync kRow{"ks", "t", {5, 6}, std::nullopt, std::nullopt, {{7}, {}, {8, 9}}};

Bytes statement_payload(BytesView frame) {
    Bytes out;
    encode_owed_statement("shop",
                          {{kIdA, "INSERT INTO t (k) VALUES (?)", "ks"}, {kIdB, "DELETE FROM t WHERE k = ?", ""}},
                          {{"ks", "t", {5, 6}}, {"shop", "t", {}}, kRow}, frame, out);
    return out;
}

TEST(OwedWrite, StatementsComeBack) {
    const Bytes frame{4, 0, 0, 0, 7, 0, 0, 0, 0};
    const auto owed = decode_owed(statement_payload(frame)).value();
    const auto& statement = std::get<OwedStatement>(owed);
    EXPECT_EQ(statement.keyspace, "shop");
    ASSERT_EQ(statement.prepared.size(), 2U);
    EXPECT_EQ(statement.prepared[0].id, kIdA);
    EXPECT_EQ(statement.prepared[0].keyspace, "ks");
    EXPECT_EQ(statement.prepared[1].text, "DELETE FROM t WHERE k = ?");
    EXPECT_EQ(statement.rows, (std::vector<OwedResync>{{"ks", "t", {5, 6}}, {"shop", "t", {}}, kRow}));
    EXPECT_EQ(statement.frame, frame);
}

TEST(OwedWrite, StatementsOfAnOlderJournalHaveNoRows) {
    const Bytes payload{1, 0, 0, 0, 1, 'k', 0, 0, 7, 7};
    const auto statement = std::get<OwedStatement>(decode_owed(payload).value());
    EXPECT_EQ(statement.keyspace, "k");
    EXPECT_TRUE(statement.rows.empty());
    EXPECT_EQ(statement.frame, (Bytes{7, 7}));
}

TEST(OwedWrite, StatementsOfAnOlderJournalNamePartitions) {
    for (const Byte kind : {Byte{3}, Byte{5}}) {
        const Bytes payload{kind, 0, 0, 0, 1, 'k', 0, 0, 0, 1, 0, 0, 0, 1,
                            'k',  0, 0, 0, 1, 't', 0, 0, 0, 2, 5, 6, 7, 7};
        const auto statement = std::get<OwedStatement>(decode_owed(payload).value());
        EXPECT_EQ(statement.adds_to_lists, kind == 5);
        EXPECT_EQ(statement.rows, (std::vector<OwedResync>{{"k", "t", {5, 6}}}));
        EXPECT_EQ(statement.frame, (Bytes{7, 7}));
    }
}

void expect_nothing_but_all_of_it(Bytes payload) {
    for (std::size_t size = 0; size < payload.size(); ++size) {
        const auto owed = decode_owed(BytesView(payload).first(size));
        ASSERT_FALSE(owed) << size;
        EXPECT_EQ(owed.error().code, Errc::malformed);
    }
    payload.push_back(0);
    EXPECT_FALSE(decode_owed(payload)) << "more behind it";
}

TEST(OwedWrite, EveryTruncationOfARowIsAnError) {
    Bytes payload;
    encode_owed_resync(kRow, payload);
    EXPECT_EQ(payload[0], 7);
    expect_nothing_but_all_of_it(payload);
}

TEST(OwedWrite, StatementsThatAddToListsSaySo) {
    for (const auto adds : {AddsToLists::no, AddsToLists::yes}) {
        Bytes out;
        encode_owed_statement("ks", {}, {{"ks", "t", {1}}}, Bytes{9}, out, adds);
        EXPECT_EQ(out[0], adds == AddsToLists::yes ? 9 : 8);
        const auto statement = std::get<OwedStatement>(decode_owed(out).value());
        EXPECT_EQ(statement.adds_to_lists, adds == AddsToLists::yes);
        EXPECT_EQ(statement.rows.size(), 1U);
        EXPECT_EQ(statement.frame, Bytes{9});
    }
}

TEST(OwedWrite, ResyncOrdersComeBack) {
    const OwedResync order{"shop", "orders", {1, 2, 3}}, whole{"shop", "orders", {}},
        serial{"shop", "orders", {1, 2, 3}, cql::Consistency::local_serial};
    OwedResync range{"shop", "orders", {}};
    range.range = TokenRange{cql::Token(-5), cql::kMaxToken};
    OwedResync serial_row = kRow;
    serial_row.serial = cql::Consistency::serial;
    for (const auto& one : {order, whole, serial, range, kRow, serial_row}) {
        Bytes out;
        encode_owed_resync(one, out);
        EXPECT_EQ(std::get<OwedResync>(decode_owed(out).value()), one);
    }
}

TEST(OwedWrite, EncodingAppends) {
    Bytes out{42};
    encode_owed_resync({"k", "t", {}}, out);
    EXPECT_EQ(out[0], 42);
    EXPECT_TRUE(decode_owed(BytesView(out).subspan(1)));
}

TEST(OwedWrite, EveryTruncationIsAnError) {
    const Bytes frame{7};
    const auto payload = statement_payload(frame);
    for (std::size_t size = 0; size < payload.size(); ++size) {
        const auto owed = decode_owed(BytesView(payload).first(size));
        ASSERT_FALSE(owed) << size;
        EXPECT_EQ(owed.error().code, Errc::malformed);
    }
    EXPECT_FALSE(decode_owed(Bytes{6}));
    EXPECT_FALSE(decode_owed(Bytes{10})) << "of a version to come";
    EXPECT_FALSE(decode_owed(Bytes{4}));
    EXPECT_FALSE(decode_owed(Bytes{5}));
    Bytes not_serial;
    encode_owed_resync({"k", "t", {1}, cql::Consistency::quorum}, not_serial);
    EXPECT_FALSE(decode_owed(not_serial));
}

TEST(OwedWrite, EveryTruncationOfATokenRangeIsAnError) {
    OwedResync order{"ks", "t", {}};
    order.range = TokenRange{cql::kMinToken, cql::Token(77)};
    Bytes payload;
    encode_owed_resync(order, payload);
    EXPECT_EQ(payload[0], 6);
    EXPECT_EQ(payload.size(), 1U + 4 + 2 + 4 + 1 + 8 + 8);
    expect_nothing_but_all_of_it(payload);
    order.range = TokenRange{cql::Token(77), cql::Token(77)};
    payload.clear();
    encode_owed_resync(order, payload);
    EXPECT_FALSE(decode_owed(payload)) << "nothing is in it";
}

TEST(OwedFrame, OurIdsBecomeTheClusters) {
    OwedStatement statement;
    statement.prepared = {{kIdA, "", ""}, {kIdB, "", ""}};
    const std::vector<Bytes> theirs{{7, 7, 7, 7, 7, 7}, {8}};
    const std::vector<cql::CellView> values{BytesView(kIdB)};
    cql::Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1234;
    cql::encode_execute(statement.frame, {}, kIdB, {}, parameters);
    const auto execute_frame = translate_frame(statement, theirs).value();
    const auto execute = cql::decode_execute(cql::view_frame(execute_frame, cql::Direction::request).value()).value();
    EXPECT_TRUE(equal(execute.id, theirs[1]));
    EXPECT_EQ(execute.parameters.timestamp, 1234);
    EXPECT_TRUE(equal((*execute.parameters.values.begin()).value.bytes(), kIdB)) << "a value is not an id";

    statement.frame.clear();
    const std::vector<cql::BatchStatement> children{
        {"", kIdA, values}, {"DELETE FROM t WHERE k = 1", {}, {}}, {"", kIdB, values}};
    cql::encode_batch(statement.frame, {}, cql::BatchType::unlogged, children, {});
    const auto batch_frame = translate_frame(statement, theirs).value();
    const auto batch = cql::decode_batch(cql::view_frame(batch_frame, cql::Direction::request).value()).value();
    std::vector<Bytes> ids;
    for (const auto child : batch.children) {
        if (child.prepared) ids.emplace_back(child.id.begin(), child.id.end());
    }
    EXPECT_EQ(ids, theirs);
}

TEST(OwedFrame, AnIdWithoutTextIsNamed) {
    OwedStatement statement;
    cql::encode_execute(statement.frame, {}, kIdB, {}, {});
    const auto frame = translate_frame(statement, {});
    ASSERT_FALSE(frame);
    EXPECT_NE(frame.error().what.find("0909"), std::string::npos);
}

}  // namespace
}  // namespace penumbra::sync
