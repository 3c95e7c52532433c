#include "cql/language/rewrite.h"

#include <numeric>

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "show.h"

namespace penumbra::cql {

namespace {

TEST(Rewrite, qualifies_every_name_that_needs_a_keyspace) {
    const struct {
        std::string_view text, qualified;
    } cases[] = {
        {"SELECT * FROM t WHERE a = 1", "SELECT * FROM ks.t WHERE a = 1"},
        {"INSERT INTO \"T\" (a) VALUES (1)", "INSERT INTO ks.\"T\" (a) VALUES (1)"},
        {"BEGIN BATCH INSERT INTO a (k) VALUES (?) UPDATE o.b SET v = 1 WHERE k = 1; DELETE FROM c WHERE k = 1; APPLY "
         "BATCH",
         "BEGIN BATCH INSERT INTO ks.a (k) VALUES (?) UPDATE o.b SET v = 1 WHERE k = 1; DELETE FROM ks.c WHERE k = 1; "
         "APPLY BATCH"},
        {"CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)", "CREATE TABLE IF NOT EXISTS ks.t (k int PRIMARY KEY)"},
        {"CREATE TABLE a LIKE b", "CREATE TABLE ks.a LIKE ks.b"},
        {"CREATE INDEX i ON t (v)", "CREATE INDEX i ON ks.t (v)"},
        {"DROP INDEX i", "DROP INDEX ks.i"},
        {"CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE k IS NOT NULL PRIMARY KEY (k)",
         "CREATE MATERIALIZED VIEW ks.v AS SELECT * FROM ks.t WHERE k IS NOT NULL PRIMARY KEY (k)"},
        {"DROP TRIGGER x ON t", "DROP TRIGGER x ON ks.t"},
        {"CREATE TYPE u (a int)", "CREATE TYPE ks.u (a int)"},
        {"GRANT SELECT ON t TO r", "GRANT SELECT ON ks.t TO r"},
        {"TRUNCATE t", "TRUNCATE ks.t"},
        {"DESCRIBE TABLE t", "DESCRIBE TABLE ks.t"},
    };
    for (const auto& c : cases) {
        const auto s = parse(c.text);
        EXPECT_FALSE(fully_qualified(s)) << c.text;
        const auto text = qualify(s, "ks");
        EXPECT_EQ(text, c.qualified);
        EXPECT_TRUE(fully_qualified(parse(text))) << text;
        EXPECT_EQ(qualify(parse(text), "other"), text);
    }
    EXPECT_EQ(qualify(parse("SELECT * FROM\"t\""), "ks"), "SELECT * FROM ks.\"t\"");
    EXPECT_EQ(qualify(parse("SELECT * FROM t"), "Ks"), "SELECT * FROM \"Ks\".t");
    for (const std::string_view text : {"USE x", "CREATE KEYSPACE x WITH a = 1", "DROP KEYSPACE x", "CREATE ROLE r",
                                        "LIST ROLES", "DESCRIBE KEYSPACES"})
        EXPECT_TRUE(fully_qualified(parse(text))) << text;
    for (const std::string_view text : {"DESCRIBE TABLES", "DESCRIBE x", "WHATEVER x", ""})
        EXPECT_FALSE(fully_qualified(parse(text))) << text;
}

std::string with_all_markers(std::string_view text, std::vector<std::uint32_t>* ordinals = nullptr) {
    const auto s = parse(text);
    std::vector<std::size_t> all(s.volatiles.size());
    std::iota(all.begin(), all.end(), 0);
    const auto result = with_markers(s, all);
    const auto again = parse(result.text);
    EXPECT_EQ(again.marker_count, s.marker_count + all.size()) << result.text;
    EXPECT_TRUE(again.volatiles.empty()) << result.text;
    EXPECT_EQ(again.complete, s.complete) << result.text;
    for (const auto& a : result.added) {
        if (ordinals) ordinals->push_back(a.ordinal);
        EXPECT_EQ(a.name.empty() ? "" : again.marker_names.at(a.ordinal), a.name) << result.text;
    }
    return result.text;
}

TEST(Rewrite, turns_volatiles_into_markers) {
    std::vector<std::uint32_t> ordinals;
    EXPECT_EQ(with_all_markers("INSERT INTO t (a, b, c, d) VALUES (?, now(), ?, toDate(now()))", &ordinals),
              "INSERT INTO t (a, b, c, d) VALUES (?, (timeuuid)?, ?, toDate((timeuuid)?))");
    EXPECT_EQ(ordinals, (std::vector<std::uint32_t>{1, 3}));
    EXPECT_EQ(with_all_markers("UPDATE t SET v = currentTimestamp() - 1d WHERE k = uuid()"),
              "UPDATE t SET v = (timestamp)? - 1d WHERE k = (uuid)?");
    EXPECT_EQ(with_all_markers("INSERT INTO t (a) VALUES ('now')"), "INSERT INTO t (a) VALUES (?)");
    EXPECT_EQ(with_all_markers("INSERT INTO t (a, b) VALUES (:a, now())"),
              "INSERT INTO t (a, b) VALUES (:a, (timeuuid):penumbra_0)");
    EXPECT_EQ(with_all_markers("INSERT INTO t (a, b) VALUES (:penumbra_0, {now() : now(), toDate(now()): :x})"),
              "INSERT INTO t (a, b) VALUES (:penumbra_0, {(timeuuid):penumbra_1 : (timeuuid):penumbra_2, "
              "toDate((timeuuid):penumbra_3): :x})");
    EXPECT_EQ(with_all_markers("INSERT INTO t (s) VALUES ({:a, now(), :b})"),
              "INSERT INTO t (s) VALUES ({:a, (timeuuid):penumbra_0, :b})");
    EXPECT_EQ(with_all_markers("INSERT INTO t (m) VALUES ({now(): 1})"), "INSERT INTO t (m) VALUES ({(timeuuid)?: 1})");
    EXPECT_EQ(with_all_markers(
                  "BEGIN BATCH INSERT INTO t (a, b) VALUES (?, uuid()); DELETE FROM t WHERE a = now() APPLY BATCH"),
              "BEGIN BATCH INSERT INTO t (a, b) VALUES (?, (uuid)?); DELETE FROM t WHERE a = (timeuuid)? APPLY BATCH");
}

TEST(Rewrite, counts_markers_by_occurrence) {
    EXPECT_EQ(with_positional_markers("UPDATE t SET v=:x,w=:\"X y\" WHERE k=:x AND m[:x]=(int):x -- :z\n"),
              "UPDATE t SET v=?,w=? WHERE k=? AND m[?]=(int)? -- :z\n");
    EXPECT_EQ(with_positional_markers("INSERT INTO t (k, v) VALUES (?, {'a':1, ':x':'?'})"),
              "INSERT INTO t (k, v) VALUES (?, {'a':1, ':x':'?'})");
}

TEST(Rewrite, replaces_by_literals) {
    const auto s = parse("INSERT INTO t (a, b) VALUES (now(), uuid())");
    const Replacement replacements[] = {{s.volatiles[0].range, "50554d6e-29bb-11e5-b345-feff819cdc9f"},
                                        {s.volatiles[1].range, "null"}};
    EXPECT_EQ(replace(s.text, replacements),
              "INSERT INTO t (a, b) VALUES (50554d6e-29bb-11e5-b345-feff819cdc9f, null)");
}

TEST(Rewrite, keeps_tokens_apart) {
    const auto replaced = [](std::string_view text, std::string_view with) {
        const auto s = parse(text);
        const Replacement replacements[] = {{s.volatiles.at(0).range, with}};
        return replace(s.text, replacements);
    };
    EXPECT_EQ(replaced("DELETE FROM t WHERE k =now()AND c = 1", "5"), "DELETE FROM t WHERE k =5 AND c = 1");
    EXPECT_EQ(replaced("UPDATE t SET v = 3 -now() WHERE k = 1", "-5"), "UPDATE t SET v = 3 - -5 WHERE k = 1");
    EXPECT_EQ(replaced("DELETE FROM t WHERE k = :x AND c=now()AND d = 1", ":y"),
              "DELETE FROM t WHERE k = :x AND c=:y AND d = 1");
}

TEST(Rewrite, quotes_what_needs_it) {
    EXPECT_EQ(identifier("abc_1"), "abc_1");
    EXPECT_EQ(identifier("Abc"), "\"Abc\"");
    EXPECT_EQ(identifier("select"), "\"select\"");
    EXPECT_EQ(identifier("1a"), "\"1a\"");
    EXPECT_EQ(identifier("a\"b"), "\"a\"\"b\"");
    EXPECT_EQ(string_literal("it's"), "'it''s'");
}

TEST(Rewrite, finds_now_in_json) {
    EXPECT_TRUE(json_has_now(R"({"a": "now"})"));
    EXPECT_TRUE(json_has_now(R"(["x", "NOW"])"));
    EXPECT_TRUE(json_has_now(R"("n\u006Fw")"));
    EXPECT_FALSE(json_has_now(R"({"a": "nowhere", "b": " now", "c": "no\w", "d": now, "e": "\"now"})"));
    EXPECT_FALSE(json_has_now(R"(["now)"));
    EXPECT_FALSE(json_has_now(""));
}

TEST(Rewrite, gives_shapes_without_values) {
    EXPECT_EQ(shape("INSERT  INTO Ks.T (a, b) VALUES ('secret', 5) -- x\n USING TTL 5;"),
              "insert into ks.t (a, b) values (?) using ttl ?;");
    EXPECT_EQ(shape("SELECT * FROM t WHERE k IN (1, 2, 3) AND m = {'a': 1}"),
              "select * from t where k in (?) and m = {?: ?}");
    EXPECT_EQ(shape("SELECT * FROM t WHERE k = 'unclosed secret"), "select * from t where k = #");
    EXPECT_EQ(shape("SELECT \"Q\" FROM t", 8), "select \"Q\" ...");
    EXPECT_EQ(shape(""), "");
}

}  // namespace

}  // namespace penumbra::cql
