// The measuring tools themselves: a generator that counts wrong, or servers that answer what was not asked, would make
// every figure worthless.

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "load/generator.h"
#include "load/histogram.h"
#include "load/sliced.h"
#include "null_server/server.h"

namespace penumbra::bench {
namespace {

using namespace std::chrono_literals;

TEST(HistogramTest, IsWithinOnePercent) {
    Histogram histogram;
    for (int i = 1; i <= 100'000; ++i) histogram.record(Micros(i));
    EXPECT_EQ(histogram.count(), 100'000U);
    EXPECT_EQ(histogram.max(), Micros(100'000));
    for (const auto& [part, micros] : {std::pair(0.5, 50'000.0), {0.99, 99'000.0}, {0.999, 99'900.0}}) {
        const auto found = std::chrono::duration<double, std::micro>(histogram.percentile(part)).count();
        EXPECT_NEAR(found, micros, micros * 0.008);
        EXPECT_GE(found, micros) << "a percentile is never better than it was";
    }
    EXPECT_EQ(histogram.percentile(1), histogram.max());
    EXPECT_NEAR(histogram.mean_micros(), 50'000, 500);
}

TEST(HistogramTest, TakesWhateverComes) {
    Histogram histogram;
    EXPECT_EQ(histogram.percentile(0.5), Nanos(0));
    histogram.record(Nanos(-5));
    EXPECT_EQ(histogram.percentile(0.5), Nanos(0));
    histogram.record(Nanos::max());
    EXPECT_EQ(histogram.percentile(1), Nanos::max());
}

TEST(SlicedLatencyTest, LeavesOutWhatWasDueWhileTheMachineStoodStill) {
    const SteadyTime began{1h};
    SlicedLatency sliced(1s);
    sliced.begin(began);
    for (int ms = 0; ms < 1000; ++ms) sliced.record(began + Millis(ms), ms >= 500 && ms < 520 ? 20ms : 1ms);
    EXPECT_EQ(sliced.without({}).latency.count(), 1000U);
    EXPECT_EQ(sliced.without({}).latency.max(), 20ms);

    const CoreWatch::Stall stall{began + 505ms, began + 515ms};
    const auto undisturbed = sliced.without({&stall, 1});
    EXPECT_EQ(undisturbed.latency.max(), 1ms);
    EXPECT_GT(undisturbed.left_out, 0.02);
    EXPECT_LT(undisturbed.left_out, 0.08);
    EXPECT_EQ(undisturbed.latency.count(), 1000 - static_cast<std::uint64_t>(undisturbed.left_out * 1010 + 0.5));
}

TEST(SlicedLatencyTest, AStallBeforeOrAfterHurtsNothing) {
    const SteadyTime began{1h};
    SlicedLatency sliced(100ms);
    sliced.begin(began);
    sliced.record(began - 1ms, 5ms);
    sliced.record(began + 50ms, 1ms);
    sliced.record(began + 1s, 5ms);
    const CoreWatch::Stall stalls[] = {{began - 1s, began - 900ms}, {began + 2s, began + 3s}};
    EXPECT_EQ(sliced.without(stalls).left_out, 0);
    EXPECT_EQ(sliced.without(stalls).latency.count(), 1U);
}

Task<void> keep(Task<Result<Measured>> task, std::optional<Result<Measured>>* kept) {
    kept->emplace(co_await std::move(task));
}

/// Load and server on one thread: what one side says, the other understands.
Result<Measured> run(LoadOptions options) {
    static const TenantTable table;
    static const Catalog catalog(table, Endpoint::parse("127.0.0.1:9042").value());
    static const Answers answers(table, 300);
    Shard shard("test");
    Gate gate;
    std::unique_ptr<NullServer> server;
    std::unique_ptr<Generator> generator;
    std::optional<Result<Measured>> measured;
    shard.post([&] {
        server = std::make_unique<NullServer>(catalog, answers);
        options.to = server->listen(Endpoint::parse("127.0.0.1:0").value()).value();
        generator = std::make_unique<Generator>(options);
        gate.spawn(keep(Generator::run(generator.get()), &measured));
    });
    shard.run([&] {
        if (!measured || gate.holders() > 0) return false;
        generator.reset();
        server.reset();
        return true;
    });
    return std::move(*measured);
}

using Wire = std::tuple<cql::ProtocolVersion, cql::Compression, Style>;
class LoadOnNullServer : public ::testing::TestWithParam<Wire> {};

TEST_P(LoadOnNullServer, EveryRequestIsAnsweredAsItShould) {
    LoadOptions options;
    std::tie(options.version, options.compression, options.style) = GetParam();
    if (!cql::may_agree(options.version, options.compression)) GTEST_SKIP() << "no such compression";
    options.connections = 3;
    options.in_flight = 5;
    options.reads = 0.5;
    options.tenants = 10;
    options.warmup = 5ms;
    options.duration = 20ms;
    const auto measured = run(options);
    ASSERT_TRUE(measured) << measured.error().what;
    EXPECT_GT(measured.value().reads, 0U);
    EXPECT_GT(measured.value().writes, 0U);
    EXPECT_EQ(measured.value().latency.count(), measured.value().requests());
    EXPECT_EQ(measured.value().unanswered, 0U);
    for (const auto& [what, count] : measured.value().errors) ADD_FAILURE() << count << " x " << what;
}

INSTANTIATE_TEST_SUITE_P(
    Wires, LoadOnNullServer,
    ::testing::Combine(::testing::ValuesIn(cql::kAllVersions),
                       ::testing::Values(cql::Compression::none, cql::Compression::lz4, cql::Compression::snappy),
                       ::testing::Values(Style::prepared, Style::simple, Style::literal, Style::batch)));

TEST(LoadTest, ARateIsKeptAndMore) {
    LoadOptions options;
    options.connections = 2;
    options.in_flight = 16;
    options.rate = 2000;
    options.warmup = 10ms;
    options.duration = 200ms;
    const auto measured = run(options);
    ASSERT_TRUE(measured) << measured.error().what;
    // What was due and not answered yet shows as such, whatever the machine did meanwhile.
    const auto due = measured.value().seconds * 2000;
    const auto found =
        static_cast<double>(measured.value().requests() + measured.value().not_sent + measured.value().unanswered);
    EXPECT_NEAR(found, due, 100);
    EXPECT_GE(found, due - 1) << "the slowest, which come after the end, were left out";
}

TEST(LoadTest, WhatWasDueWhileNoStreamWasFreeIsToldNotForgotten) {
    LoadOptions options;
    options.rate = 50'000'000;  // one stream cannot
    options.warmup = 1ms;
    options.duration = 10ms;
    const auto measured = run(options);
    ASSERT_TRUE(measured) << measured.error().what;
    EXPECT_GT(measured.value().not_sent, 100'000U);
    EXPECT_GT(measured.value().latency.percentile(0.5), 1ms) << "latency counts from when a request was due";
}

TEST(LoadTest, NobodyThereIsAnError) {
    LoadOptions options;
    options.to = Endpoint::parse("127.0.0.1:1").value();
    Shard shard("test");
    Gate gate;
    std::unique_ptr<Generator> generator;
    std::optional<Result<Measured>> measured;
    shard.post([&] {
        generator = std::make_unique<Generator>(options);
        gate.spawn(keep(Generator::run(generator.get()), &measured));
    });
    shard.run([&] {
        if (!measured || gate.holders() > 0) return false;
        generator.reset();
        return true;
    });
    ASSERT_FALSE(*measured);
    EXPECT_EQ(measured->error().code, Errc::unavailable);
}

}  // namespace
}  // namespace penumbra::bench
