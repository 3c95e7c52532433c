#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace penumbra::kube {

/// A number that is known only to lie between two others. A sure one has both ends alike.
struct Range {
    double low = 0;
    double high = 0;

    constexpr Range() = default;
    constexpr Range(double value) : low(value), high(value) {}  // NOLINT: a number is a range of itself
    constexpr Range(double l, double h) : low(l), high(h) {}

    bool sure() const { return low == high; }
    double middle() const { return (low + high) / 2; }
    friend bool operator==(const Range&, const Range&) = default;
};

// All quantities here are positive, so ends meet ends.
inline Range operator+(Range a, Range b) {
    return {a.low + b.low, a.high + b.high};
}
inline Range operator-(Range a, Range b) {
    return {a.low - b.high, a.high - b.low};
}
inline Range operator*(Range a, Range b) {
    return {a.low * b.low, a.high * b.high};
}
inline Range operator/(Range a, Range b) {
    return {b.high > 0 ? a.low / b.high : 0, b.low > 0 ? a.high / b.low : 0};
}
inline Range larger(Range a, Range b) {
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
}

/// `30k`, `20k..40k`, `30k+-20%`, `1.2TB`, `~30k` (a guess: half to twice as much).
std::optional<Range> parse_range(std::string_view text);

// For people: 105120 -> "$105,120", 43750 -> "43,750", 1.9e12 -> "1.9 TB".
std::string dollars(double value);
std::string dollars(Range range);
std::string number(double value);
std::string number(Range range);
std::string bytes(double value);
std::string bytes(Range range);
std::string percent(Range range);

}  // namespace penumbra::kube
