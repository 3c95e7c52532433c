#include "kube/to_scylla_parts.h"

#include <algorithm>

#include <fmt/format.h>

#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

void append(Node& to, const Node* from) {
    if (!from || !from->is_list()) return;
    for (const auto& item : from->items) to.push(item);
}

std::string text_of(const Node& root, std::string_view path) {
    const Node* node = root.at(path);
    return node && node->is_scalar() ? node->text : std::string();
}

}  // namespace

void merge_affinity(Node& placement, const std::vector<Node>& requirements) {
    Node& terms = placement["nodeAffinity"][kRequired]["nodeSelectorTerms"];
    if (terms.empty()) terms.push(Node::map());
    for (auto& term : terms.items) {
        for (const auto& requirement : requirements) term["matchExpressions"].push(requirement);
    }
}

void merge_source_affinity(Node& placement, const Node& affinity) {
    if (const Node* terms = affinity.at(fmt::format("nodeAffinity.{}.nodeSelectorTerms", kRequired));
        terms && terms->is_list() && !terms->empty()) {
        // Terms are alternatives, expressions within one must all hold: (ours) and (a or b) is (ours and a) or (ours
        // and b).
        const Node ours = placement["nodeAffinity"][kRequired]["nodeSelectorTerms"];
        Node merged = Node::list();
        for (const auto& our_term : ours.items) {
            for (const auto& term : terms->items) {
                Node both = our_term;
                for (const auto* kind : {"matchExpressions", "matchFields"}) {
                    if (const Node* list = term.find(kind)) append(both[kind], list);
                }
                merged.push(std::move(both));
            }
        }
        placement["nodeAffinity"][kRequired].set("nodeSelectorTerms", std::move(merged));
    }
    if (const Node* preferred = affinity.at(fmt::format("nodeAffinity.{}", kPreferred)))
        append(placement["nodeAffinity"][kPreferred], preferred);
    for (const auto* kind : {"podAffinity", "podAntiAffinity"}) {
        for (const auto how : {kRequired, kPreferred}) {
            if (const Node* list = affinity.at(fmt::format("{}.{}", kind, how)); list && !list->empty())
                append(placement[kind][how], list);
        }
    }
}

std::pair<std::string, std::string> split_rack(std::string_view text) {
    const auto equals = std::min(text.find('='), text.size());
    return {std::string(text.substr(0, equals)), std::string(text.substr(std::min(equals + 1, text.size())))};
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        int value = -1;
        if (c >= 'A' && c <= 'Z') value = c - 'A';
        if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
        if (c >= '0' && c <= '9') value = c - '0' + 52;
        if (c == '+') value = 62;
        if (c == '/') value = 63;
        if (c == '=' || c == '\n' || c == '\r' || c == ' ') continue;
        if (value < 0) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out += static_cast<char>((bits >> have) & 0xff);
        }
    }
    return out;
}

std::optional<Node> read_config_secret(const Input& input, std::string_view secret_name) {
    const Manifest* secret = input.find("Secret", secret_name);
    if (!secret) return std::nullopt;
    std::optional<std::string> text;
    if (const Node* plain = secret->root().at("stringData.config"); plain && plain->is_scalar()) text = plain->text;
    if (const Node* encoded = secret->root().at("data.config"); encoded && encoded->is_scalar())
        text = decode_base64(encoded->text);
    if (!text) return std::nullopt;
    Diagnostics ignored;
    auto documents = read_yaml(*text, ignored);  // JSON is YAML
    if (ignored.errors() > 0 || documents.size() != 1 || !documents.front().root.is_map()) return std::nullopt;
    return std::move(documents.front().root);
}

void convert_reaper_and_medusa(const Input& input, const std::string& dc, Report& report, Node& repairs, Node& backups,
                               const std::string& backup_location) {
    std::string location = backup_location;
    for (const auto& manifest : input.manifests) {
        if (manifest.kind != "MedusaConfiguration" || !location.empty()) continue;
        auto provider = text_of(manifest.root(), "spec.storageProperties.storageProvider");
        const auto bucket = text_of(manifest.root(), "spec.storageProperties.bucketName");
        if (provider == "google_storage") provider = "gcs";
        if (provider.starts_with("s3")) provider = "s3";
        const bool plain = !bucket.empty() && bucket.find(':') == std::string::npos;
        if (plain && (provider == "s3" || provider == "gcs")) location = fmt::format("{}:{}", provider, bucket);
    }
    for (const auto& manifest : input.manifests) {
        const Node& root = manifest.root();
        if (manifest.kind == "MedusaBackupSchedule" && text_of(root, "spec.backupSpec.cassandraDatacenter") == dc) {
            const auto cron = text_of(root, "spec.cronSchedule");
            const auto from = fmt::format("MedusaBackupSchedule {}", manifest.name());
            if (location.empty()) {
                report.add({Verdict::decision,
                            from,
                            root.mark,
                            cron,
                            "ScyllaCluster spec.backups",
                            {},
                            "the schedule is known and the bucket is not: add the MedusaConfiguration to the input, or "
                            "say --backup-location"});
                continue;
            }
            Node& task = backups.push(Node::map());
            auto name = to_dns_label(manifest.name());
            const auto taken = [&] {
                return std::any_of(backups.items.begin(), backups.items.end() - 1,
                                   [&](const Node& other) { return other.find("name")->text == name; });
            };
            while (taken()) name += "-2";
            task.set("name", Node::string(name));
            task.set("cron", Node::string(cron));
            task.set("location", Node::strings({location}));
            task.set("retention", Node::integer(3));
            report.add(
                {Verdict::changed, from, root.mark, cron, "ScyllaCluster spec.backups", location,
                 "the same schedule in ScyllaDB Manager; three backups are kept. Medusa's backups stay Cassandra's"});
        }
        if (manifest.kind == "Reaper" && repairs.empty()) {
            Node& task = repairs.push(Node::map());
            task.set("name", Node::string("weekly"));
            task.set("cron", Node::string("0 2 * * 6"));
            task.set("intensity", Node::string("1"));
            task.set("parallel", Node::integer(0));
            task.set("smallTableThreshold", Node::string("1GiB"));
            report.add({Verdict::changed,
                        fmt::format("Reaper {}", manifest.name()),
                        root.mark,
                        {},
                        "ScyllaCluster spec.repairs",
                        "weekly",
                        "ScyllaDB Manager repairs instead of Reaper: full repairs, since ScyllaDB has no incremental "
                        "ones. Reaper's own schedules live in its database and are not read"});
        }
    }
}

void order_keys(Node& map, std::initializer_list<std::string_view> first) {
    const auto rank = [&](const Node::Entry& entry) {
        const auto found = std::find(first.begin(), first.end(), std::string_view(entry.key));
        return found - first.begin();
    };
    std::stable_sort(map.entries.begin(), map.entries.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

}  // namespace penumbra::kube
