// Against two real clusters: PENUMBRA_TEST_SOURCE and PENUMBRA_TEST_TARGET are their contact points. Skipped without
// them. tests/integration/test_sync_live.py starts clusters, fills them and runs these one by one.

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cql/protocol/md5.h"
#include "cql/protocol/requests.h"
#include "cql/types/scalars.h"
#include "journal/journal.h"
#include "runtime/gate.h"
#include "sync/copy.h"
#include "sync/owed_write.h"
#include "sync/replayer.h"
#include "sync/resync.h"
#include "sync/verify.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;

std::string setting(const char* name, const char* otherwise = "") {
    const char* value = std::getenv(name);
    return value ? value : otherwise;
}

std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

routing::Scope scope_from_environment() {
    routing::Scope scope;
    scope.tenants = words(setting("PENUMBRA_TEST_TENANTS"));
    for (const auto& text : words(setting("PENUMBRA_TEST_TABLES", "*.*")))
        scope.allow.push_back(routing::TablePattern::parse(text).value());
    return scope;
}

/// Both clusters on one shard, and who must not be disturbed: nobody.
struct Clusters {
    static cluster::ClusterOptions options(const char* name, const std::string& contact_point) {
        cluster::ClusterOptions out;
        out.pool.cluster = name;
        out.contact_points.push_back(HostPort::parse(contact_point, 9042).value());
        return out;
    }
    Clusters()
        : source(options("source", setting("PENUMBRA_TEST_SOURCE")), Shard::here(), {&Shard::here()}),
          target(options("target", setting("PENUMBRA_TEST_TARGET")), Shard::here(), {&Shard::here()}) {}

    Pair pair(routing::Scope scope) {
        return {*from,
                *to,
                traffic,
                transit,
                routing::ScopeId(1),
                std::move(scope),
                setting("PENUMBRA_TEST_TENANT_COLUMN", "system_domain_id"),
                routing::Side::source,
                unknown};
    }

    cluster::Cluster source, target;
    std::unique_ptr<cluster::Session> from, to;
    NoTraffic traffic;
    Transit transit;
    std::int64_t unknown = Clock::system().wall_micros() - 60'000'000;
};

class Live : public ::testing::Test {
  protected:
    void SetUp() override {
        if (setting("PENUMBRA_TEST_SOURCE").empty())
            GTEST_SKIP() << "PENUMBRA_TEST_SOURCE and PENUMBRA_TEST_TARGET name no clusters";
    }
    /// Runs `body` on a loop of this thread, between the start and the stop of both clusters.
    static void run(Task<void> (*body)(Clusters*)) {
        Shard shard("test");
        Gate gate;
        bool started = false, done = false;
        shard.run([&] {
            if (!started) {
                started = true;
                gate.spawn(around(body, &done));
            }
            return done && gate.holders() == 0;
        });
    }
    static Task<void> around(Task<void> (*body)(Clusters*), bool* done) {
        Clusters clusters;
        const auto by = Deadline::in(Clock::system(), 20s);
        auto source = co_await clusters.source.start(by);
        auto target = co_await clusters.target.start(by);
        EXPECT_TRUE(source && target);
        if (source && target) {
            clusters.from = clusters.source.session();
            clusters.to = clusters.target.session();
            auto task = body(&clusters);
            co_await std::move(task);
        }
        clusters.from.reset();
        clusters.to.reset();
        co_await clusters.source.stop();
        co_await clusters.target.stop();
        *done = true;
    }
};

void show(const Report& report) {
    fmt::print(
        "rows={} cells={} statements={} differences={} conflicts={} repaired={} moving={} untimed={} lists={} "
        "counters={} expired={} refused={} retries={}\n",
        report.rows, report.cells, report.statements, report.differences, report.conflicts, report.repaired,
        report.moving, report.collections_without_times, report.lists_rewritten, report.counters_settled,
        report.expired, report.refused, report.retries);
    for (const auto& sample : report.samples) {
        fmt::print("{} {} [{}] {}: source {} target {}\n", to_string(sample.kind), sample.table, sample.key,
                   sample.column, sample.source, sample.target);
    }
}

// ---- driven from outside: the data is there already

