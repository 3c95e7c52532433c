// When a difference between two clusters that are read one after the other is one.
#include "sync/equalizer.h"

#include <deque>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/types/scalars.h"
#include "sync/tests/fake_session.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

/// ks.t (k int PRIMARY KEY, v int)
ShapePtr shape() {
    using enum cql::ColumnKind;
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "ks";
    table.name = "t";
    table.columns = {test::column("k", integer, partition_key, 0), test::column("v", integer, regular)};
    return TableShape::make(table, table, {}, "").value();
}

/// The row as a cluster shows it, or no row.
struct Seen {
    int v;
    std::int64_t written;
};
using Looks = std::deque<std::optional<Seen>>;
constexpr std::optional<Seen> kNone;

cql::Rows rows_of(const std::optional<Seen>& seen) {
    cql::RowsBuilder rows("ks", "t");
    rows.add_column("k", cql::scalar(cql::TypeKind::int_));
    rows.add_column("v", cql::scalar(cql::TypeKind::int_));
    rows.add_column("writetime(v)", cql::scalar(cql::TypeKind::bigint));
    rows.add_column("ttl(v)", cql::scalar(cql::TypeKind::int_));
    if (seen) {
        rows.add(cql::encode_int(7));
        rows.add(cql::encode_int(seen->v));
        rows.add(cql::encode_bigint(seen->written));
        rows.add(cql::CellView::null());
    }
    return testing::answered(rows);
}

class EqualizerTest : public ::testing::Test {
  protected:
    EqualizerTest() {
        loop.on([this] { stop = std::make_unique<StopSignal>(); });
    }
    ~EqualizerTest() override {
        loop.on([this] { stop.reset(); });
    }
    Report examine(Fix fix) {
        std::vector<RowKey> keys(1);
        keys[0].partition = cql::encode_int(7);
        std::unique_ptr<Work> work;
        std::unique_ptr<Equalizer> equalizer;
        const auto done = loop.run<Status>([&] {
            work = std::make_unique<Work>(Pair{from, to, traffic, transit, routing::ScopeId(1), {}, "", {}, 0}, options,
                                          *stop);
            equalizer = std::make_unique<Equalizer>(*work, Seconds(5), fix);
            return equalizer->examine(shape(), std::move(keys));
        });
        EXPECT_TRUE(done);
        return std::move(work->report);
    }
    /// How many differences there are when the clusters show this, look by look; the last for ever.
    std::uint64_t differences(Looks primary, Looks shadow) {
        for (auto [session, looks] : {std::pair(&from, &primary), std::pair(&to, &shadow)}) {
            session->answer = [looks](const auto&) -> Result<cql::Rows> {
                auto rows = rows_of(looks->front());
                if (looks->size() > 1) looks->pop_front();
                return rows;
            };
        }
        return examine(Fix::report).differences;
    }
    /// The time of the row on both clusters after a repair: the primary has it, and on the shadow is a deletion of that
    /// time which the primary never saw.
    std::int64_t repaired_over(std::int64_t deletion) {
        auto primary = std::make_shared<std::int64_t>(10), shadow = std::make_shared<std::int64_t>(deletion);
        const auto play = [](testing::FakeSession& session, std::shared_ptr<std::int64_t> newest, std::int64_t hidden) {
            session.answer = [newest, hidden](const testing::FakeSession::Asked& asked) -> Result<cql::Rows> {
                if (asked.text.starts_with("SELECT"))
                    return rows_of(*newest > hidden ? std::optional(Seen{1, *newest}) : std::nullopt);
                *newest = std::max(*newest, asked.timestamp.value_or(0));
                return cql::Rows();
            };
        };
        play(from, primary, 0);
        play(to, shadow, deletion);
        EXPECT_EQ(examine(Fix::repair).repaired, 1U);
        EXPECT_EQ(*primary, *shadow);
        return *shadow;
    }

    cluster::testing::Loop loop;
    testing::FakeSession from, to;
    NoTraffic traffic;
    Transit transit;
    WorkOptions options;
    std::unique_ptr<StopSignal> stop;
};

TEST_F(EqualizerTest, WhatStandsStillOnBothIsADifference) {
    EXPECT_EQ(differences({Seen{1, 10}}, {kNone}), 1U);
    EXPECT_EQ(differences({kNone}, {Seen{1, 10}}), 1U);
    EXPECT_EQ(differences({Seen{2, 11}}, {Seen{1, 10}}), 1U);
    EXPECT_EQ(differences({Seen{1, 10}}, {Seen{1, 10}}), 0U);
}

TEST_F(EqualizerTest, AWriteOnItsWayIsNone) {
    // The shadow has it at its second look; or the primary has gone on, and the shadow follows.
    EXPECT_EQ(differences({Seen{1, 10}}, {kNone, Seen{1, 10}}), 0U);
    EXPECT_EQ(differences({Seen{2, 20}}, {Seen{1, 10}, Seen{2, 20}}), 0U);
}

TEST_F(EqualizerTest, ARowThatCameAndWentBetweenTwoLooksAtTheShadowIsNone) {
    // Neither look at the shadow was at the moment when it was there.
    EXPECT_EQ(differences({Seen{1, 10}, kNone}, {kNone}), 0U);
    // It went, and came again as another.
    EXPECT_EQ(differences({Seen{1, 10}, Seen{2, 20}}, {kNone, kNone, Seen{2, 20}}), 0U);
}

TEST_F(EqualizerTest, WhatNeverStandsStillIsComparedUnderAHold) {
    Looks moving;
    for (int i = 0; i < 8; ++i) moving.push_back(Seen{i, i});
    moving.push_back(Seen{100, 100});
    EXPECT_EQ(differences(moving, {kNone}), 1U);
    EXPECT_EQ(differences(moving, {kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone, Seen{100, 100}}), 0U);
}

TEST_F(EqualizerTest, WhatHasToWinGoesNoHigherThanWhatIsOwed) {
    // A client's write that is held has the time at which its driver sent it: after the order, before now.
    options.list_times.otherwise(500);
    EXPECT_EQ(repaired_over(100), 500);
    options.further_list_times = [] {
        ListTimes further;
        further.otherwise(700);
        return further;
    };
    EXPECT_EQ(repaired_over(600), 700);
    EXPECT_GT(repaired_over(800), 1'000'000'000) << "where that is not enough it is now";
}

}  // namespace
}  // namespace penumbra::sync
