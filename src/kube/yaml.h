#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kube/diagnostics.h"
#include "kube/node.h"

namespace penumbra::kube {

/// What one file may hold. Far above any manifest, and far below what could hurt: aliases count as what they expand to.
struct YamlLimits {
    std::size_t bytes = 1 << 20;
    std::size_t nodes = 100'000;
    std::size_t depth = 64;
    std::size_t documents = 256;
};

/// One document of a file. `footer` are comments behind its last field.
struct Document {
    Node root;
    std::vector<std::string> footer;
};

/// Reads every document of a file. What is wrong goes to `out` with its place; the documents read before it are
/// returned. Duplicate keys, keys that are not text, unknown tags and endless aliases are errors. No exception leaves
/// this function.
std::vector<Document> read_yaml(std::string_view source, Diagnostics& out, const YamlLimits& limits = {});

/// Block style, two spaces, comments in place, text quoted only where YAML would read it as something else.
std::string write_yaml(const Node& node);
std::string write_json(const Node& node, int indent = 2);

}  // namespace penumbra::kube
