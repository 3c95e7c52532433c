#include "cql/types/calendar.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

constexpr std::int64_t kMillisPerDay = 86'400'000;
constexpr std::int64_t kNanosPerDay = 86'400'000'000'000;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    return a / b - (a % b < 0 ? 1 : 0);
}

unsigned days_in_month(std::int64_t year, unsigned month) {
    static constexpr std::array<unsigned, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : kDays[month - 1];
}

/// Takes pieces off the front of a text.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    bool done() const { return text_.empty(); }
    char peek() const { return text_.empty() ? '\0' : text_[0]; }
    bool take(char c) {
        if (peek() != c || text_.empty()) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_any(std::string_view any) {
        if (text_.empty() || any.find(text_[0]) == std::string_view::npos) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_word(std::string_view word) {
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    /// At least so many digits, whatever number they are; false leaves the text alone.
    bool digits(std::size_t least) {
        const auto n = count_digits();
        if (n < least) return false;
        text_.remove_prefix(n);
        return true;
    }
    /// `least` to `most` digits; false leaves the text alone.
    bool number(std::size_t least, std::size_t most, std::int64_t& value) {
        const auto n = count_digits();
        if (n < least || n > most) return false;
        if (std::from_chars(text_.data(), text_.data() + n, value).ec != std::errc()) return false;
        last_digits_ = n;
        text_.remove_prefix(n);
        return true;
    }
    std::size_t last_digits() const { return last_digits_; }
    std::string_view rest() const { return text_; }

  private:
    std::size_t count_digits() const {
        std::size_t n = 0;
        while (n < text_.size() && text_[n] >= '0' && text_[n] <= '9') ++n;
        return n;
    }

    std::string_view text_;
    std::size_t last_digits_ = 0;
};

auto refuse(std::string_view what, std::string_view text) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no {}", text.substr(0, 100), what));
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A fraction of `most` digits at most, scaled to nanoseconds.
bool fraction(Scanner& in, std::int64_t& nanos) {
    if (!in.number(1, 9, nanos)) return false;
    for (auto digits = in.last_digits(); digits < 9; ++digits) nanos *= 10;
    return true;
}

}  // namespace

// Howard Hinnant's days_from_civil: eras of 400 years that start in March.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = floor_div(year, 400);
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year =
        (153 * (static_cast<std::int64_t>(month) + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

Civil civil_from_days(std::int64_t days) {
    days += 719'468;
    const std::int64_t era = floor_div(days, 146'097);
    const std::int64_t day_of_era = days - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t month = (5 * day_of_year + 2) / 153;
    const auto day = static_cast<unsigned>(day_of_year - (153 * month + 2) / 5 + 1);
    const auto calendar_month = static_cast<unsigned>(month < 10 ? month + 3 : month - 9);
    return {year_of_era + era * 400 + (calendar_month <= 2 ? 1 : 0), calendar_month, day};
}

bool has_timestamp_text(std::int64_t millis) {
    return millis >= days_from_civil(1, 1, 1) * kMillisPerDay && millis < days_from_civil(10'000, 1, 1) * kMillisPerDay;
}

std::string timestamp_text(std::int64_t millis) {
    const std::int64_t days = floor_div(millis, kMillisPerDay);
    const std::int64_t rest = millis - days * kMillisPerDay;
    const auto civil = civil_from_days(days);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", civil.year, civil.month, civil.day,
                       rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

Result<std::int64_t> parse_timestamp(std::string_view text) {
    const auto refused = [&] { return refuse("timestamp", text); };
    if (is_integer(text)) {
        std::int64_t millis = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), millis).ec != std::errc()) return refused();
        return millis;
    }
    Scanner in(text);
    std::int64_t year = 0;
    std::int64_t month = 0;
    std::int64_t day = 0;
    // Four digits, or more behind a sign.
    const bool minus = in.take('-');
    const bool plus = !minus && in.take('+');
    if (!in.number(plus ? 5 : 4, minus || plus ? 9 : 4, year) || !in.take('-') || !in.number(1, 2, month) ||
        !in.take('-') || !in.number(1, 2, day)) {
        return refused();
    }
    std::int64_t hour = 0;
    std::int64_t minute = 0;
    std::int64_t second = 0;
    std::int64_t nanos = 0;
    const auto before_space = in;
    if (in.take_any("Tt ")) {
        if (in.number(1, 2, hour)) {
            if (!in.take(':') || !in.number(1, 2, minute)) return refused();
            if (in.take(':') && !in.number(1, 2, second)) return refused();
            if (in.take('.') && in.peek() >= '0' && in.peek() <= '9' && !fraction(in, nanos))
                return refused();  // `06.` is fine
        } else if (before_space.peek() != ' ') {
            return refused();
        } else {
            in = before_space;  // the space stands before a zone
        }
    }
    std::int64_t offset_minutes = 0;
    if (in.take(' ') && in.done()) return refused();
    if (in.peek() == '+' || in.peek() == '-') {
        const std::int64_t sign = in.take('-') ? -1 : 1;
        in.take('+');
        std::int64_t hours = 0;
        std::int64_t minutes = 0;
        if (in.number(4, 4, hours)) {
            minutes = hours % 100;
            hours /= 100;
        } else {
            if (!in.number(2, 2, hours)) return refused();
            if (in.take(':') && !in.number(2, 2, minutes)) return refused();
        }
        if (hours > 18 || minutes > 59) return refused();
        offset_minutes = sign * (hours * 60 + minutes);
    } else if (!in.done()) {
        if (!in.take_word("Z") && !in.take_word("z") && !in.take_word("UTC") && !in.take_word("GMT")) {
            return fail(Errc::unsupported, fmt::format("the zone of timestamp '{}' is none of Z, UTC, GMT or an offset",
                                                       text.substr(0, 100)));
        }
    }
    if (!in.done() || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 59)
        return refused();
    if (hour == 24 && (minute != 0 || second != 0 || nanos != 0)) return refused();
    if (minus) year = -year;
    // Cassandra's formatter resolves 2019-02-29 to the last day of that month; only for timestamps, not for dates.
    day = std::min<std::int64_t>(day, days_in_month(year, static_cast<unsigned>(month)));
    const std::int64_t seconds =
        days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86'400 + hour * 3600 +
        (minute - offset_minutes) * 60 + second;
    std::int64_t millis = 0;
    if (__builtin_mul_overflow(seconds, std::int64_t{1000}, &millis)) return refused();
    return millis + nanos / 1'000'000;  // seconds were whole, so the product leaves room for the fraction
}

bool lacks_zone(std::string_view timestamp) {
    // Wider than what any one server takes: days, hours and fractions of any length, blanks at the end (ScyllaDB).
    Scanner in(timestamp);
    if (!in.take('-')) in.take('+');
    if (!in.digits(4) || !in.take('-') || !in.digits(1) || !in.take('-') || !in.digits(1)) return false;
    const auto date = in;
    if (in.take_any("Tt ") && in.digits(1)) {
        if (!in.take(':') || !in.digits(1)) return false;
        if (in.take(':') && !in.digits(1)) return false;
        if (in.take('.')) in.digits(1);
    } else {
        in = date;
    }
    while (in.take(' ')) {
    }
    return in.done();
}

bool has_date_text(std::uint32_t value) {
    const std::int64_t days = static_cast<std::int64_t>(value) - (std::int64_t{1} << 31);
    return days >= days_from_civil(1, 1, 1) && days < days_from_civil(10'000, 1, 1);
}

std::string date_text(std::uint32_t value) {
    const auto civil = civil_from_days(static_cast<std::int64_t>(value) - (std::int64_t{1} << 31));
    return fmt::format("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
}

Result<std::uint32_t> parse_date(std::string_view text) {
    std::int64_t days = 0;
    if (is_integer(text)) {
        if (std::from_chars(text.data(), text.data() + text.size(), days).ec != std::errc())
            return refuse("date", text);
    } else {
        Scanner in(text);
        const bool minus = in.take('-');
        const bool plus = !minus && in.take('+');
        std::int64_t year = 0;
        std::int64_t month = 0;
        std::int64_t day = 0;
        if (!in.number(plus ? 5 : 4, minus || plus ? 9 : 4, year) || !in.take('-') || !in.number(1, 2, month) ||
            !in.take('-') || !in.number(1, 2, day) || !in.done()) {
            return refuse("date", text);
        }
        if (minus) year = -year;
        if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, static_cast<unsigned>(month)))
            return refuse("date", text);
        days =
            days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) + (std::int64_t{1} << 31);
    }
    if (days < 0 || days > UINT32_MAX) return refuse("date", text);
    return static_cast<std::uint32_t>(days);
}

bool has_time_text(std::int64_t nanos) {
    return nanos >= 0 && nanos < kNanosPerDay;
}

std::string time_text(std::int64_t nanos) {
    const std::int64_t seconds = nanos / 1'000'000'000;
    return fmt::format("{:02}:{:02}:{:02}.{:09}", seconds / 3600, seconds / 60 % 60, seconds % 60,
                       nanos % 1'000'000'000);
}

Result<std::int64_t> parse_time(std::string_view text) {
    std::int64_t nanos = 0;
    if (is_integer(text)) {
        if (std::from_chars(text.data(), text.data() + text.size(), nanos).ec != std::errc() || !has_time_text(nanos)) {
            return refuse("time", text);
        }
        return nanos;
    }
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    Scanner in(text);
    std::int64_t hour = 0;
    std::int64_t minute = 0;
    std::int64_t second = 0;
    if (!in.number(1, 2, hour) || !in.take(':') || !in.number(1, 2, minute) || !in.take(':') ||
        !in.number(1, 2, second) || (in.take('.') && !fraction(in, nanos)) || !in.done() || hour > 23 || minute > 59 ||
        second > 59) {
        return refuse("time", text);
    }
    return (hour * 3600 + minute * 60 + second) * 1'000'000'000 + nanos;
}

namespace {

struct DurationUnit {
    std::string_view name;
    enum class Part : std::uint8_t { months, days, nanos } part;
    std::int64_t factor;
    int order;  ///< units come in this order, each once
};

using Part = DurationUnit::Part;
constexpr std::array kDurationUnits{
    DurationUnit{"y", Part::months, 12, 0},
    DurationUnit{"mo", Part::months, 1, 1},
    DurationUnit{"w", Part::days, 7, 2},
    DurationUnit{"d", Part::days, 1, 3},
    DurationUnit{"h", Part::nanos, 3'600'000'000'000, 4},
    DurationUnit{"ms", Part::nanos, 1'000'000, 7},
    DurationUnit{"m", Part::nanos, 60'000'000'000, 5},
    DurationUnit{"s", Part::nanos, 1'000'000'000, 6},
    DurationUnit{"us", Part::nanos, 1000, 8},
    DurationUnit{"µs", Part::nanos, 1000, 8},
    DurationUnit{"ns", Part::nanos, 1, 9},
};

/// Adds up the positive parts of a duration, each within its bound.
struct DurationSum {
    std::int64_t months = 0;
    std::int64_t days = 0;
    std::int64_t nanos = 0;

    bool add(Part part, std::int64_t value, std::int64_t factor) {
        std::int64_t product = 0;
        if (__builtin_mul_overflow(value, factor, &product)) return false;
        std::int64_t& sum = part == Part::months ? months : part == Part::days ? days : nanos;
        const std::int64_t most = part == Part::nanos ? INT64_MAX : INT32_MAX;
        return !__builtin_add_overflow(sum, product, &sum) && sum <= most;
    }
};

bool parse_standard_duration(Scanner in, DurationSum& sum) {
    int last = -1;
    if (in.done()) return false;
    while (!in.done()) {
        std::int64_t value = 0;
        if (!in.number(1, 19, value)) return false;
        const DurationUnit* unit = nullptr;
        for (const auto& candidate : kDurationUnits) {
            // Letters in any case, as everywhere in CQL.
            const auto text = in.rest().substr(0, candidate.name.size());
            const bool same = text.size() == candidate.name.size() &&
                              std::equal(text.begin(), text.end(), candidate.name.begin(), [](char a, char b) {
                                  return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
                              });
            if (same && (unit == nullptr || candidate.name.size() > unit->name.size())) unit = &candidate;
        }
        if (unit == nullptr || unit->order <= last || !sum.add(unit->part, value, unit->factor)) return false;
        last = unit->order;
        for (std::size_t i = 0; i < unit->name.size(); ++i) in.take(in.peek());
    }
    return true;
}

/// P1Y2M3DT4H5M6S, P7W and P0001-02-03T04:05:06, behind the P.
bool parse_iso_duration(Scanner in, DurationSum& sum) {
    std::int64_t value = 0;
    if (in.rest().ends_with('W')) {
        return in.number(1, 19, value) && in.take('W') && in.done() && sum.add(Part::days, value, 7);
    }
    if (in.rest().find('-') != std::string_view::npos) {
        std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
        return in.number(4, 4, year) && in.take('-') && in.number(2, 2, month) && in.take('-') &&
               in.number(2, 2, day) && in.take('T') && in.number(2, 2, hour) && in.take(':') &&
               in.number(2, 2, minute) && in.take(':') && in.number(2, 2, second) && in.done() &&
               sum.add(Part::months, year, 12) && sum.add(Part::months, month, 1) && sum.add(Part::days, day, 1) &&
               sum.add(Part::nanos, hour * 3600 + minute * 60 + second, 1'000'000'000);
    }
    struct Designator {
        char letter;
        Part part;
        std::int64_t factor;
    };
    static constexpr std::array kDates{Designator{'Y', Part::months, 12}, Designator{'M', Part::months, 1},
                                       Designator{'D', Part::days, 1}};
    static constexpr std::array kTimes{Designator{'H', Part::nanos, 3'600'000'000'000},
                                       Designator{'M', Part::nanos, 60'000'000'000},
                                       Designator{'S', Part::nanos, 1'000'000'000}};
    const auto parts = [&](const auto& designators) {
        std::size_t next = 0;
        while (!in.done() && in.peek() != 'T') {
            if (!in.number(1, 19, value)) return false;
            while (next < designators.size() && designators[next].letter != in.peek()) ++next;
            if (next == designators.size() || !sum.add(designators[next].part, value, designators[next].factor))
                return false;
            in.take(in.peek());
            ++next;
        }
        return true;
    };
    if (!parts(kDates)) return false;
    return !in.take('T') || (parts(kTimes) && in.done());
}

}  // namespace

bool has_duration_text(const Duration& duration) {
    // The texts hold magnitudes, and the smallest numbers have none.
    return duration.months != INT32_MIN && duration.days != INT32_MIN && duration.nanos != INT64_MIN;
}

std::string duration_text(const Duration& duration) {
    if (duration == Duration{}) return "0s";
    const bool negative = duration.months < 0 || duration.days < 0 || duration.nanos < 0;
    const std::int64_t sign = negative ? -1 : 1;
    std::string out = negative ? "-" : "";
    const auto add = [&](std::int64_t& left, std::int64_t factor, std::string_view unit) {
        if (left >= factor) out += fmt::format("{}{}", left / factor, unit);
        left %= factor;
    };
    std::int64_t months = sign * duration.months;
    add(months, 12, "y");
    add(months, 1, "mo");
    std::int64_t days = sign * duration.days;
    add(days, 1, "d");
    std::int64_t nanos = sign * duration.nanos;
    add(nanos, 3'600'000'000'000, "h");
    add(nanos, 60'000'000'000, "m");
    add(nanos, 1'000'000'000, "s");
    add(nanos, 1'000'000, "ms");
    add(nanos, 1000, "us");
    add(nanos, 1, "ns");
    return out;
}

Result<Duration> parse_duration(std::string_view text) {
    Scanner in(text);
    const bool negative = in.take('-');
    DurationSum sum;
    const bool good = in.take('P') ? parse_iso_duration(in, sum) : parse_standard_duration(in, sum);
    if (!good) return refuse("duration", text);
    const std::int64_t sign = negative ? -1 : 1;
    return Duration{static_cast<std::int32_t>(sign * sum.months), static_cast<std::int32_t>(sign * sum.days),
                    sign * sum.nanos};
}

}  // namespace penumbra::cql
