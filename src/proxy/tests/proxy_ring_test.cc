#include "proxy/proxy_ring.h"

#include <gtest/gtest.h>

namespace penumbra::proxy {
namespace {

ProxyNode node(std::string_view text) {
    return ProxyNode::parse(text, 9042).value();
}

TEST(ProxyRingTest, EveryProxyTellsTheSameStory) {
    const auto a = ProxyRing::make(node("10.0.0.1"), {node("10.0.0.2"), node("10.0.0.3")}).value();
    const auto b = ProxyRing::make(node("10.0.0.3"), {node("10.0.0.3"), node("10.0.0.1"), node("10.0.0.2")}).value();
    ASSERT_EQ(a->nodes().size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(a->nodes()[i].address, b->nodes()[i].address);
        EXPECT_EQ(a->nodes()[i].host_id, b->nodes()[i].host_id);
        EXPECT_EQ(a->nodes()[i].tokens, b->nodes()[i].tokens);
        EXPECT_EQ(a->nodes()[i].tokens.size(), ProxyRing::kTokensEach);
    }
    EXPECT_EQ(a->self().address.host(), "10.0.0.1");
    EXPECT_EQ(b->self_index(), 2U);
}

TEST(ProxyRingTest, WhatTheListSaysHolds) {
    const auto ring =
        ProxyRing::make(node("10.0.0.1"),
                        {node("10.0.0.1;rack=r7;host_id=11111111-1111-4111-8111-111111111111;token=5;token=-6"),
                         node("10.0.0.2:9999;token=9")})
            .value();
    EXPECT_EQ(ring->self().rack, "r7");
    EXPECT_EQ(to_string(*ring->self().host_id), "11111111-1111-4111-8111-111111111111");
    EXPECT_EQ(ring->self().tokens, (std::vector{cql::Token(5), cql::Token(-6)}));
    EXPECT_EQ(ring->nodes()[1].address.port(), 9999);
}

TEST(ProxyRingTest, RefusesWhatCannotBe) {
    const auto what = [](ProxyNode self, std::vector<ProxyNode> others) {
        return ProxyRing::make(std::move(self), std::move(others)).error().what;
    };
    EXPECT_EQ(what(node("0.0.0.0"), {}), "0.0.0.0:9042 is no address that drivers could connect to");
    EXPECT_EQ(what(node("10.0.0.1"), {node("[::]:9042")}), "[::]:9042 is no address that drivers could connect to");
    EXPECT_EQ(what(node("10.0.0.1"), {node("10.0.0.2"), node("10.0.0.2")}), "10.0.0.2:9042 is listed twice");
    EXPECT_EQ(what(node("10.0.0.1;token=1"), {node("10.0.0.2;token=1")}), "token 1 is listed twice");
    EXPECT_EQ(
        what(node("10.0.0.1;token=1"), {node("10.0.0.2")}),
        "either all proxies have tokens of their own or none: what is left over would not be the same everywhere");
    const std::string id = ";host_id=11111111-1111-4111-8111-111111111111";
    EXPECT_EQ(what(node("10.0.0.1" + id), {node("10.0.0.2" + id)}),
              "two proxies have host id 11111111-1111-4111-8111-111111111111");
    EXPECT_FALSE(ProxyNode::parse("10.0.0.1;colour=red", 9042));
    EXPECT_FALSE(ProxyNode::parse("10.0.0.1;token=x", 9042));
    EXPECT_FALSE(ProxyNode::parse("somewhere", 9042));
}

}  // namespace
}  // namespace penumbra::proxy
