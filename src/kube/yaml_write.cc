#include <fmt/format.h>

#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

bool needs_quotes(std::string_view text) {
    if (text.empty() || scalar_type_of(text) != ScalarType::string) return true;
    // YAML 1.1 readers also take these for booleans, base-60 numbers and dates.
    if (text == "y" || text == "Y" || text == "n" || text == "N" || text == "<<" || text == "=") return true;
    if (text.find_first_not_of("0123456789:._-+eE") == std::string_view::npos) return true;
    if (std::string_view("-?:,[]{}#&*!|>'\"%@` \t").find(text.front()) != std::string_view::npos &&
        !(text.size() > 1 && (text.front() == '-' || text.front() == ':' || text.front() == '?') && text[1] != ' ')) {
        return true;
    }
    if (text.starts_with("--")) return true;
    if (text.back() == ' ' || text.back() == ':' || text.back() == '\t') return true;
    if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return true;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
    }
    return false;
}

/// JSON's quoting, which YAML's double quotes understand too.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
                    out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
                } else {
                    out += c;
                }
        }
    }
    return out += '"';
}

std::string text_scalar(std::string_view text) {
    return needs_quotes(text) ? quoted(text) : std::string(text);
}

bool fits_block(std::string_view text) {
    if (text.find('\n') == std::string_view::npos || text.front() == '\n' || text.front() == ' ') return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if ((c < 0x20 && c != '\n') || c == 0x7f) return false;
    }
    return text.find(" \n") == std::string_view::npos && !text.ends_with(' ') && !text.ends_with("\n\n");
}

class Writer {
  public:
    /// `on_dash`: the cursor stands behind a "- ", so the first line brings neither indentation nor comments of its
    /// own.
    void node(const Node& node, int indent, bool on_dash = false) {
        if (node.is_map()) {
            for (const auto& entry : node.entries) {
                if (!on_dash) comments(entry.value, indent), pad(indent);
                on_dash = false;
                after_key(text_scalar(entry.key) + ":", entry.value, indent);
            }
        } else if (node.is_list()) {
            for (const auto& item : node.items) {
                if (!on_dash) comments_of_item(item, indent), pad(indent);
                on_dash = false;
                if ((item.is_map() || item.is_list()) && !item.empty()) {
                    out += "- ";
                    this->node(item, indent + 2, true);
                } else {
                    after_key("-", item, indent);
                }
            }
        } else {
            after_key("", node, indent);
        }
    }

    std::string out;

  private:
    void pad(int indent) { out.append(static_cast<std::size_t>(indent), ' '); }

    void comments(const Node& node, int indent) {
        for (const auto& comment : node.comments) {
            pad(indent);
            out += comment.empty() ? "#\n" : fmt::format("# {}\n", comment);
        }
    }

    /// What stands above the dash: the item's comments and those of its first key, which shares the dash's line.
    void comments_of_item(const Node& item, int indent) {
        comments(item, indent);
        if (item.is_map() && !item.empty()) comments(item.entries.front().value, indent);
        if (item.is_list() && !item.empty()) comments_of_item(item.items.front(), indent);
    }

    void after_key(std::string head, const Node& value, int indent) {
        out += head;
        const std::string tail = value.trailing.empty() ? "\n" : fmt::format(" # {}\n", value.trailing);
        const std::string space = head.empty() ? "" : " ";
        switch (value.kind) {
            case Node::Kind::null:
                out += space + "null" + tail;
                return;
            case Node::Kind::list:
            case Node::Kind::map:
                if (value.empty()) {
                    out += space + (value.is_map() ? "{}" : "[]") + tail;
                } else {
                    out += tail;
                    node(value, indent + 2);
                }
                return;
            case Node::Kind::scalar:
                break;
        }
        if (value.scalar_type() != ScalarType::string) {
            out += space + value.text + tail;
        } else if (fits_block(value.text)) {
            out += space + (value.text.ends_with('\n') ? "|" : "|-") + tail;
            std::string_view rest = value.text;
            while (!rest.empty()) {
                const auto end = rest.find('\n');
                const auto line = rest.substr(0, end);
                if (!line.empty()) pad(indent + 2);
                out += line;
                out += '\n';
                rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            }
        } else {
            out += space + text_scalar(value.text) + tail;
        }
    }
};

void json(const Node& node, int indent, int level, std::string& out) {
    const std::string line = indent > 0 ? "\n" + std::string(static_cast<std::size_t>(indent * (level + 1)), ' ') : "";
    const std::string close = indent > 0 ? "\n" + std::string(static_cast<std::size_t>(indent * level), ' ') : "";
    switch (node.kind) {
        case Node::Kind::null:
            out += "null";
            return;
        case Node::Kind::scalar:
            switch (node.scalar_type()) {
                case ScalarType::null:
                    out += "null";
                    return;
                case ScalarType::boolean:
                    out += node.as_boolean().value_or(false) ? "true" : "false";
                    return;
                case ScalarType::integer:
                    if (const auto value = node.as_integer()) {
                        out += std::to_string(*value);
                        return;
                    }
                    break;
                case ScalarType::number:
                    if (const auto value = node.as_number()) {
                        out += fmt::format("{}", *value);
                        return;
                    }
                    break;
                case ScalarType::string:
                    break;
            }
            out += quoted(node.text);
            return;
        case Node::Kind::list:
            out += '[';
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                out += (i ? "," : "") + line;
                json(node.items[i], indent, level + 1, out);
            }
            out += node.items.empty() ? "]" : close + "]";
            return;
        case Node::Kind::map:
            out += '{';
            for (std::size_t i = 0; i < node.entries.size(); ++i) {
                out += (i ? "," : "") + line + quoted(node.entries[i].key) + (indent > 0 ? ": " : ":");
                json(node.entries[i].value, indent, level + 1, out);
            }
            out += node.entries.empty() ? "}" : close + "}";
            return;
    }
}

}  // namespace

std::string write_yaml(const Node& node) {
    Writer writer;
    writer.node(node, 0);
    return std::move(writer.out);
}

std::string write_json(const Node& node, int indent) {
    std::string out;
    json(node, indent, 0, out);
    if (indent > 0) out += '\n';
    return out;
}

}  // namespace penumbra::kube
