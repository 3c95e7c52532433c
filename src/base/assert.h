#pragma once

namespace penumbra {

/// States what our own code guarantees; never for input. Stays on in release: a broken invariant in a write path is
/// worth less than a restart, which the journal survives.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace penumbra

#define ASSERT(expression) \
    (__builtin_expect(!!(expression), 1) ? void(0) : ::penumbra::assertion_failed(#expression, __FILE__, __LINE__))
