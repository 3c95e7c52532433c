#include "kube/output.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

std::uint32_t crc32(std::string_view text) {
    std::uint32_t crc = 0xffffffffu;
    for (const char c : text) {
        crc ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

void collect(const Node& node, const std::string& path, std::vector<std::pair<std::string, std::string>>& out) {
    for (const auto& comment : node.comments) out.emplace_back(path, comment);
    if (!node.trailing.empty()) out.emplace_back(path, node.trailing);
    for (const auto& entry : node.entries) collect(entry.value, join_path(path, entry.key), out);
    for (std::size_t i = 0; i < node.items.size(); ++i) collect(node.items[i], join_path(path, i), out);
}

std::string comment_lines(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += line.empty() ? "#\n" : fmt::format("# {}\n", line);
    return out;
}

}  // namespace

std::string write_objects(const std::vector<Node>& objects, const std::vector<std::string>& header) {
    std::string out = comment_lines(header);
    for (const auto& object : objects) out += "---\n" + comment_lines(object.comments) + write_yaml(object);
    return out;
}

std::string write_input(const Input& input, const std::vector<std::string>& header) {
    std::string out = comment_lines(header);
    for (const auto& manifest : input.manifests) {
        if (!out.empty()) out += "---\n";
        out += write_yaml(manifest.root()) + comment_lines(manifest.document.footer);
    }
    return out;
}

std::vector<std::string> provenance(const std::string& command_line, const std::vector<Input>& inputs) {
    std::vector<std::string> lines{fmt::format("Made by `{}` from", command_line)};
    for (const auto& input : inputs) {
        const auto name =
            input.file == "-" ? std::string("standard input") : input.file.substr(input.file.rfind('/') + 1);
        lines.push_back(fmt::format("  {} ({} bytes, crc32 {:08x})", name, input.source.size(), crc32(input.source)));
    }
    return lines;
}

void keep_lost_comments(const Document& source, Conversion& conversion, std::string_view cluster_kind) {
    std::vector<std::pair<std::string, std::string>> comments, kept;
    collect(source.root, {}, comments);
    for (const auto& line : source.footer) comments.emplace_back("", line);
    for (const auto& object : conversion.objects) collect(object, {}, kept);
    std::set<std::string> there;
    for (const auto& [path, text] : kept) there.insert(text);
    for (auto& object : conversion.objects) {
        const Node* kind = object.find("kind");
        if (!kind || kind->text != cluster_kind) continue;
        for (const auto& [path, text] : comments) {
            if (text.empty() || there.contains(text)) continue;
            // Settings in a ConfigMap carry their comments inside a text.
            const bool inside =
                std::any_of(conversion.objects.begin(), conversion.objects.end(), [&](const Node& other) {
                    const Node* data = other.at("data.\"scylla.yaml\"");
                    return data && data->text.find("# " + text) != std::string::npos;
                });
            if (!inside) object.comments.push_back(path.empty() ? text : fmt::format("{}: {}", path, text));
        }
    }
}

std::string render_fixes(const std::string& file, const std::vector<Fix>& fixes) {
    std::string out;
    for (const auto& fix : fixes) {
        out += fix.mark.line > 0
                   ? fmt::format("{}:{}:{}: fixed: {}: {}\n", file, fix.mark.line, fix.mark.column, fix.path, fix.what)
                   : fmt::format("{}: fixed: {}: {}\n", file, fix.path, fix.what);
    }
    return out;
}

}  // namespace penumbra::kube
