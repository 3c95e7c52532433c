// An order for a row reads that row, however wide its partition.
#include <set>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/types/scalars.h"
#include "sync/resync.h"
#include "sync/tests/fake_session.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

using testing::FakeSession;

/// ks.t (k int, c int, s int STATIC, v int, PRIMARY KEY (k, c)), or without s.
cql::Table table(bool with_statics) {
    using enum cql::ColumnKind;
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "ks";
    table.name = "t";
    table.columns = {test::column("k", integer, partition_key, 0), test::column("c", integer, clustering, 0),
                     test::column("v", integer, regular)};
    if (with_statics) table.columns.push_back(test::column("s", integer, static_));
    return table;
}

class ResyncRowTest : public ::testing::Test {
  protected:
    ResyncRowTest() {
        loop.on([this] { stop = std::make_unique<StopSignal>(); });
        order.clustering = {cql::encode_int(5)};
    }
    ~ResyncRowTest() override {
        loop.on([this] { stop.reset(); });
    }
    Report resync(bool with_statics = false) {
        return resync(TableShape::make(table(with_statics), table(with_statics), {}, "").value());
    }
    Report resync(const ShapePtr& shape) {
        std::unique_ptr<Resync> one;
        auto done = loop.run<Result<Report>>([&] {
            one = std::make_unique<Resync>(
                Pair{from, to, traffic, transit, routing::ScopeId(1), {}, "", routing::Side::source, 1});
            return one->run(shape, order, *stop);
        });
        EXPECT_TRUE(done);
        return done.value();
    }
    /// The row (7, 5), written at 10.
    static cql::Rows row() {
        cql::RowsBuilder rows("ks", "t");
        const auto integer = cql::scalar(cql::TypeKind::int_);
        for (const auto* name : {"k", "c", "v"}) rows.add_column(name, integer);
        rows.add_column("writetime(v)", cql::scalar(cql::TypeKind::bigint));
        rows.add_column("ttl(v)", integer);
        rows.add(cql::encode_int(7));
        rows.add(cql::encode_int(5));
        rows.add(cql::encode_int(1));
        rows.add(cql::encode_bigint(10));
        rows.add(cql::CellView::null());
        return testing::answered(rows);
    }
    static std::set<std::string> places(const FakeSession& session) {
        std::set<std::string> read;
        for (const auto& asked : session.asked) read.insert(asked.text.substr(asked.text.find(" WHERE")));
        return read;
    }

    cluster::testing::Loop loop;
    FakeSession from, to;
    NoTraffic traffic;
    Transit transit;
    OwedResync order{"ks", "t", cql::encode_int(7)};
    std::unique_ptr<StopSignal> stop;
};

TEST_F(ResyncRowTest, OnlyTheRowIsRead) {
    resync();
    for (const auto* session : {&from, &to}) {
        ASSERT_EQ(session->asked.size(), 1U);
        EXPECT_TRUE(session->asked[0].text.ends_with(" FROM ks.t WHERE k = ? AND c = ?")) << session->asked[0].text;
        EXPECT_EQ(session->asked[0].values,
                  (std::vector<cql::Cell>{cql::Cell(cql::encode_int(7)), cql::Cell(cql::encode_int(5))}));
    }
}

TEST_F(ResyncRowTest, WithTheStaticsOfItsPartitionIfThereAreAny) {
    resync(true);
    const std::set<std::string> both{" WHERE k = ? AND c = ?", " WHERE k = ? LIMIT 1"};
    EXPECT_EQ(places(from), both);
    EXPECT_EQ(places(to), both);
}

TEST_F(ResyncRowTest, TheyMayBeShownWithARowOfAnotherTenant) {
    // `c` is the tenant. LIMIT 1 shows the row (7, 4) with the statics.
    const auto first_row = [](const cql::CellView& statics) {
        cql::RowsBuilder rows("ks", "t");
        const auto integer = cql::scalar(cql::TypeKind::int_);
        for (const auto* name : {"k", "c", "v"}) rows.add_column(name, integer);
        for (const auto* name : {"writetime(v)", "ttl(v)"}) rows.add_column(name, integer);
        rows.add_column("s", integer);
        rows.add_column("writetime(s)", cql::scalar(cql::TypeKind::bigint));
        rows.add_column("ttl(s)", integer);
        for (const auto key : {7, 4}) rows.add(cql::encode_int(key));
        for (int of_v = 0; of_v < 3; ++of_v) rows.add(cql::CellView::null());
        rows.add(statics);
        rows.add(statics.has_value() ? cql::CellView(cql::encode_bigint(10)) : cql::CellView::null());
        rows.add(cql::CellView::null());
        return testing::answered(rows);
    };
    std::vector<std::string> changes;
    const auto answer = [&](const FakeSession::Asked& asked, const cql::CellView& statics) -> Result<cql::Rows> {
        if (!asked.text.starts_with("SELECT")) changes.push_back(asked.text);
        return asked.text.ends_with(" LIMIT 1") ? first_row(statics) : cql::Rows();
    };
    const auto five = cql::encode_int(5);
    from.answer = [&](const auto& asked) { return answer(asked, cql::CellView(five)); };
    to.answer = [&](const auto& asked) {
        return answer(asked, changes.empty() ? cql::CellView::null() : cql::CellView(five));
    };
    const auto scope = routing::Scope{.tenants = {"5"}};
    const auto report = resync(TableShape::make(table(true), table(true), scope, "c").value());
    EXPECT_EQ(report.differences, 1U);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_TRUE(changes[0].starts_with("UPDATE ks.t USING TTL ? SET s = ?")) << changes[0];
}

TEST_F(ResyncRowTest, ItIsMadeEqual) {
    std::vector<std::string> changes;
    bool is_there = true;
    to.answer = [&](const FakeSession::Asked& asked) -> Result<cql::Rows> {
        if (asked.text.starts_with("SELECT")) return is_there ? row() : cql::Rows();
        changes.push_back(asked.text + " @" + std::to_string(asked.timestamp.value_or(0)));
        is_there = false;
        return cql::Rows();
    };
    const auto report = resync();
    EXPECT_EQ(changes, std::vector<std::string>{"DELETE FROM ks.t WHERE k = ? AND c = ? @10"});
    EXPECT_EQ(report.differences, 1U);
    EXPECT_EQ(report.repaired, 1U);
    for (const auto* session : {&from, &to})
        EXPECT_EQ(places(*session), std::set<std::string>{" WHERE k = ? AND c = ?"});
}

TEST_F(ResyncRowTest, AKeyOfOtherColumnsStandsForItsPartition) {
    order.clustering.push_back(cql::encode_int(6));
    resync();
    EXPECT_EQ(places(from), std::set<std::string>{" WHERE k = ?"});
}

}  // namespace
}  // namespace penumbra::sync
