#include "cli/cli.h"

#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/tests/documents.h"
#include "cli/tests/fake_server.h"

namespace penumbra::cli {
namespace {

using namespace penumbra::cli::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct Ran {
    Exit exit;
    std::string out;
    std::string err;
};

Surroundings quick() {
    Surroundings around;
    around.version = "0.1.0";
    around.other_verbs = {{"serve", "Run the proxy"}, {"convert", "Manifests of one operator to the other's"}};
    around.terminal.utf8 = true;
    around.answer_timeout = Seconds(10);
    around.poll_interval = Millis(5);
    around.patience = Millis(200);
    around.quiet_time = Nanos(0);
    return around;
}

Ran run_with(const Surroundings& around, std::vector<std::string> args) {
    std::ostringstream out, err;
    const auto exit = run(args, around, out, err);
    return {exit, out.str(), err.str()};
}

Ran run_at(const FakeServer& server, std::vector<std::string> args, Surroundings around = quick()) {
    around.admin_variable = server.address();
    return run_with(around, std::move(args));
}

std::vector<std::string> lines_of(FakeServer& server) {
    std::vector<std::string> lines;
    for (const auto& one : server.asked()) lines.push_back(one.line);
    return lines;
}

FakeServer::Handler always(std::string body, unsigned status = 200) {
    return [body, status](const Asked&) { return Answered{status, body}; };
}

/// Answers one after the other; the last one again and again.
FakeServer::Handler in_turn(std::vector<Answered> answers) {
    return [answers, next = std::size_t(0)](const Asked&) mutable {
        return answers[std::min(next++, answers.size() - 1)];
    };
}

// --- what is printed ---

TEST(Cli, StatusShowsClustersNumbersAndMigrations) {
    FakeServer server(always(kStatus));
    const auto ran = run_at(server, {"status"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out,
              "Penumbra 0.1.0, up 13 s, clients at 127.0.0.9:9042\n"
              "\n"
              "CLUSTER  NAME          VERSION  NODES UP\n"
              "source   Test Cluster  4.1.9      1 of 1\n"
              "target   Test Cluster  5.0.5      1 of 1\n"
              "\n"
              "clients     3 connected, 12 since the start\n"
              "requests    1,000, 0 errors, 4 held for at most 2.1 ms\n"
              "shadow      400 writes, 0 failed\n"
              "owed        nothing\n"
              "all others  source_only (tenants by column system_domain_id)\n"
              "\n"
              "MIGRATION  PHASE         OWED\n"
              "acme       shadow_async     0\n");
    EXPECT_THAT(ran.err, IsEmpty());
    EXPECT_THAT(lines_of(server), ElementsAre("GET /v1/status"));
}

TEST(Cli, JsonIsTheServersDocumentAndNothingElse) {
    FakeServer server(always(std::string(kStatus) + "\r\n\n"));
    EXPECT_EQ(run_at(server, {"-o", "json", "status"}).out, std::string(kStatus) + "\n");
    EXPECT_EQ(run_at(server, {"status", "--output=json"}).out, std::string(kStatus) + "\n");
}

constexpr const char* kJournal =
    R"({"owed": 3, "set_aside": 1, "oldest_owed_seconds": 75.2, "bytes": 3145728, "quota_bytes": 8589934592,
 "clusters": [{"owed": 0, "set_aside": 0, "oldest_owed_seconds": 0, "cluster": "source", "replay": {"paused": false, "settled": 0, "per_second": 0.0, "seconds_left": 0}},
              {"owed": 3, "set_aside": 1, "oldest_owed_seconds": 75.2, "cluster": "target", "replay": {"paused": false, "settled": 1200, "per_second": 40.0, "seconds_left": 0.05}}],
 "migrations": [{"migration": "acme", "phase": "shadow_async", "cluster": "target", "owed": 3, "set_aside": 1, "oldest_owed_seconds": 75.2}]})";

constexpr const char* kSetAside =
    R"({"total": 1, "set_aside": [{"entry": 17, "migration": "acme", "cluster": "target", "written_at": "2026-11-22T17:00:00Z", "set_aside_at": "2026-11-22T17:00:01Z",
 "reason": "server: unconfigured table orders", "kind": "statement", "where": "shop.orders id=1",
 "places": [{"table": "shop.orders", "key": "id=1"}], "statements": [], "cql": "INSERT INTO shop.orders (id) VALUES (1) USING TIMESTAMP 5;\n"}]})";

