#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/codec.h"
#include "config/registry.h"

namespace penumbra::config {

template <class T>
struct Limits {
    std::optional<T> min;
    std::optional<T> max;
    /// Must be given by flag or file; the default only shows what one looks like.
    bool required = false;
    /// Listings show that it is set, not to what.
    bool secret = false;
    /// Only these, where there are any.
    std::vector<T> choices;
};

/// One setting, declared in the module that reads it:
///
///     struct Settings {
///         explicit Settings(config::Registry& registry) : hold_timeout{registry, "hold-timeout", "Longest ...", 2s,
///         {.max = 60s}} {} config::Setting<Millis> hold_timeout;
///     };
///
/// Registers itself for --help, the file and listings, and must outlive the registry's use. Set before threads start,
/// read by any of them afterwards.
template <class T>
class Setting final : public AnySetting {
  public:
    Setting(Registry& registry, std::string_view name, std::string_view help, T fallback, Limits<T> limits = {})
        : AnySetting(name, help, limits.required, limits.secret),
          default_(fallback),
          value_(std::move(fallback)),
          limits_(std::move(limits)) {
        registry.add(*this);
    }

    const T& operator()() const { return value_; }
    /// For tests and for programs that have no flags.
    void set(T value) { value_ = std::move(value); }

    std::string_view kind() const override { return Codec<T>::kKind; }
    std::string text() const override { return Codec<T>::print(value_); }
    std::string default_text() const override { return Codec<T>::print(default_); }
    std::string range_text() const override {
        std::string range;
        if constexpr (std::totally_ordered<T>) {
            if (limits_.min) range += "at least " + Codec<T>::print(*limits_.min);
            if (limits_.max) range += (range.empty() ? "at most " : ", at most ") + Codec<T>::print(*limits_.max);
        }
        for (const auto& choice : limits_.choices)
            range += (range.empty() ? "one of " : ", ") + Codec<T>::print(choice);
        return range;
    }

  private:
    Status assign(std::string_view text) override {
        TRY(auto value, Codec<T>::parse(text));
        if constexpr (std::totally_ordered<T>) {
            if ((limits_.min && value < *limits_.min) || (limits_.max && value > *limits_.max))
                return out_of_range(text);
        }
        if (!limits_.choices.empty()) {
            bool found = false;
            for (const auto& choice : limits_.choices) found = found || choice == value;
            if (!found) return out_of_range(text);
        }
        value_ = std::move(value);
        return ok();
    }

    T default_;
    T value_;
    Limits<T> limits_;
};

}  // namespace penumbra::config
