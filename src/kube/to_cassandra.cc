#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "kube/convert.h"
#include "kube/mapper.h"
#include "kube/model.h"
#include "kube/quantity.h"
#include "kube/scylla_config.h"
#include "kube/scylla_objects.h"
#include "kube/to_scylla_parts.h"
#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";

class ToCassandra {
  public:
    ToCassandra(const Input& input, const Manifest& source, const ConvertOptions& options)
        : input_(input), options_(options), root_(source.root()), map_(root_, result_.report) {
        dc_ = make_object(kCassandraApi, "CassandraDatacenter", {}, {});
        dc_.comments = root_.entries.empty() ? std::vector<std::string>{} : root_.entries.front().value.comments;
    }

    Result<Conversion> run() {
        if (root_.at("spec.alternator")) {
            return fail(Errc::unsupported,
                        fmt::format("{} serves Alternator (the DynamoDB API), which Cassandra has not",
                                    map_.text("metadata.name")));
        }
        metadata();
        server();
        if (auto status = count_nodes(); !status) return fail(status.error());
        racks();
        network();
        pods();
        roles();
        dropped();
        map_.account_for_rest("metadata");
        map_.account_for_rest("spec");
        order_keys(spec(), {"clusterName", "serverType", "serverVersion", "datacenterName", "size", "racks",
                            "storageConfig", "resources", "config"});
        result_.objects.push_back(std::move(dc_));
        return std::move(result_);
    }

  private:
    Node& spec() { return dc_["spec"]; }

    void metadata() {
        map_.changed("apiVersion", "CassandraDatacenter apiVersion", std::string(kCassandraApi),
                     "another operator's object");
        map_.changed("kind", "CassandraDatacenter kind", "CassandraDatacenter", "another operator's object");
        const auto dc = map_.text("spec.datacenter.name");
        const auto name = options_.name.empty() ? to_dns_label(dc) : options_.name;
        dc_["metadata"].set("name", Node::string(name));
        const auto name_space = options_.name_space.empty() ? map_.text("metadata.namespace") : options_.name_space;
        if (!name_space.empty()) dc_["metadata"].set("namespace", Node::string(name_space));
        if (map_.at("metadata.namespace")) {
            if (options_.name_space.empty()) {
                map_.mapped("metadata.namespace", "CassandraDatacenter metadata.namespace", "the same");
            } else {
                map_.changed("metadata.namespace", "CassandraDatacenter metadata.namespace", name_space,
                             "by --namespace");
            }
        }
        auto cluster_name = map_.text("metadata.name");
        const bool too_short = cluster_name.size() < 2;
        if (too_short) cluster_name = "cluster-" + cluster_name;
        spec().set("clusterName", Node::string(cluster_name));
        if (const Node* node = map_.at("metadata.name")) Mapper::carry_comments(*node, *spec().find("clusterName"));
        if (too_short) {
            map_.changed("metadata.name", "CassandraDatacenter spec.clusterName", cluster_name,
                         "cass-operator wants two characters at least: clients that check the name see another one");
        } else {
            map_.mapped("metadata.name", "CassandraDatacenter spec.clusterName",
                        "a ScyllaCluster's name is its cluster's name");
        }
        if (name == dc) {
            map_.mapped("spec.datacenter.name", "CassandraDatacenter metadata.name",
                        "must stay what the keyspaces' NetworkTopologyStrategy names");
        } else {
            spec().set("datacenterName", Node::string(dc));
            map_.changed("spec.datacenter.name", "CassandraDatacenter spec.datacenterName", dc,
                         "kept as an override, since it cannot be an object's name");
        }
        for (const auto* what : {"labels", "annotations"}) {
            const Node* entries = root_.at(fmt::format("metadata.{}", what));
            if (!entries || !entries->is_map()) continue;
            for (const auto& entry : entries->entries) {
                const auto path = join_path(fmt::format("metadata.{}", what), entry.key);
                if (entry.key == kSuperuserAnnotation || entry.key == kUsersAnnotation) continue;
                if (entry.key.find("scylladb.com/") != std::string::npos ||
                    entry.key == "kubectl.kubernetes.io/last-applied-configuration" ||
                    entry.key.starts_with("app.kubernetes.io/")) {
                    map_.dropped(path, "speaks to scylla-operator, or was written by tools");
                } else {
                    dc_["metadata"][what].set(entry.key, entry.value);
                    map_.mapped(path, fmt::format("CassandraDatacenter metadata.{}", what), "the same");
                }
            }
            if (entries->empty()) map_.dropped(fmt::format("metadata.{}", what), "empty");
        }
        for (const auto* field : {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
                                  "deletionGracePeriodSeconds", "managedFields", "selfLink", "ownerReferences",
                                  "finalizers", "generateName"}) {
            map_.drop_if_there(fmt::format("metadata.{}", field), "the API server's or the operator's to write");
        }
        map_.drop_if_there("status", "an operator writes it");
    }

