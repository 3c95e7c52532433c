#pragma once

#include <cstddef>

/// Calls of operator new on this thread so far: for the decoders that promise to make none.
std::size_t allocations_so_far();