TEST(Cli, JournalStatusShowsWhatIsOwedAndHowFastItIsPaid) {
    FakeServer server(always(kJournal));
    const auto ran = run_at(server, {"journal", "status"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out,
              "journal  3.0 MiB on disk of 8192.0 MiB\n"
              "\n"
              "OWED TO  WRITES      OLDEST  SET ASIDE  PAID SINCE START  NOW\n"
              "source        0           -          0                 0  nothing to pay\n"
              "target        3  1 min 16 s          1             1,200  40/s, 1 s left\n"
              "\n"
              "MIGRATION  PHASE         OWED TO  WRITES      OLDEST  SET ASIDE\n"
              "acme       shadow_async  target        3  1 min 16 s          1\n");
    EXPECT_THAT(lines_of(server), ElementsAre("GET /v1/journal"));
}

TEST(Cli, SetAsideIsListedAndExported) {
    FakeServer server(always(kSetAside));
    EXPECT_EQ(
        run_at(server, {"set-aside", "list"}).out,
        "ENTRY  MIGRATION  OWED TO  WRITTEN AT            WHAT       WHERE             REASON\n"
        "   17  acme       target   2026-11-22T17:00:00Z  statement  shop.orders id=1  server: unconfigured table "
        "orders\n");
    EXPECT_EQ(run_at(server, {"set-aside", "export", "acme"}).out,
              "-- entry 17, for the target, written at 2026-11-22T17:00:00Z: server: unconfigured table orders\n"
              "INSERT INTO shop.orders (id) VALUES (1) USING TIMESTAMP 5;\n");
    EXPECT_THAT(lines_of(server), ElementsAre("GET /v1/set-aside", "GET /v1/migrations/acme/set-aside"));
    FakeServer nothing(always(R"({"total": 0, "set_aside": []})"));
    EXPECT_EQ(run_at(nothing, {"set-aside", "list"}).out, "No write was refused for good.\n");
    FakeServer steering(always(
        R"({"total": 1, "set_aside": [{"entry": 1, "kind": "statement", "cql": "INSERT INTO t (a) VALUES ('\u001b[2J');\n"}]})"));
    EXPECT_THAT(run_at(steering, {"set-aside", "export"}).out, HasSubstr("-- INSERT INTO t (a) VALUES ('\\x1b[2J');"));
}

TEST(Cli, SetAsideOrdersSayWhatTheyDid) {
    FakeServer server(
        always(R"({"done": [17], "failed": [{"entry": 18, "error": "no such entry is set aside"}], "left": 2})"));
    const auto ran = run_at(server, {"set-aside", "retry", "acme", "--entry", "17", "--entry", "18"});
    EXPECT_EQ(ran.exit, Exit::refused) << "not all of it was done";
    EXPECT_EQ(ran.out, "1 write offered again; 2 still set aside\n  entry 18: no such entry is set aside\n");
    ASSERT_EQ(server.asked().size(), 1u);
    EXPECT_EQ(server.asked()[0].line, "POST /v1/migrations/acme/set-aside/retry");
    EXPECT_EQ(server.asked()[0].body, R"({"entries":[17,18]})");
}

TEST(Cli, DroppingIsSaidTwice) {
    FakeServer server(always(R"({"done": [17], "failed": [], "left": 0})"));
    EXPECT_THAT(run_at(server, {"set-aside", "drop", "acme"}).err, HasSubstr("--entry ID names one"));
    EXPECT_THAT(run_at(server, {"set-aside", "drop", "acme", "--all"}).err, HasSubstr("--confirm NAME is missing"));
    EXPECT_THAT(lines_of(server), IsEmpty());
    const auto ran = run_at(server, {"set-aside", "drop", "acme", "--all", "--confirm", "acme", "--reason", "why"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out, "1 write dropped; none is set aside now\n");
    EXPECT_EQ(server.asked()[0].body, R"({"reason":"why","all":true,"confirm":"acme"})");
}

TEST(Cli, MigrationShowEndsWithWhatToTypeNext) {
    FakeServer server(always(kMigration));
    const auto ran = run_at(server, {"migration", "show", "acme"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out,
              "migration       acme\n"
              "phase           shadow_async, epoch 7\n"
              "tenants         5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10\n"
              "tables          *.*\n"
              "created         2026-11-22T17:00:00Z\n"
              "shadowed since  2026-11-22T17:01:00Z\n"
              "copy            done, 1,200 rows at 2026-11-22T17:02:00Z\n"
              "verify          not yet\n"
              "owed            nothing\n"
              "last switch     source_only → shadow_async, requests waited 1.9 ms (3 held) at 2026-11-22T17:01:00Z\n"
              "next            penumbra switch acme --to shadow_sync\n");
}

TEST(Cli, ListsHaveOneLineEach) {
    FakeServer server([](const Asked& asked) {
        if (asked.line == "GET /v1/tenants") return Answered{200, kTenants};
        return Answered{200, fmt::format(R"({{"migrations": [{}]}})", kMigration)};
    });
    EXPECT_EQ(run_at(server, {"migration", "list"}).out,
              "MIGRATION  PHASE         TENANTS  COPY  VERIFY  OWED  NEXT\n"
              "acme       shadow_async        1  done  none       0  shadow_sync\n");
    EXPECT_EQ(run_at(server, {"tenant", "list"}).out,
              "TENANT                                MIGRATION  PHASE          OWED\n"
              "5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10  acme       shadow_async  1,234\n");
}

TEST(Cli, EmptyListsSayHowToBegin) {
    FakeServer server(always(R"({"migrations": [], "tenants": []})"));
    EXPECT_THAT(run_at(server, {"migration", "list"}).out, HasSubstr("penumbra migration create"));
    EXPECT_THAT(run_at(server, {"tenant", "list"}).out, HasSubstr("penumbra migration create"));
}

TEST(Cli, TenantShow) {
    FakeServer server(always(kTenant));
    EXPECT_THAT(run_at(server, {"tenant", "show", "a b/c"}).out, HasSubstr("owed       2 writes\n"));
    EXPECT_THAT(lines_of(server), ElementsAre("GET /v1/tenants/a%20b%2Fc"));
}

TEST(Cli, AuditShowsChangesAndRefusals) {
    FakeServer server(always(
        R"({"audit": [{"at": "2026-11-22T17:01:00Z", "command": "switch", "from": "source_only", "to": "shadow_async",
        "outcome": "done", "forced": true, "reason": "INC-42", "wait_ms": 1.9}, {"at": "x", "command": "copy", "outcome": "failed", "error": "no node"}]})"));
    const auto ran = run_at(server, {"audit", "acme"});
    EXPECT_THAT(ran.out, HasSubstr("switch   source_only → shadow_async  done, forced  1.9 ms  INC-42"));
    EXPECT_THAT(ran.out, HasSubstr("no node"));
}

TEST(Cli, SchemaReportShowsWhatWasSentAndWhy) {
    FakeServer server(always(
        R"json({"total": 5, "schema_changes": [
        {"at": "2026-11-22T17:01:00Z", "statement": "CREATE TABLE a.b (k int PRIMARY KEY)", "cluster": "target",
         "outcome": "same", "sent": ["CREATE TABLE a.b (k int PRIMARY KEY)"], "changes": []},
        {"at": "2026-11-22T17:02:00Z", "statement": "ALTER TABLE a.b WITH x = 1 AND y = 2", "cluster": "target",
         "outcome": "translated", "sent": ["ALTER TABLE a.b WITH y = 2"],
         "changes": [{"what": "x = 1 left out", "why": "unknown there"}]}]
})json"));
    const auto ran = run_at(server, {"schema", "report"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out,
              "2026-11-22T17:01:00Z  same on the target\n  CREATE TABLE a.b (k int PRIMARY KEY)\n"
              "2026-11-22T17:02:00Z  translated on the target\n  ALTER TABLE a.b WITH x = 1 AND y = 2\n"
              "    sent: ALTER TABLE a.b WITH y = 2\n    x = 1 left out: unknown there\n"
              "3 changes before these\n");
    EXPECT_THAT(lines_of(server), ElementsAre("GET /v1/schema/changes"));
}

TEST(Cli, SchemaReportFailsWhileAChangeIsMissing) {
    FakeServer server(always(
        R"({"total": 1, "schema_changes": [{"at": "x", "statement": "CREATE TRIGGER", "cluster": "target",
        "outcome": "refused", "sent": [], "changes": [], "error": "ScyllaDB has no triggers"}]})"));
    const auto ran = run_at(server, {"schema", "report"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_THAT(ran.out, HasSubstr("refused on the target\n  CREATE TRIGGER\n    error: ScyllaDB has no triggers\n"));
    FakeServer quiet(always(R"({"total": 0, "schema_changes": []})"));
    EXPECT_EQ(run_at(quiet, {"schema", "report"}).out, "No schema change came through since the server started.\n");
}

TEST(Cli, AnswersOfAnotherShapeArePrintedAsFarAsTheyGo) {
    FakeServer server(always(
        R"({"migrations": {"a": 1}, "gates": [3, null], "copy": [], "tenants": [{}], "clusters": 7, "epoch": -1, "wait_ms": "x"})"));
    for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{{"status"},
                                                                                      {"migration", "list"},
                                                                                      {"migration", "show", "x"},
                                                                                      {"tenant", "list"},
                                                                                      {"tenant", "show", "x"},
                                                                                      {"reverse", "x"},
                                                                                      {"audit", "x"},
                                                                                      {"schema", "report"}}) {
        const auto ran = run_at(server, verb);
        EXPECT_EQ(ran.exit, Exit::done) << verb.front();
        EXPECT_THAT(ran.out, Not(IsEmpty()));
    }
}

