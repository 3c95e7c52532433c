#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace penumbra::routing {

/// The two clusters of a migration, fixed for its lifetime.
enum class Side : std::uint8_t { source, target };
constexpr Side other(Side side) {
    return side == Side::source ? Side::target : Side::source;
}
std::string_view to_string(Side side);

/// Where a scope stands.
///
///     source_only ⇄ shadow_async ⇄ shadow_sync ⇄ target_primary → target_only
///          ↑______________________cancel_______________|
///
/// Reads and answers come from the primary; in the middle three a write goes to both clusters.
enum class Phase : std::uint8_t { source_only, shadow_async, shadow_sync, target_primary, target_only };
inline constexpr std::array kPhases{Phase::source_only, Phase::shadow_async, Phase::shadow_sync, Phase::target_primary,
                                    Phase::target_only};
std::string_view to_string(Phase phase);
Result<Phase> parse_phase(std::string_view name);

/// The cluster whose answer the client gets.
constexpr Side primary_of(Phase phase) {
    switch (phase) {
        case Phase::source_only:
        case Phase::shadow_async:
        case Phase::shadow_sync:
            return Side::source;
        case Phase::target_primary:
        case Phase::target_only:
            return Side::target;
    }
    return Side::source;
}

/// Whether the other cluster is kept in step.
constexpr bool is_shadowed(Phase phase) {
    switch (phase) {
        case Phase::source_only:
        case Phase::target_only:
            return false;
        case Phase::shadow_async:
        case Phase::shadow_sync:
        case Phase::target_primary:
            return true;
    }
    return false;
}

/// Whether a write waits for the shadow's answer (true) or only for the primary's and, if the shadow is late, the
/// journal.
constexpr bool waits_for_shadow(Phase phase) {
    return phase == Phase::shadow_sync || phase == Phase::target_primary;
}

/// One step along the line above; target_only is the end. Cancel is not a step: see can_cancel.
constexpr bool can_follow(Phase from, Phase to) {
    switch (from) {
        case Phase::source_only:
            return to == Phase::shadow_async;
        case Phase::shadow_async:
            return to == Phase::source_only || to == Phase::shadow_sync;
        case Phase::shadow_sync:
            return to == Phase::shadow_async || to == Phase::target_primary;
        case Phase::target_primary:
            return to == Phase::shadow_sync || to == Phase::target_only;
        case Phase::target_only:
            return false;
    }
    return false;
}
/// cancel: back to source_only from anywhere before target_only.
constexpr bool can_cancel(Phase from) {
    return from != Phase::target_only;
}
/// The step forward; nothing follows target_only.
std::optional<Phase> next(Phase phase);

}  // namespace penumbra::routing
