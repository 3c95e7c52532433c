#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "base/strong.h"

namespace penumbra {
namespace {

using namespace std::chrono_literals;

Result<int> half(int n) {
    if (n % 2 != 0) return fail(Errc::invalid_argument, "odd");
    return n / 2;
}
Result<int> quarter(int n) {
    TRY(auto h, half(n));
    TRY(auto q, half(h));
    return q;
}

TEST(Result, TryHandsOnTheFirstFailure) {
    EXPECT_EQ(quarter(8).value(), 2);
    ASSERT_FALSE(quarter(6).has_value());
    EXPECT_EQ(quarter(6).error(), (Error{Errc::invalid_argument, "odd"}));
}

TEST(Error, ContextGoesInFront) {
    EXPECT_EQ(Error(Errc::io, "full").in("journal").what, "journal: full");
    EXPECT_EQ(system_error("open", "x.log", ENOSPC).what, "open x.log: No space left on device");
}

TEST(Bytes, WriterAndReaderAgreeOnEveryWidth) {
    Bytes out;
    Writer w(out);
    w.u8(0xfe);
    w.i16(-2);
    w.i32(-3);
    w.i64(std::numeric_limits<std::int64_t>::min());
    w.raw(std::string_view("abc"));
    Reader r(out);
    EXPECT_EQ(r.u8().value(), 0xfe);
    EXPECT_EQ(r.i16().value(), -2);
    EXPECT_EQ(r.i32().value(), -3);
    EXPECT_EQ(r.i64().value(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(text_of(r.take(3).value()), "abc");
    EXPECT_TRUE(r.done());
}

TEST(Bytes, ReaderNeverReadsPastTheEnd) {
    const Bytes three{1, 2, 3};
    Reader r(three);
    EXPECT_EQ(r.i32().error().code, Errc::malformed);
    EXPECT_EQ(r.i32().error().what, "4 bytes wanted at offset 0, 3 left");
    EXPECT_EQ(r.u16().value(), 0x0102);
    EXPECT_FALSE(r.take(2));
    EXPECT_EQ(r.left(), 1u);
}

TEST(Bytes, HexRoundTrip) {
    EXPECT_EQ(to_hex(from_hex("00ff7E").value()), "00ff7e");
    EXPECT_FALSE(from_hex("0"));
    EXPECT_EQ(from_hex("0g").error().what, "'g' is not a hex digit");
}

TEST(Clock, DeadlineIsAbsolute) {
    ManualClock clock;
    const auto by = Deadline::in(clock, 10ms);
    EXPECT_FALSE(by.passed(clock.now()));
    clock.advance(4ms);
    EXPECT_EQ(by.left(clock.now()), 6ms);
    clock.advance(6ms);
    EXPECT_TRUE(by.passed(clock.now()));
    EXPECT_EQ(by.left(clock.now()), 0ms);
}

TEST(LogLimit, CountsWhatItHeldBack) {
    ManualClock clock;
    LogLimit limit(1s);
    std::uint64_t dropped = 0;
    EXPECT_TRUE(limit.pass(clock.now(), dropped));
    EXPECT_FALSE(limit.pass(clock.now(), dropped));
    EXPECT_FALSE(limit.pass(clock.now(), dropped));
    clock.advance(1s);
    EXPECT_TRUE(limit.pass(clock.now(), dropped));
    EXPECT_EQ(dropped, 2u);
}

}  // namespace
}  // namespace penumbra
