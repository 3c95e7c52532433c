#include "kube/yaml.h"

#include <random>

#include <gmock/gmock.h>

#include "kube/quantity.h"
#include "kube/tests/run.h"

namespace penumbra::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Document> read(const std::string& text, Diagnostics& out) {
    return read_yaml(text, out);
}

Node one(const std::string& text) {
    Diagnostics out("test.yaml");
    auto documents = read_yaml(text, out);
    EXPECT_EQ(out.errors(), 0u) << out.render(text);
    EXPECT_EQ(documents.size(), 1u);
    return documents.empty() ? Node() : documents[0].root;
}

std::string problem(const std::string& text) {
    Diagnostics out("test.yaml");
    (void)read_yaml(text, out);
    return out.render(text);
}

TEST(Yaml, KnowsWhereThingsStand) {
    const auto node = one("a:\n  b: 1\n  c:\n    - x\n    - y: z\n");
    EXPECT_EQ(node.at("a.b")->mark, (Mark{2, 6}));
    EXPECT_EQ(node.at("a.c[0]")->mark, (Mark{4, 7}));
    EXPECT_EQ(node.at("a.c[1].y")->text, "z");
    EXPECT_EQ(node.at("a.c[2]"), nullptr);
    EXPECT_EQ(node.at("a.b.c"), nullptr);
}

TEST(Yaml, ScalarsHaveTheTypesThatKubernetesSees) {
    const auto node = one("a: 1\nb: \"1\"\nc: yes\nd: 5.2\ne: 5.2.0\nf: ~\ng: 0x1F\nh: 1e3\ni: null\nj: 'no'\n");
    EXPECT_EQ(node.find("a")->scalar_type(), ScalarType::integer);
    EXPECT_EQ(node.find("b")->scalar_type(), ScalarType::string);
    EXPECT_EQ(node.find("c")->scalar_type(), ScalarType::boolean);
    EXPECT_EQ(node.find("d")->scalar_type(), ScalarType::number);
    EXPECT_EQ(node.find("e")->scalar_type(), ScalarType::string);
    EXPECT_EQ(node.find("f")->scalar_type(), ScalarType::null);
    EXPECT_EQ(node.find("g")->as_integer(), 31);
    EXPECT_EQ(node.find("h")->scalar_type(), ScalarType::number);
    EXPECT_TRUE(node.find("i")->is_null());
    EXPECT_EQ(node.find("j")->scalar_type(), ScalarType::string);
}

TEST(Yaml, CommentsStayWhereTheyBelong) {
    const std::string text =
        "# top\nkind: X # the kind\nspec:\n  # about a\n  a: 1\n  list:\n    # first\n    - one # trailing\n    # "
        "second\n    - name: two\n      # inner\n      value: 3\n  "
        "text: |\n    # no comment\n    line\n  quoted: \"a # b\"\n  url: http://x/#frag\n";
    const auto node = one(text);
    EXPECT_THAT(node.find("kind")->comments, ElementsAre("top"));
    EXPECT_EQ(node.find("kind")->trailing, "the kind");
    EXPECT_THAT(node.at("spec.a")->comments, ElementsAre("about a"));
    EXPECT_THAT(node.at("spec.list[0]")->comments, ElementsAre("first"));
    EXPECT_EQ(node.at("spec.list[0]")->trailing, "trailing");
    EXPECT_THAT(node.at("spec.list[1]")->comments, ElementsAre("second"));
    EXPECT_THAT(node.at("spec.list[1].value")->comments, ElementsAre("inner"));
    EXPECT_EQ(node.at("spec.text")->text, "# no comment\nline\n");
    EXPECT_EQ(write_yaml(node), text.substr(0, text.find("  quoted")) + "  quoted: \"a # b\"\n  url: http://x/#frag\n");
}

TEST(Yaml, SeveralDocumentsAndEmptyOnes) {
    Diagnostics out;
    const auto documents = read("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n...\n", out);
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(documents[1].root.find("b")->text, "2");
}

