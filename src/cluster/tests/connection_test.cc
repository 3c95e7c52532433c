#include "cluster/connection.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "cluster/tests/support/probe.h"

namespace penumbra::cluster {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using cql::Opcode;
using ::testing::Values;
using ::testing::WithParamInterface;

// ---- stream ids

TEST(StreamIds, AreReusedAndRunOut) {
    StreamIds ids(3);
    Probe probe;
    std::set<std::int16_t> given;
    for (int i = 0; i < 3; ++i) given.insert(ids.take(probe).value());
    EXPECT_EQ(given, (std::set<std::int16_t>{0, 1, 2}));
    EXPECT_FALSE(ids.take(probe));
    EXPECT_EQ(ids.give_back(1), &probe);
    EXPECT_EQ(ids.take(probe), 1);
    EXPECT_EQ(ids.taken(), 3U);
}

TEST(StreamIds, AnOrphanStaysTakenUntilItsReplyCame) {
    StreamIds ids(1);
    Probe probe;
    ASSERT_EQ(ids.take(probe), 0);
    ids.orphan(0);
    EXPECT_EQ(ids.orphans(), 1U);
    EXPECT_FALSE(ids.take(probe)) << "its late reply would meet another request";
    EXPECT_EQ(ids.give_back(0), nullptr);
    EXPECT_EQ(ids.orphans(), 0U);
    EXPECT_EQ(ids.take(probe), 0);
}

TEST(StreamIds, WhatWasNeverTakenCannotBeGivenBack) {
    StreamIds ids(4);
    Probe probe;
    ids.take(probe);
    EXPECT_FALSE(ids.give_back(-2));
    EXPECT_FALSE(ids.give_back(3));
    EXPECT_FALSE(ids.give_back(32767));
    EXPECT_TRUE(ids.give_back(0));
    EXPECT_FALSE(ids.give_back(0)) << "answered twice";
}

TEST(StreamIds, TakeAllLeavesOutTheOrphans) {
    StreamIds ids(4);
    Probe one;
    Probe two;
    ids.take(one);
    ids.take(two);
    ids.orphan(0);
    EXPECT_EQ(ids.take_all(), (std::vector<Request*>{&two}));
    EXPECT_EQ(ids.taken(), 0U);
}

// ---- one connection

class ConnectionTest : public ::testing::Test, Connection::Owner {
  protected:
    ConnectionTest() {
        server = loop.on([] { return std::make_unique<LyingServer>("node"); });
    }
    ~ConnectionTest() override {
        loop.on([this] {
            connection.reset();
            server.reset();
        });
        loop.turn();
    }
    Result<std::unique_ptr<Connection>> try_open(ConnectionOptions options = {}, Nanos within = 5s) {
        return loop.run<Result<std::unique_ptr<Connection>>>([&, this] {
            return Connection::open(server->endpoint(), options, this, Deadline::in(Clock::system(), within));
        });
    }
    void open(ConnectionOptions options = {}) {
        auto opened = try_open(std::move(options));
        ASSERT_TRUE(opened) << opened.error().what;
        connection = std::move(opened).value();
    }
    bool send(Probe& probe) {
        return loop.on([&] { return connection->send(probe); });
    }
    void on_connection_lost(Connection&, const Error& why) override { lost = why; }
    void on_capacity(Connection&) override { ++capacity; }
    void on_event(const cql::FrameView&) override { ++events; }

    Loop loop;
    std::unique_ptr<LyingServer> server;
    std::unique_ptr<Connection> connection;
    std::optional<Error> lost;
    int capacity = 0;
    int events = 0;
};

TEST_F(ConnectionTest, AnswersInAnyOrderFindTheirRequests) {
    open();
    server->on_request = [](const auto&) {};
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 10; ++i) {
        probes.push_back(std::make_unique<Probe>("SELECT " + std::to_string(i)));
        ASSERT_TRUE(send(*probes.back()));
    }
    loop.until([&] { return server->asked.size() == 10; });
    loop.on([&] {
        for (const int i : {7, 0, 9, 3, 1, 2, 8, 6, 4, 5}) server->rows(server->asked[i], server->asked[i].text);
    });
    loop.until([&] { return std::ranges::all_of(probes, [](const auto& probe) { return probe->answers > 0; }); });
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(probes[i]->cell(), "SELECT " + std::to_string(i));
        EXPECT_EQ(probes[i]->answers, 1);
    }
    EXPECT_EQ(connection->in_flight(), 0U);
}

