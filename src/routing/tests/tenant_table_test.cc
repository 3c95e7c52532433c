#include "routing/tenant_table.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace penumbra::routing {
namespace {

Bytes some_key(std::mt19937_64& random) {
    // Mostly uuids that differ in few bits, as those counted up do, and keys of every other length.
    Bytes key(random() % 3 != 0 ? 16 : random() % 40);
    for (auto& byte : key) byte = static_cast<Byte>(random() % 4 == 0 ? random() % 8 : 0);
    return key;
}

TEST(TenantTable, FindsWhatWasPutLastAndNothingElse) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        TenantTable table;
        std::map<Bytes, ScopeId> expected;
        EXPECT_TRUE(table.empty());
        for (std::uint32_t i = 0; i < 2'000; ++i) {
            const auto key = some_key(random);
            table.put(key, {ScopeId(i), Phase::shadow_sync});
            expected[key] = ScopeId(i);
            const auto other = some_key(random);
            const auto* found = table.find(other);
            const auto known = expected.find(other);
            ASSERT_EQ(found != nullptr, known != expected.end());
            if (found) {
                EXPECT_EQ(found->scope, known->second);
            }
        }
        for (const auto& [key, scope] : expected) {
            ASSERT_NE(table.find(key), nullptr);
            EXPECT_EQ(table.find(key)->scope, scope);
            EXPECT_EQ(table.find(key)->phase, Phase::shadow_sync);
        }
        EXPECT_FALSE(table.empty());
    }
}

TEST(TenantTable, OfNobodyFindsNobody) {
    const TenantTable table;
    EXPECT_EQ(table.find(Bytes(16, 1)), nullptr);
    EXPECT_EQ(table.find({}), nullptr);
}

}  // namespace
}  // namespace penumbra::routing