TEST(Yaml, RefusesWhatWouldBeReadTwoWays) {
    EXPECT_THAT(problem("a: 1\na: 2\n"),
                HasSubstr("test.yaml:2:1: error: the key 'a' stands twice in the same map, first in line 1"));
    EXPECT_THAT(problem("? [a, b]\n: 1\n"), HasSubstr("a key that is not text"));
    EXPECT_THAT(problem("base: &b {x: 1}\nc:\n  <<: *b\n"), HasSubstr("a merge key"));
    EXPECT_THAT(problem("\"a\\nb\": 1\n"), HasSubstr("a key of more than 500 characters, or with control characters"));
    EXPECT_THAT(problem("? " + std::string(501, 'k') + "\n: 1\n"), HasSubstr("a key of more than 500 characters"));
    EXPECT_THAT(problem("a: !thing 1\n"), HasSubstr("the tag '!thing' means nothing in a manifest"));
    EXPECT_THAT(problem("a: [1, 2\n"), HasSubstr("not valid YAML"));
    EXPECT_THAT(problem("a: *nowhere\n"), HasSubstr("error"));
    EXPECT_THAT(problem(std::string("a: \0b\n", 6)), HasSubstr("not UTF-8"));
    EXPECT_THAT(problem("a: \xff\xfe\n"), HasSubstr("not UTF-8"));
}

TEST(Yaml, GuardsAgainstBombs) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) bomb += (k ? ", *a" : "*a") + std::to_string(i - 1);
        bomb += "]\n";
    }
    EXPECT_THAT(problem(bomb), HasSubstr("values once aliases are expanded"));
    EXPECT_THAT(problem(std::string(5000, '[')), HasSubstr("error"));
    std::string deep;
    for (int i = 0; i < 80; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    EXPECT_THAT(problem(deep + std::string(80, ' ') + "b: 1\n"), HasSubstr("nested more than 64 deep"));
    EXPECT_THAT(problem("a: " + std::string(2 << 20, 'x')), HasSubstr("bytes, more than"));
    EXPECT_THAT(problem("a: &x [*x]\n"), HasSubstr("error"));
}

TEST(Yaml, AliasesAreExpanded) {
    const auto node = one("a: &x {k: 1}\nb: *x\n");
    EXPECT_TRUE(node.find("a")->same(*node.find("b")));
}

/// A random tree of what a manifest may hold, nasty texts included.
Node random_node(std::mt19937& random, int depth) {
    static const std::vector<std::string> texts{"plain",
                                                "",
                                                " lead",
                                                "trail ",
                                                "a: b",
                                                "a #b",
                                                "#c",
                                                "- x",
                                                "yes",
                                                "no",
                                                "null",
                                                "~",
                                                "1",
                                                "1.5",
                                                "0x1f",
                                                "1e3",
                                                "2001-01-01",
                                                "12:30:45",
                                                "multi\nline\n",
                                                "multi\nline",
                                                "multi\n\nline\n",
                                                "\n",
                                                "two\n\n",
                                                "tab\there",
                                                "quote\"s",
                                                "back\\slash",
                                                "*alias",
                                                "&anchor",
                                                "!tag",
                                                "%x",
                                                "@y",
                                                "`z",
                                                "{",
                                                "}",
                                                "[x",
                                                "x]",
                                                "a,b",
                                                "|",
                                                ">",
                                                "--- x",
                                                "...",
                                                "-",
                                                "?",
                                                ":",
                                                "x:",
                                                "\xc3\xa9\xe2\x82\xac",
                                                "<<",
                                                "=",
                                                "\x01",
                                                " \nx",
                                                "x \ny",
                                                "--flag",
                                                "-XX:+UseG1GC",
                                                "true",
                                                "on",
                                                "Infinity",
                                                ".inf",
                                                "+1",
                                                "-",
                                                "key with spaces",
                                                "'single'"};
    const int pick = std::uniform_int_distribution<int>(0, depth > 0 ? 9 : 5)(random);
    const auto any = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    switch (pick) {
        case 0:
            return Node::integer(static_cast<std::int64_t>(any(2000)) - 1000);
        case 1:
            return Node::boolean(any(2) == 0);
        case 2:
            return Node();
        case 3:
        case 4:
        case 5:
            return Node::string(texts[any(texts.size())]);
        case 6:
        case 7: {
            Node list = Node::list();
            for (std::size_t i = any(4); i > 0; --i) list.push(random_node(random, depth - 1));
            return list;
        }
        default: {
            Node map = Node::map();
            for (std::size_t i = any(5); i > 0; --i) {
                auto key = texts[any(texts.size())] + std::to_string(i);
                std::erase_if(key, [](char c) { return static_cast<unsigned char>(c) < 0x20; });  // the reader refuses
                map.set(key, random_node(random, depth - 1));
            }
            return map;
        }
    }
}

