// What the replayer makes of a cluster that does not take a statement: whom that holds up, and whom not.
#include <set>

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using cql::ErrorCode;
using testing::Replaying;

class ReplayerSendTest : public Replaying {
  protected:
    ReplayerSendTest() {
        both_have(testing::schema_with({"v"}));
        answers_void();
    }
    void answers_void() {
        target.reply.clear();
        cql::encode_void(target.reply, {});
    }
    void answers(ErrorCode code, cql::ErrorDetail detail) {
        target.reply.clear();
        cql::encode_error(target.reply, {}, {code, "as the test said", std::move(detail)});
    }
    void answers_unavailable() { answers(ErrorCode::unavailable, cql::Unavailable{cql::Consistency::one, 1, 0}); }
    /// The statement names its key in its text, by which on_send() knows it: what was sent last.
    void owe_insert(int key, std::uint32_t scope = kScope) {
        Bytes frame, payload;
        cql::encode_query(frame, {}, "INSERT INTO app.rows (k, v) VALUES (" + std::to_string(key) + ", 1)", {});
        encode_owed_statement("app", {}, {}, frame, payload);
        loop.on([&] { journal->append(1, scope, payload, [this](auto id) { journal->release(id.value()); }); });
    }
    bool was_sent(int key) const {
        const auto words = "VALUES (" + std::to_string(key) + ",";
        const std::string_view sent(reinterpret_cast<const char*>(target.sent.data()), target.sent.size());
        return sent.find(words) != sent.npos;
    }
    void await_owed(std::size_t entries) {
        loop.until([&] { return journal->owed(1, 10'000).size() == entries; });
    }
};

TEST_F(ReplayerSendTest, WhatANodeDoesNotKnowIsPreparedThereAndSentThere) {
    // Two nodes that are asked in turn: whoever prepares on one and sends to the next never gets through.
    std::set<std::string> know;
    target.on_send = [&] {
        for (const auto& node : target.prepared_on) know.insert(to_string(node));
        if (know.contains(to_string(target.sent_to))) {
            answers_void();
        } else {
            static const Bytes kId = cql::encode_int(1);
            answers(ErrorCode::unprepared, cql::Unprepared{kId});
        }
    };
    for (int i = 0; i < 4; ++i) {
        Bytes frame, payload;
        const auto id = cql::encode_int(i);
        cql::RequestHead head;
        cql::encode_execute(frame, head, id, {}, {});
        encode_owed_statement("app", {{id, "INSERT INTO rows (k, v) VALUES (1, 1)", "app"}}, {}, frame, payload);
        loop.on([&] { journal->append(1, kScope, payload, [this](auto e) { journal->release(e.value()); }); });
    }
    await_owed(4);
    start();
    loop.until([this] { return paid(); });
    EXPECT_EQ(replayer->counts().retries, 0U);
    EXPECT_EQ(replayer->counts().statements, 4U);
}

TEST_F(ReplayerSendTest, OneEntryThatIsNotTakenHoldsUpNoOther) {
    target.on_send = [this] { was_sent(4) ? answers_unavailable() : answers_void(); };
    owe_insert(4);
    for (int other = 100; other < 200; ++other) owe_insert(other);
    await_owed(101);
    start();
    await_owed(1);
    EXPECT_EQ(replayer->counts().statements, 100U);
    EXPECT_EQ(replayer->counts().set_aside, 0U) << "time is the cure for what is unavailable";
    target.on_send = [this] { answers_void(); };
    loop.until([this] { return paid(); });
}

TEST_F(ReplayerSendTest, NorDoesOneScopeHoldUpAnother) {
    target.on_send = [this] { was_sent(4) ? answers_unavailable() : answers_void(); };
    for (int i = 0; i < 500; ++i) owe_insert(4);
    owe_insert(5, kScope + 1);
    await_owed(501);
    start();
    loop.until([this] { return journal->owed_of(1, kScope + 1).entries == 0; });
    EXPECT_EQ(journal->owed_of(1, kScope).entries, 500U);
    EXPECT_LT(target.sent_at.size(), 100U);
}

TEST_F(ReplayerSendTest, WhatReplicasFailAtWhileTheyTakeOthersIsSetAside) {
    options.attempts_when_replicas_fail = 3;
    const cql::WriteFailure failure{cql::Consistency::one, 0, 1, {.count = 1}, "SIMPLE"};
    target.on_send = [&] { was_sent(4) ? answers(ErrorCode::write_failure, failure) : answers_void(); };
    owe_insert(4);
    await_owed(1);
    start();
    loop.until([this] { return replayer->counts().retries >= 10; });
    EXPECT_EQ(replayer->counts().set_aside, 0U) << "they take nothing: it may be they";
    for (int other = 100; replayer->counts().set_aside == 0; ++other) {
        owe_insert(other);
        await_owed(1);
        const auto retries = target.sent_at.size();
        loop.until([&] { return target.sent_at.size() > retries || replayer->counts().set_aside > 0; });
        ASSERT_LT(other, 120);
    }
    ASSERT_EQ(journal->set_aside_entries(kScope, 10).size(), 1U);
    EXPECT_NE(journal->set_aside_entries(kScope, 10)[0].reason.find("as the test said"), std::string::npos);
}

}  // namespace
}  // namespace penumbra::sync
