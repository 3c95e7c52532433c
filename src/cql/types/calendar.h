#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cql/types/scalars.h"

/// Texts of dates, times and durations as the servers write and read them. Internal to types.
namespace penumbra::cql {

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day);
struct Civil {
    std::int64_t year;
    unsigned month;
    unsigned day;
};
Civil civil_from_days(std::int64_t days);

/// "2020-02-03T04:05:06.789Z"; only for years 1 to 9999, see has_timestamp_text().
std::string timestamp_text(std::int64_t millis);
bool has_timestamp_text(std::int64_t millis);
/// All formats of Cassandra's TimestampSerializer and ScyllaDB's timestamp_from_string but zone names other than UTC,
/// GMT and Z. No zone means UTC here (lacks_zone() tells). Milliseconds since 1970.
Result<std::int64_t> parse_timestamp(std::string_view text);

/// "2020-02-03" for the days of a date value, whose middle 2^31 is 1970-01-01; only for years 1 to 9999.
std::string date_text(std::uint32_t value);
bool has_date_text(std::uint32_t value);
Result<std::uint32_t> parse_date(std::string_view text);

/// "04:05:06.789000000" for nanoseconds within a day.
std::string time_text(std::int64_t nanos);
bool has_time_text(std::int64_t nanos);
Result<std::int64_t> parse_time(std::string_view text);

/// "1y2mo3d4h5m6s7ms8us9ns"
std::string duration_text(const Duration& duration);
bool has_duration_text(const Duration& duration);
Result<Duration> parse_duration(std::string_view text);

}  // namespace penumbra::cql
