#include "kube/plan.h"

#include <gmock/gmock.h>

#include "kube/measured.h"
#include "kube/tests/run.h"
#include "kube/yaml.h"

namespace penumbra::kube {
namespace {

using testing::HasSubstr;
using testing::Not;

Prices builtin() {
    return parse_prices("built in", std::string(builtin_prices())).value();
}

TEST(Range, IsReadAndReckoned) {
    EXPECT_EQ(parse_range("30k"), Range(30000));
    EXPECT_EQ(parse_range("20k..40k"), Range(20000, 40000));
    EXPECT_EQ(parse_range("30k+-20%"), Range(24000, 36000));
    EXPECT_EQ(parse_range("100+-10"), Range(90, 110));
    EXPECT_EQ(parse_range("~30k"), Range(15000, 60000));
    EXPECT_EQ(parse_range("1.5TB"), Range(1.5e12));
    EXPECT_EQ(parse_range("1TiB"), Range(1099511627776.0));
    EXPECT_EQ(parse_range("20%"), Range(0.2));
    for (const auto* bad : {"", "x", "-1", "5..1", "1..", "30q", "1+-", "~", "1 2"})
        EXPECT_FALSE(parse_range(bad)) << bad;
    EXPECT_EQ(Range(10, 20) - Range(3, 5), Range(5, 17));
    EXPECT_EQ(Range(10, 20) / Range(2, 5), Range(2, 10));
    EXPECT_EQ(dollars(105120), "$105,120");
    EXPECT_EQ(dollars(-2230), "-$2,230");
    EXPECT_EQ(number(Range(4000, 6250)), "4,000 to 6,250");
    EXPECT_EQ(bytes(1.9e12), "1.9 TB");
}

TEST(Sizing, FollowsTheRules) {
    Workload w;
    w.reads = Range(20000);
    w.writes = Range(6000);
    w.data = Range(1.2e12);
    w.peak = Range(2);
    w.growth = Range(0.2);
    // (20000 x 2 + 6000 x 3) x 2 x 1.2
    EXPECT_NEAR(w.peak_replica_ops()->low, 139200, 1);
    EXPECT_NEAR(w.stored_bytes()->low, 4.32e12, 1e6);
    const auto sizing = size_for(*builtin().find("i3.2xlarge"), w);
    // 139200 / (6 x 6250) = 3.7, / (6 x 4000) = 5.8; 4.32 / (1.9 x 0.7) = 3.2, / (1.9 x 0.5) = 4.5
    EXPECT_EQ(*sizing.constraints[0].nodes, Range(4, 6));
    EXPECT_EQ(*sizing.constraints[1].nodes, Range(5, 7));
    EXPECT_EQ(*sizing.constraints[2].nodes, Range(4, 5));
    EXPECT_EQ(*sizing.nodes, Range(6, 9));  // three equal racks
    EXPECT_EQ(sizing.binding, "n-1");
    w.racks = 1;
    EXPECT_EQ(*size_for(*builtin().find("i3.2xlarge"), w).nodes, Range(5, 7));
}

TEST(Sizing, TheExampleOfTheFacts) {
    // 3 nodes x 7 vCPU = 21 vCPU: about 131,000 replica operations a second, 44,000 writes at RF 3.
    InstanceType type;
    type.vcpu = 9;
    type.disk_gb = 1900;
    type.memory_gib = 61;
    const auto capacity = capacity_of(type, 4, Workload());  // one of four lost
    EXPECT_EQ(capacity.replica_ops_one_lost.high, 131250);
    EXPECT_EQ(capacity.writes_one_lost.high, 43750);
}

TEST(Sizing, SaysWhenTheInputsDoNotBearItOut) {
    const auto type = *builtin().find("i3.2xlarge");
    std::string why;
    Workload w;
    EXPECT_EQ(judge_nodes(size_for(type, w), 3, why), Support::no_inputs);
    EXPECT_THAT(why, HasSubstr("it takes reads and writes per second, and the size of the data"));
    w.reads = w.writes = Range(1000);
    w.data = Range(1e11);
    EXPECT_EQ(judge_nodes(size_for(type, w), 3, why), Support::supported);
    w.writes = Range(1000, 20000);
    EXPECT_EQ(judge_nodes(size_for(type, w), 3, why), Support::uncertain);
    EXPECT_THAT(why, HasSubstr("only a measurement can show it"));
    w.writes = Range(50000);
    EXPECT_EQ(judge_nodes(size_for(type, w), 3, why), Support::contradicted);
}

TEST(Sizing, MoreLoadNeverAsksForFewerNodes) {
    const auto type = *builtin().find("i4i.2xlarge");
    double last = 0;
    for (double writes = 0; writes < 200000; writes += 1000) {
        Workload w;
        w.reads = Range(1000);
        w.writes = Range(writes);
        w.data = Range(1e12);
        const auto nodes = *size_for(type, w).nodes;
        EXPECT_LE(nodes.low, nodes.high);
        EXPECT_GE(nodes.high, last);
        last = nodes.high;
    }
}

// The table of what the claimed money is: docs/sizing-and-cost.md has the same numbers.
TEST(Plan, TheClaimedMoneyReproduces) {
    const auto ran =
        run("penumbra plan @cassandra-dc1.yaml @scylla-cluster.yaml --current-type m5.2xlarge --target-type i3.2xlarge "
            "--claim-cost 105120:35040 --claim-nodes 12:4 --format json");
    ASSERT_EQ(ran.status, 0) << ran.err;
    Diagnostics out;
    const auto documents = read_yaml(ran.out, out);
    ASSERT_EQ(documents.size(), 1u) << out.render(ran.out);
    std::map<std::string, std::pair<double, double>> cases;
    std::string claimed;
    for (const auto& one : documents[0].root.at("claim.cases")->items) {
        const auto name = one.find("case")->text + " " + one.find("scylladb_nodes")->text;
        cases[name] = {*one.find("today")->as_number(), *one.find("scylladb")->as_number()};
        if (*one.find("reproduces_the_claim")->as_boolean()) claimed += name;
    }
    EXPECT_EQ(claimed, "flat $1.00 per node-hour 4");
    const std::vector<std::tuple<std::string, double, double>> expected{
        {"flat $1.00 per node-hour 3", 105120, 26280},
        {"flat $1.00 per node-hour 4", 105120, 35040},
        {"on demand 3", 40366, 16399},
        {"on demand 4", 40366, 21865},
        {"reserved, one year (low confidence) 3", 25754, 11248},
        {"reserved, one year (low confidence) 4", 25754, 14997},
        {"on demand, and 1 TB of network volume per node today 3", 51886, 16399},
        {"on demand, and 2 TB of network volume per node today 4", 63406, 21865}};
    for (const auto& [name, today, scylla] : expected) {
        ASSERT_TRUE(cases.contains(name)) << name;
        EXPECT_NEAR(cases[name].first, today, 1) << name;
        EXPECT_NEAR(cases[name].second, scylla, 1) << name;
    }
    EXPECT_THAT(ran.out, HasSubstr("\"verdict\": \"not supported by the inputs\""));
    EXPECT_THAT(ran.out, HasSubstr("the claim prices every node alike"));
}

TEST(Plan, GoldenTables) {
    expect_golden("plan-samples.txt",
                  run("penumbra plan @cassandra-dc1.yaml @scylla-cluster.yaml --current-type m5.2xlarge --target-type "
                      "i3.2xlarge --claim-cost 105120:35040 --claim-nodes 12:4")
                      .out);
    expect_golden("plan-sized.txt",
                  run("penumbra plan --reads 15k..25k --writes 6k --data 1.2TB --peak-factor 2 --growth 20% "
                      "--current-nodes 12 --current-type m5.2xlarge --current-volume 1TB --target-nodes 3")
                      .out);
    expect_golden(
        "plan-sized.html",
        run("penumbra plan --reads 15k..25k --writes 6k --data 1.2TB --peak-factor 2 --growth 20% --current-nodes 12 "
            "--current-type m5.2xlarge --current-volume 1TB --target-nodes 3 --format html")
            .out);
}

TEST(Plan, ThePageNeedsNothingButItself) {
    const auto ran = run("penumbra plan --input - --format html",
                         "reads: 20k\nwrites: 5k\ndata: 1TB\ncurrent-nodes: 12\ncurrent-type: m5.2xlarge\n");
    ASSERT_EQ(ran.status, 0) << ran.err;
    for (const auto* foreign : {"<script", "http://", "https://", "src=", "@import", "url("})
        EXPECT_THAT(ran.out, Not(HasSubstr(foreign)));
    EXPECT_THAT(ran.out, HasSubstr("<svg"));
    EXPECT_THAT(ran.out, HasSubstr("prefers-color-scheme:dark"));
    EXPECT_THAT(ran.out, HasSubstr("@media print"));
}

TEST(Plan, WhatUsersWriteIsTextOnThePage) {
    const auto ran = run("penumbra plan --input - --format html", "read-cl: ONE\ncurrent-nodes: 3\n");
    ASSERT_EQ(ran.status, 0);
    const auto bad = run(
        "penumbra plan --prices - --format html",
        std::string(builtin_prices()).replace(std::string(builtin_prices()).find("region: AWS"), 11, "region: <b>AWS"));
    ASSERT_EQ(bad.status, 0) << bad.err;
    EXPECT_THAT(bad.out, Not(HasSubstr("<b>AWS")));
}

TEST(Plan, LicenceTiersEndWhereTheyEnd) {
    const auto small = run("penumbra plan --reads 1k --writes 1k --data 100GB --target-type i3.2xlarge --racks 1");
    EXPECT_THAT(small.out, HasSubstr("Fits the free tier: 24 vCPU and 5.7 TB"));
    const auto large = run("penumbra plan --reads 100k --writes 50k --data 4TB --target-type i3.2xlarge");
    EXPECT_THAT(large.out, HasSubstr("Does not fit the free tier"));
    EXPECT_THAT(large.out, HasSubstr("The free tier ends at 5 nodes of i3.2xlarge"));
    const auto priced =
        run("penumbra plan --reads 100k --writes 50k --data 4TB --target-type i3.2xlarge --licence-per-vcpu 500");
    EXPECT_THAT(priced.out, HasSubstr("vCPU x $500 a year"));
}

TEST(Plan, WrongUsageIsSaidPlainly) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"--reads many", "--reads: `many` is no number or range"},
        {"--rf 0", "--rf: `0` is no number from 1 to 15"},
        {"--rf 2.5", "is no whole number"},
        {"--growth 2000%", "write a share of the whole"},
        {"--peak-factor 0.5", "a peak is at least the average"},
        {"--read-cl SOME", "is none of ONE"},
        {"--target-type z9.huge", "--target-type: z9.huge is not in"},
        {"--claim-cost 5", "is not two numbers"},
        {"--metrics /nonexistent --metrics /x --interval 1", "/nonexistent"},
        {"--format pdf", "--format"},
        {"--nonsense", "--nonsense"}};
    for (const auto& [options, expected] : cases) {
        const auto ran = run("penumbra plan " + options);
        EXPECT_NE(ran.status, 0) << options;
        EXPECT_EQ(ran.out, "") << options;
        EXPECT_THAT(ran.err, HasSubstr(expected)) << options;
    }
    const auto ran = run("penumbra plan --input -", "reeds: 20k\n");
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.err, HasSubstr("-:1:1: error: reeds: no such option"));
    EXPECT_THAT(ran.err, HasSubstr("did you mean `reads`?"));
}

