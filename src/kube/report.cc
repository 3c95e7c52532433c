#include "kube/report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

constexpr std::array kOrder{Verdict::decision, Verdict::changed, Verdict::dropped, Verdict::added, Verdict::mapped};

std::string_view title(Verdict verdict) {
    switch (verdict) {
        case Verdict::decision:
            return "Needs a decision";
        case Verdict::changed:
            return "Changed";
        case Verdict::dropped:
            return "Dropped";
        case Verdict::added:
            return "Added";
        case Verdict::mapped:
            return "Mapped";
    }
    return "";
}

std::string shortened(std::string_view text) {
    constexpr std::size_t kMost = 60;
    std::string out(text.substr(0, text.find('\n')));
    if (out.size() < text.size() || out.size() > kMost) out = out.substr(0, kMost) + " ...";
    return out;
}

std::string value_of(const std::string& path, const std::string& value) {
    return value.empty() ? path : fmt::format("{}: {}", path, shortened(value));
}

std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out, line;
    const std::string pad(indent, ' ');
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        const auto word = text.substr(0, end);
        if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
            out += pad + line + '\n';
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return line.empty() ? out : out + pad + line + '\n';
}

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::decision:
            return "decision";
        case Verdict::changed:
            return "changed";
        case Verdict::dropped:
            return "dropped";
        case Verdict::added:
            return "added";
        case Verdict::mapped:
            return "mapped";
    }
    return "unknown";
}

void Report::add(ReportEntry entry) {
    entries_.push_back(std::move(entry));
}

std::size_t Report::count(Verdict verdict) const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.verdict == verdict; }));
}

bool Report::covers(std::string_view path) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const ReportEntry& entry) {
        if (entry.from.empty() || !path.starts_with(entry.from)) return false;
        return path.size() == entry.from.size() || path[entry.from.size()] == '.' || path[entry.from.size()] == '[';
    });
}

std::string Report::summary() const {
    return fmt::format("{} mapped, {} changed, {} dropped, {} added, {} to decide", count(Verdict::mapped),
                       count(Verdict::changed), count(Verdict::dropped), count(Verdict::added),
                       count(Verdict::decision));
}

std::string Report::text() const {
    std::string out;
    for (const auto verdict : kOrder) {
        if (count(verdict) == 0) continue;
        out += fmt::format("{}{} ({})\n", out.empty() ? "" : "\n", title(verdict), count(verdict));
        for (const auto& entry : entries_) {
            if (entry.verdict != verdict) continue;
            const auto where = entry.mark.line > 0 ? fmt::format("line {}  ", entry.mark.line) : "";
            if (!entry.from.empty()) out += fmt::format("  {}{}\n", where, value_of(entry.from, entry.was));
            if (!entry.to.empty())
                out += fmt::format("  {}-> {}\n", entry.from.empty() ? "" : "    ", value_of(entry.to, entry.now));
            out += wrap(entry.why, 8, 118);
        }
    }
    return out;
}

std::string Report::markdown() const {
    std::string out = fmt::format("{}.\n", summary());
    for (const auto verdict : kOrder) {
        if (count(verdict) == 0) continue;
        out += fmt::format("\n### {}\n\n| source | line | target | why |\n|---|---|---|---|\n", title(verdict));
        for (const auto& entry : entries_) {
            if (entry.verdict != verdict) continue;
            const auto line = entry.mark.line > 0 ? std::to_string(entry.mark.line) : "";
            out += fmt::format("| {} | {} | {} | {} |\n",
                               entry.from.empty() ? "" : fmt::format("`{}`", cell(value_of(entry.from, entry.was))),
                               line, entry.to.empty() ? "" : fmt::format("`{}`", cell(value_of(entry.to, entry.now))),
                               cell(entry.why));
        }
    }
    return out;
}

Node Report::json() const {
    Node root = Node::map();
    Node& counts = root.set("counts", Node::map());
    for (const auto verdict : kOrder)
        counts.set(to_string(verdict), Node::integer(static_cast<std::int64_t>(count(verdict))));
    Node& list = root.set("entries", Node::list());
    for (const auto verdict : kOrder) {
        for (const auto& entry : entries_) {
            if (entry.verdict != verdict) continue;
            Node& node = list.push(Node::map());
            node.set("verdict", Node::string(to_string(verdict)));
            if (!entry.from.empty()) node.set("from", Node::string(entry.from));
            if (entry.mark.line > 0) {
                node.set("line", Node::integer(entry.mark.line));
                node.set("column", Node::integer(entry.mark.column));
            }
            if (!entry.was.empty()) node.set("was", Node::string(entry.was));
            if (!entry.to.empty()) node.set("to", Node::string(entry.to));
            if (!entry.now.empty()) node.set("now", Node::string(entry.now));
            node.set("why", Node::string(entry.why));
        }
    }
    return root;
}

}  // namespace penumbra::kube