    void server() {
        spec().set("serverType", Node::string("cassandra"));
        map_.added("CassandraDatacenter spec.serverType", "cassandra", "required");
        spec().set("serverVersion", Node::string(options_.cassandra_version));
        map_.decision("spec.version", "CassandraDatacenter spec.serverVersion", options_.cassandra_version,
                      "Cassandra's releases have nothing to do with ScyllaDB's: --cassandra-version says the one you "
                      "want. Tablets, and CQL that only ScyllaDB has, stay behind");
        map_.drop_if_there("spec.repository", "ScyllaDB's image");
        map_.drop_if_there("spec.agentVersion", "there is no ScyllaDB Manager Agent");
        map_.drop_if_there("spec.agentRepository", "there is no ScyllaDB Manager Agent");
    }

    /// A datacenter has one node at least, and as many as a 32-bit number holds.
    Status count_nodes() const {
        std::int64_t nodes = 0;
        const Node* list = root_.at("spec.datacenter.racks");
        for (const auto& rack : list ? list->items : std::vector<Node>{}) {
            const Node* members = rack.find("members");
            nodes += members ? members->as_integer().value_or(0) : 0;
        }
        if (nodes >= 1 && nodes <= std::numeric_limits<std::int32_t>::max()) return ok();
        return fail(Errc::unsupported,
                    fmt::format("{} has {} nodes in its racks, and a CassandraDatacenter has one at least",
                                map_.text("metadata.name"), nodes));
    }

