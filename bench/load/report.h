#pragma once

#include <string>

#include "load/generator.h"
#include "load/options.h"

namespace penumbra::bench {

/// One line for humans, and further ones for what went wrong.
std::string to_text(const LoadOptions& options, const Measured& measured);
/// One JSON object; bench/README.md lists its members.
std::string to_json(const LoadOptions& options, const Measured& measured);

}  // namespace penumbra::bench
