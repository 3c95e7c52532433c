// What is owed while the schema of the clusters changes, and what the primary is asked first.
#include <gtest/gtest.h>

#include "cql/types/scalars.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using testing::FakeSession;
using testing::no_tables;
using testing::Replaying;
using testing::schema_with;
using testing::server_says;

class ReplayerSchemaTest : public Replaying {
  protected:
    const OwedResync order{"app", "rows", cql::encode_int(3)};
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