    void racks() {
        const Node* list = root_.at("spec.datacenter.racks");
        std::int64_t size = 0;
        std::set<std::int64_t> members;
        Node racks = Node::list();  // a value: what else goes into the spec meanwhile moves its fields
        const Node* first_resources = nullptr;
        const Node* first_storage = nullptr;
        bool anti_affinity = true, same_tolerations = true;
        const Node* first_tolerations = nullptr;
        std::set<std::string> names;
        for (std::size_t i = 0; list && i < list->items.size(); ++i) {
            const Node& source = list->items[i];
            const auto path = join_path("spec.datacenter.racks", i);
            Node& rack = racks.push(Node::map());
            const auto name = map_.text(path + ".name");
            auto new_name = name.size() < 2 ? "rack-" + name : name;
            while (!names.insert(new_name).second) new_name += "-2";
            rack.set("name", Node::string(new_name));
            Mapper::carry_comments(source, rack);
            if (new_name == name) {
                map_.mapped(path + ".name", "CassandraDatacenter spec.racks[].name", "the same name");
            } else {
                map_.changed(
                    path + ".name", "CassandraDatacenter spec.racks[].name", new_name,
                    "cass-operator wants two characters at least. Replicas follow racks, so nothing else changes");
            }
            const auto count = map_.at(path + ".members") ? map_.at(path + ".members")->as_integer().value_or(0) : 0;
            size += count;
            members.insert(count);
            rack_placement(source, path, rack, anti_affinity);
            const Node* tolerations = source.at("placement.tolerations");
            if (i == 0) first_tolerations = tolerations;
            const bool same = (!tolerations && !first_tolerations) ||
                              (tolerations && first_tolerations && tolerations->same(*first_tolerations));
            same_tolerations = same_tolerations && same;
            if (tolerations)
                map_.mapped(path + ".placement.tolerations", "CassandraDatacenter spec.tolerations",
                            "for all racks alike");
            if (const Node* resources = source.find("resources")) {
                if (!first_resources) {
                    first_resources = resources;
                    map_.mapped(path + ".resources", "CassandraDatacenter spec.resources",
                                "for all racks alike; a JVM needs memory beside its heap");
                } else if (resources->same(*first_resources)) {
                    map_.mapped(path + ".resources", "CassandraDatacenter spec.resources",
                                "the same as the first rack's");
                } else {
                    map_.decision(path + ".resources", "CassandraDatacenter spec.resources", {},
                                  "cass-operator has one size of node for all racks: the first rack's was taken");
                }
            }
            if (const Node* storage = source.find("storage")) {
                const bool repeats = first_storage && storage->same(*first_storage);
                if (!first_storage) first_storage = storage;
                if (storage == first_storage || repeats) {
                    map_.mapped(path + ".storage.capacity",
                                "CassandraDatacenter spec.storageConfig.cassandraDataVolumeClaimSpec",
                                "the same size per node");
                } else {
                    map_.decision(path + ".storage.capacity",
                                  "CassandraDatacenter spec.storageConfig.cassandraDataVolumeClaimSpec", {},
                                  "cass-operator has one size of volume for all racks: the first rack's was taken");
                }
                map_.drop_if_there(path + ".storage.metadata", "cass-operator labels its claims itself");
            }
            map_.drop_if_there(path + ".agentResources", "there is no ScyllaDB Manager Agent");
            map_.drop_if_there(path + ".scyllaAgentConfig", "there is no ScyllaDB Manager Agent");
            map_.drop_if_there(path + ".agentVolumeMounts", "there is no ScyllaDB Manager Agent");
            map_.drop_if_there(path + ".exposeOptions", "cass-operator's Services are per datacenter");
            rack_config(source, path);
            rack_volumes(source, path, i == 0);
        }
        spec().set("racks", std::move(racks));
        const auto nodes = options_.replicas.value_or(size);
        spec().set("size", Node::integer(nodes));
        for (std::size_t i = 0; list && i < list->items.size(); ++i) {
            const auto path = join_path("spec.datacenter.racks", i) + ".members";
            if (!map_.at(path)) continue;
            if (options_.replicas) {
                map_.changed(path, "CassandraDatacenter spec.size", std::to_string(nodes), "by --replicas");
            } else if (members.size() > 1) {
                map_.decision(path, "CassandraDatacenter spec.size", std::to_string(nodes),
                              "summed; cass-operator spreads nodes evenly over racks, so the racks' sizes will not be "
                              "what they are here");
            } else {
                map_.mapped(path, "CassandraDatacenter spec.size",
                            "summed over the racks, which cass-operator fills evenly");
            }
        }
        if (!same_tolerations)
            map_.decision(
                {}, "CassandraDatacenter spec.tolerations", {},
                "racks differ in their tolerations: cass-operator has one list, and the first rack's was taken");
        Node tolerations = Node::list();
        const Node dedicated = make_dedicated_toleration();
        for (const auto& toleration : first_tolerations ? first_tolerations->items : std::vector<Node>{}) {
            if (!toleration.same(dedicated)) tolerations.push(toleration);
        }
        if (!tolerations.empty()) spec().set("tolerations", std::move(tolerations));
        if (!anti_affinity) {
            spec().set("allowMultipleNodesPerWorker", Node::boolean(true));
            map_.decision({}, "CassandraDatacenter spec.allowMultipleNodesPerWorker", "true",
                          "no rule here keeps two nodes off one worker; cass-operator keeps them apart unless told "
                          "otherwise, so take this out if you can");
        }
        storage_config(first_storage);
        resources(first_resources);
    }

