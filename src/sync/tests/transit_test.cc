// A conditional deletion stays one whatever else is on its way from one cluster to the other.
#include "sync/transit.h"

#include <optional>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/types/scalars.h"
#include "cql/types/token.h"
#include "sync/copy.h"
#include "sync/resync.h"
#include "sync/tests/fake_session.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

using testing::FakeSession;

/// ks.t (k int PRIMARY KEY, v int)
cql::Table table() {
    using enum cql::ColumnKind;
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "ks";
    table.name = "t";
    table.columns = {test::column("k", integer, partition_key, 0), test::column("v", integer, regular)};
    return table;
}
const Bytes kKey = cql::encode_int(7);

/// What one cluster has of the row of kKey: the last write, unless a tombstone is as new.
struct Row {
    std::optional<std::int64_t> written;
    std::int64_t deleted = 0;

    bool is_there() const { return written && *written > deleted; }
    void write(std::int64_t at) { written = std::max(written.value_or(at), at); }
    void erase(std::int64_t at) { deleted = std::max(deleted, at); }
    cql::Rows rows() const {
        cql::RowsBuilder rows("ks", "t");
        rows.add_column("k", cql::scalar(cql::TypeKind::int_));
        rows.add_column("v", cql::scalar(cql::TypeKind::int_));
        rows.add_column("writetime(v)", cql::scalar(cql::TypeKind::bigint));
        rows.add_column("ttl(v)", cql::scalar(cql::TypeKind::int_));
        if (is_there()) {
            rows.add(kKey);
            rows.add(cql::encode_int(1));
            rows.add(cql::encode_bigint(*written));
            rows.add(cql::CellView::null());
        }
        Bytes frame;
        cql::encode_rows(frame, {}, rows.view());
        return cql::Rows::from(cql::view_frame(frame, cql::Direction::response).value()).value();
    }
};

class TransitTest : public ::testing::Test {
  protected:
    /// Requests of clients: they have ended once settle() says so.
    struct Traffic final : LiveTraffic {
        std::function<void()> ends = [] {};
        Task<Status> settle(routing::ScopeId, Deadline) override {
            ends();
            co_return ok();
        }
        Task<Status> hold(routing::ScopeId, Deadline) override { co_return ok(); }
        Task<void> release(routing::ScopeId) override { co_return; }
    };

    TransitTest() {
        auto schema = std::make_shared<cql::Schema>();
        schema->add_keyspace("ks", "");
        schema->add_table(table());
        for (auto [session, row] : {std::pair(&from, &primary), std::pair(&to, &shadow)}) {
            session->schema_now = [schema] { return schema; };
            session->answer = [row](const FakeSession::Asked& asked) -> Result<cql::Rows> {
                if (asked.text.starts_with("SELECT")) return row->rows();
                if (asked.text.starts_with("DELETE")) {
                    row->erase(asked.timestamp.value_or(0));
                } else {
                    row->write(asked.timestamp.value_or(0));
                }
                return cql::Rows();
            };
        }
        options.splits = 1;
        scope.allow.push_back(routing::TablePattern::parse("*.*").value());
        loop.on([this] {
            stop = std::make_unique<StopSignal>();
            held.emplace();
        });
    }
    ~TransitTest() override {
        loop.on([this] {
            stop.reset();
            held.reset();
        });
    }
    Pair pair() { return {from, to, traffic, transit, routing::ScopeId(1), scope, "", routing::Side::source, 1}; }
    /// The first request of the cluster whose text begins so.
    void hold_first(FakeSession& session, const char* verb) {
        session.hold = [this, verb, &session,
                        done = false](const FakeSession::Asked& asked) mutable -> std::optional<OneShot<Unit>> {
            if (done || !asked.text.starts_with(verb)) return std::nullopt;
            done = true;
            is_held = true;
            return held;
        };
    }
    void let_go() {
        loop.on([this] { held->set(Unit{}); });
    }
    struct Run {
        bool done = false;
        std::optional<Result<Report>> report;
    };
    void start_copy(Run& run) {
        loop.on([&] { gate.spawn(copy(this, &run)); });
    }
    void start_resync(Run& run) {
        loop.on([&] { gate.spawn(resync(this, &run)); });
    }
    static Task<void> copy(TransitTest* self, Run* run) {
        Copy one(self->pair(), self->options);
        auto report = co_await one.run(*self->stop);
        run->report.emplace(std::move(report));
        run->done = true;
    }
    static Task<void> resync(TransitTest* self, Run* run) {
        Resync one(self->pair(), self->options);
        auto shape = TableShape::make(table(), table(), self->scope, "").value();
        const OwedResync order{"ks", "t", kKey};
        const auto ready = co_await one.ready(shape, order, *self->stop);
        EXPECT_TRUE(ready);
        auto report = co_await one.run(std::move(shape), order, *self->stop);
        run->report.emplace(std::move(report));
        run->done = true;
    }

