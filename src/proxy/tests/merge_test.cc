#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cql/types/token.h"
#include "proxy/tests/support/world.h"
#include "sync/ring_slice.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;

enum class Does : std::uint8_t { takes, refuses, times_out, silent, drops };

void act(Does what, const LyingServer::Asked& asked) {
    auto& server = *asked.server;
    if (asked.opcode == cql::Opcode::prepare) return server.prepare(asked);
    if (!asked.is_write()) return server.obey(asked);
    switch (what) {
        case Does::takes:
            return server.obey(asked);
        case Does::refuses:
            return server.error(asked, ErrorCode::invalid);
        case Does::times_out:
            return server.error(asked, ErrorCode::write_timeout);
        case Does::silent:
            return;
        case Does::drops:
            return server.hang_up(asked);
    }
}

std::string name(Does what) {
    static constexpr const char* kNames[] = {"takes", "refuses", "times_out", "silent", "drops"};
    return kNames[static_cast<std::size_t>(what)];
}

sync::OwedResync row_of_acme(std::int32_t id) {
    sync::OwedResync order{"app", "rows", cql::encode_text("acme")};
    order.clustering = {cql::encode_int(id)};
    return order;
}

using Case = std::tuple<Phase, Does, Does>;
class MergeRule : public ::testing::TestWithParam<Case> {};