    void rack_placement(const Node& source, const std::string& path, Node& rack, bool& anti_affinity) {
        const Node* placement = source.find("placement");
        bool apart = false;
        if (placement) {
            const auto below = path + ".placement";
            Node affinity = Node::map();
            if (const Node* terms = placement->at(fmt::format("nodeAffinity.{}.nodeSelectorTerms", kRequired));
                terms && terms->is_list()) {
                // One term of plain labels is what nodeAffinityLabels say; everything richer stays an affinity.
                bool plain = terms->items.size() == 1 && !terms->items[0].find("matchFields");
                Node labels = Node::map();
                if (plain) {
                    const Node* expressions = terms->items[0].find("matchExpressions");
                    for (const auto& expression : expressions ? expressions->items : std::vector<Node>{}) {
                        const Node* key = expression.find("key");
                        const Node* how = expression.find("operator");
                        const Node* values = expression.find("values");
                        plain = plain && key && how && values && how->text == "In" && values->items.size() == 1 &&
                                !labels.find(key->text);
                        if (!plain) break;
                        if (key->text == kNodeTypeLabel) continue;
                        labels.set(key->text, Node::string(values->items[0].text));
                    }
                }
                const auto from = fmt::format("{}.nodeAffinity.{}", below, kRequired);
                if (plain) {
                    if (!labels.empty()) rack.set("nodeAffinityLabels", std::move(labels));
                    map_.changed(
                        from, "CassandraDatacenter spec.racks[].nodeAffinityLabels", {},
                        fmt::format(
                            "one value each: labels say it more simply. {} chose ScyllaDB's workers and is left out",
                            kNodeTypeLabel));
                } else {
                    affinity["nodeAffinity"].set(kRequired, *placement->at(fmt::format("nodeAffinity.{}", kRequired)));
                    map_.mapped(from, "CassandraDatacenter spec.racks[].affinity", "the same rule");
                }
            }
            if (const Node* node = placement->find("nodeAffinity"); node && node->is_map()) {
                for (const auto& entry : node->entries) {
                    if (entry.key == kRequired) continue;
                    affinity["nodeAffinity"].set(entry.key, entry.value);
                    map_.mapped(fmt::format("{}.nodeAffinity.{}", below, entry.key),
                                "CassandraDatacenter spec.racks[].affinity", "the same rule");
                }
            }
            if (const Node* node = placement->find("podAffinity")) {
                affinity.set("podAffinity", *node);
                map_.mapped(below + ".podAffinity", "CassandraDatacenter spec.racks[].affinity",
                            "the same rule; labels of ScyllaDB's pods in it choose nothing any more");
            }
            if (const Node* node = placement->find("podAntiAffinity"); node && node->is_map()) {
                for (const auto& entry : node->entries) {
                    Node rest = Node::list();
                    for (const auto& term : entry.value.items) {
                        const Node* topology = term.find("topologyKey");
                        if (entry.key == kRequired && topology && topology->text == kHostnameLabel) {
                            apart = true;
                        } else {
                            rest.push(term);
                        }
                    }
                    if (!rest.empty()) affinity["podAntiAffinity"].set(entry.key, std::move(rest));
                }
                map_.changed(below + ".podAntiAffinity", "CassandraDatacenter spec.racks[].affinity", {},
                             "one node per worker is cass-operator's default, so that rule is left out; others stay");
            }
            if (!affinity.empty()) rack.set("affinity", std::move(affinity));
            if (placement->empty()) map_.dropped(below, "empty");
        }
        anti_affinity = anti_affinity && apart;
    }

