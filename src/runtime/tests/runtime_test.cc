#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/async.h"
#include "runtime/listener.h"
#include "runtime/stream.h"
#include "runtime/tests/support/run.h"

namespace penumbra {
namespace {

using namespace std::chrono_literals;

using penumbra::testing::run;

Task<int> twice(int n) {
    co_await yield();
    co_return n * 2;
}

TEST(Task, ValuesComeBackThroughAwait) {
    run([]() -> Task<void> {
        const int four = co_await twice(2);
        EXPECT_EQ(four, 4);
        std::vector<Task<int>> tasks;
        for (int i = 0; i < 5; ++i) tasks.push_back(twice(i));
        const auto all = co_await when_all(std::move(tasks));
        EXPECT_EQ(all, (std::vector<int>{0, 2, 4, 6, 8}));
    }());
}

TEST(Shard, CallsCrossAndComeBack) {
    Shard other("other");
    other.start();
    run([](Shard& there) -> Task<void> {
        const auto name = co_await call_on(there, [] { return Shard::here().name(); });
        EXPECT_EQ(name, "other");
        EXPECT_EQ(Shard::here().name(), "test");
        const int six = co_await run_on<int>(there, [] { return twice(3); });
        EXPECT_EQ(six, 6);
    }(other));
    other.stop();
}

TEST(Shard, TimersRunInOrderAndCanBeCancelled) {
    Shard shard("test");
    std::string seen;
    bool stop = false;
    const auto now = Clock::system().now();
    shard.call_at(now + 3ms, [&] { seen += 'b'; });
    shard.call_at(now + 1ms, [&] { seen += 'a'; });
    const auto never = shard.call_at(now + 2ms, [&] { seen += 'x'; });
    shard.call_at(now + 5ms, [&] { stop = true; });
    shard.cancel(never);
    shard.run([&] { return stop; });
    EXPECT_EQ(seen, "ab");
}

TEST(Sleep, EndsEarlyByTheStopSignal) {
    run([]() -> Task<void> {
        StopSignal stop;
        Shard::here().call_in(1ms, [&] { stop.request(); });
        const auto before = std::chrono::steady_clock::now();
        co_await sleep(1h, &stop);
        EXPECT_LT(std::chrono::steady_clock::now() - before, 1min);
    }());
}

TEST(Worker, RunsElsewhereAndAnswersHere) {
    Worker worker("worker");
    run([](Worker& w) -> Task<void> {
        const auto home = std::this_thread::get_id();
        const auto there = co_await w.run([] { return std::this_thread::get_id(); });
        EXPECT_NE(there, home);
        EXPECT_EQ(std::this_thread::get_id(), home);
    }(worker));
}

enum class SendBack { no, yes };

/// Deals with whole messages of `size` bytes.
class Echo final : public Stream::Handler {
  public:
    explicit Echo(std::size_t size, SendBack back = SendBack::yes) : size_(size), back_(back) {}
    std::size_t on_data(MutableBytes data) override {
        const std::size_t whole = data.size() / size_ * size_;
        if (whole < data.size()) stream->expect(size_);
        if (whole > 0 && back_ == SendBack::yes) stream->write(data.first(whole));
        seen += whole;
        return whole;
    }
    void on_closed(const Error& error) override { why = error; }

    std::unique_ptr<Stream> stream;
    std::size_t seen = 0;
    std::optional<Error> why;

