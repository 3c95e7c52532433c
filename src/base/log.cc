#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace penumbra {

namespace {

spdlog::level::level_enum spd_level(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return spdlog::level::trace;
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

spdlog::logger& sink() {
    static const auto logger = [] {
        auto made = std::make_shared<spdlog::logger>("penumbra", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ %L %v", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *logger;
}

void append_value(fmt::memory_buffer& out, std::string_view value) {
    const bool plain = !value.empty() && value.find_first_of(" \"=\n\r\t") == std::string_view::npos;
    if (plain) {
        out.append(value);
        return;
    }
    out.push_back('"');
    for (const char c : value) {
        if (c == '\n') {
            out.append(std::string_view("\\n"));
        } else if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
}

}  // namespace

void Log::set_level(LogLevel level) {
    sink().set_level(spd_level(level));
}

void Log::write(LogLevel level, std::string_view sentence, std::initializer_list<Kv> kvs) const {
    if (!sink().should_log(spd_level(level))) return;
    fmt::memory_buffer line;
    fmt::format_to(std::back_inserter(line), "{}: {}", component_, sentence);
    for (const auto& pair : kvs) {
        fmt::format_to(std::back_inserter(line), " {}=", pair.key);
        append_value(line, pair.value);
    }
    sink().log(spd_level(level), "{}", std::string_view(line.data(), line.size()));
}

bool LogLimit::pass(SteadyTime now, std::uint64_t& dropped) {
    if (now < next_) {
        ++held_;
        return false;
    }
    dropped = held_;
    held_ = 0;
    next_ = now + interval_;
    return true;
}

}  // namespace penumbra
