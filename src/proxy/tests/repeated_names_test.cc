#include "proxy/repeated_names.h"

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::ErrorCode;
using cql::Opcode;

constexpr auto kUpdate = "UPDATE app.rows SET v = :x, w = :x WHERE tenant = :who AND id = :n";
constexpr auto kSent = "UPDATE app.rows SET v = ?, w = ? WHERE tenant = ? AND id = ?";
const auto kAcmeText = cql::encode_text("acme");
const auto kX = cql::encode_text("x");
const auto kY = cql::encode_text("y");
const auto kN = cql::encode_int(1);

TEST(RepeatedNames, AreRare) {
    for (const auto* text : {"SELECT * FROM t WHERE k = ? AND c = ?", "SELECT * FROM t WHERE k = :k AND c = :c"})
        EXPECT_EQ(RepeatedNames::of(cql::parse(text)), nullptr) << text;
    const auto found = RepeatedNames::of(cql::parse(kUpdate));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->text(), kSent);
}

TEST(RepeatedNames, ValuesThatAreSharedAreNotMultipliedPastABound) {
    std::string text = "DELETE FROM app.rows WHERE tenant = :t AND id IN (:n";
    for (int i = 0; i < 300; ++i) text += ", :n";
    text += ")";
    const auto names = RepeatedNames::of(cql::parse(text));
    ASSERT_NE(names, nullptr);
    const Bytes tenant(1, Byte{'t'});
    for (const std::size_t size : {1000UL, 4000UL}) {
        const Bytes n(size, Byte{1});
        const std::vector<cql::CellView> values{BytesView(tenant), BytesView(n)};
        cql::Parameters parameters;
        parameters.values = values;
        Bytes frame;
        cql::encode_execute(frame, {}, tenant, {}, parameters);
        const auto view = cql::view_frame(frame, cql::Direction::request).value();
        cql::FrameEdit edit(view);
        names->edit(cql::decode_execute(view).value(), 1 << 20, edit);
        if (size == 1000) {
            EXPECT_GT(edit.size(), 300 * size);
        } else {
            EXPECT_EQ(edit.size(), frame.size()) << "as they are: the server says how many it wants";
        }
    }
}

class RepeatedNamesTest : public ::testing::Test {
  protected:
    using Values = std::vector<Bytes>;

    void expect_taken(cluster::testing::LyingServer& server, Opcode opcode, const Values& values) {
        const auto asked = server.requests(opcode);
        ASSERT_FALSE(asked.empty()) << server.name();
        EXPECT_EQ(asked.back().text, kSent) << server.name();
        EXPECT_EQ(asked.back().values, values) << server.name();
    }
    cql::Parameters bound(const Values& values, std::vector<std::string_view> names = {}) {
        cells_.assign(values.begin(), values.end());
        names_ = std::move(names);
        cql::Parameters parameters;
        parameters.values = cells_;
        parameters.names = names_;
        return parameters;
    }

    World world;
    std::vector<cql::CellView> cells_;
    std::vector<std::string_view> names_;
};

TEST_F(RepeatedNamesTest, AClusterOfEitherKindGetsAValuePerMarker) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    EXPECT_EQ(world.source->requests(Opcode::prepare).front().text, kUpdate) << "the answer to this is the client's";
    // As Cassandra numbers them, with values that ScyllaDB could not be told in those words; then as ScyllaDB does.
    for (const auto& [given, sent] : {std::pair(Values{kX, kY, kAcmeText, kN}, Values{kX, kY, kAcmeText, kN}),
                                      {{kX, kAcmeText, kN}, {kX, kX, kAcmeText, kN}}}) {
        EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, given))));
        expect_taken(*world.source, Opcode::execute, sent);
        expect_taken(*world.target, Opcode::execute, sent);
        EXPECT_TRUE(Client::is_result(client->run(kUpdate, bound(given))));
        expect_taken(*world.source, Opcode::query, sent);
        expect_taken(*world.target, Opcode::query, sent);
    }
    EXPECT_TRUE(world.owed(Side::target).empty());
}

TEST_F(RepeatedNamesTest, WhatIsPreparedOnOneClusterIsExecutedOnTheOther) {
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    world.set_phase(Phase::target_only);
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, {kX, kAcmeText, kN}))));
    expect_taken(*world.target, Opcode::execute, {kX, kX, kAcmeText, kN});
}

TEST_F(RepeatedNamesTest, NamedValuesAreLaidOutToo) {
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    const Values given{kN, kX, kAcmeText};
    const std::vector<std::string_view> names{"n", "x", "who"};
    const auto answer = client->ask(
        [&](Bytes& out, const cql::RequestHead& head) { cql::encode_execute(out, head, id, {}, bound(given, names)); });
    EXPECT_TRUE(Client::is_result(answer));
    expect_taken(*world.source, Opcode::execute, {kX, kX, kAcmeText, kN});
    // In a QUERY every server finds them by name.
    EXPECT_TRUE(Client::is_result(client->run(kUpdate, bound(given, names))));
    EXPECT_EQ(world.source->requests(Opcode::query).back().text, kUpdate);
    EXPECT_EQ(world.source->requests(Opcode::query).back().values, given);
}

TEST_F(RepeatedNamesTest, InBatches) {
    world.set_phase(Phase::shadow_sync);
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    const std::vector<cql::CellView> few{cql::CellView(kX), cql::CellView(kAcmeText), cql::CellView(kN)};
    const std::vector<cql::BatchStatement> children{{kUpdate, {}, few}, {{}, id, few}};
    const auto answer = client->ask([&](Bytes& out, const cql::RequestHead& head) {
        cql::encode_batch(out, head, cql::BatchType::unlogged, children, {});
    });
    EXPECT_TRUE(Client::is_result(answer));
    for (auto* server : {world.source.get(), world.target.get()}) {
        const auto asked = server->requests(Opcode::batch).back();
        EXPECT_EQ(asked.text, std::string(kSent) + "; " + kSent);
        const auto frame = cql::view_frame(asked.frame, cql::Direction::request).value();
        const auto batch = cql::decode_batch(frame).value();
        for (const auto& child : batch.children) EXPECT_EQ(child.values.size(), 4U);
    }
}

TEST_F(RepeatedNamesTest, AWrongNumberIsForTheClusterToRefuse) {
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, {kX, kAcmeText}))));
    expect_taken(*world.source, Opcode::execute, {kX, kAcmeText});
}

TEST_F(RepeatedNamesTest, WhatIsOwedIsOwedInTheSameWords) {
    world.set_phase(Phase::shadow_async);
    auto client = world.client();
    const auto id = client->prepare(kUpdate);
    world.target->on_request = [](const auto& asked) { asked.server->error(asked, ErrorCode::overloaded); };
    EXPECT_TRUE(Client::is_result(client->wait(client->execute(id, {kX, kAcmeText, kN}))));
    world.settle();
    const auto owed = world.owed(Side::target);
    ASSERT_EQ(owed.size(), 1U);
    const auto& statement = std::get<sync::OwedStatement>(owed.front());
    ASSERT_EQ(statement.prepared.size(), 1U);
    EXPECT_EQ(statement.prepared.front().text, kSent);
    const auto frame = cql::view_frame(statement.frame, cql::Direction::request).value();
    EXPECT_EQ(cql::decode_execute(frame).value().parameters.values.size(), 4U);
}

}  // namespace
}  // namespace penumbra::proxy::testing