TEST(Prices, AFileHasADateAndSources) {
    const auto problem = [](const std::string& text) {
        const auto result = parse_prices("p.yaml", text);
        return result ? std::string("fine") : result.error().what;
    };
    EXPECT_EQ(problem(std::string(builtin_prices())), "fine");
    EXPECT_THAT(problem("instances: []\n"), HasSubstr("date: required"));
    EXPECT_THAT(problem("date: x\nsources: [a]\ninstances: [{name: i, vcpu: 8, memory_gib: 61, on_demand: cheap}]\n"),
                HasSubstr("p.yaml:3:59: error: instances[0].on_demand: expected a number"));
    EXPECT_THAT(
        problem("date: x\nsources: [a]\ninstances: [{name: i, vcpu: 8, memory_gib: 61, on_demand: 1, ondemand: 2}]\n"),
        HasSubstr("did you mean `on_demand`?"));
    EXPECT_THAT(problem("date: x\nsources: [a]\ninstances: [{name: i, vcpu: 8, memory_gib: 61, on_demand: 1}, {name: "
                        "i, vcpu: 8, memory_gib: 61, on_demand: 1}]\n"),
                HasSubstr("stands twice"));
    EXPECT_THAT(problem("- 1\n"), HasSubstr("a price file is one map"));
}