Task<void> copy_body(Clusters* clusters) {
    WorkOptions options;
    options.page_size = 100;
    std::size_t portions = 0;
    options.finished = [&](const Portion&) { ++portions; };
    Copy copy(clusters->pair(scope_from_environment()), options);
    StopSignal stop;
    auto report = co_await copy.run(stop);
    EXPECT_TRUE(report) << to_string(report.error());
    if (!report) co_return;
    show(report.value());
    EXPECT_EQ(report.value().refused, 0U);
    const auto progress = copy.snapshot();
    EXPECT_EQ(progress.done, progress.total);
    EXPECT_EQ(progress.done, portions);
    EXPECT_EQ(progress.rows, report.value().rows);
}
TEST_F(Live, Copy) {
    run(copy_body);
}

Task<void> verify_body(Clusters* clusters) {
    VerifyOptions options;
    options.work.page_size = 100;
    options.repair = setting("PENUMBRA_TEST_REPAIR").empty() ? Repair::no : Repair::yes;
    Verify verify(clusters->pair(scope_from_environment()), options);
    StopSignal stop;
    auto report = co_await verify.run(stop);
    EXPECT_TRUE(report) << to_string(report.error());
    if (!report) co_return;
    show(report.value());
}
TEST_F(Live, Verify) {
    run(verify_body);
}

// ---- on their own: a keyspace that they make and drop

std::string keyspace_name() {
    return fmt::format("sync_live_{}", ::getpid());
}

Task<void> on(cluster::Session* session, std::string text, std::optional<std::int64_t> timestamp) {
    for (std::size_t at = 0; (at = text.find("KS", at)) != std::string::npos;) text.replace(at, 2, keyspace_name());
    cluster::QueryOptions options;
    options.timestamp = timestamp;
    auto done = co_await session->execute(text, {}, options);
    EXPECT_TRUE(done) << text << ": " << to_string(done.error());
}
Task<void> on_both(Clusters* clusters, std::string text, std::optional<std::int64_t> timestamp) {
    co_await on(clusters->from.get(), text, timestamp);
    co_await on(clusters->to.get(), text, timestamp);
}
Task<void> prepare_keyspace(Clusters* clusters) {
    co_await on_both(clusters,
                     "CREATE KEYSPACE KS WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", {});
    co_await on_both(clusters, "CREATE TYPE KS.point (x int, y int)", {});
    co_await on_both(clusters,
                     "CREATE TABLE KS.t (k int, c int, st int static, v int, w text, l list<int>, s set<int>, m "
                     "map<text, int>, u point, "
                     "PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC) AND default_time_to_live = 1000",
                     {});
    co_await on_both(clusters, "CREATE TABLE KS.counts (k int PRIMARY KEY, a counter, b counter)", {});
    auto source = co_await clusters->source.refresh_schema();
    auto target = co_await clusters->target.refresh_schema();
    EXPECT_TRUE(source && target);
}
Task<void> drop_keyspace(Clusters* clusters) {
    co_await on_both(clusters, "DROP KEYSPACE KS", {});
}

routing::Scope own_scope() {
    routing::Scope scope;
    scope.allow.push_back(routing::TablePattern::parse(keyspace_name() + ".*").value());
    return scope;
}

Task<Report> verified(Clusters* clusters, Repair repair) {
    VerifyOptions options;
    options.repair = repair;
    Verify verify(clusters->pair(own_scope()), options);
    StopSignal stop;
    auto report = co_await verify.run(stop);
    EXPECT_TRUE(report) << to_string(report.error());
    co_return report ? report.value() : Report{};
}