/// The table of DESIGN.md: what the client hears, and what the journal owes afterwards.
TEST_P(MergeRule, OneAnswerAndNothingForgotten) {
    const auto [phase, primary_does, shadow_does] = GetParam();
    World world(120ms, 40ms);
    world.set_phase(phase);
    world.primary().on_request = [does = primary_does](const auto& asked) { act(does, asked); };
    world.shadow().on_request = [does = shadow_does](const auto& asked) { act(does, asked); };
    auto client = world.client();
    const auto answer = client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    world.settle();
    world.loop.turn();
    EXPECT_EQ(client->answers.size(), 2U);
    for (const auto& [stream, answers] : client->answers) EXPECT_EQ(answers.size(), 1U) << "stream " << stream;

    // What the client hears is what the primary said or left unsaid.
    const bool taken = primary_does == Does::takes;
    switch (primary_does) {
        case Does::takes:
            EXPECT_TRUE(Client::is_result(answer));
            break;
        case Does::refuses:
            EXPECT_EQ(Client::error(answer), ErrorCode::invalid);
            break;
        case Does::times_out:
        case Does::silent:
        case Does::drops:
            EXPECT_EQ(Client::error(answer), ErrorCode::write_timeout);
            break;
    }

    const auto owed = world.owed(world.shadow_side());
    EXPECT_TRUE(world.owed(routing::other(world.shadow_side())).empty());
    if (!routing::is_shadowed(phase)) {
        EXPECT_TRUE(owed.empty());
        EXPECT_TRUE(world.shadow().asked.empty());
        return;
    }
    const bool shadow_may_have_it = shadow_does != Does::refuses;
    if (taken && shadow_does == Does::takes) {
        EXPECT_TRUE(owed.empty());
        ASSERT_EQ(world.source->applied.size(), 1U);
        ASSERT_EQ(world.target->applied.size(), 1U);
        ASSERT_TRUE(world.source->applied[0].timestamp);
        EXPECT_EQ(world.source->applied[0].timestamp, world.target->applied[0].timestamp);
    } else if (primary_does == Does::refuses && !shadow_may_have_it) {
        EXPECT_TRUE(owed.empty()) << "neither has it";
    } else {
        ASSERT_EQ(owed.size(), 1U);
        const bool again =
            taken && (shadow_does == Does::times_out || shadow_does == Does::silent || shadow_does == Does::drops);
        if (again) {
            ASSERT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
            const auto frame = std::get<sync::OwedStatement>(owed[0]).frame;
            const auto query = cql::decode_query(cql::view_frame(frame, cql::Direction::request).value()).value();
            ASSERT_EQ(world.primary().applied.size(), 1U);
            EXPECT_EQ(query.parameters.timestamp, world.primary().applied[0].timestamp);
        } else if (taken && phase == Phase::shadow_async) {
            // Owed before the shadow refused it, perhaps: either is made good.
        } else {
            ASSERT_TRUE(std::holds_alternative<sync::OwedResync>(owed[0]));
            EXPECT_EQ(std::get<sync::OwedResync>(owed[0]), row_of_acme(1));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, MergeRule,
    ::testing::Combine(::testing::ValuesIn(routing::kPhases),
                       ::testing::Values(Does::takes, Does::refuses, Does::times_out, Does::silent, Does::drops),
                       ::testing::Values(Does::takes, Does::refuses, Does::times_out, Does::silent, Does::drops)),
    [](const auto& one) {
        return std::string(routing::to_string(std::get<0>(one.param))) + "_primary_" + name(std::get<1>(one.param)) +
               "_shadow_" + name(std::get<2>(one.param));
    });

class MergeTest : public ::testing::Test {
  protected:
    World world;
};

class JournalQuota : public ::testing::Test {
  protected:
    JournalQuota() {
        world.set_journal_quota(0);
        world.set_phase(Phase::shadow_sync, Phase::shadow_sync);
        world.shadow().on_request = [](const auto& asked) {
            if (asked.text.starts_with("BEGIN BATCH")) return asked.server->error(asked, ErrorCode::write_timeout);
            act(Does::times_out, asked);
        };
    }
    /// What is owed once the client has got its answers.
    std::vector<sync::OwedResync> owed_for(std::initializer_list<const char*> texts) {
        auto client = world.client();
        for (const auto* text : texts) EXPECT_TRUE(Client::is_result(client->run(text))) << text;
        world.settle();
        std::vector<sync::OwedResync> orders;
        for (const auto& one : world.owed(world.shadow_side())) orders.push_back(std::get<sync::OwedResync>(one));
        return orders;
    }
    static sync::OwedResync slice_with(const char* table, BytesView partition_key) {
        sync::OwedResync order{"app", table, {}};
        order.range = sync::range_of(sync::slice_of(cql::murmur3_token(partition_key)));
        return order;
    }

    World world{500ms, 40ms};
};

TEST_F(JournalQuota, PastItASliceOfTheRingIsOwedAndTheClientIsToldTheTruth) {
    const auto owed = owed_for({"INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')",
                                "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 2, 'y')",
                                "UPDATE app.hits SET n = n + 1 WHERE tenant = 'acme'"});
    const auto key = cql::encode_text("acme");
    EXPECT_EQ(owed, (std::vector{slice_with("rows", key), slice_with("hits", key)}))
        << "one order for however many writes";
}

TEST_F(JournalQuota, AsManyEntriesAsThereIsMemoryForAndThenSlices) {
    world.set_journal_quota(~std::uint64_t{0});
    world.set_journal_most_entries(2);
    auto client = world.client();
    for (int id = 0; id < 6; ++id) {
        EXPECT_TRUE(Client::is_result(
            client->run(fmt::format("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', {}, 'x')", id))));
    }
    world.settle();
    const auto owed = world.owed(world.shadow_side());
    ASSERT_EQ(owed.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
    EXPECT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[1]));
    EXPECT_EQ(std::get<sync::OwedResync>(owed[2]), slice_with("rows", cql::encode_text("acme")));
}

TEST_F(JournalQuota, ABatchOwesTheSliceOfEachPartition) {
    const auto owed =
        owed_for({"BEGIN BATCH INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x'); "
                  "INSERT INTO app.rows (tenant, id, v) VALUES ('other', 1, 'x'); "
                  "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 2, 'x'); APPLY BATCH"});
    for (const auto* tenant : {"acme", "other"})
        EXPECT_TRUE(std::ranges::count(owed, slice_with("rows", cql::encode_text(tenant)))) << tenant;
    const auto slices = std::set(owed.begin(), owed.end());
    EXPECT_EQ(slices.size(), 2U);
}

TEST_F(JournalQuota, AWriteThatDoesNotSayItsPartitionOwesTheTable) {
    const auto owed = owed_for({"INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')",
                                "DELETE FROM app.rows WHERE tenant IN ('acme', 'other')"});
    EXPECT_TRUE(std::ranges::count(owed, (sync::OwedResync{"app", "rows", {}})));
    EXPECT_FALSE(std::ranges::count(owed, slice_with("rows", cql::encode_text("acme"))))
        << "the order for the table stands for it";
}

TEST_F(MergeTest, EveryErrorOfThePrimaryReachesTheClientAsItIs) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    for (const auto code :
         {ErrorCode::server_error, ErrorCode::protocol_error, ErrorCode::unavailable, ErrorCode::overloaded,
          ErrorCode::is_bootstrapping, ErrorCode::write_timeout, ErrorCode::write_failure, ErrorCode::function_failure,
          ErrorCode::syntax_error, ErrorCode::unauthorized, ErrorCode::invalid, ErrorCode::config_error,
          ErrorCode::already_exists}) {
        world.source->on_request = [code](const auto& asked) { asked.server->error(asked, code); };
        const auto answer = client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
        EXPECT_EQ(Client::error(answer), code);
        EXPECT_TRUE(cql::decode_error(Client::view(answer))) << "with the detail that belongs to it";
    }
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 13U) << "the shadow took each of them";
}