  private:
    std::size_t size_;
    SendBack back_;
};

TEST(Stream, MessagesSurviveAnySplitAndAnySize) {
    for (const std::size_t size : {1UL, 7UL, 100'000UL, 3'000'000UL}) {
        run([](std::size_t message) -> Task<void> {
            Listener listener;
            Echo server(message);
            auto at = listener.listen(Endpoint::parse("127.0.0.1:0").value(), [&](int fd, const Endpoint& peer) {
                server.stream = std::make_unique<Stream>(fd, peer);
                server.stream->start(server);
            });
            auto connected = co_await connect(at.value(), Deadline::in(Clock::system(), 5s));
            Echo client(message * 3, SendBack::no);  // leaves partial messages behind
            client.stream = std::make_unique<Stream>(connected.value(), at.value());
            client.stream->start(client);
            Bytes bytes(message * 3);
            for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<Byte>(i * 7);
            client.stream->write(bytes);
            for (int i = 0; i < 5000 && client.seen < bytes.size(); ++i) co_await sleep(1ms);
            EXPECT_EQ(client.seen, bytes.size());
            client.stream->close();
            for (int i = 0; i < 5000 && !server.why; ++i) co_await sleep(1ms);
            EXPECT_EQ(server.why->code, Errc::closed);
            client.stream.reset();
            server.stream.reset();
            listener.close();
        }(size));
    }
}

TEST(Stream, AfterAPauseNothingIsMissing) {
    run([]() -> Task<void> {
        int fds[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        Echo reader(4);
        reader.stream = std::make_unique<Stream>(fds[0], Endpoint());
        reader.stream->start(reader);
        reader.stream->pause();
        EXPECT_EQ(::write(fds[1], "abcdefgh", 8), 8);
        co_await sleep(5ms);
        EXPECT_EQ(reader.seen, 0u);
        reader.stream->resume();
        for (int i = 0; i < 1000 && reader.seen < 8; ++i) co_await sleep(1ms);
        EXPECT_EQ(reader.seen, 8u);
        reader.stream.reset();
        ::close(fds[1]);
    }());
}

/// Puts `mark` around what was written since the last flush, or takes it away altogether.
class Marking final : public Stream::Handler {
  public:
    explicit Marking(int fd) : stream(std::make_unique<Stream>(fd, Endpoint())) {}
    std::size_t on_data(MutableBytes data) override {
        heard += text_of(data);
        return data.size();
    }
    void on_closed(const Error& error) override { why = error; }
    void on_drained() override { drained_at.push_back(stream->unsent()); }
    void before_flush(Bytes& out, std::size_t from) override {
        offered.emplace_back(out.begin() + static_cast<std::ptrdiff_t>(from), out.end());
        if (swallow) {
            out.resize(from);
            return;
        }
        out.insert(out.begin() + static_cast<std::ptrdiff_t>(from), growth, mark);
        out.push_back(mark);
    }
    void say(std::string_view text) { stream->write(bytes_of(text)); }

    std::unique_ptr<Stream> stream;
    std::vector<std::string> offered;
    std::vector<std::size_t> drained_at;
    std::string heard;
    std::optional<Error> why;
    Byte mark = '|';
    std::size_t growth = 1;
    bool swallow = false;
};

struct SocketPair {
    SocketPair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0); }
    ~SocketPair() { hang_up(); }
    void hang_up() {
        if (fds[1] >= 0) ::close(std::exchange(fds[1], -1));
    }
    std::string heard() const {
        std::string all;
        char some[65536];
        for (ssize_t got = 0; (got = ::read(fds[1], some, sizeof some)) > 0;)
            all.append(some, static_cast<std::size_t>(got));
        return all;
    }
    int fds[2];
};

TEST(Stream, OffersWhatWasWrittenOnceBeforeItLeaves) {
    run([]() -> Task<void> {
        const SocketPair sockets;
        Marking writer(sockets.fds[0]);
        writer.say("before the start;");
        writer.stream->start(writer);
        writer.say("one;");
        writer.say("two");
        co_await yield();
        co_await yield();
        EXPECT_EQ(writer.offered, (std::vector<std::string>{"before the start;one;two"}));
        EXPECT_EQ(sockets.heard(), "|before the start;one;two|");
        co_await yield();
        EXPECT_EQ(writer.offered.size(), 1u) << "nothing was written, nothing is offered";
        writer.say("three");
        co_await yield();
        EXPECT_EQ(writer.offered.back(), "three");
        EXPECT_EQ(sockets.heard(), "|three|");
        writer.swallow = true;
        writer.say("nobody hears");
        co_await yield();
        EXPECT_EQ(sockets.heard(), "");
        EXPECT_EQ(writer.stream->unsent(), 0u);
        writer.stream.reset();
    }());
}

TEST(Stream, SealedBytesKeepTheCodecOfTheirTime) {
    run([]() -> Task<void> {
        const SocketPair sockets;
        Marking writer(sockets.fds[0]);
        writer.stream->start(writer);
        writer.say("old");
        writer.stream->seal();
        EXPECT_EQ(writer.stream->unsent(), 5u);
        writer.stream->seal();  // nothing new: nothing happens
        writer.mark = '#';
        writer.say("new");
        co_await yield();
        co_await yield();
        EXPECT_EQ(writer.offered, (std::vector<std::string>{"old", "new"}));
        EXPECT_EQ(sockets.heard(), "|old|#new#");
        writer.stream.reset();
    }());
}

TEST(Stream, AFullSocketGathersWhatIsSealedTogetherLater) {
    run([]() -> Task<void> {
        const SocketPair sockets;
        Marking writer(sockets.fds[0]);
        writer.growth = 3'000'000;  // more than any socket buffer
        writer.stream->start(writer);
        writer.say("x");
        writer.stream->tell_when_below(0);
        co_await yield();
        co_await yield();
        EXPECT_GT(writer.stream->unsent(), 0u);
        EXPECT_TRUE(writer.drained_at.empty());
        writer.growth = 1;
        for (const auto* text : {"a", "b", "c"}) {
            writer.say(text);
            co_await yield();
        }
        EXPECT_EQ(writer.offered.size(), 1u) << "the socket is full: nothing can leave, so nothing is sealed";
        std::string heard;
        for (int i = 0; i < 5000 && writer.stream->unsent() > 0; ++i) {
            heard += sockets.heard();
            co_await sleep(100us);  // until the stream has sent on, or the bound of the loop
        }
        heard += sockets.heard();
        EXPECT_EQ(writer.offered, (std::vector<std::string>{"x", "abc"}));
        EXPECT_EQ(heard, std::string(3'000'000, '|') + "x||abc|");
        EXPECT_EQ(writer.drained_at, std::vector<std::size_t>{0});
        writer.stream.reset();
    }());
}

TEST(Stream, ClosesAfterWhatTheHookMadeHasLeft) {
    for (const std::size_t growth : {1UL, 3'000'000UL}) {
        run([](std::size_t size) -> Task<void> {
            const SocketPair sockets;
            Marking writer(sockets.fds[0]);
            writer.growth = size;
            writer.stream->start(writer);
            writer.say("last");
            writer.stream->close_after_flush();
            std::string heard;
            for (int i = 0; i < 5000 && !writer.why; ++i) {
                heard += sockets.heard();
                co_await sleep(100us);
            }
            heard += sockets.heard();
            EXPECT_EQ(heard, std::string(size, '|') + "last|");
            EXPECT_EQ(writer.why->code, Errc::closed);
            writer.stream.reset();
        }(growth));
    }
}

TEST(Stream, WhoIsPausedUntilItHasDrainedHearsOfAPeerThatIsGone) {
    run([]() -> Task<void> {
        SocketPair sockets;
        Marking writer(sockets.fds[0]);
        writer.growth = 3'000'000;  // more than any socket buffer
        writer.stream->start(writer);
        writer.say("x");
        co_await yield();
        co_await yield();
        EXPECT_GT(writer.stream->unsent(), 0u);
        writer.stream->pause();
        writer.stream->tell_when_below(writer.stream->unsent() / 2);
        sockets.hang_up();
        // Here and below: a turn of the loop at a time, until it is so; the bound ends a test that would fail.
        for (int i = 0; i < 5000 && writer.drained_at.empty(); ++i) co_await sleep(100us);
        EXPECT_EQ(writer.drained_at, std::vector<std::size_t>{0});
        EXPECT_FALSE(writer.why.has_value()) << "not before it reads on";
        writer.stream->resume();
        for (int i = 0; i < 5000 && !writer.why; ++i) co_await sleep(100us);
        EXPECT_TRUE(writer.why.has_value());
        writer.stream.reset();
    }());
}

TEST(Stream, AFailedSendIsToldAfterTheLastWordsOfTheOtherSide) {
    run([]() -> Task<void> {
        SocketPair sockets;
        Marking writer(sockets.fds[0]);
        writer.stream->start(writer);
        writer.stream->pause();  // so that the send comes first
        EXPECT_EQ(::write(sockets.fds[1], "goodbye, because", 16), 16);
        sockets.hang_up();
        writer.say("a request");
        co_await yield();
        co_await yield();
        EXPECT_EQ(writer.offered.size(), 1u);
        EXPECT_FALSE(writer.why.has_value());
        writer.stream->resume();
        for (int i = 0; i < 5000 && !writer.why; ++i) co_await sleep(100us);
        EXPECT_EQ(writer.heard, "goodbye, because");
        EXPECT_EQ(writer.why->detail, EPIPE);
        writer.stream.reset();
    }());
}

TEST(Stream, MayGoAwayBeforeItsStart) {
    run([]() -> Task<void> {
        const SocketPair sockets;
        auto stream = std::make_unique<Stream>(sockets.fds[0], Endpoint());
        stream->write(bytes_of("x"));
        stream.reset();  // the loop's queue must not keep it
        co_await yield();
    }());
}

TEST(Connect, SaysWhoRefused) {
    run([]() -> Task<void> {
        auto refused = co_await connect(Endpoint::parse("127.0.0.1:1").value(), Deadline::in(Clock::system(), 5s));
        EXPECT_EQ(refused.error().what, "cannot connect to 127.0.0.1:1: Connection refused");
    }());
}

TEST(Listener, SaysWhyItCannotListen) {
    run([]() -> Task<void> {
        Listener listener;
        auto foreign = listener.listen(Endpoint::parse("203.0.113.1:9042").value(), [](int, const Endpoint&) {});
        EXPECT_EQ(foreign.error().what,
                  "cannot listen on 203.0.113.1:9042: Cannot assign requested address. No interface of this host has "
                  "that address");
        co_return;
    }());
}

TEST(Endpoint, ParsesAndPrints) {
    EXPECT_EQ(to_string(Endpoint::parse("127.0.0.1:9042").value()), "127.0.0.1:9042");
    EXPECT_EQ(to_string(Endpoint::parse("[::1]:1").value()), "[::1]:1");
    EXPECT_EQ(to_string(Endpoint::parse("10.0.0.1", 9042).value()), "10.0.0.1:9042");
    EXPECT_EQ(HostPort::parse("db.example:70000").error().what,
              "'db.example:70000': '70000' is not a port (0 to 65535)");
    EXPECT_EQ(HostPort::parse("::1:9042").error().what, "'::1:9042': write an IPv6 address in brackets, [::1]:9042");
    EXPECT_EQ(HostPort::parse("db").error().what, "'db' names no port; HOST:PORT is wanted");
}

TEST(Gate, RefusesAfterCloseAndWaitsForTheLast) {
    run([]() -> Task<void> {
        Gate gate;
        int ended = 0;
        for (int i = 0; i < 3; ++i) {
            gate.spawn([](int& count) -> Task<void> {
                co_await sleep(1ms);
                ++count;
            }(ended));
        }
        gate.close();
        EXPECT_FALSE(gate.try_hold());
        co_await gate.drained();
        EXPECT_EQ(ended, 3);
    }());
}

}  // namespace
}  // namespace penumbra
