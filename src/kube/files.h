#pragma once

#include <iosfwd>
#include <string>

#include "base/result.h"

namespace penumbra::kube {

/// The text of a file, or of `in` for `-`. Files beyond `kLargestFile` are refused: nothing that we read is that large.
Result<std::string> read_file(const std::string& path, std::istream& in);
/// Writes a file whole, through a temporary one beside it, so that a reader never sees half of it.
Status write_file(const std::string& path, const std::string& text);

inline constexpr std::size_t kLargestFile = 64u << 20;

}  // namespace penumbra::kube
