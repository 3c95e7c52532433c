#include "cli/progress.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "cli/json_view.h"
#include "cli/table.h"

namespace penumbra::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kWidestBar = 40;
constexpr std::size_t kNarrowestBar = 8;

std::string title(const json::value& job) {
    return fmt::format("{} {}", text(job, "kind"), text(job, "migration"));
}

std::string numbers(const json::value& job) {
    const auto total = count(job, "progress/total");
    std::string out = total ? fmt::format("{}/{} ranges", grouped(count(job, "progress/done")), grouped(total))
                            : "looking at the tables";
    const auto rows = count(job, "progress/rows");
    if (rows > 0)
        out += fmt::format("  {}  {}/s", counted(rows, "row"), counted(count(job, "progress/rows_per_second"), "row"));
    const auto* left = find(job, "progress/seconds_left");
    if (left && left->is_number()) out += fmt::format("  {} left", duration(number(job, "progress/seconds_left")));
    return out;
}

double share(const json::value& job) {
    const auto total = number(job, "progress/total");
    return total > 0 ? std::clamp(number(job, "progress/done") / total, 0.0, 1.0) : 0.0;
}

}  // namespace

std::string progress_line(const json::value& job) {
    const auto total = count(job, "progress/total");
    const auto percent = total ? fmt::format("{:.0f} %  ", share(job) * 100) : "";
    return fmt::format("{}: {}{}", title(job), percent, numbers(job));
}

std::string progress_bar(const json::value& job, bool utf8, std::size_t width) {
    const auto words = fmt::format("{}  {}", title(job), numbers(job));
    // The last place stays free: some terminals wrap as soon as it is written.
    const auto frame = display_width(words) + 5;
    if (frame + kNarrowestBar > width) return cut(words, std::max<std::size_t>(width, 2) - 1);
    const auto bar = std::min(kWidestBar, width - frame);
    const auto full = static_cast<std::size_t>(share(job) * static_cast<double>(bar));
    std::string drawn;
    for (std::size_t i = 0; i < bar; ++i) drawn += utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : ".");
    return fmt::format("{}  [{}]  {}", title(job), drawn, numbers(job));
}

void ProgressDisplay::show(const json::value& job, SteadyTime now) {
    if (now - started_ < around_.quiet_time) return;
    if (around_.terminal.errors_are_terminal) {
        out_ << "\r" << progress_bar(job, around_.terminal.utf8, around_.terminal.width) << "\x1b[K" << std::flush;
        drawn_ = true;
    } else if (now >= next_line_) {
        out_ << progress_line(job) << std::endl;
        next_line_ = now + around_.line_interval;
    }
}

void ProgressDisplay::note(const std::string& sentence) {
    clear();
    out_ << sentence << std::endl;
}

void ProgressDisplay::clear() {
    if (drawn_) out_ << "\r\x1b[K" << std::flush;
    drawn_ = false;
}

}  // namespace penumbra::cli