TEST_F(MergeTest, AsyncAnswersByTheJournalWhileTheShadowIsSilent) {
    world.set_phase(Phase::shadow_async);
    world.target->on_request = [](const auto&) {};
    auto client = world.client();
    const auto answer = client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    EXPECT_TRUE(Client::is_result(answer));
    EXPECT_EQ(world.journal->owed_of(1, kAcme.value()).entries, 1U);
    EXPECT_TRUE(world.owed(Side::target).empty()) << "still under way: not for replay yet";
    // Late, but it comes: nothing is owed any more.
    world.loop.on([&] { world.target->obey(world.target->asked.at(0)); });
    world.settle();
    EXPECT_EQ(world.journal->owed_of(1, kAcme.value()).entries, 0U);
}

TEST_F(MergeTest, ManyThatAreLateAtOnceAreAllOwed) {
    constexpr std::size_t kMany = 500;  // more than are swept in a turn
    for (const auto phase : {Phase::shadow_async, Phase::shadow_sync}) {
        world.set_phase(phase);
        world.target->on_request = [](const auto&) {};
        auto client = world.client();
        const auto before = world.owed(Side::target).size();
        std::vector<std::int16_t> sent;
        for (std::size_t i = 0; i < kMany; ++i)
            sent.push_back(client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')"));
        for (const auto stream : sent) EXPECT_TRUE(Client::is_result(client->wait(stream)));
        world.settle();
        EXPECT_EQ(world.owed(Side::target).size(), before + kMany) << routing::to_string(phase);
    }
}

TEST_F(MergeTest, AsyncAsksNoDiskWhereTheShadowAnsweredInTheSameTurn) {
    world.set_phase(Phase::shadow_async);
    auto client = world.client();
    constexpr auto kWrite = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')";
    client->run(kWrite);  // opens the connections, one after the other
    world.settle();
    const auto before = world.journal->figures().records;
    EXPECT_TRUE(Client::is_result(client->run(kWrite)));
    world.settle();
    EXPECT_EQ(world.target->applied.size(), 2U);
    EXPECT_EQ(world.journal->figures().records, before);
}

TEST_F(MergeTest, SyncWaitsForTheShadowBeforeItTurnsToTheJournal) {
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto&) {};
    auto client = world.client();
    const auto stream = client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    world.loop.until([&] { return world.source->applied.size() == 1 && world.target->asked.size() == 1; });
    world.loop.turn();
    EXPECT_TRUE(client->answers[stream].empty());
    world.loop.on([&] { world.target->obey(world.target->asked[0]); });
    EXPECT_TRUE(Client::is_result(client->wait(stream)));
    world.settle();
    EXPECT_EQ(world.journal->owed_of(1, kAcme.value()).entries, 0U);
}