TEST_F(ConnectionTest, ALateReplyAfterCancelMeetsNobody) {
    ConnectionOptions options;
    options.max_in_flight = 2;
    open(options);
    server->on_request = [](const auto&) {};
    auto gone = std::make_unique<Probe>("SELECT gone");
    send(*gone);
    loop.until([&] { return server->asked.size() == 1; });
    loop.on([&] { gone.reset(); });
    Probe second("SELECT second");
    ASSERT_TRUE(send(second));
    Probe third("SELECT third");
    EXPECT_FALSE(send(third)) << "the cancelled one's id is still taken";
    loop.until([&] { return server->asked.size() == 2; });
    loop.on([&] { server->rows(server->asked[0], "gone"); });
    loop.until([&] { return capacity == 1; });
    EXPECT_EQ(second.answers, 0);
    ASSERT_TRUE(send(third));
    loop.until([&] { return server->asked.size() == 3; });
    loop.on([&] {
        server->rows(server->asked[2], "third");
        server->rows(server->asked[1], "second");
    });
    loop.until([&] { return second.answers + third.answers == 2; });
    EXPECT_EQ(second.cell(), "second");
    EXPECT_EQ(third.cell(), "third");
}

TEST_F(ConnectionTest, ItsLossFailsWhatWasInFlightAsUnknown) {
    open();
    server->on_request = [](const auto& asked) { asked.server->hang_up(asked); };
    Probe probe;
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_EQ(probe.answers, 1);
    EXPECT_EQ(probe.applied, Applied::unknown);
    EXPECT_EQ(probe.error->code, Errc::closed);
    EXPECT_FALSE(connection->is_open());
    Probe after;
    EXPECT_FALSE(send(after));
}

TEST_F(ConnectionTest, HalfAFrameThenCloseIsALoss) {
    open();
    server->on_request = [](const auto& asked) {
        Bytes half{0x84, 0, 0, static_cast<Byte>(asked.stream), 8, 0, 0, 0, 4, 0, 0};
        asked.server->raw(asked, half);
        asked.server->hang_up_after_flush(asked);
    };
    Probe probe;
    send(probe);
    loop.until([&] { return probe.answers == 1; });
    EXPECT_EQ(probe.applied, Applied::unknown);
}

TEST_F(ConnectionTest, GarbageEndsIt) {
    open();
    server->on_request = [](const auto& asked) {
        asked.server->raw(asked, bytes_of("HTTP/1.1 400 Bad Request\r\n\r\n"));
    };
    Probe probe;
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_NE(lost->what.find("no CQL frame"), std::string::npos) << lost->what;
    EXPECT_EQ(probe.applied, Applied::unknown);
}

TEST_F(ConnectionTest, AnAnswerToWhatWasNotAskedEndsIt) {
    open();
    server->on_request = [](auto asked) {
        asked.stream = 77;
        asked.server->acknowledge(asked);
    };
    Probe probe;
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_EQ(lost->code, Errc::malformed);
    EXPECT_EQ(probe.answers, 1);
    EXPECT_EQ(probe.applied, Applied::unknown);
}

TEST_F(ConnectionTest, ASecondAnswerEndsItAndTheFirstStands) {
    open();
    server->on_request = [](const auto& asked) {
        asked.server->rows(asked, "once");
        asked.server->rows(asked, "twice");
    };
    Probe probe;
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_EQ(probe.answers, 1);
    EXPECT_EQ(probe.cell(), "once");
}

TEST_F(ConnectionTest, ASilentPeerIsGivenUp) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    open(options);
    loop.on([&] { server->silent_to_options = true; });
    server->on_request = [](const auto&) {};
    Probe probe;
    const auto sent_at = Clock::system().now();
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_NE(lost->what.find("silent"), std::string::npos);
    EXPECT_EQ(probe.applied, Applied::unknown);
    EXPECT_EQ(server->options_asked, 2U) << "one of the start, one probe";
    const auto took = Clock::system().now() - sent_at;
    EXPECT_GT(took, options.dead_after * 3 / 2);
    EXPECT_LT(took, options.dead_after * 2 + 2s) << "the rest is for a busy machine";
}

