#include "proxy/proxy.h"

#include <gtest/gtest.h>

#include "proxy/paging.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using cql::Opcode;

constexpr auto* kInsert = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')";
constexpr auto* kInsertMarkers = "INSERT INTO app.rows (tenant, id, v) VALUES (?, ?, ?)";

class ProxyTest : public ::testing::Test {
  protected:
    std::vector<Bytes> row(int id) { return {cql::encode_text("acme"), cql::encode_int(id), cql::encode_text("x")}; }
    Status hold(Nanos within = 2s) {
        return world.loop.run<Status>(
            [=, this] { return world.proxy->hold(kAcme, Deadline::in(Clock::system(), within)); });
    }
    void release() {
        world.loop.run_void([this] { return world.proxy->release(kAcme); });
    }
    World world;
};

// ---- prepared statements

TEST_F(ProxyTest, APreparedIdIsOursAndTheSameInEveryPhase) {
    auto client = world.client();
    const auto id = client->prepare(kInsertMarkers);
    const auto expected = cql::md5({kInsertMarkers});
    EXPECT_TRUE(equal(id, expected));
    world.set_phase(Phase::target_only, Phase::target_only);
    EXPECT_EQ(world.client()->prepare(kInsertMarkers), id);
    EXPECT_EQ(world.target->count(Opcode::prepare), 1U);
}

TEST_F(ProxyTest, AStatementPreparedBeforeAPhaseChangeRunsAfterIt) {
    auto client = world.client();
    const auto id = client->prepare(kInsertMarkers);
    world.set_phase(Phase::shadow_sync);
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, row(1)))));
    ASSERT_EQ(world.target->applied.size(), 1U);
    EXPECT_EQ(world.target->applied[0].values, row(1));
    world.set_phase(Phase::target_primary);
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, row(2)))));
    EXPECT_EQ(world.source->applied.size(), 2U);
    EXPECT_EQ(world.target->applied.size(), 2U);
    EXPECT_EQ(world.target->count(Opcode::prepare), 1U);
}

TEST_F(ProxyTest, AForgottenStatementIsRepairedWithoutApplyingTwice) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto id = client->prepare(kInsertMarkers);
    client->wait(client->execute(id, row(1)));
    for (auto* forgetful : {world.source.get(), world.target.get()}) {
        forgetful->forget_prepared();
        const auto before = std::pair(world.source->applied.size(), world.target->applied.size());
        EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, row(2)))));
        EXPECT_EQ(world.source->applied.size(), before.first + 1);
        EXPECT_EQ(world.target->applied.size(), before.second + 1);
    }
    world.settle();
    EXPECT_TRUE(world.owed(Side::target).empty());
}

TEST_F(ProxyTest, ANodeThatKeepsForgettingIsReportedByOurId) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto id = client->prepare(kInsertMarkers);
    world.source->on_request = [](const auto& asked) {
        if (asked.opcode == Opcode::prepare) return asked.server->prepare(asked);
        asked.server->unprepared(asked, asked.server->id_of(asked.text));
    };
    const auto answer = client->wait(client->execute(id, row(1)));
    ASSERT_EQ(Client::error(answer), ErrorCode::unprepared);
    const auto error = cql::decode_error(Client::view(answer)).value();
    EXPECT_TRUE(equal(std::get<cql::Unprepared>(error.detail).id, id));
    world.target->on_request = world.source->on_request;
    world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, row(2)))));
    world.settle();
    const auto owed = world.owed(Side::target);
    ASSERT_FALSE(owed.empty());
    const auto& statement = std::get<sync::OwedStatement>(owed.back());
    ASSERT_EQ(statement.prepared.size(), 1U);
    EXPECT_EQ(statement.prepared[0].id, id);
    EXPECT_EQ(statement.prepared[0].text, kInsertMarkers);
}

