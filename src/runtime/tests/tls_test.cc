#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/async.h"
#include "runtime/listener.h"
#include "runtime/stream.h"
#include "runtime/tests/support/certificates.h"
#include "runtime/tests/support/run.h"
#include "runtime/tls_reloader.h"
#include "runtime/tls_session.h"

namespace penumbra {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using penumbra::testing::run;

// Loops of 5000 sleeps await a condition and are bounded by five seconds: what follows them fails when it did not come.

const Identity& authority() {
    static const Identity made({.name = "Test CA", .is_ca = true});
    return made;
}
const Identity& other_authority() {
    static const Identity made({.name = "Other CA", .is_ca = true});
    return made;
}

/// One end of a connection: remembers what came, sends back what it is told to.
class End final : public Stream::Handler {
  public:
    std::size_t on_data(MutableBytes data) override {
        const auto whole = data.size() / message * message;
        if (whole < data.size() && message > 1) stream->expect(message);
        heard.insert(heard.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(whole));
        if (echo) stream->write(data.first(whole));
        return whole;
    }
    void on_closed(const Error& error) override { why = error; }
    void say(std::string_view text) { stream->write(bytes_of(text)); }
    std::string text() const { return std::string(text_of(heard)); }

    std::unique_ptr<Stream> stream;
    std::size_t message = 1;
    bool echo = false;
    Bytes heard;
    std::optional<Error> why;
};

/// A server and a client on loopback with the files of both, as settings would name them.
struct Pair {
    Pair() {
        listen.name = "listen-tls";
        target.name = "target-tls";
        const Identity own({.name = "penumbra", .alternatives = "DNS:db.example,IP:127.0.0.1"}, &authority());
        listen.certificate = files.write("server.pem", own.certificate() + authority().certificate());
        listen.key = files.write("server.key", own.key());
        target.ca = files.write("ca.pem", authority().certificate());
    }
    void give_client_a_certificate(const Identity& signer) {
        const Identity app({.name = "app"}, &signer);
        target.certificate = files.write("client.pem", app.certificate());
        target.key = files.write("client.key", app.key());
    }
    void want_client_certificates(TlsClientAuth how) {
        listen.client_auth = how;
        listen.ca = files.write("client-ca.pem", authority().certificate());
    }

    Task<void> connect() {
        if (!server_context && listen_with_tls) server_context = TlsContext::make(TlsRole::server, listen).value();
        if (!client_context && connect_with_tls) client_context = TlsContext::make(TlsRole::client, target).value();
        const auto bound =
            listener.listen(Endpoint::parse("127.0.0.1:0").value(), [this](int fd, const Endpoint& peer) {
                server.stream = std::make_unique<Stream>(fd, peer, server_context);
                server.stream->start(server);
            });
        at = bound.value();
        if (!host.empty() && client_context) client_context->known_as(host, {at});
        auto connected = co_await penumbra::connect(at, Deadline::in(Clock::system(), 5s));
        client.stream = std::make_unique<Stream>(connected.value(), at, client_context);
        client.stream->start(client);
    }
    /// Sends "ping" and waits for it to come back, or for the connection to end.
    Task<bool> ping() {
        server.echo = true;
        const auto before = client.heard.size();
        client.say("ping");
        for (int i = 0; i < 5000 && client.heard.size() < before + 4 && !client.why; ++i) co_await sleep(1ms);
        co_return client.heard.size() >= before + 4;
    }
    Task<void> both_end() {
        for (int i = 0; i < 5000 && !(client.why && server.why); ++i) co_await sleep(1ms);
        EXPECT_TRUE(client.why.has_value());
        EXPECT_TRUE(server.why.has_value());
        end();
    }
    void end() {
        client.stream.reset();
        server.stream.reset();
        listener.close();
    }

    Directory files;
    TlsOptions listen, target;
    bool listen_with_tls = true;
    bool connect_with_tls = true;
    std::string host;
    TlsContextPtr server_context, client_context;
    Listener listener;
    End server, client;
    Endpoint at;
};

/// What both ends say of a connection that cannot be.
struct Refusal {
    Error client, server;
};
Refusal refusal_of(Pair& pair) {
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        const bool answered = co_await p.ping();
        EXPECT_FALSE(answered);
        co_await p.both_end();
    }(pair));
    return {pair.client.why.value_or(Error()), pair.server.why.value_or(Error())};
}

