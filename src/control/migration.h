#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/strong.h"
#include "routing/phase.h"
#include "routing/router.h"
#include "routing/scope.h"

namespace penumbra::control {

/// Microseconds since 1970-01-01 UTC, as everything that is stored.
using WallMicros = std::int64_t;
/// "2026-11-22T17:00:00Z".
std::string to_iso(WallMicros at);

using JobId = Strong<std::uint64_t, struct JobIdTag>;

enum class JobKind : std::uint8_t { copy, verify };
std::string_view to_string(JobKind kind);
Result<JobKind> parse_job_kind(std::string_view text);

enum class JobState : std::uint8_t { running, done, failed, cancelled };
std::string_view to_string(JobState state);
Result<JobState> parse_job_state(std::string_view text);

enum class CopyState : std::uint8_t { none, running, done, failed };
std::string_view to_string(CopyState state);
Result<CopyState> parse_copy_state(std::string_view text);

enum class VerifyState : std::uint8_t { none, running, clean, differences, failed };
std::string_view to_string(VerifyState state);
Result<VerifyState> parse_verify_state(std::string_view text);

/// Of the copy since shadowing began; a new shadowing starts with none.
struct CopyRecord {
    CopyState state = CopyState::none;
    std::uint64_t rows = 0;
    std::optional<WallMicros> finished_at;
    bool operator==(const CopyRecord&) const = default;
};

/// Of the last verify since shadowing began.
struct VerifyRecord {
    VerifyState state = VerifyState::none;
    std::uint64_t rows = 0;
    std::uint64_t differences = 0;
    std::optional<WallMicros> started_at;
    std::optional<WallMicros> finished_at;
    bool operator==(const VerifyRecord&) const = default;
};

struct LastSwitch {
    routing::Phase from = routing::Phase::source_only;
    routing::Phase to = routing::Phase::source_only;
    Nanos wait{0};
    std::uint64_t held_requests = 0;
    WallMicros at = 0;
    bool operator==(const LastSwitch&) const = default;
};

/// One migration: what is stored of it, and all that a restart needs.
struct Migration {
    routing::ScopeId id;
    std::string name;
    routing::Scope scope;
    routing::Phase phase = routing::Phase::source_only;
    routing::Epoch epoch{0};  ///< under which it came to this phase
    WallMicros created_at = 0;
    /// When its present shadowing began: every request since then runs on both clusters. None while it is not shadowed.
    std::optional<WallMicros> shadow_since;
    CopyRecord copy;
    VerifyRecord verify;
    std::optional<LastSwitch> last_switch;
};

/// What a cell gets for a write time where the cluster does not tell (see sync::Pair): one second before shadowing
/// began. Clients' writes since then carry later timestamps and win, whatever the copy writes after them; the second is
/// room for writes whose timestamp was taken by a client whose clock runs behind ours.
constexpr WallMicros kUnknownTimestampMargin = 1'000'000;
inline WallMicros unknown_timestamp(const Migration& migration) {
    return migration.shadow_since.value_or(0) - kUnknownTimestampMargin;
}

}  // namespace penumbra::control
