#include "cql/language/lexer.h"

#include <gmock/gmock.h>

namespace penumbra::cql {

namespace {

using K = TokenKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::pair<K, std::string>> tokens(std::string_view text) {
    Lexer lexer(text);
    std::vector<std::pair<K, std::string>> out;
    for (auto token = lexer.next(); token.kind != K::end; token = lexer.next())
        out.emplace_back(token.kind, token.range.in(text));
    return out;
}

K only(std::string_view text) {
    const auto all = tokens(text);
    return all.size() == 1 ? all[0].first : K::end;
}

TEST(Lexer, knows_every_kind_of_literal) {
    for (const auto text : {"1", "-1", "007", "-0"}) EXPECT_EQ(only(text), K::integer) << text;
    for (const auto text : {"1.", "1.5", "-1.5e10", "1e5", "1E-5", "1.e+3", "-NaN", "-infinity"})
        EXPECT_EQ(only(text), K::floating) << text;
    for (const auto text : {"0x", "0X0aF", "0xdeadBEEF"}) EXPECT_EQ(only(text), K::blob) << text;
    for (const auto text : {"123e4567-e89b-12d3-a456-426614174000", "ABCDEF01-e89b-12d3-a456-426614174000"})
        EXPECT_EQ(only(text), K::uuid) << text;
    for (const auto text : {"1h30m", "-1d", "2mo", "1y2mo3w4d5h6m7s8ms9us10ns", "5\xC2\xB5s", "P1Y2M3DT4H5M6S", "-P1D",
                            "PT5M", "P2W", "P0001-02-03T04:05:06"})
        EXPECT_EQ(only(text), K::duration) << text;
    for (const auto text : {"''", "'a'", "'it''s'", "''''", "$$a'b$$", "$$$$", "'\n'"})
        EXPECT_EQ(only(text), K::string) << text;
    for (const auto text : {"\"a\"", "\"a\"\"b\"", "\"\"\"a\"", "\"\""}) EXPECT_EQ(only(text), K::quoted) << text;
    for (const auto text : {"a", "A_1", "p1d", "P", "P1", "PT", "P1DX", "nan", "null", "abcdef01"})
        EXPECT_EQ(only(text), K::word) << text;
    for (const auto text : {"'a", "\"a", "$$a", "/* a", "@", "\xC3\xA9", "$", "!"})
        EXPECT_EQ(tokens(text)[0].first, K::bad) << text;
    EXPECT_EQ(only("?"), K::marker);
    EXPECT_EQ(only(":a"), K::marker);
    EXPECT_EQ(only(": /* c */ \"a b\""), K::marker);
}

TEST(Lexer, splits_where_the_servers_do) {
    EXPECT_THAT(tokens("n=n-1"),
                ElementsAre(Pair(K::word, "n"), Pair(K::eq, "="), Pair(K::word, "n"), Pair(K::integer, "-1")));
    EXPECT_THAT(tokens("n - 1"), ElementsAre(Pair(K::word, "n"), Pair(K::minus, "-"), Pair(K::integer, "1")));
    EXPECT_THAT(tokens("a-b"), ElementsAre(Pair(K::word, "a"), Pair(K::minus, "-"), Pair(K::word, "b")));
    EXPECT_THAT(tokens("1..2"), ElementsAre(Pair(K::integer, "1"), Pair(K::range, ".."), Pair(K::integer, "2")));
    EXPECT_THAT(tokens("1...2"), ElementsAre(Pair(K::floating, "1."), Pair(K::range, ".."), Pair(K::integer, "2")));
    EXPECT_THAT(tokens("a.b"), ElementsAre(Pair(K::word, "a"), Pair(K::dot, "."), Pair(K::word, "b")));
    EXPECT_THAT(tokens("1e"), ElementsAre(Pair(K::integer, "1"), Pair(K::word, "e")));
    EXPECT_THAT(
        tokens("a<=b!=c+=1-=2"),
        ElementsAre(Pair(K::word, "a"), Pair(K::le, "<="), Pair(K::word, "b"), Pair(K::ne, "!="), Pair(K::word, "c"),
                    Pair(K::plus_eq, "+="), Pair(K::integer, "1"), Pair(K::minus_eq, "-="), Pair(K::integer, "2")));
    EXPECT_THAT(tokens("{a: :b, :c: d, 'e'::f}"),
                ElementsAre(Pair(K::open_brace, "{"), Pair(K::word, "a"), Pair(K::colon, ":"), Pair(K::marker, ":b"),
                            Pair(K::comma, ","), Pair(K::marker, ":c"), Pair(K::colon, ":"), Pair(K::word, "d"),
                            Pair(K::comma, ","), Pair(K::string, "'e'"), Pair(K::colon, ":"), Pair(K::marker, ":f"),
                            Pair(K::close_brace, "}")));
}

TEST(Lexer, skips_comments) {
    EXPECT_THAT(tokens("-- a 'b\n// ?\r/* /* ? */ x -- end"), ElementsAre(Pair(K::word, "x")));
    EXPECT_THAT(tokens(" \t\r\n"), IsEmpty());
    EXPECT_THAT(tokens("a--1\nb"), ElementsAre(Pair(K::word, "a"), Pair(K::word, "b")));
    EXPECT_THAT(tokens("/"), ElementsAre(Pair(K::slash, "/")));
    EXPECT_THAT(tokens("/*/"), ElementsAre(Pair(K::bad, "/*/")));
}

TEST(Lexer, decodes_names_and_strings) {
    const auto decoded = [](std::string_view text) {
        Lexer lexer(text);
        Decoder decoder(text);
        return std::string(decoder.decode(lexer.next()));
    };
    EXPECT_EQ(decoded("AbC"), "abc");
    EXPECT_EQ(decoded("\"AbC\"\"d\""), "AbC\"d");
    EXPECT_EQ(decoded("'a''''b'"), "a''b");
    EXPECT_EQ(decoded("$$a''b$$"), "a''b");
    EXPECT_EQ(decoded(":Name"), "name");
    EXPECT_EQ(decoded(": \"Na\"\"me\""), "Na\"me");
    EXPECT_EQ(decoded("?"), "");
}

TEST(Lexer, copies_only_what_it_must) {
    const std::string_view text = "abc \"Abc\" 'x'";
    Lexer lexer(text);
    Decoder decoder(text);
    for (int i = 0; i < 3; ++i) {
        const auto view = decoder.decode(lexer.next());
        EXPECT_TRUE(view.data() >= text.data() && view.data() < text.data() + text.size());
    }
    EXPECT_EQ(decoder.arena(), nullptr);
}

}  // namespace

}  // namespace penumbra::cql
