#include "cql/protocol/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace penumbra::cql {
namespace {

constexpr std::array<std::uint32_t, 256> kCrc24Table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte << 16;
        for (int bit = 0; bit < 8; ++bit) {
            crc <<= 1;
            if (crc & 0x1000000) crc ^= 0x1974F0B;
        }
        table[byte] = crc;
    }
    return table;
}();

constexpr int kLanes = 16;

/// kCrc32Tables[n][b]: what byte b does to the sum when n bytes come behind it, so that kLanes bytes go in one step.
constexpr std::array<std::array<std::uint32_t, 256>, kLanes> kCrc32Tables = [] {
    std::array<std::array<std::uint32_t, 256>, kLanes> tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
        tables[0][byte] = crc;
    }
    for (int lane = 1; lane < kLanes; ++lane) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const auto before = tables[lane - 1][byte];
            tables[lane][byte] = before >> 8 ^ tables[0][before & 0xFF];
        }
    }
    return tables;
}();

constexpr std::uint32_t crc32_byte(std::uint32_t crc, Byte byte) {
    return crc >> 8 ^ kCrc32Tables[0][(crc ^ byte) & 0xFF];
}

constexpr std::uint32_t kSeeded = [] {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const Byte byte : {0xFA, 0x2D, 0x55, 0xCA}) crc = crc32_byte(crc, byte);
    return crc;
}();

std::uint32_t load_le32(const Byte* at) {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
    return value;
}

}  // namespace

std::uint32_t segment_crc24(BytesView header) {
    std::uint32_t crc = 0x875060;
    for (const Byte byte : header) crc = (crc << 8 & 0xFFFFFF) ^ kCrc24Table[(crc >> 16 ^ byte) & 0xFF];
    return crc;
}

std::uint32_t segment_crc32(BytesView payload) {
    const auto& t = kCrc32Tables;
    std::uint32_t crc = kSeeded;
    const Byte* at = payload.data();
    std::size_t left = payload.size();
    for (; left >= kLanes; at += kLanes, left -= kLanes) {
        const auto a = load_le32(at) ^ crc;
        const auto b = load_le32(at + 4);
        const auto c = load_le32(at + 8);
        const auto d = load_le32(at + 12);
        crc = t[15][a & 0xFF] ^ t[14][a >> 8 & 0xFF] ^ t[13][a >> 16 & 0xFF] ^ t[12][a >> 24] ^ t[11][b & 0xFF] ^
              t[10][b >> 8 & 0xFF] ^ t[9][b >> 16 & 0xFF] ^ t[8][b >> 24] ^ t[7][c & 0xFF] ^ t[6][c >> 8 & 0xFF] ^
              t[5][c >> 16 & 0xFF] ^ t[4][c >> 24] ^ t[3][d & 0xFF] ^ t[2][d >> 8 & 0xFF] ^ t[1][d >> 16 & 0xFF] ^
              t[0][d >> 24];
    }
    for (; left > 0; ++at, --left) crc = crc32_byte(crc, *at);
    return ~crc;
}

}  // namespace penumbra::cql
