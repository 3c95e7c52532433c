#include <algorithm>

#include <fmt/format.h>

#include "cli/json_view.h"
#include "cli/render.h"
#include "cli/table.h"

namespace penumbra::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kReasonWidth = 72;

std::string age(const json::value& in) {
    const auto seconds = number(in, "oldest_owed_seconds");
    return count(in, "owed") > 0 && seconds > 0 ? duration(seconds) : "-";
}

std::string mebibytes(double bytes) {
    return fmt::format("{:.1f} MiB", bytes / (1 << 20));
}

/// How the paying goes: "1,200/s, 5 s left".
std::string progress(const json::value& cluster) {
    const auto waiting = count(cluster, "owed") - std::min(count(cluster, "owed"), count(cluster, "set_aside"));
    if (waiting == 0) return "nothing to pay";
    if (truth(cluster, "replay/paused")) return "the cluster does not take writes now; trying on";
    const auto* left = find(cluster, "replay/seconds_left");
    if (!left || !left->is_number()) return "beginning";
    return fmt::format("{:.0f}/s, {} left", number(cluster, "replay/per_second"), duration(left->to_number<double>()));
}

/// The lines as they are; as comments where one holds what could steer a terminal: as CQL they would say something else
/// with that escaped.
std::string safe_script(std::string_view script) {
    std::string lines, escaped;
    bool safe = true;
    while (!script.empty()) {
        const auto end = script.find('\n');
        const auto line = script.substr(0, end);
        lines += std::string(line) + "\n";
        escaped += "-- " + printable(line) + "\n";
        safe = safe && printable(line) == line;
        script = end == std::string_view::npos ? std::string_view() : script.substr(end + 1);
    }
    return safe ? lines : "-- holds control characters, shown escaped here; -o json has it as it is\n" + escaped;
}

}  // namespace

std::string render_journal(const json::value& document) {
    const auto quota = number(document, "quota_bytes");
    std::string out = fmt::format("journal  {} on disk{}\n\n", mebibytes(number(document, "bytes")),
                                  quota > 0 ? fmt::format(" of {}", mebibytes(quota)) : "");
    Table clusters({{"OWED TO"},
                    {"WRITES", Align::right},
                    {"OLDEST", Align::right},
                    {"SET ASIDE", Align::right},
                    {"PAID SINCE START", Align::right},
                    {"NOW"}});
    for (const auto& one : list(document, "clusters")) {
        clusters.add({text(one, "cluster"), grouped(count(one, "owed")), age(one), grouped(count(one, "set_aside")),
                      grouped(count(one, "replay/settled")), progress(one)});
    }
    out += clusters.str();
    const auto& migrations = list(document, "migrations");
    if (migrations.empty()) return out;
    Table table({{"MIGRATION"},
                 {"PHASE"},
                 {"OWED TO"},
                 {"WRITES", Align::right},
                 {"OLDEST", Align::right},
                 {"SET ASIDE", Align::right}});
    for (const auto& one : migrations) {
        table.add({text(one, "migration"), text(one, "phase"), text(one, "cluster"), grouped(count(one, "owed")),
                   age(one), grouped(count(one, "set_aside"))});
    }
    return out + "\n" + table.str();
}

std::string render_set_aside(const json::value& document) {
    const auto& entries = list(document, "set_aside");
    if (entries.empty()) return "No write was refused for good.\n";
    Table table({{"ENTRY", Align::right}, {"MIGRATION"}, {"OWED TO"}, {"WRITTEN AT"}, {"WHAT"}, {"WHERE"}, {"REASON"}});
    for (const auto& one : entries) {
        table.add({text(one, "entry"), text(one, "migration"), text(one, "cluster"), text(one, "written_at"),
                   text(one, "kind"), text(one, "where"), cut(text(one, "reason"), kReasonWidth)});
    }
    auto out = table.str();
    const auto total = count(document, "total");
    if (total > entries.size()) out += fmt::format("and {} more\n", grouped(total - entries.size()));
    return out;
}

std::string render_set_aside_script(const json::value& document) {
    std::string out;
    for (const auto& one : list(document, "set_aside")) {
        out += fmt::format("-- entry {}, for the {}, written at {}: {}\n", text(one, "entry"), text(one, "cluster"),
                           text(one, "written_at"), text(one, "reason"));
        const auto* script = find(one, "cql");
        if (script && script->is_string()) {
            out += safe_script({script->get_string().data(), script->get_string().size()});
        } else {
            out += fmt::format("-- cannot be read: {}\n", text(one, "error"));
        }
    }
    return out;
}

std::string render_set_aside_report(const json::value& document, std::string_view done) {
    std::string out = fmt::format("{} {}", counted(list(document, "done").size(), "write"), done);
    const auto left = count(document, "left");
    out += left > 0 ? fmt::format("; {} still set aside\n", grouped(left)) : "; none is set aside now\n";
    for (const auto& one : list(document, "failed"))
        out += fmt::format("  entry {}: {}\n", text(one, "entry"), text(one, "error"));
    return out;
}

}  // namespace penumbra::cli
