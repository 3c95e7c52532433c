#include "sync/owed_lookup.h"

#include <gtest/gtest.h>

#include "cql/types/scalars.h"
#include "cql/types/token.h"

namespace penumbra::sync {
namespace {

TEST(OwedLookup, WhichOrdersHaveRowsInCommon) {
    const auto key = cql::encode_int(7);
    const OwedResync partition{"ks", "t", key}, other_partition{"ks", "t", cql::encode_int(8)}, table{"ks", "t", {}},
        other_table{"ks", "u", {}};
    OwedResync row = partition, other_row = partition, serial = partition, around = table, elsewhere = table;
    row.clustering = {cql::encode_int(1)};
    other_row.clustering = {cql::encode_int(2)};
    serial.serial = cql::Consistency::serial;
    around.range = TokenRange::of(cql::murmur3_token(key));
    elsewhere.range = TokenRange::of(cql::murmur3_token(other_partition.partition_key));
    for (const auto& one : {partition, row, other_row, serial, table, around}) {
        EXPECT_TRUE(have_common_rows(one, row));
        EXPECT_TRUE(have_common_rows(row, one));
    }
    for (const auto& one : {other_partition, other_table, elsewhere}) {
        EXPECT_FALSE(have_common_rows(one, row));
        EXPECT_FALSE(have_common_rows(row, one));
    }
    EXPECT_TRUE(have_common_rows(around, table));
    EXPECT_FALSE(have_common_rows(around, elsewhere));
}

}  // namespace
}  // namespace penumbra::sync