TEST_F(ProxyTest, WhatNobodyPreparedIsUnprepared) {
    auto client = world.client();
    const Bytes id(16, 9);
    EXPECT_EQ(Client::error(client->wait(client->execute(id, {}))), ErrorCode::unprepared);
    EXPECT_TRUE(world.source->asked.empty());
}

// ---- paging

TEST_F(ProxyTest, ThePageAfterASwitchComesFromWhereTheFirstOneCame) {
    const Bytes state{1, 2, 3};
    for (auto* server : {world.source.get(), world.target.get()}) {
        server->on_request = [state](const auto& asked) {
            asked.server->rows(asked, asked.server->name(), asked.paging_state ? std::nullopt : std::optional(state));
        };
    }
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto* text = "SELECT v FROM app.rows WHERE tenant = 'acme'";
    const auto first = Client::rows(client->run(text));
    EXPECT_EQ(first[0].text("v").value(), "source");
    ASSERT_TRUE(first.paging_state());
    EXPECT_NE(*first.paging_state(), state);
    world.set_phase(Phase::target_primary);
    cql::Parameters parameters;
    parameters.paging_state = cql::CellView(*first.paging_state());
    EXPECT_EQ(Client::rows(client->run(text, parameters))[0].text("v").value(), "source");
    EXPECT_EQ(world.source->asked.back().paging_state, state) << "as the cluster gave it";
    EXPECT_EQ(Client::rows(client->run(text))[0].text("v").value(), "target");
}

TEST(PagingTag, ComesBackAndNothingElseDoes) {
    for (const auto side : {Side::source, Side::target}) {
        const auto tag = paging_tag(side);
        Bytes tagged(tag.begin(), tag.end());
        tagged.insert(tagged.end(), {5, 6});
        const auto untagged = untag_paging_state(tagged);
        ASSERT_TRUE(untagged);
        EXPECT_EQ(untagged->side, side);
        EXPECT_TRUE(equal(untagged->state, Bytes{5, 6}));
    }
    EXPECT_FALSE(untag_paging_state(Bytes{}));
    EXPECT_FALSE(untag_paging_state(Bytes{0xF0, 'P', 'n'}));
    EXPECT_FALSE(untag_paging_state(Bytes{0xF0, 'P', 'n', 2, 1}));
    EXPECT_FALSE(untag_paging_state(Bytes{4, 0, 0, 0, 1}));
}

// ---- fences

TEST_F(ProxyTest, AFenceWaitsForWhatIsInFlightAndHoldsWhatComes) {
    world.set_phase(Phase::shadow_sync);
    world.source->on_request = [](const auto&) {};
    world.target->on_request = [](const auto& asked) { asked.server->obey(asked); };
    auto client = world.client();
    const auto before = client->query(kInsert);
    world.loop.until([&] { return world.source->asked.size() == 1; });
    bool held = false;
    Gate gate;
    world.loop.on([&] {
        gate.spawn([](World* w, bool* flag) -> Task<void> {
            auto done = co_await w->proxy->hold(kAcme, Deadline::in(Clock::system(), 5s));
            *flag = done.has_value();
        }(&world, &held));
    });
    std::vector<std::int16_t> after;
    for (int i = 0; i < 5; ++i)
        after.push_back(
            client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', " + std::to_string(i) + ", 'new')"));
    const auto stranger = client->query("INSERT INTO app.settings (name, value) VALUES ('a', 'b')");
    world.loop.until([&] { return world.source->asked.size() == 2; });
    EXPECT_FALSE(held);
    EXPECT_EQ(world.source->asked[1].text.find("INSERT INTO app.settings"), 0U) << "other rows go on";
    world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    world.loop.on([&] {
        world.source->obey(world.source->asked[0]);
        world.source->obey(world.source->asked[1]);
    });
    world.loop.until([&] { return held && gate.holders() == 0; });
    EXPECT_TRUE(Client::is_result(client->wait(before)));
    EXPECT_TRUE(Client::is_result(client->wait(stranger)));
    world.set_phase(Phase::target_primary);
    release();
    for (const auto stream : after) EXPECT_TRUE(Client::is_result(client->wait(stream)));
    ASSERT_EQ(world.target->applied.size(), 6U);
    for (int i = 0; i < 5; ++i)
        EXPECT_NE(world.target->applied[i + 1].text.find(", " + std::to_string(i) + ", 'new'"), std::string::npos);
    const auto report = world.loop.run<HoldReport>([this] { return world.proxy->last_hold(kAcme); });
    EXPECT_EQ(report.requests_held, 5U);
}

TEST_F(ProxyTest, AFenceThatCannotCloseInTimeHoldsNothing) {
    world.set_phase(Phase::shadow_sync);
    world.source->on_request = [](const auto&) {};
    auto client = world.client();
    client->query(kInsert);
    world.loop.until([&] { return world.source->asked.size() == 1; });
    const auto late = hold(20ms);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::timeout);
    world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
}

