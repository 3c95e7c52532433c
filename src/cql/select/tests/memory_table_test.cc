#include "cql/select/memory_table.h"

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

/// peers_v2 as Cassandra has it, in short.
Table peers() {
    Table table;
    table.keyspace = "system";
    table.name = "peers_v2";
    table.columns = {{"peer", scalar(TypeKind::inet), ColumnKind::partition_key, 0},
                     {"peer_port", scalar(TypeKind::int_), ColumnKind::clustering, 0},
                     {"rack", scalar(TypeKind::text)},
                     {"tokens", set_of(scalar(TypeKind::text))}};
    return table;
}

MemoryRow row(const char* peer, int port, const char* rack, std::vector<std::string> tokens = {}) {
    return {encode_inet(InetAddress::parse(peer).value()), encode_int(port), rack ? Cell(encode_text(rack)) : Cell(),
            tokens.empty() ? Cell() : Cell(encode_text_list(tokens))};
}

class MemoryTableTest : public ::testing::Test {
  protected:
    Predicate where(std::size_t column, Operator op, std::vector<Bytes> operands) {
        Predicate predicate;
        predicate.op = op;
        predicate.columns = {column};
        for (auto& operand : operands) predicate.operands.push_back({std::move(operand)});
        return predicate;
    }
    /// Ports of the rows chosen, in order.
    std::vector<int> ports(const RowChoice& choice) {
        std::vector<int> found;
        for (const auto* chosen : choice.choose(table, rows)) found.push_back(decode_int(*(*chosen)[1]).value());
        return found;
    }

    Table table = peers();
    std::vector<MemoryRow> rows{row("10.0.0.1", 3, "r1", {"5", "7"}), row("10.0.0.1", 1, "r2"),
                                row("10.0.0.2", 2, nullptr, {"9"})};
};

TEST_F(MemoryTableTest, AScanIsInOrderOfTokenThenClustering) {
    const auto first = token_of(table, rows[0]) < token_of(table, rows[2]);
    EXPECT_EQ(ports({}), first ? (std::vector<int>{1, 3, 2}) : (std::vector<int>{2, 1, 3}));
}

TEST_F(MemoryTableTest, ComparisonsWithNullAreFalse) {
    EXPECT_EQ(ports({{where(2, Operator::eq, {encode_text("r1")})}}), (std::vector<int>{3}));
    EXPECT_EQ(ports({{where(2, Operator::ne, {encode_text("r1")})}}), (std::vector<int>{1}));
    EXPECT_EQ(ports({{where(2, Operator::gt, {encode_text("")})}}).size(), 2U);
}

TEST_F(MemoryTableTest, RangesInListsAndElements) {
    EXPECT_EQ(ports({{where(1, Operator::in, {encode_int(3), encode_int(4)})}}), (std::vector<int>{3}));
    EXPECT_EQ(ports({{where(1, Operator::between, {encode_int(2), encode_int(3)})}}).size(), 2U);
    EXPECT_EQ(ports({{where(3, Operator::contains, {encode_text("7")})}}), (std::vector<int>{3}));
    EXPECT_EQ(ports({{where(3, Operator::contains, {encode_text("8")})}}), (std::vector<int>{}));
    auto element = where(3, Operator::eq, {encode_text("9")});
    element.subject = Restriction::Subject::element;
    element.key = encode_text("9");
    EXPECT_EQ(ports({{element}}), (std::vector<int>{2}));
}

TEST_F(MemoryTableTest, TokensAndTuples) {
    auto token = where(0, Operator::eq, {encode_bigint(token_of(table, rows[2]).value())});
    token.subject = Restriction::Subject::token;
    EXPECT_EQ(ports({{token}}), (std::vector<int>{2}));
    Predicate tuple;
    tuple.subject = Restriction::Subject::tuple;
    tuple.op = Operator::gt;
    tuple.columns = {1};
    tuple.operands = {{encode_int(1)}};
    EXPECT_EQ(ports({{tuple}}).size(), 2U);
}

TEST_F(MemoryTableTest, AnInOnTheKeyComesInOrderOfKeys) {
    const auto keys = where(0, Operator::in, {*rows[2][0], *rows[0][0]});
    EXPECT_EQ(ports({{keys}}), (std::vector<int>{1, 3, 2}));
}

TEST_F(MemoryTableTest, DescendingOrderLimitsAndDistinct) {
    const auto descending = parse("SELECT * FROM t WHERE peer = '10.0.0.1' ORDER BY peer_port DESC");
    const auto one = where(0, Operator::eq, {*rows[0][0]});
    EXPECT_EQ(ports({{one}, &descending}), (std::vector<int>{3, 1}));
    EXPECT_EQ(ports({{one}, nullptr, 1}), (std::vector<int>{1}));
    const auto distinct = parse("SELECT DISTINCT peer FROM t");
    EXPECT_EQ(ports({{}, &distinct}).size(), 2U);
}

TEST_F(MemoryTableTest, GroupsAreOfNeighbours) {
    const auto groups = group_rows(table, {0}, RowChoice{}.choose(table, rows));
    ASSERT_EQ(groups.size(), 2U);
    EXPECT_EQ(groups[0].size() + groups[1].size(), 3U);
}

}  // namespace
}  // namespace penumbra::cql
