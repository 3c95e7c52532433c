#include "kube/validate.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/format.h>

#include "kube/model.h"
#include "kube/quantity.h"
#include "kube/server_yaml.h"
#include "kube/versions.h"

namespace penumbra::kube {

namespace {

std::string text_at(const Node& root, std::string_view path) {
    const Node* node = root.at(path);
    return node && node->is_scalar() ? node->text : std::string();
}

std::optional<Quantity> quantity_at(const Node& node, std::string_view path) {
    const Node* found = node.at(path);
    return found && found->is_scalar() ? Quantity::parse(found->text) : std::nullopt;
}

void check_names(const Node& root, Diagnostics& out) {
    const Node* name = root.at("metadata.name");
    const auto* metadata = root.entry("metadata");
    if (!name || !name->is_scalar()) {
        out.error(metadata ? metadata->mark : Mark{1, 1}, "metadata.name", "required, and not there",
                  "every object has a name");
    } else if (!is_dns_label(name->text)) {
        out.error(name->mark, "metadata.name", fmt::format("`{}` is no DNS label", name->text),
                  fmt::format("lower-case letters, digits and dashes: `{}`", to_dns_label(name->text)));
    }
    if (const Node* space = root.at("metadata.namespace"); space && space->is_scalar() && !is_dns_label(space->text)) {
        out.error(space->mark, "metadata.namespace", fmt::format("`{}` is no DNS label", space->text),
                  "lower-case letters, digits and dashes");
    }
}

/// Names of resources, and requests above limits, which the API server refuses whatever the operator thinks.
void check_resources(const Node& resources, const std::string& path, Diagnostics& out) {
    static const std::vector<std::string> known{"cpu", "memory", "ephemeral-storage"};
    for (const auto* part : {"requests", "limits"}) {
        const Node* amounts = resources.find(part);
        if (!amounts || !amounts->is_map()) continue;
        for (const auto& entry : amounts->entries) {
            const bool fits = std::find(known.begin(), known.end(), entry.key) != known.end() ||
                              entry.key.starts_with("hugepages-") || entry.key.find('/') != std::string::npos;
            if (fits) continue;
            const auto nearest = nearest_name(entry.key, known);
            out.error(entry.mark, join_path(path + "." + part, entry.key),
                      fmt::format("a container has no resource `{}`", entry.key),
                      nearest.empty() ? "cpu, memory, ephemeral-storage, hugepages-*, or a name with a domain"
                                      : fmt::format("did you mean `{}`?", nearest));
        }
    }
    const Node* requests = resources.find("requests");
    if (!requests || !requests->is_map()) return;
    for (const auto& entry : requests->entries) {
        const auto request = entry.value.is_scalar() ? Quantity::parse(entry.value.text) : std::nullopt;
        const auto limit = quantity_at(resources, join_path("limits", entry.key));
        if (request && limit && *request > *limit) {
            out.error(entry.value.mark, join_path(path + ".requests", entry.key),
                      fmt::format("requests {} and allows itself less", entry.value.text),
                      "the API server refuses a request above its limit");
        }
    }
}

void check_unique_names(const Node& list, const std::string& path, std::string_view what, Diagnostics& out) {
    std::map<std::string, Mark> seen;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
        const Node* name = list.items[i].find("name");
        if (!name || !name->is_scalar()) continue;
        const auto [first, fresh] = seen.try_emplace(name->text, name->mark);
        if (!fresh) {
            out.error(
                name->mark, join_path(path, i) + ".name",
                fmt::format("two {} are called `{}`, the other in line {}", what, name->text, first->second.line));
        }
    }
}

void check_cassandra_yaml(const Node& yaml, const std::string& path, const std::optional<Version>& version,
                          Diagnostics& out) {
    static const auto names = cassandra_key_names();
    for (const auto& entry : yaml.entries) {
        const auto below = join_path(path, entry.key);
        const auto* key = find_cassandra_key(entry.key);
        if (!key) {
            const auto nearest = nearest_name(entry.key, names);
            // The lists of 3.11 and 4.0 are complete; later releases keep adding keys, so there only a likely slip is
            // an error.
            if (nearest.empty() && version && *version >= Version{4, 1, 0}) {
                out.warning(entry.mark, below, fmt::format("`{}` is no key of cassandra.yaml that we know", entry.key),
                            "Cassandra does not start with a key that it does not know");
                continue;
            }
            out.error(entry.mark, below, fmt::format("cassandra.yaml has no key `{}`", entry.key),
                      nearest.empty() ? "Cassandra does not start with a key that it does not know"
                                      : fmt::format("did you mean `{}`?", nearest));
            continue;
        }
        if (!version) continue;
        const bool new_style = entry.key == key->new_name && key->new_name != key->name;
        if ((new_style || key->since_41) && *version < Version{4, 1, 0}) {
            out.error(entry.mark, below,
                      fmt::format("Cassandra {}.{} does not know `{}`, which came with 4.1", version->major,
                                  version->minor, entry.key),
                      key->since_41 ? "" : fmt::format("write `{}`", key->name));
        }
        if (key->until_311 && version->major > 3)
            out.error(entry.mark, below, fmt::format("`{}` is gone since Cassandra 4.0", entry.key), "remove it");
        if (key->name == "partitioner" && entry.value.is_scalar() &&
            !entry.value.text.ends_with("Murmur3Partitioner")) {
            out.warning(entry.value.mark, below,
                        fmt::format("`{}`: ScyllaDB has Murmur3Partitioner alone", entry.value.text),
                        "rows are placed anew by the copy; token ranges of jobs do not carry over");
        }
    }
}

void check_config(const Node& config, std::string_view server_type, const std::optional<Version>& version,
                  Diagnostics& out) {
    if (!config.is_map()) {
        if (!config.is_null()) out.error(config.mark, "spec.config", "expected a map of configuration files");
        return;
    }
    for (const auto& entry : config.entries) {
        const auto path = join_path("spec.config", entry.key);
        const auto& sections = config_sections();
        if (std::find(sections.begin(), sections.end(), entry.key) == sections.end()) {
            const auto nearest = nearest_name(entry.key, sections);
            out.error(entry.mark, path, fmt::format("there is no configuration file `{}`", entry.key),
                      nearest.empty() ? "" : fmt::format("did you mean `{}`?", nearest));
            continue;
        }
        if (!entry.value.is_map() && !entry.value.is_null() && entry.key != "logback-xml")
            out.error(entry.value.mark, path, "expected a map");
        if (version && server_type != "hcd") {
            if (entry.key == "jvm-options" && (version->major >= 4 || server_type == "dse")) {
                out.error(
                    entry.mark, path,
                    fmt::format("`jvm-options` is for Cassandra 3.11; this is {}.{}", version->major, version->minor),
                    version->major >= 5
                        ? "`jvm-server-options` holds the heap, `jvm11-server-options` or `jvm17-server-options` the "
                          "garbage collector"
                        : "`jvm-server-options` holds the heap, `jvm11-server-options` the garbage collector");
            }
            if (entry.key.starts_with("jvm") && entry.key != "jvm-options" && version->major == 3) {
                out.error(entry.mark, path, fmt::format("`{}` came with Cassandra 4.0; this is 3.11", entry.key),
                          "write `jvm-options`");
            }
        }
        if (entry.key.starts_with("dse-") && server_type == "cassandra")
            out.error(entry.mark, path, fmt::format("`{}` is for DSE", entry.key), "remove it");
        if (entry.key == "cassandra-yaml") check_cassandra_yaml(entry.value, path, version, out);
    }
}

bool valid_cron(std::string_view text) {
    if (text.starts_with("@")) {
        static const std::set<std::string_view> known{"@yearly", "@annually", "@monthly", "@weekly",
                                                      "@daily",  "@midnight", "@hourly"};
        return known.contains(text) || text.starts_with("@every ");
    }
    std::size_t fields = 0;
    bool inside = false;
    for (const char c : text) {
        const bool blank = c == ' ';
        if (!blank && !inside) ++fields;
        inside = !blank;
        if (!blank && !std::isalnum(static_cast<unsigned char>(c)) &&
            std::string_view("*,-/?#LW").find(c) == std::string_view::npos)
            return false;
    }
    return fields == 5 || fields == 6;
}

void check_task(const Node& task, const std::string& path, Diagnostics& out) {
    if (const Node* cron = task.find("cron"); cron && cron->is_scalar()) {
        if (cron->text.find("TZ") != std::string::npos) {
            out.error(cron->mark, path + ".cron", "a time zone does not belong into the cron expression",
                      "set `timezone`");
        } else if (!valid_cron(cron->text)) {
            out.error(cron->mark, path + ".cron", fmt::format("`{}` is no cron expression", cron->text),
                      "five fields, such as \"0 3 * * 6\", or @weekly");
        }
        if (const Node* interval = task.find("interval"); interval && interval->is_scalar() && interval->text != "0") {
            out.error(interval->mark, path + ".interval", "both `cron` and `interval` are set",
                      "keep cron; interval is deprecated");
        }
    } else if (const Node* zone = task.find("timezone"); zone && !task.find("cron")) {
        out.error(zone->mark, path + ".timezone", "a time zone without cron", "set `cron`");
    }
}

bool valid_location(std::string_view text) {
    // [<dc>:]<provider>:<name>
    const auto last = text.rfind(':');
    if (last == std::string_view::npos || last + 1 == text.size()) return false;
    auto provider = text.substr(0, last);
    if (const auto colon = provider.rfind(':'); colon != std::string_view::npos) provider.remove_prefix(colon + 1);
    return provider == "s3" || provider == "gcs" || provider == "azure";
}

void check_expose(const Node& expose, Diagnostics& out) {
    auto service = text_at(expose, "nodeService.type");
    if (service.empty()) service = "ClusterIP";
    for (const auto* who : {"nodes", "clients"}) {
        const Node* type = expose.at(fmt::format("broadcastOptions.{}.type", who));
        if (!type || !type->is_scalar()) continue;
        const bool wrong = (type->text == "ServiceClusterIP" && service == "Headless") ||
                           (type->text == "ServiceLoadBalancerIngress" && service != "LoadBalancer");
        if (wrong) {
            out.error(type->mark, fmt::format("spec.exposeOptions.broadcastOptions.{}.type", who),
                      fmt::format("a node behind a {} Service has no address of kind {}", service, type->text),
                      service == "Headless" ? "broadcast PodIP"
                                            : "set nodeService.type to LoadBalancer, or broadcast ServiceClusterIP");
        }
    }
}

void check_rack(const Node& rack, const std::string& path, Diagnostics& out) {
    const Node* resources = rack.find("resources");
    if (resources && resources->is_map()) {
        check_resources(*resources, path + ".resources", out);
        const auto cpu = quantity_at(*resources, "limits.cpu");
        const auto memory = quantity_at(*resources, "limits.memory");
        if (!cpu || !memory || cpu->milli == 0 || memory->milli == 0) {
            out.error(
                resources->mark, path + ".resources.limits", "cpu and memory limits are required",
                "the operator's webhook refuses a rack without them; ScyllaDB takes its shards and memory from them");
        } else {
            if (!cpu->is_whole()) {
                out.warning(resources->mark, path + ".resources.limits.cpu",
                            "not a whole number of CPUs, so none are pinned",
                            "without pinning ScyllaDB's reactors share their cores");
            }
            const auto request_cpu = quantity_at(*resources, "requests.cpu");
            const auto request_memory = quantity_at(*resources, "requests.memory");
            if ((request_cpu && *request_cpu != *cpu) || (request_memory && *request_memory != *memory)) {
                out.warning(resources->mark, path + ".resources",
                            "requests differ from limits: no Guaranteed QoS, so CPU pinning is silently off",
                            "make them equal");
            }
            if (*memory < Quantity::whole(cpu->ceil() * (std::int64_t(1) << 29))) {
                out.warning(resources->mark, path + ".resources.limits.memory", "less than 0.5 GiB per CPU",
                            "ScyllaDB's minimum for production is 0.5 GiB per shard, 2 GiB are recommended");
            }
        }
    }
    const Node* agent = rack.find("agentResources");
    if (agent && agent->is_map()) check_resources(*agent, path + ".agentResources", out);
    const bool agent_guaranteed = agent && agent->at("limits.cpu") && agent->at("limits.memory");
    if (resources && resources->at("limits.cpu") && !agent_guaranteed) {
        out.warning(agent ? agent->mark : rack.mark, path + ".agentResources",
                    "the agent's container has no limits: no Guaranteed QoS, so CPU pinning is silently off",
                    "set agentResources with requests equal to limits, such as 100m and 256Mi");
    }
    if (const Node* members = rack.find("members"); members && members->as_integer() == 0) {
        out.warning(members->mark, path + ".members", "a rack without nodes");
    }
}

}  // namespace