TEST_F(ProxyTest, ASecondFenceWaitsForTheFirst) {
    ASSERT_TRUE(hold());
    EXPECT_EQ(hold(20ms).error().code, Errc::timeout);
    release();
    EXPECT_TRUE(hold());
    release();
}

TEST_F(ProxyTest, OneOtherWorksUnderASharedFence) {
    auto client = world.client();
    ASSERT_TRUE(hold());
    world.proxy->share_hold(kAcme);
    ASSERT_TRUE(hold(20ms));
    EXPECT_FALSE(hold(20ms)) << "one, not two";
    EXPECT_FALSE(world.proxy->unshare_hold(kAcme)) << "it is still at work";
    release();
    EXPECT_TRUE(world.proxy->unshare_hold(kAcme));
    EXPECT_FALSE(hold(20ms)) << "no longer shared";
    const auto stream = client->query(kInsert);
    world.loop.turn();
    EXPECT_TRUE(world.source->applied.empty()) << "the first goes on holding";
    release();
    EXPECT_TRUE(Client::is_result(client->wait(stream)));
}

TEST_F(ProxyTest, AFenceStaysUpForWhoStillWorksUnderIt) {
    auto client = world.client();
    ASSERT_TRUE(hold());
    world.proxy->share_hold(kAcme);
    ASSERT_TRUE(hold(20ms));
    EXPECT_FALSE(world.proxy->unshare_hold(kAcme));
    release();  // whose change failed, say
    const auto stream = client->query(kInsert);
    world.loop.turn();
    EXPECT_TRUE(world.source->applied.empty());
    EXPECT_FALSE(hold(20ms));
    release();
    EXPECT_TRUE(Client::is_result(client->wait(stream)));
    EXPECT_TRUE(hold());
    release();
}

TEST_F(ProxyTest, WhoWaitsTooLongAtAFenceIsToldThatNothingWasDone) {
    auto client = world.client();
    ASSERT_TRUE(hold());
    EXPECT_EQ(Client::error(client->run(kInsert)), ErrorCode::overloaded);
    release();
    world.loop.turn();
    EXPECT_TRUE(world.source->applied.empty());
}

TEST_F(ProxyTest, StopEndsThoseWhoWaitAtAFence) {
    auto client = world.client();
    ASSERT_TRUE(hold());
    client->query(kInsert);
    world.loop.turn();
    world.stop(1ms);
    EXPECT_TRUE(world.source->applied.empty());
}

TEST_F(ProxyTest, TruncateWaitsAtTheFenceToo) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    ASSERT_TRUE(hold());
    const auto stream = client->query("TRUNCATE app.rows");
    world.loop.turn();
    EXPECT_TRUE(world.source->asked.empty());
    release();
    EXPECT_TRUE(Client::is_result(client->wait(stream)));
    EXPECT_EQ(world.source->applied.size(), 1U);
    EXPECT_EQ(world.target->applied.size(), 1U);
}