TEST(Measured, ProxyMetrics) {
    const std::string a =
        "# HELP x\npenumbra_requests_total{kind=\"select\"} 1000\npenumbra_requests_total{kind=\"insert\"} 500\n";
    const std::string b =
        "penumbra_requests_total{kind=\"select\"} 61000\npenumbra_requests_total{kind=\"insert\"} 30500\n";
    auto load = load_from_metrics(a, b, 60).value();
    EXPECT_EQ(*load.reads, Range(1000));
    EXPECT_EQ(*load.writes, Range(500));
    load = load_from_metrics("penumbra_requests_total 0\npenumbra_shadow_writes_total 0\n",
                             "penumbra_requests_total 6000\npenumbra_shadow_writes_total 1800\n", 60)
               .value();
    EXPECT_EQ(*load.writes, Range(30));
    EXPECT_EQ(*load.reads, Range(70));
    load = load_from_metrics("penumbra_requests_total 0\n", "penumbra_requests_total 6000\n", 60).value();
    EXPECT_EQ(*load.requests, 100);
    EXPECT_FALSE(load_from_metrics(b, a, 60));
    EXPECT_FALSE(load_from_metrics("", "up 1\n", 60));
    EXPECT_FALSE(load_from_metrics(a, b, 0));
}

TEST(Measured, Nodetool) {
    const std::string node =
        "ID : x\nLoad                   : 512.5 GiB\nUptime (seconds)       : 1000\nKeyspace : system_auth\n\tRead "
        "Count: 5000000\nKeyspace : media\n\tRead Count: 2000000\n\tRead Latency: 0.1 ms.\n\tWrite Count: "
        "1000000\n\t\tTable: assets\n\t\tSpace used (live): 12345\n";
    const auto two = load_from_nodetool({node, node}).value();
    EXPECT_EQ(*two.replica_ops, 6000);
    EXPECT_NEAR(*two.data_on_disk, 2 * 512.5 * 1073741824, 1);
    const std::string status =
        "Datacenter: dc1\n--  Address   Load     Tokens\nUN  10.0.0.1  1.5 TiB  16  ?  x  r1\nUN  10.0.0.2  1.5 TiB  "
        "16  ?  y  r1\nDN  10.0.0.3  1 TiB  16 ? z r1\n";
    const auto all = load_from_nodetool({status, node}).value();
    EXPECT_EQ(all.nodes, 3);
    EXPECT_EQ(*all.replica_ops, 9000);  // one node's figures for three
    EXPECT_THAT(all.note, HasSubstr("1 of 3 nodes"));
    EXPECT_FALSE(load_from_nodetool({"hello"}));
    EXPECT_FALSE(load_from_nodetool({"Keyspace : a\n\tRead Count: 5\n"}));
}

}  // namespace
}  // namespace penumbra::kube