std::string Manifest::name() const {
    return text_at(document.root, "metadata.name");
}

const Manifest* Input::find(std::string_view kind, std::string_view name) const {
    for (const auto& manifest : manifests) {
        if (manifest.kind == kind && manifest.name() == name) return &manifest;
    }
    return nullptr;
}

bool is_dns_label(std::string_view text) {
    if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string to_dns_label(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto low = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if ((low >= 'a' && low <= 'z') || (low >= '0' && low <= '9')) {
            out += low;
        } else if (!out.empty() && out.back() != '-') {
            out += '-';
        }
        if (out.size() == 63) break;
    }
    while (!out.empty() && out.back() == '-') out.pop_back();
    return out.empty() ? "cluster" : out;
}

const std::vector<std::string>& config_sections() {
    static const std::vector<std::string> sections{
        "cassandra-yaml",       "cassandra-env-sh",    "jvm-options",
        "jvm-server-options",   "jvm8-server-options", "jvm11-server-options",
        "jvm17-server-options", "logback-xml",         "dse-yaml",
        "dse-default",          "dse-env-sh"};
    return sections;
}

Input read_input(std::string file, std::string source) {
    Input input;
    input.file = std::move(file);
    input.source = std::move(source);
    input.diagnostics = Diagnostics(input.file);
    for (auto& document : read_yaml(input.source, input.diagnostics)) {
        Manifest manifest;
        manifest.document = std::move(document);
        const Node& root = manifest.document.root;
        if (!root.is_map()) {
            input.diagnostics.error(root.mark, {}, "a document that is not an object",
                                    "a manifest starts with apiVersion and kind");
            continue;
        }
        manifest.api_version = text_at(root, "apiVersion");
        manifest.kind = text_at(root, "kind");
        manifest.type = Schema::instance().kind(manifest.api_version, manifest.kind);
        input.manifests.push_back(std::move(manifest));
    }
    return input;
}