TEST_F(ProxyTest, TablesAreComparedAfterATruncate) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    EXPECT_TRUE(Client::is_result(client->run("TRUNCATE app.rows")));
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    EXPECT_EQ(std::get<sync::OwedResync>(owed[0]), (sync::OwedResync{"app", "rows", {}}));
    // Those of acme, and not what nobody shadows.
    EXPECT_EQ(world.journal->owed_of(1, routing::kDefaultScope.value()).entries, 0U);
}

TEST_F(ProxyTest, EachTruncateHasAnOrderThatIsYoungerThanIt) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    for (std::uint64_t orders = 1; orders <= 2; ++orders) {
        EXPECT_TRUE(Client::is_result(client->run("TRUNCATE app.rows")));
        EXPECT_EQ(world.journal->figures().records, orders);
        EXPECT_EQ(world.owed(Side::target).size(), 1U) << "of those that stand for the same one is owed";
    }
}

TEST_F(ProxyTest, TheTraceOfATruncateAndOfASchemaChangeIsThePrimarys) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    for (const auto* text : {"TRUNCATE app.rows", "CREATE TABLE app.traced (k int PRIMARY KEY)"}) {
        EXPECT_TRUE(Client::is_result(client->ask([&](Bytes& out, cql::RequestHead head) {
            head.flags |= cql::header_flag::kTracing;
            cql::encode_query(out, head, text, {});
        })));
        ASSERT_FALSE(world.source->asked.empty());
        ASSERT_FALSE(world.target->asked.empty());
        EXPECT_TRUE(Client::traced(world.source->asked.back().frame)) << text;
        EXPECT_FALSE(Client::traced(world.target->asked.back().frame)) << text;
    }
}

TEST_F(ProxyTest, ARefusedTruncateSparesTheShadow) {
    world.set_phase(Phase::shadow_sync);
    world.source->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::unauthorized); };
    auto client = world.client();
    EXPECT_EQ(Client::error(client->run("TRUNCATE app.rows")), ErrorCode::unauthorized);
    EXPECT_TRUE(world.target->asked.empty());
    world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    world.target->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::truncate_error); };
    EXPECT_TRUE(Client::is_result(client->run("TRUNCATE app.rows")));
    EXPECT_FALSE(world.owed(Side::target).empty());
}

TEST_F(ProxyTest, SettleWaitsForThoseThatAnEarlierOneLeftBehind) {
    world.set_phase(Phase::shadow_sync);
    world.source->on_request = [](const auto&) {};
    auto client = world.client();
    client->query(kInsert);
    world.loop.until([&] { return world.source->asked.size() == 1; });
    for (int i = 0; i < 3; ++i) {
        const auto settled =
            world.loop.run<Status>([this] { return world.proxy->settle(kAcme, Deadline::in(Clock::system(), 10ms)); });
        EXPECT_FALSE(settled) << "the request is still under way";
    }
    world.loop.on([&] { world.source->obey(world.source->asked[0]); });
    world.settle();
}

// ---- the wire

TEST_F(ProxyTest, AnUnknownVersionIsRefusedWithThoseWeSpeakAndTheNextOneIsServed) {
    for (const Byte version : {6, 66}) {
        Client client(world.loop, world.address);
        client.raw(Bytes{version, 0, 0, 7, 5, 0, 0, 0, 2, 0, 0});
        const auto answer = client.wait(0);
        ASSERT_EQ(Client::error(answer), ErrorCode::protocol_error);
        const auto error = cql::decode_error(Client::view(answer)).value();
        EXPECT_NE(error.message.find("supported versions are (3/v3, 4/v4, 5/v5)"), std::string_view::npos);
        client.start_up();
        EXPECT_TRUE(Client::is_result(client.run(kInsert)));
    }
    Client old(world.loop, world.address);
    old.raw(Bytes{1, 0, 0, 5, 0, 0, 0, 0});
    old.raw(Bytes{99, 0, 0, 0, 5, 0, 0, 0, 0});
    world.loop.until([&] { return old.closed; });
}

