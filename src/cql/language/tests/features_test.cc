// One statement per line for each thing that some release of Cassandra or ScyllaDB can say, with what routing needs of
// it.

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cql/language/parser.h"
#include "show.h"

namespace penumbra::cql {

namespace {

struct Feature {
    std::string kind, keyspace, table, complete, conditional;
    std::string key;  ///< what column k, the tenant here, has in the row; of a batch: in its first child's
    std::string text;
};

std::vector<Feature> features() {
    const char* root = std::getenv("PENUMBRA_SOURCE_DIR");
    std::ifstream in(std::string(root ? root : ".") + "/src/cql/language/tests/data/features.tsv");
    std::vector<Feature> out;
    for (std::string line; std::getline(in, line);) {
        auto& one = out.emplace_back();
        std::size_t at = 0;
        for (auto* field : {&one.kind, &one.keyspace, &one.table, &one.complete, &one.conditional, &one.key}) {
            const auto tab = line.find('\t', at);
            *field = line.substr(at, tab - at);
            at = tab + 1;
        }
        one.text = line.substr(at);
    }
    return out;
}

TEST(Features, every_statement_is_known_for_what_it_is) {
    const auto all = features();
    ASSERT_GE(all.size(), 190U);
    for (const auto& one : all) {
        const auto s = parse(one.text);
        SCOPED_TRACE(one.text + "\n  " + show(s));
        const Statement part = s.parts().empty() ? s : s.parts().front();
        EXPECT_EQ(to_string(s.kind), one.kind);
        EXPECT_EQ(part.table.keyspace, one.keyspace);
        EXPECT_EQ(part.table.name, one.table);
        EXPECT_EQ(s.complete ? "yes" : "no", one.complete);
        EXPECT_EQ(s.conditional() ? "yes" : "no", one.conditional);
        const auto* key = part.value_of("k");
        EXPECT_EQ(key ? show(*key) : "", one.key);
        if (s.kind == StatementKind::unknown) {
            EXPECT_EQ(s.access(), s.verb.empty() ? Access::read : Access::write);
        }
    }
}

}  // namespace

}  // namespace penumbra::cql