void expect_ping(Pair& pair) {
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        const bool answered = co_await p.ping();
        EXPECT_TRUE(answered) << (p.client.why ? p.client.why->what : "") << (p.server.why ? p.server.why->what : "");
        p.end();
    }(pair));
}

TEST(Tls, SpeaksBothVersionsWithTheAddressVerified) {
    for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
        Pair pair;
        pair.listen.minimum = version;
        expect_ping(pair);
    }
}

TEST(Tls, MutualWithVerifiedHostName) {
    Pair pair;
    pair.want_client_certificates(TlsClientAuth::required);
    pair.give_client_a_certificate(authority());
    pair.host = "db.example";
    expect_ping(pair);
}

TEST(Tls, OptionalClientCertificatesMayBeMissingButNotForeign) {
    Pair without;
    without.want_client_certificates(TlsClientAuth::optional);
    expect_ping(without);
    Pair foreign;
    foreign.want_client_certificates(TlsClientAuth::optional);
    foreign.give_client_a_certificate(other_authority());
    const auto why = refusal_of(foreign);
    EXPECT_THAT(why.server.what, HasSubstr("(/CN=app) is signed by nobody in "));
    EXPECT_THAT(why.server.what, EndsWith("put the CA that signed it into --listen-tls.client-ca"));
}

TEST(Tls, MissingClientCertificateIsNamedOnBothSides) {
    Pair pair;
    pair.want_client_certificates(TlsClientAuth::required);
    const auto why = refusal_of(pair);
    EXPECT_THAT(why.server.what, EndsWith(" shows no client certificate, and --listen-tls.client-auth is required"));
    EXPECT_THAT(why.client.what, EndsWith(": it asks for a client certificate; give one by --target-tls.cert and "
                                          "--target-tls.key"));
}

TEST(Tls, WrongCaIsNamedOnBothSides) {
    Pair pair;
    pair.target.ca = pair.files.write("other-ca.pem", other_authority().certificate());
    const auto why = refusal_of(pair);
    EXPECT_EQ(why.client.code, Errc::unavailable);
    EXPECT_EQ(why.client.what, "the certificate of " + to_string(pair.at) + " (/CN=penumbra) is signed by nobody in " +
                                   pair.target.ca.string() + ": put the CA that signed it into --target-tls.ca");
    EXPECT_THAT(why.server.what, HasSubstr("it does not trust our certificate"));
    EXPECT_THAT(why.server.what, HasSubstr(pair.listen.certificate.string()));
}

TEST(Tls, WrongHostNameSaysWhomTheCertificateIsFor) {
    Pair pair;
    pair.host = "elsewhere.example";
    const auto why = refusal_of(pair);
    EXPECT_EQ(why.client.what,
              "the certificate of " + to_string(pair.at) +
                  " (/CN=penumbra) is for DNS db.example, IP 127.0.0.1, not for elsewhere.example: give the name it "
                  "has as --target-tls.server-name, or --target-tls.verify ca to trust every certificate of the CA");
    Pair by_ca;
    by_ca.host = "elsewhere.example";
    by_ca.target.verify = TlsVerify::ca;
    expect_ping(by_ca);
    Pair told;
    told.host = "elsewhere.example";
    told.target.server_name = "db.example";
    expect_ping(told);
}

TEST(Tls, AnAddressThatTheCertificateDoesNotNameIsRefused) {
    Pair pair;
    const Identity nameless({.name = "127.0.0.1", .alternatives = "IP:127.0.0.7"}, &authority());
    pair.listen.certificate = pair.files.write("server.pem", nameless.certificate());
    pair.listen.key = pair.files.write("server.key", nameless.key());
    EXPECT_THAT(refusal_of(pair).client.what, HasSubstr(" is for IP 127.0.0.7, not for 127.0.0.1: "));
}