/// One of each way in which two clusters can differ, named and then repaired until nothing is left.
Task<void> repair_body(Clusters* clusters) {
    co_await prepare_keyspace(clusters);
    auto* from = clusters->from.get();
    auto* to = clusters->to.get();
    const auto row = [](int c) { return fmt::format("WHERE k = 1 AND c = {}", c); };
    // equal, with a TTL, without one in a table that has a default
    co_await on_both(clusters, "INSERT INTO KS.t (k, c, v, w) VALUES (1, 1, 1, 'x') USING TTL 500", 1000);
    co_await on_both(clusters, "INSERT INTO KS.t (k, c, v) VALUES (1, 2, 1) USING TTL 0", 1000);
    // missing rows: with cells, its key alone, statics, a list
    co_await on(from, "INSERT INTO KS.t (k, c, v, s, m, u) VALUES (1, 3, 3, {1, 2}, {'a': 1}, {x: 1}) USING TTL 0",
                1000);
    co_await on(from, "INSERT INTO KS.t (k, c) VALUES (1, 4) USING TTL 0", 1000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET st = 7 WHERE k = 2", 1000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET l = [3, 1, 3] " + row(5), 1000);
    // extra rows: with cells, key alone, statics
    co_await on(to, "INSERT INTO KS.t (k, c, v, s) VALUES (1, 6, 3, {1}) USING TTL 0", 1000);
    co_await on(to, "INSERT INTO KS.t (k, c) VALUES (1, 7) USING TTL 0", 5000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET st = 7 WHERE k = 3", 1000);
    // a value that is older on the shadow; a conflict; another write time each way; another expiry each way
    for (const int c : {8, 9, 10, 11, 12, 13})
        co_await on_both(clusters, fmt::format("INSERT INTO KS.t (k, c) VALUES (1, {}) USING TTL 0", c), 500);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET v = 1 " + row(8), 2000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET v = 2 " + row(8), 1000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET v = 1 " + row(9), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET v = 2 " + row(9), 2000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET v = 1, w = 'w' " + row(10), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET v = 1 " + row(10), 2000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET w = 'w' " + row(10), 500);
    co_await on(from, "UPDATE KS.t USING TTL 500 SET v = 1 " + row(11), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 900 SET v = 1 " + row(11), 1000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET w = 'w' " + row(11), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 900 SET w = 'w' " + row(11), 1000);
    // elements on either side alone, lists that differ, a deletion that only the shadow saw
    co_await on(from, "UPDATE KS.t USING TTL 0 SET s = s + {1, 2}, m = m + {'a': 1}, u.x = 1 " + row(12), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET s = s + {2, 3}, m = m + {'a': 2, 'b': 2}, u.y = 1 " + row(12), 1000);
    co_await on(from, "UPDATE KS.t USING TTL 0 SET l = [1, 2, 3], v = 5 " + row(13), 1000);
    co_await on(to, "UPDATE KS.t USING TTL 0 SET l = [1, 3] " + row(13), 2000);
    co_await on(to, "DELETE v FROM KS.t " + row(13), 3000);
    // counters
    co_await on_both(clusters, "UPDATE KS.counts SET a = a + 5 WHERE k = 1", {});
    co_await on(from, "UPDATE KS.counts SET a = a + 2, b = b - 1 WHERE k = 1", {});
    co_await on(from, "UPDATE KS.counts SET b = b + 9 WHERE k = 2", {});
    co_await on(to, "UPDATE KS.counts SET b = b + 9 WHERE k = 3", {});

    auto found = co_await verified(clusters, Repair::no);
    show(found);
    EXPECT_EQ(found.repaired, 0U);
    EXPECT_GE(found.differences, 22U);
    auto again = co_await verified(clusters, Repair::no);
    EXPECT_EQ(again.differences, found.differences) << "looking changes nothing";
    auto repaired = co_await verified(clusters, Repair::yes);
    EXPECT_EQ(repaired.differences, found.differences);
    EXPECT_EQ(repaired.repaired, repaired.differences);
    auto after = co_await verified(clusters, Repair::no);
    show(after);
    EXPECT_EQ(after.differences, 0U);

    // The primary still says what it said: only a write time rose where the shadow's could not be lowered.
    auto rows = co_await from->execute(
        fmt::format("SELECT v, writetime(v) FROM {}.t WHERE k = 1 AND c = 9", keyspace_name()), {}, {});
    EXPECT_TRUE(rows);
    if (rows && rows.value().size() == 1) {
        EXPECT_EQ(rows.value()[0].int32("v").value(), 1);
        EXPECT_EQ(cql::decode_bigint(rows.value()[0][1].bytes()).value(), 2001);
    }
    co_await drop_keyspace(clusters);
}
TEST_F(Live, RepairMakesEveryDifferenceGoAway) {
    run(repair_body);
}

/// Copying twice, and while the shadow already has newer cells and deletions, changes nothing.
Task<void> repeat_body(Clusters* clusters) {
    co_await prepare_keyspace(clusters);
    auto* from = clusters->from.get();
    for (int c = 0; c < 300; ++c) {
        co_await on(
            from,
            fmt::format("INSERT INTO KS.t (k, c, v, l, s) VALUES ({}, {}, 1, [1, 2], {{1, 2}}) USING TTL 0", c % 7, c),
            1000 + c);
    }
    co_await on(from, "UPDATE KS.counts SET a = a + 5 WHERE k = 1", {});
    co_await on_both(clusters, "UPDATE KS.t USING TTL 0 SET v = 9, l = [9], s = s + {9} WHERE k = 0 AND c = 0",
                     9'000'000'000'000);
    co_await on_both(clusters, "DELETE FROM KS.t WHERE k = 1 AND c = 1", 9'000'000'000'000);
    std::vector<Portion> done;
    WorkOptions options;
    options.page_size = 20;
    options.finished = [&](const Portion& portion) { done.push_back(portion); };
    for (int times = 0; times < 2; ++times) {
        Copy copy(clusters->pair(own_scope()), options);
        StopSignal stop;
        auto report = co_await copy.run(stop);
        EXPECT_TRUE(report) << to_string(report.error());
        if (report) {
            show(report.value());
            EXPECT_EQ(report.value().rows, 300U);
            EXPECT_EQ(report.value().counters_settled, times == 0 ? 1U : 0U);
            EXPECT_EQ(report.value().lists_rewritten, times == 0 ? 298U : 0U);
        }
    }
    auto after = co_await verified(clusters, Repair::no);
    show(after);
    EXPECT_EQ(after.differences, 0U);

    // Resumed with everything done it reads nothing; stopped it says so.
    options.done = done;
    Copy resumed(clusters->pair(own_scope()), options);
    StopSignal stop;
    auto nothing = co_await resumed.run(stop);
    EXPECT_TRUE(nothing);
    if (nothing) {
        EXPECT_EQ(nothing.value().rows, 0U);
    }
    options.done.clear();
    Copy stopped(clusters->pair(own_scope()), options);
    stop.request();
    auto cancelled = co_await stopped.run(stop);
    EXPECT_FALSE(cancelled);
    if (!cancelled) {
        EXPECT_EQ(cancelled.error().code, Errc::cancelled);
    }
    co_await drop_keyspace(clusters);
}
TEST_F(Live, CopyMayBeRepeatedAndResumed) {
    run(repeat_body);
}

/// Appends and gives up at once, as the proxy does when the shadow did not take a write.
Task<journal::EntryId> owe(journal::Journal* journal, Bytes payload) {
    OneShot<Result<journal::EntryId>> durable;
    journal->append(1, 1, payload, [durable](Result<journal::EntryId> id) { durable.set(std::move(id)); });
    auto id = co_await durable;
    EXPECT_TRUE(id);
    journal->release(id.value());
    co_return id.value();
}

Task<void> replay_body(Clusters* clusters) {
    co_await prepare_keyspace(clusters);
    const auto directory = std::filesystem::temp_directory_path() / keyspace_name();
    auto journal = journal::Journal::open({directory}, Clock::system()).value();
    ReplayOptions options;
    options.request_timeout = 3s;
    options.scope_of = [](routing::ScopeId) { return std::optional(ReplayScope{own_scope(), "", 1}); };
    Replayer replayer(*journal, *clusters->to, *clusters->from, clusters->traffic, clusters->transit, options);
    replayer.start();

    const auto keyspace = keyspace_name();
    cql::Parameters parameters;
    parameters.timestamp = 4000;
    parameters.consistency = cql::Consistency::local_quorum;
    const auto insert = std::string("INSERT INTO t (k, c, v) VALUES (?, ?, ?) USING TTL 0");
    const auto our_id = cql::md5({"ours", insert});
    const auto one = cql::encode_int(1), seven = cql::encode_int(7);
    const std::vector<cql::CellView> values{one, seven, seven};
    parameters.values = values;
    Bytes execute, batch, query, wrong, payload;
    cql::encode_execute(execute, {}, our_id, {}, parameters);
    parameters.values = {};
    const std::vector<cql::BatchStatement> children{
        {"", our_id, values}, {"INSERT INTO t (k, c, w) VALUES (1, 8, 'batch') USING TTL 0", {}, {}}};
    cql::encode_batch(batch, {}, cql::BatchType::logged, children, parameters);
    cql::encode_query(query, {}, "UPDATE " + keyspace + ".t USING TTL 0 SET w = 'query' WHERE k = 1 AND c = 7",
                      parameters);
    cql::encode_query(wrong, {}, "UPDATE " + keyspace + ".nowhere SET w = 'query' WHERE k = 1", parameters);

    // The primary has all of it, and a partition that only a resync can bring.
    co_await on(clusters->from.get(), "INSERT INTO KS.t (k, c, v, w) VALUES (1, 7, 7, 'query') USING TTL 0", 4000);
    co_await on(clusters->from.get(), "INSERT INTO KS.t (k, c, w) VALUES (1, 8, 'batch') USING TTL 0", 4000);
    co_await on(clusters->from.get(), "INSERT INTO KS.t (k, c, v) VALUES (2, 1, 1) IF NOT EXISTS USING TTL 0", {});
    co_await on(clusters->from.get(), "UPDATE KS.t USING TTL 0 SET l = [1] WHERE k = 2 AND c = 1", 5000);
    co_await on(clusters->from.get(), "UPDATE KS.t USING TTL 0 SET l = l + [2] WHERE k = 2 AND c = 1", 6000);
    co_await on(clusters->to.get(), "INSERT INTO KS.t (k, c, v) VALUES (2, 2, 2) USING TTL 0", 4000);

    const std::vector<OwedPreparedView> prepared{{our_id, insert, keyspace}};
    for (const auto* frame : {&execute, &batch, &query, &execute}) {
        payload.clear();
        encode_owed_statement(keyspace, prepared, {}, *frame, payload);
        co_await owe(journal.get(), payload);
    }
    for (int i = 0; i < 3; ++i) {
        payload.clear();
        encode_owed_resync({keyspace, "t", cql::encode_int(2)}, payload);
        co_await owe(journal.get(), payload);
    }
    payload.clear();
    encode_owed_statement(keyspace, {}, {}, wrong, payload);
    co_await owe(journal.get(), payload);

    const auto begin = Clock::system().now();
    while (journal->owed_total().entries > journal->owed_total().set_aside && Clock::system().now() - begin < 20s)
        co_await sleep(10ms);
    EXPECT_LT(Clock::system().now() - begin, 5s);
    EXPECT_EQ(journal->owed_total().entries, 1U);
    EXPECT_EQ(journal->owed_total().set_aside, 1U) << "a table that does not exist";
    for (const auto& entry : journal->set_aside_entries({}, 10)) fmt::print("set aside: {}\n", entry.reason);
    const auto counts = replayer.counts();
    EXPECT_EQ(counts.statements, 4U);
    EXPECT_GE(counts.resyncs, 1U);
    auto after = co_await verified(clusters, Repair::no);
    show(after);
    EXPECT_EQ(after.differences, 0U);

    // How fast it wakes: released to settled, with the poll in between.
    payload.clear();
    encode_owed_statement(keyspace, prepared, {}, execute, payload);
    co_await owe(journal.get(), payload);
    const auto woken = Clock::system().now();
    while (journal->owed_total().entries > 1 && Clock::system().now() - woken < 5s) co_await sleep(1ms);
    fmt::print("from released to settled: {} us\n",
               std::chrono::duration_cast<Micros>(Clock::system().now() - woken).count());
    EXPECT_LT(Clock::system().now() - woken, 1s);

    co_await replayer.stop();
    journal.reset();
    std::filesystem::remove_all(directory);
    co_await drop_keyspace(clusters);
}
TEST_F(Live, ReplayPaysWhatIsOwed) {
    run(replay_body);
}

}  // namespace
}  // namespace penumbra::sync