    void rack_config(const Node& source, const std::string& path) {
        const Node* name = source.find("scyllaConfig");
        if (!name || !name->is_scalar() || name->text.empty()) {
            map_.drop_if_there(path + ".scyllaConfig", "empty");
            return;
        }
        const auto from = path + ".scyllaConfig";
        if (!config_from_.empty()) {
            if (name->text == config_from_) {
                map_.changed(from, "CassandraDatacenter spec.config.cassandra-yaml", {},
                             "the same ConfigMap as the first rack's");
            } else {
                map_.decision(from, "CassandraDatacenter spec.config.cassandra-yaml", {},
                              "racks have different settings; cass-operator has one file for all, and the first rack's "
                              "was taken");
            }
            return;
        }
        const Manifest* config = input_.find("ConfigMap", name->text);
        const Node* yaml = config ? config->root().at("data.\"scylla.yaml\"") : nullptr;
        if (!yaml || !yaml->is_scalar()) {
            map_.decision(
                from, "CassandraDatacenter spec.config.cassandra-yaml", {},
                fmt::format(
                    "the ConfigMap {} is not in this input, so its settings could not be read: add it to the file",
                    name->text));
            return;
        }
        Diagnostics problems;
        auto documents = read_yaml(yaml->text, problems);
        if (problems.errors() > 0 || documents.size() > 1 || (!documents.empty() && !documents[0].root.is_map())) {
            map_.decision(from, "CassandraDatacenter spec.config.cassandra-yaml", {},
                          "scylla.yaml in that ConfigMap is no YAML map");
            return;
        }
        config_from_ = name->text;
        map_.changed(from, "CassandraDatacenter spec.config.cassandra-yaml", {},
                     "the keys of scylla.yaml that Cassandra knows, see below");
        config_source_ = documents.empty() ? Node::map() : std::move(documents[0].root);
        Mapper map(config_source_, result_.report);
        const auto version = Version::parse(options_.cassandra_version).value_or(Version{4, 1, 0});
        Node cassandra = Node::map();
        for (const auto& entry : config_source_.entries) {
            Node one = Node::map();
            one.set(entry.key, entry.value);
            // Paths of the report are those of the ConfigMap's own file.
            for (auto& converted : to_cassandra_yaml(one, "", version, map).entries)
                cassandra.set(converted.key, std::move(converted.value));
        }
        if (!cassandra.empty()) spec()["config"].set("cassandra-yaml", std::move(cassandra));
    }

    void rack_volumes(const Node& source, const std::string& path, bool first) {
        const Node* volumes = source.find("volumes");
        const Node* mounts = source.find("volumeMounts");
        for (const auto* field : {"volumes", "volumeMounts"}) {
            if (!source.find(field)) continue;
            if (first) {
                map_.changed(fmt::format("{}.{}", path, field),
                             "CassandraDatacenter spec.storageConfig.additionalVolumes", {},
                             "a volume and its mount are one entry there; for all racks alike");
            } else {
                map_.mapped(fmt::format("{}.{}", path, field),
                            "CassandraDatacenter spec.storageConfig.additionalVolumes", "the first rack's are for all");
            }
        }
        if (!first) return;
        for (const auto& volume : volumes ? volumes->items : std::vector<Node>{}) {
            const Node* name = volume.find("name");
            for (const auto& mount : mounts ? mounts->items : std::vector<Node>{}) {
                const Node* which = mount.find("name");
                const Node* where = mount.find("mountPath");
                if (!name || !which || !where || which->text != name->text) continue;
                Node& added = spec()["storageConfig"]["additionalVolumes"].push(Node::map());
                added.set("name", *name);
                added.set("mountPath", *where);
                Node& from = added["volumeSource"];
                for (const auto& entry : volume.entries) {
                    if (entry.key != "name") from.set(entry.key, entry.value);
                }
            }
        }
    }

