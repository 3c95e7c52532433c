#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "config/setting.h"

namespace penumbra::config {
namespace {

using namespace std::chrono_literals;
using namespace literals;
using testing::HasSubstr;

struct Example {
    Registry registry;
    Setting<std::vector<std::string>> source{registry, "source", "Contact points.", {}, {.required = true}};
    Setting<std::string> tenant_column{registry, "tenant-column", "Column of the tenant.", "system_domain_id"};
    Setting<Millis> hold{registry, "hold-timeout", "Longest hold.", 2s, {.min = 10ms, .max = 60s}};
    Setting<Size> quota{registry, "journal.quota", "Bytes on disk.", 8_GiB};
    Setting<unsigned> shards{registry, "shards", "Threads.", 0, {.max = 256}};
    Setting<bool> strict{registry, "strict", "Whether.", false};
    Setting<std::string> level{registry, "log-level", "How much.", "info", {.choices = {"info", "debug"}}};
};

std::string why(const Status& status) {
    return status ? "" : status.error().what;
}

TEST(Codec, DurationsHaveUnits) {
    EXPECT_EQ(parse_duration("500ms").value(), 500ms);
    EXPECT_EQ(parse_duration("1.5h").value(), 90min);
    EXPECT_EQ(parse_duration("0").value(), 0ns);
    EXPECT_THAT(parse_duration("500").error().what, HasSubstr("500ms, 2s"));
    for (const auto* wrong : {"", "ms", "-1s", "1 s", "1e3s", "1x", "99999999999d", "0.1ns", "1..2s"})
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    for (const auto* same : {"0s", "1ns", "1500ms", "2s", "90m", "36h", "2d"})
        EXPECT_EQ(print_duration(parse_duration(same).value()), same);
    EXPECT_EQ(Codec<Millis>::parse("2s").value(), 2000ms);
    EXPECT_THAT(Codec<Millis>::parse("1us").error().what, HasSubstr("counts in 1ms"));
}

TEST(Codec, SizesHaveUnits) {
    EXPECT_EQ(parse_size("64MiB").value(), 64_MiB);
    EXPECT_EQ(parse_size("1kB").value().bytes, 1000u);
    EXPECT_EQ(parse_size("12").value().bytes, 12u);
    EXPECT_EQ(print_size(64_MiB), "64MiB");
    EXPECT_EQ(print_size({1500}), "1500B");
    for (const auto* wrong : {"", "MiB", "-1", "1mib", "0.3B"}) EXPECT_FALSE(parse_size(wrong)) << wrong;
}

TEST(Registry, FlagsWinOverTheFile) {
    Example example;
    const auto path = testing::TempDir() + "penumbra.yaml";
    std::ofstream(path) << "source: [10.0.0.1:9042, 10.0.0.2]\nhold-timeout: 1s\njournal:\n  quota: 1GiB\nstrict: on\n";
    ASSERT_EQ(why(example.registry.load({"--config", path, "--hold-timeout=3s", "--shards", "4"})), "");
    EXPECT_THAT(example.source(), testing::ElementsAre("10.0.0.1:9042", "10.0.0.2"));
    EXPECT_EQ(example.hold(), 3s);
    EXPECT_EQ(example.hold.origin(), "--hold-timeout");
    EXPECT_EQ(example.quota(), 1_GiB);
    EXPECT_EQ(example.quota.origin(), path + ":4");
    EXPECT_EQ(example.shards(), 4u);
    EXPECT_TRUE(example.strict());
    EXPECT_EQ(example.tenant_column(), "system_domain_id");
}

TEST(Registry, MistakesAreNamedWithTheirRemedy) {
    const auto flags = [](std::vector<std::string> given) {
        Example example;
        return why(example.registry.load(given));
    };
    EXPECT_THAT(flags({"--sorce", "x"}), HasSubstr("unknown flag --sorce; did you mean --source?"));
    EXPECT_THAT(flags({"--tenant_column", "x"}), HasSubstr("did you mean --tenant-column?"));
    EXPECT_THAT(flags({"--zzzzzzzzz", "x"}), HasSubstr("--help"));
    EXPECT_THAT(flags({"source"}), HasSubstr("'source' is not a flag"));
    EXPECT_THAT(flags({"--source"}), HasSubstr("--source wants a value: --source A,B,..."));
    EXPECT_THAT(flags({"--source", "--shards", "1"}), HasSubstr("--source wants a value"));
    EXPECT_THAT(flags({"--source=a", "--hold-timeout", "5ms"}),
                HasSubstr("--hold-timeout: '5ms' is out of range: at least 10ms, at most 1m"));
    EXPECT_THAT(flags({"--source=a", "--shards", "-1"}), HasSubstr("--shards: '-1' is not a whole number"));
    EXPECT_THAT(flags({"--source=a", "--log-level", "loud"}), HasSubstr("one of info, debug"));
    EXPECT_THAT(flags({"--source=a,,b"}), HasSubstr("empty element"));
    EXPECT_THAT(flags({"--shards", "1"}), HasSubstr("missing: --source A,B,..."));
    EXPECT_THAT(flags({"--config", "/nonexistent/p.yaml"}), HasSubstr("cannot read /nonexistent/p.yaml: No such file"));
}

TEST(Registry, MistakesInTheFileNameTheLine) {
    const auto yaml = [](std::string_view text) {
        Example example;
        return why(example.registry.read_yaml(text, "p.yaml"));
    };
    EXPECT_EQ(yaml(""), "");
    EXPECT_EQ(yaml("shards: 2\n"), "");
    EXPECT_THAT(yaml("shards: 2\nsorce: a\n"), HasSubstr("p.yaml:2: unknown setting 'sorce'; did you mean 'source'?"));
    EXPECT_THAT(yaml("journal:\n  qouta: 1GiB\n"),
                HasSubstr("p.yaml:2: unknown setting 'journal.qouta'; did you mean 'journal.quota'?"));
    EXPECT_THAT(yaml("shards: 2\nshards: 3\n"), HasSubstr("p.yaml:2: 'shards' stands on line 1 already"));
    EXPECT_THAT(yaml("hold-timeout: 5\n"), HasSubstr("p.yaml:1: hold-timeout: '5' is not a duration"));
    EXPECT_THAT(yaml("shards:\n"), HasSubstr("p.yaml:1: 'shards' has no value"));
    EXPECT_THAT(yaml("- a\n"), HasSubstr("lines of `name: value`"));
    EXPECT_THAT(yaml("a: [1\nb: }\n"), HasSubstr("not YAML"));
    EXPECT_THAT(yaml("source: [{a: 1}]\n"), HasSubstr("list of plain values"));
    EXPECT_THAT(yaml("? [a]\n: b\n"), HasSubstr("p.yaml:1: a name is wanted"));
}

TEST(Registry, HelpSaysEverything) {
    Example example;
    const auto help = example.registry.help(80);
    EXPECT_THAT(help, HasSubstr("--hold-timeout DURATION"));
    EXPECT_THAT(help, HasSubstr("[default 2s; at least"));
    EXPECT_THAT(help, HasSubstr("[required]"));
    std::size_t start = 0;
    while (start < help.size()) {
        const auto end = help.find('\n', start);
        EXPECT_LE(end - start, 80u) << help.substr(start, end - start);
        start = end + 1;
    }
}

TEST(EditDistance, Counts) {
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("same", "same"), 0u);
}

}  // namespace
}  // namespace penumbra::config
