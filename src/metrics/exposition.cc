#include "metrics/exposition.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include <fmt/format.h>

#include "base/assert.h"

namespace penumbra::metrics {

namespace {

bool is_name(std::string_view name) {
    return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
           std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
}

std::string label_text(Labels labels, std::string_view le = {}) {
    if (labels.size() == 0 && le.empty()) return {};
    std::string out = "{";
    const auto add = [&](std::string_view name, std::string_view value) {
        if (out.size() > 1) out += ',';
        out += name;
        out += "=\"";
        append_escaped(out, value, true);
        out += '"';
    };
    for (const auto& label : labels) {
        ASSERT(is_name(label.name));
        add(label.name, label.value);
    }
    if (!le.empty()) add("le", le);
    out += '}';
    return out;
}

}  // namespace

MetricWriter::Family& MetricWriter::family(std::string_view name, std::string_view help, std::string_view type) {
    ASSERT(is_name(name));
    auto found = families_.find(name);
    if (found == families_.end())
        found = families_.emplace(std::string(name), Family{type, std::string(help), {}}).first;
    ASSERT(found->second.type == type);
    return found->second;
}

void MetricWriter::counter(std::string_view name, std::string_view help, std::uint64_t value, Labels labels) {
    ASSERT(name.ends_with("_total"));
    fmt::format_to(std::back_inserter(family(name, help, "counter").lines), "{}{} {}\n", name, label_text(labels),
                   value);
}

void MetricWriter::gauge(std::string_view name, std::string_view help, double value, Labels labels) {
    fmt::format_to(std::back_inserter(family(name, help, "gauge").lines), "{}{} {}\n", name, label_text(labels), value);
}

void MetricWriter::histogram(std::string_view name, std::string_view help, const HistogramSnapshot& value,
                             Labels labels) {
    ASSERT(name.ends_with("_seconds"));
    constexpr std::size_t kFirst = 16, kLast = 35;
    auto& lines = family(name, help, "histogram").lines;
    auto out = std::back_inserter(lines);
    std::uint64_t below = 0;
    std::size_t bucket = 0;
    for (auto power = kFirst; power <= kLast; ++power) {
        const auto bound = std::uint64_t{1} << power;
        for (; bucket < LogLinear::kBuckets && LogLinear::lower_bound(bucket) < bound; ++bucket)
            below += value.buckets[bucket];
        fmt::format_to(out, "{}_bucket{} {}\n", name,
                       label_text(labels, fmt::format("{}", static_cast<double>(bound) / 1e9)), below);
    }
    fmt::format_to(out, "{}_bucket{} {}\n", name, label_text(labels, "+Inf"), value.count);
    fmt::format_to(out, "{}_sum{} {}\n", name, label_text(labels), static_cast<double>(value.sum_nanos) / 1e9);
    fmt::format_to(out, "{}_count{} {}\n", name, label_text(labels), value.count);
}

std::string MetricWriter::text() const {
    std::string out;
    for (const auto& [name, family] : families_) {
        out += fmt::format("# HELP {} ", name);
        append_escaped(out, family.help, false);
        out += fmt::format("\n# TYPE {} {}\n", name, family.type);
        out += family.lines;
    }
    return out;
}

}  // namespace penumbra::metrics
