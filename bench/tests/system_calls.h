#pragma once

#include <cstddef>

/// How often this thread has entered the kernel to read, write or wait so far.
std::size_t system_calls_so_far();
