#include <filesystem>

#include <gmock/gmock.h>
#include <unistd.h>

#include "kube/tests/run.h"
#include "kube/yaml.h"

namespace penumbra::kube {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConvertCommand, TheCassandraSampleIsInvalidAndSaysWhy) {
    const auto ran = run("penumbra convert @cassandra-dc1.yaml");
    EXPECT_EQ(ran.status, 1);
    EXPECT_EQ(ran.out, "");
    expect_golden("cassandra-dc1.errors.txt", ran.err);
    for (const auto* expected :
         {"cassandra-dc1.yaml:7:3: error: spec.serverType: required", "spec.storageConfig: required",
          ":11:5: error: spec.config.jvm-options: `jvm-options` is for Cassandra 3.11; this is 4.0"})
        EXPECT_THAT(ran.err, HasSubstr(expected));
}

TEST(ConvertCommand, TheScyllaSampleIsInvalidAndSaysWhy) {
    const auto ran = run("penumbra convert @scylla-cluster.yaml");
    EXPECT_EQ(ran.status, 1);
    expect_golden("scylla-cluster.errors.txt", ran.err);
    for (const auto* expected :
         {":10:3: error: spec.size: there is no field `size` in spec",
          ":11:3: error: spec.resources: there is no field `resources` in spec", "warning: spec.cpuset: deprecated"})
        EXPECT_THAT(ran.err, HasSubstr(expected));
}

TEST(ConvertCommand, FixRepairsTheSamples) {
    auto ran = run("penumbra convert --fix --check @cassandra-dc1.yaml --storage 1Ti");
    EXPECT_EQ(ran.status, 0) << ran.err;
    expect_golden("cassandra-dc1.fixed.yaml", ran.out);
    // What was repaired is valid without --fix.
    EXPECT_EQ(run("penumbra convert --check -", ran.out).status, 0);
    ran = run("penumbra convert --fix --check @scylla-cluster.yaml --racks a=us-east-1a,b=us-east-1b,c=us-east-1c");
    EXPECT_EQ(ran.status, 0) << ran.err;
    expect_golden("scylla-cluster.fixed.yaml", ran.out);
    EXPECT_EQ(run("penumbra convert --check -", ran.out).status, 0);
}

TEST(ConvertCommand, FixAndConvertTheSamples) {
    auto ran =
        run("penumbra convert --fix @cassandra-dc1.yaml --replicas 3 --racks a=us-east-1a,b=us-east-1b,c=us-east-1c "
            "--instance-type i3.2xlarge");
    EXPECT_EQ(ran.status, 0) << ran.err;
    expect_golden("cassandra-dc1.scylla.yaml", ran.out);
    expect_golden("cassandra-dc1.report.txt", ran.err);
    ran = run("penumbra convert --fix @scylla-cluster.yaml --storage-class gp3");
    EXPECT_EQ(ran.status, 0) << ran.err;
    expect_golden("scylla-cluster.cassandra.yaml", ran.out);
}

TEST(ConvertCommand, SaysWhatMadeItFromWhat) {
    const auto ran = run("penumbra convert --fix -q --name other @cassandra-dc1.yaml");
    EXPECT_THAT(ran.out, testing::StartsWith("# Made by `penumbra convert --fix -q --name other cassandra-dc1.yaml` "
                                             "from\n#   cassandra-dc1.yaml (447 bytes, crc32 a884bbf1)\n"));
    EXPECT_EQ(ran.out, run("penumbra convert --fix -q --name other @cassandra-dc1.yaml").out);
    EXPECT_THAT(ran.out, HasSubstr("# what a user starts from (as they wrote it, defects included)"));
}

TEST(ConvertCommand, ReadsStandardInputAndSeveralDocuments) {
    const auto one = run("penumbra convert --fix --check @cassandra-dc1.yaml").out;
    std::string two = one;
    two += "---\n" + std::string(one)
                         .replace(one.find("name: dc1"), 9, "name: dc2")
                         .replace(one.find("clusterName: iconik-cluster"), 27, "clusterName: iconik-second!");
    const auto ran = run("penumbra convert -", two);
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("standard input"));
    EXPECT_THAT(ran.out, HasSubstr("name: iconik-cluster\n"));
    EXPECT_THAT(ran.out, HasSubstr("name: iconik-second\n"));
    // One namespace for both.
    EXPECT_EQ(ran.out.find("kind: Namespace"), ran.out.rfind("kind: Namespace"));
}

