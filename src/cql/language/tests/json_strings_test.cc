#include "cql/language/json_strings.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penumbra::cql {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Outer keys in brackets.
std::vector<std::string> strings(std::string_view json) {
    std::vector<std::string> found;
    for (JsonStrings strings(json); strings.next();)
        found.push_back(strings.is_outer_key() ? "[" + std::string(strings.text()) + "]" : std::string(strings.text()));
    return found;
}

TEST(JsonStrings, KeysOfTheOuterObjectAndAllTheRest) {
    EXPECT_THAT(strings(R"({"a": "x", "b" : {"c": "y", "d": ["z"]}, "e": 1, "f": [1, "v", {"g": 2}, "w"], "h": "u"})"),
                ElementsAre("[a]", "x", "[b]", "c", "y", "d", "z", "[e]", "[f]", "v", "g", "w", "[h]", "u"));
    EXPECT_THAT(strings(R"(["a", {"b": "c"}, "d"])"), ElementsAre("a", "b", "c", "d"));
    EXPECT_THAT(strings(R"("a")"), ElementsAre("a"));
    EXPECT_THAT(strings(R"({"a": "}, ]", "b": 1})"), ElementsAre("[a]", "}, ]", "[b]"));
}

TEST(JsonStrings, EscapesAreResolved) {
    EXPECT_THAT(strings(R"("\"n\u006fw\" \\ \/ \b\f\n\r\t \u00e9 \u20ac")"),
                ElementsAre("\"now\" \\ / \b\f\n\r\t \xc3\xa9 \xe2\x82\xac"));
    EXPECT_THAT(strings(R"("no\w")"), ElementsAre(std::string("no\0", 3))) << "no such escape";
}

TEST(JsonStrings, WhatIsNoJsonEndsAtSomePoint) {
    EXPECT_THAT(strings(""), IsEmpty());
    EXPECT_THAT(strings("no json"), IsEmpty());
    EXPECT_THAT(strings(R"("open)"), IsEmpty());
    EXPECT_THAT(strings(R"("open\)"), IsEmpty());
    EXPECT_THAT(strings(R"("open\u00)"), IsEmpty());
    EXPECT_THAT(strings(R"(}}]],:"a")"), ElementsAre("a"));
}

TEST(JsonStrings, LongOnesAreClipped) {
    for (const std::string unit : {"x", "\\u20ac", "\\n"}) {
        std::string json = "\"";
        for (std::size_t i = 0; i <= JsonStrings::kMost; ++i) json += unit;
        json += "\", \"b\"";
        JsonStrings strings(json);
        ASSERT_TRUE(strings.next());
        EXPECT_TRUE(strings.is_clipped());
        EXPECT_GE(strings.text().size(), JsonStrings::kMost);
        ASSERT_TRUE(strings.next());
        EXPECT_FALSE(strings.is_clipped());
        EXPECT_EQ(strings.text(), "b");
    }
}

}  // namespace
}  // namespace penumbra::cql
