#include "cql/select/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "cql/types/scalars.h"
#include "cql/types/uuid.h"

namespace penumbra::cql {
namespace {

using ::testing::ElementsAre;

TypePtr text_type() {
    return scalar(TypeKind::text);
}

/// The first selector with its columns bound to the value "v".
BoundText bind(const std::string& selector) {
    static std::string text;
    text = "SELECT " + selector + " FROM system.local";
    static Statement statement;
    statement = parse(text);
    static const TypedCell value{text_type(), encode_text("v")};
    static const Bytes marked = encode_text("m");
    BoundText out;
    append_bound(
        statement.selectors[0].expression, text,
        [](const Term& part) { return part.is(TermKind::column) ? &value : nullptr; },
        [](const Term&) { return CellView(marked); }, out);
    return out;
}

TEST(ExpressionTest, ColumnsBecomeTypedMarkers) {
    EXPECT_EQ(bind("toJson(rack)").text, "toJson((text)?)");
    EXPECT_EQ(bind("cast( rack  as blob)").text, "cast( (text)?  as blob)");
    EXPECT_EQ(bind("tokens['a'..'b']").text, "(text)?['a'..'b']");
    EXPECT_EQ(bind("-a + b * 2").text, "-(text)? + (text)? * 2");
    EXPECT_EQ(bind("{field: rack}").text, "{field: (text)?}");
    EXPECT_EQ(bind("f(:name, \"Rack\", [rack, 'rack'])").text, "f(?, (text)?, [(text)?, 'rack'])");
}

TEST(ExpressionTest, ValuesComeInTheOrderOfTheText) {
    const auto bound = bind("f(:name, rack, ?)");
    ASSERT_EQ(bound.values.size(), 3U);
    EXPECT_EQ(text_of(bound.values[0].bytes()), "m");
    EXPECT_EQ(text_of(bound.values[1].bytes()), "v");
    EXPECT_EQ(text_of(bound.values[2].bytes()), "m");
}

TEST(ExpressionTest, FindsColumnsAndOutermostAggregates) {
    const std::string text = "SELECT f(max(toJson(a)), count(*), b) FROM t";
    const auto statement = parse(text);
    const auto& expression = statement.selectors[0].expression;
    EXPECT_THAT(columns_of(expression), ElementsAre("a", "b"));
    const auto calls = aggregates_of(expression);
    ASSERT_EQ(calls.size(), 2U);
    EXPECT_EQ(calls[0]->text, "max");
}

TEST(ExpressionTest, AggregatesPassOverNull) {
    const auto ints = scalar(TypeKind::int_);
    const std::vector<Cell> values{encode_int(7), std::nullopt, encode_int(-2)};
    EXPECT_EQ(*aggregate("count", ints, values).value().value, encode_bigint(2));
    EXPECT_EQ(*aggregate("min", ints, values).value().value, encode_int(-2));
    EXPECT_EQ(*aggregate("max", ints, values).value().value, encode_int(7));
    EXPECT_EQ(*aggregate("sum", ints, values).value().value, encode_int(5));
    EXPECT_EQ(*aggregate("avg", ints, values).value().value, encode_int(2));
    EXPECT_EQ(aggregate("min", ints, {}).value().value, std::nullopt);
    EXPECT_EQ(*aggregate("sum", ints, {}).value().value, encode_int(0));
    EXPECT_EQ(aggregate("sum", text_type(), {}).error().code, Errc::unsupported);
}

TEST(ExpressionTest, JsonAsServersWriteIt) {
    EXPECT_EQ(to_json(*text_type(), encode_text("a\"\\\n\x01")), R"("a\"\\\n\u0001")");
    EXPECT_EQ(to_json(*scalar(TypeKind::int_), encode_int(-3)), "-3");
    EXPECT_EQ(to_json(*scalar(TypeKind::blob), Bytes{1, 0xAB}), "\"0x01ab\"");
    EXPECT_EQ(to_json(*scalar(TypeKind::inet), Bytes{127, 0, 0, 1}), "\"127.0.0.1\"");
    EXPECT_EQ(to_json(*set_of(text_type()), encode_text_list({"a", "b"})), R"(["a", "b"])");
    EXPECT_EQ(to_json(*map_of(text_type(), text_type()), encode_text_map({{"a", "b"}})), R"({"a": "b"})");
    EXPECT_EQ(to_json(*text_type(), CellView::null()), "null");
}

TEST(ExpressionTest, FunctionsForServersThatTakeNoValues) {
    const TypedCell port{scalar(TypeKind::int_), encode_int(9042)};
    EXPECT_EQ(*call_function("toJson", {port}).value().value, encode_text("9042"));
    const auto blob = call_function("intAsBlob", {port}).value();
    EXPECT_EQ(blob.type->kind, TypeKind::blob);
    EXPECT_EQ(call_function("blobasint", {blob}).value().value, port.value);
    EXPECT_FALSE(call_function("blobasbigint", {blob}));
    EXPECT_EQ(*cast_to(*text_type(), port).value().value, encode_text("9042"));
    EXPECT_EQ(*cast_to(*scalar(TypeKind::bigint), port).value().value, encode_bigint(9042));
    EXPECT_EQ(call_function("nothing", {port}).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace penumbra::cql
