#include <functional>
#include <future>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/server.h"
#include "control/tests/fakes.h"

namespace penumbra::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using control::testing::TempDirectory;
using control::testing::World;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Bytes as a client would send them, and whatever comes back until the server hangs up or `expected` bytes are there.
class RawClient {
  public:
    explicit RawClient(const Endpoint& to) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        timeval limit{5, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        EXPECT_EQ(::connect(fd_, to.raw(), to.raw_size()), 0);
    }
    ~RawClient() { ::close(fd_); }
    RawClient(const RawClient&) = delete;
    void send(std::string_view bytes) {
        EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    std::string read_all() {
        std::string all;
        char buffer[4096];
        for (;;) {
            const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
            if (got <= 0) return all;
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }

  private:
    int fd_;
};

/// 127.0.0.1, any free port.
Endpoint loopback() {
    const Byte address[] = {127, 0, 0, 1};
    return Endpoint::from_address(address, 0).value();
}

struct Answer {
    unsigned status = 0;
    std::string body;
    json::value json;
};

/// A control shard with a played world and the real server in front of it. Requests are made from the test's thread.
class AdminTest : public ::testing::Test {
  protected:
    void SetUp() override {
        control_.start();
        on_control([this] { return set_up(this); });
    }
    void TearDown() override {
        on_control([this] { return tear_down(this); });
        control_.stop();
    }

    static Task<Unit> set_up(AdminTest* self) {
        self->world_ = std::make_unique<World>(self->directory_.path());
        auto started = co_await self->world_->start();
        EXPECT_TRUE(started);
        ApiOptions options;
        options.version = "0.1.0";
        options.listen = Endpoint::parse("127.0.0.9:9042").value();
        options.started = Shard::here().clock().now();
        options.schema_changes = &self->schema_changes_;
        journal::Options journal;
        journal.directory = self->directory_.path() / "journal";
        self->journal_ = std::move(journal::Journal::open(journal, Clock::system())).value();
        self->set_aside_ =
            std::make_unique<control::SetAside>(*self->journal_, *self->world_->coordinator, self->world_->background);
        options.set_aside = self->set_aside_.get();
        options.replay = [](routing::Side) {
            sync::ReplayCounts counts;
            counts.settled = 7;
            counts.per_second = 1.5;
            return counts;
        };
        self->api_ = std::make_unique<Api>(*self->world_->coordinator, options);
        self->server_ = std::make_unique<AdminServer>(*self->api_, self->control_);
        HttpOptions http;
        http.max_body = 4096;
        http.idle_timeout = 300ms;
        http.max_connections = 8;
        self->at_ = self->server_->listen(loopback(), http).value();
        co_return Unit{};
    }
    static Task<Unit> tear_down(AdminTest* self) {
        co_await self->server_->stop();
        self->server_.reset();
        self->api_.reset();
        self->set_aside_.reset();
        self->journal_.reset();
        co_await self->world_->stop();
        self->world_.reset();
        co_return Unit{};
    }

    /// Runs a coroutine on the control shard and waits for it here.
    void on_control(std::function<Task<Unit>()> make) {
        std::promise<void> done;
        control_.post([&] { gate_.spawn(tell(make(), &done)); });
        done.get_future().get();
    }
    static Task<void> tell(Task<Unit> task, std::promise<void>* done) {
        co_await std::move(task);
        done->set_value();
    }

    Answer ask(std::string_view method, std::string_view target, std::string_view body = "",
               std::string_view headers = "") {
        RawClient client(at_);
        client.send(fmt::format("{} {} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{}",
                                method, target, headers, body.size(), body));
        return parse(client.read_all());
    }
    static Answer parse(const std::string& raw) {
        Answer answer;
        if (raw.size() > 12) answer.status = static_cast<unsigned>(std::atoi(raw.c_str() + 9));
        const auto end = raw.find("\r\n\r\n");
        if (end != std::string::npos) answer.body = raw.substr(end + 4);
        boost::system::error_code error;
        answer.json = json::parse(answer.body, error);
        return answer;
    }
    /// An order that the target refused for good; its entry.
    std::uint64_t set_aside(std::uint32_t scope) {
        std::uint64_t entry = 0;
        on_control([&]() { return refuse(journal_.get(), scope, &entry); });
        return entry;
    }
    static Task<Unit> refuse(journal::Journal* journal, std::uint32_t scope, std::uint64_t* entry) {
        Bytes payload;
        sync::encode_owed_resync({"shop", "settings", {Byte{0}, Byte{0}, Byte{0}, Byte{7}}}, payload);
        const OneShot<journal::EntryId> done;
        journal->append(1, scope, payload, [done](Result<journal::EntryId> id) { done.set(id.value()); });
        const auto id = co_await done;
        journal->set_aside(id, "unconfigured table settings");
        *entry = id.value();
        co_return Unit{};
    }
    std::string code(const Answer& answer) { return std::string(answer.json.at("error").at("code").as_string()); }
    std::string message(const Answer& answer) { return std::string(answer.json.at("error").at("message").as_string()); }
    json::value finish_job(const Answer& started) {
        const auto target = fmt::format("/v1/jobs/{}", started.json.at("id").to_number<int>());
        for (;;) {
            auto job = ask("GET", target);
            if (job.json.at("state") != "running") return job.json;
            std::this_thread::sleep_for(5ms);
        }
    }

    TempDirectory directory_;
    Shard control_{"control"};
    Gate gate_;
    std::unique_ptr<World> world_;
    proxy::SchemaChanges schema_changes_;
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<control::SetAside> set_aside_;
    std::unique_ptr<Api> api_;
    std::unique_ptr<AdminServer> server_;
    Endpoint at_;
};

TEST_F(AdminTest, TellsWhatIsOwedToWhomAndHowOldItIs) {
    ask("POST", "/v1/migrations", R"({"name": "acme", "tenants": ["acme-id"]})");
    const auto acme = world_->migration("acme").id;
    world_->owed.set(routing::Side::target, acme, 5, 2);
    const auto journal = ask("GET", "/v1/journal");
    ASSERT_EQ(journal.status, 200u) << journal.body;
    EXPECT_EQ(journal.json.at("owed").to_number<int>(), 5);
    EXPECT_EQ(journal.json.at("set_aside").to_number<int>(), 2);
    const auto& target = journal.json.at("clusters").at(1);
    EXPECT_EQ(target.at("cluster"), "target");
    EXPECT_EQ(target.at("owed").to_number<int>(), 5);
    EXPECT_GT(target.at("oldest_owed_seconds").as_double(), 1e6);
    EXPECT_EQ(target.at("replay").at("per_second").as_double(), 1.5);
    EXPECT_EQ(target.at("replay").at("seconds_left").as_double(), 2.0) << "three wait, at one and a half a second";
    EXPECT_EQ(journal.json.at("migrations").as_array().size(), 1u);
    EXPECT_EQ(journal.json.at("migrations").at(0).at("migration"), "acme");
    for (const auto* target_of : {"/v1/tenants/acme-id", "/v1/migrations/acme"}) {
        const auto seen = ask("GET", target_of);
        EXPECT_EQ(seen.json.at("set_aside").to_number<int>(), 2) << target_of;
        EXPECT_GT(seen.json.at("oldest_owed_seconds").as_double(), 1e6) << target_of;
    }
    const auto metrics = ask("GET", "/metrics");
    EXPECT_THAT(metrics.body, HasSubstr("penumbra_migration_set_aside{migration=\"acme\",cluster=\"target\"} 2"));
    EXPECT_THAT(metrics.body,
                HasSubstr("penumbra_migration_oldest_owed_seconds{migration=\"acme\",cluster=\"target\"} "));
}

TEST_F(AdminTest, WhatWasSetAsideIsListedRetriedAndDropped) {
    ask("POST", "/v1/migrations", R"({"name": "acme", "tenants": ["acme-id"]})");
    const auto scope = world_->migration("acme").id.value();
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(set_aside(scope));
    const auto listed = ask("GET", "/v1/migrations/acme/set-aside");
    ASSERT_EQ(listed.status, 200u) << listed.body;
    ASSERT_EQ(listed.json.at("set_aside").as_array().size(), 3u);
    const auto& first = listed.json.at("set_aside").at(0);
    EXPECT_EQ(first.at("entry").to_number<std::uint64_t>(), ids[0]);
    EXPECT_EQ(first.at("migration"), "acme");
    EXPECT_EQ(first.at("reason"), "unconfigured table settings");
    EXPECT_EQ(first.at("kind"), "resync");
    EXPECT_EQ(first.at("where"), "shop.settings id=7");
    EXPECT_EQ(first.at("cluster"), "target");
    EXPECT_EQ(ask("GET", "/v1/set-aside").json.at("set_aside").as_array().size(), 3u);
    EXPECT_EQ(ask("GET", "/v1/migrations/nobody/set-aside").status, 404u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/set-aside").status, 404u) << "no verb";
    EXPECT_EQ(ask("POST", "/v1/set-aside/eat").status, 404u);

    const auto retried =
        ask("POST", "/v1/migrations/acme/set-aside/retry", fmt::format(R"({{"entries": [{}]}})", ids[0]));
    EXPECT_EQ(retried.json.at("done").as_array().size(), 1u) << retried.body;
    EXPECT_EQ(retried.json.at("left").to_number<int>(), 2);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/set-aside/retry", R"({"entries": ["x"]})").status, 400u);

    for (const auto* body : {"", R"({"all": true})", R"({"all": true, "confirm": "acne"})", R"({"confirm": "acme"})"}) {
        const auto refused = ask("POST", "/v1/migrations/acme/set-aside/drop", body);
        EXPECT_EQ(refused.status, 400u) << body;
    }
    EXPECT_EQ(journal_->owed_total().set_aside, 2u) << "nothing went that was not confirmed";
    const auto dropped = ask("POST", "/v1/migrations/acme/set-aside/drop", R"({"all": true, "confirm": "acme"})");
    EXPECT_EQ(dropped.json.at("done").as_array().size(), 2u) << dropped.body;
    EXPECT_EQ(journal_->owed_total().set_aside, 0u);
    const auto audit = ask("GET", "/v1/migrations/acme/audit");
    EXPECT_EQ(audit.json.at("audit").at(0).at("command"), "set-aside drop");
}

TEST_F(AdminTest, TakesAMigrationAllTheWay) {
    auto made = ask("POST", "/v1/migrations",
                    R"({"name": "acme", "tenants": ["acme-id"], "tables": {"deny": ["*.migrations"]}})");
    ASSERT_EQ(made.status, 201u) << made.body;
    EXPECT_EQ(made.json.at("phase"), "source_only");
    EXPECT_EQ(made.json.at("next"), "shadow_async");
    EXPECT_EQ(made.json.at("tables").at("allow"), json::array({"*.*"}));
    EXPECT_EQ(made.json.at("tables").at("deny"), json::array({"*.migrations"}));
    EXPECT_TRUE(made.json.at("shadow_since").is_null());
    EXPECT_TRUE(made.json.at("last_switch").is_null());

    auto moved = ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_async"})");
    ASSERT_EQ(moved.status, 200u) << moved.body;
    EXPECT_EQ(moved.json.at("from"), "source_only");
    EXPECT_EQ(moved.json.at("to"), "shadow_async");
    EXPECT_EQ(moved.json.at("wait_ms").as_double(), 1.9);
    EXPECT_EQ(moved.json.at("held_requests").to_number<int>(), 3);
    EXPECT_EQ(moved.json.at("dry_run"), false);
    EXPECT_EQ(moved.json.at("gates").as_array().size(), 3u);

    auto refused = ask("POST", "/v1/migrations/acme-id/switch", R"({"to": "shadow_sync"})");
    EXPECT_EQ(refused.status, 409u);
    EXPECT_EQ(code(refused), "conflict");
    bool copied = true;
    for (const auto& gate : refused.json.at("gates").as_array()) {
        if (gate.at("gate") == "copied") copied = gate.at("passed").as_bool();
    }
    EXPECT_FALSE(copied) << "the gates come with the refusal";
    auto dry = ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_sync", "dry_run": true})");
    EXPECT_EQ(dry.status, 200u);
    EXPECT_EQ(dry.json.at("dry_run"), true);

    auto copy = ask("POST", "/v1/migrations/acme/copy");
    ASSERT_EQ(copy.status, 202u) << copy.body;
    auto job = finish_job(copy);
    EXPECT_EQ(job.at("kind"), "copy");
    EXPECT_EQ(job.at("state"), "done");
    EXPECT_EQ(job.at("result").at("rows").to_number<int>(), 40);
    EXPECT_EQ(job.at("progress").at("done").to_number<int>(), 4);
    EXPECT_TRUE(job.at("error").is_null());
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_sync"})").status, 200u);

    world_->work.differences = 1;
    auto verify = finish_job(ask("POST", "/v1/migrations/acme/verify", R"({"repair": false})"));
    EXPECT_EQ(verify.at("result").at("samples").at(0).at("kind"), "value");
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/switch", R"({"to": "target_primary"})").status, 409u);
    verify = finish_job(ask("POST", "/v1/migrations/acme/verify", R"({"repair": true})"));
    EXPECT_EQ(verify.at("result").at("repaired").to_number<int>(), 1);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/switch", R"({"to": "target_primary"})").status, 200u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/reverse").status, 200u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/cancel", "{}").status, 200u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/complete").status, 409u);

    auto audit = ask("GET", "/v1/migrations/acme/audit");
    EXPECT_EQ(audit.json.at("audit").at(0).at("command"), "complete");
    EXPECT_EQ(audit.json.at("audit").at(0).at("outcome"), "refused");
    EXPECT_EQ(audit.json.at("audit").at(1).at("command"), "cancel");
    EXPECT_EQ(ask("DELETE", "/v1/migrations/acme").status, 200u);
    EXPECT_EQ(ask("GET", "/v1/migrations/acme").status, 404u);
    EXPECT_EQ(ask("GET", "/v1/migrations/acme/audit").status, 200u);
}

