#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/exposition.h"

namespace penumbra::metrics {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(LogLinear, BucketsMeetWithoutGapsAndStayNarrow) {
    for (std::size_t i = 0; i + 1 < LogLinear::kBuckets; ++i) {
        const auto low = LogLinear::lower_bound(i);
        const auto high = LogLinear::lower_bound(i + 1);
        ASSERT_LT(low, high);
        ASSERT_EQ(LogLinear::index(low), i);
        ASSERT_EQ(LogLinear::index(high - 1), i);
        ASSERT_LE((high - low) * 8, std::max<std::uint64_t>(low, 8));
    }
    EXPECT_EQ(LogLinear::index(UINT64_MAX), LogLinear::kBuckets - 1);
    EXPECT_EQ(LogLinear::lower_bound(LogLinear::kBuckets), std::uint64_t{1} << LogLinear::kTopBit);
}

TEST(Histogram, QuantilesAreAtMostAnEighthTooLarge) {
    Histogram histogram;
    for (int i = 1; i <= 1000; ++i) histogram.record(Micros(i));
    histogram.record(-5ns);
    auto snapshot = histogram.snapshot();
    EXPECT_EQ(snapshot.count, 1001u);
    EXPECT_GE(snapshot.quantile(0.5), 499us);
    EXPECT_LE(snapshot.quantile(0.5), 563us);
    EXPECT_EQ(snapshot.quantile(1.0), 1ms);
    snapshot.add(snapshot);
    EXPECT_EQ(snapshot.count, 2002u);
    EXPECT_EQ(HistogramSnapshot{}.quantile(0.99), 0ns);
}

TEST(MetricWriter, WritesOneFamilyPerName) {
    MetricWriter out;
    out.counter("penumbra_requests_total", "Requests.", 3, {{"shard", "0"}});
    out.gauge("penumbra_owed", "Owed \\ writes\nnow.", 1.5);
    out.counter("penumbra_requests_total", "Requests.", 4, {{"shard", "1"}, {"name", "a\"b\\c\nd"}});
    EXPECT_EQ(out.text(),
              "# HELP penumbra_owed Owed \\\\ writes\\nnow.\n# TYPE penumbra_owed gauge\npenumbra_owed 1.5\n"
              "# HELP penumbra_requests_total Requests.\n# TYPE penumbra_requests_total counter\n"
              "penumbra_requests_total{shard=\"0\"} 3\n"
              "penumbra_requests_total{shard=\"1\",name=\"a\\\"b\\\\c\\nd\"} 4\n");
}

TEST(MetricWriter, HistogramsAreCumulative) {
    Histogram histogram;
    histogram.record(1us);
    histogram.record(100us);
    histogram.record(100s);
    MetricWriter out;
    out.histogram("penumbra_request_seconds", "Time.", histogram.snapshot(), {{"phase", "shadow_sync"}});
    const auto text = out.text();
    EXPECT_THAT(text, HasSubstr("penumbra_request_seconds_bucket{phase=\"shadow_sync\",le=\"6.5536e-05\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("penumbra_request_seconds_bucket{phase=\"shadow_sync\",le=\"0.000131072\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("le=\"34.359738368\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("penumbra_request_seconds_sum{phase=\"shadow_sync\"} 100.000101\n"));
    EXPECT_THAT(text, HasSubstr("penumbra_request_seconds_count{phase=\"shadow_sync\"} 3\n"));
}

}  // namespace
}  // namespace penumbra::metrics