TEST_F(ProxyTest, GarbageAndResponsesEndThatConnectionAlone) {
    auto good = world.client();
    for (const auto& bytes :
         {Bytes{0xFF, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0}, Bytes{0x84, 0, 0, 1, 8, 0, 0, 0, 4, 0, 0, 0, 1}}) {
        Client bad(world.loop, world.address);
        bad.raw(bytes);
        world.loop.until([&] { return bad.closed; });
    }
    EXPECT_TRUE(Client::is_result(good->run(kInsert)));
}

TEST_F(ProxyTest, AnOversizeFrameIsRefusedAndTheNextOneServed) {
    auto client = world.client();
    const auto big =
        client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, '" + std::string(100'000, 'x') + "')");
    EXPECT_EQ(Client::error(client->wait(big)), ErrorCode::invalid);
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
    EXPECT_EQ(world.source->applied.size(), 1U);
}

TEST_F(ProxyTest, CompressedFramesUnknownOpcodesAndEarlyRequestsAreProtocolErrors) {
    Client early(world.loop, world.address);
    EXPECT_EQ(Client::error(early.run(kInsert)), ErrorCode::protocol_error);
    auto client = world.client();
    client->raw(Bytes{4, 1, 0, 100, 7, 0, 0, 0, 1, 0});
    EXPECT_EQ(Client::error(client->wait(100)), ErrorCode::protocol_error);
    client->raw(Bytes{4, 0, 0, 101, 0x44, 0, 0, 0, 0});
    EXPECT_EQ(Client::error(client->wait(101)), ErrorCode::protocol_error);
    client->raw(Bytes{4, 0, 0, 102, 7, 0, 0, 0, 2, 0xFF, 0xFF});
    EXPECT_EQ(Client::error(client->wait(102)), ErrorCode::protocol_error);
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
}

TEST_F(ProxyTest, AClientThatLeavesWhileItsUseOrSchemaChangeRunsHarmsNobody) {
    world.source->on_request = [](const auto&) {};
    auto client = world.client();
    client->query("CREATE TABLE app.more (k int PRIMARY KEY)");
    client->query("USE nowhere");
    world.loop.until([&] { return world.source->asked.size() == 1; });
    client->hang_up();
    world.loop.turn();
    world.loop.on([&] {
        world.source->acknowledge(world.source->asked[0]);
        world.source->on_request = [](const auto& asked) { asked.server->obey(asked); };
    });
    world.loop.until([&] { return world.target->asked.size() == 1; });
    EXPECT_TRUE(Client::is_result(world.client()->run(kInsert)));
}

TEST_F(ProxyTest, UseCompletesNamesAndIsRefusedForWhatIsNotThere) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    EXPECT_EQ(Client::error(client->run("USE nowhere")), ErrorCode::invalid);
    EXPECT_TRUE(Client::is_result(client->run("USE app")));
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO rows (tenant, id, v) VALUES ('acme', 1, 'x')")));
    ASSERT_EQ(world.target->applied.size(), 1U);
    EXPECT_EQ(world.target->applied[0].keyspace, "app");
}

TEST_F(ProxyTest, TheClientSeesOneNodeWhichIsUs) {
    auto client = world.client();
    EXPECT_EQ(Client::rows(client->run("SELECT * FROM system.peers")).size(), 0U);
    const auto local =
        Client::rows(client->run("SELECT cluster_name, rpc_address FROM system.local WHERE key='local'"));
    ASSERT_EQ(local.size(), 1U);
    EXPECT_EQ(local[0].text("cluster_name").value(), "Test Cluster");
}

