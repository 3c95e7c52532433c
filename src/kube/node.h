#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penumbra::kube {

/// Where something stands in its file, counted from 1. Line 0 means that we made it.
struct Mark {
    int line = 0;
    int column = 0;
    auto operator<=>(const Mark&) const = default;
};

/// What a scalar is once YAML's rules for unquoted text are applied.
enum class ScalarType : std::uint8_t { null, boolean, integer, number, string };

/// One node of a YAML document, with its place in the file and the comments that belong to it. Maps keep the order
/// of their file, so that what we write back reads like what we were given. A plain value type; no thread of its own.
class Node {
  public:
    enum class Kind : std::uint8_t { null, scalar, list, map };
    struct Entry;

    Kind kind = Kind::null;
    bool plain = true;  ///< a scalar without quotes: its text decides its type
    Mark mark;
    std::string text;                   ///< of a scalar
    std::vector<Node> items;            ///< of a list
    std::vector<Entry> entries;         ///< of a map
    std::vector<std::string> comments;  ///< whole lines that stand above this node's key or dash, without '#'
    std::string trailing;               ///< the comment behind it on the same line, without '#'

    static Node map();
    static Node list();
    static Node string(std::string_view text);
    static Node integer(std::int64_t value);
    static Node number(double value);
    static Node boolean(bool value);
    static Node strings(const std::vector<std::string>& texts);

    bool is_null() const { return kind == Kind::null; }
    bool is_scalar() const { return kind == Kind::scalar; }
    bool is_list() const { return kind == Kind::list; }
    bool is_map() const { return kind == Kind::map; }
    bool empty() const;

    /// The value below a key of a map, or nullptr: also when this is no map at all.
    const Node* find(std::string_view key) const;
    Node* find(std::string_view key);
    const Entry* entry(std::string_view key) const;
    /// The value at a path such as `spec.datacenter.racks[0].name`, or nullptr.
    const Node* at(std::string_view path) const;
    /// Adds or replaces a key and returns its value. Turns a null into a map first. What was returned for another key
    /// of this map before is no longer valid.
    Node& set(std::string_view key, Node value);
    /// The value below a key, added as null when it is not there.
    Node& operator[](std::string_view key);
    bool erase(std::string_view key);
    Node& push(Node value);

    ScalarType scalar_type() const;
    std::string_view str() const { return text; }
    std::optional<std::int64_t> as_integer() const;
    std::optional<double> as_number() const;
    std::optional<bool> as_boolean() const;

    Node&& with_comment(std::string_view line) &&;

    /// The same content; places, comments and quoting do not count, types do.
    bool same(const Node& other) const;
};

struct Node::Entry {
    std::string key;
    Mark mark;
    Node value;
};

/// `parent.key`, with quotes around keys that hold dots or slashes.
std::string join_path(std::string_view parent, std::string_view key);
std::string join_path(std::string_view parent, std::size_t index);

/// Calls `visit(path, node)` for every scalar, null and empty container below `node`.
void for_each_leaf(const Node& node, std::string_view path,
                   const std::function<void(const std::string&, const Node&)>& visit);

ScalarType scalar_type_of(std::string_view plain_text);

}  // namespace penumbra::kube
