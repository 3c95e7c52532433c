#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kube/diagnostics.h"
#include "kube/schema.h"
#include "kube/yaml.h"

namespace penumbra::kube {

/// One object of a file.
struct Manifest {
    Document document;
    std::string api_version;
    std::string kind;
    const Type* type = nullptr;  ///< nullptr: a kind that is none of our business

    const Node& root() const { return document.root; }
    std::string name() const;
    bool is_cassandra() const { return kind == "CassandraDatacenter"; }
    bool is_scylla() const { return kind == "ScyllaCluster"; }
};

/// A file of manifests as read, with all that is wrong in it.
struct Input {
    std::string file;
    std::string source;
    std::vector<Manifest> manifests;
    Diagnostics diagnostics;

    const Manifest* find(std::string_view kind, std::string_view name) const;
};

/// Reads a file's text and recognises the objects in it. Does not judge them yet.
Input read_input(std::string file, std::string source);
/// Judges every object: its shape against the schema, then the rules that the operators' webhooks and servers apply.
void validate(Input& input);

// The rules beyond shape, per kind.
void check_cassandra_datacenter(const Node& root, Diagnostics& out);
void check_scylla_cluster(const Node& root, Diagnostics& out);

/// The names that may stand in `spec.config` of a CassandraDatacenter.
const std::vector<std::string>& config_sections();

bool is_dns_label(std::string_view text);
/// `text` as a DNS label: lower case, dashes for what is not allowed.
std::string to_dns_label(std::string_view text);

}  // namespace penumbra::kube