TEST_F(AdminTest, TellsStatusTenantsAndMetrics) {
    EXPECT_EQ(ask("POST", "/v1/migrations", R"({"name": "acme", "tenants": ["a/b c"]})").status, 201u);
    const auto status = ask("GET", "/v1/status");
    ASSERT_EQ(status.status, 200u);
    EXPECT_EQ(status.json.at("version"), "0.1.0");
    EXPECT_EQ(status.json.at("listen"), "127.0.0.9:9042");
    EXPECT_EQ(status.json.at("tenant_column"), "system_domain_id");
    EXPECT_EQ(status.json.at("default_phase"), "source_only");
    EXPECT_EQ(status.json.at("clusters").at("target").at("release_version"), "5.0.5");
    EXPECT_EQ(status.json.at("clients").at("connections").to_number<int>(), 3);
    EXPECT_EQ(status.json.at("requests").at("longest_hold_ms").as_double(), 2.1);
    EXPECT_EQ(status.json.at("journal").at("bytes").to_number<int>(), 4096);
    EXPECT_EQ(status.json.at("migrations").at(0).at("name"), "acme");

    const auto tenants = ask("GET", "/v1/tenants");
    EXPECT_EQ(tenants.json.at("tenants").at(0).at("tenant"), "a/b c");
    const auto tenant = ask("GET", "/v1/tenants/a%2Fb%20c");
    EXPECT_EQ(tenant.json.at("migration"), "acme");
    EXPECT_EQ(tenant.json.at("phase"), "source_only");
    EXPECT_EQ(ask("GET", "/v1/tenants/nobody").status, 404u);

    const auto list = ask("GET", "/v1/migrations/");
    EXPECT_EQ(list.json.at("migrations").as_array().size(), 1u);
    const auto metrics = ask("GET", "/metrics?x=1");
    EXPECT_EQ(metrics.status, 200u);
    EXPECT_THAT(metrics.body, HasSubstr("penumbra_migration_phase{migration=\"acme\",phase=\"source_only\"} 1\n"));
}

