#include "control/migration.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

namespace penumbra::control {

namespace {

template <class E, std::size_t N>
Result<E> parse(std::string_view text, const std::array<E, N>& all, std::string_view what) {
    for (const auto one : all) {
        if (to_string(one) == text) return one;
    }
    return fail(Errc::malformed, fmt::format("'{}' is no {}", text, what));
}

}  // namespace

std::string to_iso(WallMicros at) {
    const std::time_t seconds = at / 1'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                       parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string_view to_string(JobKind kind) {
    return kind == JobKind::copy ? "copy" : "verify";
}
Result<JobKind> parse_job_kind(std::string_view text) {
    return parse(text, std::array{JobKind::copy, JobKind::verify}, "kind of job");
}

std::string_view to_string(JobState state) {
    switch (state) {
        case JobState::running:
            return "running";
        case JobState::done:
            return "done";
        case JobState::failed:
            return "failed";
        case JobState::cancelled:
            return "cancelled";
    }
    return "unknown";
}
Result<JobState> parse_job_state(std::string_view text) {
    return parse(text, std::array{JobState::running, JobState::done, JobState::failed, JobState::cancelled},
                 "state of a job");
}

std::string_view to_string(CopyState state) {
    switch (state) {
        case CopyState::none:
            return "none";
        case CopyState::running:
            return "running";
        case CopyState::done:
            return "done";
        case CopyState::failed:
            return "failed";
    }
    return "unknown";
}
Result<CopyState> parse_copy_state(std::string_view text) {
    return parse(text, std::array{CopyState::none, CopyState::running, CopyState::done, CopyState::failed},
                 "state of a copy");
}

std::string_view to_string(VerifyState state) {
    switch (state) {
        case VerifyState::none:
            return "none";
        case VerifyState::running:
            return "running";
        case VerifyState::clean:
            return "clean";
        case VerifyState::differences:
            return "differences";
        case VerifyState::failed:
            return "failed";
    }
    return "unknown";
}
Result<VerifyState> parse_verify_state(std::string_view text) {
    return parse(text,
                 std::array{VerifyState::none, VerifyState::running, VerifyState::clean, VerifyState::differences,
                            VerifyState::failed},
                 "state of a verify");
}

}  // namespace penumbra::control