void validate(Input& input) {
    auto& out = input.diagnostics;
    for (const auto& manifest : input.manifests) {
        const Node& root = manifest.root();
        const Mark top = root.entries.empty() ? Mark{1, 1} : root.entries.front().mark;
        if (manifest.api_version.empty() || manifest.kind.empty()) {
            out.error(top, {}, "an object without apiVersion and kind",
                      fmt::format("a CassandraDatacenter is `{}`, a ScyllaCluster `{}`", kCassandraApi, kScyllaApi));
            continue;
        }
        if (!manifest.type) {
            const auto known = Schema::instance().kinds();
            for (const auto& name : known) {
                // The right kind under another version or group, or the other way round, is a mistake; other kinds are
                // just not ours.
                if (name.ends_with(" " + manifest.kind)) {
                    out.error(root.find("apiVersion")->mark, "apiVersion",
                              fmt::format("{} is not `{}`", manifest.kind, manifest.api_version),
                              fmt::format("`{}`", name.substr(0, name.find(' '))));
                }
            }
            const auto nearest = nearest_name(manifest.kind, {"CassandraDatacenter", "ScyllaCluster"});
            if (manifest.api_version == kCassandraApi || manifest.api_version == kScyllaApi) {
                out.error(root.find("kind")->mark, "kind",
                          fmt::format("{} has no kind `{}` that we know", manifest.api_version, manifest.kind),
                          nearest.empty() ? "" : fmt::format("did you mean {}?", nearest));
            } else if (std::none_of(known.begin(), known.end(),
                                    [&](const auto& name) { return name.ends_with(" " + manifest.kind); })) {
                out.note(root.find("kind")->mark, "kind",
                         fmt::format("{} is passed over: not a kind that a conversion uses", manifest.kind));
            }
            continue;
        }
        check_shape(root, *manifest.type, {}, top, out);
        if (manifest.is_cassandra()) check_cassandra_datacenter(root, out);
        if (manifest.is_scylla()) check_scylla_cluster(root, out);
        const Node* schedule = manifest.kind == "MedusaBackupSchedule" ? root.at("spec.cronSchedule") : nullptr;
        if (schedule && schedule->is_scalar() && !valid_cron(schedule->text)) {
            out.error(schedule->mark, "spec.cronSchedule", fmt::format("`{}` is no cron expression", schedule->text));
        }
    }
    std::set<std::string> seen;
    for (const auto& manifest : input.manifests) {
        const auto id =
            fmt::format("{} {}/{}", manifest.kind, text_at(manifest.root(), "metadata.namespace"), manifest.name());
        if (!manifest.name().empty() && !seen.insert(id).second) {
            out.error(manifest.root().find("metadata")->mark, "metadata.name",
                      fmt::format("{} stands twice in this file", id), "the later one would overwrite the earlier");
        }
    }
    if (input.manifests.empty() && out.errors() == 0) out.error({}, {}, "no manifest in this file");
}