// --- what is asked ---

TEST(Cli, CreateSendsWhatWasSaidAndLeavesTheRestToTheServer) {
    FakeServer server(always(kMigration, 201));
    run_at(server, {"migration", "create", "--tenant", "t1", "acme", "--tenant", "t2", "--table", "shop.*",
                    "--exclude-table", "shop.tmp"});
    run_at(server, {"migration", "create", "acme"});
    const auto asked = server.asked();
    ASSERT_EQ(asked.size(), 2u);
    EXPECT_EQ(asked[0].line, "POST /v1/migrations");
    EXPECT_EQ(boost::json::parse(asked[0].body),
              boost::json::parse(
                  R"({"name":"acme","tenants":["t1","t2"],"tables":{"allow":["shop.*"],"deny":["shop.tmp"]}})"));
    EXPECT_EQ(boost::json::parse(asked[1].body), boost::json::parse(R"({"name":"acme"})"));
}

TEST(Cli, ChangesOfPhaseSayHow) {
    FakeServer server(always(kChange));
    run_at(server, {"switch", "acme", "--to", "target_primary", "--dry-run"});
    run_at(server, {"reverse", "acme", "--force", "--reason", "INC-42"});
    run_at(server, {"complete", "acme"});
    run_at(server, {"cancel", "acme"});
    const auto asked = server.asked();
    EXPECT_THAT(lines_of(server), ElementsAre("POST /v1/migrations/acme/switch", "POST /v1/migrations/acme/reverse",
                                              "POST /v1/migrations/acme/complete", "POST /v1/migrations/acme/cancel"));
    EXPECT_EQ(boost::json::parse(asked[0].body),
              boost::json::parse(R"({"to":"target_primary","dry_run":true,"force":false})"));
    EXPECT_EQ(boost::json::parse(asked[1].body),
              boost::json::parse(R"({"dry_run":false,"force":true,"reason":"INC-42"})"));
}

