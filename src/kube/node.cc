#include "kube/node.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (text.starts_with("0x")) {
        return text.size() > 2 && text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
    }
    if (text.starts_with("0o"))
        return text.size() > 2 && text.find_first_not_of("01234567", 2) == std::string_view::npos;
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_number(std::string_view text) {
    if (text == ".inf" || text == "-.inf" || text == "+.inf" || text == ".nan") return true;
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    std::size_t digits = 0, i = 0;
    while (i < text.size() && is_digit(text[i])) ++i, ++digits;
    if (i < text.size() && text[i] == '.') {
        ++i;
        while (i < text.size() && is_digit(text[i])) ++i, ++digits;
    }
    if (digits == 0) return false;
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
        if (i == text.size()) return false;
        while (i < text.size() && is_digit(text[i])) ++i;
    }
    return i == text.size();
}

/// One step of a path: `key`, `"quoted.key"` or `[3]`. Empties `path` of it.
std::optional<std::pair<std::string, std::optional<std::size_t>>> take_step(std::string_view& path) {
    if (path.starts_with('.')) path.remove_prefix(1);
    if (path.starts_with('[')) {
        const auto end = path.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        std::size_t index = 0;
        const auto inner = path.substr(1, end - 1);
        if (std::from_chars(inner.data(), inner.data() + inner.size(), index).ptr != inner.data() + inner.size())
            return std::nullopt;
        path.remove_prefix(end + 1);
        return std::pair{std::string(), std::optional(index)};
    }
    if (path.starts_with('"')) {
        const auto end = path.find('"', 1);
        if (end == std::string_view::npos) return std::nullopt;
        std::string key(path.substr(1, end - 1));
        path.remove_prefix(end + 1);
        return std::pair{std::move(key), std::optional<std::size_t>()};
    }
    const auto end = std::min(path.find_first_of(".["), path.size());
    std::string key(path.substr(0, end));
    path.remove_prefix(end);
    return std::pair{std::move(key), std::optional<std::size_t>()};
}

}  // namespace

ScalarType scalar_type_of(std::string_view text) {
    // What Kubernetes clients resolve (YAML 1.1 booleans included): a manifest that says `no` means false there.
    static constexpr std::array booleans{"true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES",
                                         "no",   "No",   "NO",   "on",    "On",    "ON",    "off", "Off", "OFF"};
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return ScalarType::null;
    if (std::find(booleans.begin(), booleans.end(), text) != booleans.end()) return ScalarType::boolean;
    if (is_integer(text)) return ScalarType::integer;
    if (is_number(text)) return ScalarType::number;
    return ScalarType::string;
}

Node Node::map() {
    Node node;
    node.kind = Kind::map;
    return node;
}

Node Node::list() {
    Node node;
    node.kind = Kind::list;
    return node;
}

Node Node::string(std::string_view text) {
    Node node;
    node.kind = Kind::scalar;
    node.plain = false;
    node.text = text;
    return node;
}

Node Node::integer(std::int64_t value) {
    Node node = string(std::to_string(value));
    node.plain = true;
    return node;
}

Node Node::number(double value) {
    Node node = string(std::isfinite(value) ? fmt::format("{}", value) : "null");
    node.plain = true;
    return node;
}

Node Node::boolean(bool value) {
    Node node = string(value ? "true" : "false");
    node.plain = true;
    return node;
}

Node Node::strings(const std::vector<std::string>& texts) {
    Node node = list();
    for (const auto& text : texts) node.push(string(text));
    return node;
}

bool Node::empty() const {
    switch (kind) {
        case Kind::null:
            return true;
        case Kind::scalar:
            return text.empty();
        case Kind::list:
            return items.empty();
        case Kind::map:
            return entries.empty();
    }
    return true;
}

const Node::Entry* Node::entry(std::string_view key) const {
    for (const auto& entry : entries) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}

const Node* Node::find(std::string_view key) const {
    const auto* found = entry(key);
    return found ? &found->value : nullptr;
}

