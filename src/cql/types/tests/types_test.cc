#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "cql/types/big_integer.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/token.h"
#include "cql/types/type.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

TypePtr address() {
    return udt_of("ks", "Address", {{"street", scalar(TypeKind::text)}, {"Zip", set_of(scalar(TypeKind::int_))}});
}

Result<TypePtr> with_address(std::string_view keyspace, std::string_view name) {
    if (keyspace == "ks" && name == "Address") return address();
    return no_udts(keyspace, name);
}

TypePtr type(std::string_view cql) {
    auto parsed = parse_type(cql, "ks", with_address);
    EXPECT_TRUE(parsed.has_value()) << cql << ": " << to_string(parsed.error());
    return parsed.value();
}

Bytes literal(const TypePtr& t, std::string_view text) {
    auto value = from_literal(*t, text);
    EXPECT_TRUE(value.has_value()) << text << ": " << to_string(value.error());
    return value ? std::move(value).value() : Bytes();
}

std::string refusal(const TypePtr& t, std::string_view text) {
    const auto value = from_literal(*t, text);
    return value ? "taken: " + to_hex(value.value()) : to_string(value.error());
}

TEST(Type, TextComesBack) {
    for (const auto* text : {"int", "text", "frozen<list<int>>", "map<text, frozen<list<int>>>", "set<timeuuid>",
                             "vector<float, 3>", "\"Address\"", "frozen<\"Address\">", "list<frozen<\"Address\">>",
                             "frozen<tuple<int, text>>", "duration", "vector<vector<text, 2>, 4>",
                             "'com.example.OurType'", "counter", "list<frozen<tuple<int, frozen<set<text>>>>>"}) {
        EXPECT_EQ(to_cql(*type(text)), text);
    }
    EXPECT_EQ(to_cql(*type(" MAP < Varchar ,ks.\"Address\" > ")), "map<text, \"Address\">");
    EXPECT_EQ(to_cql(*type("tuple<int>")), "frozen<tuple<int>>");
    EXPECT_EQ(to_cql(*type("frozen<map<text, list<int>>>")), "frozen<map<text, frozen<list<int>>>>");
    EXPECT_EQ(
        to_cql(*type("'org.apache.cassandra.db.marshal.ReversedType(org.apache.cassandra.db.marshal.Int32Type)'")),
        "int");
    EXPECT_EQ(
        to_cql(*type(
            "'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>org.apache.cassandra.db.marshal.BytesType)'")),
        "'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>org.apache.cassandra.db.marshal.BytesType)'");
    EXPECT_TRUE(type("list<int>")->is_multi_cell());
    EXPECT_FALSE(type("frozen<list<int>>")->is_multi_cell());
    EXPECT_TRUE(type("\"Address\"")->is_multi_cell());
    EXPECT_FALSE(type("tuple<int, int>")->is_multi_cell());
    EXPECT_EQ(scalar(TypeKind::int_).get(), type("int").get());
}