// --- gates ---

TEST(Cli, ASwitchTellsHowLongRequestsWaitedAndItsGates) {
    FakeServer server(always(kChange));
    auto around = quick();
    EXPECT_EQ(run_at(server, {"switch", "acme", "--to", "target_primary"}).out,
              "acme: shadow_sync → target_primary, epoch 8; requests waited 1.9 ms (3 held)\n"
              "  ✓  copied  1200 rows copied at 2026-11-22T17:02:00Z\n");
    around.terminal.utf8 = false;
    EXPECT_EQ(run_at(server, {"switch", "acme", "--to", "target_primary"}, around).out,
              "acme: shadow_sync -> target_primary, epoch 8; requests waited 1.9 ms (3 held)\n"
              "  ok    copied  1200 rows copied at 2026-11-22T17:02:00Z\n");
}

TEST(Cli, ARefusedSwitchShowsItsGates) {
    FakeServer server(always(kRefusedChange, 409));
    const auto ran = run_at(server, {"switch", "acme", "--to", "target_primary"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_THAT(ran.out, IsEmpty());
    EXPECT_EQ(ran.err,
              "penumbra: acme is not verified (conflict)\n"
              "  ✓  copied    1200 rows\n"
              "  ✗  verified  never verified: penumbra verify acme\n");
    const auto json = run_at(server, {"switch", "acme", "--to", "target_primary", "-o", "json"});
    EXPECT_EQ(json.exit, Exit::refused);
    EXPECT_EQ(json.out, std::string(kRefusedChange) + "\n");
}

TEST(Cli, ADryRunThatWouldBeRefusedEndsWithOne) {
    const std::string closed =
        R"({"name":"acme","from":"a","to":"b","dry_run":true,"gates":[{"gate":"copied","passed":false,"detail":"no copy"}]})";
    FakeServer server(always(closed));
    const auto ran = run_at(server, {"complete", "acme", "--dry-run"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_EQ(ran.out, "acme: a → b would be refused; nothing was changed\n  ✗  copied  no copy\n");
    const auto forced = run_at(server, {"complete", "acme", "--dry-run", "--force", "--reason", "r"});
    EXPECT_EQ(forced.exit, Exit::done);
    EXPECT_THAT(forced.out, HasSubstr("would be done by force"));
}

// --- jobs ---

TEST(Cli, CopyFollowsItsJobToTheEnd) {
    FakeServer server(in_turn({{202, kCopyRunning}, {200, kCopyRunning}, {200, kCopyDone}}));
    const auto ran = run_at(server, {"copy", "acme", "-o", "json"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out, std::string(kCopyDone) + "\n");
    EXPECT_EQ(ran.err, "copy acme: looking at the tables\n") << "one line, as the next would be due after five seconds";
    EXPECT_THAT(lines_of(server), ElementsAre("POST /v1/migrations/acme/copy", "GET /v1/jobs/4", "GET /v1/jobs/4"));
}

TEST(Cli, VerifyIsDoneWhenNoDifferenceIsLeft) {
    FakeServer clean(in_turn({{202, kJobRunning}, {200, kVerifyClean}}));
    const auto ran = run_at(clean, {"verify", "acme"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out, "acme: 1,200 rows compared, no difference\n");
    EXPECT_EQ(ran.err, "verify acme: 25 %  16/64 ranges  700 rows  950 rows/s  5 s left\n");
    FakeServer repaired(always(kVerifyRepaired));
    const auto second = run_at(repaired, {"verify", "acme", "--repair"});
    EXPECT_EQ(second.exit, Exit::done);
    EXPECT_EQ(second.out, "acme: 1,200 rows compared, 2 differences, 2 repaired, 0 left\n");
    EXPECT_EQ(boost::json::parse(repaired.asked().front().body), boost::json::parse(R"({"repair":true})"));
}

TEST(Cli, DifferencesAreShownAndEndWithOne) {
    FakeServer server(in_turn({{202, kJobRunning}, {200, kVerifyDifferent}}));
    const auto ran = run_at(server, {"verify", "acme"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_EQ(ran.out,
              "acme: 1,200 rows compared, 2 differences\n"
              "  conflicts: 1\n"
              "\n"
              "TABLE        KEY   COLUMN  KIND     SOURCE      TARGET\n"
              "shop.orders  id=7  note    value    'a\\x1b[2J'  'b'\n"
              "shop.orders  id=8  -       missing  -           -\n")
        << "what a row holds cannot steer the terminal";
}

TEST(Cli, AFailedJobSaysWhy) {
    FakeServer server(in_turn({{202, kCopyRunning}, {200, kCopyFailed}}));
    const auto ran = run_at(server, {"copy", "acme"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_EQ(ran.out, "acme: copy failed\n");
    EXPECT_THAT(ran.err, HasSubstr("penumbra: the copy of acme failed: no node of the target is up\n"));
}

TEST(Cli, DetachDoesNotWait) {
    FakeServer server(always(kCopyRunning, 202));
    const auto ran = run_at(server, {"copy", "acme", "--detach"});
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out, "acme: copy runs as job 4; `penumbra migration show acme` tells how it goes\n");
    EXPECT_EQ(server.asked().size(), 1u);
}

TEST(Cli, AJobOutlivesAMomentWithoutServer) {
    FakeServer server(in_turn({{202, kCopyRunning},
                               {200, "", "", {}, true},
                               {503, R"({"error":{"code":"unavailable","message":"starting"}})"},
                               {200, kCopyDone}}));
    auto around = quick();
    around.patience = Seconds(20);
    const auto ran = run_at(server, {"copy", "acme"}, around);
    EXPECT_EQ(ran.exit, Exit::done);
    EXPECT_EQ(ran.out, "acme: 1,200 rows copied\n");
    EXPECT_THAT(ran.err, HasSubstr("does not answer at the moment; trying again for 20 s"));
}

TEST(Cli, AJobWhoseServerStaysAwayIsLostSightOf) {
    FakeServer server(in_turn({{202, kCopyRunning}, {200, "", "", {}, true}}));
    const auto ran = run_at(server, {"copy", "acme", "-o", "json"});
    EXPECT_EQ(ran.exit, Exit::unreachable);
    EXPECT_THAT(ran.err, HasSubstr("lost sight of job 4"));
    EXPECT_TRUE(boost::json::parse(ran.out).as_object().contains("error"));
}

TEST(Cli, AJobThatIsGoneIsAnError) {
    FakeServer server(
        in_turn({{202, kCopyRunning}, {404, R"({"error":{"code":"not_found","message":"there is no job 4"}})"}}));
    const auto ran = run_at(server, {"copy", "acme"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_THAT(ran.err, HasSubstr("there is no job 4"));
}

TEST(Cli, OnATerminalTheBarGoesAwayAtTheEnd) {
    FakeServer server(in_turn({{202, kJobRunning}, {200, kVerifyClean}}));
    auto around = quick();
    around.terminal.errors_are_terminal = true;
    const auto ran = run_at(server, {"verify", "acme"}, around);
    EXPECT_THAT(ran.err, StartsWith("\rverify acme  ["));
    EXPECT_TRUE(ran.err.ends_with("\r\x1b[K"));
    EXPECT_EQ(ran.out, "acme: 1,200 rows compared, no difference\n");
}

// --- refusals and silence ---

TEST(Cli, WhatIsNotThereNamesTheListThatHasIt) {
    FakeServer server(always(R"({"error": {"code": "not_found", "message": "there is no migration `acm`"}})", 404));
    const auto ran = run_at(server, {"migration", "show", "acm"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_EQ(ran.err,
              "penumbra: there is no migration `acm` (not_found)\n`penumbra migration list` shows what there is.\n");
    EXPECT_THAT(run_at(server, {"tenant", "show", "t"}).err, HasSubstr("`penumbra tenant list`"));
}

TEST(Cli, AServerThatIsNotReadyIsARefusal) {
    FakeServer server(
        always(R"({"error": {"code": "unavailable", "message": "the source cluster is not reachable"}})", 503));
    const auto ran = run_at(server, {"status"});
    EXPECT_EQ(ran.exit, Exit::refused);
    EXPECT_EQ(ran.err, "penumbra: the source cluster is not reachable (unavailable)\n");
}

TEST(Cli, NobodyThereNamesAddressOriginAndRemedy) {
    FakeServer server(always("{}"));
    const auto address = server.address();
    server.stop();
    auto around = quick();
    around.admin_variable = address;
    const auto by_variable = run_with(around, {"status"});
    EXPECT_EQ(by_variable.exit, Exit::unreachable);
    EXPECT_THAT(
        by_variable.err,
        HasSubstr(fmt::format("penumbra: cannot reach the admin address {} (from PENUMBRA_ADMIN): Connection refused\n",
                              address)));
    EXPECT_THAT(by_variable.err, HasSubstr("Is `penumbra serve` running"));
    EXPECT_THAT(by_variable.out, IsEmpty());
    around.admin_variable = "127.0.0.1:1";
    const auto by_flag = run_with(around, {"status", "--admin", address, "-o", "json"});
    EXPECT_THAT(by_flag.err, HasSubstr(fmt::format("{} (from --admin)", address)));
    EXPECT_EQ(boost::json::parse(by_flag.out).at("error").at("code").as_string(), "unavailable");
}

TEST(Cli, ANameThatDoesNotResolve) {
    auto around = quick();
    const auto ran = run_with(around, {"status", "--admin", "no-such-host.invalid:8080"});
    EXPECT_EQ(ran.exit, Exit::unreachable);
    EXPECT_THAT(ran.err, HasSubstr("no-such-host.invalid"));
}

TEST(Cli, ASlowServerIsGivenUpAndAWriteIsUnknown) {
    FakeServer server([](const Asked&) { return Answered{200, kChange, "", std::chrono::seconds(20)}; });
    auto around = quick();
    around.answer_timeout = Millis(100);
    const auto ran = run_at(server, {"reverse", "acme"}, around);
    EXPECT_EQ(ran.exit, Exit::unreachable);
    EXPECT_THAT(ran.err, HasSubstr("no answer in time"));
    EXPECT_THAT(ran.err, HasSubstr("Whether it was done is not known"));
}

TEST(Cli, GarbageIsNotTakenForPenumbra) {
    for (const std::string& raw :
         {std::string("\x84\x00\x00\x00\x00\x00\x00\x00\x04oops", 13), std::string("220 mail.example.org ESMTP\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<html"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")}) {
        FakeServer server([raw](const Asked&) { return Answered{200, "", raw}; });
        const auto ran = run_at(server, {"status", "-o", "json"});
        EXPECT_EQ(ran.exit, Exit::unreachable) << raw;
        EXPECT_THAT(ran.err, HasSubstr("is not Penumbra's admin address")) << raw;
        EXPECT_TRUE(boost::json::parse(ran.out).is_object());
    }
}

TEST(Cli, AnAnswerThatBreaksOffIsNoAnswer) {
    for (const std::string& raw : {std::string("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), std::string()}) {
        FakeServer server([raw](const Asked&) { return Answered{200, "", raw, {}, raw.empty()}; });
        const auto ran = run_at(server, {"status"});
        EXPECT_EQ(ran.exit, Exit::unreachable);
        EXPECT_THAT(ran.err, HasSubstr("closed before the whole answer came"));
    }
}

// --- the command line ---

TEST(Cli, HelpHasEveryVerbAndTheOnesOfOthers) {
    const auto ran = run_with(quick(), {"--help"});
    EXPECT_EQ(ran.exit, Exit::done);
    for (const auto* part :
         {"status", "migration create NAME", "migration list", "migration show NAME", "tenant list", "tenant show T",
          "copy NAME", "verify NAME", "switch NAME", "reverse NAME", "complete NAME", "cancel NAME", "audit NAME",
          "schema report", "serve", "Run the proxy", "convert", "PENUMBRA_ADMIN"}) {
        EXPECT_THAT(ran.out, HasSubstr(part));
    }
    EXPECT_EQ(run_with(quick(), {"help"}).out, ran.out);
    const auto bare = run_with(quick(), {});
    EXPECT_EQ(bare.exit, Exit::usage);
    EXPECT_EQ(bare.err, ran.out);
}

TEST(Cli, EveryVerbHelpsWithExamples) {
    for (const std::vector<std::string>& verb : std::vector<std::vector<std::string>>{{"status"},
                                                                                      {"migration", "create"},
                                                                                      {"migration", "list"},
                                                                                      {"migration", "show"},
                                                                                      {"tenant", "list"},
                                                                                      {"tenant", "show"},
                                                                                      {"copy"},
                                                                                      {"verify"},
                                                                                      {"switch"},
                                                                                      {"reverse"},
                                                                                      {"complete"},
                                                                                      {"cancel"},
                                                                                      {"audit"},
                                                                                      {"schema", "report"}}) {
        auto args = verb;
        args.push_back("--help");
        const auto ran = run_with(quick(), args);
        EXPECT_EQ(ran.exit, Exit::done);
        EXPECT_THAT(ran.out, HasSubstr("Example"));
        EXPECT_THAT(ran.out, HasSubstr("--admin"));
        args = verb;
        args.insert(args.begin(), "help");
        EXPECT_EQ(run_with(quick(), args).out, ran.out);
    }
}

TEST(Cli, Version) {
    EXPECT_EQ(run_with(quick(), {"--version"}).out, "penumbra 0.1.0\n");
}

TEST(Cli, WrongUsageEndsWithTwoAndSaysWhatWasMeant) {
    const auto complaint = [](std::vector<std::string> args) {
        const auto ran = run_with(quick(), std::move(args));
        EXPECT_EQ(ran.exit, Exit::usage);
        EXPECT_THAT(ran.out, IsEmpty());
        return ran.err;
    };
    EXPECT_EQ(complaint({"swich", "acme"}),
              "penumbra: there is no verb `swich`. Did you mean `switch`?\nTry `penumbra --help`.\n");
    EXPECT_THAT(complaint({"serv"}), HasSubstr("Did you mean `serve`?"));
    EXPECT_THAT(complaint({"migration"}), HasSubstr("`penumbra migration` wants one of: list, show, create"));
    EXPECT_THAT(complaint({"migration", "shwo"}), HasSubstr("Did you mean `show`?"));
    EXPECT_THAT(complaint({"switch", "acme"}), HasSubstr("--to PHASE is missing"));
    EXPECT_THAT(complaint({"switch", "acme", "--to", "moon"}), HasSubstr("moon"));
    EXPECT_THAT(complaint({"switch", "acme", "--to", "moon"}), HasSubstr("Try `penumbra switch --help`."));
    EXPECT_THAT(complaint({"reverse", "acme", "--force"}), HasSubstr("--force wants a --reason TEXT"));
    EXPECT_THAT(complaint({"status", "-o", "yaml"}), HasSubstr("yaml"));
    EXPECT_THAT(complaint({"copy"}), HasSubstr("penumbra copy --help"));
    EXPECT_THAT(complaint({"copy", ""}), HasSubstr("name is empty"));
    EXPECT_THAT(complaint({"status", "extra"}), HasSubstr("extra"));
    EXPECT_THAT(complaint({"status", "--admin", "https://x"}), HasSubstr("without TLS"));
    EXPECT_THAT(complaint({"status", "--admin", "host:port"}), HasSubstr("--admin: `host:port` is no admin address"));
}

}  // namespace
}  // namespace penumbra::cli
