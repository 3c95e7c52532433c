#include "kube/command.h"
namespace penumbra::kube {
int run_plan(std::span<const std::string_view>, std::istream&, std::ostream&, std::ostream&) { return 2; }
}  // namespace penumbra::kube
