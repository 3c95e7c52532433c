#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

/// Ends the parse from inside yaml-cpp's callbacks. Caught in read_yaml, a few lines below the only throw's callers.
struct Stop {
    Mark mark;
    std::string what;
    std::string help;
};

Mark mark_of(const YAML::Mark& mark) {
    return {mark.line + 1, mark.column + 1};
}

/// Builds the tree from yaml-cpp's events, counting as it goes.
class Builder : public YAML::EventHandler {
  public:
    Builder(Diagnostics& out, const YamlLimits& limits) : out_(out), limits_(limits) {}

    std::vector<Document> take() { return std::move(documents_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_.size() >= limits_.documents)
            throw Stop{mark_of(mark), fmt::format("more than {} documents in one file", limits_.documents), {}};
        anchors_.clear();
        stack_.clear();
        root_ = Node{};
    }
    void OnDocumentEnd() override { documents_.push_back({std::move(root_), {}}); }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        Node node;
        node.mark = mark_of(mark);
        add(std::move(node), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end())
            throw Stop{mark_of(mark), "an alias to something that is not complete yet",
                       "an anchor cannot contain its own alias"};
        count(found->second.second, mark_of(mark));
        Node copy = found->second.first;
        copy.mark = mark_of(mark);
        if (expects_key() && !copy.is_scalar()) throw Stop{copy.mark, "a key that is not text", {}};
        place(std::move(copy));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        Node node = Node::string(value);
        node.mark = mark_of(mark);
        node.plain = tag == "?" || tag == "tag:yaml.org,2002:int" || tag == "tag:yaml.org,2002:float" ||
                     tag == "tag:yaml.org,2002:bool";
        if (!node.plain && tag != "!" && tag != "tag:yaml.org,2002:str") refuse_tag(node.mark, tag);
        add(std::move(node), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        start(Node::list(), mark, tag, anchor);
    }
    void OnSequenceEnd() override { end(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        start(Node::map(), mark, tag, anchor);
    }
    void OnMapEnd() override { end(); }

  private:
    /// A container that is still open. It moves into its parent when it ends.
    struct Open {
        Node node;
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0;
        bool has_key = false;
        std::string key;
        Mark key_mark;
        std::map<std::string, Mark, std::less<>> seen;
    };

    [[noreturn]] static void refuse_tag(Mark mark, const std::string& tag) {
        throw Stop{mark, fmt::format("the tag '{}' means nothing in a manifest", tag), "remove it"};
    }

    void count(std::size_t nodes, Mark mark) {
        nodes_ += nodes;
        if (nodes_ > limits_.nodes) {
            throw Stop{mark, fmt::format("more than {} values once aliases are expanded", limits_.nodes),
                       "no manifest is that large; an alias bomb is"};
        }
    }

    bool expects_key() const { return !stack_.empty() && stack_.back().node.is_map() && !stack_.back().has_key; }

    void start(Node node, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        node.mark = mark_of(mark);
        if (tag != "?" && tag != "!" && !tag.empty() && tag != "tag:yaml.org,2002:map" &&
            tag != "tag:yaml.org,2002:seq")
            refuse_tag(node.mark, tag);
        if (expects_key()) throw Stop{node.mark, "a key that is not text", "write keys as plain words"};
        if (stack_.size() >= limits_.depth)
            throw Stop{node.mark, fmt::format("nested more than {} deep", limits_.depth), {}};
        count(1, node.mark);
        Open open;
        open.node = std::move(node);
        open.anchor = anchor;
        open.nodes_before = nodes_ - 1;
        stack_.push_back(std::move(open));
    }

    void end() {
        Open open = std::move(stack_.back());
        stack_.pop_back();
        remember(open.node, open.anchor, nodes_ - open.nodes_before);
        place(std::move(open.node));
    }

    void add(Node node, YAML::anchor_t anchor) {
        count(1, node.mark);
        remember(node, anchor, 1);
        place(std::move(node));
    }

    void remember(const Node& node, YAML::anchor_t anchor, std::size_t nodes) {
        if (anchor == 0) return;
        count(nodes, node.mark);  // the copy kept for later aliases is memory too
        anchors_[anchor] = {node, nodes};
    }

    void place(Node node) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& open = stack_.back();
        if (open.node.is_list()) {
            open.node.items.push_back(std::move(node));
        } else if (!open.has_key) {
            open.has_key = true;
            open.key = node.is_null() ? "null" : std::move(node.text);
            open.key_mark = node.mark;
            // YAML readers, ours included, take no longer key without a '?'; control characters in one are never meant.
            constexpr std::size_t kLongestKey = 500;
            if (open.key.size() > kLongestKey || std::any_of(open.key.begin(), open.key.end(), [](char c) {
                    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                })) {
                throw Stop{open.key_mark, "a key of more than 500 characters, or with control characters", {}};
            }
            if (open.key == "<<")
                throw Stop{open.key_mark, "a merge key",
                           "write the fields out: the API server and we would have to agree on what wins"};
        } else {
            open.has_key = false;
            const auto [seen, fresh] = open.seen.try_emplace(open.key, open.key_mark);
            if (!fresh) {
                out_.error(open.key_mark, {},
                           fmt::format("the key '{}' stands twice in the same map, first in line {}", open.key,
                                       seen->second.line),
                           "one of the two would be lost without a word; keep one");
                return;
            }
            open.node.entries.push_back({std::move(open.key), open.key_mark, std::move(node)});
        }
    }

