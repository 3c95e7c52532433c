#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "journal/journal.h"
#include "sync/replayer.h"
#include "sync/tests/fake_session.h"

namespace penumbra::sync::testing {

/// app.rows (k int PRIMARY KEY, and these int columns)
inline cql::SchemaPtr schema_with(std::initializer_list<const char*> columns) {
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "app";
    table.name = "rows";
    table.columns.push_back({"k", integer, cql::ColumnKind::partition_key, 0});
    for (const auto* name : columns) table.columns.push_back({name, integer, cql::ColumnKind::regular});
    auto schema = std::make_shared<cql::Schema>();
    schema->add_keyspace("app", "");
    schema->add_table(std::move(table));
    return schema;
}
inline cql::SchemaPtr no_tables() {
    return std::make_shared<cql::Schema>();
}

/// A replayer with a journal on disk between two clusters that a test plays, all on the test's own thread.
class Replaying : public ::testing::Test {
  protected:
    Replaying() {
        std::filesystem::remove_all(directory);
        loop.on([this] { journal = journal::Journal::open({directory}, Clock::system()).value(); });
        options.stream = 1;
        options.poll = std::chrono::milliseconds(1);
        options.longest_pause = std::chrono::milliseconds(2);
        options.scope_of = [](routing::ScopeId) { return std::optional(ReplayScope{routing::Scope{}, "", 1}); };
    }
    ~Replaying() override {
        stop();
        loop.on([this] { journal.reset(); });
        std::filesystem::remove_all(directory);
    }
    void both_have(const cql::SchemaPtr& schema) {
        source.schema_now = target.schema_now = [schema] { return schema; };
    }
    void owe(const OwedResync& owed) {
        loop.on([&] {
            Bytes payload;
            encode_owed_resync(owed, payload);
            journal->append(1, kScope, payload, [this](auto id) { journal->release(id.value()); });
        });
    }
    void start() {
        loop.on([this] {
            replayer = std::make_unique<Replayer>(*journal, target, source, traffic, transit, options);
            replayer->start();
        });
    }
    void stop() {
        if (replayer) loop.run_void([this] { return replayer->stop(); });
        loop.on([this] { replayer.reset(); });
    }
    bool paid() const { return journal->owed_of(1, kScope).entries == 0; }

    static constexpr std::uint32_t kScope = 7;
    cluster::testing::Loop loop;
    std::filesystem::path directory =
        std::filesystem::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::unique_ptr<journal::Journal> journal;
    FakeSession source, target;
    NoTraffic traffic;
    Transit transit;
    ReplayOptions options;
    std::unique_ptr<Replayer> replayer;
};

}  // namespace penumbra::sync::testing
