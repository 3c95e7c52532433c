#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cql::ErrorCode;
using cql::Opcode;
using cql::ProtocolVersion;

constexpr auto* kInsert = "INSERT INTO app.rows (tenant, id, v) VALUES ('acme', 1, 'x')";
const std::map<std::string, std::string> kUsers{{"alice", "a"}, {"bob", "b"}};

std::string message_of(const Bytes& answer) {
    if (Client::error(answer) != ErrorCode::protocol_error) return "no protocol error";
    return std::string(cql::decode_error(Client::view(answer)).value().message);
}

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
        return client.wait(send_login(client, user, password));
    }
    static std::int16_t send_login(Client& client, const std::string& user, const std::string& password) {
        return client.send([&](Bytes& out, const cql::RequestHead& head) {
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

TEST(Login, ASecondStartupIsRefusedAtEveryStepAndHarmsNobody) {
    Logins logins;
    auto other = logins.as("bob");
    for (const auto version : {ProtocolVersion::v3, ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = logins.connect(version);
        // In v5 both come in one segment: with the first, what the reader holds of the second must not change meaning.
        const auto start_again = [&](std::int16_t stream) {
            Bytes both;
            cql::RequestHead head;
            head.version = version;
            head.stream = stream;
            cql::encode_startup(both, head, {{"CQL_VERSION", "3.0.0"}, {"COMPRESSION", "lz4"}});
            ++head.stream;
            cql::encode_options(both, head);
            client->raw(both);
            EXPECT_EQ(Client::opcode(client->wait(head.stream)), Opcode::supported);
            return message_of(client->wait(stream));
        };
        EXPECT_EQ(start_again(1000), "Unexpected message STARTUP, expecting SASL_RESPONSE");
        EXPECT_EQ(Client::opcode(Logins::log_in(*client, "alice", "a")), Opcode::auth_success);
        EXPECT_EQ(start_again(2000), "Unexpected message STARTUP, the connection is already initialized");
        EXPECT_TRUE(Client::is_result(client->run(kInsert)));
        EXPECT_TRUE(Client::is_result(other->run(kInsert)));
    }
}

TEST(Login, OneAnswerIsJudgedAtATime) {
    Logins logins;
    auto& source = *logins.world.source;
    for (const auto version : {ProtocolVersion::v4, ProtocolVersion::v5}) {
        auto client = logins.connect(version);
        logins.world.loop.on([&] { source.holds_logins = true; });
        const auto first = Logins::send_login(*client, "alice", "a");
        logins.world.loop.until([&] { return !source.held_logins.empty(); });
        EXPECT_EQ(message_of(Logins::log_in(*client, "bob", "b")),
                  "Unexpected message AUTH_RESPONSE, the one before it has not been answered");
        const auto startup = client->ask([](Bytes& out, const cql::RequestHead& head) {
            cql::encode_startup(out, head, {{"CQL_VERSION", "3.0.0"}});
        });
        EXPECT_EQ(message_of(startup), "Unexpected message STARTUP, expecting SASL_RESPONSE");
        const auto third = Logins::log_in(*client, "bob", "b");
        EXPECT_EQ(Client::error(third), ErrorCode::protocol_error);
        EXPECT_EQ(message_of(client->run(kInsert)), "Unexpected message QUERY, expecting SASL_RESPONSE");
        logins.world.loop.on([&] { source.release_logins(); });
        EXPECT_EQ(Client::opcode(client->wait(first)), Opcode::auth_success);
        EXPECT_TRUE(Client::is_result(client->run(kInsert)));
        EXPECT_EQ(logins.who_asked(source), "alice");
        for (const auto& [stream, answers] : client->answers) EXPECT_EQ(answers.size(), 1U) << stream;
    }
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