TEST_F(ProxyTest, ThePrimaryWarnsOfAnAggregateOverOurTables) {
    // Lower case, which the lying server does not take for a driver's own read.
    world.source->on_request = [](const auto& one) {
        cql::RowsBuilder count("system", "local");
        count.add_column("count", cql::scalar(cql::TypeKind::bigint));
        count.add(cql::encode_bigint(5));
        one.server->respond(one, [&](Bytes& out, cql::ResponseHead head) {
            head.warnings = {"of all partitions"};
            cql::encode_rows(out, head, count.view());
        });
    };
    auto client = world.client();
    const auto answer = client->run("select count(*) from system.local");
    const auto prefix = cql::read_response_prefix(Client::view(answer)).value();
    ASSERT_EQ(prefix.warnings.size(), 1U);
    EXPECT_EQ(*prefix.warnings.begin(), "of all partitions");
    EXPECT_EQ(Client::rows(answer)[0][0].bytes().back(), 1);  // the rows are ours all the same
    EXPECT_TRUE(
        cql::read_response_prefix(Client::view(client->run("select count(*) from system.local where key='local'")))
            .value()
            .warnings.empty());
    EXPECT_EQ(world.source->asked.size(), 1U);
}

TEST_F(ProxyTest, ThePrimaryRefusesAConsistencyThatItsSystemTablesCannotReach) {
    world.source->on_request = [](const auto& one) { one.server->error(one, ErrorCode::unavailable); };
    auto client = world.client();
    cql::Parameters parameters;
    parameters.consistency = cql::Consistency::two;
    EXPECT_EQ(Client::error(client->run("select key from system.local", parameters)), ErrorCode::unavailable);
    parameters.consistency = cql::Consistency::local_one;
    EXPECT_EQ(Client::rows(client->run("select key from system.local", parameters)).size(), 1U);
}

TEST(VirtualTables, TheClusterHasTheNameThatDriversKnowAlready) {
    World world(std::chrono::seconds(20), std::chrono::seconds(20), {}, {},
                [](World&, ProxyContext& context) { context.options.cluster_name = "as it was"; });
    world.set_phase(Phase::target_only, Phase::target_only);
    const auto local = Client::rows(world.client()->run("SELECT cluster_name FROM system.local WHERE key='local'"));
    ASSERT_EQ(local.size(), 1U);
    EXPECT_EQ(local[0].text("cluster_name").value(), "as it was");
}

TEST(VirtualTables, ANameLongerThanAnyAnswerCanHaveIsForThePrimaryToRefuse) {
    World world(2s, 60ms, {}, {}, [](World&, ProxyContext& context) { context.options.max_frame_bytes = 1 << 20; });
    world.source->on_request = [](const auto& one) { one.server->error(one, ErrorCode::invalid); };
    auto client = world.client();
    const std::string select = "select key as ";
    EXPECT_TRUE(Client::is_result(client->run(select + std::string(0xFFFF, 'a') + " from system.local")));
    EXPECT_EQ(Client::error(client->run(select + std::string(0x10000, 'a') + " from system.local")),
              ErrorCode::invalid);
}

TEST_F(ProxyTest, ABatchOfNothingIsAnsweredByThePrimary) {
    auto client = world.client();
    const auto nothing = [](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::logged, {}, {});
    };
    EXPECT_TRUE(Client::is_result(client->ask(nothing)));
    EXPECT_EQ(world.source->count(Opcode::batch), 1U);
    EXPECT_TRUE(Client::is_result(client->run(kInsert)));
    EXPECT_TRUE(Client::is_result(client->ask(nothing)));  // where another request was decoded before
}

TEST_F(ProxyTest, AnUnknownTableIsLookedUpOnce) {
    auto client = world.client();
    const auto before = world.refreshes;
    EXPECT_TRUE(Client::is_result(client->run("INSERT INTO app.fresh (k) VALUES (1)")));
    EXPECT_EQ(world.refreshes, before + 1);
}

}  // namespace
}  // namespace penumbra::proxy::testing
