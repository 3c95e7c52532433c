#pragma once

#include <iosfwd>
#include <span>
#include <string_view>

namespace penumbra::kube {

/// What the process ends with.
enum class Exit : int {
    ok = 0,
    invalid = 1,    ///< the manifests or inputs are wrong, or cannot be converted; what and where is on standard error
    usage = 2,      ///< the command line is wrong
    io = 3,         ///< a file could not be read or written
    undecided = 4,  ///< --fail-on-decision, and something needs one
};

/// `penumbra convert ARGS`: manifests to the output, diagnostics and report to `err`. `in` is what `-` reads.
int run_convert(std::span<const std::string_view> args, std::istream& in, std::ostream& out, std::ostream& err);

/// `penumbra plan ARGS`: nodes, instance types and money, as a table, JSON or a page of HTML.
int run_plan(std::span<const std::string_view> args, std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace penumbra::kube
