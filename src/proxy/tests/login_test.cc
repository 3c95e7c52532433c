#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::ErrorCode;
using cql::Opcode;
using cql::ProtocolVersion;

constexpr auto* kInsert = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')";
const std::map<std::string, std::string> kUsers{{"alice", "a"}, {"bob", "b"}};

/// A world whose clusters ask for passwords, and clients that give them.
class Logins {
  public:
    explicit Logins(LoginPolicy policy = {})
        : world(std::chrono::seconds(10), std::chrono::seconds(10), std::move(policy), kUsers) {}

    std::unique_ptr<Client> connect(ProtocolVersion version = ProtocolVersion::v4) {
        auto client = std::make_unique<Client>(world.loop, world.address);
        client->version = version;
        EXPECT_EQ(Client::opcode(client->ask_startup()), Opcode::authenticate);
        return client;
    }
    static Bytes log_in(Client& client, const std::string& user, const std::string& password) {
        return client.ask([&](Bytes& out, const cql::RequestHead& head) {
            const auto token = cluster::Credentials{user, password}.plain_token();
            cql::encode_auth_response(out, head, cql::CellView(token));
        });
    }
    std::unique_ptr<Client> as(const std::string& user) {
        auto client = connect();
        EXPECT_EQ(Client::opcode(log_in(*client, user, kUsers.at(user))), Opcode::auth_success);
        return client;
    }
    std::string who_asked(const LyingServer& server) { return server.asked.back().user; }

    World world;
};

TEST(Login, ThePrimaryJudgesInItsOwnWords) {
    Logins logins;
    for (const auto version : {ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = logins.connect(version);
        const auto refused = Logins::log_in(*client, "alice", "wrong");
        ASSERT_EQ(Client::error(refused), ErrorCode::bad_credentials);
        const auto error = cql::decode_error(Client::view(refused)).value();
        EXPECT_EQ(error.message, "Provided username alice and/or password are incorrect");
        EXPECT_EQ(Client::error(client->run(kInsert)), ErrorCode::protocol_error) << "nobody yet";
        EXPECT_EQ(Client::opcode(Logins::log_in(*client, "alice", "a")), Opcode::auth_success);
        EXPECT_TRUE(Client::is_result(client->run(kInsert)));
    }
}

TEST(Login, EveryUserIsItselfOnThePrimary) {
    Logins logins;
    auto alice = logins.as("alice");
    auto bob = logins.as("bob");
    auto& source = *logins.world.source;
    EXPECT_TRUE(Client::is_result(alice->run(kInsert)));
    EXPECT_EQ(logins.who_asked(source), "alice");
    EXPECT_TRUE(Client::is_result(bob->run(kInsert)));
    EXPECT_EQ(logins.who_asked(source), "bob");
    EXPECT_TRUE(Client::is_result(alice->run("CREATE TABLE app.x (k int PRIMARY KEY)")));
    EXPECT_EQ(logins.who_asked(source), "alice") << "or every user could change the schema";
    EXPECT_TRUE(Client::is_result(bob->run("TRUNCATE app.rows")));
    EXPECT_EQ(logins.who_asked(source), "bob");
    EXPECT_EQ(bob->prepare(kInsert).size(), 16U);
    EXPECT_EQ(logins.who_asked(source), "bob");
}

TEST(Login, WhatThePrimaryIsAskedForASystemTableItIsAskedByTheClient) {
    Logins logins;
    auto alice = logins.as("alice");
    alice->run("SELECT DISTINCT key FROM system.local");  // not plain: the primary is to say whether it is legal
    EXPECT_EQ(logins.world.source->system_reader, "alice");
}

TEST(Login, TheShadowIsTheConfiguredUsersUnlessSaidOtherwise) {
    Logins logins;
    logins.world.set_phase(Phase::shadow_sync);
    auto alice = logins.as("alice");
    EXPECT_TRUE(Client::is_result(alice->run(kInsert)));
    EXPECT_EQ(logins.who_asked(*logins.world.source), "alice");
    EXPECT_EQ(logins.who_asked(*logins.world.target), "service");
}

TEST(Login, AfterASwitchTheClientIsItselfOnTheNewPrimary) {
    Logins logins;
    auto alice = logins.as("alice");
    logins.world.set_phase(Phase::target_primary);
    EXPECT_TRUE(Client::is_result(alice->run(kInsert)));
    EXPECT_EQ(logins.who_asked(*logins.world.target), "alice");
    EXPECT_EQ(logins.who_asked(*logins.world.source), "service");
}

TEST(Login, ShadowsCanHaveTheClientsOwnUserUnderItsNameThere) {
    LoginPolicy policy;
    policy.shadow = LoginPolicy::Shadow::client;
    policy.names[static_cast<std::size_t>(Side::target)]["alice"] = {"bob", "b"};
    Logins logins(policy);
    logins.world.set_phase(Phase::shadow_sync);
    auto alice = logins.as("alice");
    EXPECT_TRUE(Client::is_result(alice->run(kInsert)));
    EXPECT_EQ(logins.who_asked(*logins.world.target), "bob");
    auto bob = logins.as("bob");
    EXPECT_TRUE(Client::is_result(bob->run(kInsert)));
    EXPECT_EQ(logins.who_asked(*logins.world.target), "bob");
}

TEST(Login, AUserTheNewPrimaryRefusesHearsIt) {
    Logins logins;
    auto alice = logins.as("alice");
    logins.world.target->users.erase("alice");
    logins.world.set_phase(Phase::target_only);
    EXPECT_EQ(Client::error(alice->run(kInsert)), ErrorCode::bad_credentials);
}

TEST(Login, APrimaryThatIsSilentIsNoYes) {
    World world(std::chrono::milliseconds(300), std::chrono::milliseconds(60), {}, kUsers);
    Client client(world.loop, world.address);
    EXPECT_EQ(Client::opcode(client.ask_startup()), Opcode::authenticate);
    world.loop.on([&] { world.source->silent_at_startup = true; });
    EXPECT_TRUE(Client::error(Logins::log_in(client, "alice", "a")).has_value());
    EXPECT_EQ(Client::error(client.run(kInsert)), ErrorCode::protocol_error);
}

}  // namespace
}  // namespace penumbra::proxy::testing
