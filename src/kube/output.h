#pragma once

#include <string>
#include <vector>

#include "kube/convert.h"
#include "kube/fix.h"

namespace penumbra::kube {

/// Several objects as one file: a header that says what made it from what, then the documents.
std::string write_objects(const std::vector<Node>& objects, const std::vector<std::string>& header);
/// The input's objects as they are, comments in place: what --fix --check prints.
std::string write_input(const Input& input, const std::vector<std::string>& header);
/// `penumbra convert --replicas 3` of `cassandra.yaml` (12 bytes, crc32 1234abcd): no time and no host, so that the
/// same input gives the same file.
std::vector<std::string> provenance(const std::string& command_line, const std::vector<Input>& inputs);
/// Comments of the source that no field carried go above the cluster, so that nothing a human wrote is lost.
void keep_lost_comments(const Document& source, Conversion& conversion, std::string_view cluster_kind);

std::string render_fixes(const std::string& file, const std::vector<Fix>& fixes);

}  // namespace penumbra::kube
