#include "config/registry.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/assert.h"

namespace penumbra::config {

namespace {

/// One scalar of the file, with its nesting joined by dots. A list is joined by commas: what Codec of a list reads.
struct Entry {
    std::string name;
    std::string text;
    int line = 0;
};

Status flatten(const YAML::Node& node, const std::string& prefix, std::string_view file, std::vector<Entry>& out) {
    for (const auto& pair : node) {
        const int line = pair.first.Mark().line + 1;
        if (!pair.first.IsScalar())
            return fail(Errc::invalid_argument, fmt::format("{}:{}: a name is wanted here", file, line));
        const auto name = prefix.empty() ? pair.first.Scalar() : prefix + "." + pair.first.Scalar();
        switch (pair.second.Type()) {
            case YAML::NodeType::Map: {
                TRY(flatten(pair.second, name, file, out));
                break;
            }
            case YAML::NodeType::Scalar:
                out.push_back({name, pair.second.Scalar(), line});
                break;
            case YAML::NodeType::Sequence: {
                std::string joined;
                for (const auto& element : pair.second) {
                    if (!element.IsScalar())
                        return fail(Errc::invalid_argument,
                                    fmt::format("{}:{}: '{}' takes a list of plain values", file, line, name));
                    joined += (joined.empty() ? "" : ",") + element.Scalar();
                }
                out.push_back({name, joined, line});
                break;
            }
            case YAML::NodeType::Null:
            case YAML::NodeType::Undefined:
                return fail(
                    Errc::invalid_argument,
                    fmt::format("{}:{}: '{}' has no value; leave the line out for the default", file, line, name));
        }
    }
    return ok();
}

void wrap(std::string& out, std::string_view text, std::size_t indent, std::size_t width) {
    std::size_t column = indent;
    bool first = true;
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!first && column + 1 + word.size() > width) {
            out += '\n';
            out.append(indent, ' ');
            column = indent;
            first = true;
        }
        if (!first) {
            out += ' ';
            ++column;
        }
        out += word;
        column += word.size();
        first = false;
    }
}

}  // namespace

BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> AnySetting::out_of_range(std::string_view text) const {
    return fail(Errc::invalid_argument, fmt::format("'{}' is out of range: {}", text, range_text()));
}

void Registry::add(AnySetting& setting) {
    ASSERT(find(setting.name()) == nullptr);
    setting.group_ = group_;
    all_.push_back(&setting);
}

AnySetting* Registry::find(std::string_view name) const {
    const auto found =
        std::ranges::find(all_, name, [](const AnySetting* setting) { return std::string_view(setting->name()); });
    return found == all_.end() ? nullptr : *found;
}

std::string Registry::nearest(std::string_view name) const {
    // tenant_column for tenant-column is the slip that everybody makes, so it costs nothing.
    std::string plain(name);
    std::ranges::replace(plain, '_', '-');
    std::size_t best = std::max<std::size_t>(2, plain.size() / 3) + 1;
    std::string nearest;
    const auto consider = [&](const std::string& candidate) {
        const auto distance = edit_distance(plain, candidate);
        if (distance >= best) return;
        best = distance;
        nearest = candidate;
    };
    for (const auto* setting : all_) consider(setting->name());
    return nearest;
}

Status Registry::unknown(std::string_view where, std::string_view name) const {
    const auto meant = nearest(name);
    return fail(Errc::invalid_argument, fmt::format("{}unknown setting '{}'{}", where, name,
                                                    meant.empty() ? "; `penumbra serve --help` lists them all"
                                                                  : fmt::format("; did you mean '{}'?", meant)));
}

Status Registry::set(std::string_view name, std::string_view text, std::string origin) {
    auto* setting = find(name);
    ASSERT(setting != nullptr);
    if (auto assigned = setting->assign(text); !assigned) {
        const bool is_flag = origin.starts_with("--");
        return fail(std::move(assigned).error().in(is_flag ? origin : fmt::format("{}: {}", origin, name)));
    }
    setting->origin_ = std::move(origin);
    return ok();
}