TEST_F(ConnectionTest, ASlowAnswerIsWaitedForAsLongAsProbesAreAnswered) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    open(options);
    server->on_request = [](const auto&) {};
    Probe probe;
    send(probe);
    loop.until([&] { return server->options_asked >= 9; });  // The quiet of more than four times dead_after.
    EXPECT_FALSE(lost);
    EXPECT_EQ(connection->in_flight(), 1U) << "a probe is no request";
    loop.on([&] { server->rows(server->asked[0], "at last"); });
    loop.until([&] { return probe.answers == 1; });
    EXPECT_EQ(probe.cell(), "at last");
}

TEST_F(ConnectionTest, WhoStopsAnsweringProbesIsGivenUpThen) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    open(options);
    server->on_request = [](const auto&) {};
    Probe probe;
    send(probe);
    loop.until([&] { return server->options_asked >= 4; });
    ASSERT_FALSE(lost);
    loop.on([&] { server->silent_to_options = true; });
    loop.until([&] { return lost.has_value(); });
    EXPECT_EQ(probe.applied, Applied::unknown);
}

TEST_F(ConnectionTest, ANodeThatDoesNotReadIsSentNoMore) {
    ConnectionOptions options;
    options.max_unsent = 64 * 1024;
    open(options);
    loop.on([&] { server->stop_reading(); });
    std::vector<std::unique_ptr<Probe>> probes;
    const auto one_more = [&] {
        probes.push_back(std::make_unique<Probe>("INSERT " + std::string(100'000, 'x')));
        return send(*probes.back());
    };
    // The kernel keeps some megabytes; behind those one request stays here.
    while (one_more() && probes.size() < 1000) loop.turn();
    ASSERT_LT(probes.size(), 1000U);
    EXPECT_FALSE(one_more()) << "the next one would pile up too";
    EXPECT_EQ(capacity, 0);
    loop.on([&] { server->read_on(); });
    loop.until([&] { return capacity > 0; });
    EXPECT_TRUE(one_more());
    loop.until([&] { return probes.back()->answers == 1; });
    EXPECT_FALSE(lost);
}

TEST_F(ConnectionTest, AnAnswerThatThereIsNoMemoryForFailsItsRequestAlone) {
    for (const auto version : {cql::ProtocolVersion::v4, cql::ProtocolVersion::v5}) {
        lost.reset();
        ConnectionOptions options;
        options.version = version;
        open(options);
        server->on_request = [](const auto& asked) {
            asked.server->rows(asked, std::string(asked.text.find("long") != std::string::npos ? 1'000'000 : 10, 'x'));
        };
        auto& memory = loop.shard().memory();
        const auto before = memory.used();
        memory.set_limit(before + 500'000);
        Probe refused("SELECT long", version);
        Probe small("SELECT short", version);
        send(refused);
        send(small);
        loop.until([&] { return refused.answers + small.answers == 2; });
        ASSERT_TRUE(refused.error);
        EXPECT_EQ(refused.error->code, Errc::overloaded);
        EXPECT_TRUE(refused.error->what.starts_with("there is no memory for an answer of 10000"))
            << refused.error->what;
        EXPECT_EQ(small.cell(), "xxxxxxxxxx");
        memory.set_limit(MemoryBudget::kNoLimit);
        Probe again("SELECT long", version);
        send(again);
        loop.until([&] { return again.answers == 1; });
        EXPECT_EQ(again.cell().size(), 1'000'000U);
        EXPECT_LT(memory.used(), before + 1'000) << "but for small buffers that the connection keeps";
        EXPECT_FALSE(lost);
        loop.on([&] { connection.reset(); });
    }
}

TEST_F(ConnectionTest, AFullConnectionIsProbedToo) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    options.max_in_flight = 2;
    open(options);
    server->on_request = [](const auto&) {};
    Probe one, two, refused;
    ASSERT_TRUE(send(one));
    ASSERT_TRUE(send(two));
    EXPECT_FALSE(send(refused));
    loop.until([&] { return server->options_asked >= 4; });
    EXPECT_FALSE(send(refused)) << "the probe's id is not for requests";
    EXPECT_FALSE(lost);
    loop.on([&] { server->rows(server->asked[0], "now"); });
    loop.until([&] { return one.answers == 1 && capacity > 0; });
    EXPECT_TRUE(send(refused));
}

TEST_F(ConnectionTest, WhoAnswersOnlyProbesIsGivenUpWhenTheIdsAreLost) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    options.max_in_flight = 3;
    open(options);
    server->on_request = [](const auto&) {};
    auto one = std::make_unique<Probe>();
    auto two = std::make_unique<Probe>();
    Probe waiting;
    send(*one);
    send(*two);
    send(waiting);
    loop.on([&] {
        one.reset();
        two.reset();
    });
    loop.until([&] { return lost.has_value(); });
    EXPECT_NE(lost->what.find("nothing but probes"), std::string::npos);
    EXPECT_EQ(waiting.applied, Applied::unknown);
}

TEST_F(ConnectionTest, AnIdlePeerIsAskedAndStays) {
    ConnectionOptions options;
    options.dead_after = 20ms;
    options.heartbeat = 20ms;
    open(options);
    loop.until([&, until = Clock::system().now() + 150ms] { return Clock::system().now() > until; });
    EXPECT_FALSE(lost);
    EXPECT_TRUE(connection->is_open());
}

TEST_F(ConnectionTest, AnErrorIsAReply) {
    open();
    server->on_request = [](const auto& asked) { asked.server->error(asked, cql::ErrorCode::overloaded); };
    Probe probe;
    send(probe);
    loop.until([&] { return probe.answers == 1; });
    EXPECT_FALSE(probe.error);
    EXPECT_TRUE(connection->is_open());
}

TEST_F(ConnectionTest, ACallWithoutADeadlineEndsWithTheSilentPeer) {
    ConnectionOptions options;
    options.dead_after = 40ms;
    open(options);
    loop.on([&] { server->silent_to_options = true; });
    server->on_request = [](const auto&) {};
    Bytes frame;
    cql::encode_query(frame, {}, "SELECT 1", {});
    const auto result = loop.run<Result<Bytes>>([&] { return connection->call(frame, Deadline::never()); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::closed);
}

TEST_F(ConnectionTest, ACallEndsByItsDeadlineAndItsIdStaysTaken) {
    open();
    server->on_request = [](const auto&) {};
    Bytes frame;
    cql::encode_query(frame, {}, "SELECT 1", {});
    const auto result =
        loop.run<Result<Bytes>>([&] { return connection->call(frame, Deadline::in(Clock::system(), 20ms)); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::timeout);
    EXPECT_EQ(connection->in_flight(), 1U);
}

TEST_F(ConnectionTest, APeerSilentAtStartupIsGivenUpByTheDeadline) {
    server->silent_at_startup = true;
    const auto opened = try_open({}, 30ms);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::timeout);
}

TEST_F(ConnectionTest, ANodeThatAsksForAPasswordSaysWhatToConfigure) {
    server->authenticator = "org.apache.cassandra.auth.PasswordAuthenticator";
    const auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("configure"), std::string::npos);
}

/// Answers whatever comes first with these bytes, then hangs up.
class Refuser final : Stream::Handler {
  public:
    explicit Refuser(Bytes answer) : answer_(std::move(answer)) {
        at = listener_
                 .listen(Endpoint::parse("127.0.0.1:0").value(),
                         [this](int fd, const Endpoint& from) {
                             stream_ = std::make_unique<Stream>(fd, from);
                             stream_->start(*this);
                         })
                 .value();
    }
    Endpoint at;

  private:
    std::size_t on_data(MutableBytes data) override {
        stream_->write(answer_);
        stream_->close_after_flush();
        return data.size();
    }
    void on_closed(const Error&) override {}
    Bytes answer_;
    Listener listener_;
    std::unique_ptr<Stream> stream_;
};

TEST_F(ConnectionTest, APortThatWantsTlsIsToldByWhatItDoes) {
    const Bytes silence;
    const Bytes alert{0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a};
    for (const auto& answer : {silence, alert}) {
        auto refuser = loop.on([&] { return std::make_unique<Refuser>(answer); });
        const auto opened = loop.run<Result<std::unique_ptr<Connection>>>(
            [&] { return Connection::open(refuser->at, {}, nullptr, Deadline::in(Clock::system(), 5s)); });
        ASSERT_FALSE(opened);
        EXPECT_TRUE(opened.error().what.starts_with(to_string(refuser->at) + " did not answer in CQL ("));
        EXPECT_TRUE(
            opened.error().what.ends_with("): if this port wants TLS, switch it on for this cluster "
                                          "(--source-tls.enabled, --target-tls.enabled)"))
            << opened.error().what;
        loop.on([&] { refuser.reset(); });
    }
}

TEST_F(ConnectionTest, ItsKeyspaceIsUsedOrRefused) {
    ConnectionOptions options;
    options.keyspace = "app";
    open(options);
    EXPECT_EQ(server->uses, 1U);
    server->refuse_use = [](const auto&) { return true; };
    const auto opened = try_open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::server);
    EXPECT_EQ(opened.error().detail, static_cast<int>(cql::ErrorCode::invalid));
}

TEST_F(ConnectionTest, EventsGoToTheOwner) {
    open();
    Bytes request;
    const std::string_view all[] = {"STATUS_CHANGE"};
    cql::encode_register(request, {}, all);
    const auto registered =
        loop.run<Result<Bytes>>([&] { return connection->call(request, Deadline::in(Clock::system(), 5s)); });
    ASSERT_TRUE(registered);
    loop.on([&] {
        server->push(cql::NodeEvent{"STATUS_CHANGE", "DOWN", {cql::InetAddress::parse("127.0.0.1").value(), 9042}});
    });
    loop.until([&] { return events == 1; });
    EXPECT_FALSE(lost);
}

// ---- versions and compression

class ConnectionWireTest : public ConnectionTest,
                           public WithParamInterface<std::pair<cql::ProtocolVersion, cql::Compression>> {};

INSTANTIATE_TEST_SUITE_P(All, ConnectionWireTest,
                         Values(std::pair(cql::ProtocolVersion::v3, cql::Compression::lz4),
                                std::pair(cql::ProtocolVersion::v4, cql::Compression::none),
                                std::pair(cql::ProtocolVersion::v4, cql::Compression::lz4),
                                std::pair(cql::ProtocolVersion::v4, cql::Compression::snappy),
                                std::pair(cql::ProtocolVersion::v5, cql::Compression::none),
                                std::pair(cql::ProtocolVersion::v5, cql::Compression::lz4)));

TEST_P(ConnectionWireTest, SmallAndLargeAnswersArrive) {
    server->compressions = {"lz4", "snappy"};
    server->authenticator = "org.apache.cassandra.auth.PasswordAuthenticator";
    server->users = {{"ada", "lace"}};
    ConnectionOptions options;
    options.version = GetParam().first;
    options.compression = GetParam().second;
    options.login = plain_login({"ada", "lace"});
    options.keyspace = "app";
    open(options);
    server->on_request = [](const auto& asked) { asked.server->rows(asked, asked.text); };
    std::vector<std::unique_ptr<Probe>> probes;
    for (const std::size_t size : {1U, 500U, 200'000U, 3U, 131'072U}) {
        probes.push_back(std::make_unique<Probe>("SELECT " + std::string(size, 'x'), options.version));
        ASSERT_TRUE(send(*probes.back()));
    }
    loop.until([&] { return std::ranges::all_of(probes, [](const auto& one) { return one->answers > 0; }); });
    for (const auto& probe : probes) {
        ASSERT_FALSE(probe->error);
        EXPECT_EQ(probe->cell(), probe->text());
    }
    EXPECT_EQ(server->versions_asked, std::vector{options.version});
    EXPECT_EQ(server->compressions_asked.size(), options.compression == cql::Compression::none ? 0U : 1U);
}

TEST_F(ConnectionTest, CompressionIsUsedOnlyWhereItIsOffered) {
    server->compressions = {"snappy"};
    ConnectionOptions options;
    options.compression = cql::Compression::lz4;
    open(options);
    EXPECT_TRUE(server->compressions_asked.empty());
    options.version = cql::ProtocolVersion::v5;
    options.compression = cql::Compression::snappy;
    loop.on([&] { connection.reset(); });
    open(options);
    EXPECT_TRUE(server->compressions_asked.empty()) << "v5 has no Snappy";
}

TEST_F(ConnectionTest, ABrokenSegmentEndsIt) {
    ConnectionOptions options;
    options.version = cql::ProtocolVersion::v5;
    open(options);
    server->on_request = [](const auto& asked) { asked.server->raw_wire(asked, Bytes(64, 0x5A)); };
    Probe probe("SELECT 1", options.version);
    send(probe);
    loop.until([&] { return lost.has_value(); });
    EXPECT_NE(lost->what.find("checksum"), std::string::npos) << lost->what;
    EXPECT_EQ(probe.answers, 1);
    EXPECT_EQ(probe.applied, Applied::unknown);
}

// ---- a peer that lies in every way it can, by the seed

TEST_F(ConnectionTest, WhateverThePeerDoesEachRequestHasOneOutcomeAndItsOwn) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        ConnectionOptions options;
        options.version = seed % 2 == 0 ? cql::ProtocolVersion::v5 : cql::ProtocolVersion::v4;
        options.max_in_flight = 8;
        options.dead_after = 200ms;
        lost.reset();
        open(options);
        const bool lies = seed % 3 != 0;
        std::vector<LyingServer::Asked> owed;
        server->on_request = [&](const auto& asked) {
            owed.push_back(asked);
            const auto answer = [&](std::size_t which) {
                const auto one = owed[which];
                owed.erase(owed.begin() + static_cast<std::ptrdiff_t>(which));
                one.server->rows(one, one.text);
            };
            switch (lies ? random() % 12 : random() % 6) {
                case 6: {
                    auto wrong = asked;
                    wrong.stream = static_cast<std::int16_t>(random() % 4000);
                    asked.server->rows(wrong, "a lie");
                    break;
                }
                case 7:
                    asked.server->raw_wire(asked, Bytes(random() % 40, static_cast<Byte>(random())));
                    break;
                case 8:
                    asked.server->hang_up(asked);
                    break;
                case 9:
                    owed.pop_back();
                    asked.server->rows(asked, asked.text);
                    asked.server->rows(asked, "a lie");
                    break;
                case 10:
                    asked.server->raw_wire(asked,
                                           BytesView(asked.frame).first(1 + random() % (asked.frame.size() - 1)));
                    asked.server->hang_up_after_flush(asked);
                    break;
                default:
                    break;
            }
            while (!owed.empty() && random() % 3 != 0) answer(random() % owed.size());
        };
        std::vector<std::unique_ptr<Probe>> probes;
        std::size_t cancelled = 0;
        for (int i = 0; i < 60; ++i) {
            auto probe = std::make_unique<Probe>("SELECT " + std::to_string(seed * 1000 + i), options.version);
            const bool sent = send(*probe);
            if (sent && random() % 5 == 0) {
                loop.on([&] { probe->cancel(); });
                ++cancelled;
                EXPECT_FALSE(probe->is_pending());
            } else if (sent) {
                probes.push_back(std::move(probe));
            }
            if (random() % 4 == 0) loop.turn();
        }
        loop.on([&] { connection->close({Errc::closed, "the test ends it"}); });
        for (const auto& probe : probes) {
            EXPECT_EQ(probe->answers, 1) << "one outcome each";
            // A lie about the stream is told by a rightly addressed frame: no client could know. But nobody gets what
            // was another's answer.
            if (!probe->error) {
                EXPECT_TRUE(probe->cell() == probe->text() || (lies && probe->cell() == "a lie"))
                    << probe->cell() << " for " << probe->text();
            }
            EXPECT_FALSE(probe->is_pending());
        }
        EXPECT_EQ(connection->in_flight(), 0U);
        loop.on([&] { connection.reset(); });
        loop.turn();
        server->on_request = [](const auto&) {};  // what it has not read yet is not of the next seed's
    }
}

}  // namespace
}  // namespace penumbra::cluster
