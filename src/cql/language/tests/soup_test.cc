// Random token soup: nothing may crash, and what does not depend on a grammar stays right.

#include <random>

#include <gtest/gtest.h>

#include "cql/language/lexer.h"
#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "show.h"

namespace penumbra::cql {

namespace {

constexpr std::string_view kPieces[] = {
    "SELECT",
    "INSERT",
    "INTO",
    "UPDATE",
    "DELETE",
    "BEGIN",
    "BATCH",
    "APPLY",
    "FROM",
    "WHERE",
    "SET",
    "VALUES",
    "USING",
    "TIMESTAMP",
    "TTL",
    "AND",
    "IF",
    "NOT",
    "EXISTS",
    "IN",
    "CONTAINS",
    "KEY",
    "LIMIT",
    "ORDER",
    "BY",
    "ANN",
    "OF",
    "JSON",
    "DISTINCT",
    "AS",
    "CAST",
    "TOKEN",
    "CREATE",
    "TABLE",
    "INDEX",
    "ON",
    "WITH",
    "ALTER",
    "DROP",
    "USE",
    "TRUNCATE",
    "GRANT",
    "LIST",
    "DESCRIBE",
    "PRUNE",
    "MATERIALIZED",
    "VIEW",
    "now",
    "uuid",
    "system",
    "null",
    "true",
    "t",
    "K",
    "\"Q q\"",
    "\"\"",
    "'s'",
    "'it''s'",
    "'now'",
    "$$x$$",
    "1",
    "-1",
    "1.5",
    "0xff",
    "1h",
    "P1D",
    "123e4567-e89b-12d3-a456-426614174000",
    "?",
    ":a",
    ":\"B\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ".",
    "..",
    ":",
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "+=",
    "-=",
    "'open",
    "\"open",
    "/*",
    "--",
    "@",
    "\xC3\xA9",
    "now()",
    "f(",
    "k = ",
    "t SET v = ",
};

TEST(Soup, never_crashes_and_keeps_count) {
    std::mt19937 random(20261122);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    for (int round = 0; round < 20'000; ++round) {
        std::string text(kPieces[below(52)]);
        for (std::size_t i = below(40); i > 0; --i) {
            if (below(4) != 0) text += ' ';
            text += kPieces[below(std::size(kPieces))];
        }
        const auto s = parse(text);
        SCOPED_TRACE(text);
        std::uint32_t markers = 0;
        Lexer lexer(text);
        for (auto token = lexer.next(); token.kind != TokenKind::end; token = lexer.next())
            markers += token.kind == TokenKind::marker;
        ASSERT_EQ(s.marker_count, markers);
        ASSERT_LE(s.range.end, text.size());
        std::uint32_t last = 0;
        for (const auto& v : s.volatiles) {
            ASSERT_LE(last, v.range.begin);
            ASSERT_LT(v.range.begin, v.range.end);
            ASSERT_LE(v.range.end, text.size());
            ASSERT_LE(v.markers_before, markers);
            last = v.range.begin;
        }
        std::uint32_t in_children = 0;
        for (const auto& child : s.children) {
            ASSERT_EQ(child.first_marker + child.marker_count <= markers, true);
            in_children += child.marker_count;
        }
        ASSERT_LE(in_children, markers);
        show(s);
        shape(text);
        const OwnedStatement qualified(qualify(s, "ks"));
        ASSERT_EQ(qualified->kind, s.kind);
        ASSERT_EQ(qualified->marker_count, s.marker_count);
    }
}

}  // namespace

}  // namespace penumbra::cql