Status Registry::read_yaml(std::string_view text, std::string_view file_name) {
    std::vector<Entry> entries;
    try {
        const auto root = YAML::Load(std::string(text));
        if (root.IsNull()) return ok();
        if (!root.IsMap())
            return fail(Errc::invalid_argument, fmt::format("{}: lines of `name: value` are wanted", file_name));
        TRY(flatten(root, "", file_name, entries));
    } catch (const YAML::Exception& error) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}:{}: not YAML: {}", file_name, error.mark.line + 1, error.msg));
    }
    std::map<std::string, int> seen;
    for (const auto& entry : entries) {
        if (!find(entry.name)) return unknown(fmt::format("{}:{}: ", file_name, entry.line), entry.name);
        const auto [earlier, fresh] = seen.emplace(entry.name, entry.line);
        if (!fresh) {
            return fail(Errc::invalid_argument, fmt::format("{}:{}: '{}' stands on line {} already", file_name,
                                                            entry.line, entry.name, earlier->second));
        }
        TRY(set(entry.name, entry.text, fmt::format("{}:{}", file_name, entry.line)));
    }
    return ok();
}

Status Registry::load(const std::vector<std::string>& flags) {
    std::vector<std::pair<std::string, std::string>> given;
    std::string file;
    for (std::size_t i = 0; i < flags.size(); ++i) {
        std::string_view flag = flags[i];
        if (!flag.starts_with("--") || flag.size() < 3) {
            return fail(Errc::invalid_argument,
                        fmt::format("'{}' is not a flag; settings are given as --name value", flag));
        }
        flag.remove_prefix(2);
        const auto equals = flag.find('=');
        const auto name = flag.substr(0, equals);
        if (name != "config" && !find(name)) {
            const auto meant = nearest(name);
            return fail(Errc::invalid_argument,
                        fmt::format("unknown flag --{}{}", name,
                                    meant.empty() ? "; `penumbra serve --help` lists them all"
                                                  : fmt::format("; did you mean --{}?", meant)));
        }
        std::string value;
        if (equals != std::string_view::npos) {
            value = flag.substr(equals + 1);
        } else if (i + 1 < flags.size() && !flags[i + 1].starts_with("--")) {
            value = flags[++i];
        } else {
            return fail(Errc::invalid_argument, fmt::format("--{} wants a value: --{} {}", name, name,
                                                            name == "config" ? "FILE" : find(name)->kind()));
        }
        if (name == "config") {
            file = value;
        } else {
            given.emplace_back(name, value);
        }
    }
    if (!file.empty()) {
        TRY(const auto text, read_text_file(file));
        TRY(read_yaml(text, file));
    }
    for (const auto& [name, value] : given) {
        TRY(set(name, value, "--" + name));
    }
    return check_required();
}

Status Registry::check_required() const {
    std::string missing;
    for (const auto* setting : all_) {
        if (setting->required() && setting->origin().empty())
            missing += fmt::format("{}--{} {}", missing.empty() ? "" : ", ", setting->name(), setting->kind());
    }
    if (missing.empty()) return ok();
    return fail(Errc::invalid_argument,
                fmt::format("missing: {} (as a flag, or by the same name in the file of --config)", missing));
}

std::string Registry::help(std::size_t width) const {
    constexpr std::size_t kIndent = 34;
    std::string out;
    std::string group = "\n";  // no title is like this
    for (const auto* setting : all_) {
        if (setting->group_ != group) {
            group = setting->group_;
            out += fmt::format("{}{}:\n", out.empty() ? "" : "\n", group.empty() ? "Settings" : group);
        }
        auto head = fmt::format("  --{} {}", setting->name(), setting->kind());
        if (head.size() + 2 > kIndent) {
            head += '\n';
            head.append(kIndent, ' ');
        } else {
            head.append(kIndent - head.size(), ' ');
        }
        out += head;
        std::string facts;
        const auto fact = [&](std::string_view text) { facts += (facts.empty() ? "" : "; ") + std::string(text); };
        if (setting->required()) {
            fact("required");
        } else if (!setting->secret() && !setting->default_text().empty()) {
            fact("default " + setting->default_text());
        }
        if (const auto range = setting->range_text(); !range.empty()) fact(range);
        wrap(out, setting->help() + (facts.empty() ? "" : " [" + facts + "]"), kIndent, width);
        out += '\n';
    }
    return out;
}

Result<std::string> read_text_file(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) return fail(Errc::invalid_argument, fmt::format("cannot read {}: {}", path.string(), error.message()));
    if (size > 1 << 20)
        return fail(Errc::invalid_argument, fmt::format("{} is larger than 1 MiB: not a settings file", path.string()));
    std::ifstream in(path, std::ios::binary);
    std::string text(size, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(size)))
        return fail(system_error("read", path.string(), errno));
    return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

}  // namespace penumbra::config
