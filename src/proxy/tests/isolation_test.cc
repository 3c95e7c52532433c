// What the shadow does reaches the application in no way but those that the operator chose.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/inspect.h"
#include "proxy/shadow_breaker.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;

std::string insert(int id) {
    return "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', " + std::to_string(id) + ", 'x')";
}

// ---- the circuit

TEST(ShadowBreaker, OpensAfterFailuresInARowAndProbesOneByOne) {
    ShadowBreaker breaker({.failures = 3, .first_pause = 100ms, .longest_pause = 300ms});
    using State = ShadowBreaker::State;
    SteadyTime now{};
    for (int i = 0; i < 10; ++i) {
        breaker.failed(now);
        breaker.failed(now);
        breaker.answered();
    }
    EXPECT_EQ(breaker.state(), State::closed) << "never three in a row";
    for (int i = 0; i < 3; ++i) breaker.failed(now);
    EXPECT_EQ(breaker.state(), State::open);
    EXPECT_FALSE(breaker.allows(now + 99ms));
    breaker.failed(now + 50ms);  // one that was under way
    EXPECT_TRUE(breaker.allows(now + 100ms)) << "the probe";
    EXPECT_FALSE(breaker.allows(now + 100ms)) << "one at a time";
    breaker.failed(now + 100ms);
    EXPECT_FALSE(breaker.allows(now + 299ms)) << "the pause doubles";
    EXPECT_TRUE(breaker.allows(now + 300ms));
    breaker.failed(now + 300ms);
    EXPECT_TRUE(breaker.allows(now + 600ms)) << "and has a bound";
    breaker.answered();
    EXPECT_EQ(breaker.state(), State::closed);
    EXPECT_TRUE(breaker.allows(now + 600ms));
    EXPECT_TRUE(breaker.allows(now + 600ms));
}

void with_breaker(World&, ProxyContext& context) {
    context.options.breaker = {.failures = 4, .first_pause = 50ms, .longest_pause = 50ms};
}

TEST(Isolation, ASilentShadowIsNotAskedForEverAndEverythingIsOwed) {
    World world(400ms, 60ms, {}, {}, with_breaker);
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) {
        if (!asked.is_write()) asked.server->obey(asked);
    };
    auto client = world.client();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(Client::is_result(client->run(insert(i))));
    const auto before = world.target->asked.size();
    const auto began = std::chrono::steady_clock::now();
    for (int i = 4; i < 10; ++i) EXPECT_TRUE(Client::is_result(client->run(insert(i))));
    EXPECT_LE(world.target->asked.size(), before + 1) << "at most a probe";
    EXPECT_LT(std::chrono::steady_clock::now() - began, 6 * 60ms) << "nobody waits for it any more";
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 10U);
    const auto traffic = world.loop.run<proxy::Traffic>([&] { return world.proxy->traffic(); });
    EXPECT_GE(traffic.shadow_not_sent, 5U);
    EXPECT_EQ(traffic.circuits_open, 1U);

    world.target->on_request = [](const auto& asked) { asked.server->obey(asked); };
    // The next probe finds it well.
    int id = 10;
    for (int i = 0; i < 10'000 && world.target->applied.empty(); ++i) client->run(insert(id++));
    EXPECT_FALSE(world.target->applied.empty());
    const auto applied = world.target->applied.size();
    EXPECT_TRUE(Client::is_result(client->run(insert(id++))));
    EXPECT_TRUE(Client::is_result(client->run(insert(id++))));
    EXPECT_EQ(world.target->applied.size(), applied + 2) << "closed again";
}

TEST(Isolation, AStatementThatTheShadowRefusesSaysNothingOfTheShadow) {
    World world(400ms, 60ms, {}, {}, with_breaker);
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) {
        if (asked.is_write()) return asked.server->error(asked, ErrorCode::invalid);
        asked.server->obey(asked);
    };
    auto client = world.client();
    for (int i = 0; i < 12; ++i) EXPECT_TRUE(Client::is_result(client->run(insert(i))));
    const auto traffic = world.loop.run<proxy::Traffic>([&] { return world.proxy->traffic(); });
    EXPECT_EQ(traffic.shadow_not_sent, 0U);
    EXPECT_EQ(traffic.circuits_open, 0U);
}

// ---- consistency

cql::ParametersView parameters_of(const Bytes& frame) {
    const auto view = cql::view_frame(frame, cql::Direction::request).value();
    if (view.header.opcode == cql::Opcode::execute) return cql::decode_execute(view).value().parameters;
    return cql::decode_query(view).value().parameters;
}

void with_level(World&, ProxyContext& context) {
    context.options.shadow_consistency = cql::Consistency::one;
}