    void storage_config(const Node* storage) {
        Node claim = Node::map();
        claim.set("accessModes", Node::strings({"ReadWriteOnce"}));
        const Node* capacity = storage ? storage->find("capacity") : nullptr;
        const auto size = !options_.storage.empty() ? options_.storage : capacity ? capacity->text : "1Ti";
        claim["resources"]["requests"].set("storage", Node::string(size));
        const Node* storage_class = storage ? storage->find("storageClassName") : nullptr;
        const bool local = !storage_class || storage_class->text == kLocalStorageClass;
        if (!options_.storage_class.empty()) {
            claim.set("storageClassName", Node::string(options_.storage_class));
        } else if (!local) {
            claim.set("storageClassName", *storage_class);
        } else {
            claim.comments.push_back(
                "decision: without a storageClassName this is the cluster's default class; --storage-class says "
                "another");
        }
        const Node* list = root_.at("spec.datacenter.racks");
        for (std::size_t i = 0; list && i < list->items.size(); ++i) {
            const auto path = join_path("spec.datacenter.racks", i) + ".storage.storageClassName";
            if (!map_.at(path)) continue;
            if (local && options_.storage_class.empty()) {
                map_.decision(
                    path, "CassandraDatacenter spec.storageConfig.cassandraDataVolumeClaimSpec.storageClassName", {},
                    "local NVMe through ScyllaDB's CSI driver; say the class for Cassandra by --storage-class");
            } else {
                map_.changed(path,
                             "CassandraDatacenter spec.storageConfig.cassandraDataVolumeClaimSpec.storageClassName",
                             options_.storage_class.empty() ? storage_class->text : options_.storage_class,
                             "one class for all racks");
            }
        }
        map_.added("CassandraDatacenter spec.storageConfig.cassandraDataVolumeClaimSpec.accessModes", "ReadWriteOnce",
                   "required; scylla-operator says it for you");
        Node& config = spec()["storageConfig"];
        Node extra = config.find("additionalVolumes") ? *config.find("additionalVolumes") : Node();
        config = Node::map();
        config.set("cassandraDataVolumeClaimSpec", std::move(claim));
        if (!extra.empty()) config.set("additionalVolumes", std::move(extra));
    }

    void resources(const Node* source) {
        if (!source) return;
        Node resources = *source;
        if (options_.cpu || !options_.memory.empty()) {
            for (const auto* part : {"requests", "limits"}) {
                if (options_.cpu) resources[part].set("cpu", Node::integer(*options_.cpu));
                if (!options_.memory.empty()) resources[part].set("memory", Node::string(options_.memory));
            }
        }
        if (spec().find("allowMultipleNodesPerWorker")) {
            // cass-operator takes several nodes on a worker only with requests and limits of both.
            for (const auto* amount : {"cpu", "memory"}) {
                const Node* limit = resources.at(fmt::format("limits.{}", amount));
                const Node* request = resources.at(fmt::format("requests.{}", amount));
                const auto asked = request ? Quantity::parse(request->text) : std::nullopt;
                if (!limit || (asked && asked->milli > 0)) continue;
                Node same = *limit;
                resources["requests"].set(amount, std::move(same));
            }
        }
        const Node* memory =
            resources.at("limits.memory") ? resources.at("limits.memory") : resources.at("requests.memory");
        if (const auto quantity = memory ? Quantity::parse(memory->text) : std::nullopt;
            quantity && *quantity >= Quantity::whole(512 << 20)) {
            // Half of the memory for the heap and never above 31 GiB, where compressed object pointers end.
            const std::int64_t mib = std::min<std::int64_t>(quantity->ceil() / 2, 31 * (std::int64_t(1) << 30)) >> 20;
            Node heap = Node::string(mib % 1024 == 0 ? fmt::format("{}G", mib / 1024) : fmt::format("{}M", mib));
            const auto version = Version::parse(options_.cassandra_version).value_or(Version{4, 1, 0});
            const std::string section = version.major < 4 ? "jvm-options" : "jvm-server-options";
            Node& options = spec()["config"][section];
            options.set("initial_heap_size", heap);
            options.set("max_heap_size", heap);
            options.comments.push_back("decision: a proposal, half of the memory and at most 31 GiB");
            map_.decision({}, fmt::format("CassandraDatacenter spec.config.{}", section), heap.text,
                          "a JVM needs a heap: half of the memory up to 31 GiB is a proposal to measure. Pauses of the "
                          "garbage collector come back with it");
        }
        spec().set("resources", std::move(resources));
    }

