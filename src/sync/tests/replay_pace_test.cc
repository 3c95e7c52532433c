// How fast owed statements are sent: never above the bound, one at a time to a cluster that is slow.
#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/responses.h"
#include "sync/tests/replaying.h"

namespace penumbra::sync {
namespace {

using namespace std::chrono_literals;

class ReplayPace : public testing::Replaying {
  protected:
    ReplayPace() { cql::encode_void(target.reply, {}); }
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
        start();
        loop.until([this] { return paid(); });
    }
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