TEST_F(MergeTest, WhatCannotBeSentTwiceIsOwedAsAResync) {
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::write_timeout); };
    auto client = world.client();
    client->run("UPDATE app.rows SET tags = tags + ['a'] WHERE tenant = 'acme' AND id = 1");
    client->run("UPDATE app.hits SET n = n + 1 WHERE tenant = 'acme'");
    world.settle();
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 2U);
    // Of the list everything but its elements may be sent again: an overwrite has to remove what was there, at its
    // time.
    ASSERT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
    const auto& list = std::get<sync::OwedStatement>(owed[0]);
    EXPECT_TRUE(list.adds_to_lists);
    EXPECT_EQ(list.rows, (std::vector<sync::OwedResync>{row_of_acme(1)}));
    EXPECT_TRUE(std::holds_alternative<sync::OwedResync>(owed[1]));
}

TEST_F(MergeTest, TheShadowCountsNothingThatThePrimaryRefuses) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto* text = "UPDATE app.hits SET n = n + 1 WHERE tenant = 'acme'";
    world.source->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::unavailable); };
    EXPECT_EQ(Client::error(client->run(text)), ErrorCode::unavailable);
    world.settle();
    EXPECT_TRUE(world.target->asked.empty());
    EXPECT_TRUE(world.owed(Side::target).empty());
    world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    EXPECT_TRUE(Client::is_result(client->run(text)));
    world.settle();
    EXPECT_EQ(world.target->applied.size(), 1U);
    EXPECT_TRUE(world.owed(Side::target).empty());
}

TEST_F(MergeTest, AConditionIsDecidedByThePrimaryAlone) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto* text = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x') IF NOT EXISTS";
    EXPECT_TRUE(Client::is_result(client->run(text)));
    world.settle();
    EXPECT_TRUE(world.target->asked.empty());
    EXPECT_EQ(world.owed(Side::target).size(), 1U);
    world.source->on_request = [](const auto& asked) { asked.server->not_applied(asked); };
    EXPECT_TRUE(Client::is_result(client->run(text)));
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 1U) << "it did not hold, nothing changed";
    world.source->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::unavailable); };
    EXPECT_EQ(Client::error(client->run(text)), ErrorCode::unavailable);
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 2U) << "it may have been accepted before its commit was refused";
}

TEST_F(MergeTest, AConditionalBatchOwesItsRowsOrTheirPartition) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    cql::Parameters parameters;
    parameters.consistency = cql::Consistency::local_quorum;
    const auto batch = [](int rows) {
        std::string text = "BEGIN BATCH ";
        for (int id = 1; id <= rows; ++id)
            text +=
                "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', " + std::to_string(id) + ", 'x') IF NOT EXISTS; ";
        return text + "APPLY BATCH";
    };
    EXPECT_TRUE(Client::is_result(client->run(batch(8), parameters)));
    world.settle();
    auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 8U);
    std::set<sync::OwedResync> rows;
    for (const auto& one : owed) rows.insert(std::get<sync::OwedResync>(one));
    for (std::int32_t id = 1; id <= 8; ++id) EXPECT_TRUE(rows.contains(row_of_acme(id))) << id;
    EXPECT_TRUE(Client::is_result(client->run(batch(9), parameters)));
    world.settle();
    owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 9U);
    EXPECT_EQ(std::get<sync::OwedResync>(owed.back()), (sync::OwedResync{"app", "rows", cql::encode_text("acme")}));
}

TEST_F(MergeTest, WhatPaxosMayStillFinishIsFinishedBeforeItIsCopied) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto order_of = [&](cql::Consistency consistency, std::optional<cql::Consistency> serial) {
        const auto before = world.owed(Side::target).size();
        cql::Parameters parameters;
        parameters.consistency = consistency;
        parameters.serial_consistency = serial;
        client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x') IF NOT EXISTS", parameters);
        world.settle();
        const auto owed = world.owed(Side::target);
        EXPECT_EQ(owed.size(), before + 1);
        return std::get<sync::OwedResync>(owed.back()).serial;
    };
    using enum cql::Consistency;
    EXPECT_EQ(order_of(local_quorum, local_serial), std::nullopt) << "committed where the resync reads";
    EXPECT_EQ(order_of(one, local_serial), local_serial) << "decided, but not everywhere yet";
    EXPECT_EQ(order_of(one, two), serial) << "the server passed over what is no serial consistency";
    for (const auto code : {ErrorCode::write_timeout, ErrorCode::unavailable}) {
        world.source->on_request = [code](const auto& asked) { asked.server->error(asked, code); };
        EXPECT_EQ(order_of(local_quorum, local_serial), local_serial);
        EXPECT_EQ(order_of(quorum, std::nullopt), serial);
    }
}