    static Task<void> await(TransitTest* self, Transit::Place place, Run* run) {
        const auto arrived = co_await self->transit.arrived(std::move(place), self->stop.get());
        EXPECT_EQ(arrived.has_value(), !self->stop->requested());
        run->done = true;
    }

    cluster::testing::Loop loop;
    Gate gate;
    FakeSession from, to;
    Row primary, shadow;
    Traffic traffic;
    Transit transit;
    routing::Scope scope;
    WorkOptions options;
    std::unique_ptr<StopSignal> stop;
    std::optional<OneShot<Unit>> held;
    bool is_held = false;
};

TEST_F(TransitTest, WhatACopyReadBeforeAConditionalDeletionIsDeletedAfterIt) {
    primary.write(10);
    hold_first(from, "SELECT");
    Run copy, order;
    start_copy(copy);
    loop.until([&] { return is_held; });
    primary.erase(20);  // DELETE … IF EXISTS
    start_resync(order);
    loop.turn();
    EXPECT_FALSE(order.done) << "the copy has still to write what it read";
    let_go();
    loop.until([&] { return copy.done && order.done; });
    EXPECT_TRUE(copy.report->has_value() && order.report->has_value());
    EXPECT_FALSE(shadow.is_there());
}

TEST_F(TransitTest, WhatAnotherResyncReadBeforeAConditionalDeletionIsDeletedAfterIt) {
    primary.write(10);
    hold_first(to, "INSERT");
    Run earlier, later;
    start_resync(earlier);
    loop.until([&] { return is_held; });
    primary.erase(20);
    start_resync(later);
    loop.turn();
    EXPECT_FALSE(later.done);
    let_go();
    loop.until([&] { return earlier.done && later.done; });
    EXPECT_TRUE(later.report->has_value());
    EXPECT_FALSE(shadow.is_there());
}

TEST_F(TransitTest, WhatWasSentBeforeAConditionalDeletionIsDeletedAfterIt) {
    // The primary has had both, the INSERT and the deletion; the shadow gets the INSERT only now.
    traffic.ends = [this] { shadow.write(10); };
    primary.erase(20);
    Run order;
    start_resync(order);
    loop.until([&] { return order.done; });
    EXPECT_FALSE(shadow.is_there());
}

TEST_F(TransitTest, OnlyWhatBeganBeforeAndMeetsThePlaceIsAwaited) {
    const auto at = [](std::int64_t token, const char* name = "t", routing::Side side = routing::Side::target) {
        return Transit::Place{side, routing::ScopeId(1), "ks", name, TokenRange::of(cql::Token(token))};
    };
    const auto arrived = [&](Transit::Place place, Run& run) {
        loop.on([&] { gate.spawn(await(this, std::move(place), &run)); });
    };
    std::optional<Transit::Passage> before(transit.begin(at(5)));
    Run other_token, other_table, other_way, same, whole;
    arrived(at(6), other_token);
    arrived(at(5, "u"), other_table);
    arrived(at(5, "t", routing::Side::source), other_way);
    arrived(at(5), same);
    auto everything = at(0);
    everything.tokens = {};
    arrived(everything, whole);
    loop.until([&] { return other_token.done && other_table.done && other_way.done; });
    const auto after = transit.begin(at(5));
    loop.turn();
    EXPECT_FALSE(same.done || whole.done);
    before.reset();
    loop.until([&] { return same.done && whole.done; });

    Run stopped;
    arrived(at(5), stopped);
    loop.turn();
    EXPECT_FALSE(stopped.done);
    loop.on([this] { stop->request(); });
    loop.until([&] { return stopped.done; });
}

}  // namespace
}  // namespace penumbra::sync