TEST_F(AdminTest, MistakesAreNamed) {
    const auto post = [&](std::string_view target, std::string_view body) { return ask("POST", target, body); };
    EXPECT_EQ(post("/v1/migrations", R"({"name": "acme", "tenants": ["x"]})").status, 201u);
    struct Case {
        std::string target, body;
        unsigned status;
        std::string says;
    };
    for (const auto& one : std::vector<Case>{
             {"/v1/migrations", "{", 400, "not JSON"},
             {"/v1/migrations", "[]", 400, "not a JSON object"},
             {"/v1/migrations", "{}", 400, "\"name\" is missing"},
             {"/v1/migrations", R"({"name": 5})", 400, "\"name\" is not a text"},
             {"/v1/migrations", R"({"name": "a b"})", 400, "no name for a migration"},
             {"/v1/migrations", R"({"name": "b", "tenants": "x"})", 400, "list of texts"},
             {"/v1/migrations", R"({"name": "b", "tennants": ["x"]})", 400, "unknown member \"tennants\""},
             {"/v1/migrations", R"({"name": "b", "tables": {"allow": ["media"]}})", 400, "not a table pattern"},
             {"/v1/migrations", R"({"name": "b", "tenants": ["x"]})", 409, "overlaps that of migration 'acme'"},
             {"/v1/migrations", R"({"name": "acme"})", 409, "already"},
             {"/v1/migrations/acme/switch", "", 400, "\"to\" is missing"},
             {"/v1/migrations/acme/switch", R"({"to": "nowhere"})", 400, "'nowhere' is not a phase"},
             {"/v1/migrations/acme/switch", R"({"to": "shadow_async", "dryrun": true})", 400,
              "unknown member \"dryrun\""},
             {"/v1/migrations/acme/switch", R"({"to": "shadow_async", "dry_run": "yes"})", 400,
              "neither true nor false"},
             {"/v1/migrations/acme/switch", R"({"to": "shadow_async", "force": true})", 400, "--reason"},
             {"/v1/migrations/acme/switch", R"({"to": "target_only"})", 409, "does not lead to target_only"},
             {"/v1/migrations/nobody/switch", R"({"to": "shadow_async"})", 404, "no migration 'nobody'"},
             {"/v1/migrations/acme/copy", "", 409, "switch to shadow_async first"},
             {"/v1/migrations/acme/explode", "", 404, "there is no POST /v1/migrations/acme/explode"},
             {"/v1/status", "", 404, "there is no POST /v1/status"},
         }) {
        const auto answer = post(one.target, one.body);
        EXPECT_EQ(answer.status, one.status) << one.target << " " << one.body << " " << answer.body;
        EXPECT_THAT(message(answer), HasSubstr(one.says)) << one.target << " " << one.body;
    }
    EXPECT_EQ(ask("GET", "/v1/jobs/7").status, 404u);
    EXPECT_EQ(ask("GET", "/v1/jobs/x").status, 404u);
    EXPECT_EQ(ask("GET", "/").status, 404u);
    EXPECT_EQ(ask("GET", "/v1/%zz").status, 400u);
    const auto foreign =
        ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_async"})", "Origin: http://evil.example\r\n");
    EXPECT_EQ(foreign.status, 400u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_async"})", "Origin: http://here\r\n").status,
              200u);
}