TEST_F(MergeTest, WhatIsNotUnderstoodIsTakenAsItIsAndCounted) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto counted = [&] {
        const auto traffic = world.loop.run<Traffic>([&] { return world.proxy->traffic(); });
        return std::pair(traffic.reads_not_understood, traffic.writes_not_understood);
    };
    EXPECT_TRUE(Client::is_result(client->run("SELECT v FROM app.rows WHERE tenant = 'acme' SOME DAY 7")));
    world.settle();
    EXPECT_TRUE(world.target->asked.empty()) << "a read of the primary";
    EXPECT_EQ(counted(), std::pair(std::uint64_t{1}, std::uint64_t{0}));
    EXPECT_TRUE(Client::is_result(client->run("FROBNICATE app.rows")));
    world.settle();
    EXPECT_EQ(world.target->asked.size(), 1U) << "it may write";
    EXPECT_EQ(counted(), std::pair(std::uint64_t{1}, std::uint64_t{1}));
    client->run("SELECT v FROM app.rows WHERE tenant = 'acme'");
    world.source->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::syntax_error); };
    EXPECT_EQ(Client::error(client->run("FROBNICATE app.rows")), ErrorCode::syntax_error);
    EXPECT_EQ(counted(), std::pair(std::uint64_t{1}, std::uint64_t{1})) << "understood, or refused: nobody's concern";
}

TEST_F(MergeTest, APrimaryThatIsDownLeavesTheShadowAlone) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    world.loop.on([&] { world.source->stop(); });
    // A request that comes while a connection is being tried waits for it, and its shadow is sent meanwhile: not every
    // one is refused at once, but soon some are in a row.
    std::size_t sent = 0, refused_in_a_row = 0;
    for (int i = 0; i < 100 && refused_in_a_row < 3; ++i) {
        const auto error = Client::error(client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')"));
        world.settle();
        const bool to_shadow = world.target->applied.size() > sent;
        sent = world.target->applied.size();
        refused_in_a_row = error == ErrorCode::unavailable && !to_shadow ? refused_in_a_row + 1 : 0;
    }
    EXPECT_EQ(refused_in_a_row, 3U) << "nothing was sent to the one, so nothing to the other";
    EXPECT_EQ(world.owed(Side::target).size(), sent);
}

TEST_F(MergeTest, AnAnswerThatIsNoResultIsNoAcknowledgement) {
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) {
        asked.server->respond(asked, [](Bytes& out, const cql::ResponseHead& head) { cql::encode_ready(out, head); });
    };
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')")));
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 1U);
}

TEST_F(MergeTest, TimestampsGrowAndTheClientsOwnIsKept) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    for (int i = 0; i < 20; ++i) client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    world.loop.until([&] { return world.source->applied.size() == 20 && world.target->applied.size() == 20; });
    for (std::size_t i = 1; i < 20; ++i) {
        EXPECT_GT(world.source->applied[i].timestamp, world.source->applied[i - 1].timestamp);
        EXPECT_EQ(world.source->applied[i].timestamp, world.target->applied[i].timestamp);
    }
    cql::Parameters parameters;
    parameters.timestamp = 12345;
    client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')", parameters);
    EXPECT_EQ(world.source->applied.back().timestamp, 12345);
    EXPECT_EQ(world.target->applied.back().timestamp, 12345);
}

