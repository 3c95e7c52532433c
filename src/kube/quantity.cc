#include "kube/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

struct Suffix {
    std::string_view text;
    double factor;
};

constexpr double kKi = 1024.0;
constexpr std::array kSuffixes{Suffix{"", 1.0},
                               Suffix{"n", 1e-9},
                               Suffix{"u", 1e-6},
                               Suffix{"m", 1e-3},
                               Suffix{"k", 1e3},
                               Suffix{"M", 1e6},
                               Suffix{"G", 1e9},
                               Suffix{"T", 1e12},
                               Suffix{"P", 1e15},
                               Suffix{"E", 1e18},
                               Suffix{"Ki", kKi},
                               Suffix{"Mi", kKi* kKi},
                               Suffix{"Gi", kKi* kKi* kKi},
                               Suffix{"Ti", kKi* kKi* kKi* kKi},
                               Suffix{"Pi", kKi* kKi* kKi* kKi* kKi},
                               Suffix{"Ei", kKi* kKi* kKi* kKi* kKi* kKi}};

bool number_shape(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    std::size_t digits = 0, dots = 0;
    for (const char c : text) {
        if (c == '.') {
            ++dots;
        } else if (c >= '0' && c <= '9') {
            ++digits;
        } else {
            return false;
        }
    }
    return digits > 0 && dots <= 1;
}

std::optional<double> to_double(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<Quantity> Quantity::parse(std::string_view text) {
    constexpr std::size_t kLongest = 64;
    if (text.empty() || text.size() > kLongest) return std::nullopt;
    const auto split = text.find_first_not_of("+-.0123456789");
    const auto digits = text.substr(0, split);
    const auto tail = split == std::string_view::npos ? std::string_view() : text.substr(split);
    if (!number_shape(digits)) return std::nullopt;
    std::optional<double> factor;
    for (const auto& suffix : kSuffixes) {
        if (tail == suffix.text) factor = suffix.factor;
    }
    if (!factor && (tail.starts_with('e') || tail.starts_with('E')) && tail.size() > 1 && tail.size() < 5) {
        int exponent = 0;
        auto power = tail.substr(1);
        if (power.starts_with('+')) power.remove_prefix(1);
        const auto result = std::from_chars(power.data(), power.data() + power.size(), exponent);
        if (result.ec == std::errc() && result.ptr == power.data() + power.size()) factor = std::pow(10.0, exponent);
    }
    const auto number = to_double(digits);
    if (!factor || !number) return std::nullopt;
    // Whole numbers with a binary suffix stay exact: doubles hold 2^53, and a quantity beyond 8 PiB is refused anyway.
    const double milli = std::ceil(*number * *factor * 1000 - 1e-6);
    if (!(std::abs(milli) < 9.2e18)) return std::nullopt;
    return Quantity{static_cast<std::int64_t>(milli)};
}

std::string format_bytes(std::int64_t bytes) {
    static constexpr std::array<std::pair<std::string_view, int>, 4> units{
        {{"Ti", 40}, {"Gi", 30}, {"Mi", 20}, {"Ki", 10}}};
    for (const auto& [suffix, shift] : units) {
        const auto size = std::int64_t(1) << shift;
        if (bytes >= size && bytes % size == 0) return fmt::format("{}{}", bytes / size, suffix);
    }
    return fmt::format("{}", bytes);
}

std::optional<double> parse_amount(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    const auto split = text.find_first_not_of("+-.0123456789");
    auto digits = text.substr(0, split);
    auto tail = split == std::string_view::npos ? std::string_view() : text.substr(split);
    while (tail.starts_with(' ')) tail.remove_prefix(1);
    if (!number_shape(digits)) return std::nullopt;
    const auto number = to_double(digits);
    if (!number) return std::nullopt;
    if (tail.ends_with('B')) tail.remove_suffix(1);
    if (tail == "K") tail = "k";
    if (tail == "%") return *number / 100;
    for (const auto& suffix : kSuffixes) {
        if (tail == suffix.text && suffix.factor >= 1) return *number * suffix.factor;
    }
    return std::nullopt;
}

}  // namespace penumbra::kube
