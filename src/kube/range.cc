#include "kube/range.h"

#include <cmath>

#include <fmt/format.h>

#include "kube/quantity.h"

namespace penumbra::kube {

namespace {

std::string grouped(double value, int decimals) {
    auto text = fmt::format("{:.{}f}", std::abs(value), decimals);
    auto point = text.find('.');
    if (point == std::string::npos) point = text.size();
    for (auto at = static_cast<std::ptrdiff_t>(point) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return value < 0 && text.find_first_not_of("0.,") != std::string::npos ? "-" + text : text;
}

template <class F>
std::string both(Range range, F&& one) {
    const auto low = one(range.low), high = one(range.high);
    return low == high ? low : fmt::format("{} to {}", low, high);
}

}  // namespace

std::optional<Range> parse_range(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.starts_with('~')) {
        const auto value = parse_amount(text.substr(1));
        if (!value || *value < 0) return std::nullopt;
        return Range(*value / 2, *value * 2);
    }
    if (const auto dots = text.find(".."); dots != std::string_view::npos) {
        const auto low = parse_amount(text.substr(0, dots)), high = parse_amount(text.substr(dots + 2));
        if (!low || !high || *low < 0 || *high < *low) return std::nullopt;
        return Range(*low, *high);
    }
    auto sign = text.find("+-");
    std::size_t length = 2;
    if (sign == std::string_view::npos) sign = text.find("\u00b1");
    if (sign != std::string_view::npos) {
        const auto value = parse_amount(text.substr(0, sign));
        const auto rest = text.substr(sign + length);
        const auto spread = parse_amount(rest);
        if (!value || !spread || *value < 0 || *spread < 0) return std::nullopt;
        const double by = rest.ends_with('%') ? *value * *spread : *spread;
        return Range(std::max(0.0, *value - by), *value + by);
    }
    const auto value = parse_amount(text);
    if (!value || *value < 0) return std::nullopt;
    return Range(*value);
}

std::string dollars(double value) {
    const auto text = grouped(std::round(value), 0);
    return text.starts_with('-') ? "-$" + text.substr(1) : "$" + text;
}

std::string dollars(Range range) {
    return both(range, [](double v) { return dollars(v); });
}

std::string number(double value) {
    const bool whole = std::abs(value - std::round(value)) < 1e-9 || std::abs(value) >= 100;
    auto text = grouped(value, whole ? 0 : 2);
    if (text.find('.') != std::string::npos) {
        while (text.back() == '0') text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text;
}

std::string number(Range range) {
    return both(range, [](double v) { return number(v); });
}

std::string bytes(double value) {
    if (value >= 1e12) return number(std::round(value / 1e10) / 100) + " TB";
    if (value >= 1e9) return number(std::round(value / 1e8) / 10) + " GB";
    return number(std::round(value / 1e6)) + " MB";
}

std::string bytes(Range range) {
    return both(range, [](double v) { return bytes(v); });
}

std::string percent(Range range) {
    return both(range, [](double v) { return fmt::format("{:.0f} %", v * 100); });
}

}  // namespace penumbra::kube