    void network() {
        if (map_.is_true("spec.network.hostNetworking")) {
            spec()["networking"].set("hostNetwork", Node::boolean(true));
            map_.mapped("spec.network.hostNetworking", "CassandraDatacenter spec.networking.hostNetwork", "the same");
        } else {
            map_.drop_if_there("spec.network.hostNetworking", "false is the default in both");
        }
        if (const Node* policy = root_.at("spec.network.dnsPolicy")) {
            pod_spec().set("dnsPolicy", *policy);
            map_.mapped("spec.network.dnsPolicy", "CassandraDatacenter spec.podTemplateSpec.spec.dnsPolicy",
                        "the same");
        }
        map_.drop_if_there("spec.network.ipFamilyPolicy", "no field for it");
        map_.drop_if_there("spec.network.ipFamilies", "no field for it");
        if (map_.at("spec.network") && map_.at("spec.network")->empty()) map_.dropped("spec.network", "empty");
        if (map_.text("spec.exposeOptions.nodeService.type") == "LoadBalancer") {
            map_.decision("spec.exposeOptions", "CassandraDatacenter spec.networking", {},
                          "cass-operator makes no load balancers: networking.nodePort or hostNetwork reach nodes from "
                          "outside, or all clients come through the proxy");
        } else {
            map_.drop_if_there("spec.exposeOptions",
                               "cass-operator's nodes always speak by their pods' addresses, and clients use the "
                               "Service <clusterName>-<datacenter>-service");
        }
        if (map_.at("spec.externalSeeds"))
            map_.decision(
                "spec.externalSeeds", {}, {},
                "not carried to additionalSeeds: a Cassandra node that gossips with ScyllaDB nodes harms both");
        map_.drop_if_there("spec.dnsDomains", "no field for it");
    }

    void pods() {
        for (const auto& [what, to] :
             {std::pair{"labels", "additionalLabels"}, {"annotations", "additionalAnnotations"}}) {
            const auto path = fmt::format("spec.podMetadata.{}", what);
            if (const Node* entries = root_.at(path); entries && entries->is_map()) {
                spec().set(to, *entries);
                map_.changed(path, fmt::format("CassandraDatacenter spec.{}", to), {},
                             "cass-operator puts them on everything that it makes, pods included");
            }
        }
        if (map_.at("spec.podMetadata") && map_.at("spec.podMetadata")->empty())
            map_.dropped("spec.podMetadata", "empty");
        if (const Node* secrets = root_.at("spec.imagePullSecrets")) {
            pod_spec().set("imagePullSecrets", *secrets);
            map_.mapped("spec.imagePullSecrets", "CassandraDatacenter spec.podTemplateSpec.spec.imagePullSecrets",
                        "the same");
        }
        if (const Node* gates = root_.at("spec.readinessGates")) {
            pod_spec().set("readinessGates", *gates);
            map_.mapped("spec.readinessGates", "CassandraDatacenter spec.podTemplateSpec.spec.readinessGates",
                        "the same");
        }
        if (const Node* seconds = root_.at("spec.minReadySeconds")) {
            spec().set("minReadySeconds", *seconds);
            map_.mapped("spec.minReadySeconds", "CassandraDatacenter spec.minReadySeconds", "the same");
        }
    }

    Node& pod_spec() {
        Node& pod = spec()["podTemplateSpec"]["spec"];
        // The API server wants a list of containers in every pod spec; an empty one leaves cass-operator's as they are.
        if (!pod.find("containers")) pod.set("containers", Node::list());
        return pod;
    }

