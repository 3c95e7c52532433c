#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "cli/admin_client.h"
#include "cli/json_view.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/tests/documents.h"

namespace penumbra::cli {
namespace {

TEST(AdminAddress, TakesWhatPeopleWrite) {
    const auto written = [](std::string_view text) {
        const auto address = AdminAddress::parse(text);
        return address ? to_string(address.value()) : "wrong";
    };
    EXPECT_EQ(written("127.0.0.9:8081"), "127.0.0.9:8081");
    EXPECT_EQ(written("penumbra"), "penumbra:8080");
    EXPECT_EQ(written("http://penumbra:9000/"), "penumbra:9000");
    EXPECT_EQ(written("[::1]:8081"), "[::1]:8081");
    EXPECT_EQ(written("[::1]"), "[::1]:8080");
    for (const auto* wrong : {"", ":8080", "a:", "a:0", "a:65536", "a:80x", "::1", "[::1", "[::1]8080", "[]:1", "a b:1",
                              "a/b:1", "a\r\nX: y:1", "https://a:1"}) {
        EXPECT_EQ(written(wrong), "wrong") << wrong;
    }
}

TEST(Table, AlignsByWhatIsSeen) {
    Table table({{"NAME"}, {"N", Align::right}});
    table.add({"größe", "1"});
    table.add({"x", "1,000"});
    EXPECT_EQ(table.str("  "), "  NAME       N\n  größe      1\n  x      1,000\n");
}

TEST(Words, NumbersAndDurations) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(18446744073709551615u), "18,446,744,073,709,551,615");
    EXPECT_EQ(counted(1, "row"), "1 row");
    EXPECT_EQ(duration(0), "0 s");
    EXPECT_EQ(duration(0.2), "1 s");
    EXPECT_EQ(duration(192), "3 min 12 s");
    EXPECT_EQ(duration(7500), "2 h 5 min");
    EXPECT_EQ(duration(273600), "3 d 4 h");
    EXPECT_EQ(cut("größer", 4), "grö.");
    EXPECT_EQ(cut("größe", 5), "größe");
}

TEST(JsonView, WhatIsMissingIsADashOrZero) {
    const auto value =
        boost::json::parse(R"({"a": {"b": 3, "c": null, "d": [1], "e": "", "f": 2.25, "g": true, "h": -4}})");
    EXPECT_EQ(text(value, "a/b"), "3");
    EXPECT_EQ(text(value, "a/c"), "-");
    EXPECT_EQ(text(value, "a/d"), "-");
    EXPECT_EQ(text(value, "a/e"), "-");
    EXPECT_EQ(text(value, "a/b/x"), "-");
    EXPECT_EQ(text(value, "a/g"), "yes");
    EXPECT_EQ(number(value, "a/f"), 2.25);
    EXPECT_EQ(count(value, "a/h"), 0u);
    EXPECT_EQ(count(value, "nothing"), 0u);
    EXPECT_EQ(list(value, "a/d").size(), 1u);
    EXPECT_TRUE(list(value, "a/b").empty());
}

TEST(JsonView, ControlCharactersAreWrittenOut) {
    EXPECT_EQ(printable("a\x1b[2J\n\x7f\xc2\x9bz é"), "a\\x1b[2J\\x0a\\x7f\\x9bz é");
}

TEST(Progress, TheBarShrinksBeforeTheNumbersDo) {
    const auto job = boost::json::parse(testing::kJobRunning);
    EXPECT_EQ(progress_bar(job, false, 85),
              "verify acme  [#####..................]  16/64 ranges  700 rows  950 rows/s  5 s left");
    EXPECT_EQ(progress_bar(job, true, 72), "verify acme  [██░░░░░░░░]  16/64 ranges  700 rows  950 rows/s  5 s left");
    EXPECT_EQ(progress_bar(job, true, 60), "verify acme  16/64 ranges  700 rows  950 rows/s  5 s left");
    for (std::size_t width = 1; width < 200; ++width)
        EXPECT_LE(display_width(progress_bar(job, true, width)), std::max<std::size_t>(width - 1, 1)) << width;
}

}  // namespace
}  // namespace penumbra::cli