TEST(Type, BadTextIsRefusedWithItsPlace) {
    for (const auto* text : {"", "list<", "list<int", "list<int>>", "map<int>", "list<int,int>", "frozen<int>",
                             "vector<int>", "vector<int, 0>", "vector<int, 99999999999>", "nosuch", "address",
                             "'unclosed", "\"unclosed", "ks.", "int int", "nosuch<int>", "custom"}) {
        EXPECT_FALSE(parse_type(text, "ks", with_address).has_value()) << text;
    }
    EXPECT_EQ(parse_type("list<int", "ks", with_address).error().what, "type 'list<int': '>' expected at 8");
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += "list<";
    EXPECT_FALSE(parse_type(deep, "ks", with_address).has_value());
    std::string classes;
    for (int i = 0; i < 100'000; ++i) classes += "ListType(";
    EXPECT_FALSE(parse_marshal_class(classes).has_value());
}

TEST(Type, SameTypeLooksAtValuesOnly) {
    EXPECT_TRUE(same_type(*type("frozen<list<int>>"), *type("list<int>")));
    EXPECT_TRUE(same_type(*type("\"Address\""), *address()));
    EXPECT_FALSE(same_type(*type("list<int>"), *type("set<int>")));
    EXPECT_FALSE(same_type(*type("vector<int, 2>"), *type("vector<int, 3>")));
    EXPECT_FALSE(same_type(*type("'a'"), *type("'b'")));
}

TEST(Type, AUserTypeWithTheNameOfANativeOneIsQuoted) {
    EXPECT_EQ(to_cql(*udt_of("ks", "empty", {})), "\"empty\"");
    EXPECT_EQ(to_cql(*udt_of("ks", "int", {})), "\"int\"");
    EXPECT_EQ(to_cql(*udt_of("ks", "address", {})), "address");
}

TEST(Identifier, IsQuotedOnlyWhereItMustBe) {
    EXPECT_EQ(quote_identifier("plain_1"), "plain_1");
    for (const auto* name : {"Select", "select", "from", "token", "a b", "", "1a", "_a", "ü"}) {
        EXPECT_EQ(quote_identifier(name), "\"" + std::string(name) + "\"");
    }
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

TEST(Literal, EveryKindMeansItsBytes) {
    EXPECT_EQ(to_hex(literal(type("int"), " -1 ")), "ffffffff");
    EXPECT_EQ(to_hex(literal(type("text"), "'it''s'")), "69742773");
    EXPECT_EQ(to_hex(literal(type("text"), "$$it's$$")), "69742773");
    EXPECT_EQ(to_hex(literal(type("blob"), "0xCAFE")), "cafe");
    EXPECT_EQ(to_hex(literal(type("boolean"), "TRUE")), "01");
    EXPECT_EQ(to_hex(literal(type("double"), "nan")), "7ff8000000000000");
    EXPECT_EQ(to_hex(literal(type("float"), "-infinity")), "ff800000");
    EXPECT_EQ(to_hex(literal(type("timestamp"), "1")), "0000000000000001");
    EXPECT_EQ(to_hex(literal(type("timestamp"), "'1'")), "0000000000000001");
    EXPECT_EQ(literal(type("timestamp"), "'2024-05-01 12:00+0200'"), literal(type("timestamp"), "'2024-05-01 10:00Z'"));
    EXPECT_EQ(to_hex(literal(type("date"), "'1970-01-02'")), "80000001");
    EXPECT_EQ(to_hex(literal(type("duration"), "1mo")), "020000");
    EXPECT_EQ(to_hex(literal(type("duration"), "-P0001-02-03T04:05:06")),
              to_hex(literal(type("duration"), "-1y2mo3d4h5m6s")));
    EXPECT_EQ(to_hex(literal(type("inet"), "'::ffff:10.0.0.1'")), "0a000001");
    EXPECT_EQ(to_hex(literal(type("set<int>"), "{3, 1, /* twice */ 3}")),
              "00000002000000040000000100000004"
              "00000003");
    EXPECT_EQ(to_hex(literal(type("map<int, int>"), "{2:3, 1:2, 2:4}")),
              "00000002"
              "0000000400000001"
              "0000000400000002"
              "0000000400000002"
              "0000000400000004");
    EXPECT_EQ(to_hex(literal(type("set<int>"), "{}")), "00000000");
    EXPECT_EQ(to_hex(literal(type("tuple<int, text>"), "(1, null)")),
              "0000000400000001"
              "ffffffff");
    EXPECT_EQ(to_hex(literal(type("\"Address\""), "{\"Zip\": {1}, street: 'x'}")),
              "0000000178"
              "0000000c"
              "00000001"
              "00000004"
              "00000001");
    EXPECT_EQ(to_hex(literal(type("\"Address\""), "{Street: 'x'}")),
              "0000000178"
              "ffffffff");
    EXPECT_EQ(to_hex(literal(type("vector<tinyint, 2>"), "[1, -1]")),
              "0101"
              "01ff");
    EXPECT_EQ(to_hex(literal(type("int"), "blobAsInt(0x)")), "");
    EXPECT_EQ(to_hex(literal(type("int"), "blob_as_int(0x00000001)")), "00000001");
}

TEST(Literal, TimesThatNameNoZoneAreTheServers) {
    // What Cassandra 4.1 and 5.0 read as another time in another zone, and two more of ScyllaDB's.
    for (const auto* text : {"2024-05-01 10:00", "2024-05-01", "2024-05-01T10:00:00.5", "+12024-05-01", "-2024-05-01",
                             "2024-5-1 9:7", "2024-05-01 10:00:05.", "2024-05-01t10:00", "2024-05-01 "})
        EXPECT_TRUE(lacks_zone(text)) << text;
    for (const auto* text : {"2024-05-01 10:00Z", "2024-05-01 10:00+0200", "2024-05-01 10:00 UTC", "1714557600000",
                             "-123", "2024-05-01+02", "2024-05-01 Europe/Berlin", "2024-05-01Z", "now", "", "2024-05",
                             "10:00", "2024-05-01T10:00:00.500Z"})
        EXPECT_FALSE(lacks_zone(text)) << text;
}

TEST(Literal, WhatIsNoLiteralSaysWhy) {
    EXPECT_EQ(refusal(type("int"), "?"), "unsupported: a bind marker is no literal");
    EXPECT_EQ(refusal(type("int"), ":x"), "unsupported: a bind marker is no literal");
    EXPECT_EQ(refusal(type("uuid"), "uuid()"), "unsupported: a call of uuid() is no literal");
    EXPECT_EQ(refusal(type("int"), "(int) 1"), "unsupported: a type cast is no literal");
    EXPECT_EQ(refusal(type("timestamp"), "'NOW'"), "unsupported: the timestamp 'now' is another value each time");
    EXPECT_EQ(refusal(type("timestamp"), "'2024-05-01 10:00'"),
              "unsupported: a time without a zone is in that of the server");
    EXPECT_EQ(refusal(type("list<timestamp>"), "[1, '2024-05-01']"),
              "unsupported: a time without a zone is in that of the server");
    EXPECT_EQ(refusal(type("int"), "null"), "invalid_argument: null is no value");
    EXPECT_EQ(refusal(type("int"), "2147483648"), "invalid_argument: '2147483648' is no int");
    EXPECT_EQ(refusal(type("int"), "'1'"), "invalid_argument: a string is no int");
    EXPECT_EQ(refusal(type("uuid"), "'550e8400-e29b-41d4-a716-446655440000'"), "invalid_argument: a string is no uuid");
    EXPECT_EQ(refusal(type("list<int>"), "[1, null]"), "invalid_argument: null inside a list");
    EXPECT_EQ(refusal(type("tuple<int>"), "(1, 2)"),
              "invalid_argument: a tuple with too many values at 3 of a literal");
    EXPECT_EQ(refusal(type("vector<int, 2>"), "[1, blobAsInt(0x)]"),
              "invalid_argument: an element of another size at 17 of a literal");
    EXPECT_NE(refusal(type("vector<int, 2>"), "[1, blobAsInt(0x0102)]"), "");
    EXPECT_EQ(refusal(type("vector<int, 2>"), "[1]"),
              "invalid_argument: a vector of 1 values instead of 2 at 3 of a literal");
    for (const auto* text : {"", "[1", "[1,", "[1 2]", "{1}", "1", "[1] x", "[[1]]"}) {
        EXPECT_FALSE(from_literal(*type("list<int>"), text).has_value()) << text;
    }
    for (const auto* text : {"'x", "$$x", "x", "''x"})
        EXPECT_FALSE(from_literal(*type("text"), text).has_value()) << text;
}

TEST(Literal, EmptyIsNotNull) {
    EXPECT_EQ(to_literal(*type("int"), CellView::null()).value(), "null");
    EXPECT_EQ(to_literal(*type("int"), Bytes()).value(), "blobAsInt(0x)");
    EXPECT_EQ(to_literal(*type("text"), Bytes()).value(), "''");
    EXPECT_EQ(to_literal(*type("blob"), Bytes()).value(), "0x");
    EXPECT_EQ(to_literal(*type("tuple<int, int>"), Bytes()).value(), "(null)");
    EXPECT_EQ(to_literal(*type("\"Address\""), Bytes()).value(), "{street: null}");
    EXPECT_FALSE(to_literal(*type("list<int>"), Bytes()).has_value());
    EXPECT_FALSE(to_literal(*type("duration"), Bytes()).has_value());
}

TEST(Literal, IsExactOrABlob) {
    EXPECT_EQ(to_literal(*type("decimal"), from_hex("8000000001").value()).value(), "blobAsDecimal(0x8000000001)");
    EXPECT_EQ(to_literal(*type("decimal"), from_hex("00000000"
                                                    "0001")
                                               .value())
                  .value(),
              "blobAsDecimal(0x000000000001)");
    EXPECT_EQ(to_literal(*type("varint"), from_hex("0001").value()).value(), "blobAsVarint(0x0001)");
    EXPECT_EQ(to_literal(*type("boolean"), from_hex("02").value()).value(), "blobAsBoolean(0x02)");
    EXPECT_EQ(to_literal(*type("float"), from_hex("7fc00001").value()).value(), "blobAsFloat(0x7fc00001)");
    EXPECT_EQ(to_literal(*type("text"), from_hex("c080").value()).value(), "blobAsText(0xc080)");
    EXPECT_EQ(to_literal(*type("duration"), from_hex("00000000").value()).value(), "blobAsDuration(0x00000000)");
    EXPECT_EQ(to_literal(*type("time"), from_hex("ffffffffffffffff").value()).value(),
              "blobAsTime(0xffffffffffffffff)");
    EXPECT_EQ(to_literal(*type("inet"), from_hex("00000000000000000000ffff01020304").value()).value(),
              "blobAsInet(0x00000000000000000000ffff01020304)");
    EXPECT_EQ(to_literal(*type("timestamp"), encode_bigint(INT64_MAX)).value(), "9223372036854775807");
    EXPECT_EQ(to_literal(*type("date"), encode_int(0)).value(), "0");
    EXPECT_EQ(to_literal(*type("double"), encode_double(-0.0)).value(), "-0.0");
    EXPECT_EQ(to_text(*type("varint"), from_hex("0001").value()), "1");
}

TEST(Text, IsForPeopleAndNeverFails) {
    EXPECT_EQ(to_text(*type("text"), bytes_of("it's")), "it's");
    EXPECT_EQ(to_text(*type("list<text>"), literal(type("list<text>"), "['it''s']")), "['it''s']");
    EXPECT_EQ(to_text(*type("inet"), literal(type("inet"), "'::1'")), "::1");
    EXPECT_EQ(to_text(*type("int"), bytes_of("abc")), "0x616263");
    EXPECT_EQ(to_text(*type("list<int>"), bytes_of("abc")), "0x616263");
    EXPECT_EQ(from_text(*type("inet"), "::1").value(), literal(type("inet"), "'::1'"));
    EXPECT_EQ(from_text(*type("timestamp"), "'2020-01-01'").value(),
              from_text(*type("timestamp"), "2020-01-01").value());
    EXPECT_EQ(from_text(*type("text"), "'quoted'").value(), encode_text("'quoted'"));
}

TEST(Equality, IsWhatServersMean) {
    const auto equal_literals = [](std::string_view cql, std::string_view a, std::string_view b) {
        return equal_values(*type(cql), literal(type(cql), a), literal(type(cql), b));
    };
    EXPECT_TRUE(equal_literals("decimal", "1.0", "1.00"));
    EXPECT_TRUE(equal_literals("decimal", "0E5", "0"));
    EXPECT_FALSE(equal_literals("decimal", "1E2147483647", "1E-2147483647"));
    EXPECT_FALSE(equal_literals("decimal", "1E2147483647", "11E2147483646"));
    EXPECT_TRUE(equal_literals("decimal", "1E2147483647", "10E2147483646"));
    EXPECT_TRUE(equal_literals("decimal", "-1E-2147483646", "-10E-2147483647"));
    EXPECT_FALSE(equal_literals("double", "0.0", "-0.0"));
    EXPECT_TRUE(equal_literals("list<decimal>", "[1.0, 2]", "[1.00, 2.0]"));
    EXPECT_FALSE(equal_literals("list<int>", "[1, 2]", "[2, 1]"));
    EXPECT_TRUE(equal_literals("tuple<int, text>", "(1)", "(1, null)"));
    EXPECT_FALSE(equal_literals("tuple<int, text>", "(1)", "(1, '')"));
    const auto sets = type("set<int>");
    EXPECT_TRUE(equal_values(*sets,
                             from_hex("00000002"
                                      "0000000400000002"
                                      "0000000400000001")
                                 .value(),
                             literal(sets, "{1, 2}")));
    EXPECT_FALSE(equal_values(*sets, literal(sets, "{1, 2}"), literal(sets, "{1, 3}")));
    const auto maps = type("map<text, set<decimal>>");
    EXPECT_TRUE(equal_values(*maps,
                             from_hex("00000002"
                                      "0000000162"
                                      "00000004"
                                      "00000000"
                                      "0000000161"
                                      "00000004"
                                      "00000000")
                                 .value(),
                             literal(maps, "{'a': {}, 'b': {}}")));
    EXPECT_TRUE(equal_values(*type("varint"), from_hex("0001").value(), from_hex("01").value()));
    EXPECT_TRUE(equal_values(*type("boolean"), from_hex("02").value(), from_hex("01").value()));
    EXPECT_FALSE(equal_values(*type("int"), Bytes(), CellView::null()));
    EXPECT_TRUE(equal_values(*type("int"), CellView::null(), CellView::null()));
    EXPECT_FALSE(equal_values(*type("int"), CellView::null(), CellView::unset()));
    EXPECT_FALSE(equal_values(*type("list<int>"), bytes_of("ab"), bytes_of("cd")));
}

TEST(Elements, AreWalkedWithoutCopying) {
    const auto t = type("map<text, int>");
    const auto value = literal(t, "{'a': 1, 'b': 2}");
    Elements elements(*t, value);
    Element element;
    std::string seen;
    while (elements.next(element).value()) {
        EXPECT_GE(element.value.bytes().data(), value.data());
        seen += to_literal(*element.type, element.value).value() + (element.index % 2 == 0 ? ":" : ",");
    }
    EXPECT_EQ(seen, "'a':1,'b':2,");
    EXPECT_EQ(element_count(*t, value).value(), 2u);
    EXPECT_EQ(map_entry(*t, value, bytes_of("b")).value(), CellView(encode_int(2)));
    EXPECT_TRUE(map_entry(*t, value, bytes_of("c")).value().is_null());
    const auto tuple = type("tuple<int, text, int>");
    EXPECT_EQ(field_at(*tuple, literal(tuple, "(1, 'x')"), 1).value(), CellView(bytes_of("x")));
    EXPECT_TRUE(field_at(*tuple, literal(tuple, "(1, 'x')"), 2).value().is_null());
}

TEST(Elements, BadCountsAndLeftoversAreErrors) {
    for (const auto* hex :
         {"", "00", "ffffffff", "7fffffff", "0000000100000004", "00000001000000040000000100", "0000000200000000"}) {
        EXPECT_FALSE(validate(*type("list<int>"), from_hex(hex).value()).has_value()) << hex;
    }
    EXPECT_FALSE(validate(*type("list<int>"), from_hex("00000001ffffffff").value()).has_value()) << "null element";
    EXPECT_FALSE(validate(*type("tuple<int>"), from_hex("00000004000000010000000400000001").value()).has_value())
        << "too long";
    EXPECT_TRUE(validate(*type("tuple<int, int>"), from_hex("0000000400000001").value()).has_value()) << "short";
    EXPECT_FALSE(validate(*type("vector<int, 2>"), from_hex("00000001").value()).has_value());
    EXPECT_FALSE(validate(*type("vector<text, 1>"), from_hex("ffffffffffffffffff").value()).has_value());
    // A peer may claim a vector larger than memory.
    const auto huge = vector_of(vector_of(vector_of(scalar(TypeKind::int_), INT32_MAX), INT32_MAX), INT32_MAX);
    EXPECT_FALSE(validate(*huge, from_hex("00000001").value()).has_value());
}

TEST(Scalars, RoundTripAndRefuseOtherLengths) {
    EXPECT_EQ(decode_int(encode_int(-5)).value(), -5);
    EXPECT_EQ(decode_bigint(encode_bigint(INT64_MIN)).value(), INT64_MIN);
    EXPECT_EQ(decode_smallint(encode_smallint(-2)).value(), -2);
    EXPECT_EQ(decode_tinyint(encode_tinyint(-128)).value(), -128);
    EXPECT_EQ(decode_double(encode_double(1.5)).value(), 1.5);
    EXPECT_EQ(decode_float(encode_float(-0.5f)).value(), -0.5f);
    EXPECT_EQ(decode_boolean(encode_boolean(true)).value(), true);
    EXPECT_EQ(decode_text_list(encode_text_list({"b", "", "a"})).value(), (std::vector<std::string>{"b", "", "a"}));
    const std::map<std::string, std::string> map{{"class", "SimpleStrategy"}, {"replication_factor", "1"}};
    EXPECT_EQ(decode_text_map(encode_text_map(map)).value(), map);
    const Duration duration{-14, -3, INT64_MIN};
    EXPECT_EQ(decode_duration(encode_duration(duration)).value(), duration);
    EXPECT_EQ(decode_int(bytes_of("abc")).error().what, "an int of 3 bytes instead of 4");
    EXPECT_FALSE(decode_text(from_hex("c080").value()).has_value());
}

TEST(Vint, RoundTripsEverySize) {
    for (int bit = 0; bit < 64; ++bit) {
        for (const std::uint64_t value :
             {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1, ~std::uint64_t{0} >> bit}) {
            Bytes bytes;
            Writer out(bytes);
            write_unsigned_vint(out, value);
            Reader in(bytes);
            EXPECT_EQ(read_unsigned_vint(in).value(), value);
            EXPECT_TRUE(in.done());
            EXPECT_EQ(
                bytes.size(),
                value < 128 ? 1u : std::min<std::size_t>(9, (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7));
        }
    }
}

TEST(Utf8, IsStrict) {
    EXPECT_TRUE(is_utf8(bytes_of("aü€😀\x7f")));
    for (const auto* hex : {"80", "c080", "c1bf", "e08080", "eda080", "f0808080", "f4908080", "f5808080", "ff", "c3",
                            "e282", "f09f98", "c3c3"}) {
        EXPECT_FALSE(is_utf8(from_hex(hex).value())) << hex;
    }
    EXPECT_TRUE(is_utf8(from_hex("ed9fbf").value()));
    EXPECT_TRUE(is_utf8(from_hex("f48fbfbf").value()));
}

TEST(BigInteger, AgreesWithMachineIntegers) {
    std::mt19937_64 random(1);
    const auto wide = [&random] {
        auto value = static_cast<std::int64_t>(random());
        return value >> (random() % 64);
    };
    for (int i = 0; i < 2000; ++i) {
        const std::int64_t a = wide();
        const std::int64_t b = wide();
        const auto big_a = BigInteger::parse(std::to_string(a)).value();
        const auto big_b = BigInteger::from_bytes(encode_bigint(b));
        EXPECT_EQ(big_a.to_string(), std::to_string(a));
        EXPECT_EQ(big_b.to_string(), std::to_string(b));
        EXPECT_EQ(BigInteger::from_bytes(big_a.to_bytes()), big_a);
        EXPECT_EQ(big_a < big_b, a < b);
        EXPECT_EQ(big_a == big_b, a == b);
        const auto bytes = big_a.to_bytes();
        EXPECT_LE(bytes.size(), 8u);
    }
    auto ten = BigInteger::parse("-7").value();
    ten.multiply_by_power_of_ten(20);
    EXPECT_EQ(ten.to_string(), "-700000000000000000000");
    EXPECT_FALSE(BigInteger::parse("").has_value());
    EXPECT_FALSE(BigInteger::parse("-").has_value());
    EXPECT_FALSE(BigInteger::parse("1a").has_value());
    EXPECT_EQ(BigInteger::parse("-0").value(), BigInteger());
    EXPECT_TRUE(BigInteger::parse(std::string(100'000, '9')).error().code == Errc::unsupported);
}

TEST(Uuid, ParsesAndKeepsItsTime) {
    const auto uuid = Uuid::parse("550E8400-e29b-11d4-a716-446655440000").value();
    EXPECT_EQ(to_string(uuid), "550e8400-e29b-11d4-a716-446655440000");
    EXPECT_EQ(uuid.version(), 1);
    for (const auto* text : {"", "550e8400e29b41d4a716446655440000", "550e8400-e29b-41d4-a716-44665544000g",
                             "550e8400-e29b-41d4-a716-4466554400-0"}) {
        EXPECT_FALSE(Uuid::parse(text).has_value()) << text;
    }
    const auto timed = Uuid::timed(15'807'027'067'890'000, 0xFFFF'FFFF'FFFF'FFFF);
    EXPECT_EQ(timed.version(), 1);
    EXPECT_EQ(timed.unix_100ns(), 15'807'027'067'890'000);
    EXPECT_EQ(timed.bytes[8], 0xBF);
    EXPECT_EQ(Uuid::random(0, 0).version(), 4);
}

TEST(PartitionKey, RefusesWhatDoesNotFit) {
    const Bytes large(65'536);
    const std::vector<BytesView> two{large, large};
    Bytes key;
    EXPECT_FALSE(append_partition_key(two, key).has_value());
    EXPECT_FALSE(split_partition_key(from_hex("000161").value(), 2).has_value());
    EXPECT_FALSE(split_partition_key(from_hex("0001610000016201").value(), 2).has_value());
    EXPECT_FALSE(split_partition_key(from_hex("0001610000016200ff").value(), 2).has_value());
}

// ---- properties

TypePtr random_type(std::mt19937_64& random, int depth) {
    static constexpr TypeKind kScalarKinds[] = {
        TypeKind::ascii,   TypeKind::bigint,   TypeKind::blob,     TypeKind::boolean,   TypeKind::decimal,
        TypeKind::double_, TypeKind::float_,   TypeKind::int_,     TypeKind::timestamp, TypeKind::uuid,
        TypeKind::text,    TypeKind::varint,   TypeKind::timeuuid, TypeKind::inet,      TypeKind::date,
        TypeKind::time,    TypeKind::smallint, TypeKind::tinyint,  TypeKind::duration};
    const auto pick = random() % (depth >= 3 ? 1 : 3);
    if (pick == 0) return scalar(kScalarKinds[random() % std::size(kScalarKinds)]);
    const auto inner = [&] { return random_type(random, depth + 1); };
    switch (random() % 6) {
        case 0: return list_of(inner());
        case 1: return set_of(inner(), Frozen::yes);
        case 2: return map_of(inner(), inner());
        case 3: return tuple_of({inner(), inner(), inner()});
        case 4: return vector_of(inner(), static_cast<std::uint32_t>(random() % 3 + 1));
        default: return udt_of("ks", "t", {{"a", inner()}, {"B b", inner()}});
    }
}

/// A value that both servers take.
Bytes random_value(std::mt19937_64& random, const DataType& t) {
    const auto random_bytes = [&](std::size_t n) {
        Bytes bytes(n);
        for (auto& byte : bytes) byte = static_cast<Byte>(random());
        return bytes;
    };
    if (t.has_elements()) {
        ElementsBuilder builder(t);
        std::size_t count = random() % 4;
        if (t.kind == TypeKind::vector) count = t.dimension;
        if (t.kind == TypeKind::tuple || t.kind == TypeKind::udt) count = t.elements.size();
        if (t.kind == TypeKind::map) count *= 2;
        const bool nulls = t.kind == TypeKind::tuple || t.kind == TypeKind::udt;
        for (std::size_t i = 0; i < count; ++i) {
            const auto& element = *t.elements[nulls ? i : t.kind == TypeKind::map ? i % 2 : 0];
            if (nulls && random() % 4 == 0) {
                builder.add(CellView::null());
            } else {
                builder.add(random_value(random, element));
            }
        }
        return std::move(builder).finish_sorted();
    }
    switch (t.kind) {
        case TypeKind::text: return encode_text(random() % 2 ? "it's ü 😀" : std::string(random() % 20, 'x'));
        case TypeKind::ascii: return encode_text(std::string(random() % 20, static_cast<char>(random() % 128)));
        case TypeKind::boolean: return encode_boolean(random() % 2 == 0);
        case TypeKind::bigint:
        case TypeKind::timestamp:
        case TypeKind::double_: return random_bytes(8);
        case TypeKind::time: return encode_bigint(static_cast<std::int64_t>(random() % 86'400'000'000'000));
        case TypeKind::int_:
        case TypeKind::float_:
        case TypeKind::date: return random_bytes(4);
        case TypeKind::smallint: return random_bytes(2);
        case TypeKind::tinyint: return random_bytes(1);
        case TypeKind::uuid: return random_bytes(16);
        case TypeKind::timeuuid: return encode_uuid(Uuid::timed(static_cast<std::int64_t>(random() >> 8), random()));
        case TypeKind::inet: return random_bytes(random() % 2 ? 4 : 16);
        case TypeKind::varint: return BigInteger::from_bytes(random_bytes(random() % 30 + 1)).to_bytes();
        case TypeKind::decimal: {
            auto bytes = encode_int(static_cast<std::int32_t>(random()) >> (random() % 32));
            const auto unscaled = BigInteger::from_bytes(random_bytes(random() % 20 + 1)).to_bytes();
            bytes.insert(bytes.end(), unscaled.begin(), unscaled.end());
            return bytes;
        }
        case TypeKind::duration: {
            const std::int64_t sign = random() % 2 ? 1 : -1;
            return encode_duration({static_cast<std::int32_t>(sign * static_cast<std::int64_t>(random() % INT32_MAX)),
                                    static_cast<std::int32_t>(sign * static_cast<std::int64_t>(random() % INT32_MAX)),
                                    sign * static_cast<std::int64_t>(random() >> (1 + random() % 62))});
        }
        default: return random_bytes(random() % 20);
    }
}

class Property : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Property, LiteralsAndTypesComeBackAndTruncationIsSafe) {
    std::mt19937_64 random(GetParam());
    for (int i = 0; i < 150; ++i) {
        const auto t = random_type(random, 0);
        const auto by_class = parse_marshal_class(to_marshal_class(*t));
        ASSERT_TRUE(by_class.has_value()) << to_marshal_class(*t);
        EXPECT_TRUE(same_type(*t, *by_class.value())) << to_marshal_class(*t);
        EXPECT_EQ(to_cql(*t), to_cql(*by_class.value()));

        const auto value = random_value(random, *t);
        SCOPED_TRACE(to_cql(*t) + " " + to_hex(value));
        ASSERT_TRUE(validate(*t, value).has_value());
        const auto text = to_literal(*t, value);
        ASSERT_TRUE(text.has_value()) << to_string(text.error());
        const auto back = from_literal(*t, text.value());
        ASSERT_TRUE(back.has_value()) << text.value() << ": " << to_string(back.error());
        EXPECT_EQ(to_hex(back.value()), to_hex(value)) << text.value();
        EXPECT_TRUE(equal_values(*t, value, back.value()));
        EXPECT_TRUE(compare_values(*t, value, value) == 0);

        for (std::size_t n = 0; n < value.size(); ++n) {
            const Bytes cut(value.begin(),
                            value.begin() + static_cast<std::ptrdiff_t>(n));  // its own allocation, for ASan
            if (t->is_collection()) {
                EXPECT_FALSE(validate(*t, cut).has_value());
            }
            to_text(*t, cut);
            compare_values(*t, value, cut);
            equal_values(*t, value, cut);
        }
    }
}

TEST_P(Property, ComparisonIsAnOrder) {
    std::mt19937_64 random(GetParam());
    for (int i = 0; i < 100; ++i) {
        const auto t = random_type(random, 1);
        Bytes v[3];
        for (auto& value : v) {
            value = random_value(random, *t);
            if (random() % 8 == 0 && !value.empty()) value.resize(random() % value.size());
            if (random() % 8 == 0 && !value.empty())
                value[random() % value.size()] ^= static_cast<Byte>(1u << random() % 8);
        }
        const auto less = [&](int a, int b) { return compare_values(*t, v[a], v[b]) < 0; };
        for (const auto& [a, b, c] : {std::tuple{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {2, 1, 0}, {1, 0, 2}}) {
            EXPECT_FALSE(less(a, b) && less(b, a)) << to_cql(*t);
            if (less(a, b) && less(b, c)) {
                EXPECT_TRUE(less(a, c)) << to_cql(*t) << ' ' << to_hex(v[a]) << ' ' << to_hex(v[b]) << ' '
                                        << to_hex(v[c]);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Property, testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace penumbra::cql
