#pragma once

#include <cstdint>
#include <filesystem>

namespace penumbra::control::testing {

/// What a disk has kept of what was not synced when the power went.
enum class Keeps : std::uint8_t {
    nothing,     ///< only what was synced
    everything,  ///< the process was killed, and the machine lives
    some,        ///< any sector of it, and any name
};

/// From now on every write, sync, truncation and deletion of this process in `directory` is counted, also those of
/// libraries: the functions of the C library are ours in this program. In front of call number `at` the power goes: the
/// directory becomes what the disk would have, and the process ends with kPowerWent. For a forked child.
void cut_power(const std::filesystem::path& directory, std::uint64_t at, Keeps keeps, std::uint64_t seed);
constexpr int kPowerWent = 43;

}  // namespace penumbra::control::testing