TEST(Isolation, TheShadowHasALevelOfItsOwn) {
    World world(400ms, 60ms, {}, {}, with_level);
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    cql::Parameters parameters;
    parameters.consistency = cql::Consistency::all;
    EXPECT_TRUE(Client::is_result(client->run(insert(1), parameters)));
    ASSERT_EQ(world.source->applied.size(), 1U);
    ASSERT_EQ(world.target->applied.size(), 1U);
    EXPECT_EQ(parameters_of(world.source->applied[0].frame).consistency, cql::Consistency::all);
    EXPECT_EQ(parameters_of(world.target->applied[0].frame).consistency, cql::Consistency::one);
    // And so it is owed.
    world.target->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::write_timeout); };
    EXPECT_TRUE(Client::is_result(client->run(insert(2), parameters)));
    world.settle();
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_EQ(parameters_of(std::get<sync::OwedStatement>(owed[0]).frame).consistency, cql::Consistency::one);
}

TEST(Isolation, WhatIsPreparedGoesToTheShadowAtItsLevelToo) {
    for (const auto version : {cql::ProtocolVersion::v3, cql::ProtocolVersion::v4, cql::ProtocolVersion::v5}) {
        SCOPED_TRACE(cql::to_string(version));
        World world(400ms, 60ms, {}, {}, with_level);
        world.set_phase(Phase::shadow_sync);
        auto client = std::make_unique<Client>(world.loop, world.address);
        client->version = version;
        client->start_up();
        const auto prepared = client->ask([&](Bytes& out, const cql::RequestHead& head) {
            cql::encode_prepare(out, head, "INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, ?)");
        });
        const auto statement = cql::decode_prepared(Client::view(prepared)).value();
        const std::vector<Bytes> values{cql::encode_text("acme"), cql::encode_int(1), cql::encode_text("x")};
        for (const bool has_timestamp : {false, true}) {
            cql::Parameters parameters;
            parameters.consistency = cql::Consistency::all;
            if (has_timestamp) parameters.timestamp = 7;
            EXPECT_TRUE(Client::is_result(client->wait(client->execute(
                statement.id, values, parameters, statement.result_metadata_id.value_or(BytesView())))));
            world.settle();
            ASSERT_FALSE(world.source->applied.empty());
            ASSERT_FALSE(world.target->applied.empty());
            const auto& at_source = world.source->applied.back().frame;
            const auto& at_target = world.target->applied.back().frame;
            EXPECT_EQ(parameters_of(at_source).consistency, cql::Consistency::all);
            EXPECT_EQ(parameters_of(at_target).consistency, cql::Consistency::one);
            EXPECT_EQ(parameters_of(at_source).timestamp, parameters_of(at_target).timestamp);
            EXPECT_EQ(parameters_of(at_target).values.size(), 3U);
        }
        EXPECT_TRUE(world.owed(Side::target).empty());
        // And so it is owed.
        world.target->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::write_timeout); };
        cql::Parameters parameters;
        parameters.consistency = cql::Consistency::all;
        client->wait(
            client->execute(statement.id, values, parameters, statement.result_metadata_id.value_or(BytesView())));
        world.settle();
        const auto owed = world.owed(Side::target);
        ASSERT_EQ(owed.size(), 1U);
        EXPECT_EQ(parameters_of(std::get<sync::OwedStatement>(owed[0]).frame).consistency, cql::Consistency::one);
    }
}

// ---- what the application hears

TEST(Isolation, StrictTellsTheApplicationAndOwesItAllTheSame) {
    World world(400ms, 60ms, {}, {},
                [](World&, ProxyContext& context) { context.options.on_shadow_failure = OnShadowFailure::strict; });
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) {
        if (asked.is_write()) return asked.server->error(asked, ErrorCode::write_timeout);
        asked.server->obey(asked);
    };
    auto client = world.client();
    EXPECT_EQ(Client::error(client->run(insert(1))), ErrorCode::write_timeout);
    world.settle();
    EXPECT_EQ(world.owed(Side::target).size(), 1U);
    // A condition is the primary's alone, and its row is read back.
    EXPECT_TRUE(Client::is_result(client->run(insert(2) + " IF NOT EXISTS")));
    world.set_phase(Phase::shadow_async);
    EXPECT_TRUE(Client::is_result(client->run(insert(3)))) << "nobody was promised that it is in step";
    world.target->on_request = [](const auto& asked) { asked.server->obey(asked); };
    world.set_phase(Phase::shadow_sync);
    EXPECT_TRUE(Client::is_result(client->run(insert(4))));
}

// ---- intent

void with_intent(World&, ProxyContext& context) {
    context.options.durability = Durability::intent;
}

