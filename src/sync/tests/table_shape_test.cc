#include "sync/table_shape.h"

#include <gtest/gtest.h>

#include "cql/protocol/responses.h"
#include "cql/types/scalars.h"
#include "sync/tests/shapes.h"

namespace penumbra::sync {
namespace {

/// k int primary key, v int
ShapePtr plain() {
    const auto integer = cql::scalar(cql::TypeKind::int_);
    cql::Table table;
    table.keyspace = "ks";
    table.name = "t";
    table.columns = {test::column("k", integer, cql::ColumnKind::partition_key, 0),
                     test::column("v", integer, cql::ColumnKind::regular)};
    return TableShape::make(table, table, {}, "").value();
}

/// One row of columns of that name, each with that value.
cql::Rows answer(const std::vector<std::string>& names, const cql::Cell& value) {
    cql::RowsBuilder rows("ks", "t");
    for (const auto& name : names) {
        const auto is_time = name.starts_with("writetime");
        rows.add_column(name, cql::scalar(is_time ? cql::TypeKind::bigint : cql::TypeKind::int_));
    }
    for (std::size_t i = 0; i < names.size(); ++i)
        rows.add(names[i].starts_with("writetime") || !value ? cql::CellView::null()
                                                             : cql::CellView(BytesView(*value)));
    Bytes frame;
    cql::encode_rows(frame, {}, rows.view());
    return cql::Rows::from(cql::view_frame(frame, cql::Direction::response).value()).value();
}

Status decode(const cql::Rows& rows) {
    std::vector<RowItem> items;
    TableShape::Decoder decoder(plain(), ElementTimes::hidden);
    return decoder.page(rows, 0, items);
}

TEST(TableShapeDecoder, TakesWhatWasAskedFor) {
    EXPECT_TRUE(decode(answer({"k", "v", "writetime(v)", "ttl(v)"}, cql::encode_int(7))));
}

TEST(TableShapeDecoder, DoesNotBelieveANodeThatAnswersSomethingElse) {
    const auto fewer = decode(answer({"value"}, cql::encode_int(7)));
    ASSERT_FALSE(fewer);
    EXPECT_EQ(fewer.error().code, Errc::malformed);
    EXPECT_EQ(fewer.error().what, "ks.t: the node answered with 1 columns instead of the 4 asked for");
    const auto others = decode(answer({"v", "k", "writetime(v)", "ttl(v)"}, cql::encode_int(7)));
    ASSERT_FALSE(others);
    EXPECT_EQ(others.error().what, "ks.t: the node answered without column k");
    const auto keyless = decode(answer({"k", "v", "writetime(v)", "ttl(v)"}, std::nullopt));
    ASSERT_FALSE(keyless);
    EXPECT_EQ(keyless.error().what, "ks.t: the node answered with a row without a key");
}

}  // namespace
}  // namespace penumbra::sync