TEST_F(MergeTest, AnotherTenantStaysWhereItIs) {
    world.set_phase(Phase::target_primary);
    auto client = world.client();
    client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('zeta', 1, 'x')");
    client->run("INSERT INTO other.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    EXPECT_EQ(world.source->applied.size(), 2U);
    EXPECT_TRUE(world.target->applied.empty());
}

TEST_F(MergeTest, AClientThatLeavesStillHasItsWriteMirroredOrOwed) {
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto&) {};
    auto client = world.client();
    client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    world.loop.until([&] { return world.source->applied.size() == 1; });
    client->hang_up();
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 1U);
}

TEST_F(MergeTest, StopEndsWhatIsInFlightAndOwesIt) {
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto&) {};
    auto client = world.client();
    client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')");
    world.loop.until([&] { return world.source->applied.size() == 1; });
    world.stop(1ms);
    EXPECT_EQ(world.owed(Side::target).size(), 1U);
}

/// Seeds: peers that misbehave at random. Every request has exactly one answer, and what was acknowledged is on the
/// shadow or in the journal.
class Weather : public ::testing::TestWithParam<unsigned> {};

TEST_P(Weather, NothingAcknowledgedIsLost) {
    std::mt19937 random(GetParam());
    World world(200ms, 30ms);
    constexpr std::array kShadowed{Phase::shadow_async, Phase::shadow_sync, Phase::target_primary};
    world.set_phase(kShadowed[GetParam() % 3]);
    std::vector<LyingServer::Asked> kept;
    const auto weather = [&](const LyingServer::Asked& asked) {
        auto& server = *asked.server;
        switch (random() % 12) {
            case 0:
                return server.error(asked, ErrorCode::write_timeout);
            case 1:
                return server.error(asked, ErrorCode::overloaded);
            case 2:
                server.apply(asked);
                return;  // took it, never says so
            case 3:
                return;
            case 4:
                kept.push_back(asked);
                return;  // later, out of order
            case 5: {
                server.obey(asked);
                for (const auto& one : std::exchange(kept, {})) one.server->obey(one);
                return;
            }
            case 6:
                if (random() % 4 == 0) return server.hang_up(asked);
                return server.obey(asked);
            case 7:
                if (random() % 8 == 0) return server.raw(asked, bytes_of("garbage, surely"));
                return server.obey(asked);
            case 8:
                return server.error(asked, ErrorCode::invalid);
            default:
                return server.obey(asked);
        }
    };
    world.source->on_request = weather;
    world.target->on_request = weather;
    auto client = world.client();
    std::map<std::int16_t, std::string> asked;
    for (int i = 0; i < 150; ++i) {
        const auto text = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', " + std::to_string(i) + ", 'x')";
        asked[client->query(text)] = text;
        if (random() % 3 == 0) world.loop.turn();
    }
    world.loop.until([&] {
        return std::ranges::all_of(asked, [&](const auto& one) { return !client->answers[one.first].empty(); });
    });
    world.settle();
    world.loop.turn();

    const auto owed = world.owed(world.shadow_side());
    const bool resync_of_all =
        std::ranges::any_of(owed, [](const auto& one) { return std::holds_alternative<sync::OwedResync>(one); });
    std::set<std::string> safe;
    for (const auto& one : world.shadow().applied) safe.insert(one.text);
    for (const auto& one : owed) {
        if (const auto* statement = std::get_if<sync::OwedStatement>(&one)) {
            safe.insert(std::string(
                cql::decode_query(cql::view_frame(statement->frame, cql::Direction::request).value()).value().query));
        }
    }
    int acknowledged = 0;
    for (const auto& [stream, text] : asked) {
        ASSERT_EQ(client->answers[stream].size(), 1U) << text;
        if (!Client::is_result(client->answers[stream][0])) continue;
        ++acknowledged;
        EXPECT_TRUE(std::ranges::any_of(world.primary().applied, [&](const auto& one) { return one.text == text; }))
            << text;
        EXPECT_TRUE(resync_of_all || safe.contains(text)) << text;
    }
    EXPECT_GT(acknowledged, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Weather, ::testing::Range(1U, 13U));

}  // namespace
}  // namespace penumbra::proxy::testing