TEST(Yaml, WhatWeWriteReadsBackTheSame) {
    for (std::uint32_t seed = 0; seed < 3000; ++seed) {
        std::mt19937 random(seed);
        Node root = Node::map();
        root.set("root", random_node(random, 4));
        const auto text = write_yaml(root);
        Diagnostics out("test.yaml");
        const auto documents = read_yaml(text, out);
        ASSERT_EQ(out.errors(), 0u) << "seed " << seed << "\n" << out.render(text) << text;
        ASSERT_EQ(documents.size(), 1u) << "seed " << seed << "\n" << text;
        ASSERT_TRUE(documents[0].root.same(root)) << "seed " << seed << "\n"
                                                  << text << "\nread as\n"
                                                  << write_yaml(documents[0].root);
        EXPECT_EQ(write_yaml(documents[0].root), text) << "seed " << seed;
        // JSON is YAML: the other writer has to agree.
        Diagnostics json("test.json");
        const auto as_json = read_yaml(write_json(root), json);
        ASSERT_EQ(as_json.size(), 1u) << "seed " << seed << json.render(write_json(root));
        ASSERT_TRUE(as_json[0].root.same(root)) << "seed " << seed << "\n" << write_json(root);
    }
}

TEST(Quantity, ReadsWhatKubernetesWrites) {
    EXPECT_EQ(Quantity::parse("500m")->milli, 500);
    EXPECT_EQ(Quantity::parse("6")->milli, 6000);
    EXPECT_EQ(Quantity::parse("1.5")->milli, 1500);
    EXPECT_EQ(Quantity::parse("30Gi")->milli, 30ll * 1024 * 1024 * 1024 * 1000);
    EXPECT_EQ(Quantity::parse("10M")->milli, 10'000'000'000);
    EXPECT_EQ(Quantity::parse("2e3")->milli, 2'000'000);
    EXPECT_EQ(Quantity::parse("1u")->milli, 1);  // rounded up
    for (const auto* bad : {"", "30GB", "30gb", "Gi", "1.2.3", "1e", "e3", "--1", "1 Gi", "9E", "nan", "0x10"})
        EXPECT_FALSE(Quantity::parse(bad)) << bad;
    EXPECT_EQ(format_bytes(50ll << 30), "50Gi");
    EXPECT_EQ(format_bytes(1536ll << 20), "1536Mi");
    EXPECT_EQ(format_bytes(1000), "1000");
}

TEST(Diagnostics, NamesTheNearest) {
    const std::vector<std::string> names{"members", "storage", "resources", "agentResources", "serverType"};
    EXPECT_EQ(nearest_name("memebrs", names), "members");
    EXPECT_EQ(nearest_name("servertype", names), "serverType");
    EXPECT_EQ(nearest_name("resource", names), "resources");
    EXPECT_EQ(nearest_name("zzz", names), "");
    EXPECT_EQ(nearest_name(std::string(1000, 'a'), names), "");
}

}  // namespace
}  // namespace penumbra::kube
