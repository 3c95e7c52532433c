#include "proxy/peer_watch.h"

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "runtime/tests/support/certificates.h"

namespace penumbra::proxy {
namespace {

using namespace std::chrono_literals;

TEST(PeerHealthTest, UpByOneAnswerAndDownByFailuresInARow) {
    PeerHealth health;
    EXPECT_FALSE(health.is_up());
    EXPECT_EQ(health.observe(false), std::nullopt);
    EXPECT_EQ(health.observe(true), true);
    EXPECT_EQ(health.observe(true), std::nullopt);
    for (int i = 1; i < PeerHealth::kFailuresUntilDown; ++i) EXPECT_EQ(health.observe(false), std::nullopt);
    EXPECT_EQ(health.observe(true), std::nullopt);  // one answer, and the count begins again
    for (int i = 1; i < PeerHealth::kFailuresUntilDown; ++i) EXPECT_EQ(health.observe(false), std::nullopt);
    EXPECT_EQ(health.observe(false), false);
    EXPECT_EQ(health.observe(false), std::nullopt);
}

TEST(PeerHealthTest, WhoFallsAgainAndAgainHasToStandLonger) {
    PeerHealth health;
    const auto rise = [&] {
        int answers = 1;
        while (health.observe(true) != true) ++answers;
        return answers;
    };
    const auto fall = [&] {
        while (health.observe(false) != false) {
        }
    };
    EXPECT_EQ(rise(), 1);
    for (const int needed : {2, 4, 8, 16, 32, 32}) {
        fall();
        EXPECT_EQ(rise(), needed);
    }
    for (int i = 0; i < PeerHealth::kSteadyAfter; ++i) health.observe(true);
    fall();
    EXPECT_EQ(rise(), 2);
}

TEST(PeerWatchTest, TellsOfEachChangeOnce) {
    cluster::testing::Loop loop;
    std::unique_ptr<cluster::testing::LyingServer> peer;
    loop.on([&] { peer = std::make_unique<cluster::testing::LyingServer>("peer"); });
    const auto port = peer->port();
    ProxyNode self;
    self.address = Endpoint::parse("127.0.0.1:1").value();
    ProxyNode other;
    other.address = Endpoint::parse("127.0.0.1", port).value();
    const auto ring = ProxyRing::make(self, {other}).value();
    std::vector<bool> told;
    std::unique_ptr<PeerWatch> watch;
    loop.on([&] {
        PeerWatch::Options options;
        options.every = 1ms;
        options.timeout = 500ms;
        watch = std::make_unique<PeerWatch>(
            ring,
            [&](ProxiesUp up, PeerChange change) {
                EXPECT_EQ((*up)[1], change.up);
                EXPECT_EQ(change.address.port(), port);
                told.push_back(change.up);
            },
            options);
        watch->start();
    });
    loop.until([&] { return told.size() == 1; });
    loop.on([&] { peer.reset(); });
    loop.until([&] { return told.size() == 2; });
    EXPECT_EQ(told, (std::vector{true, false}));
    loop.run_void([&] { return watch->stop(); });
    loop.on([&] { watch.reset(); });
}

/// A proxy whose listener speaks TLS: it answers whatever it is told with SUPPORTED.
class TlsPeer final : Stream::Handler {
  public:
    explicit TlsPeer(const TlsContextPtr& tls) {
        const auto accept = [this, tls](int fd, const Endpoint& from) {
            streams_.push_back(std::make_unique<Stream>(fd, from, tls));
            streams_.back()->start(*this);
        };
        endpoint = listener_.listen(Endpoint::parse("127.0.0.1:0").value(), accept).value();
    }
    Endpoint endpoint;

  private:
    std::size_t on_data(MutableBytes data) override {
        cql::encode_supported(streams_.back()->out(), {}, {});
        streams_.back()->flush_soon();
        return data.size();
    }
    void on_closed(const Error&) override {}

    Listener listener_;
    std::vector<std::unique_ptr<Stream>> streams_;
};

TEST(PeerWatchTest, AsksInTlsWhoSpeaksNothingElse) {
    const Identity authority({.name = "CA", .is_ca = true});
    const Identity proxy({.name = "proxy", .alternatives = "DNS:db.example"}, &authority);
    const Directory files;
    TlsOptions own;
    own.certificate = files.write("proxy.pem", proxy.certificate());
    own.key = files.write("proxy.key", proxy.key());
    auto listening = own;
    listening.ca = files.write("ca.pem", authority.certificate());
    listening.client_auth = TlsClientAuth::required;
    auto asking = own;
    asking.verify = TlsVerify::none;  // The certificate is for the applications' name, and nothing is told to the peer.

    cluster::testing::Loop loop;
    std::unique_ptr<TlsPeer> peer;
    loop.on([&] { peer = std::make_unique<TlsPeer>(TlsContext::make(TlsRole::server, listening).value()); });
    ProxyNode self;
    self.address = Endpoint::parse("127.0.0.1:1").value();
    ProxyNode other;
    other.address = peer->endpoint;
    const auto ring = ProxyRing::make(self, {other}).value();
    std::vector<bool> told;
    std::unique_ptr<PeerWatch> watch;
    loop.on([&] {
        PeerWatch::Options options;
        options.every = 1ms;
        options.timeout = 5s;
        options.tls = TlsContext::make(TlsRole::client, asking).value();
        watch = std::make_unique<PeerWatch>(
            ring, [&](ProxiesUp, PeerChange change) { told.push_back(change.up); }, options);
        watch->start();
    });
    loop.until([&] { return !told.empty(); });
    EXPECT_EQ(told, std::vector{true});
    loop.run_void([&] { return watch->stop(); });
    loop.on([&] {
        watch.reset();
        peer.reset();
    });
}

}  // namespace
}  // namespace penumbra::proxy
