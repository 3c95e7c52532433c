#include "cql/language/statement.h"

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "show.h"

namespace penumbra::cql {

namespace {

std::string value(std::string_view text, std::string_view column) {
    const auto s = parse(text);
    const auto* term = s.value_of(column);
    return term ? show(*term) : "nothing";
}

TEST(Statement, finds_the_value_that_a_column_has_in_the_row) {
    EXPECT_EQ(value("INSERT INTO t (a, b) VALUES (?, 5)", "b"), "5");
    EXPECT_EQ(value("INSERT INTO t (a, b) VALUES (?, 5)", "c"), "nothing");
    EXPECT_EQ(value("SELECT * FROM t WHERE a = ? AND b > 3", "a"), "?0");
    EXPECT_EQ(value("SELECT * FROM t WHERE a = ? AND b > 3", "b"), "nothing");
    EXPECT_EQ(value("SELECT * FROM t WHERE (a, b) = (?, 2)", "b"), "2");
    EXPECT_EQ(value("SELECT * FROM t WHERE (a, b) = ?", "b"), "nothing");
    EXPECT_EQ(value("SELECT * FROM t WHERE a IN (?)", "a"), "?0");
    EXPECT_EQ(value("SELECT * FROM t WHERE a IN (?, ?)", "a"), "nothing");
    EXPECT_EQ(value("SELECT * FROM t WHERE a IN ?", "a"), "nothing");
    EXPECT_EQ(value("SELECT * FROM t WHERE a = 1 AND a = 2", "a"), "nothing");
    EXPECT_EQ(value("UPDATE t SET v = 1, n = n + 2 WHERE a = ?", "v"), "1");
    EXPECT_EQ(value("UPDATE t SET v = 1, n = n + 2 WHERE a = ?", "n"), "nothing");
    EXPECT_EQ(value("UPDATE t SET v = 1 WHERE m['a'] = 1", "m"), "nothing");
    // What was not understood must not change what the row is.
    EXPECT_EQ(value("SELECT a new thing FROM t WHERE k = ? LIMIT 1", "k"), "?0");
    EXPECT_EQ(value("UPDATE t SET v ~= 1 WHERE k = ?", "k"), "?0");
    EXPECT_EQ(value("INSERT INTO t (k) VALUES (?) WITH new THING", "k"), "?0");
    EXPECT_EQ(value("SELECT * FROM t WHERE k = 1 OR k = 2", "k"), "nothing");
    EXPECT_EQ(value("DELETE FROM t WHERE k = 1 ^ 2", "k"), "nothing");
    EXPECT_EQ(value("INSERT INTO t (k, c) VALUES (1 ^ 2, 3)", "k"), "nothing");
    EXPECT_EQ(value("UPDATE t SET v = 1 ^ 2 WHERE k = 3", "v"), "nothing");
}

TEST(Statement, finds_the_column_that_a_literal_belongs_to) {
    for (const std::string_view text :
         {"INSERT INTO t (k, x) VALUES (1, 'now')", "UPDATE t SET y = 1, x = ['now'] WHERE k = 1",
          "UPDATE t SET x['now'] = 1 WHERE k = 1", "DELETE FROM t WHERE k = 1 AND x IN ('a', 'now')",
          "DELETE x['now'] FROM t WHERE k = 1", "DELETE FROM t WHERE k = 1 IF x = 'now'",
          "SELECT * FROM t WHERE (k, x) = (1, 'now')", "SELECT * FROM t WHERE (k, x) IN ((1, 'a'), (2, 'now'))",
          "BEGIN BATCH INSERT INTO a (k) VALUES (1); UPDATE t SET x = 'now' WHERE k = 1 APPLY BATCH"}) {
        const auto s = parse(text);
        ASSERT_EQ(s.volatiles.size(), 1) << text;
        EXPECT_EQ(s.column_at(s.volatiles[0].range), "x") << text;
    }
}

TEST(Statement, knows_conditions_of_children) {
    EXPECT_TRUE(parse("BEGIN BATCH INSERT INTO a (k) VALUES (1); DELETE FROM t WHERE k = 1 IF EXISTS APPLY BATCH")
                    .conditional());
    EXPECT_FALSE(parse("BEGIN BATCH INSERT INTO a (k) VALUES (1) APPLY BATCH").conditional());
    EXPECT_TRUE(parse("UPDATE t SET v = 1 WHERE k = 1 IF v = 2").conditional());
}

TEST(Statement, gives_the_parts_to_route) {
    const auto batch = parse("BEGIN BATCH INSERT INTO a (k) VALUES (1); DELETE FROM t WHERE k = 1 APPLY BATCH");
    EXPECT_EQ(batch.parts().size(), 2);
    const auto one = parse("USE x");
    EXPECT_EQ(one.parts().data(), &one);
}

TEST(Statement, knows_which_columns_it_changes) {
    EXPECT_TRUE(parse("UPDATE t SET l = l + [1] WHERE k = 1").assigns("l"));
    EXPECT_TRUE(parse("DELETE l[0] FROM t WHERE k = 1").assigns("l"));
    EXPECT_FALSE(parse("DELETE FROM t WHERE k = 1").assigns("k"));
    const auto s = parse("SELECT * FROM t WHERE token(k) > 1 AND k = 2");
    EXPECT_EQ(show(*s.restriction_on("k")), "k = 2");
    EXPECT_EQ(s.restriction_on("v"), nullptr);
}

}  // namespace

}  // namespace penumbra::cql