Node* Node::find(std::string_view key) {
    return const_cast<Node*>(static_cast<const Node*>(this)->find(key));
}

const Node* Node::at(std::string_view path) const {
    const Node* node = this;
    while (!path.empty() && node) {
        const auto step = take_step(path);
        if (!step) return nullptr;
        if (step->second) {
            node = *step->second < node->items.size() ? &node->items[*step->second] : nullptr;
        } else {
            node = node->find(step->first);
        }
    }
    return node;
}

Node& Node::set(std::string_view key, Node value) {
    Node& place = (*this)[key];
    place = std::move(value);
    return place;
}

Node& Node::operator[](std::string_view key) {
    if (kind == Kind::null) kind = Kind::map;
    if (Node* found = find(key)) return *found;
    return entries.emplace_back(Entry{std::string(key), {}, {}}).value;
}

bool Node::erase(std::string_view key) {
    return std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; }) > 0;
}

Node& Node::push(Node value) {
    kind = Kind::list;
    return items.emplace_back(std::move(value));
}

ScalarType Node::scalar_type() const {
    if (kind == Kind::null) return ScalarType::null;
    return plain ? scalar_type_of(text) : ScalarType::string;
}

std::optional<std::int64_t> Node::as_integer() const {
    if (kind != Kind::scalar || scalar_type_of(text) != ScalarType::integer) return std::nullopt;
    std::string_view digits = text;
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    int base = 10;
    if (digits.starts_with("0x")) base = 16;
    if (digits.starts_with("0o")) base = 8;
    if (base != 10) digits.remove_prefix(2);
    std::int64_t value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) return std::nullopt;
    return negative ? -value : value;
}

std::optional<double> Node::as_number() const {
    const auto type = kind == Kind::scalar ? scalar_type_of(text) : ScalarType::null;
    if (type != ScalarType::integer && type != ScalarType::number) return std::nullopt;
    if (const auto integer = as_integer()) return static_cast<double>(*integer);
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    double value = 0;
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (result.ec != std::errc() || result.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
}

std::optional<bool> Node::as_boolean() const {
    if (kind != Kind::scalar || !plain || scalar_type_of(text) != ScalarType::boolean) return std::nullopt;
    const char first = text[0];
    return first == 't' || first == 'T' || first == 'y' || first == 'Y' || text == "on" || text == "On" || text == "ON";
}

Node&& Node::with_comment(std::string_view line) && {
    comments.emplace_back(line);
    return std::move(*this);
}

bool Node::same(const Node& other) const {
    if (kind != other.kind) return false;
    switch (kind) {
        case Kind::null:
            return true;
        case Kind::scalar:
            return scalar_type() == other.scalar_type() && text == other.text;
        case Kind::list:
            return std::equal(items.begin(), items.end(), other.items.begin(), other.items.end(),
                              [](const Node& a, const Node& b) { return a.same(b); });
        case Kind::map:
            return entries.size() == other.entries.size() &&
                   std::all_of(entries.begin(), entries.end(), [&](const Entry& e) {
                       const Node* value = other.find(e.key);
                       return value && e.value.same(*value);
                   });
    }
    return false;
}

std::string join_path(std::string_view parent, std::string_view key) {
    const bool quote = key.empty() || key.find_first_of(".[]/ ") != std::string_view::npos;
    std::string path(parent);
    if (!path.empty()) path += '.';
    return path += quote ? fmt::format("\"{}\"", key) : std::string(key);
}

std::string join_path(std::string_view parent, std::size_t index) {
    return fmt::format("{}[{}]", parent, index);
}

void for_each_leaf(const Node& node, std::string_view path,
                   const std::function<void(const std::string&, const Node&)>& visit) {
    if (node.is_scalar() || node.empty()) {
        visit(std::string(path), node);
        return;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) for_each_leaf(node.items[i], join_path(path, i), visit);
    for (const auto& entry : node.entries) for_each_leaf(entry.value, join_path(path, entry.key), visit);
}

}  // namespace penumbra::kube