TEST(Tls, ExpiredCertificatesAreRefusedUnlessNothingIsVerified) {
    for (const auto verify : {TlsVerify::full, TlsVerify::none}) {
        Pair pair;
        const Identity old({.name = "old", .alternatives = "IP:127.0.0.1", .valid_from = -7200, .valid_to = -3600},
                           &authority());
        pair.listen.certificate = pair.files.write("server.pem", old.certificate());
        pair.listen.key = pair.files.write("server.key", old.key());
        pair.target.verify = verify;
        if (verify == TlsVerify::none) {
            expect_ping(pair);
        } else {
            EXPECT_THAT(refusal_of(pair).client.what, HasSubstr("(/CN=old) expired at "));
        }
    }
}

TEST(Tls, APlainClientAtATlsPort) {
    Pair pair;
    pair.connect_with_tls = false;
    EXPECT_THAT(refusal_of(pair).server.what,
                EndsWith(" does not speak TLS, and this port does not speak without: switch TLS on in the client, or "
                         "have it use the port without TLS"));
}

TEST(Tls, ATlsClientAtAPlainPort) {
    Pair pair;
    pair.listen_with_tls = false;
    pair.server.echo = true;
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        // The server takes the ClientHello for text and sends it back: a handshake record, but no answer to ours.
        for (int i = 0; i < 5000 && !p.client.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.client.why->code, Errc::unavailable);
        p.end();
    }(pair));
    Pair talking;
    talking.listen_with_tls = false;
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        for (int i = 0; i < 5000 && !p.server.stream; ++i) co_await sleep(1ms);
        p.server.say("220 mail.example ready\r\n");
        for (int i = 0; i < 5000 && !p.client.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.client.why->what, to_string(p.at) +
                                          " does not speak TLS at this port: name its TLS port, or leave "
                                          "out --target-tls.* if it has none");
        p.end();
    }(talking));
}

TEST(Tls, APeerThatHangsUpInTheHandshake) {
    Pair pair;
    pair.listen_with_tls = false;
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        for (int i = 0; i < 5000 && !p.server.stream; ++i) co_await sleep(1ms);
        p.server.stream->close();
        for (int i = 0; i < 5000 && !p.client.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.client.why->code, Errc::unavailable);
        EXPECT_THAT(p.client.why->what, HasSubstr("TLS handshake"));
        p.end();
    }(pair));
}

TEST(Tls, APeerThatDoesNotFinishTheHandshakeIsNotWaitedForLong) {
    Pair pair;
    pair.connect_with_tls = false;  // and says nothing
    ManualClock clock;
    Shard shard("test", clock);
    Gate gate;
    enum class Step { connect, almost, over } step = Step::connect;
    shard.run([&] {
        if (step == Step::connect) {
            gate.spawn(pair.connect());
            step = Step::almost;
        } else if (step == Step::almost && pair.server.stream && gate.holders() == 0) {
            clock.advance(Stream::kHandshakeTime - 1ms);
            step = Step::over;
            shard.post([] {});  // another turn, for what is due
        } else if (step == Step::over && !pair.server.why && clock.now() < SteadyTime(Stream::kHandshakeTime + 2s)) {
            EXPECT_TRUE(pair.server.stream->is_open());
            clock.advance(1ms);
            shard.post([] {});
        }
        return pair.server.why.has_value();
    });
    EXPECT_EQ(pair.server.why->code, Errc::unavailable);
    EXPECT_THAT(pair.server.why->what, EndsWith(" did not finish the TLS handshake within 15 s"));
    EXPECT_EQ(clock.now(), SteadyTime(1s + Stream::kHandshakeTime));
    shard.run([&] { return pair.end(), true; });
}

TEST(Tls, BigTransfersBothWaysAndPartialMessages) {
    for (const std::size_t size : {1UL, 16'383UL, 16'384UL, 16'385UL, 300'000UL, 5'000'000UL}) {
        Pair pair;
        run([](Pair& p, std::size_t bytes) -> Task<void> {
            co_await p.connect();
            p.server.echo = true;
            p.server.message = bytes;
            p.client.message = bytes;
            Bytes sent(bytes * 2);
            for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<Byte>(i * 31 + i / 251);
            p.client.stream->write(sent);
            EXPECT_GE(p.client.stream->unsent(), sent.size()) << "nothing leaves before the handshake";
            bool drained = false;
            for (int i = 0; i < 20000 && p.client.heard.size() < sent.size() && !p.client.why; ++i) {
                co_await sleep(1ms);
                drained |= p.client.stream->unsent() == 0;
            }
            EXPECT_EQ(p.client.heard, sent);
            EXPECT_TRUE(drained);
            p.client.stream->close();
            for (int i = 0; i < 5000 && !p.server.why; ++i) co_await sleep(1ms);
            EXPECT_EQ(p.server.why->code, Errc::closed);
            p.end();
        }(pair, size));
    }
}

