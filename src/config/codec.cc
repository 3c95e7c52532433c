#include "config/codec.h"

#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace penumbra::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};
constexpr std::array kDurations{Unit{"ns", 1},
                                Unit{"us", 1'000},
                                Unit{"ms", 1'000'000},
                                Unit{"s", 1'000'000'000},
                                Unit{"m", 60'000'000'000},
                                Unit{"h", 3'600'000'000'000},
                                Unit{"d", 86'400'000'000'000}};
constexpr std::array kSizes{Unit{"B", 1}, Unit{"KiB", 1ull << 10}, Unit{"MiB", 1ull << 20}, Unit{"GiB", 1ull << 30},
                            Unit{"TiB", 1ull << 40}};
/// What people write out of habit; read, never written.
constexpr std::array kDecimalSizes{Unit{"kB", 1'000}, Unit{"KB", 1'000}, Unit{"MB", 1'000'000},
                                   Unit{"GB", 1'000'000'000}, Unit{"TB", 1'000'000'000'000}};

template <std::size_t N>
std::optional<std::uint64_t> factor_of(const std::array<Unit, N>& units, std::string_view name) {
    for (const auto& unit : units) {
        if (unit.name == name) return unit.factor;
    }
    return std::nullopt;
}

/// "1.5h" as 1.5 and "h". Negative numbers have no meaning for any unit here.
struct Quantity {
    double number = 0;
    std::string_view unit;
};
std::optional<Quantity> split(std::string_view text) {
    const auto digits = text.find_first_not_of("0123456789.");
    Quantity quantity;
    quantity.unit = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
    const auto number = text.substr(0, text.size() - quantity.unit.size());
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), quantity.number);
    if (error != std::errc() || end != number.data() + number.size() || number.empty()) return std::nullopt;
    return quantity;
}

/// Whole multiples only; and below 2^62, so that sums of two still fit.
std::optional<std::uint64_t> scaled(double number, std::uint64_t factor) {
    const double value = number * static_cast<double>(factor);
    if (!(value < 4.6e18) || std::abs(value - std::round(value)) > 1e-6) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(value));
}

template <std::size_t N>
std::string print_in(const std::array<Unit, N>& units, std::uint64_t value) {
    for (std::size_t i = units.size(); i-- > 0;) {
        if (value % units[i].factor == 0) return fmt::format("{}{}", value / units[i].factor, units[i].name);
    }
    return std::to_string(value);
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto quantity = split(text);
    if (quantity && quantity->number == 0 && quantity->unit.empty()) return std::chrono::nanoseconds(0);
    const auto factor = quantity ? factor_of(kDurations, quantity->unit) : std::nullopt;
    const auto value = factor ? scaled(quantity->number, *factor) : std::nullopt;
    if (!value) {
        return fail(
            Errc::invalid_argument,
            fmt::format("'{}' is not a duration; a number with ns, us, ms, s, m, h or d is wanted: 500ms, 2s", text));
    }
    return std::chrono::nanoseconds(*value);
}

std::string print_duration(std::chrono::nanoseconds duration) {
    if (duration.count() == 0) return "0s";
    return print_in(kDurations, static_cast<std::uint64_t>(duration.count()));
}

Result<Size> parse_size(std::string_view text) {
    const auto quantity = split(text);
    std::optional<std::uint64_t> factor;
    if (quantity) {
        factor = quantity->unit.empty() ? std::optional<std::uint64_t>(1) : factor_of(kSizes, quantity->unit);
        if (!factor) factor = factor_of(kDecimalSizes, quantity->unit);
    }
    const auto value = factor ? scaled(quantity->number, *factor) : std::nullopt;
    if (!value) {
        return fail(Errc::invalid_argument,
                    fmt::format("'{}' is not a size; a number with KiB, MiB, GiB or TiB is wanted: 64MiB", text));
    }
    return Size{*value};
}

std::string print_size(Size size) {
    return size.bytes == 0 ? "0B" : print_in(kSizes, size.bytes);
}

Result<bool> parse_bool(std::string_view text) {
    if (text == "on" || text == "true" || text == "yes") return true;
    if (text == "off" || text == "false" || text == "no") return false;
    return fail(Errc::invalid_argument, fmt::format("'{}' is neither on nor off", text));
}

Result<std::vector<std::string>> Codec<std::vector<std::string>>::parse(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = text.find(',');
        auto part = text.substr(0, comma);
        const auto first = part.find_first_not_of(' ');
        part = first == std::string_view::npos ? std::string_view{}
                                               : part.substr(first, part.find_last_not_of(' ') - first + 1);
        if (part.empty()) return fail(Errc::invalid_argument, "a list with an empty element");
        parts.emplace_back(part);
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
        if (text.empty()) return fail(Errc::invalid_argument, "a list with an empty element");
    }
    return parts;
}

std::string Codec<std::vector<std::string>>::print(const std::vector<std::string>& value) {
    return fmt::format("{}", fmt::join(value, ","));
}

}  // namespace penumbra::config
