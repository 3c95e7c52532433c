#include "sync/counter_changer.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "sync/tests/fake_session.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

using cql::ErrorCode;
using ::testing::HasSubstr;
using testing::server_says;

constexpr auto* kIncrement = "UPDATE ks.visits SET \"N\" = \"N\" + ? WHERE k = ?";
constexpr auto* kShards = "UPDATE ks.visits SET \"N\" = SCYLLA_COUNTER_SHARD_LIST(?) WHERE k = ?";

ShapePtr visits() {
    using enum cql::ColumnKind;
    cql::Table table;
    table.keyspace = "ks";
    table.name = "visits";
    table.is_counter = true;
    table.columns = {test::column("k", cql::scalar(cql::TypeKind::int_), partition_key, 0),
                     test::column("N", cql::scalar(cql::TypeKind::counter), regular)};
    return TableShape::make(table, table, {}, "").value();
}

class CounterChanger : public ::testing::Test {
  protected:
    CounterChanger() {
        key.partition = cql::encode_int(7);
        loop.on([this] { stop = std::make_unique<StopSignal>(); });
    }
    ~CounterChanger() override {
        loop.on([this] { stop.reset(); });
    }

    /// What became of adding `delta`, of a server that says these errors first.
    Status add(std::int64_t delta, std::deque<Error> errors = {}) {
        to.asked.clear();
        to.answer = [&errors](const auto&) -> Result<cql::Rows> {
            if (errors.empty()) return cql::Rows();
            auto next = errors.front();
            errors.pop_front();
            return fail(std::move(next));
        };
        const std::vector<CounterChange> changes{{0, delta}};
        return loop.run<Status>([&] {
            if (!work)
                work = std::make_unique<Work>(Pair{from, to, traffic, transit, routing::ScopeId(1), {}, ""}, options,
                                              *stop);
            return add_to_counters(work.get(), visits(), &key, &changes);
        });
    }
    std::vector<std::string> texts() const {
        std::vector<std::string> out;
        for (const auto& one : to.asked) out.push_back(one.text);
        return out;
    }

    cluster::testing::Loop loop;
    testing::FakeSession from, to;
    NoTraffic traffic;
    Transit transit;
    WorkOptions options;
    std::unique_ptr<StopSignal> stop;
    std::unique_ptr<Work> work;
    RowKey key;
};

TEST_F(CounterChanger, ACassandraGetsAnIncrementThatIsNotRepeated) {
    EXPECT_TRUE(add(5));
    ASSERT_EQ(texts(), (std::vector<std::string>{kIncrement}));
    EXPECT_EQ(cql::decode_bigint(*to.asked[0].values[0]).value(), 5);
    EXPECT_FALSE(add(5, {server_says(ErrorCode::write_timeout)}));
    EXPECT_EQ(texts().size(), 1U);
}

TEST_F(CounterChanger, AScyllaGetsAShardThatIsSentUntilItIsThere) {
    to.scylla = true;
    EXPECT_TRUE(add(-3, {server_says(ErrorCode::write_timeout), Error(Errc::closed, "gone")}));
    ASSERT_EQ(texts(), (std::vector<std::string>{kShards, kShards, kShards}));
    EXPECT_EQ(to.asked[0].values, to.asked[2].values) << "the same shard, or it would count twice";
    // One tuple: (int 'g', uuid, bigint clock, bigint value).
    const Bytes given = *to.asked[0].values[0];
    const BytesView value(given);
    ASSERT_EQ(value.size(), 4U + 4 + (4 + 4) + (4 + 16) + (4 + 8) + (4 + 8));
    EXPECT_TRUE(equal(value.first(16), Bytes{0, 0, 0, 1, 0, 0, 0, 52, 0, 0, 0, 4, 0, 0, 0, 'g'}));
    EXPECT_TRUE(equal(value.subspan(36), Bytes{0, 0, 0, 8, 0,    0,    0,    0,    0,    0,    0,    1,
                                               0, 0, 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd}));
    EXPECT_TRUE(add(-3));
    EXPECT_NE(*to.asked[0].values[0], given) << "another difference is another shard";
}

TEST_F(CounterChanger, WhereShardsAreRefusedItIsAnIncrementFromThenOn) {
    to.scylla = true;
    EXPECT_TRUE(add(1, {server_says(ErrorCode::syntax_error)}));
    EXPECT_EQ(texts(), (std::vector<std::string>{kShards, kIncrement}));
    EXPECT_TRUE(add(1));
    EXPECT_EQ(texts(), (std::vector<std::string>{kIncrement}));
}

}  // namespace
}  // namespace penumbra::sync