TEST(Intent, IsOnDiskBeforeAnybodyIsAskedAndGoneWhenBothHaveIt) {
    World world(400ms, 60ms, {}, {}, with_intent);
    world.set_phase(Phase::shadow_sync);
    std::vector<std::uint64_t> on_disk;
    for (auto* server : {world.source.get(), world.target.get()}) {
        server->on_request = [&](const auto& asked) {
            if (asked.is_write()) on_disk.push_back(world.journal->figures().records);
            asked.server->obey(asked);
        };
    }
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(insert(1))));
    world.settle();
    EXPECT_EQ(on_disk, (std::vector<std::uint64_t>{1, 1}));
    EXPECT_EQ(world.journal->owed_total().entries, 0U);
    // A read, and a write that is not shadowed, have none.
    client->run("SELECT * FROM app.rows WHERE tenant = 'acme'");
    client->run("INSERT INTO app.rows (tenant, id, v) VALUES ('zeta', 1, 'x')");
    EXPECT_EQ(world.journal->figures().records, 1U);
}

TEST(Intent, OfAWriteThatADeadProcessLeftIsAnOrderToMakeItsRowEqual) {
    World world(2s, 2s, {}, {}, with_intent);
    world.set_phase(Phase::shadow_async);
    world.source->on_request = [](const auto& asked) {
        if (!asked.is_write()) asked.server->obey(asked);  // silent: nobody knows
    };
    auto client = world.client();
    client->query(insert(1));
    world.loop.until([&] { return !world.target->applied.empty(); });
    // As the process would leave it if it died now: read from the disk, by nobody who knows more.
    const auto left = journal::inspect(world.journal_directory()).value();
    ASSERT_EQ(left.owed.size(), 1U);
    EXPECT_EQ(left.owed[0].info.scope, kAcme.value());
    EXPECT_EQ(left.owed[0].info.stream, 1);
    EXPECT_TRUE(world.owed(Side::target).empty()) << "while it is under way nobody works at it";
}

TEST(Intent, WhatTheShadowDoesNotTakeIsOwedOnce) {
    World world(400ms, 60ms, {}, {}, with_intent);
    world.set_phase(Phase::shadow_sync);
    world.target->on_request = [](const auto& asked) {
        if (asked.is_write()) return asked.server->error(asked, ErrorCode::write_timeout);
        asked.server->obey(asked);
    };
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(insert(1))));
    world.settle();
    auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U) << "the statement, and the intent no more";
    EXPECT_TRUE(std::holds_alternative<sync::OwedStatement>(owed[0]));
    // Read back anyway: the intent is that very order, with the serial read of a write whose fate nobody knows yet.
    EXPECT_TRUE(Client::is_result(client->run(insert(2) + " IF NOT EXISTS")));
    world.settle();
    EXPECT_EQ(world.journal->figures().records, 3U);
    owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 2U);
    EXPECT_EQ(std::get<sync::OwedResync>(owed[1]),
              (sync::OwedResync{
                  "app", "rows", cql::encode_text("acme"), cql::Consistency::serial, {}, {cql::encode_int(2)}}));
}

TEST(Intent, ARefusedWriteLeavesNothing) {
    World world(400ms, 60ms, {}, {}, with_intent);
    world.set_phase(Phase::shadow_sync);
    for (auto* server : {world.source.get(), world.target.get()}) {
        server->on_request = [](const auto& asked) {
            if (asked.is_write()) return asked.server->error(asked, ErrorCode::invalid);
            asked.server->obey(asked);
        };
    }
    auto client = world.client();
    EXPECT_EQ(Client::error(client->run(insert(1))), ErrorCode::invalid);
    world.settle();
    EXPECT_EQ(world.journal->owed_total().entries, 0U);
}

TEST(Intent, PastTheQuotaItIsAsIfThereWereNone) {
    World world(400ms, 60ms, {}, {}, with_intent);
    world.set_phase(Phase::shadow_sync);
    world.set_journal_quota(0);
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run(insert(1))));
    EXPECT_EQ(world.journal->figures().records, 0U);
    EXPECT_EQ(world.target->applied.size(), 1U);
}

// ---- timestamps

TEST(Timestamps, RunAheadAsFarAsTheyAreTold) {
    World world;
    auto client = world.client();
    client->run(insert(1));
    const auto before = *world.source->applied.back().timestamp;
    world.loop.run_void([&] { return world.proxy->lead_timestamps(5s); });
    client->run(insert(2));
    const auto ahead = *world.source->applied.back().timestamp;
    EXPECT_GE(ahead, before + 4'900'000);
    world.loop.run_void([&] { return world.proxy->lead_timestamps(0s); });
    client->run(insert(3));
    EXPECT_GT(*world.source->applied.back().timestamp, ahead) << "never back";
}

}  // namespace
}  // namespace penumbra::proxy::testing
