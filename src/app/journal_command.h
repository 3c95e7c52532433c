#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace penumbra::app {

/// `penumbra journal …` on a state directory, with or without a process that has it: status, verify and dump read and
/// change nothing. `args` is what follows `journal`. The exit status: 0, 1 for damage, 2 for wrong usage.
int run_journal(const std::vector<std::string>& args, std::ostream& out, std::ostream& err);

/// Whether these are for run_journal(): `status` without --state asks a running server instead.
bool is_offline(const std::vector<std::string>& args);
bool wants_help(const std::vector<std::string>& args);

}  // namespace penumbra::app
