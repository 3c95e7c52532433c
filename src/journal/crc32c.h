#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace penumbra::journal {

/// CRC-32C (Castagnoli) of `bytes`, continued from the checksum of what stands before them. Uses the CPU's instruction
/// where there is one.
std::uint32_t crc32c(BytesView bytes, std::uint32_t before = 0);

/// The two ways to compute it, so that a test sees them agree.
std::uint32_t crc32c_by_table(BytesView bytes, std::uint32_t before = 0);
bool crc32c_has_hardware();
/// Only where crc32c_has_hardware().
std::uint32_t crc32c_by_hardware(BytesView bytes, std::uint32_t before = 0);

}  // namespace penumbra::journal
