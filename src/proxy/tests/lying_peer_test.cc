#include <array>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using namespace std::chrono_literals;
using cql::ErrorCode;
using cql::Opcode;
using Asked = LyingServer::Asked;

constexpr auto kPrepared = "SELECT v FROM app.rows WHERE tenant = ? AND id = ?";
constexpr auto kLie = "a lie";

/// What an honest server answers a read with: nobody else's answer looks like it.
std::string echo(const std::string& text, const std::vector<Bytes>& values) {
    auto said = text;
    for (const auto& value : values) said += " " + to_hex(value);
    return said;
}

/// Two clusters that lie in every way that a wire allows, by the seed, under requests that each name their answer.
/// Not among the lies: an answer to somebody else's request with that request's own content, which no client could see
/// through. What is told to the wrong request says that it is a lie.
class LyingPeers {
  public:
    LyingPeers(World& world, unsigned seed) : random_(seed) {
        for (auto* server : {world.source.get(), world.target.get()})
            server->on_request = [this](const Asked& asked) { take(asked); };
    }

    void begin_to_lie() { lies_ = true; }
    /// Honest from now on; and whatever was held back goes out, long after anybody waited for it.
    void repent() {
        lies_ = false;
        release_all();
    }

  private:
    std::size_t one_of(std::size_t n) { return random_() % n; }

    static Bytes frame_of(const Asked& asked, const std::string& cell) {
        cql::ResponseHead head;
        head.version = asked.version;
        head.stream = asked.stream;
        Bytes frame;
        if (asked.is_write()) {
            cql::encode_void(frame, head);
            return frame;
        }
        cql::RowsBuilder built("app", "rows");
        built.add_column("v", cql::scalar(cql::TypeKind::text));
        built.add(cql::encode_text(cell));
        cql::encode_rows(frame, head, built.view());
        return frame;
    }
    static void be_honest(const Asked& asked) {
        if (asked.opcode == Opcode::prepare || !asked.unknown_id.empty()) return asked.server->obey(asked);
        asked.server->raw(asked, frame_of(asked, echo(asked.text, asked.values)));
    }
    void release_all() {
        for (const auto& one : std::exchange(held_, {})) be_honest(one);
    }
    void release_one() {
        if (held_.empty()) return;
        const auto at = held_.begin() + static_cast<std::ptrdiff_t>(one_of(held_.size()));
        const auto one = *at;
        held_.erase(at);
        be_honest(one);
    }

    void take(const Asked& asked) {
        if (!lies_ || one_of(3) == 0) return be_honest(asked);
        auto& server = *asked.server;
        auto elsewhere = asked;
        switch (one_of(16)) {
            case 0:
            case 1:
            case 2:
                held_.push_back(asked);  // late, perhaps when nobody waits any more
                return;
            case 3:
                release_one();
                return be_honest(asked);
            case 4:
                return;  // never
            case 5: {
                const auto frame = frame_of(asked, echo(asked.text, asked.values));
                server.raw_wire(asked, BytesView(frame).first(1 + one_of(frame.size() - 1)));
                return server.hang_up_after_flush(asked);
            }
            case 6: {
                be_honest(asked);
                return server.raw_wire(asked, Bytes(1 + one_of(60), static_cast<Byte>(random_())));
            }
            case 7:  // to whoever has that stream, if anybody
                elsewhere.stream = static_cast<std::int16_t>(one_of(64));
                return server.raw(elsewhere, frame_of(elsewhere, kLie));
            case 8:
                be_honest(asked);
                return server.raw(asked, frame_of(asked, kLie));  // a second time
            case 9: {
                // Shorter than its own counts say.
                auto frame = frame_of(asked, kLie);
                frame.resize(cql::kHeaderSize + one_of(frame.size() - cql::kHeaderSize));
                store_be(frame.data() + 5, static_cast<std::uint32_t>(frame.size() - cql::kHeaderSize));
                return server.raw(asked, frame);
            }
            case 10:  // no answer to this
                return server.respond(asked,
                                      [](Bytes& out, const cql::ResponseHead& head) { cql::encode_ready(out, head); });
            case 11: {
                constexpr std::array kCodes{ErrorCode::server_error,  ErrorCode::overloaded,  ErrorCode::read_timeout,
                                            ErrorCode::write_timeout, ErrorCode::unavailable, ErrorCode::invalid};
                return server.error(asked, kCodes[one_of(kCodes.size())]);
            }
            case 12:
                return server.unprepared(asked, server.id_of(one_of(2) == 0 ? kPrepared : "another"));
            case 13: {
                // An error that lacks what its code promises.
                auto frame = frame_of(asked, kLie);
                frame.resize(cql::kHeaderSize);
                frame[4] = static_cast<Byte>(Opcode::error);
                Writer body(frame);
                body.u32(static_cast<std::uint32_t>(one_of(2) == 0 ? ErrorCode::unprepared : ErrorCode::unavailable));
                store_be(frame.data() + 5, static_cast<std::uint32_t>(frame.size() - cql::kHeaderSize));
                return server.raw(asked, frame);
            }
            case 14:
                if (one_of(4) == 0) return server.hang_up_all();
                return server.hang_up(asked);
            default: {
                auto frame = frame_of(asked, kLie);
                frame[1] = static_cast<Byte>(random_());  // flags for what is not there
                return server.raw(asked, frame);
            }
        }
    }

