// How fast owed statements are sent: never above the bound, one at a time to a cluster that is slow.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "journal/journal.h"
#include "sync/replayer.h"
#include "sync/tests/fake_session.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;
using testing::FakeSession;

class ReplayPace : public ::testing::Test {
  protected:
    ReplayPace() {
        std::filesystem::remove_all(directory);
        loop.on([this] { journal = journal::Journal::open({directory}, Clock::system()).value(); });
        options.stream = 1;
        options.poll = 1ms;
        options.scope_of = [](routing::ScopeId) { return std::optional(ReplayScope{routing::Scope{}, "", 1}); };
        cql::encode_void(target.reply, {});
    }
    ~ReplayPace() override {
        if (replayer) loop.run_void([this] { return replayer->stop(); });
        loop.on([this] {
            replayer.reset();
            journal.reset();
        });
        std::filesystem::remove_all(directory);
    }
    void owe(int statements) {
        Bytes frame, payload;
        cql::encode_query(frame, {}, "INSERT INTO app.rows (k) VALUES (1)", {});
        encode_owed_statement("app", {}, {}, frame, payload);
        loop.on([&] {
            for (int i = 0; i < statements; ++i)
                journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); });
        });
        loop.until([&] { return journal->owed(1, 1'000'000).size() == static_cast<std::size_t>(statements); });
    }
    void pay() {
        loop.on([this] {
            replayer = std::make_unique<Replayer>(*journal, target, source, traffic, options);
            replayer->start();
        });
        loop.until([this] { return journal->owed_of(1, kScope).entries == 0; });
    }

    static constexpr std::uint32_t kScope = 7;
    cluster::testing::Loop loop;
    std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "replay_pace_test";
    std::unique_ptr<journal::Journal> journal;
    FakeSession source, target;
    NoTraffic traffic;
    ReplayOptions options;
    std::unique_ptr<Replayer> replayer;
};

TEST_F(ReplayPace, NeverFasterThanAllowed) {
    options.per_second = 40;
    owe(60);
    pay();
    ASSERT_EQ(target.sent_at.size(), 60U);
    // A second's worth may be made up for at once, here at the start; from then on each has to wait for its turn.
    const auto begin = target.sent_at.front();
    for (std::size_t i = 0; i < target.sent_at.size(); ++i) {
        const auto seconds = std::chrono::duration<double>(target.sent_at[i] - begin).count();
        EXPECT_LE(static_cast<double>(i), 40 * (1 + seconds) + 1) << i;
    }
    EXPECT_EQ(replayer->counts().statements, 60U);
}

TEST_F(ReplayPace, OneAtATimeToAClusterThatIsSlow) {
    options.slow = 2ms;
    target.takes = 10ms;
    owe(30);
    pay();
    // It begins with one, hears how slow that was, and stays with it.
    EXPECT_EQ(target.most_at_once, 1U);
}

TEST_F(ReplayPace, MoreAndMoreToAClusterThatIsQuick) {
    options.slow = 10s;
    options.parallelism = 8;
    target.takes = 5ms;
    owe(200);
    pay();
    EXPECT_EQ(target.most_at_once, 8U) << "and no more than allowed";
}

}  // namespace
}  // namespace penumbra::sync
