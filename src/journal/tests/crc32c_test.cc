#include "journal/crc32c.h"

#include <random>

#include <gtest/gtest.h>

namespace penumbra::journal {
namespace {

TEST(Crc32c, KnownSums) {
    // RFC 3720, appendix B.4, and the check value of every CRC catalogue.
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8a9136aau);
    EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62a8ab43u);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, TableAndHardwareAgreeWherever) {
    if (!crc32c_has_hardware()) GTEST_SKIP() << "no SSE4.2 here";
    std::mt19937 random(7);
    Bytes bytes(4096 + 16);
    for (auto& b : bytes) b = static_cast<Byte>(random());
    for (std::size_t length = 0; length < 300; ++length) {
        for (std::size_t offset = 0; offset < 9; ++offset) {
            const auto view = BytesView(bytes).subspan(offset, length);
            ASSERT_EQ(crc32c_by_table(view), crc32c_by_hardware(view)) << length << " at " << offset;
        }
    }
    for (int i = 0; i < 200; ++i) {
        const auto view = BytesView(bytes).subspan(random() % 16, random() % 4096);
        const auto before = static_cast<std::uint32_t>(random());
        ASSERT_EQ(crc32c_by_table(view, before), crc32c_by_hardware(view, before));
    }
}

TEST(Crc32c, ContinuesAcrossPieces) {
    const auto all = bytes_of("the penumbra is where both lights still reach");
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c(all));
        EXPECT_EQ(crc32c_by_table(all.subspan(cut), crc32c_by_table(all.first(cut))), crc32c(all));
    }
}

}  // namespace
}  // namespace penumbra::journal