TEST(Tls, CloseAfterFlushDeliversEverythingWrittenBeforeTheHandshake) {
    Pair pair;
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        p.client.stream->write(Bytes(2'000'000, 'x'));
        p.client.stream->close_after_flush();
        for (int i = 0; i < 5000 && !p.server.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.server.heard.size(), 2'000'000u);
        EXPECT_EQ(p.server.why->code, Errc::closed);
        EXPECT_TRUE(p.client.why.has_value());
        p.end();
    }(pair));
}

TEST(Tls, APauseHoldsBackDataAndTheEndBehindIt) {
    Pair pair;
    run([](Pair& p) -> Task<void> {
        co_await p.connect();
        co_await p.ping();
        p.server.echo = false;
        p.server.stream->pause();
        p.client.say("last words");
        p.client.stream->close_after_flush();
        for (int i = 0; i < 5000 && !p.client.why; ++i) co_await sleep(1ms);
        for (int i = 0; i < 5; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.server.text(), "ping");
        EXPECT_FALSE(p.server.why.has_value());
        p.server.stream->resume();
        for (int i = 0; i < 5000 && !p.server.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(p.server.text(), "pinglast words");
        EXPECT_EQ(p.server.why->code, Errc::closed);
        p.end();
    }(pair));
}

/// Two sessions without sockets: `step` bytes travel at a time.
void shake_hands(TlsSession& client, TlsSession& server, std::size_t step, std::optional<Error>& failed) {
    Bytes plain(TlsSession::kCarriedOver * 2);
    const auto carry = [&](TlsSession& from, TlsSession& to) {
        const Bytes all = std::exchange(from.outgoing(), {});
        for (std::size_t at = 0; at < all.size() && !failed; at += step) {
            const auto got = to.decrypt(BytesView(all).subspan(at, std::min(step, all.size() - at)), plain);
            failed = got.error;
        }
        return !all.empty();
    };
    ASSERT_TRUE(client.begin());
    while (!failed && (carry(client, server) | carry(server, client))) {
    }
}

TEST(TlsSession, AByteAtATimeInBothVersions) {
    for (const auto version : {TlsVersion::v1_2, TlsVersion::v1_3}) {
        Pair pair;
        pair.want_client_certificates(TlsClientAuth::required);
        pair.give_client_a_certificate(authority());
        pair.target.minimum = version;
        const auto server_context = TlsContext::make(TlsRole::server, pair.listen).value();
        const auto client_context = TlsContext::make(TlsRole::client, pair.target).value();
        const auto at = Endpoint::parse("127.0.0.1:9042").value();
        TlsSession server(*server_context, at);
        TlsSession client(*client_context, at);
        std::optional<Error> failed;
        shake_hands(client, server, 1, failed);
        ASSERT_FALSE(failed.has_value()) << failed->what;
        ASSERT_TRUE(client.is_established() && server.is_established());
        const Bytes sent(40'000, 'b');
        ASSERT_TRUE(client.encrypt(sent));
        const Bytes cipher = std::exchange(client.outgoing(), {});
        Bytes heard, plain(TlsSession::kCarriedOver * 2);
        for (const auto byte : cipher) {
            const auto got = server.decrypt({&byte, 1}, plain);
            ASSERT_FALSE(got.error.has_value());
            heard.insert(heard.end(), plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(got.size));
        }
        EXPECT_EQ(heard, sent);
        client.say_goodbye();
        EXPECT_TRUE(server.decrypt(client.outgoing(), plain).ended);
    }
}

TEST(TlsSession, TheCertificateThatWasAskedForIsNamedWhenTheEndComesWithoutAWord) {
    for (const auto how : {TlsClientAuth::required, TlsClientAuth::optional}) {
        Pair pair;
        pair.want_client_certificates(how);
        pair.target.minimum = TlsVersion::v1_3;  // there the client's handshake is over before the server has judged
        const auto server_context = TlsContext::make(TlsRole::server, pair.listen).value();
        const auto client_context = TlsContext::make(TlsRole::client, pair.target).value();
        const auto at = Endpoint::parse("127.0.0.1:9042").value();
        TlsSession server(*server_context, at);
        TlsSession client(*client_context, at);
        Bytes plain(TlsSession::kCarriedOver * 2);
        ASSERT_TRUE(client.begin());
        server.decrypt(std::exchange(client.outgoing(), {}), plain);
        client.decrypt(std::exchange(server.outgoing(), {}), plain);
        ASSERT_TRUE(client.is_established());
        EXPECT_TRUE(client.is_certificate_missing());
        EXPECT_THAT(client.lost().what, EndsWith("give one by --target-tls.cert and --target-tls.key"));
        server.decrypt(std::exchange(client.outgoing(), {}), plain);
        ASSERT_EQ(server.is_established(), how == TlsClientAuth::optional);
        if (!server.is_established()) continue;
        ASSERT_TRUE(server.encrypt(bytes_of("welcome all the same")));
        client.decrypt(std::exchange(server.outgoing(), {}), plain);
        EXPECT_FALSE(client.is_certificate_missing());
        EXPECT_THAT(client.lost().what, EndsWith("closed the connection"));
    }
}

TEST(TlsSession, EveryDamagedByteEndsTheConnection) {
    Pair pair;
    const auto server_context = TlsContext::make(TlsRole::server, pair.listen).value();
    const auto client_context = TlsContext::make(TlsRole::client, pair.target).value();
    const auto at = Endpoint::parse("127.0.0.1:9042").value();
    for (std::size_t damaged = 5; damaged < 30; ++damaged) {
        TlsSession server(*server_context, at);
        TlsSession client(*client_context, at);
        std::optional<Error> failed;
        shake_hands(client, server, 4096, failed);
        ASSERT_TRUE(client.encrypt(bytes_of("some plain text")));
        client.outgoing()[damaged] ^= 1;
        Bytes plain(TlsSession::kCarriedOver * 2);
        const auto got = server.decrypt(client.outgoing(), plain);
        EXPECT_EQ(got.size, 0u);
        ASSERT_TRUE(got.error.has_value()) << damaged;
        EXPECT_EQ(got.error->code, Errc::closed);
    }
}

TEST(TlsContext, ErrorsNameTheSettingTheFileAndTheRemedy) {
    Pair pair;
    const auto error_of = [](const TlsOptions& options) {
        auto made = TlsContext::make(TlsRole::server, options);
        return made ? std::string("no error") : made.error().what;
    };
    auto o = pair.listen;
    o.certificate = pair.files / "nowhere.pem";
    EXPECT_EQ(error_of(o),
              "--listen-tls.cert " + o.certificate.string() + ": cannot read it: No such file or directory");
    o = pair.listen;
    o.certificate = pair.files.write("empty.pem", "");
    EXPECT_THAT(error_of(o), StartsWith("--listen-tls.cert " + o.certificate.string() + ": no certificate in it;"));
    o = pair.listen;
    auto damaged = authority().certificate();
    damaged[100] = '!';
    o.certificate = pair.files.write("damaged.pem", authority().certificate() + damaged);
    EXPECT_THAT(error_of(o), HasSubstr("certificate 2 of the file is damaged"));
    o = pair.listen;
    o.key = pair.files.write("other.key", other_authority().key());
    EXPECT_THAT(error_of(o), HasSubstr("the key does not belong to the first certificate of "));
    o.key = pair.files.write("locked.key", other_authority().key("secret"));
    EXPECT_THAT(error_of(o), HasSubstr("the key has a passphrase; take it off with: openssl pkey"));
    o.key = pair.files.write("no.key", authority().certificate());
    EXPECT_THAT(error_of(o), HasSubstr("no private key in PEM form in it"));
    o.key.clear();
    EXPECT_EQ(error_of(o), "--listen-tls.key is missing: a certificate and its key are given together");
    o = pair.listen;
    o.client_auth = TlsClientAuth::required;
    EXPECT_THAT(error_of(o), StartsWith("--listen-tls.client-ca is missing: "));
    o.certificate.clear();
    o.key.clear();
    EXPECT_EQ(error_of(o), "--listen-tls.cert is missing: a TLS port needs a certificate");
}

TEST(TlsContext, KnowsWhenItsChainExpires) {
    Pair pair;
    const auto context = TlsContext::make(TlsRole::server, pair.listen).value();
    ASSERT_TRUE(context->certificate().has_value());
    EXPECT_EQ(context->certificate()->subject, "/CN=penumbra");
    EXPECT_NEAR(static_cast<double>(context->certificate()->not_after),
                static_cast<double>(std::time(nullptr)) + 3600.0 * 24 * 365, 60.0);
    EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
    EXPECT_FALSE(TlsContext::make(TlsRole::client, pair.target).value()->certificate().has_value());
}

TEST(TlsReloader, RotatesForNewConnectionsAndKeepsTheOldWhenTheNewIsBroken) {
    run([]() -> Task<void> {
        Pair pair;
        co_await pair.connect();
        const bool before = co_await pair.ping();
        EXPECT_TRUE(before);
        TlsReloader reloader({pair.server_context}, 2ms);
        reloader.start();
        const auto old = pair.server_context->certificate()->not_after;

        // The certificate is replaced first: until its key follows, the pair does not fit and the old one serves.
        const Identity fresh({.name = "rotated", .alternatives = "IP:127.0.0.1", .valid_to = 3600 * 24 * 3},
                             &authority());
        pair.files.write("server.pem", fresh.certificate());
        for (int i = 0; i < 10; ++i) co_await sleep(2ms);
        EXPECT_EQ(pair.server_context->certificate()->not_after, old);
        pair.files.write("server.key", fresh.key());
        for (int i = 0; i < 5000 && pair.server_context->certificate()->not_after == old; ++i) co_await sleep(1ms);
        EXPECT_EQ(pair.server_context->certificate()->subject, "/CN=rotated");

        const bool goes_on = co_await pair.ping();
        EXPECT_TRUE(goes_on) << "a connection of before goes on";
        auto server_of_before = std::move(pair.server.stream);
        auto again = co_await penumbra::connect(pair.at, Deadline::in(Clock::system(), 5s));
        End second;
        second.stream = std::make_unique<Stream>(again.value(), pair.at, pair.client_context);
        second.stream->start(second);
        second.say("new");
        for (int i = 0; i < 5000 && second.text() != "new" && !second.why; ++i) co_await sleep(1ms);
        EXPECT_EQ(second.text(), "new");

        const bool unchanged = pair.server_context->reload(TlsContext::Reload::if_changed).value();
        EXPECT_FALSE(unchanged);
        co_await reloader.stop();
        pair.files.write("server.pem", "rubbish");
        const auto broken = pair.server_context->reload(TlsContext::Reload::if_changed);
        EXPECT_THAT(broken.error().what, HasSubstr("no certificate in it"));
        EXPECT_FALSE(pair.server_context->reload(TlsContext::Reload::if_changed).value()) << "reported once per change";
        EXPECT_FALSE(pair.server_context->reload(TlsContext::Reload::always).has_value());
        EXPECT_EQ(pair.server_context->certificate()->subject, "/CN=rotated");
        second.stream.reset();
        server_of_before.reset();
        pair.end();
    }());
}

TEST(TlsReloader, LoadsWhenAskedThoughNothingLooksChanged) {
    run([]() -> Task<void> {
        Pair pair;
        const auto context = TlsContext::make(TlsRole::server, pair.listen).value();
        TlsReloader reloader({context}, 1h);
        reloader.start();
        const Identity fresh({.name = "asked"}, &authority());
        pair.files.write("server.pem", fresh.certificate());
        pair.files.write("server.key", fresh.key());
        reloader.reload_now();
        for (int i = 0; i < 5000 && context->certificate()->subject != "/CN=asked"; ++i) co_await sleep(1ms);
        EXPECT_EQ(context->certificate()->subject, "/CN=asked");
        co_await reloader.stop();
    }());
}

}  // namespace
}  // namespace penumbra
