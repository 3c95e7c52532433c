#include "sync/schema_check.h"

#include <gtest/gtest.h>

#include "cluster/cluster.h"
#include "cluster/tests/support/lying_server.h"

namespace penumbra::sync {
namespace {

using cluster::testing::as_rows;
using cluster::testing::SchemaRows;

cql::SchemaPtr schema_of(const SchemaRows& rows) {
    return cluster::build_schema(as_rows(rows.keyspace_rows()), as_rows(rows.table_rows()), as_rows(rows.column_rows()),
                                 as_rows(rows.type_rows()), as_rows(rows.view_rows()))
        .value();
}

routing::Scope everything_of_app() {
    routing::Scope scope;
    scope.allow = {routing::TablePattern::parse("app.*").value()};
    return scope;
}

std::vector<std::string> check(const SchemaRows& from, const SchemaRows& to) {
    return check_schema(*schema_of(from), *schema_of(to), everything_of_app(), "tenant");
}

TEST(SchemaCheck, ColumnsThatOnlyOneClusterHas) {
    const auto same = cluster::testing::sample_schema();
    auto more = same;
    more.columns.push_back({"app", "settings", "extra", "regular", "int", -1, "none"});
    EXPECT_TRUE(check(same, same).empty());
    EXPECT_EQ(check(more, same), std::vector<std::string>{"app.settings has no column extra"});
    EXPECT_EQ(check(same, more),
              std::vector<std::string>{"app.settings has a column extra that is not on the other cluster"});
}

TEST(SchemaCheck, ATableOutsideTheScopeMayDiffer) {
    const auto same = cluster::testing::sample_schema();
    auto more = same;
    more.columns.push_back({"other", "rows", "extra", "regular", "int", -1, "none"});
    EXPECT_TRUE(check(same, more).empty());
}

}  // namespace
}  // namespace penumbra::sync
