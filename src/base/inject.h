#pragma once

#include <string_view>

namespace penumbra {

/// Named faults for tests: `if (INJECT("proxy.drop_shadow_write")) ...`. Builds with PENUMBRA_FAULTS (the debug and
/// tsan presets) read them from the environment, PENUMBRA_INJECT="name=N,other=1": every N-th pass is hit. In a release
/// build the condition is a constant false and the branch is gone.
#ifdef PENUMBRA_FAULTS
bool injected(std::string_view name);
#define INJECT(name) (::penumbra::injected(name))
#else
#define INJECT(name) (false)
#endif

}  // namespace penumbra
