#include "cql/language/named_slots.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "cql/language/parser.h"

namespace penumbra::cql {

namespace {

using Ordinals = std::vector<std::uint32_t>;

TEST(NamedSlots, are_alike_where_nothing_is_named_twice) {
    for (const std::string_view text : {"UPDATE t SET v = ?, w = ? WHERE k = ?", "UPDATE t SET v = :a WHERE k = :b",
                                        "SELECT v FROM t WHERE k = 1", "UPDATE t SET v = :a WHERE k = :\"A\""}) {
        const NamedSlots slots(parse(text));
        EXPECT_TRUE(slots.are_alike()) << text;
        EXPECT_EQ(slots.by_name(), slots.by_occurrence());
    }
}

TEST(NamedSlots, one_value_per_name_or_per_occurrence) {
    const auto s = parse("UPDATE t SET v = :x, w = :y, z = :x WHERE k = :k");
    const NamedSlots slots(s);
    EXPECT_EQ(slots.by_occurrence(), 4U);
    EXPECT_EQ(slots.by_name(), 3U);
    EXPECT_TRUE(std::ranges::equal(slots.slots(), Ordinals{0, 1, 0, 2}));
}

TEST(NamedSlots, the_tenant_is_found_either_way) {
    const NamedSlots slots(parse("UPDATE t SET v = :x, w = :x WHERE k = :k"));
    EXPECT_EQ(slots.position(2, 3), 2U);
    EXPECT_EQ(slots.position(2, 2), 1U);
    EXPECT_EQ(slots.position(1, 2), 0U);
    EXPECT_EQ(slots.position(2, 1), std::nullopt);
    EXPECT_EQ(slots.position(3, 3), std::nullopt);
}

TEST(NamedSlots, names_are_those_of_the_whole_batch) {
    const NamedSlots slots(
        parse("BEGIN BATCH INSERT INTO t (k, v) VALUES (:k, :v); INSERT INTO u (k, v) VALUES (:k, :w) "
              "APPLY BATCH"));
    EXPECT_EQ(slots.by_name(), 3U);
    EXPECT_TRUE(std::ranges::equal(slots.slots(), Ordinals{0, 1, 0, 2}));
}

TEST(NamedSlots, case_counts_only_in_quotes) {
    EXPECT_EQ(NamedSlots(parse("UPDATE t SET v = :Name WHERE k = :name")).by_name(), 1U);
    EXPECT_EQ(NamedSlots(parse("UPDATE t SET v = :\"Name\" WHERE k = :name")).by_name(), 2U);
}

}  // namespace

}  // namespace penumbra::cql
