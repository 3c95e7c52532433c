#include "sync/owed_picture.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/types/scalars.h"

namespace penumbra::sync {
namespace {

using cql::CellView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

cql::Schema shop() {
    cql::Schema schema;
    cql::Table table;
    table.keyspace = "shop";
    table.name = "Orders";
    const auto add = [&](std::string name, cql::TypeKind type, cql::ColumnKind kind, int position) {
        cql::ColumnDef column;
        column.name = std::move(name);
        column.type = cql::scalar(type);
        column.kind = kind;
        column.position = position;
        table.columns.push_back(std::move(column));
    };
    add("tenant", cql::TypeKind::text, cql::ColumnKind::partition_key, 0);
    add("id", cql::TypeKind::int_, cql::ColumnKind::partition_key, 1);
    add("note", cql::TypeKind::text, cql::ColumnKind::regular, -1);
    schema.add_table(table);
    return schema;
}

/// As an application sends it: frame version 4, at time 1000.
OwedStatement query(std::string_view text, std::span<const CellView> values, std::string keyspace = "shop") {
    OwedStatement owed;
    owed.keyspace = std::move(keyspace);
    cql::Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1000;
    cql::encode_query(owed.frame, {}, text, parameters);
    return owed;
}

OwedPicture picture(const Owed& owed, const cql::Schema* schema) {
    auto made = picture_of(owed, schema);
    EXPECT_TRUE(made) << made.error().what;
    return made ? std::move(made.value()) : OwedPicture();
}

TEST(OwedPicture, BoundValuesBecomeLiteralsOfTheirTypes) {
    const auto schema = shop();
    const auto id = cql::encode_int(7);
    const std::array<CellView, 3> values{bytes_of("it's"), BytesView(id), CellView::null()};
    const auto seen =
        picture(query("INSERT INTO \"Orders\" (tenant, id, note) VALUES (?, ?, ?) USING TTL 60", values), &schema);
    ASSERT_EQ(seen.statements.size(), 1u);
    EXPECT_EQ(
        seen.statements[0].cql,
        "INSERT INTO shop.\"Orders\" (tenant, id, note) VALUES ('it''s', 7, null) USING TTL 60 AND TIMESTAMP 1000");
    EXPECT_EQ(seen.statements[0].values[1].name, "id");
    EXPECT_EQ(seen.statements[0].values[1].text, "7");
    EXPECT_EQ(seen.timestamp, 1000);
}

TEST(OwedPicture, UpdatesAndDeletesCarryTheirTimeBehindTheTable) {
    const auto schema = shop();
    const auto id = cql::encode_int(7);
    const std::array<CellView, 2> values{bytes_of("a"), BytesView(id)};
    EXPECT_EQ(picture(query("DELETE FROM shop.\"Orders\" WHERE tenant = ? AND id = ?", values), &schema).script(),
              "DELETE FROM shop.\"Orders\" USING TIMESTAMP 1000 WHERE tenant = 'a' AND id = 7;\n");
    EXPECT_EQ(
        picture(query("UPDATE shop.\"Orders\" USING TIMESTAMP 5 SET note = 'x' WHERE tenant = ? AND id IN (?)", values),
                &schema)
            .script(),
        "UPDATE shop.\"Orders\" USING TIMESTAMP 5 SET note = 'x' WHERE tenant = 'a' AND id IN (7);\n");
}

TEST(OwedPicture, WhatHasNoTypeIsShownAndNotMadeUp) {
    const auto id = cql::encode_int(7);
    const std::array<CellView, 2> values{bytes_of("a"), BytesView(id)};
    const auto seen = picture(query("DELETE FROM nowhere WHERE tenant = ? AND id = ?", values), nullptr);
    EXPECT_THAT(seen.statements[0].cql, IsEmpty());
    EXPECT_EQ(seen.script(),
              "-- cannot be said in CQL: DELETE FROM nowhere WHERE tenant = ? AND id = ?\n"
              "--   tenant = 0x61\n--   id = 0x00000007\n");
    // A conditional statement said again would be another statement.
    const auto schema = shop();
    EXPECT_THAT(picture(query("DELETE FROM shop.\"Orders\" WHERE tenant = ? AND id = ? IF EXISTS", values), &schema)
                    .statements[0]
                    .cql,
                IsEmpty());
}

TEST(OwedPicture, PreparedChildrenOfABatchHaveTheirTexts) {
    const auto schema = shop();
    OwedStatement owed;
    owed.keyspace = "shop";
    const Bytes known(16, Byte{1});
    owed.prepared.push_back({known, "DELETE FROM \"Orders\" WHERE tenant = :t AND id = :i", "shop"});
    const auto id = cql::encode_int(7);
    const std::array<CellView, 2> values{bytes_of("a"), BytesView(id)};
    std::vector<cql::BatchStatement> children(2);
    children[0].id = known;
    children[0].values = values;
    children[1].query = "INSERT INTO \"Orders\" (tenant, id) VALUES ('b', 2)";
    cql::Parameters parameters;
    parameters.timestamp = 1000;
    cql::encode_batch(owed.frame, {}, cql::BatchType::logged, children, parameters);
    const auto seen = picture(owed, &schema);
    EXPECT_EQ(seen.script(),
              "DELETE FROM shop.\"Orders\" USING TIMESTAMP 1000 WHERE tenant = 'a' AND id = 7;\n"
              "INSERT INTO shop.\"Orders\" (tenant, id) VALUES ('b', 2) USING TIMESTAMP 1000;\n");
    owed.prepared.clear();
    EXPECT_FALSE(picture_of(Owed(owed), &schema)) << "its text was not kept";
}

TEST(OwedPicture, OrdersSayTheirPartition) {
    const auto schema = shop();
    const Bytes key{Byte{0}, Byte{1}, Byte{'a'}, Byte{0}, Byte{0}, Byte{4},
                    Byte{0}, Byte{0}, Byte{0},   Byte{7}, Byte{0}};
    EXPECT_EQ(picture(OwedResync{"shop", "Orders", key}, &schema).where(), "shop.Orders tenant=a, id=7");
    EXPECT_EQ(picture(OwedResync{"shop", "Orders", {}}, &schema).where(), "shop.Orders (all rows)");
    OwedResync range{"shop", "Orders", {}};
    range.range = TokenRange{cql::Token(-8), cql::Token(8)};
    EXPECT_EQ(picture(range, &schema).where(), "shop.Orders tokens (-8,8]");
    EXPECT_EQ(picture(OwedResync{"shop", "gone", {Byte{1}}}, &schema).where(), "shop.gone 0x01");
    EXPECT_EQ(picture(OwedResync{"shop", "Orders", {Byte{9}}}, &schema).where(), "shop.Orders 0x09");
    EXPECT_THAT(picture(OwedResync{"shop", "Orders", key}, &schema).script(), HasSubstr("a resync of shop.Orders"));
}

TEST(OwedPicture, OrdersOfRowsSayTheirWholeKey) {
    cql::Schema schema;
    cql::Table table;
    table.keyspace = "shop";
    table.name = "lines";
    const auto integer = cql::scalar(cql::TypeKind::int_);
    table.columns = {{"k", integer, cql::ColumnKind::partition_key, 0},
                     {"c", integer, cql::ColumnKind::clustering, 0},
                     {"d", cql::scalar(cql::TypeKind::text), cql::ColumnKind::clustering, 1}};
    schema.add_table(std::move(table));
    OwedResync row{"shop", "lines", cql::encode_int(7)};
    row.clustering = {cql::encode_int(8), cql::encode_text("x")};
    EXPECT_EQ(picture(row, &schema).where(), "shop.lines k=7, c=8, d=x");
    EXPECT_EQ(picture(row, nullptr).where(), "shop.lines 0x00000007, 0x00000008, 0x78");
}

}  // namespace
}  // namespace penumbra::sync
