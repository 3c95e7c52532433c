// What requests and answers may hold: every byte is paid for, given back, and refused with OVERLOADED past the budget.
#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;

std::string insert_of(std::size_t size) {
    return "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, '" + std::string(size, 'x') + "')";
}

class MemoryTest : public ::testing::Test {
  protected:
    MemoryTest() {
        client = world.client();
        client->run(insert(10));
        world.settle();
        base = memory().used();
    }
    ~MemoryTest() override { memory().set_limit(MemoryBudget::kNoLimit); }

    MemoryBudget& memory() { return world.loop.shard().memory(); }
    static std::string insert(std::size_t size) { return insert_of(size); }
    static Bytes frame_of(std::int16_t stream, const std::string& text) {
        cql::RequestHead head;
        head.stream = stream;
        Bytes frame;
        cql::encode_query(frame, head, text, {});
        return frame;
    }

    World world{4s, 60ms, {}, {}, [](World&, ProxyContext& context) { context.options.max_frame_bytes = 4u << 20; }};
    std::unique_ptr<Client> client;
    std::size_t base = 0;
};

TEST_F(MemoryTest, ALongRequestIsRefusedByItsHeaderAndTheNextOneServed) {
    memory().set_limit(base + 1'000'000);
    const auto frame = frame_of(77, insert(1'000'000));
    client->raw(BytesView(frame).first(100));
    EXPECT_EQ(Client::error(client->wait(77)), ErrorCode::overloaded);
    client->raw(BytesView(frame).subspan(100));
    EXPECT_TRUE(Client::is_result(client->run(insert(10))));
    EXPECT_EQ(client->answers[77].size(), 1U);
    EXPECT_EQ(world.source->applied.size(), 2U);
    EXPECT_LT(memory().peak(), base + 1'000'000);

    memory().set_limit(base + 8'000'000);
    client->raw(BytesView(frame).first(100));
    world.loop.until([&] { return memory().used() > base + 5'000'000; });  // it is paid for before it is here
    client->raw(BytesView(frame).subspan(100));
    world.loop.until([&] { return client->answers[77].size() == 2; });
    EXPECT_TRUE(Client::is_result(client->answers[77].back()));
}

