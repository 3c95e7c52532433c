#include "journal/crc32c.h"

#include <array>
#include <cstring>

namespace penumbra::journal {

namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, bits reversed

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b] is what byte b does to the sum when k more bytes follow it: eight bytes per step without a dependency
// between their look-ups.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t sum = b;
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? kPolynomial : 0);
        tables[0][b] = sum;
    }
    for (std::size_t k = 1; k < tables.size(); ++k) {
        for (std::uint32_t b = 0; b < 256; ++b) {
            const auto shorter = tables[k - 1][b];
            tables[k][b] = (shorter >> 8) ^ tables[0][shorter & 0xff];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32c_by_table(BytesView bytes, std::uint32_t before) {
    std::uint32_t sum = ~before;
    const Byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        sum = kTables[7][(sum ^ at[0]) & 0xff] ^ kTables[6][((sum >> 8) ^ at[1]) & 0xff] ^
              kTables[5][((sum >> 16) ^ at[2]) & 0xff] ^ kTables[4][((sum >> 24) ^ at[3]) & 0xff] ^ kTables[3][at[4]] ^
              kTables[2][at[5]] ^ kTables[1][at[6]] ^ kTables[0][at[7]];
    }
    for (; left > 0; --left, ++at) sum = (sum >> 8) ^ kTables[0][(sum ^ *at) & 0xff];
    return ~sum;
}

#if defined(__x86_64__)

bool crc32c_has_hardware() {
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_hardware(BytesView bytes, std::uint32_t before) {
    std::uint64_t sum = static_cast<std::uint32_t>(~before);
    const Byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; left -= 8, at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    auto narrow = static_cast<std::uint32_t>(sum);
    for (; left > 0; --left, ++at) narrow = __builtin_ia32_crc32qi(narrow, *at);
    return ~narrow;
}

#else

bool crc32c_has_hardware() {
    return false;
}

std::uint32_t crc32c_by_hardware(BytesView bytes, std::uint32_t before) {
    return crc32c_by_table(bytes, before);
}

#endif

std::uint32_t crc32c(BytesView bytes, std::uint32_t before) {
    static const bool hardware = crc32c_has_hardware();
    return hardware ? crc32c_by_hardware(bytes, before) : crc32c_by_table(bytes, before);
}

}  // namespace penumbra::journal
