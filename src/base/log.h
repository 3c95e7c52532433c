#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "base/clock.h"
#include "base/error.h"

namespace penumbra {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

/// One `key=value` of a log line. Ids and sizes go in; row values, credentials and query text stay out.
struct Kv {
    std::string_view key;
    std::string value;
};

template <class T>
Kv kv(std::string_view key, const T& value) {
    if constexpr (requires { to_string(value); }) {
        return {key, std::string(to_string(value))};
    } else if constexpr (requires { value.value(); }) {
        return {key, fmt::format("{}", value.value())};
    } else {
        return {key, fmt::format("{}", value)};
    }
}

/// The log of one component. Cheap to copy; safe on any thread. A line is a sentence plus key=value pairs.
class Log {
  public:
    explicit Log(std::string_view component) : component_(component) {}

    void trace(std::string_view sentence, std::initializer_list<Kv> kvs = {}) const {
        write(LogLevel::trace, sentence, kvs);
    }
    void debug(std::string_view sentence, std::initializer_list<Kv> kvs = {}) const {
        write(LogLevel::debug, sentence, kvs);
    }
    void info(std::string_view sentence, std::initializer_list<Kv> kvs = {}) const {
        write(LogLevel::info, sentence, kvs);
    }
    void warn(std::string_view sentence, std::initializer_list<Kv> kvs = {}) const {
        write(LogLevel::warn, sentence, kvs);
    }
    void error(std::string_view sentence, std::initializer_list<Kv> kvs = {}) const {
        write(LogLevel::error, sentence, kvs);
    }

    /// For the whole process. Lines go to standard error.
    static void set_level(LogLevel level);

  private:
    void write(LogLevel level, std::string_view sentence, std::initializer_list<Kv> kvs) const;

    std::string component_;
};

/// Lets a line that a peer can trigger through at most once per interval, and counts what it held back. One shard.
class LogLimit {
  public:
    explicit LogLimit(Nanos interval = std::chrono::seconds(1)) : interval_(interval) {}
    /// True when the caller may log now; `dropped` is how many were held back since the last time.
    bool pass(SteadyTime now, std::uint64_t& dropped);

  private:
    Nanos interval_;
    SteadyTime next_ = SteadyTime::min();
    std::uint64_t held_ = 0;
};

}  // namespace penumbra