    std::mt19937 random_;
    bool lies_ = false;
    std::vector<Asked> held_;
};

class LyingPeerTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(LyingPeerTest, EachRequestGetsOneAnswerAndNobodyElses) {
    const auto seed = GetParam();
    std::mt19937 random(seed);
    World world(120ms, 30ms);
    constexpr std::array kPhases{Phase::source_only, Phase::shadow_async, Phase::shadow_sync, Phase::target_primary,
                                 Phase::target_only};
    world.set_phase(kPhases[seed % kPhases.size()]);
    LyingPeers peers(world, seed);

    struct Application {
        std::unique_ptr<Client> client;
        Bytes prepared;
        std::map<std::int16_t, std::string> expected;  ///< by stream: the echo; "" of what is no read
    };
    std::vector<Application> applications(3);
    for (auto& one : applications) {
        one.client = std::make_unique<Client>(world.loop, world.address);
        one.client->version = seed % 2 == 0 ? cql::ProtocolVersion::v4 : cql::ProtocolVersion::v5;
        one.client->start_up();
        one.prepared = one.client->prepare(kPrepared);
    }
    int number = 0;
    const auto ask = [&](Application& one) {
        const auto id = std::to_string(++number);
        const auto row = "app.rows WHERE tenant = 'acme' AND id = " + id;
        std::int16_t stream = 0;
        std::string expected;
        switch (random() % 4) {
            case 0:
                expected = echo("SELECT v FROM " + row, {});
                stream = one.client->query(expected);
                break;
            case 1: {
                const std::vector<Bytes> values{cql::encode_text("acme"), cql::encode_int(number)};
                expected = echo(kPrepared, values);
                stream = one.client->execute(one.prepared, values);
                break;
            }
            case 2:
                stream = one.client->query("INSERT INTO app.rows (tenant, id, v) VALUES ('acme', " + id + ", 'x')");
                break;
            default: {
                const auto text = "DELETE v FROM " + row;
                const std::vector<cql::BatchStatement> children{{text, {}, {}}};
                stream = one.client->send([&](Bytes& out, const cql::RequestHead& head) {
                    cql::encode_batch(out, head, cql::BatchType::unlogged, children, {});
                });
            }
        }
        one.expected[stream] = expected;
        return stream;
    };
    const auto all_answered = [&] {
        return std::ranges::all_of(applications, [](const auto& one) {
            return std::ranges::all_of(one.expected,
                                       [&](const auto& asked) { return !one.client->answers[asked.first].empty(); });
        });
    };

    peers.begin_to_lie();
    for (int i = 0; i < 150; ++i) {
        ask(applications[random() % applications.size()]);
        if (random() % 3 == 0) world.loop.turn();
    }
    ASSERT_TRUE(world.loop.until(all_answered));

    // Every late answer arrives now, among the first requests of better days, which are served as if nothing had been.
    world.loop.on([&] { peers.repent(); });
    for (auto& one : applications) {
        bool served = false;
        for (int i = 0; i < 200 && !served; ++i) served = Client::is_result(one.client->wait(ask(one)));
        EXPECT_TRUE(served);
        for (int i = 0; i < 10; ++i) ask(one);
    }
    ASSERT_TRUE(world.loop.until(all_answered));
    world.settle();
    world.loop.turn();

    std::size_t own = 0;
    for (const auto& one : applications) {
        EXPECT_FALSE(one.client->closed);
        EXPECT_EQ(one.client->answers.size(), one.expected.size() + 2) << "and those to STARTUP and PREPARE";
        for (const auto& [stream, expected] : one.expected) {
            const auto& answers = one.client->answers.at(stream);
            ASSERT_EQ(answers.size(), 1U) << "stream " << stream << ": " << expected;
            if (expected.empty() || !Client::is_result(answers[0])) continue;
            const auto rows = cql::Rows::from(Client::view(answers[0]));
            if (!rows || rows.value().size() != 1) continue;  // a lie about itself
            const auto cell = rows.value()[0].text("v");
            if (!cell) continue;
            own += cell.value() == expected ? 1 : 0;
            EXPECT_TRUE(cell.value() == expected || cell.value() == kLie) << cell.value() << "\nis not\n" << expected;
        }
    }
    EXPECT_GT(own, 20U) << "somebody was heard";
    // Ends at once: no request is left anywhere. (It would wait for one for ever.)
    world.stop();
}

INSTANTIATE_TEST_SUITE_P(Seeds, LyingPeerTest, ::testing::Range(1U, 41U));

}  // namespace
}  // namespace penumbra::proxy::testing
