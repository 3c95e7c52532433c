// What a stream's buffers hold is its budget's, by capacity and from the first byte; and given back.
#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/async.h"
#include "runtime/stream.h"
#include "runtime/tests/support/run.h"

namespace penumbra {
namespace {

using namespace std::chrono_literals;

using penumbra::testing::run;

TEST(MemoryBudget, WhatWaitsLeavesAQuarterToRequests) {
    MemoryBudget budget;
    budget.set_limit(400);
    EXPECT_FALSE(budget.try_take(301, MemoryBudget::For::waiting));
    EXPECT_TRUE(budget.try_take(300, MemoryBudget::For::waiting));
    EXPECT_TRUE(budget.is_tight());
    EXPECT_FALSE(budget.try_take(1, MemoryBudget::For::waiting));
    EXPECT_FALSE(budget.is_exhausted());
    EXPECT_TRUE(budget.try_take(100));
    EXPECT_TRUE(budget.is_exhausted());
    budget.take(50);  // is there, asked or not
    EXPECT_FALSE(budget.try_take(0));
    budget.give_back(151);
    EXPECT_FALSE(budget.is_tight());
    EXPECT_EQ(budget.used(), 299U);
    EXPECT_EQ(budget.peak(), 450U);
}

TEST(MemoryBudget, EmptyBuffersAreAnEighthAtMost) {
    MemoryBudget budget;
    budget.set_limit(800);
    EXPECT_TRUE(budget.try_keep(60, 0));
    EXPECT_FALSE(budget.try_keep(41, 0));
    EXPECT_TRUE(budget.try_keep(100, 60)) << "instead of what it kept before";
    budget.set_limit(80);
    EXPECT_TRUE(budget.try_keep(90, 100)) << "less is always allowed";
    EXPECT_FALSE(budget.try_keep(91, 90));
    EXPECT_TRUE(budget.try_keep(0, 90));
    EXPECT_TRUE(budget.try_keep(10, 0));
}

/// A stream that is charged to a budget of its own, and the other end of its socket, which may not read.
struct Charged final : Stream::Handler {
    explicit Charged(std::size_t limit = MemoryBudget::kNoLimit) {
        int fds[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        other = fds[1];
        budget.set_limit(limit);
        stream = std::make_unique<Stream>(fds[0], Endpoint());
        stream->charge(budget);
        stream->start(*this);
    }
    ~Charged() { ::close(other); }

    std::size_t on_data(MutableBytes data) override {
        if (close_in_handler) {
            stream->close();
            return data.size();
        }
        if (data.size() < message) {
            stream->expect(message);
            return 0;
        }
        return data.size();
    }
    void on_closed(const Error&) override {}

    std::size_t hear() const {
        std::size_t all = 0;
        char some[65536];
        for (ssize_t got = 0; (got = ::read(other, some, sizeof some)) > 0;) all += static_cast<std::size_t>(got);
        return all;
    }
    /// Until the socket takes no more and so many bytes wait.
    Task<void> fill(std::size_t waiting) {
        const Bytes piece(4096, Byte{'x'});
        while (stream->unsent() < waiting) {
            stream->make_room(piece.size(), Stream::Refusal::never);
            stream->write(piece);
            co_await yield();
        }
    }
    Task<void> read_all() {
        for (int i = 0; i < 5000 && stream->unsent() > 0; ++i) {
            hear();
            co_await sleep(100us);  // until the stream has sent on, or the bound of the loop
        }
    }

    MemoryBudget budget;
    std::unique_ptr<Stream> stream;
    int other = -1;
    std::size_t message = 0;
    bool close_in_handler = false;
};

TEST(StreamMemory, WhatWaitsForThePeerIsCountedFromTheFirstByteAndWithWhatIsNotUsed) {
    run([]() -> Task<void> {
        Charged one;
        co_await one.fill(1);
        EXPECT_GE(one.budget.used(), one.stream->unsent());
        co_await one.fill(1'000'000);
        EXPECT_EQ(one.budget.used(), one.stream->out().capacity());
        EXPECT_LT(one.budget.used(), one.stream->unsent() * 5 / 4 + 4096) << "grows in small steps while it waits";
        EXPECT_TRUE(one.stream->blocked());
        co_await one.read_all();
        EXPECT_EQ(one.stream->unsent(), 0U);
        EXPECT_LT(one.budget.used(), 64U * 1024 + 1) << "what it keeps for the next time";
        EXPECT_EQ(one.budget.used(), one.stream->out().capacity());
        one.stream.reset();
        EXPECT_EQ(one.budget.used(), 0U);
    }());
}

TEST(StreamMemory, NoRoomIsSaidBeforeAnythingIsWritten) {
    run([]() -> Task<void> {
        Charged one(1'000'000);
        EXPECT_FALSE(one.stream->make_room(1'000'001));
        EXPECT_TRUE(one.stream->make_room(999'000));
        EXPECT_EQ(one.budget.used(), 999'000U);
        EXPECT_TRUE(one.stream->make_room(999'000)) << "is there already";
        one.stream.reset();
        EXPECT_EQ(one.budget.used(), 0U);

        Charged slow(1'000'000);
        co_await slow.fill(100'000);
        const auto before = slow.budget.used();
        EXPECT_FALSE(slow.stream->make_room(800'000)) << "the last quarter is for requests";
        EXPECT_EQ(slow.budget.used(), before);
        EXPECT_TRUE(slow.stream->make_room(600'000));
        EXPECT_TRUE(slow.stream->make_room(2'000'000, Stream::Refusal::never));
        EXPECT_GT(slow.budget.used(), 2'000'000U);
        slow.stream.reset();
    }());
}

TEST(StreamMemory, WhatArrivesIsCountedWhenItIsExpected) {
    run([]() -> Task<void> {
        Charged one;
        one.message = 500'000;
        EXPECT_EQ(::write(one.other, "front", 5), 5);
        // Here and below: a turn of the loop at a time, until it is so; the bound ends a test that would fail.
        for (int i = 0; i < 1000 && one.budget.used() == 0; ++i) co_await sleep(100us);
        EXPECT_EQ(one.budget.used(), 500'000U);
        const std::string more(1000, 'x');
        for (std::size_t sent = 5; sent < one.message;) {
            const auto some = ::write(one.other, more.data(), std::min(more.size(), one.message - sent));
            if (some > 0) sent += static_cast<std::size_t>(some);
            co_await yield();
            if (sent < one.message) {
                EXPECT_EQ(one.budget.used(), 500'000U);
            }
        }
        for (int i = 0; i < 1000 && one.budget.used() > 0; ++i) co_await sleep(100us);
        EXPECT_EQ(one.budget.used(), 0U) << "a buffer as large as that is not kept";
        one.stream.reset();
    }());
}

TEST(StreamMemory, ThereIsABoundToWhatEmptyBuffersKeep) {
    run([]() -> Task<void> {
        // Alike in all but what the eighth of their budget is.
        for (const std::size_t limit : {100'000UL, 10'000'000UL}) {
            Charged one(limit);
            one.stream->make_room(20'000);
            one.stream->write(Bytes(20'000, Byte{'x'}));
            for (int i = 0; i < 1000 && one.stream->unsent() > 0; ++i) co_await yield();
            EXPECT_EQ(one.budget.used(), limit == 100'000 ? 0U : 20'000U);
            EXPECT_EQ(one.stream->out().capacity(), one.budget.used());
            one.stream.reset();
            EXPECT_EQ(one.budget.used(), 0U);
            EXPECT_TRUE(one.budget.try_keep(limit / 8, 0)) << "nothing is kept any more";
        }
    }());
}

TEST(StreamMemory, AClosedStreamHoldsNothing) {
    run([]() -> Task<void> {
        for (const bool in_handler : {false, true}) {
            Charged one;
            one.message = 100'000;
            EXPECT_EQ(::write(one.other, "front", 5), 5);
            for (int i = 0; i < 1000 && one.budget.used() == 0; ++i) co_await sleep(100us);
            co_await one.fill(10'000);
            EXPECT_GE(one.budget.used(), 110'000U);
            one.close_in_handler = in_handler;
            if (in_handler) {
                EXPECT_EQ(::write(one.other, "more", 4), 4);
            } else {
                one.stream->close();
            }
            for (int i = 0; i < 1000 && one.budget.used() > 0; ++i) co_await sleep(100us);
            EXPECT_EQ(one.budget.used(), 0U);
            one.stream.reset();
        }
    }());
}

}  // namespace
}  // namespace penumbra
