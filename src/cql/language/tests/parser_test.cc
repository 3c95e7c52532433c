#include "cql/language/parser.h"

#include <gmock/gmock.h>

#include "show.h"

namespace penumbra::cql {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Case {
    std::string_view text;
    std::string_view says;
};

void expect_all(std::initializer_list<Case> cases) {
    for (const auto& c : cases) EXPECT_EQ(show(parse(c.text)), c.says) << c.text;
}

TEST(Parser, reads_inserts) {
    expect_all({
        {"INSERT INTO t (k, v) VALUES (?, ?)", "insert of t set k = ?0, v = ?1"},
        {"insert into ks.t(k,v)values(:a,:b)if not exists using ttl :c and timestamp :d;",
         "insert of ks.t set k = :a@0, v = :b@1 if_not_exists timestamp :d@3 ttl :c@2"},
        {"INSERT INTO \"Ks\".\"a\"\"b\" (K, \"V\") VALUES (1, 'it''s')", "insert of Ks.a\"b set k = 1, V = 'it's'"},
        {"INSERT INTO t (a, b, c, d, e, f, g, h) VALUES (-1, 1.5e-3, true, NULL, 0xCAFE, 1h30m, -Infinity, "
         "123e4567-e89b-12d3-a456-426614174000)",
         "insert of t set a = -1, b = floating 1.5e-3, c = boolean true, d = null, e = 0xCAFE, f = duration 1h30m, g = "
         "floating "
         "-Infinity, h = 123e4567-e89b-12d3-a456-426614174000"},
        {"INSERT INTO t (k, l, s, m, u, tu, e) VALUES (1, [1, ?], {'a'}, {'x': ?, 'y': 2}, {street: 'S', \"No\": ?}, "
         "(1, ?), {})",
         "insert of t set k = 1, l = [1, ?0], s = {'a'}, m = {'x': ?1, 'y': 2}, u = udt{street: 'S', No: ?2}, tu = (1, "
         "?3), e = {}"},
        {"INSERT INTO t (k, v) VALUES ((int)?, (frozen<list<int>>)[1])",
         "insert of t set k = (int)?0, v = (frozen<list<int>>)[1]"},
        {"INSERT INTO t (k, v) VALUES (system.now(), to_date(?) + 1d)",
         "insert of t set k = system.now(), v = (to_date(?0) + duration 1d)"},
        {"INSERT INTO t JSON ? DEFAULT UNSET IF NOT EXISTS USING TTL 5",
         "insert of t json ?0 unset if_not_exists ttl 5"},
        {"INSERT INTO t JSON '{\"k\": \"it''s\"}'", "insert of t json '{\"k\": \"it's\"}'"},
        {"INSERT INTO t JSON $${\"k\": 'x'}$$ DEFAULT NULL", "insert of t json '{\"k\": 'x'}'"},
        {"INSERT INTO t (k) VALUES (1) USING TIMEOUT 50ms", "insert of t set k = 1 timeout duration 50ms"},
        {"INSERT INTO t (k, v) VALUES (1)", "insert of t set k = 1, v = - INCOMPLETE"},
        {"INSERT INTO t (k) VALUES (1, 2)", "insert of t set k = 1 INCOMPLETE"},
    });
}

TEST(Parser, reads_updates_and_tells_what_each_assignment_does) {
    expect_all({
        {"UPDATE ks.t USING TIMESTAMP ? AND TTL 10 SET v = ? WHERE k = ?",
         "update of ks.t set v = ?1 where k = ?2 timestamp ?0 ttl 10"},
        {"UPDATE t SET n = n + 1, m=m-1, o = o - ?, p += 2, q -= ? WHERE k = 1",
         "update of t set n += 1, m += -1, o -= ?0, p += 2, q -= ?1 where k = 1"},
        {"UPDATE t SET l = l + [1], l2 = [2] + l2, \"L\" = ? + \"L\", s = s - {3} WHERE k = 1",
         "update of t set l += [1], l2 =+ [2], L =+ ?0, s -= {3} where k = 1"},
        {"UPDATE t SET m['a'] = ?, l[0] = 1, u.street = 'x', l[SCYLLA_TIMEUUID_LIST_INDEX(?)] = ? WHERE k = 1",
         "update of t set m['a'] = ?0, l[0] = 1, u.street = 'x', l[scylla_timeuuid_list_index(?1)] = ?2 where k = 1"},
        {"UPDATE t SET c = SCYLLA_COUNTER_SHARD_LIST([(103, ?, 1, 2)]) WHERE k = 1",
         "update of t set c = scylla_counter_shard_list([(103, ?0, 1, 2)]) where k = 1"},
        {"UPDATE t SET v = w + 1 WHERE k = 1", "update of t set v := (w + 1) where k = 1"},
        {"UPDATE t SET v = v + 1 + 2 WHERE k = 1", "update of t set v += (1 + 2) where k = 1"},
        {"UPDATE t SET v = 2 * 3 + 4 % ? - -x(1) WHERE k = 1",
         "update of t set v = (((2 * 3) + (4 % ?0)) - (-x(1))) where k = 1"},
        {"UPDATE t SET v = 1 WHERE k = 1 IF EXISTS", "update of t set v = 1 where k = 1 if_exists"},
        {"UPDATE t SET v = 1 WHERE k = 1 IF exists = true",
         "update of t set v = 1 where k = 1 if_columns exists = boolean true"},
        {"UPDATE t SET v = 1 WHERE k = 1 IF v = ? AND m['a'] > 2 AND u.f IN (1, ?) AND s CONTAINS 1 AND w != null AND "
         "x LIKE 'a%'",
         "update of t set v = 1 where k = 1 if_columns v = ?0 and m['a'] > 2 and u.f IN <1, ?1> and s CONTAINS 1 and w "
         "!= null and x LIKE 'a%'"},
        {"UPDATE t SET v = 1", "update of t set v = 1 INCOMPLETE"},
        // Beyond what we do not understand, the row and the condition are looked for.
        {"UPDATE t SET v ~= 1 WHERE k = ? IF v = 2", "update of t set v = - where k = ?0 if_columns v = 2 INCOMPLETE"},
        {"INSERT INTO t (k) VALUES (1) USING TTL 5 IF NOT EXISTS",
         "insert of t set k = 1 if_not_exists ttl 5 INCOMPLETE"},
    });
}

TEST(Parser, reads_deletes) {
    expect_all({
        {"DELETE FROM t WHERE k = ?", "delete of t where k = ?0"},
        {"DELETE a, m['x'], l[?], u.f FROM ks.t USING TIMESTAMP 5 WHERE k = ? AND c > 3 IF EXISTS",
         "delete a, m['x'], l[?0], u.f of ks.t where k = ?1 and c > 3 if_exists timestamp 5"},
        {"DELETE FROM t USING TIMESTAMP 1 AND TIMEOUT 1s WHERE k = 1 IF a = 1 BYPASS LARGE_DATA_GUARDRAILS",
         "delete of t where k = 1 if_columns a = 1 timestamp 1 timeout duration 1s"},
        {"DELETE FROM t", "delete of t INCOMPLETE"},
        {"DELETE a ~ b FROM t WHERE k = 1 IF v = 2", "delete a where k = 1 if_columns v = 2 INCOMPLETE"},
    });
}

TEST(Parser, reads_relations) {
    expect_all({
        {"SELECT * FROM t WHERE k IN (1, ?) AND c IN ? AND d IN () AND e NOT IN (2)",
         "select * of t where k IN <1, ?0> and c IN ?1 and d IN <> and e NOT IN <2>"},
        {"SELECT * FROM t WHERE (a, b) = (?, 2) AND (a, b) IN ((1, 2), ?) AND (c) > ? AND (d, e) IN ?",
         "select * of t where (a, b) = (?0, 2) and (a, b) IN <(1, 2), ?1> and (c) > ?2 and (d, e) IN ?3"},
        {"SELECT * FROM t WHERE token(a, b) > ? AND token(a, b) <= token(1, 'x')",
         "select * of t where token(a, b) > ?0 and token(a, b) <= token(1, 'x')"},
        {"SELECT * FROM t WHERE m CONTAINS 1 AND m CONTAINS KEY 'a' AND m NOT CONTAINS KEY 'b' AND n NOT CONTAINS 2 "
         "AND l LIKE '%x'",
         "select * of t where m CONTAINS 1 and m CONTAINS KEY 'a' and m NOT CONTAINS KEY 'b' and n NOT CONTAINS 2 and "
         "l LIKE '%x'"},
        {"SELECT * FROM t WHERE a IS NOT NULL AND b BETWEEN 1 AND ? AND c = 3",
         "select * of t where a IS NOT NULL and b BETWEEN (1, ?0) and c = 3"},
        {"SELECT * FROM t WHERE m['k'] = 1 AND u.f >= 2 AND ((k = 1)) AND c != 2",
         "select * of t where m['k'] = 1 and u.f >= 2 and k = 1 and c != 2"},
        {"SELECT * FROM t WHERE expr(idx, 'q') AND k = 1", "select * of t where other expr(idx, 'q') and k = 1"},
        {"SELECT * FROM t WHERE (a, b) >= SCYLLA_CLUSTERING_BOUND(1, 2) AND bm25(v, 'q') > 0",
         "select * of t where (a, b) >= scylla_clustering_bound(1, 2) and other bm25(v, 'q') > 0"},
        {"SELECT * FROM t WHERE k = 1 OR k = 2", "select * of t where k = 1 INCOMPLETE"},
    });
}

TEST(Parser, reads_selects) {
    expect_all({
        {"SELECT a, \"B\" AS b, writetime(c) w2 FROM t", "select a, B as b, writetime(c) of t INCOMPLETE"},
        {"SELECT a, \"B\" AS \"C\", writetime(c) AS w, CAST(d AS text), f(x, 1), m['k'], m['a'..'b'], m[..2], u.f.g, "
         "count(*), -a, (int)b FROM ks.t",
         "select aggregates a, B as C, writetime(c) as w, (text)d, f(x, 1), m['k'], m['a'..'b'], m[-..2], u.f.g, "
         "count(*), (-a), (int)b of ks.t"},
        {"SELECT JSON DISTINCT k FROM t", "select json distinct k of t"},
        {"SELECT json, distinct, key, ttl, count, timestamp, values, type, list, user FROM json",
         "select json, distinct, key, ttl, count, timestamp, values, type, list, user of json"},
        {"SELECT json FROM t", "select json of t"},
        {"SELECT json AS j FROM t", "select json as j of t"},
        {"SELECT JSON * FROM t", "select json * of t"},
        {"SELECT distinct.a FROM t", "select distinct.a of t"},
        {"SELECT COUNT(1) FROM t", "select aggregates count(1) of t"},
        {"SELECT l[1..2] FROM t", "select l[1..2] of t"},
        {"SELECT * FROM t WHERE k = 1 GROUP BY a, floor(b, 5m) ORDER BY c DESC, d ASC PER PARTITION LIMIT ? LIMIT 10 "
         "ALLOW FILTERING BYPASS "
         "CACHE USING TIMEOUT 5s;;",
         "select * of t where k = 1 timeout duration 5s group by a, floor(b, duration 5m) order by c desc, d per "
         "partition limit ?0 limit 10 "
         "allow filtering bypass cache"},
        {"SELECT * FROM t ORDER BY v ANN OF [1.0, ?] LIMIT ?",
         "select * of t order by v ann [floating 1.0, ?0] limit ?1"},
        {"SELECT * FROM MUTATION_FRAGMENTS(ks.t) WHERE k = 1", "select * fragments of ks.t where k = 1"},
        {"SELECT now()", "select now()"},
        {"SELECT token(k) FROM t WHERE k = {1: {'a': [(1, 2)]}}",
         "select token(k) of t where k = {1: {'a': [(1, 2)]}}"},
        {"SELECT * FROM t; SELECT * FROM t", "select * of t INCOMPLETE"},
        {"SELECT FROM t", "select from INCOMPLETE"},
    });
}

TEST(Parser, reads_batches) {
    expect_all({
        {"BEGIN BATCH INSERT INTO a (k) VALUES (?); UPDATE ks.b USING TIMESTAMP ? SET v = ? WHERE k = ? DELETE FROM c "
         "WHERE k = ? IF EXISTS; "
         "APPLY BATCH;",
         "batch logged | insert of a set k = ?0 | update of ks.b set v = ?2 where k = ?3 timestamp ?1 | delete of c "
         "where k = ?4 if_exists"},
        {"begin unlogged batch using timestamp 5 insert into a json '{}' apply batch",
         "batch unlogged timestamp 5 | insert of a json '{}'"},
        {"BEGIN COUNTER BATCH UPDATE c SET n = n + 1 WHERE k = 1 APPLY BATCH",
         "batch counter | update of c set n += 1 where k = 1"},
        {"BEGIN BATCH APPLY BATCH", "batch logged"},
        {"BEGIN BATCH INSERT INTO a (k) VALUES (1)", "batch logged | insert of a set k = 1 INCOMPLETE"},
        // What we do not understand of one child hides none of the others.
        {"BEGIN BATCH UPDATE a SET v ~= ? WHERE k = ?; DELETE FROM b WHERE k = ? APPLY BATCH",
         "batch logged | update of a set v = - where k = ?1 INCOMPLETE | delete of b where k = ?2 INCOMPLETE"},
        {"BEGIN BATCH SELECT * FROM t; APPLY BATCH", "batch logged | unknown INCOMPLETE INCOMPLETE"},
    });
    const auto batch =
        parse("BEGIN BATCH INSERT INTO a (k) VALUES (:x); DELETE FROM b WHERE k = :y AND c = now() APPLY BATCH");
    ASSERT_EQ(batch.children.size(), 2);
    EXPECT_EQ(batch.children[1].first_marker, 1);
    EXPECT_EQ(batch.children[1].marker_count, 1);
    EXPECT_THAT(batch.children[1].marker_names, ElementsAre("y"));
    EXPECT_THAT(batch.marker_names, ElementsAre("x", "y"));
    EXPECT_THAT(batch.children[0].volatiles, IsEmpty());
    ASSERT_EQ(batch.children[1].volatiles.size(), 1);
    EXPECT_EQ(batch.children[1].volatiles[0].markers_before, 2);
    EXPECT_EQ(batch.volatiles.size(), 1);
    EXPECT_EQ(batch.children[1].range.in(batch.text), "DELETE FROM b WHERE k = :y AND c = now()");
}

TEST(Parser, reads_the_rest) {
    expect_all({
        {"TRUNCATE ks.t", "truncate of ks.t"},
        {"TRUNCATE TABLE t USING TIMEOUT 5s", "truncate of t timeout duration 5s"},
        {"USE \"Ks\";", "use keyspace Ks"},
        {"USE KS", "use keyspace ks"},
        {"CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'X', 'n': 1} AND durable_writes = true",
         "schema_change create keyspace if not exists ks with replication = {'class': 'X', 'n': 1} and durable_writes "
         "= boolean true"},
        {"CREATE TABLE ks.t (k int, c frozen<map<int, text>>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) "
         "AND COMPACT STORAGE AND comment = 'x'",
         "schema_change create table ks.t with clustering order by and compact storage and comment = 'x' of ks.t"},
        {"CREATE TABLE a LIKE ks.b WITH INDEXES", "schema_change create table a like ks.b with indexes of a"},
        {"CREATE CUSTOM INDEX IF NOT EXISTS i ON ks.t (values(v)) USING 'sai' WITH OPTIONS = {'a': 'b'}",
         "schema_change create index if not exists i with options = {'a': 'b'} of ks.t"},
        {"CREATE INDEX ON t ((k), v)", "schema_change create index of t"},
        {"CREATE MATERIALIZED VIEW v AS SELECT a, b FROM ks.t WHERE a IS NOT NULL PRIMARY KEY (a) WITH comment = 'c'",
         "schema_change create materialized_view v with comment = 'c' of ks.t"},
        {"CREATE OR REPLACE FUNCTION ks.now(x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$ return x; // "
         "'now' $$",
         "schema_change create or replace function ks.now"},
        {"CREATE AGGREGATE a (int) SFUNC f STYPE int INITCOND 0", "schema_change create aggregate a"},
        {"CREATE TYPE IF NOT EXISTS u (a int, b text)", "schema_change create type if not exists u"},
        {"CREATE TRIGGER x ON ks.t USING 'c'", "schema_change create trigger x of ks.t"},
        {"ALTER TABLE IF EXISTS t ADD v int", "schema_change alter table if exists t of t"},
        {"ALTER TABLE t WITH gc_grace_seconds = 5", "schema_change alter table t with gc_grace_seconds = 5 of t"},
        {"ALTER TYPE ks.u RENAME a TO b", "schema_change alter type ks.u"},
        {"DROP TABLE IF EXISTS ks.t", "schema_change drop table if exists ks.t of ks.t"},
        {"DROP INDEX ks.i", "schema_change drop index ks.i"},
        {"DROP FUNCTION IF EXISTS f(int, text)", "schema_change drop function if exists f"},
        {"DROP SCHEMA ks", "schema_change drop keyspace ks"},
        {"DROP TRIGGER x ON t", "schema_change drop trigger x of t"},
        {"CREATE SOMETHING new", "schema_change create unknown INCOMPLETE"},
        {"CREATE ROLE r WITH PASSWORD = 'x'", "access_control"},
        {"DROP IDENTITY 'x'", "access_control"},
        {"ADD IDENTITY 'x' TO ROLE r", "access_control"},
        {"GRANT SELECT ON ks.t TO r", "access_control of ks.t"},
        {"GRANT ALL PERMISSIONS ON TABLE t TO r", "access_control of t"},
        {"REVOKE ALL ON KEYSPACE ks FROM r", "access_control"},
        {"GRANT EXECUTE ON FUNCTION ks.f(int) TO r", "access_control of ks.f"},
        {"GRANT a TO b", "access_control"},
        {"LIST ALL PERMISSIONS ON t OF r", "list of t"},
        {"LIST ROLES OF r NORECURSIVE", "list"},
        {"CREATE SERVICE LEVEL sl WITH timeout = 5s", "service_level"},
        {"ATTACH SERVICE LEVEL sl TO r", "service_level"},
        {"LIST ALL SERVICE LEVELS", "list"},
        {"DESCRIBE TABLE ks.t WITH INTERNALS", "describe of ks.t"},
        {"DESC KEYSPACES", "describe"},
        {"DESCRIBE TABLES", "describe needs keyspace"},
        {"DESCRIBE KEYSPACE ks", "describe"},
        {"DESCRIBE ks.t", "describe of ks.t"},
        {"PRUNE MATERIALIZED VIEW ks.v WHERE k = 1", "prune of ks.v where k = 1"},
        {"BEGIN TRANSACTION SELECT * FROM t; COMMIT TRANSACTION", "unknown INCOMPLETE"},
        {"EXPLODE ?", "unknown INCOMPLETE"},
        {"", "unknown INCOMPLETE"},
        {" -- only a comment", "unknown INCOMPLETE"},
        {"/* SELECT */ // x\n sElEcT * FROM t -- end", "select * of t"},
    });
}

TEST(Parser, says_what_access_a_statement_needs_even_if_it_does_not_understand_it) {
    EXPECT_EQ(parse("SELECT some thing new FROM t").access(), Access::read);
    EXPECT_EQ(parse("LIST ROLES").access(), Access::read);
    EXPECT_EQ(parse("UPDATE t FROBNICATE v").access(), Access::write);
    EXPECT_EQ(parse("BEGIN TRANSACTION UPDATE").access(), Access::write);
    EXPECT_EQ(parse("FROBNICATE t").access(), Access::write);
    EXPECT_EQ(parse("USE ks").access(), Access::connection);
    EXPECT_EQ(parse("").access(), Access::read);
    EXPECT_EQ(parse("(SELECT 1)").access(), Access::read);
}

TEST(Parser, knows_where_the_table_name_stands) {
    const auto s = parse("UPDATE /* x */ \"Ks\" . T SET v = 1 WHERE k = 1");
    EXPECT_EQ(s.table.range.in(s.text), "\"Ks\" . T");
    EXPECT_EQ(s.table.keyspace, "Ks");
    EXPECT_EQ(s.table.name, "t");
    EXPECT_EQ(s.verb, "UPDATE");
}

TEST(Parser, counts_markers_wherever_they_stand) {
    struct {
        std::string_view text;
        std::uint32_t count;
    } const cases[] = {
        {"SELECT * FROM t WHERE a = ? AND b = '?' AND c = \"?\" AND d = $$?$$ /* ? */ -- ?\n AND e = ?", 2},
        {"INSERT INTO t (m) VALUES ({:k : :v, :k2: :v2})", 4},
        {"INSERT INTO t (m) VALUES ({'a'::v, 'b':f(:w)})", 2},
        {"INSERT INTO t (m) VALUES ({a: {b: :x}, c: (int):y})", 2},
        {"INSERT INTO t (m) VALUES ({(int):x: 1, (frozen<map<int, ks.u>>) :y : 2, (1): 3, (null): 4, f(?): 5, (:z):6})",
         4},
        {"SELECT * FROM t WHERE a = :\"A b\" LIMIT : x", 2},
        {"SELECT something (? new ? FROM t WHERE a = :b", 3},
        {"BEGIN BATCH WHATEVER ? ; INSERT INTO t (a) VALUES (?) APPLY BATCH", 2},
    };
    for (const auto& c : cases) EXPECT_EQ(parse(c.text).marker_count, c.count) << c.text;
    EXPECT_THAT(parse("SELECT * FROM t WHERE a = :\"A b\" AND b = :Xyz AND c = ?").marker_names,
                ElementsAre("A b", "xyz", ""));
    EXPECT_THAT(parse("SELECT * FROM t WHERE a = ?").marker_names, IsEmpty());
}

struct Found {
    VolatileKind kind;
    std::string text;
    std::uint32_t markers_before;
    bool operator==(const Found&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Found& f) {
    return out << to_string(f.kind) << " " << f.text << " after " << f.markers_before;
}

std::vector<Found> volatiles(const Statement& s) {
    std::vector<Found> out;
    for (const auto& v : s.volatiles) out.push_back({v.kind, std::string(v.range.in(s.text)), v.markers_before});
    return out;
}

TEST(Parser, finds_what_is_volatile_wherever_it_stands) {
    using K = VolatileKind;
    const struct {
        std::string_view text;
        std::vector<Found> found;
    } cases[] = {
        {"INSERT INTO t (a, b) VALUES (?, now())", {{K::now, "now()", 1}}},
        {"INSERT INTO t (a, b) VALUES (system.now ( ), \"now\"())",
         {{K::now, "system.now ( )", 0}, {K::now, "\"now\"()", 0}}},
        {"INSERT INTO t (a) VALUES (\"system\" . /* x */ UUID())", {{K::uuid, "\"system\" . /* x */ UUID()", 0}}},
        {"INSERT INTO t (a) VALUES (\"NOW\"())", {{K::user_function, "\"NOW\"()", 0}}},
        {"INSERT INTO t (a) VALUES (ks.now())", {{K::user_function, "ks.now()", 0}}},
        {"INSERT INTO t (a, b, c) VALUES (toDate(now()), minTimeuuid(currentTimestamp()), current_date())",
         {{K::now, "now()", 0},
          {K::current_timestamp, "currentTimestamp()", 0},
          {K::current_date, "current_date()", 0}}},
        {"UPDATE t SET l = [?, uuid()], m = {now(): {?, current_time()}}, u = {f: currentTimeUUID()}, x = "
         "(timeuuid)now() WHERE k = ?",
         {{K::uuid, "uuid()", 1},
          {K::now, "now()", 1},
          {K::current_time, "current_time()", 2},
          {K::current_timeuuid, "currentTimeUUID()", 2},
          {K::now, "now()", 2}}},
        {"UPDATE t SET a = 1 WHERE k = ? AND c > currentTimestamp() - 1d IF v = current_timeuuid()",
         {{K::current_timestamp, "currentTimestamp()", 1}, {K::current_timeuuid, "current_timeuuid()", 1}}},
        {"DELETE m[now()] FROM t WHERE k IN (uuid(), ?)", {{K::now, "now()", 0}, {K::uuid, "uuid()", 0}}},
        {"INSERT INTO t (a, b) VALUES ('NoW', $$now$$)", {{K::now_string, "'NoW'", 0}, {K::now_string, "$$now$$", 0}}},
        {"INSERT INTO t (a, b) VALUES (' now', 'nowhere')", {}},
        {"INSERT INTO t JSON '{\"a\": \"NOW\"}'", {{K::now_in_json, "'{\"a\": \"NOW\"}'", 0}}},
        {"INSERT INTO t (a) VALUES (fromJson('\"n\\u006fw\"'))", {{K::now_in_json, "'\"n\\u006fw\"'", 0}}},
        {"INSERT INTO t (a) VALUES ('\"now\"')", {}},
        {"INSERT INTO t (a) VALUES (my_udf(?, now()))",
         {{K::user_function, "my_udf(?, now())", 0}, {K::now, "now()", 1}}},
        {"INSERT INTO t (a) VALUES (ks.f(intAsBlob(1), blobAsText(0x00)))",
         {{K::user_function, "ks.f(intAsBlob(1), blobAsText(0x00))", 0}}},
        {"INSERT INTO t (uuid, now) VALUES (1, 2)", {}},
        {"INSERT INTO now (a) VALUES (\"uuid\")", {}},
        {"INSERT INTO t (a) VALUES (now)", {}},
        {"CREATE FUNCTION now() RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE lua AS 'now'", {}},
        {"NEWVERB now()", {{K::now, "now()", 0}}},
    };
    for (const auto& c : cases) EXPECT_EQ(volatiles(parse(c.text)), c.found) << c.text;
}

TEST(Parser, keeps_deep_and_long_texts_within_bounds) {
    const auto repeat = [](std::string_view s, std::size_t n) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += s;
        return out;
    };
    constexpr std::size_t n = 60'000;
    const std::string nests[][2] = {{"(", ")"},    {"[", "]"},  {"{1:", "}"}, {"f(", ")"},
                                    {"(int)", ""}, {"a[", "]"}, {"- ", ""}};
    for (const auto& [open, close] : nests) {
        const auto text = "INSERT INTO t (k, v, w) VALUES (?, " + repeat(open, n) + "now()" + repeat(close, n) + ", ?)";
        const auto s = parse(text);
        EXPECT_EQ(s.kind, StatementKind::insert);
        EXPECT_EQ(s.table.name, "t");
        EXPECT_FALSE(s.complete) << open;
        EXPECT_EQ(s.marker_count, 2) << open;
        EXPECT_EQ(show(s.assignments.at(0).value), "?0");
        for (const std::string before : {"SELECT * FROM t WHERE ", "SELECT ", "UPDATE t SET v = "}) {
            EXPECT_FALSE(OwnedStatement(before + repeat(open, n))->complete);
        }
    }
    for (const std::string chain : {"+1", "*1", ".a", "[1]", "||1", " AND a=1", " , 1", ";", ";;x"}) {
        const auto text = "UPDATE t SET v = v " + repeat(chain, n);
        const auto s = parse(text);
        EXPECT_EQ(s.kind, StatementKind::update);
        EXPECT_EQ(s.table.name, "t");
    }
    const OwnedStatement many("SELECT * FROM t WHERE k IN (" + repeat("?,", 1'000'000) + "?)");
    EXPECT_FALSE(many->complete);
    EXPECT_EQ(many->marker_count, 1'000'001);
    const OwnedStatement batch("BEGIN BATCH " + repeat("DELETE FROM t WHERE k=?;", 100'000) + "APPLY BATCH");
    EXPECT_EQ(batch->kind, StatementKind::batch);
    EXPECT_FALSE(batch->complete);
    EXPECT_EQ(batch->marker_count, 100'000);
    const OwnedStatement fine("SELECT * FROM t WHERE k IN (" + repeat("?,", 50'000) + "?)");
    EXPECT_TRUE(fine->complete);
}

TEST(OwnedStatement, survives_copies_and_moves) {
    OwnedStatement first("UPDATE Ks.T SET V = 'it''s' WHERE K = :Name");
    OwnedStatement copy = first;
    first = OwnedStatement("USE x");
    const auto moved = std::move(copy);
    EXPECT_EQ(show(*moved), "update of ks.t set v = 'it's' where k = :name@0");
}

}  // namespace

}  // namespace penumbra::cql
