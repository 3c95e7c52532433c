#include "kube/diagnostics.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

/// Edit distance in which a swap of neighbours is one step.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    std::iota(last.begin(), last.end(), 0u);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = std::min(now[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(now);
    }
    return last[b.size()];
}

std::string_view line_of(std::string_view source, int line) {
    for (int at = 1; at < line; ++at) {
        const auto end = source.find('\n');
        if (end == std::string_view::npos) return {};
        source.remove_prefix(end + 1);
    }
    auto text = source.substr(0, source.find('\n'));
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string_view to_string(Severity severity) {
    switch (severity) {
        case Severity::error:
            return "error";
        case Severity::warning:
            return "warning";
        case Severity::note:
            return "note";
    }
    return "unknown";
}

void Diagnostics::add(Severity severity, Mark mark, std::string path, std::string message, std::string help) {
    // A file of a million mistakes needs no million lines; past this many nobody reads on.
    constexpr std::size_t kMost = 1000;
    if (all_.size() >= kMost) return;
    all_.push_back({severity, file_, mark, std::move(path), std::move(message), std::move(help)});
}

void Diagnostics::error(Mark mark, std::string path, std::string message, std::string help) {
    add(Severity::error, mark, std::move(path), std::move(message), std::move(help));
}

void Diagnostics::warning(Mark mark, std::string path, std::string message, std::string help) {
    add(Severity::warning, mark, std::move(path), std::move(message), std::move(help));
}

void Diagnostics::note(Mark mark, std::string path, std::string message, std::string help) {
    add(Severity::note, mark, std::move(path), std::move(message), std::move(help));
}

std::size_t Diagnostics::errors() const {
    return static_cast<std::size_t>(
        std::count_if(all_.begin(), all_.end(), [](const Diagnostic& d) { return d.severity == Severity::error; }));
}

std::string Diagnostics::render(std::string_view source) const {
    std::vector<const Diagnostic*> sorted;
    for (const auto& diagnostic : all_) sorted.push_back(&diagnostic);
    std::stable_sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->mark < b->mark; });
    std::string out;
    for (const auto* d : sorted) {
        out += d->mark.line > 0 ? fmt::format("{}:{}:{}: ", d->file, d->mark.line, d->mark.column)
                                : fmt::format("{}: ", d->file);
        out += fmt::format("{}: {}{}{}\n", to_string(d->severity), d->path, d->path.empty() ? "" : ": ", d->message);
        if (d->mark.line > 0) {
            auto line = line_of(source, d->mark.line);
            constexpr std::size_t kWidth = 160;
            if (!line.empty() && line.size() <= kWidth) {
                const auto column =
                    std::min<std::size_t>(static_cast<std::size_t>(std::max(d->mark.column, 1)), line.size() + 1);
                out += fmt::format("{:>5} | {}\n      | {}^\n", d->mark.line, line, std::string(column - 1, ' '));
            }
        }
        if (!d->help.empty()) out += fmt::format("      = {}\n", d->help);
    }
    return out;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
    constexpr std::size_t kLongestName = 128;
    if (name.empty() || name.size() > kLongestName) return {};
    const auto wanted = lower(name);
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const auto d = distance(wanted, lower(candidate));
        if (d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}

}  // namespace penumbra::kube
