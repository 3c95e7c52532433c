#include "cluster/table_route.h"

#include <gtest/gtest.h>

#include "cluster/supported.h"
#include "cluster/topology.h"
#include "cql/types/scalars.h"

namespace penumbra::cluster {
namespace {

cql::Uuid host(int n) {
    return cql::Uuid::random(7, static_cast<std::uint64_t>(n));
}

Topology three_nodes() {
    Topology topology;
    for (int i = 0; i < 3; ++i) {
        Node node;
        node.host_id = host(i);
        node.datacenter = "dc";
        node.tokens.emplace_back(i * 100);
        topology.nodes.push_back(node);
    }
    const auto simple = Replication::from({{"class", "SimpleStrategy"}, {"replication_factor", "1"}});
    topology.token_map = std::make_shared<TokenMap>(topology.nodes, std::map<std::string, Replication>{{"ks", simple}});
    return topology;
}

std::vector<std::pair<int, int>> where(const TableRoute& route, std::int64_t token) {
    std::vector<std::pair<int, int>> found;
    route.for_each_replica(cql::Token(token), [&](const TableRoute::Replica& replica) {
        found.emplace_back(replica.node, replica.shard);
    });
    return found;
}
using Where = std::vector<std::pair<int, int>>;

TabletHint hint(std::int64_t after, std::int64_t last, int node, std::uint32_t shard) {
    return {cql::Token(after), cql::Token(last), {{host(node), shard}}};
}

TEST(TableRoute, FollowsTheRingUntilItKnowsTablets) {
    const auto topology = three_nodes();
    TableRoute route("ks", "t");
    EXPECT_TRUE(where(route, 50).empty()) << "nothing is known yet";
    route.follow(topology);
    EXPECT_EQ(where(route, 50), (Where{{1, -1}}));
    route.learn(hint(0, 60, 2, 5), topology);
    EXPECT_EQ(where(route, 50), (Where{{2, 5}}));
    EXPECT_EQ(where(route, 60), (Where{{2, 5}})) << "the last token belongs to it";
    EXPECT_EQ(where(route, 0), (Where{{0, -1}})) << "the first does not";
    EXPECT_EQ(where(route, 61), (Where{{1, -1}}));
}

TEST(TableRoute, ATabletTakesThePlaceOfThoseItOverlaps) {
    const auto topology = three_nodes();
    TableRoute route("ks", "t");
    route.follow(topology);
    for (int i = 0; i < 10; ++i) route.learn(hint(i * 10, i * 10 + 10, 0, static_cast<std::uint32_t>(i)), topology);
    EXPECT_EQ(route.tablets(), 10U);
    route.learn(hint(15, 35, 1, 9), topology);  // 10-20, 20-30 and 30-40 are gone
    EXPECT_EQ(route.tablets(), 8U);
    EXPECT_EQ(where(route, 20), (Where{{1, 9}}));
    EXPECT_EQ(where(route, 12), (Where{{1, -1}})) << "by the ring again";
    EXPECT_EQ(where(route, 10), (Where{{0, 0}}));
    EXPECT_EQ(where(route, 41), (Where{{0, 4}}));
    route.learn(hint(INT64_MIN, INT64_MAX, 2, 0), topology);
    EXPECT_EQ(route.tablets(), 1U);
}

TEST(TableRoute, ATabletOnAHostThatLeftIsForgotten) {
    auto topology = three_nodes();
    TableRoute route("ks", "t");
    route.follow(topology);
    route.learn(hint(0, 10, 2, 1), topology);
    route.learn(hint(10, 20, 1, 1), topology);
    std::swap(topology.nodes[0], topology.nodes[1]);
    topology.nodes.pop_back();
    route.follow(topology);
    EXPECT_EQ(route.tablets(), 1U);
    EXPECT_EQ(where(route, 15), (Where{{0, 1}})) << "its host has another index now";
}

// ---- the payload

Bytes payload_frame(BytesView hint) {
    Bytes frame;
    const cql::ResponseHead head;
    cql::FrameBuilder builder(frame, cql::Direction::response, head.version, cql::header_flag::kCustomPayload, 0,
                              cql::Opcode::result);
    cql::write_bytes_map(builder.body(), {{"tablets-routing-v1", cql::CellView(hint)}});
    builder.body().i32(static_cast<std::int32_t>(cql::ResultKind::void_));
    builder.close();
    return frame;
}

Bytes serialized_hint(std::int64_t after, std::int64_t last, const std::vector<TabletHint::Replica>& replicas) {
    Bytes bytes;
    Writer out(bytes);
    out.i32(8);
    out.i64(after);
    out.i32(8);
    out.i64(last);
    Bytes list;
    Writer items(list);
    items.i32(static_cast<std::int32_t>(replicas.size()));
    for (const auto& replica : replicas) {
        items.i32(4 + 16 + 4 + 4);
        items.i32(16);
        items.raw(replica.host.view());
        items.i32(4);
        items.u32(replica.shard);
    }
    out.i32(static_cast<std::int32_t>(list.size()));
    out.raw(list);
    return bytes;
}

std::optional<TabletHint> read(BytesView hint) {
    const auto frame = payload_frame(hint);
    const auto view = cql::view_frame(frame, cql::Direction::response).value();
    return read_tablet_hint(cql::read_response_prefix(view).value());
}

TEST(TabletHint, IsReadFromThePayload) {
    const auto found = read(serialized_hint(-5, 17, {{host(1), 3}, {host(2), 0}}));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->after, cql::Token(-5));
    EXPECT_EQ(found->last, cql::Token(17));
    EXPECT_EQ(found->replicas, (std::vector<TabletHint::Replica>{{host(1), 3}, {host(2), 0}}));
}

TEST(TabletHint, WhatCannotBeIsNone) {
    const auto whole = serialized_hint(-5, 17, {{host(1), 3}, {host(2), 0}});
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(read(BytesView(whole).first(size))) << size << " bytes";
    EXPECT_FALSE(read(serialized_hint(17, -5, {{host(1), 3}})));
    EXPECT_FALSE(read(serialized_hint(0, 1, {{host(1), 0x80000000U}})));
}

// ---- routing keys

cql::ValuesView bound(Bytes& frame, const std::vector<cql::Cell>& cells) {
    std::vector<cql::CellView> views;
    for (const auto& cell : cells) views.push_back(cql::view_of(cell));
    cql::Parameters parameters;
    parameters.values = views;
    cql::encode_execute(frame, {}, Bytes{1}, {}, parameters);
    return cql::decode_execute(cql::view_frame(frame, cql::Direction::request).value()).value().parameters.values;
}

TEST(RoutingToken, IsOfTheKeyInItsOrder) {
    Bytes frame;
    Bytes scratch;
    const auto values = bound(frame, {cql::encode_int(1), cql::encode_text("acme"), cql::encode_int(7)});
    const std::uint16_t one[] = {1};
    EXPECT_EQ(routing_token(one, values, {}, scratch), cql::murmur3_token(bytes_of("acme")));
    const std::uint16_t two[] = {2, 1};
    const Bytes composite{0, 4, 0, 0, 0, 7, 0, 0, 4, 'a', 'c', 'm', 'e', 0};
    EXPECT_EQ(routing_token(two, values, {}, scratch), cql::murmur3_token(composite));
}

TEST(RoutingToken, IsNothingWithoutAllOfTheKey) {
    Bytes frame;
    Bytes scratch;
    const auto values = bound(frame, {cql::encode_int(1), cql::Cell()});
    const std::uint16_t null[] = {1};
    const std::uint16_t missing[] = {5};
    const std::uint16_t half[] = {0, 1};
    EXPECT_FALSE(routing_token(null, values, {}, scratch));
    EXPECT_FALSE(routing_token(missing, values, {}, scratch));
    EXPECT_FALSE(routing_token(half, values, {}, scratch));
    EXPECT_FALSE(routing_token({}, values, {}, scratch));
}

// ---- SUPPORTED

Supported supported(const cql::StringLists& options) {
    Bytes frame;
    cql::encode_supported(frame, {}, options);
    return read_supported(cql::view_frame(frame, cql::Direction::response).value()).value();
}

TEST(Supported, OfCassandra) {
    const auto said = supported({{"COMPRESSION", {"snappy", "LZ4"}},
                                 {"CQL_VERSION", {"3.4.7"}},
                                 {"PROTOCOL_VERSIONS", {"3/v3", "4/v4", "5/v5", "6/v6-beta"}}});
    EXPECT_EQ(said.newest, cql::ProtocolVersion::v5);
    EXPECT_FALSE(said.is_scylla);
    EXPECT_FALSE(said.sharding);
    EXPECT_TRUE(said.offers("lz4"));
    EXPECT_FALSE(said.offers("zstd"));
    EXPECT_EQ(supported({{"PROTOCOL_VERSIONS", {"3/v3", "4/v4", "5/v5-beta"}}}).newest, cql::ProtocolVersion::v4);
}

TEST(Supported, OfScylla) {
    // What a node of two shards said, as recorded from ScyllaDB 5.2.18.
    const cql::StringLists said{{"COMPRESSION", {"lz4", "snappy"}},
                                {"CQL_VERSION", {"3.3.1"}},
                                {"SCYLLA_LWT_ADD_METADATA_MARK", {"LWT_OPTIMIZATION_META_BIT_MASK=2147483648"}},
                                {"SCYLLA_NR_SHARDS", {"2"}},
                                {"SCYLLA_PARTITIONER", {"org.apache.cassandra.dht.Murmur3Partitioner"}},
                                {"SCYLLA_RATE_LIMIT_ERROR", {"ERROR_CODE=61440"}},
                                {"SCYLLA_SHARD", {"1"}},
                                {"SCYLLA_SHARDING_ALGORITHM", {"biased-token-round-robin"}},
                                {"SCYLLA_SHARDING_IGNORE_MSB", {"12"}},
                                {"SCYLLA_SHARD_AWARE_PORT", {"19042"}}};
    const auto scylla = supported(said);
    EXPECT_TRUE(scylla.is_scylla);
    EXPECT_EQ(scylla.newest, cql::ProtocolVersion::v4);
    EXPECT_FALSE(scylla.tablets_routing);
    ASSERT_TRUE(scylla.sharding);
    EXPECT_EQ(scylla.sharding->shard, 1U);
    EXPECT_EQ(scylla.sharding->shards, 2U);
    EXPECT_EQ(scylla.sharding->ignore_msb, 12U);
    EXPECT_EQ(scylla.sharding->port, 19042);
    for (const auto* number : {"", "-1", "2", "x", "99999999999"}) {
        auto wrong = said;
        for (auto& [key, values] : wrong) {
            if (key == "SCYLLA_SHARD") values = {number};
        }
        EXPECT_FALSE(supported(wrong).sharding) << number;
    }
}

}  // namespace
}  // namespace penumbra::cluster
