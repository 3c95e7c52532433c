#include "routing/phase.h"

#include <fmt/format.h>

namespace penumbra::routing {

std::string_view to_string(Side side) {
    return side == Side::source ? "source" : "target";
}

std::string_view to_string(Phase phase) {
    switch (phase) {
        case Phase::source_only:
            return "source_only";
        case Phase::shadow_async:
            return "shadow_async";
        case Phase::shadow_sync:
            return "shadow_sync";
        case Phase::target_primary:
            return "target_primary";
        case Phase::target_only:
            return "target_only";
    }
    return "unknown";
}

Result<Phase> parse_phase(std::string_view name) {
    for (const auto phase : kPhases) {
        if (to_string(phase) == name) return phase;
    }
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "'{}' is not a phase; there are source_only, shadow_async, shadow_sync, target_primary and target_only",
            name));
}

std::optional<Phase> next(Phase phase) {
    if (phase == Phase::target_only) return std::nullopt;
    return static_cast<Phase>(static_cast<std::uint8_t>(phase) + 1);
}

}  // namespace penumbra::routing
