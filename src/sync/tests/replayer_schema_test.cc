// What is owed while the schema of the clusters changes, and what the primary is asked first.
#include <filesystem>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "journal/journal.h"
#include "sync/replayer.h"
#include "sync/tests/fake_session.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using testing::FakeSession;
using testing::server_says;

/// app.rows (k int PRIMARY KEY, and these int columns)
cql::SchemaPtr schema_with(std::initializer_list<const char*> columns) {
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "app";
    table.name = "rows";
    table.columns.push_back({"k", integer, cql::ColumnKind::partition_key, 0});
    for (const auto* name : columns) table.columns.push_back({name, integer, cql::ColumnKind::regular});
    auto schema = std::make_shared<cql::Schema>();
    schema->add_keyspace("app", "");
    schema->add_table(std::move(table));
    return schema;
}
cql::SchemaPtr no_tables() {
    return std::make_shared<cql::Schema>();
}

class ReplayerSchemaTest : public ::testing::Test {
  protected:
    ReplayerSchemaTest() {
        std::filesystem::remove_all(directory);
        loop.on([this] { journal = journal::Journal::open({directory}, Clock::system()).value(); });
        options.stream = 1;
        options.poll = 1ms;
        options.longest_pause = 2ms;
        options.scope_of = [](routing::ScopeId) { return std::optional(ReplayScope{routing::Scope{}, "", 1}); };
    }
    ~ReplayerSchemaTest() override {
        if (replayer) loop.run_void([this] { return replayer->stop(); });
        loop.on([this] {
            replayer.reset();
            journal.reset();
        });
        std::filesystem::remove_all(directory);
    }
    void both_have(const cql::SchemaPtr& schema) {
        source.schema_now = target.schema_now = [schema] { return schema; };
    }
    void owe(const OwedResync& owed) {
        loop.on([&] {
            Bytes payload;
            encode_owed_resync(owed, payload);
            journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); });
        });
    }
    void start() {
        loop.on([this] {
            replayer = std::make_unique<Replayer>(*journal, target, source, traffic, options);
            replayer->start();
        });
    }
    bool paid() const { return journal->owed_of(1, kScope).entries == 0; }

    static constexpr std::uint32_t kScope = 7;
    const OwedResync order{"app", "rows", cql::encode_int(3)};
    cluster::testing::Loop loop;
    std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "replayer_schema_test";
    std::unique_ptr<journal::Journal> journal;
    FakeSession source, target;
    NoTraffic traffic;
    ReplayOptions options;
    std::unique_ptr<Replayer> replayer;
};

TEST_F(ReplayerSchemaTest, RowsWaitForAColumnThatTheShadowWillHave) {
    source.schema_now = [] { return schema_with({"v", "added"}); };
    int looks = 0;
    target.schema_now = [&looks] { return ++looks < 5 ? schema_with({"v"}) : schema_with({"v", "added"}); };
    owe(order);
    start();
    loop.until([this] { return paid(); });
    EXPECT_EQ(replayer->counts().set_aside, 0U);
    EXPECT_EQ(replayer->counts().resyncs, 1U);
    EXPECT_GE(looks, 5);
    ASSERT_FALSE(source.asked.empty());
    for (const auto& read : source.asked) EXPECT_NE(read.text.find("added"), std::string::npos) << read.text;
}

TEST_F(ReplayerSchemaTest, AColumnThatNeverComesSetsThemAside) {
    options.schema_patience = 30ms;
    source.schema_now = [] { return schema_with({"v", "added"}); };
    target.schema_now = [] { return schema_with({"v"}); };
    owe(order);
    start();
    loop.until([this] { return replayer->counts().set_aside == 1; });
    const auto aside = journal->set_aside_entries({}, 10);
    ASSERT_EQ(aside.size(), 1U);
    EXPECT_NE(aside[0].reason.find("the shadow has no column added"), std::string::npos) << aside[0].reason;
}

TEST_F(ReplayerSchemaTest, AReadInTheWordsOfYesterdayIsAskedAgainInTodays) {
    bool dropped = false;
    source.schema_now = target.schema_now = [&dropped] {
        return dropped ? schema_with({"v"}) : schema_with({"v", "gone"});
    };
    source.answer = [&dropped](const FakeSession::Asked& asked) -> Result<cql::Rows> {
        if (asked.text.find("gone") == std::string::npos) return cql::Rows();
        dropped = true;
        return fail(server_says(ErrorCode::invalid));
    };
    owe(order);
    start();
    loop.until([this] { return paid(); });
    EXPECT_TRUE(dropped);
    EXPECT_EQ(replayer->counts().set_aside, 0U);
}

TEST_F(ReplayerSchemaTest, ARefusalThatNoSchemaChangeExplainsIsForGood) {
    both_have(schema_with({"v"}));
    source.answer = [](const auto&) -> Result<cql::Rows> { return fail(server_says(ErrorCode::invalid)); };
    owe(order);
    start();
    loop.until([this] { return replayer->counts().set_aside == 1; });
    EXPECT_EQ(source.asked.size(), 1U);
}

TEST_F(ReplayerSchemaTest, NobodyOwesRowsOfATableThatBothHaveDropped) {
    bool there_too = false;
    source.schema_now = no_tables;
    target.schema_now = [&there_too] { return std::exchange(there_too, true) ? no_tables() : schema_with({"v"}); };
    owe(order);
    start();
    loop.until([this] { return paid(); });
    EXPECT_EQ(replayer->counts().set_aside, 0U);
    EXPECT_TRUE(source.asked.empty());
}

TEST_F(ReplayerSchemaTest, AConditionalWriteOfUnknownFateIsFinishedBeforeItsRowsAreRead) {
    both_have(schema_with({"v"}));
    owe(order);
    auto serial = order;
    serial.partition_key = cql::encode_int(4);
    serial.serial = cql::Consistency::local_serial;
    owe(serial);
    options.parallelism = 1;
    start();
    loop.until([this] { return paid(); });
    ASSERT_EQ(source.asked.size(), 3U);
    EXPECT_EQ(source.asked[0].consistency, cql::Consistency::local_quorum);
    EXPECT_EQ(source.asked[1].consistency, cql::Consistency::local_serial);
    EXPECT_EQ(source.asked[1].text, "SELECT k FROM app.rows WHERE k = ? LIMIT 1");
    EXPECT_EQ(source.asked[2].consistency, cql::Consistency::local_quorum);
    for (const auto& read : target.asked) EXPECT_EQ(read.consistency, cql::Consistency::local_quorum);
}

}  // namespace
}  // namespace penumbra::sync