TEST_F(AdminTest, TellsWhatBecameOfSchemaChanges) {
    EXPECT_EQ(ask("GET", "/v1/schema/changes").json, json::parse(R"({"total": 0, "schema_changes": []})"));
    proxy::SchemaChangeRecord record;
    record.at = 1'700'000'000'000'000;
    record.statement = "ALTER TABLE a.b WITH x = 1";
    record.cluster = "target";
    record.outcome = proxy::SchemaChangeRecord::Outcome::nothing;
    record.changes = {{"x = 1 left out", "unknown there"}};
    schema_changes_.add(record);
    record.outcome = proxy::SchemaChangeRecord::Outcome::failed;
    record.sent = {"ALTER TABLE a.b WITH y = 1"};
    record.changes.clear();
    record.error = "no such table \"\xff\"";
    schema_changes_.add(record);
    const auto told = ask("GET", "/v1/schema/changes");
    EXPECT_EQ(told.status, 200u);
    EXPECT_EQ(told.json.at("total").to_number<int>(), 2);
    EXPECT_EQ(
        told.json.at("schema_changes").at(0),
        json::parse(R"({"at": "2023-11-14T22:13:20Z", "statement": "ALTER TABLE a.b WITH x = 1", "cluster": "target",
                              "outcome": "nothing", "sent": [], "changes": [{"what": "x = 1 left out", "why": "unknown there"}]})"));
    EXPECT_EQ(told.json.at("schema_changes").at(1).at("outcome"), "failed");
    EXPECT_EQ(told.json.at("schema_changes").at(1).at("error"), "no such table \"\xEF\xBF\xBD\"");
    EXPECT_EQ(told.json.at("schema_changes").at(1).at("sent").at(0), "ALTER TABLE a.b WITH y = 1");
    EXPECT_EQ(ask("POST", "/v1/schema/changes").status, 404u);
}

