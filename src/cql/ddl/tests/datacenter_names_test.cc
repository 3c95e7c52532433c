#include "cql/ddl/datacenter_names.h"

#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penumbra::cql::ddl {
namespace {

Result<DatacenterNames> parse(const std::vector<std::string>& texts) {
    return parse_datacenter_names(texts);
}

TEST(DatacenterNames, BothWays) {
    const auto names = parse({"dc1=aws-eu:5", "dc2=aws-us"});
    ASSERT_TRUE(names);
    EXPECT_EQ(names.value().to_target.at("dc1").name, "aws-eu");
    EXPECT_EQ(names.value().to_target.at("dc1").factor, "5");
    EXPECT_EQ(names.value().to_target.at("dc2").name, "aws-us");
    EXPECT_EQ(names.value().to_target.at("dc2").factor, "");
    EXPECT_EQ(names.value().to_source.at("aws-eu").name, "dc1");
    EXPECT_EQ(names.value().to_source.at("aws-eu").factor, "");
    EXPECT_TRUE(parse({}).value().to_target.empty());
}

TEST(DatacenterNames, OtherShapesAreRefused) {
    for (const auto* text : {"", "dc1", "=aws", "dc1=", "dc1=aws:", "dc1=aws:x", "dc1=:3", "dc1=aws:3x"}) {
        const auto names = parse({text});
        ASSERT_FALSE(names) << text;
        EXPECT_EQ(names.error().code, Errc::invalid_argument);
        EXPECT_EQ(names.error().what, fmt::format("'{}' is not SOURCE=TARGET or SOURCE=TARGET:RF", text));
    }
}

TEST(DatacenterNames, ANameThatStandsTwiceIsRefused) {
    EXPECT_FALSE(parse({"dc1=a", "dc1=b"}));
    const auto merged = parse({"dc1=a", "dc2=a"});
    ASSERT_FALSE(merged);
    EXPECT_EQ(merged.error().what, "'dc2=a' names a datacenter a second time");
}

}  // namespace
}  // namespace penumbra::cql::ddl