    Diagnostics& out_;
    YamlLimits limits_;
    std::vector<Document> documents_;
    Node root_;
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, std::pair<Node, std::size_t>> anchors_;
    std::size_t nodes_ = 0;
};

struct Comment {
    int line;
    bool whole_line;
    std::string text;
};

/// yaml-cpp throws comments away, so we look for them ourselves: a '#' at the start of a line or behind a blank,
/// outside quotes and outside block scalars.
std::vector<Comment> find_comments(std::string_view source) {
    std::vector<Comment> comments;
    char quote = 0;
    int block_indent = -1;  // indentation of the line that opened a block scalar
    int number = 0;
    while (!source.empty()) {
        ++number;
        const auto end = source.find('\n');
        auto line = source.substr(0, end);
        source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const auto first = line.find_first_not_of(" \t");
        if (first == std::string_view::npos) continue;
        if (block_indent >= 0) {
            if (static_cast<int>(first) > block_indent) continue;
            block_indent = -1;
        }
        std::size_t hash = std::string_view::npos;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const char c = line[i];
            if (quote != 0) {
                if (c == '\\' && quote == '"') {
                    ++i;
                } else if (c == quote) {
                    quote = 0;
                }
            } else if (c == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t')) {
                hash = i;
                break;
            } else if ((c == '"' || c == '\'') &&
                       (i == first || std::string_view(" \t[{,:-").find(line[i - 1]) != std::string_view::npos)) {
                quote = c;
            }
        }
        if (hash != std::string_view::npos) {
            auto text = line.substr(hash + 1);
            if (text.starts_with(' ')) text.remove_prefix(1);
            while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
            comments.push_back({number, hash == first, std::string(text)});
        }
        auto code = line.substr(0, hash);
        while (!code.empty() && (code.back() == ' ' || code.back() == '\t')) code.remove_suffix(1);
        while (!code.empty() &&
               (code.back() == '-' || code.back() == '+' || (code.back() >= '1' && code.back() <= '9')))
            code.remove_suffix(1);
        if (quote == 0 && code.size() >= 2 && (code.back() == '|' || code.back() == '>') &&
            (code[code.size() - 2] == ' ' || code[code.size() - 2] == '\t')) {
            block_indent = static_cast<int>(first);
        }
    }
    return comments;
}

struct Place {
    int line;
    Node* node;
};

void collect_places(Node& node, std::vector<Place>& places) {
    for (auto& entry : node.entries) {
        places.push_back({entry.mark.line, &entry.value});
        collect_places(entry.value, places);
    }
    for (auto& item : node.items) {
        // The first key of a map in a list stands on the dash's line; its comment belongs above the dash.
        places.push_back({item.mark.line, &item});
        collect_places(item, places);
    }
}

void attach_comments(std::vector<Document>& documents, const std::vector<Comment>& comments) {
    std::size_t next = 0;
    for (std::size_t d = 0; d < documents.size(); ++d) {
        std::vector<Place> places;
        collect_places(documents[d].root, places);
        const int end = d + 1 < documents.size() ? documents[d + 1].root.mark.line : std::numeric_limits<int>::max();
        std::size_t at = 0;
        for (; next < comments.size() && comments[next].line < end; ++next) {
            const auto& comment = comments[next];
            if (comment.whole_line) {
                while (at < places.size() && places[at].line <= comment.line) ++at;
                if (at < places.size()) {
                    places[at].node->comments.push_back(comment.text);
                } else {
                    documents[d].footer.push_back(comment.text);
                }
            } else {
                Node* owner = nullptr;
                for (std::size_t i = at > 0 ? at - 1 : 0; i < places.size() && places[i].line <= comment.line; ++i) {
                    if (places[i].line == comment.line) owner = places[i].node;
                }
                if (owner && owner->trailing.empty()) owner->trailing = comment.text;
            }
        }
    }
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto c = static_cast<unsigned char>(text[i]);
        const std::size_t length = c < 0x80 ? 1 : (c >> 5) == 6 ? 2 : (c >> 4) == 14 ? 3 : (c >> 3) == 30 ? 4 : 0;
        if (c == 0 || length == 0 || i + length > text.size()) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) >> 6) != 2) return false;
        }
        i += length;
    }
    return true;
}

}  // namespace

std::vector<Document> read_yaml(std::string_view source, Diagnostics& out, const YamlLimits& limits) {
    if (source.size() > limits.bytes) {
        out.error({}, {},
                  fmt::format("{} bytes, more than the {} that a manifest may have", source.size(), limits.bytes),
                  "the API server takes no object of more than 1.5 MiB either");
        return {};
    }
    if (!is_utf8(source)) {
        out.error({}, {}, "this is not UTF-8 text");
        return {};
    }
    Builder builder(out, limits);
    try {
        std::istringstream in{std::string(source)};
        YAML::Parser parser(in);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop& stop) {
        out.error(stop.mark, {}, stop.what, stop.help);
    } catch (const YAML::Exception& problem) {
        out.error(mark_of(problem.mark), {}, fmt::format("not valid YAML: {}", problem.msg));
    } catch (const std::exception& problem) {
        out.error({}, {}, fmt::format("the YAML reader gave up: {}", problem.what()));
    }
    auto documents = builder.take();
    std::erase_if(documents, [](const Document& document) { return document.root.is_null(); });
    attach_comments(documents, find_comments(source));
    return documents;
}

}  // namespace penumbra::kube