TEST_F(MemoryTest, WhatAClientTookThatLeavesInTheMiddleIsGivenBack) {
    const auto before = memory().used();
    auto other = world.client();
    const auto frame = frame_of(5, insert(1'000'000));
    other->raw(BytesView(frame).first(200'000));
    world.loop.until([&] { return memory().used() > before + 5'000'000; });
    other->hang_up();
    world.loop.until([&] { return memory().used() == before; });
}

TEST_F(MemoryTest, WhatWasTakenIsGivenBackInEveryPhase) {
    for (const auto phase : {Phase::source_only, Phase::shadow_async, Phase::shadow_sync, Phase::target_primary}) {
        world.set_phase(phase);
        for (int round = 0; round < 50; ++round) {
            std::vector<std::int16_t> sent;
            for (const std::size_t size : {10, 1'000, 300'000}) sent.push_back(client->query(insert(size)));
            for (const auto stream : sent) EXPECT_TRUE(Client::is_result(client->wait(stream)));
            world.settle();
        }
        // Some exchanges, and the buffers that they keep for the next time.
        EXPECT_LT(memory().used(), base + 3 * sizeof(Exchange) + 20'000) << routing::to_string(phase);
    }
}

TEST_F(MemoryTest, RequestsPastTheBudgetAreOverloadedAndMakeRoomWhenTheyEnd) {
    world.source->on_request = [](const auto&) {};
    memory().set_limit(base + 10 * Exchange::cost_of(3'000));
    std::vector<std::int16_t> sent;
    for (int i = 0; i < 40; ++i) sent.push_back(client->query(insert(3'000)));
    std::size_t overloaded = 0, timed_out = 0;
    for (const auto stream : sent) {
        const auto error = Client::error(client->wait(stream));
        overloaded += error == ErrorCode::overloaded;
        timed_out += error == ErrorCode::write_timeout;
    }
    EXPECT_EQ(overloaded + timed_out, 40U);
    EXPECT_GE(overloaded, 30U);
    EXPECT_GE(timed_out, 5U) << "those that there was memory for wait for the cluster";
    world.loop.on([this] { world.source->on_request = [](const auto& asked) { asked.server->obey(asked); }; });
    EXPECT_TRUE(Client::is_result(client->run(insert(10))));
}

class StalledShadowTest : public ::testing::TestWithParam<Phase> {};

TEST_P(StalledShadowTest, TakesNoMemoryFromRequests) {
    World world{10s, 8s, {}, {}, {}};
    auto& memory = world.loop.shard().memory();
    world.set_phase(GetParam());
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(insert_of(10))));
    world.target->on_request = [](const auto& asked) {
        if (!asked.is_write()) asked.server->obey(asked);
    };
    memory.set_limit(memory.used() + 60 * (Exchange::cost_of(30'000) + sizeof(Exchange)));
    // In shadow_sync they wait for the shadow until memory is short; in shadow_async for the disk alone. One by one:
    // what comes in one turn must be less than the last quarter.
    const std::size_t unanswered = GetParam() == Phase::shadow_sync ? 45 : 4;
    std::vector<std::int16_t> sent;
    const auto is_answered = [&](std::int16_t stream) { return client->answers.contains(stream); };
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 120; ++i) {
        sent.push_back(client->query(insert_of(30'000)));
        ASSERT_TRUE(world.loop.until([&] {
            const auto answered = static_cast<std::size_t>(std::ranges::count_if(sent, is_answered));
            return world.source->applied.size() == i + 2 && answered + unanswered >= sent.size();
        })) << i;
    }
    // Those that there is no memory to wait with have their answers, long before the shadow's time is over.
    EXPECT_LT(std::chrono::steady_clock::now() - began, 6s);
    for (const auto stream : sent) EXPECT_TRUE(!is_answered(stream) || Client::is_result(client->wait(stream)));
    EXPECT_GE(world.loop.run<Traffic>([&] { return world.proxy->traffic(); }).shadow_given_up, 16U);
    EXPECT_EQ(world.loop.run<Traffic>([&] { return world.proxy->traffic(); }).overloaded, 0U);
    EXPECT_GE(world.owed(Side::target).size(), 70U) << "of the others the shadow has some time yet";
    memory.set_limit(MemoryBudget::kNoLimit);
}

INSTANTIATE_TEST_SUITE_P(Phases, StalledShadowTest, ::testing::Values(Phase::shadow_async, Phase::shadow_sync),
                         [](const auto& one) { return std::string(routing::to_string(one.param)); });

TEST_F(MemoryTest, AnswersThatAClientDoesNotReadStayWithinTheBudget) {
    constexpr std::int16_t kAnswers = 300;
    constexpr std::size_t kLimit = 3'000'000;
    world.source->on_request = [](const auto& asked) { asked.server->rows(asked, std::string(100'000, 'x')); };
    memory().set_limit(base + kLimit);
    client->stop_reading();
    Bytes requests;  // in one piece: a client that is behind is not read from
    for (std::int16_t stream = 0; stream < kAnswers; ++stream) {
        const auto frame = frame_of(static_cast<std::int16_t>(1000 + stream), "SELECT v FROM app.rows");
        requests.insert(requests.end(), frame.begin(), frame.end());
    }
    client->raw(requests);
    world.loop.until([&] { return world.source->asked.size() == std::size_t{kAnswers} + 1; });
    world.settle();
    EXPECT_GT(memory().peak(), base + kLimit / 2) << "the kernel took it all: the test shows nothing";
    EXPECT_LT(memory().peak(), base + kLimit + 300'000);
    EXPECT_TRUE(world.client()) << "others may come meanwhile";

    client->read_on();
    std::size_t rows = 0, overloaded = 0;
    for (std::int16_t stream = 1000; stream < 1000 + kAnswers; ++stream) {
        const auto answer = client->wait(stream);
        EXPECT_EQ(client->answers[stream].size(), 1U);
        rows += Client::is_result(answer);
        overloaded += Client::error(answer) == ErrorCode::overloaded;
    }
    EXPECT_EQ(rows + overloaded, std::size_t{kAnswers});
    EXPECT_GT(rows, 10U);
    EXPECT_GT(overloaded, 10U);
    world.loop.until([&] { return memory().used() <= base + kAnswers * (sizeof(Exchange) + 1024); });
    EXPECT_TRUE(Client::is_result(client->run("SELECT v FROM app.rows")));
}

/// Several slow clients, and one that reads its answers.
class SlowClientsTest : public MemoryTest {
  protected:
    static constexpr std::size_t kLimit = 4'000'000;
    static constexpr std::size_t kAnswer = 50'000;

    SlowClientsTest() {
        world.source->on_request = [](const auto& asked) { asked.server->rows(asked, std::string(kAnswer, 'x')); };
        memory().set_limit(base + kLimit);
        for (int i = 0; i < 3; ++i) {
            slow.push_back(world.client());
            slow.back()->stop_reading();
        }
    }
    /// Until what waits for them has used up what it may, whatever the kernel takes.
    void use_it_up() {
        for (std::int16_t stream = 1000; !memory().is_tight() && stream < 2000; ++stream) {
            for (auto& one : slow) one->raw(frame_of(stream, kSelect));
            world.settle();
        }
        ASSERT_TRUE(memory().is_tight());
    }

    static constexpr const char* kSelect = "SELECT v FROM app.rows";
    std::vector<std::unique_ptr<Client>> slow;
};

TEST_F(SlowClientsTest, LeaveRoomForThoseWhoRead) {
    use_it_up();
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Client::is_result(client->run(kSelect)));
    EXPECT_LT(memory().used(), base + kLimit);
    EXPECT_LT(memory().peak(), base + kLimit + kAnswer);
}

TEST_F(SlowClientsTest, AreNotReadFromUntilTheyRead) {
    use_it_up();
    for (auto& one : slow) one->raw(frame_of(3000, kSelect));
    const auto before = world.source->asked.size();
    EXPECT_TRUE(Client::is_result(client->run(kSelect)));
    world.settle();
    EXPECT_EQ(world.source->asked.size(), before + 1) << "a refusal for each of them would have to be kept as well";
    for (auto& one : slow) one->read_on();
    for (auto& one : slow) {
        EXPECT_FALSE(one->wait(3000).empty());
        EXPECT_EQ(one->answers[3000].size(), 1U);
    }
}

TEST_F(SlowClientsTest, GiveBackAllWhenTheyLeave) {
    use_it_up();
    for (auto& one : slow) one->hang_up();
    world.loop.until([&] { return memory().used() <= base + 100 * sizeof(Exchange) + 2 * kAnswer; });
    EXPECT_FALSE(memory().is_tight());
}

}  // namespace
}  // namespace penumbra::proxy::testing
