// Any bytes as a manifest: read, judge, repair and convert. Nothing may crash, hang or throw; what converts must pass
// our own checks again, and what we write must read back as the same tree.
#include <cstdlib>
#include <iostream>

#include "kube/convert.h"
#include "kube/fix.h"
#include "kube/measured.h"
#include "kube/output.h"
#include "kube/prices.h"
#include "kube/yaml.h"

using namespace penumbra::kube;

namespace {

void must(bool holds, const char* what, const std::string& text) {
    if (holds) return;
    std::cerr << "broken promise: " << what << "\n" << text << "\n";
    std::abort();
}

void round_trip(const Node& node) {
    const auto text = write_yaml(node);
    Diagnostics problems;
    const auto again =
        read_yaml(text, problems, {.bytes = 16u << 20, .nodes = 1'000'000, .depth = 256, .documents = 1});
    must(problems.errors() == 0, "what we write can be read", problems.render(text) + text);
    if (node.is_null()) return;
    must(again.size() == 1 && again[0].root.same(node), "what we write reads back the same", text);
}

void convert(const Input& input, const Manifest& manifest) {
    const ConvertOptions options;
    auto result = manifest.is_cassandra() ? convert_to_scylla(input, manifest, options)
                                          : convert_to_cassandra(input, manifest, options);
    if (!result) return;
    auto conversion = std::move(result).value();
    (void)conversion.report.text();
    (void)conversion.report.markdown();
    (void)write_json(conversion.report.json());
    keep_lost_comments(manifest.document, conversion,
                       manifest.is_cassandra() ? "ScyllaCluster" : "CassandraDatacenter");
    const auto text = write_objects(conversion.objects, {"fuzzed"});
    auto own = read_input("own", text);
    validate(own);
    must(own.diagnostics.errors() == 0, "a conversion of a valid manifest is valid",
         own.diagnostics.render(text) + "\nfrom\n" + input.source + "\nto\n" + text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string source(reinterpret_cast<const char*>(data), size);
    auto input = read_input("fuzz.yaml", source);
    (void)input.diagnostics.render(source);
    if (input.diagnostics.errors() == 0) {
        for (const auto& manifest : input.manifests) round_trip(manifest.root());
    }
    validate(input);
    (void)input.diagnostics.render(source);
    if (input.diagnostics.errors() == 0) {
        for (const auto& manifest : input.manifests) {
            if (manifest.is_cassandra() || manifest.is_scylla()) convert(input, manifest);
        }
    }
    auto repaired = read_input("fuzz.yaml", source);
    if (repaired.diagnostics.errors() == 0) {
        for (auto& manifest : repaired.manifests) (void)apply_fixes(manifest, {});
        validate(repaired);
        if (repaired.diagnostics.errors() == 0) {
            for (const auto& manifest : repaired.manifests) {
                if (manifest.is_cassandra() || manifest.is_scylla()) convert(repaired, manifest);
            }
        }
    }
    (void)parse_prices("fuzz", source);
    (void)load_from_nodetool({source});
    (void)load_from_metrics(source, source, 1);
    return 0;
}