    void roles() {
        const auto annotation = [&](std::string_view key) {
            const Node* annotations = root_.at("metadata.annotations");
            const Node* node = annotations ? annotations->find(key) : nullptr;
            return node && node->is_scalar() ? node->text : std::string();
        };
        const auto superuser = annotation(kSuperuserAnnotation);
        if (!superuser.empty()) {
            spec().set("superuserSecretName", Node::string(superuser));
            map_.changed(join_path("metadata.annotations", kSuperuserAnnotation),
                         "CassandraDatacenter spec.superuserSecretName", superuser,
                         "the Secret that the roles Job used");
        } else {
            map_.decision({}, "CassandraDatacenter spec.superuserSecretName", "none",
                          "cass-operator makes a superuser with a password of its own in the Secret "
                          "<clusterName>-superuser; name a Secret of yours to choose both");
        }
        std::string_view users;
        const auto list = annotation(kUsersAnnotation);
        users = list;
        while (!users.empty()) {
            const auto comma = std::min(users.find(','), users.size());
            const auto one = users.substr(0, comma);
            users.remove_prefix(std::min(comma + 1, users.size()));
            const auto colon = one.find(':');
            Node& user = spec()["users"].push(Node::map());
            user.set("secretName", Node::string(one.substr(0, colon)));
            user.set("superuser",
                     Node::boolean(colon != std::string_view::npos && one.substr(colon + 1) == "superuser"));
        }
        if (!list.empty())
            map_.changed(join_path("metadata.annotations", kUsersAnnotation), "CassandraDatacenter spec.users", {},
                         "the Secrets that the roles Job used");
    }

    void dropped() {
        for (const auto* what : {"repairs", "backups"}) {
            const auto path = fmt::format("spec.{}", what);
            const Node* tasks = root_.at(path);
            if (!tasks || !tasks->is_list()) continue;
            for (std::size_t i = 0; i < tasks->items.size(); ++i) {
                const auto& task = tasks->items[i];
                auto line = fmt::format("was {}[{}] of ScyllaDB Manager: {}", what, i, write_json(task, 0));
                dc_.comments.push_back(line);
                map_.decision(join_path(path, i), "a comment", {},
                              std::string_view(what) == "repairs"
                                  ? "cass-operator schedules no repairs: Reaper does (K8ssandra), and without one "
                                    "deleted rows come back"
                                  : "cass-operator makes no backups: Medusa does (K8ssandra). ScyllaDB's backups "
                                    "cannot be restored into Cassandra");
            }
            if (tasks->empty()) map_.dropped(path, "empty");
        }
        const std::pair<const char*, const char*> rest[] = {
            {"developerMode", "relaxes ScyllaDB's checks of its machine"},
            {"cpuset", "deprecated in scylla-operator, and nothing for a JVM"},
            {"sysctls", "kernel parameters of ScyllaDB; Cassandra wants vm.max_map_count=1048575 on its workers"},
            {"scyllaArgs", "options of ScyllaDB's program"},
            {"automaticOrphanedNodeCleanup", "cass-operator replaces nodes by a CassandraTask"},
            {"enableParallelNodeOperations", "cass-operator starts node after node"},
            {"genericUpgrade", "cass-operator upgrades by rolling restarts"},
            {"forceRedeploymentReason", "cass-operator restarts by a CassandraTask with the restart command"},
            {"minTerminationGracePeriodSeconds", "cass-operator drains a node before it stops it"}};
        for (const auto& [field, why] : rest) map_.drop_if_there(fmt::format("spec.{}", field), why);
    }

    const Input& input_;
    const ConvertOptions& options_;
    const Node& root_;
    Conversion result_;
    Mapper map_;
    Node dc_;
    Node config_source_;
    std::string config_from_;
};

}  // namespace

Result<Conversion> convert_to_cassandra(const Input& input, const Manifest& cluster, const ConvertOptions& options) {
    return ToCassandra(input, cluster, options).run();
}

}  // namespace penumbra::kube
