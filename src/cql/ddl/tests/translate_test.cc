#include "cql/ddl/translate.h"

#include <gmock/gmock.h>

#include "cql/language/parser.h"

namespace penumbra::cql::ddl {

namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Dialect kScylla = Dialect::scylladb();
const Dialect k311 = Dialect::cassandra(3, 11);
const Dialect k40 = Dialect::cassandra(4, 0);
const Dialect k41 = Dialect::cassandra(4, 1);
const Dialect k50 = Dialect::cassandra(5, 0);

/// The steps, joined; each with a `~` in front whose refusal may be fine. "REFUSED: why" when there are none to send.
std::string says(std::string_view text, const Dialect& to, const Options& options = {}) {
    const auto t = translate(text, to, options);
    if (t.refused()) return "REFUSED: " + t.refusal;
    std::string out;
    for (const auto& step : t.steps) {
        if (!out.empty()) out += " | ";
        out += (step.refusal_may_be_fine ? "~" : "") + step.text;
        // A fixed point: what it says needs no translation, and parses.
        EXPECT_TRUE(parse(std::string_view(step.text)).complete) << step.text;
        auto again_options = options;
        again_options.datacenters.clear();
        const auto again = translate(step.text, to, again_options);
        EXPECT_FALSE(again.refused()) << step.text;
        EXPECT_THAT(again.changes, IsEmpty()) << step.text << ": " << again.changes[0].what;
        EXPECT_THAT(again.steps, SizeIs(1)) << step.text;
        if (!again.steps.empty()) {
            EXPECT_EQ(again.steps[0].text, step.text);
        }
    }
    // Whatever differs is reported.
    const bool same = t.steps.size() == 1 && t.steps[0].text == text;
    EXPECT_EQ(same, t.changes.empty()) << text;
    for (const auto& change : t.changes) EXPECT_FALSE(change.what.empty() || change.why.empty()) << text;
    return out;
}

struct Case {
    Dialect to;
    std::string_view text;
    std::string_view says;  ///< "=": as it is
};

void expect_all(std::initializer_list<Case> cases) {
    for (const auto& c : cases)
        EXPECT_EQ(says(c.text, c.to), c.says == "=" ? c.text : c.says) << c.text << " for " << to_string(c.to);
}

TEST(Dialect, is_read_from_what_a_cluster_says) {
    EXPECT_EQ(Dialect::of(false, "4.1.9"), k41);
    EXPECT_EQ(Dialect::of(false, "5.0-beta1"), k50);
    EXPECT_EQ(Dialect::of(true, "3.0.8"), kScylla);
    EXPECT_EQ(Dialect::of(false, "nonsense"), k311);
    EXPECT_EQ(Dialect::of(false, ""), k311);
    EXPECT_TRUE(k50.cassandra_since(4, 1));
    EXPECT_FALSE(k40.cassandra_since(4, 1));
    EXPECT_FALSE(kScylla.cassandra_since(3, 0));
}

// Each verdict of the servers that the recordings and docs/schema-translation.md have.
TEST(Translate, table_options) {
    const std::string t = "CREATE TABLE t (k int PRIMARY KEY) WITH ";
    const std::string bare = "CREATE TABLE t (k int PRIMARY KEY)";
    struct Option {
        Dialect to;
        std::string_view option;
        std::string_view becomes;  ///< "": left out. "=": as it is
    };
    for (const auto& [to, option, becomes] : std::initializer_list<Option>{
             {kScylla, "comment = 'x'", "="},
             {kScylla, "gc_grace_seconds = 5", "="},
             {kScylla, "crc_check_chance = 0.5", "="},
             {kScylla, "read_repair = 'NONE'", ""},
             {kScylla, "additional_write_policy = '99p'", ""},
             {kScylla, "memtable = 'default'", ""},
             {kScylla, "extensions = {}", ""},
             {kScylla, "allow_auto_snapshot = true", ""},
             {kScylla, "incremental_backups = true", ""},
             {kScylla, "nodesync = {'enabled': 'true'}", ""},
             {kScylla, "read_repair_chance = 0.1", "="},
             {kScylla, "tombstone_gc = {'mode': 'timeout'}", "="},
             {kScylla, "id = 5a1c395e-b41f-11e5-9f22-ba0be0483c18", ""},
             {k50, "id = 5a1c395e-b41f-11e5-9f22-ba0be0483c18", ""},
             {k50, "read_repair_chance = 0.1", ""},
             {k40, "dclocal_read_repair_chance = 0.1", ""},
             {k311, "dclocal_read_repair_chance = 0.1", "="},
             {k311, "read_repair = 'BLOCKING'", ""},
             {k40, "read_repair = 'BLOCKING'", "="},
             {k40, "memtable = 'default'", ""},
             {k41, "memtable = 'default'", "="},
             {k41, "memtable = 'trie'", ""},
             {k41, "allow_auto_snapshot = true", ""},
             {k50, "allow_auto_snapshot = true", "="},
             {k41, "incremental_backups = true", ""},
             {k50, "tombstone_gc = {'mode': 'timeout'}", ""},
             {k50, "paxos_grace_seconds = 5", ""},
             {k50, "per_partition_rate_limit = {'max_writes_per_second': 100}", ""},
             {k50, "in_memory = true", ""},
             {k50, "synchronous_updates = true", ""},
             {k50, "index_interval = 128", ""},
             {k50, "tablets = {'min_tablet_count': 4}", ""},
             {kScylla, "speculative_retry = '99p'", "speculative_retry = '99PERCENTILE'"},
             {kScylla, "speculative_retry = '99.9PERCENTILE'", "="},
             {kScylla, "speculative_retry = 'NEVER'", "speculative_retry = 'NONE'"},
             {kScylla, "speculative_retry = 'ALWAYS'", "="},
             {kScylla, "speculative_retry = '50ms'", "="},
             {kScylla, "speculative_retry = 'MIN(99p, 50ms)'", "speculative_retry = '99PERCENTILE'"},
             {kScylla, "speculative_retry = 'MAX(50ms,90.5percentile)'", "speculative_retry = '90.5PERCENTILE'"},
             {kScylla, "speculative_retry = 'CUSTOM'", ""},
             {k311, "speculative_retry = '99p'", "speculative_retry = '99PERCENTILE'"},
             {k50, "speculative_retry = '99p'", "="},
             {k50, "speculative_retry = '99.0PERCENTILE'", "="},
             {k50, "caching = {'keys': 'ALL', 'rows_per_partition': 'NONE', 'enabled': true}",
              "caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}"},
             {k50, "caching = {'enabled': false}", "caching = {'keys': 'NONE', 'rows_per_partition': 'NONE'}"},
             {k50, "caching = {'enabled': true}", ""},
             {kScylla, "caching = {'enabled': true}", "="},
             {kScylla, "cdc = true", ""},
             {kScylla, "cdc = false", "cdc = {'enabled': false}"},
             {kScylla, "cdc = {'enabled': true, 'preimage': true}", ""},
             {kScylla, "cdc = {'enabled': false}", "="},
             {k50, "cdc = {'enabled': true}", ""},
             {k50, "cdc = {'enabled': false}", "cdc = false"},
             {k50, "cdc = true", "="},
             {kScylla, "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}",
              "compression = {'sstable_compression': 'LZ4Compressor', 'chunk_length_in_kb': 16}"},
             {kScylla, "compression = {'class': 'LZ4Compressor', 'min_compress_ratio': 0}",
              "compression = {'sstable_compression': 'LZ4Compressor'}"},
             {kScylla, "compression = {'class': 'ZstdCompressor', 'compression_level': 3}",
              "compression = {'sstable_compression': 'ZstdCompressor', 'compression_level': 3}"},
             {kScylla, "compression = {'enabled': false}", "compression = {'sstable_compression': ''}"},
             {kScylla, "compression = {'class': 'NoopCompressor'}", "compression = {'sstable_compression': ''}"},
             {kScylla, "compression = {'sstable_compression': ''}", "="},
             {kScylla, "compression = {}", "="},
             {kScylla, "compression = {'class': 'com.example.MyCompressor'}", ""},
             {k50, "compression = {'sstable_compression': ''}", "compression = {'enabled': 'false'}"},
             {k50, "compression = {'sstable_compression': 'LZ4Compressor', 'chunk_length_kb': 16}",
              "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16}"},
             {k50, "compression = {'sstable_compression': 'org.apache.cassandra.io.compress.LZ4Compressor'}",
              "compression = {'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}"},
             {k50, "compression = {'class': 'LZ4Compressor', 'crc_check_chance': 0.5}",
              "compression = {'class': 'LZ4Compressor'}"},
             {k41, "compression = {'class': 'LZ4Compressor', 'crc_check_chance': 0.5}", "="},
             {k50, "compression = {'sstable_compression': 'ZstdWithDictsCompressor'}",
              "compression = {'class': 'ZstdCompressor'}"},
             {k311, "compression = {'class': 'ZstdCompressor', 'compression_level': 3}",
              "compression = {'class': 'LZ4Compressor'}"},
             {k311, "compression = {'class': 'NoopCompressor'}", "compression = {'enabled': 'false'}"},
             {kScylla, "compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}",
              "compaction = {'class': 'SizeTieredCompactionStrategy'}"},
             {k41, "compaction = {'class': 'UnifiedCompactionStrategy'}",
              "compaction = {'class': 'SizeTieredCompactionStrategy'}"},
             {k50, "compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}", "="},
             {k50, "compaction = {'class': 'IncrementalCompactionStrategy', 'sstable_size_in_mb': 1000}",
              "compaction = {'class': 'SizeTieredCompactionStrategy'}"},
             {kScylla, "compaction = {'class': 'IncrementalCompactionStrategy'}", "="},
             {kScylla, "compaction = {'class': 'DateTieredCompactionStrategy', 'base_time_seconds': 60}",
              "compaction = {'class': 'TimeWindowCompactionStrategy'}"},
             {k41, "compaction = {'class': 'DateTieredCompactionStrategy'}", "="},
             {k50, "compaction = {'class': 'SizeTieredCompactionStrategy', 'nosuch': 1}",
              "compaction = {'class': 'SizeTieredCompactionStrategy'}"},
             {kScylla, "compaction = {'class': 'SizeTieredCompactionStrategy', 'nosuch': 1}", "="},
             {kScylla, "compaction = {'class': 'com.example.MyStrategy'}", ""},
             {k50,
              "compaction = {'class': 'org.apache.cassandra.db.compaction.LeveledCompactionStrategy', "
              "'sstable_size_in_mb': '160'}",
              "="},
         }) {
        const auto asked = t + std::string(option);
        const auto expected = becomes == "=" ? asked : becomes.empty() ? bare : t + std::string(becomes);
        EXPECT_EQ(says(asked, to), expected) << to_string(to);
    }
}

TEST(Translate, several_options_keep_those_that_are_fine) {
    expect_all({
        {kScylla,
         "CREATE TABLE t (k int, c int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND read_repair = 'NONE' "
         "AND comment = 'x' AND memtable = 'default';",
         "CREATE TABLE t (k int, c int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x';"},
        {kScylla, "ALTER TABLE t WITH read_repair = 'NONE'", ""},
        {kScylla, "ALTER TABLE t WITH cdc = true AND gc_grace_seconds = 5", "ALTER TABLE t WITH gc_grace_seconds = 5"},
        {k50,
         "CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE k IS NOT NULL PRIMARY KEY (k) WITH comment = 'x' AND "
         "synchronous_updates = true",
         "CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE k IS NOT NULL PRIMARY KEY (k) WITH comment = 'x'"},
        {k50, "ALTER MATERIALIZED VIEW v WITH synchronous_updates = true", ""},
        {k50, "DROP TABLE IF EXISTS t", "="},
    });
}

TEST(Translate, columns) {
    expect_all({
        {kScylla,
         "CREATE TABLE t (k int PRIMARY KEY, v text MASKED WITH DEFAULT, w text MASKED WITH mask_inner(1, null))",
         "CREATE TABLE t (k int PRIMARY KEY, v text, w text)"},
        {k41, "CREATE TABLE t (k int PRIMARY KEY, v text MASKED WITH ks.f('a,b'))",
         "CREATE TABLE t (k int PRIMARY KEY, v text)"},
        {k50, "CREATE TABLE t (k int PRIMARY KEY, v text MASKED WITH DEFAULT)", "="},
        // No mask that any server knows: nothing of it may be taken for one, least of all a parenthesis that is not
        // its.
        {k311, "CREATE TABLE t (k int PRIMARY KEY, v text MASKED (w text MASKED WITH DEF, K null))", "="},
        {kScylla, "CREATE TABLE t (k int PRIMARY KEY, v 'org.apache.cassandra.db.marshal.Int32Type', w 'UTF8Type')",
         "CREATE TABLE t (k int PRIMARY KEY, v int, w text)"},
        {kScylla, "CREATE TABLE t (k int PRIMARY KEY, v 'org.apache.cassandra.db.marshal.EmptyType')",
         "REFUSED: ScyllaDB takes no type by its class name, and there is none for "
         "'org.apache.cassandra.db.marshal.EmptyType'"},
        {k41, "CREATE TABLE t (k int PRIMARY KEY, v vector<float, 3>)", "REFUSED: Cassandra 4.1 has no vectors"},
        {k50, "CREATE TABLE t (k int PRIMARY KEY, v vector<float, 3>)", "="},
        {kScylla, "CREATE TABLE t (k int PRIMARY KEY, v vector<float, 3>)", "="},
        {k50, "CREATE TABLE t (k int PRIMARY KEY, v int TTL)",
         "REFUSED: a column that says when its row expires is ScyllaDB's"},
        {k50, "CREATE TABLE t (k int PRIMARY KEY, ttl int)", "="},
        {kScylla, "CREATE TABLE a LIKE b",
         "REFUSED: ScyllaDB has no CREATE TABLE LIKE; create it there by its columns"},
    });
}

TEST(Translate, alter) {
    expect_all({
        {kScylla, "ALTER TABLE IF EXISTS t ADD v int", "~ALTER TABLE t ADD v int"},
        {k40, "ALTER TABLE IF EXISTS t ADD v int", "~ALTER TABLE t ADD v int"},
        {k41, "ALTER TABLE IF EXISTS t ADD v int", "="},
        {kScylla, "ALTER TABLE t ADD a int, b map<int, text>", "ALTER TABLE t ADD (a int, b map<int, text>)"},
        {kScylla, "ALTER TABLE t ADD (a int, b text)", "="},
        {kScylla, "ALTER TABLE t ADD IF NOT EXISTS a int, b text static",
         "~ALTER TABLE t ADD a int | ~ALTER TABLE t ADD b text static"},
        {kScylla, "ALTER TABLE IF EXISTS t ADD IF NOT EXISTS (a int, b text)",
         "~ALTER TABLE t ADD a int | ~ALTER TABLE t ADD b text"},
        {kScylla, "ALTER TABLE t ADD (a int, b text MASKED WITH DEFAULT", "="},
        {kScylla, "ALTER TABLE t DROP IF EXISTS (a, b", "="},
        {kScylla, "ALTER TABLE t ADD a text MASKED WITH DEFAULT), b int", "="},
        {kScylla, "ALTER TABLE t ADD IF NOT EXISTS a int, IF NOT EXISTS b int", "="},
        {kScylla, "ALTER TABLE t DROP IF EXISTS a, IF EXISTS b", "="},
        {kScylla, "ALTER TABLE t DROP compact", "="},
        {kScylla, "ALTER TABLE IF EXISTS IF EXISTS t ADD v int", "="},
        {kScylla, "ALTER TABLE t DROP a, b", "ALTER TABLE t DROP (a, b)"},
        {kScylla, "ALTER TABLE t DROP IF EXISTS a, \"B\"", "~ALTER TABLE t DROP a | ~ALTER TABLE t DROP \"B\""},
        {kScylla, "ALTER TABLE t DROP a USING TIMESTAMP 1000", "ALTER TABLE t DROP a"},
        {kScylla, "ALTER TABLE t DROP a, b USING TIMESTAMP 1000", "ALTER TABLE t DROP (a, b)"},
        {k50, "ALTER TABLE t DROP a, b USING TIMESTAMP 1000", "="},
        {kScylla, "ALTER TABLE t RENAME IF EXISTS a TO b", "~ALTER TABLE t RENAME a TO b"},
        {kScylla, "ALTER TABLE t ALTER v MASKED WITH DEFAULT", ""},
        {k41, "ALTER TABLE t ALTER v DROP MASKED", ""},
        {k50, "ALTER TABLE t ALTER v DROP MASKED", "="},
        {kScylla, "ALTER TABLE t ALTER v TYPE blob", "="},
        {kScylla, "ALTER TABLE t ADD v text MASKED WITH DEFAULT", "ALTER TABLE t ADD v text"},
        {kScylla, "ALTER TABLE t DROP COMPACT STORAGE", "REFUSED: ScyllaDB cannot take COMPACT STORAGE from a table"},
        {kScylla, "ALTER TYPE u ADD IF NOT EXISTS c double", "~ALTER TYPE u ADD c double"},
        {kScylla, "ALTER TYPE IF EXISTS u RENAME a TO b", "~ALTER TYPE u RENAME a TO b"},
        {kScylla, "ALTER KEYSPACE IF EXISTS k WITH durable_writes = false",
         "~ALTER KEYSPACE k WITH durable_writes = false"},
        {k41, "ALTER KEYSPACE IF EXISTS k WITH durable_writes = false", "="},
    });
}

TEST(Translate, keyspaces) {
    Options options;
    options.datacenters["east"] = {"us-east", ""};
    options.datacenters["west"] = {"us-west", "5"};
    EXPECT_EQ(
        says("CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'east': 3, 'west': '3'}",
             kScylla, options),
        "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east': 3, 'us-west': '5'}");
    EXPECT_EQ(
        says("ALTER KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'north': 3}", kScylla, options),
        "ALTER KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'north': 3}");
    options.tablets_off = true;
    EXPECT_EQ(says("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};",
                   kScylla, options),
              "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} AND tablets = "
              "{'enabled': false};");
    EXPECT_EQ(
        says("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", k50, options),
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    expect_all({
        {kScylla, "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'}",
         "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}"},
        {k50, "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'} AND tablets = {'enabled': false}",
         "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'}"},
        {k50, "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'} AND storage = {'type': 'LOCAL'}",
         "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy'}"},
        {k50, "CREATE KEYSPACE k WITH replication = {'class': 'EverywhereStrategy'}",
         "REFUSED: Cassandra has no EverywhereStrategy for users' keyspaces; create it there with a strategy of its "
         "own"},
        {kScylla, "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'a': '3/1'}",
         "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'a': '3'}"},
    });
}

TEST(Translate, indexes) {
    expect_all({
        {kScylla, "CREATE INDEX i ON t (v)", "="},
        {kScylla,
         "CREATE CUSTOM INDEX i ON t (v) USING 'StorageAttachedIndex' WITH OPTIONS = {'case_sensitive': 'false'}",
         "CREATE INDEX i ON t (v)"},
        {k41, "CREATE INDEX i ON t (v) USING 'sai'", "CREATE INDEX i ON t (v)"},
        {k50, "CREATE INDEX i ON t (v) USING 'sai'", "="},
        {kScylla, "CREATE CUSTOM INDEX i ON t (v) USING 'org.apache.cassandra.index.sasi.SASIIndex'",
         "REFUSED: ScyllaDB has no index of kind 'org.apache.cassandra.index.sasi.SASIIndex'"},
        {k50, "CREATE INDEX ON t ((k, l), v)", "CREATE INDEX ON t (v)"},
        {kScylla, "CREATE INDEX ON t ((k), v)", "="},
        {k50, "CREATE CUSTOM INDEX i ON t (v) USING 'vector_index'", "CREATE INDEX i ON t (v) USING 'sai'"},
        {k41, "CREATE CUSTOM INDEX i ON t (v) USING 'vector_index'", "REFUSED: Cassandra 4.1 has no vectors"},
    });
}

TEST(Translate, functions_and_triggers) {
    expect_all({
        {kScylla, "CREATE FUNCTION f (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return x;'",
         "REFUSED: ScyllaDB runs no functions in java"},
        {k50, "CREATE FUNCTION f (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE lua AS 'return x'",
         "REFUSED: Cassandra 5.0 runs no functions in lua"},
        {k50, "CREATE FUNCTION f (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS 'x'",
         "REFUSED: Cassandra runs functions in Java alone since 5.0"},
        {k41, "CREATE FUNCTION f (x int) CALLED ON NULL INPUT RETURNS int LANGUAGE javascript AS 'x'", "="},
        {k50, "CREATE AGGREGATE a (int) SFUNC f STYPE int REDUCEFUNC g FINALFUNC h INITCOND 0",
         "CREATE AGGREGATE a (int) SFUNC f STYPE int FINALFUNC h INITCOND 0"},
        // No server takes these; they are still said in one step, or left.
        {k50, "CREATE AGGREGATE a (int) SFUNC f STYPE int REDUCEFUNC g REDUCEFUNC h",
         "CREATE AGGREGATE a (int) SFUNC f STYPE int"},
        {k50, "CREATE AGGREGATE a (int)REDUCEFUNC g REDUCEFUNC h STYPE int", "CREATE AGGREGATE a (int)STYPE int"},
        {k50, "CREATE AGGREGATE a (int) SFUNC f STYPE int REDUCEFUNC[ f)EGATE NY PnE REDUCEFUNC[ f)EGATE a", "="},
        {k311, "CREATE TABLE t (k int PRIMRA YKEY, v text MASKED (k int PRIMRA YKEY, v text MASKED WITH DEF,K null))",
         "="},
        {kScylla, "CREATE TRIGGER tr ON t USING 'x'", "REFUSED: ScyllaDB has no triggers"},
    });
}

TEST(Translate, roles) {
    expect_all({
        {kScylla, "CREATE ROLE r WITH PASSWORD = 'x' AND LOGIN = true AND ACCESS TO DATACENTERS {'a', 'b'}",
         "CREATE ROLE r WITH PASSWORD = 'x' AND LOGIN = true"},
        {k50, "CREATE ROLE r WITH PASSWORD = 'x' AND ACCESS TO DATACENTERS {'a'} AND ACCESS FROM ALL CIDRS", "="},
        {k41, "ALTER ROLE r WITH ACCESS FROM ALL CIDRS", ""},
        {k40, "CREATE ROLE r WITH HASHED PASSWORD = 'x'", "REFUSED: Cassandra 4.0 takes no hashed password"},
        {kScylla, "CREATE ROLE r WITH GENERATED PASSWORD",
         "REFUSED: the password that one cluster makes up the other does not know"},
        {k41, "GRANT UNMASK ON t TO r", "REFUSED: Cassandra 4.1 has no permission UNMASK"},
        {kScylla, "GRANT EXECUTE ON ALL MBEANS TO r", "REFUSED: ScyllaDB has no MBeans"},
        {kScylla, "GRANT a TO b", "="},
        {k41, "ADD IDENTITY 'x' TO ROLE r", "REFUSED: Cassandra 4.1 has no identities"},
        {k50, "ATTACH SERVICE LEVEL sl TO r", "REFUSED: service levels are ScyllaDB's"},
        {kScylla, "ATTACH SERVICE LEVEL sl TO r", "="},
    });
}

TEST(Translate, what_is_not_understood_goes_as_it_is) {
    for (const std::string_view text : {"CREATE SOMETHING new", "ALTER TABLE", "CREATE TABLE t (", "", "  ", ";"}) {
        const auto t = translate(text, kScylla, {});
        EXPECT_FALSE(t.refused());
        ASSERT_THAT(t.steps, SizeIs(1));
        EXPECT_EQ(t.steps[0].text, text);
        EXPECT_THAT(t.changes, IsEmpty());
    }
}

}  // namespace

}  // namespace penumbra::cql::ddl
