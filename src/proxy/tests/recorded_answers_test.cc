// What real servers answered to reads, writes, functions and mistakes, and what a client sees of it.
#include <gtest/gtest.h>

#include "cluster/tests/support/recorded.h"
#include "cql/language/parser.h"
#include "proxy/tests/support/world.h"

namespace penumbra::proxy::testing {
namespace {

using cluster::testing::recorded;

/// Of a request that one cluster answers, and not the proxy or two of them.
bool is_forwarded(const cql::Statement& statement) {
    using enum cql::StatementKind;
    const auto kind = statement.kind;
    if (kind != select && kind != insert && kind != update && kind != delete_ && kind != batch) return false;
    return std::ranges::none_of(statement.parts(), [](const auto& part) {
        return part.table.keyspace.starts_with("system") || part.table.name == "local" || part.table.name == "peers";
    });
}

/// Paging states are the proxy's own: it notes in them which cluster has the next page.
void expect_same_rows(const Bytes& answer, const Bytes& was, const std::string& step) {
    const auto ours = cql::Rows::from(Client::view(answer)), theirs = cql::Rows::from(Client::view(was));
    ASSERT_TRUE(ours && theirs) << step;
    ASSERT_EQ(ours.value().columns().size(), theirs.value().columns().size()) << step;
    ASSERT_EQ(ours.value().size(), theirs.value().size()) << step;
    for (std::size_t row = 0; row < theirs.value().size(); ++row) {
        for (std::size_t at = 0; at < theirs.value().columns().size(); ++at) {
            const auto left = ours.value()[row][at], right = theirs.value()[row][at];
            ASSERT_EQ(left.is_null(), right.is_null()) << step;
            if (left.has_value()) {
                EXPECT_TRUE(equal(left.bytes(), right.bytes())) << step;
            }
        }
    }
}

TEST(RecordedAnswers, ReachTheClientAsTheyWere) {
    for (const auto* server : cluster::testing::kRecordedServers) {
        World world;
        auto client = world.client();
        std::map<std::string, std::size_t, std::less<>> seen;
        std::size_t pages = 0;
        for (const auto& one : recorded(server)) {
            const std::string scenario(one.scenario());
            if (scenario != "values" && scenario != "reads" && scenario != "functions" && scenario != "errors")
                continue;
            if (!is_forwarded(cql::parse(std::string_view(one.text)))) continue;
            world.source->on_request = [&](const auto& asked) {
                auto answer = one.answer;
                store_be(answer.data() + 2, static_cast<std::uint16_t>(asked.stream));
                asked.server->raw(asked, answer);
            };
            const auto answer = client->run(one.text);
            ASSERT_FALSE(answer.empty()) << server << ' ' << one.step << ' ' << one.text;
            ++seen[scenario];
            const auto rows = cql::Rows::from(Client::view(one.answer));
            if (rows && rows.value().paging_state()) {
                ++pages;
                expect_same_rows(answer, one.answer, one.step);
                continue;
            }
            ASSERT_EQ(answer.size(), one.answer.size()) << server << ' ' << one.step << ' ' << one.text;
            EXPECT_TRUE(equal(BytesView(answer).first(2), BytesView(one.answer).first(2))) << one.step;
            EXPECT_TRUE(equal(BytesView(answer).subspan(4), BytesView(one.answer).subspan(4)))
                << server << ' ' << one.step << ' ' << one.text;
        }
        for (const auto* scenario : {"values", "reads", "functions", "errors"})
            EXPECT_GT(seen[scenario], 50U) << server << ' ' << scenario;
        EXPECT_GT(pages, 3U) << server;
    }
}

}  // namespace
}  // namespace penumbra::proxy::testing