void check_cassandra_datacenter(const Node& root, Diagnostics& out) {
    check_names(root, out);
    const Node* spec = root.find("spec");
    if (!spec || !spec->is_map()) return;
    const auto server_type = text_at(*spec, "serverType");
    const Node* version_node = spec->find("serverVersion");
    std::optional<Version> version;
    if (version_node && version_node->is_scalar()) {
        version = Version::parse(version_node->text);
        const auto problem =
            cassandra_version_problem(server_type.empty() ? "cassandra" : server_type, version_node->text);
        if (!problem.empty())
            out.error(version_node->mark, "spec.serverVersion",
                      fmt::format("`{}` does not run with serverType {}", version_node->text,
                                  server_type.empty() ? "cassandra" : server_type),
                      problem);
    }
    if (const auto* config = spec->entry("config")) {
        check_config(config->value, server_type.empty() ? "cassandra" : server_type, version, out);
        if (const auto* secret = spec->entry("configSecret")) {
            out.warning(secret->mark, "spec.configSecret",
                        "both config and configSecret are set, and cass-operator uses the secret alone", "remove one");
        }
    }
    if (const auto* storage = spec->entry("storageConfig"); storage && storage->value.is_map()) {
        const Node* claim = storage->value.find("cassandraDataVolumeClaimSpec");
        if (!claim) {
            out.error(storage->mark, "spec.storageConfig.cassandraDataVolumeClaimSpec", "required, and not there",
                      "the volume of each node");
        } else if (claim->is_map() && !quantity_at(*claim, "resources.requests.storage")) {
            out.error(claim->mark, "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage",
                      "required, and not there", "how large each node's volume is, such as 1Ti");
        }
        if (const Node* volumes = storage->value.find("additionalVolumes")) {
            for (std::size_t i = 0; i < volumes->items.size(); ++i) {
                const auto& volume = volumes->items[i];
                const bool claim_set = volume.find("pvcSpec") != nullptr,
                           source_set = volume.find("volumeSource") != nullptr;
                if (claim_set == source_set) {
                    out.error(
                        volume.mark, join_path("spec.storageConfig.additionalVolumes", i),
                        claim_set ? "both pvcSpec and volumeSource are set" : "neither pvcSpec nor volumeSource is set",
                        "exactly one of them");
                }
            }
        }
    }
    if (const Node* racks = spec->find("racks"); racks && racks->is_list()) {
        check_unique_names(*racks, "spec.racks", "racks", out);
        const Node* size = spec->find("size");
        const auto nodes = size ? size->as_integer() : std::nullopt;
        if (nodes && *nodes < static_cast<std::int64_t>(racks->items.size())) {
            out.warning(size->mark, "spec.size",
                        fmt::format("{} nodes in {} racks: some racks stay empty", *nodes, racks->items.size()));
        }
    }
    for (const auto* name : {"resources", "systemLoggerResources", "configBuilderResources"}) {
        if (const Node* resources = spec->find(name); resources && resources->is_map())
            check_resources(*resources, fmt::format("spec.{}", name), out);
    }
    const auto* multiple = spec->entry("allowMultipleNodesPerWorker");
    if (multiple && multiple->value.as_boolean().value_or(false)) {
        for (const auto* which : {"requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}) {
            const Node* resources = spec->find("resources");
            const auto amount = resources ? quantity_at(*resources, which) : std::nullopt;
            if (!amount || amount->milli == 0) {
                out.error(multiple->mark, "spec.allowMultipleNodesPerWorker",
                          fmt::format("needs spec.resources.{}", which),
                          "cass-operator's webhook refuses several nodes on a worker without requests and limits");
            }
        }
    }
    if (const Node* services = spec->find("additionalServiceConfig"); services && services->is_map()) {
        for (const auto& service : services->entries) {
            for (const auto* map : {"additionalLabels", "additionalAnnotations"}) {
                const Node* entries = service.value.find(map);
                for (const auto& entry : entries ? entries->entries : std::vector<Node::Entry>{}) {
                    if (entry.key.starts_with("cassandra.datastax.com") || entry.key.starts_with("k8ssandra.io")) {
                        out.error(entry.mark, fmt::format("spec.additionalServiceConfig.{}.{}", service.key, map),
                                  fmt::format("`{}` is reserved", entry.key), "cass-operator's webhook refuses it");
                    }
                }
            }
        }
    }
    if (const Node* workloads = spec->find("dseWorkloads");
        workloads && workloads->is_map() && server_type == "cassandra") {
        for (const auto& workload : workloads->entries) {
            if (workload.value.as_boolean().value_or(false)) {
                out.error(workload.mark, join_path("spec.dseWorkloads", workload.key),
                          "DSE workloads with serverType cassandra", "cass-operator's webhook refuses it");
            }
        }
    }
}

void check_scylla_cluster(const Node& root, Diagnostics& out) {
    check_names(root, out);
    const Node* spec = root.find("spec");
    if (!spec || !spec->is_map()) return;
    if (const Node* version = spec->find("version"); version && version->is_scalar()) {
        if (!Version::parse(version->text) && version->plain && version->scalar_type() != ScalarType::string) {
            // check_shape has said that this must be text; two parts would not do either.
            out.note(version->mark, "spec.version", "a version has three parts",
                     fmt::format("such as \"{}\"", kScyllaVersion));
        } else if (const auto remark = scylla_version_remark(version->text); !remark.empty()) {
            out.warning(version->mark, "spec.version", remark);
        }
    }
    if (const Node* agent = spec->find("agentVersion"); !agent || agent->text == "latest") {
        out.warning(agent ? agent->mark : spec->mark, "spec.agentVersion",
                    "not pinned, so the agent is whatever `latest` is on the day a pod starts",
                    fmt::format("such as {}", kAgentVersion));
    }
    if (const Node* racks = spec->at("datacenter.racks"); racks && racks->is_list()) {
        if (racks->items.empty()) out.error(racks->mark, "spec.datacenter.racks", "no rack, so no node");
        check_unique_names(*racks, "spec.datacenter.racks", "racks", out);
        for (std::size_t i = 0; i < racks->items.size(); ++i)
            check_rack(racks->items[i], join_path("spec.datacenter.racks", i), out);
    }
    for (const auto* name : {"repairs", "backups"}) {
        const Node* tasks = spec->find(name);
        if (!tasks || !tasks->is_list()) continue;
        const auto path = fmt::format("spec.{}", name);
        check_unique_names(*tasks, path, name, out);
        for (std::size_t i = 0; i < tasks->items.size(); ++i) {
            const auto& task = tasks->items[i];
            const auto below = join_path(path, i);
            check_task(task, below, out);
            if (const Node* intensity = task.find("intensity");
                intensity && intensity->is_scalar() && scalar_type_of(intensity->text) != ScalarType::integer &&
                scalar_type_of(intensity->text) != ScalarType::number) {
                out.error(intensity->mark, below + ".intensity", fmt::format("`{}` is no number", intensity->text));
            }
            if (const Node* locations = task.find("location")) {
                for (const auto& location : locations->items) {
                    if (location.is_scalar() && !valid_location(location.text)) {
                        out.error(location.mark, below + ".location",
                                  fmt::format("`{}` is no place for a backup", location.text),
                                  "[<dc>:]<provider>:<bucket>, such as s3:my-bucket; providers are s3, gcs and azure");
                    }
                }
            }
        }
    }
    if (const Node* sysctls = spec->find("sysctls")) {
        for (const auto& sysctl : sysctls->items) {
            if (sysctl.is_scalar() && sysctl.text.find('=') == std::string::npos)
                out.error(sysctl.mark, "spec.sysctls", fmt::format("`{}` is not key=value", sysctl.text));
        }
    }
    if (const Node* expose = spec->find("exposeOptions"); expose && expose->is_map()) {
        check_expose(*expose, out);
        if (expose->at("cql.ingress") && !spec->find("dnsDomains"))
            out.error(expose->mark, "spec.dnsDomains", "required when CQL is exposed by Ingress");
    }
    if (const Node* certificate = spec->at("alternator.servingCertificate");
        certificate && text_at(*certificate, "type") == "UserManaged" && !certificate->find("userManagedOptions")) {
        out.error(certificate->mark, "spec.alternator.servingCertificate.userManagedOptions",
                  "required with type UserManaged");
    }
}

}  // namespace penumbra::kube
