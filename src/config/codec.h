#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penumbra::config {

/// A number of bytes, written with its unit: 64MiB.
struct Size {
    std::uint64_t bytes = 0;
    constexpr auto operator<=>(const Size&) const = default;
};
namespace literals {
constexpr Size operator""_KiB(unsigned long long n) {
    return {n << 10};
}
constexpr Size operator""_MiB(unsigned long long n) {
    return {n << 20};
}
constexpr Size operator""_GiB(unsigned long long n) {
    return {n << 30};
}
}  // namespace literals

/// How a setting of type T is read and written, and what --help calls its value. Specialise it beside a type that
/// should be a setting:
///     static constexpr std::string_view kKind;
///     static Result<T> parse(std::string_view text);
///     static std::string print(const T& value);
template <class T>
struct Codec;

/// "500ms", "2s", "1.5h"; a bare 0 needs no unit. Fails on what is no whole number of nanoseconds.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// In the largest unit that says it exactly.
std::string print_duration(std::chrono::nanoseconds duration);
/// "64MiB", "1GB", "4096" (bytes).
Result<Size> parse_size(std::string_view text);
std::string print_size(Size size);
Result<bool> parse_bool(std::string_view text);

template <>
struct Codec<bool> {
    static constexpr std::string_view kKind = "on|off";
    static Result<bool> parse(std::string_view text) { return parse_bool(text); }
    static std::string print(bool value) { return value ? "on" : "off"; }
};

template <>
struct Codec<std::string> {
    static constexpr std::string_view kKind = "TEXT";
    static Result<std::string> parse(std::string_view text) { return std::string(text); }
    static std::string print(const std::string& value) { return value; }
};

template <>
struct Codec<std::filesystem::path> {
    static constexpr std::string_view kKind = "PATH";
    static Result<std::filesystem::path> parse(std::string_view text) { return std::filesystem::path(text); }
    static std::string print(const std::filesystem::path& value) { return value.string(); }
};

template <>
struct Codec<std::vector<std::string>> {
    static constexpr std::string_view kKind = "A,B,...";
    static Result<std::vector<std::string>> parse(std::string_view text);
    static std::string print(const std::vector<std::string>& value);
};

template <>
struct Codec<Size> {
    static constexpr std::string_view kKind = "SIZE";
    static Result<Size> parse(std::string_view text) { return parse_size(text); }
    static std::string print(Size value) { return print_size(value); }
};

template <std::integral T>
    requires(!std::same_as<T, bool>)
struct Codec<T> {
    static constexpr std::string_view kKind = "N";
    static Result<T> parse(std::string_view text) {
        T value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) {
            return fail(Errc::invalid_argument, "'" + std::string(text) + "' is not a whole number that fits here");
        }
        return value;
    }
    static std::string print(T value) { return std::to_string(value); }
};

template <class Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>> {
    using T = std::chrono::duration<Rep, Period>;
    static constexpr std::string_view kKind = "DURATION";
    static Result<T> parse(std::string_view text) {
        TRY(const auto nanos, parse_duration(text));
        const auto value = std::chrono::duration_cast<T>(nanos);
        if (value != nanos) {
            return fail(Errc::invalid_argument,
                        "'" + std::string(text) + "' is finer than this setting, which counts in " + print(T(1)));
        }
        return value;
    }
    static std::string print(T value) { return print_duration(value); }
};

}  // namespace penumbra::config