TEST(ConvertCommand, NoCommentIsLost) {
    auto text = run("penumbra convert --fix --check @cassandra-dc1.yaml").out;
    text.replace(text.find("  size: 12"), 10, "  # our twelve apostles\n  size: 12 # since 2019");
    text.replace(text.find("      max_heap_size"), 0, "      # never touch this\n");
    text += "# the end\n";
    const auto ran = run("penumbra convert -", text);
    for (const auto* comment : {"our twelve apostles", "since 2019", "the end"})
        EXPECT_THAT(ran.out, HasSubstr(comment));
    EXPECT_THAT(ran.out + ran.err, HasSubstr("never touch this"));
}

TEST(ConvertCommand, ReportsInEveryForm) {
    const auto dir = std::filesystem::temp_directory_path() / ("penumbra-kube-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir);
    for (const auto* format : {"text", "markdown", "json"}) {
        const auto file = (dir / format).string();
        const auto ran = run("penumbra convert --fix @cassandra-dc1.yaml --report-format " + std::string(format) +
                             " --report " + file + " -o " + (dir / "out.yaml").string());
        EXPECT_EQ(ran.status, 0) << ran.err;
        EXPECT_EQ(ran.out, "");
        EXPECT_THAT(slurp(file), HasSubstr("spec.serverVersion"));
    }
    Diagnostics out;
    EXPECT_EQ(read_yaml(slurp((dir / "json").string()), out).size(), 1u);
    EXPECT_THAT(slurp((dir / "out.yaml").string()), HasSubstr("kind: ScyllaCluster"));
    std::filesystem::remove_all(dir);
}

TEST(ConvertCommand, ExitCodesMeanSomething) {
    EXPECT_EQ(run("penumbra convert --help").status, 0);
    EXPECT_THAT(run("penumbra convert --help").out, HasSubstr("kubectl get cassdc"));
    EXPECT_EQ(run("penumbra convert").status, 2);
    EXPECT_EQ(run("penumbra convert --nope x").status, 2);
    EXPECT_EQ(run("penumbra convert - --memory lots").status, 2);
    EXPECT_EQ(run("penumbra convert - --scylla-version new").status, 2);
    EXPECT_EQ(run("penumbra convert - --instance-type z9").status, 2);
    EXPECT_THAT(run("penumbra convert - --instance-type m5.2xlarge").err, HasSubstr("has no local NVMe"));
    EXPECT_EQ(run("penumbra convert - --racks a,a").status, 2);
    EXPECT_EQ(run("penumbra convert - --name Not_A_Name").status, 2);
    EXPECT_EQ(run("penumbra convert /nonexistent.yaml").status, 3);
    EXPECT_EQ(run("penumbra convert /tmp").status, 3);
    EXPECT_EQ(run("penumbra convert -", "a: [").status, 1);
    EXPECT_EQ(run("penumbra convert -", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n").status, 1);
    EXPECT_EQ(run("penumbra convert --fix --fail-on-decision @cassandra-dc1.yaml").status, 4);
    const auto ran = run("penumbra convert --fix @cassandra-dc1.yaml -o /nonexistent/x.yaml");
    EXPECT_EQ(ran.status, 3);
    EXPECT_THAT(ran.err, HasSubstr("/nonexistent/x.yaml"));
}

TEST(ConvertCommand, TheWayBackFindsTheUsersAgain) {
    const auto fixed = run("penumbra convert --fix --check @cassandra-dc1.yaml").out;
    const auto there =
        run("penumbra convert -q -",
            std::string(fixed).replace(fixed.find("  size: 12"), 10, "  size: 12\n  superuserSecretName: admin"));
    ASSERT_EQ(there.status, 0) << there.err;
    EXPECT_THAT(there.out, HasSubstr("kind: Job"));
    const auto back = run("penumbra convert -q -", there.out);
    ASSERT_EQ(back.status, 0) << back.err;
    EXPECT_THAT(back.out, HasSubstr("superuserSecretName: admin"));
    EXPECT_THAT(back.out, HasSubstr("size: 12"));
    EXPECT_THAT(back.out, Not(HasSubstr("kind: ScyllaCluster")));
}

TEST(Docs, ShowRealOutput) {
    // The pages quote the golden files, so that an output that changes makes its page change too.
    const auto convert = slurp(data_path("../../../../docs/kubernetes-convert.md"));
    const auto sizing = slurp(data_path("../../../../docs/sizing-and-cost.md"));
    for (const auto* golden : {"cassandra-dc1.errors.txt", "scylla-cluster.errors.txt", "cassandra-dc1.fixed.yaml",
                               "cassandra-dc1.report.txt"})
        EXPECT_THAT(convert, HasSubstr(slurp(data_path("golden/") + golden)));
    for (const auto* golden : {"plan-samples.txt", "plan-sized.txt"})
        EXPECT_THAT(sizing, HasSubstr(slurp(data_path("golden/") + golden)));
}

}  // namespace
}  // namespace penumbra::kube