TEST_F(AdminTest, JobsCanBeStopped) {
    EXPECT_EQ(ask("POST", "/v1/migrations", R"({"name": "acme", "tenants": ["x"]})").status, 201u);
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/switch", R"({"to": "shadow_async"})").status, 200u);
    world_->work.waits = true;
    EXPECT_EQ(ask("POST", "/v1/migrations/acme/copy").status, 202u);
    while (world_->work.portions_done < 2) std::this_thread::sleep_for(1ms);
    const auto running = ask("GET", "/v1/jobs/1");
    EXPECT_EQ(running.json.at("state"), "running");
    EXPECT_EQ(running.json.at("progress").at("seconds_left").as_double(), 1.5);
    EXPECT_EQ(running.json.at("progress").at("done").to_number<int>(), 2);
    const auto stopped = ask("POST", "/v1/jobs/1/stop");
    EXPECT_EQ(stopped.json.at("state"), "cancelled");
    EXPECT_EQ(ask("POST", "/v1/jobs/1/stop").status, 200u);
}

TEST_F(AdminTest, GarbageIsAnsweredOrHungUpOn) {
    for (const auto* garbage : {"\x16\x03\x01\x02garbage\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                                "\r\n\r\n\r\n\r\n", "GET /v1/status HTTP/1.1\r\nContent-Length: x\r\n\r\n"}) {
        RawClient client(at_);
        client.send(garbage);
        const auto answer = client.read_all();
        EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 400")) << answer;
    }
    RawClient large(at_);
    large.send("POST /v1/migrations HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
    EXPECT_THAT(large.read_all(), StartsWith("HTTP/1.1 413"));
    RawClient long_header(at_);
    long_header.send("GET /v1/status HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
    const auto refused = long_header.read_all();
    EXPECT_TRUE(refused.empty() || refused.starts_with("HTTP/1.1 400")) << refused.substr(0, 80);
    std::mt19937 random(7);
    for (int i = 0; i < 50; ++i) {
        std::string noise(random() % 300, ' ');
        for (auto& c : noise) c = static_cast<char>(random());
        RawClient client(at_);
        client.send(noise + "\r\n\r\n");
        client.read_all();
    }
    EXPECT_EQ(ask("GET", "/v1/status").status, 200u) << "and the server still serves";
}

TEST_F(AdminTest, SlowClientsDoNotStayForever) {
    // More than the server takes at once, each with half a request: they are hung up on, and the next one is served.
    std::vector<std::unique_ptr<RawClient>> slow;
    for (int i = 0; i < 12; ++i) {
        slow.push_back(std::make_unique<RawClient>(at_));
        slow.back()->send("GET /v1/sta");
    }
    EXPECT_EQ(ask("GET", "/v1/status").status, 200u);
}

TEST_F(AdminTest, OneConnectionManyRequests) {
    RawClient client(at_);
    client.send(
        "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/migrations HTTP/1.1\r\nHost: x\r\nConnection: "
        "close\r\n\r\n");
    const auto both = client.read_all();
    EXPECT_THAT(both, HasSubstr("\"version\""));
    EXPECT_THAT(both, HasSubstr("\"migrations\":[]}"));
}

TEST_F(AdminTest, ATakenPortIsNamed) {
    const auto second = HttpServer::start({.listen = at_}, [](HttpRequest, HttpServer::Reply) {});
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().what, HasSubstr("cannot listen on " + to_string(at_)));
    EXPECT_THAT(second.error().what, HasSubstr("another program has this port"));
    const auto foreign =
        HttpServer::start({.listen = Endpoint::parse("192.0.2.1:80").value()}, [](HttpRequest, HttpServer::Reply) {});
    EXPECT_THAT(foreign.error().what, HasSubstr("no such address"));
}

TEST(Http, TargetsAndSegments) {
    EXPECT_THAT(split_target("/v1/tenants/a%2Fb?x=/y").value(), ::testing::ElementsAre("v1", "tenants", "a/b"));
    EXPECT_THAT(split_target("/").value(), ::testing::IsEmpty());
    EXPECT_THAT(split_target("/a/").value(), ::testing::ElementsAre("a"));
    for (const auto* bad : {"", "x", "/%", "/%1", "/%g0"}) EXPECT_FALSE(split_target(bad)) << bad;
    EXPECT_EQ(encode_segment("a/b c\xc3\xa9"), "a%2Fb%20c%C3%A9");
}

}  // namespace
}  // namespace penumbra::admin
