#include <algorithm>

#include "kube/convert.h"
#include "kube/mapper.h"
#include "kube/model.h"
#include "kube/quantity.h"
#include "kube/scylla_config.h"
#include "kube/scylla_objects.h"
#include "kube/to_scylla_parts.h"

namespace penumbra::kube {

namespace {

constexpr std::string_view kRacks = "ScyllaCluster spec.datacenter.racks[]";
constexpr std::string_view kOperatorExample =
    "the shape that scylla-operator's documentation uses on a worker of 8 vCPU and 64 GiB";

class ToScylla {
  public:
    ToScylla(const Input& input, const Manifest& source, const ConvertOptions& options)
        : input_(input), options_(options), root_(source.root()), map_(root_, result_.report) {
        cluster_ = make_object(kScyllaApi, "ScyllaCluster", {}, {});
        cluster_.comments = root_.entries.empty() ? std::vector<std::string>{} : root_.entries.front().value.comments;
    }

    Result<Conversion> run() {
        const auto server_type = map_.text("spec.serverType");
        if (server_type != "cassandra") {
            return fail(
                Errc::unsupported,
                fmt::format(
                    "{} is {}, not Apache Cassandra: its SSTables, graph and search have no counterpart in ScyllaDB",
                    map_.text("metadata.name"), server_type));
        }
        metadata();
        version();
        config();
        racks();
        network();
        pods();
        operations();
        tasks();
        roles();
        leftovers();
        map_.account_for_rest("metadata");
        map_.account_for_rest("spec");
        assemble();
        return std::move(result_);
    }

  private:
    Node& spec() { return cluster_["spec"]; }

    void metadata() {
        map_.changed("apiVersion", "ScyllaCluster apiVersion", std::string(kScyllaApi), "another operator's object");
        map_.changed("kind", "ScyllaCluster kind", "ScyllaCluster", "another operator's object");
        const auto cluster_name = map_.text("spec.clusterName");
        id_.name = options_.name.empty() ? to_dns_label(cluster_name) : options_.name;
        id_.name_space = options_.name_space;
        if (id_.name_space.empty()) id_.name_space = map_.text("metadata.namespace");
        const bool default_namespace = id_.name_space.empty();
        if (default_namespace) id_.name_space = "scylla";
        Node& metadata = cluster_["metadata"];
        metadata.set("name", Node::string(id_.name));
        metadata.set("namespace", Node::string(id_.name_space));
        if (const Node* node = map_.at("spec.clusterName")) Mapper::carry_comments(*node, *metadata.find("name"));
        if (id_.name == cluster_name) {
            map_.mapped("spec.clusterName", "ScyllaCluster metadata.name",
                        "scylla-operator names the cluster after the object; clients see the same cluster name");
        } else {
            map_.changed("spec.clusterName", "ScyllaCluster metadata.name", id_.name,
                         "an object's name is a DNS label, and it is the cluster's name: clients that check the old "
                         "name see another one");
        }
        if (map_.at("metadata.namespace")) {
            if (options_.name_space.empty()) {
                map_.mapped("metadata.namespace", "ScyllaCluster metadata.namespace", "the same");
            } else {
                map_.changed("metadata.namespace", "ScyllaCluster metadata.namespace", id_.name_space,
                             "by --namespace");
            }
        } else {
            map_.added(
                "Namespace metadata.name", id_.name_space,
                default_namespace ? "the source names no namespace; --namespace says another" : "by --namespace");
        }
        Node& datacenter = spec()["datacenter"];
        const bool overridden = !map_.text("spec.datacenterName").empty();
        const auto dc = overridden ? map_.text("spec.datacenterName") : map_.text("metadata.name");
        datacenter.set("name", Node::string(dc));
        const std::string why =
            "must stay what the keyspaces' NetworkTopologyStrategy names, or the data has no replicas in it";
        if (overridden) {
            map_.mapped("spec.datacenterName", "ScyllaCluster spec.datacenter.name", why);
            map_.dropped("metadata.name", "the object's name; datacenterName names the datacenter");
        } else {
            map_.mapped("metadata.name", "ScyllaCluster spec.datacenter.name", why);
        }
        // What belongs to cass-operator or to the API server would confuse its new owner.
        for (const auto* what : {"labels", "annotations"}) {
            const Node* entries = root_.at(fmt::format("metadata.{}", what));
            if (!entries || !entries->is_map()) continue;
            for (const auto& entry : entries->entries) {
                const auto path = join_path(fmt::format("metadata.{}", what), entry.key);
                if (entry.key.find("cassandra.datastax.com/") != std::string::npos ||
                    entry.key.find("k8ssandra.io/") != std::string::npos) {
                    map_.dropped(path, "speaks to cass-operator or K8ssandra");
                } else if (entry.key == "kubectl.kubernetes.io/last-applied-configuration" ||
                           entry.key.starts_with("app.kubernetes.io/")) {
                    map_.dropped(path, "written by tools, and wrong for the new object");
                } else {
                    cluster_["metadata"][what].set(entry.key, entry.value);
                    map_.mapped(path, fmt::format("ScyllaCluster metadata.{}", what), "the same");
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

    void version() {
        spec().set("version", Node::string(options_.scylla_version));
        const auto remark = scylla_version_remark(options_.scylla_version);
        map_.changed("spec.serverVersion", "ScyllaCluster spec.version", options_.scylla_version,
                     remark.empty() ? "ScyllaDB's long-term release; --scylla-version says another" : remark);
        map_.mapped("spec.serverType", "ScyllaCluster kind", "`cassandra` is what can be moved");
        spec().set("agentVersion", Node::string(options_.agent_version));
        map_.added("ScyllaCluster spec.agentVersion", options_.agent_version,
                   "pinned, since the default is `latest`; --agent-version says another");
        if (const auto image = map_.text("spec.serverImage"); !image.empty()) {
            map_.decision("spec.serverImage", "ScyllaCluster spec.repository", {},
                          "an image of Cassandra. If it comes from a registry of your own, mirror "
                          "docker.io/scylladb/scylla there and set spec.repository and spec.agentRepository");
        } else if (map_.at("spec.serverImage")) {
            map_.dropped("spec.serverImage", "empty");
        }
    }

    void config() {
        if (const Node* config = root_.at("spec.config")) config_sections_of(*config, "spec.config");
        const auto secret_name = map_.text("spec.configSecret");
        if (secret_name.empty()) return;
        const auto from_secret = read_config_secret(input_, secret_name);
        if (!from_secret) {
            map_.decision("spec.configSecret", "ConfigMap scylla.yaml", {},
                          "the Secret is not in this input, so its settings could not be read: add it to the file "
                          "(kubectl get secret -o yaml), or write scylla.yaml by hand");
            return;
        }
        map_.changed("spec.configSecret", "ConfigMap scylla.yaml", {},
                     "decoded from the Secret in this input; ScyllaDB's settings come from a ConfigMap, and secrets "
                     "belong into the agent's Secret");
        config_source_ = *from_secret;
        Mapper map(config_source_, result_.report);
        scylla_yaml_ = Node::map();
        if (const Node* yaml = config_source_.find("cassandra-yaml"))
            scylla_yaml_ = to_scylla_yaml(*yaml, "cassandra-yaml", map);
        for (const auto& entry : config_source_.entries) {
            if (entry.key.starts_with("jvm")) drop_jvm_options(entry.value, entry.key, map);
        }
    }

    void config_sections_of(const Node& config, const std::string& path) {
        for (const auto& entry : config.entries) {
            const auto below = join_path(path, entry.key);
            if (entry.key == "cassandra-yaml" && entry.value.is_map()) {
                scylla_yaml_ = to_scylla_yaml(entry.value, below, map_);
                if (entry.value.empty()) map_.dropped(below, "empty");
            } else if (entry.key.starts_with("jvm") || entry.key == "cassandra-env-sh") {
                drop_jvm_options(entry.value, below, map_);
            } else if (entry.key == "logback-xml") {
                map_.dropped(
                    below,
                    "ScyllaDB logs to standard output; default_log_level and logger_log_level of scylla.yaml set what");
            } else {
                map_.dropped(below, "a file of Cassandra's that ScyllaDB does not have");
            }
        }
        if (config.empty()) map_.dropped(path, "empty");
    }

    Node placement(const Node* rack, const std::string& rack_path, const std::string& zone_by_option) {
        std::vector<Node> requirements{make_requirement(kNodeTypeLabel, "scylla")};
        if (!zone_by_option.empty()) requirements.push_back(make_requirement(kZoneLabel, zone_by_option));
        const auto labels = [&](std::string_view path, const std::string& why) {
            const Node* entries = root_.at(path);
            if (!entries || !entries->is_map()) return;
            for (const auto& entry : entries->entries) {
                if (entry.key != kNodeTypeLabel || entry.value.text != "scylla")
                    requirements.push_back(make_requirement(entry.key, entry.value.text));
            }
            if (!result_.report.covers(path))
                map_.changed(path, std::string(kRacks) + ".placement.nodeAffinity", {}, why);
        };
        if (rack) {
            if (const Node* zone = rack->find("zone"); zone && zone->is_scalar()) {
                requirements.push_back(make_requirement(kZoneLabel, zone->text));
                map_.changed(rack_path + ".zone", std::string(kRacks) + ".placement.nodeAffinity",
                             fmt::format("{} In [{}]", kZoneLabel, zone->text), "the deprecated zone is this label");
            }
            labels(rack_path + ".nodeAffinityLabels", "required labels of the rack's workers, as a node affinity");
        }
        labels("spec.nodeAffinityLabels", "required labels of the workers, as a node affinity of every rack");
        if (const Node* selector = root_.at("spec.nodeSelector"); selector && selector->is_map()) {
            for (const auto& entry : selector->entries)
                requirements.push_back(make_requirement(entry.key, entry.value.text));
            if (!result_.report.covers("spec.nodeSelector")) {
                map_.decision("spec.nodeSelector", std::string(kRacks) + ".placement.nodeAffinity", {},
                              "carried over, since a ScyllaCluster has no nodeSelector. These labels choose today's "
                              "Cassandra workers: give them to the new workers with local NVMe too, or take them out");
            }
        }
        Node placement = Node::map();
        merge_affinity(placement, requirements);
        const auto affinity = [&](const std::string& path) {
            const Node* node = root_.at(path);
            if (!node || !node->is_map()) return;
            merge_source_affinity(placement, *node);
            if (!result_.report.covers(path))
                map_.mapped(path, std::string(kRacks) + ".placement", "the same rules, merged with those of the rack");
        };
        if (rack) affinity(rack_path + ".affinity");
        affinity("spec.podTemplateSpec.spec.affinity");
        if (!map_.is_true("spec.allowMultipleNodesPerWorker")) {
            const Node own = make_anti_affinity(id_);
            Node& anti = placement["podAntiAffinity"];
            anti["requiredDuringSchedulingIgnoredDuringExecution"].push(
                own.find("requiredDuringSchedulingIgnoredDuringExecution")->items.front());
        }
        Node& tolerations = placement["tolerations"];
        tolerations.push(make_dedicated_toleration());
        for (const auto* path : {"spec.tolerations", "spec.podTemplateSpec.spec.tolerations"}) {
            const Node* list = root_.at(path);
            if (!list || !list->is_list()) continue;
            for (const auto& item : list->items) {
                if (std::none_of(tolerations.items.begin(), tolerations.items.end(),
                                 [&](const Node& t) { return t.same(item); }))
                    tolerations.push(item);
            }
            if (!result_.report.covers(path))
                map_.mapped(path, std::string(kRacks) + ".placement.tolerations", "the same for every rack");
        }
        return placement;
    }

    void racks() {
        struct Rack {
            std::string name;
            const Node* source = nullptr;
            std::string path;
            std::string zone;
        };
        std::vector<Rack> racks;
        if (const Node* list = root_.at("spec.racks"); list && list->is_list() && options_.racks.empty()) {
            for (std::size_t i = 0; i < list->items.size(); ++i) {
                const auto path = join_path("spec.racks", i);
                const Node* name = list->items[i].find("name");
                racks.push_back({name ? name->text : "rack", &list->items[i], path, {}});
                map_.mapped(path + ".name", std::string(kRacks) + ".name",
                            "the same name, so that replicas keep their place");
            }
        }
        bool zones = true;
        for (const auto& text : options_.racks) {
            const auto [name, zone] = split_rack(text);
            zones = zones && !zone.empty();
            racks.push_back({name, nullptr, {}, zone});
        }
        if (!zones)
            map_.decision({}, std::string(kRacks) + ".placement.nodeAffinity", {},
                          "racks without a zone: the scheduler may put all of them into one. Write --racks "
                          "a=us-east-1a,b=us-east-1b,c=us-east-1c");
        if (!options_.racks.empty() && root_.at("spec.racks"))
            map_.changed("spec.racks", std::string(kRacks), fmt::format("{}", fmt::join(options_.racks, ", ")),
                         "replaced by --racks");
        const bool no_racks = racks.empty();
        if (no_racks) racks.push_back({"default", nullptr, {}, {}});

        const auto size = root_.at("spec.size") ? root_.at("spec.size")->as_integer().value_or(1) : 1;
        const auto nodes = options_.replicas.value_or(size);
        const auto members = spread(nodes, racks.size());
        const auto members_text = fmt::format("{}", fmt::join(members, " + "));
        if (options_.replicas) {
            map_.changed("spec.size", std::string(kRacks) + ".members", members_text,
                         fmt::format("{} nodes by --replicas instead of {}. How many are enough follows from load and "
                                     "data: `penumbra plan` reckons it",
                                     nodes, size));
        } else {
            map_.mapped("spec.size", std::string(kRacks) + ".members",
                        fmt::format("{} nodes, spread as {}. Fewer may do (`penumbra plan`), but that is a sizing "
                                    "decision and never ours (--replicas)",
                                    nodes, members_text));
        }
        if (no_racks) {
            map_.added(std::string(kRacks) + ".name", "default",
                       "the source has no racks, so cass-operator calls its one rack `default`");
        }
        if (static_cast<std::int64_t>(racks.size()) < options_.rf) {
            map_.decision(
                {}, std::string(kRacks), fmt::format("{} rack{}", racks.size(), racks.size() == 1 ? "" : "s"),
                fmt::format(
                    "fewer racks than the replication factor {}: replicas share a failure domain, and keyspaces with "
                    "tablets want as many racks as replicas. Name one per zone with --racks, or set --rf",
                    options_.rf));
        }
        if (nodes % static_cast<std::int64_t>(racks.size()) != 0) {
            map_.decision({}, std::string(kRacks) + ".members", members_text,
                          "racks of different size: with a replica in each rack the smallest rack's nodes hold more "
                          "data than the others. Keep them equal (--replicas)");
        }
        const Node resources = rack_resources();
        const Node storage = rack_storage();
        auto extra = rack_volumes();
        Node& list = spec()["datacenter"].set("racks", Node::list());
        for (std::size_t i = 0; i < racks.size(); ++i) {
            Node& rack = list.push(Node::map());
            rack.set("name", Node::string(racks[i].name));
            if (racks[i].source) Mapper::carry_comments(*racks[i].source, rack);
            rack.set("members", Node::integer(members[i]));
            if (const Node* node = root_.at("spec.size"); node && i == 0)
                Mapper::carry_comments(*node, *rack.find("members"));
            rack.set("storage", storage);
            rack.set("resources", resources);
            Node& agent = rack["agentResources"];
            for (const auto* part : {"requests", "limits"}) {
                agent[part].set("cpu", Node::string("100m"));
                agent[part].set("memory", Node::string("256Mi"));
            }
            rack.set("placement", placement(racks[i].source, racks[i].path, racks[i].zone));
            if (!scylla_yaml_.empty()) rack.set("scyllaConfig", Node::string(id_.name + "-config"));
            for (const auto* field : {"volumes", "volumeMounts"}) {
                if (const Node* volumes = extra.find(field)) rack.set(field, *volumes);
            }
        }
        map_.added(std::string(kRacks) + ".agentResources", "100m, 256Mi",
                   "requests equal to limits: the default has no limits, which silently turns CPU pinning off");
        map_.added(std::string(kRacks) + ".placement.nodeAffinity", fmt::format("{} In [scylla]", kNodeTypeLabel),
                   "ScyllaDB's pods run on workers that the NodeConfig has prepared, and nowhere else");
        map_.added(std::string(kRacks) + ".placement.tolerations", std::string(kDedicatedTaint),
                   "so that such workers can be tainted against everything else");
        if (map_.is_true("spec.allowMultipleNodesPerWorker")) {
            map_.decision("spec.allowMultipleNodesPerWorker", std::string(kRacks) + ".placement.podAntiAffinity",
                          "none",
                          "several ScyllaDB nodes may share a worker, as Cassandra's do: each is an own failure less, "
                          "and CPU pinning means little");
        } else {
            map_.drop_if_there("spec.allowMultipleNodesPerWorker", "false is written as a pod anti-affinity");
            map_.added(std::string(kRacks) + ".placement.podAntiAffinity", std::string(kHostnameLabel),
                       "one node per worker, which cass-operator enforces by itself and scylla-operator does not");
        }
    }

    Node rack_resources() {
        std::optional<Quantity> cpu, memory;
        std::string memory_text = "50Gi";
        for (const auto* part : {"requests", "limits"}) {  // limits win: they are what the pod may use
            const auto amount = [&](const char* what) -> std::pair<std::optional<Quantity>, std::string> {
                const Node* node = root_.at(fmt::format("spec.resources.{}.{}", part, what));
                const auto quantity = node ? Quantity::parse(node->text) : std::nullopt;
                if (!quantity || quantity->milli <= 0) return {};  // zero says as little as nothing
                return {quantity, node->text};
            };
            if (const auto [quantity, text] = amount("cpu"); quantity) cpu = quantity;
            if (const auto [quantity, text] = amount("memory"); quantity) memory = quantity, memory_text = text;
        }
        const bool by_user = options_.cpu || !options_.memory.empty();
        if (!options_.memory.empty()) memory_text = options_.memory;
        const auto cpus = options_.cpu.value_or(cpu ? cpu->ceil() : 6);
        const auto now = fmt::format("cpu {}, memory {}, limits = requests", cpus, memory_text);
        Node resources = Node::map();
        for (const auto* part : {"requests", "limits"}) {
            resources[part].set("cpu", Node::integer(cpus));
            resources[part].set("memory", Node::string(memory_text));
        }
        const auto target = std::string(kRacks) + ".resources";
        if (root_.at("spec.resources")) {
            const bool same = cpu && memory && !by_user && cpu->is_whole() && root_.at("spec.resources.requests") &&
                              root_.at("spec.resources.limits") &&
                              root_.at("spec.resources.requests")->same(*root_.at("spec.resources.limits"));
            if (same) {
                map_.mapped("spec.resources", target,
                            "already Guaranteed QoS with whole CPUs, which CPU pinning needs. Without a JVM, all of "
                            "the memory is ScyllaDB's");
            } else if (!by_user && (!cpu || !memory)) {
                resources.comments.push_back("decision: what the source does not say is " +
                                             std::string(kOperatorExample));
                map_.decision("spec.resources", target, now,
                              fmt::format("a rack needs CPU and memory limits, and the source says only a part. The "
                                          "rest is {}; --cpu and --memory, or --instance-type, say yours",
                                          kOperatorExample));
            } else {
                map_.changed(
                    "spec.resources", target, now,
                    by_user ? fmt::format("by {}. Requests equal to limits and whole CPUs give Guaranteed QoS, which "
                                          "CPU pinning needs",
                                          options_.instance_type.empty() ? "--cpu and --memory"
                                                                         : "--instance-type " + options_.instance_type)
                            : "requests equal to limits and whole CPUs (rounded up) give Guaranteed QoS; without it "
                              "CPU pinning is silently off");
            }
        } else if (by_user) {
            map_.added(target, now,
                       options_.instance_type.empty()
                           ? "by --cpu and --memory"
                           : fmt::format("by --instance-type {}: two CPUs and some memory are left to the worker",
                                         options_.instance_type));
        } else {
            resources.comments.push_back("decision: the source does not say; this is " + std::string(kOperatorExample));
            map_.decision({}, target, now,
                          fmt::format("the source has no resources, and a ScyllaCluster needs limits. This is {}; say "
                                      "yours with --instance-type, or --cpu and --memory",
                                      kOperatorExample));
        }
        return resources;
    }

    Node rack_storage() {
        const std::string claim = "spec.storageConfig.cassandraDataVolumeClaimSpec";
        const Node* requested = root_.at(claim + ".resources.requests.storage");
        const auto capacity = options_.storage.empty() ? requested ? requested->text : "1500Gi" : options_.storage;
        Node storage = Node::map();
        storage.set("capacity", Node::string(capacity));
        if (requested) Mapper::carry_comments(*requested, *storage.find("capacity"));
        const auto target = std::string(kRacks) + ".storage";
        if (requested && options_.storage.empty()) {
            map_.mapped(claim + ".resources.requests.storage", target + ".capacity",
                        "the same size per node. ScyllaDB wants about half of it free unless tables use incremental "
                        "compaction; fewer nodes hold more each");
        } else if (requested) {
            map_.changed(
                claim + ".resources.requests.storage", target + ".capacity", capacity,
                options_.instance_type.empty() ? "by --storage" : "by --instance-type " + options_.instance_type);
        }
        const auto storage_class =
            options_.storage_class.empty() ? std::string(kLocalStorageClass) : options_.storage_class;
        storage.set("storageClassName", Node::string(storage_class));
        if (map_.at(claim + ".storageClassName")) {
            map_.changed(claim + ".storageClassName", target + ".storageClassName", storage_class,
                         options_.storage_class.empty()
                             ? "local NVMe through ScyllaDB's Local CSI driver, on the XFS that the NodeConfig makes. "
                               "On a network disk (gp2, gp3) ScyllaDB's latency is the disk's"
                             : "by --storage-class");
        } else {
            map_.added(target + ".storageClassName", storage_class,
                       "local NVMe through ScyllaDB's Local CSI driver, which has to be installed");
        }
        for (const auto* field : {"accessModes", "volumeMode", "volumeName", "selector", "dataSource", "dataSourceRef",
                                  "volumeAttributesClassName"}) {
            map_.drop_if_there(
                fmt::format("{}.{}", claim, field),
                "scylla-operator makes the claim itself: ReadWriteOnce, a file system, nothing restored");
        }
        map_.drop_if_there(claim + ".resources.limits", "a claim's limit has no effect");
        return storage;
    }

    /// Volumes and mounts that go to every rack.
    Node rack_volumes() {
        Node extra = Node::map();
        const auto add = [&](const std::string& name, const Node& source, const std::string& path) {
            Node volume = Node::map();
            volume.set("name", Node::string(name));
            for (const auto& entry : source.entries) {
                if (entry.key != "name") volume.set(entry.key, entry.value);
            }
            extra["volumes"].push(std::move(volume));
            if (path.empty()) return;
            Node mount = Node::map();
            mount.set("name", Node::string(name));
            mount.set("mountPath", Node::string(path));
            extra["volumeMounts"].push(std::move(mount));
        };
        if (const Node* volumes = root_.at("spec.storageConfig.additionalVolumes"); volumes && volumes->is_list()) {
            for (std::size_t i = 0; i < volumes->items.size(); ++i) {
                const auto path = join_path("spec.storageConfig.additionalVolumes", i);
                const auto mount = map_.text(path + ".mountPath");
                const Node* source = volumes->items[i].find("volumeSource");
                if (!source) {
                    map_.dropped(path,
                                 mount.find("commitlog") != std::string::npos
                                     ? "a disk of its own for the commit log gains nothing on NVMe, and a rack has one "
                                       "claim per node"
                                     : "a rack has one claim per node, so there is no second volume from a claim");
                    continue;
                }
                add(map_.text(path + ".name"), *source, mount);
                if (mount.find("cassandra") != std::string::npos) {
                    map_.decision(
                        path, std::string(kRacks) + ".volumes, .volumeMounts", mount,
                        "mounted where Cassandra looks for it; ScyllaDB reads /etc/scylla and /var/lib/scylla");
                } else {
                    map_.mapped(path, std::string(kRacks) + ".volumes, .volumeMounts",
                                "the same volume at the same place");
                }
            }
        }
        if (const Node* volumes = root_.at("spec.podTemplateSpec.spec.volumes"); volumes && volumes->is_list()) {
            for (std::size_t i = 0; i < volumes->items.size(); ++i) {
                const auto path = join_path("spec.podTemplateSpec.spec.volumes", i);
                const auto name = map_.text(path + ".name");
                std::string mount_path;
                const Node* containers = root_.at("spec.podTemplateSpec.spec.containers");
                for (const auto& container : containers ? containers->items : std::vector<Node>{}) {
                    const Node* mounts = container.find("volumeMounts");
                    for (const auto& mount : mounts ? mounts->items : std::vector<Node>{}) {
                        const Node* which = mount.find("name");
                        const Node* where = mount.find("mountPath");
                        if (which && where && which->text == name) mount_path = where->text;
                    }
                }
                add(name, volumes->items[i], mount_path);
                map_.mapped(path, std::string(kRacks) + ".volumes", "the same volume");
            }
        }
        return extra;
    }

    void network() {
        std::string service = "ClusterIP", nodes = "ServiceClusterIP", clients = "ServiceClusterIP";
        const bool host = map_.is_true("spec.networking.hostNetwork");
        const bool node_port = root_.at("spec.networking.nodePort") != nullptr;
        if (host) {
            service = "Headless";
            nodes = clients = "PodIP";
            map_.decision("spec.networking.hostNetwork", "ScyllaCluster spec.exposeOptions", "Headless, PodIP",
                          "host networking is deprecated in scylla-operator: nodes broadcast their pod's address "
                          "instead, which has to be reachable for whoever reached the worker's address before");
        } else {
            map_.drop_if_there("spec.networking.hostNetwork", "false is the default in both");
        }
        if (node_port) {
            service = "LoadBalancer";
            nodes = "ServiceClusterIP";
            clients = "ServiceLoadBalancerIngress";
            map_.decision("spec.networking.nodePort", "ScyllaCluster spec.exposeOptions",
                          "LoadBalancer, ServiceLoadBalancerIngress",
                          "scylla-operator has no node ports: a load balancer per node takes their place, with its own "
                          "price and addresses. If all clients come through the proxy, take this out");
        }
        if (map_.at("spec.networking") && map_.at("spec.networking")->empty()) map_.dropped("spec.networking", "empty");
        Node& expose = spec()["exposeOptions"];
        expose["nodeService"].set("type", Node::string(service));
        expose["broadcastOptions"]["nodes"].set("type", Node::string(nodes));
        expose["broadcastOptions"]["clients"].set("type", Node::string(clients));
        map_.added("ScyllaCluster spec.exposeOptions", fmt::format("{}, nodes {}, clients {}", service, nodes, clients),
                   "cannot be changed later, so it is written out. Clients, or the proxy, connect to the Service " +
                       id_.name + "-client: 9042, 9142 with TLS, 19042 and 19142 shard-aware");
        if (map_.at("spec.additionalSeeds")) {
            map_.decision("spec.additionalSeeds", {}, {},
                          "not carried to externalSeeds: those join another ScyllaDB datacenter, and a ScyllaDB node "
                          "that gossips with Cassandra nodes harms both");
        }
        for (const auto* name :
             {"dcService", "seedService", "allpodsService", "additionalSeedService", "nodePortService"}) {
            const auto path = fmt::format("spec.additionalServiceConfig.{}", name);
            const Node* service_config = root_.at(path);
            if (!service_config || !service_config->is_map()) continue;
            if (std::string_view(name) != "nodePortService" && std::string_view(name) != "allpodsService") {
                map_.dropped(path,
                             "scylla-operator makes the client Service itself and takes no labels or annotations for "
                             "it; there is no seed Service");
                continue;
            }
            for (const auto& [from, to] :
                 {std::pair{"additionalLabels", "labels"}, {"additionalAnnotations", "annotations"}}) {
                const Node* entries = service_config->find(from);
                for (const auto& entry : entries ? entries->entries : std::vector<Node::Entry>{})
                    expose["nodeService"][to].set(entry.key, entry.value);
            }
            map_.changed(path, "ScyllaCluster spec.exposeOptions.nodeService", {},
                         "the Service of each node is where such labels and annotations go");
        }
    }

    void pods() {
        const auto into_pods = [&](std::string_view path, std::string_view what, std::string why) {
            const Node* entries = root_.at(path);
            if (!entries || !entries->is_map()) return;
            for (const auto& entry : entries->entries) spec()["podMetadata"][what].set(entry.key, entry.value);
            map_.changed(path, fmt::format("ScyllaCluster spec.podMetadata.{}", what), {}, std::move(why));
        };
        into_pods("spec.additionalLabels", "labels",
                  "on the pods alone; cass-operator puts them on everything that it makes");
        into_pods("spec.additionalAnnotations", "annotations",
                  "on the pods alone; cass-operator puts them on everything that it makes");
        into_pods("spec.podTemplateSpec.metadata.labels", "labels", "the pods' labels");
        into_pods("spec.podTemplateSpec.metadata.annotations", "annotations", "the pods' annotations");
        const std::string pod = "spec.podTemplateSpec.spec.";
        if (const Node* secrets = root_.at(pod + "imagePullSecrets")) {
            spec().set("imagePullSecrets", *secrets);
            map_.mapped(pod + "imagePullSecrets", "ScyllaCluster spec.imagePullSecrets",
                        "the same; the registry has to hold ScyllaDB's images now");
        }
        if (const Node* policy = root_.at(pod + "dnsPolicy")) {
            spec()["network"].set("dnsPolicy", *policy);
            map_.mapped(pod + "dnsPolicy", "ScyllaCluster spec.network.dnsPolicy", "the same");
        }
        if (const Node* gates = root_.at(pod + "readinessGates")) {
            spec().set("readinessGates", *gates);
            map_.mapped(pod + "readinessGates", "ScyllaCluster spec.readinessGates", "the same");
        }
        for (const auto* field : {"containers", "initContainers", "ephemeralContainers"}) {
            const Node* list = root_.at(pod + field);
            if (!list || !list->is_list()) continue;
            for (std::size_t i = 0; i < list->items.size(); ++i) {
                const auto path = join_path(pod + field, i);
                const auto name = map_.text(path + ".name");
                if (name == "cassandra" || name == "server-config-init" || name == "server-system-logger") {
                    map_.dropped(
                        path,
                        "a container of cass-operator's that does not exist; mounts of its volumes were carried over");
                } else {
                    map_.decision(path, {}, {},
                                  "a ScyllaCluster takes no containers of yours: run it as a Deployment or DaemonSet, "
                                  "or inject it by a webhook");
                }
            }
            if (list->empty()) map_.dropped(pod + field, "empty");
        }
        if (const Node* rest = root_.at("spec.podTemplateSpec.spec"); rest && rest->is_map()) {
            for (const auto& entry : rest->entries) {
                const auto path = join_path("spec.podTemplateSpec.spec", entry.key);
                if (!result_.report.covers(path) && entry.key != "affinity" && entry.key != "volumes" &&
                    entry.key != "tolerations" && !entry.key.ends_with("ontainers")) {
                    map_.dropped(path, "scylla-operator writes the pod itself and has no field for this");
                }
            }
        }
        if (const Node* metadata = root_.at("spec.podTemplateSpec.metadata"); metadata && metadata->is_map()) {
            for (const auto& entry : metadata->entries) {
                if (entry.key != "labels" && entry.key != "annotations")
                    map_.dropped(join_path("spec.podTemplateSpec.metadata", entry.key),
                                 "scylla-operator names its pods itself");
            }
        }
        if (const Node* seconds = root_.at("spec.minReadySeconds")) {
            spec().set("minReadySeconds", *seconds);
            map_.mapped("spec.minReadySeconds", "ScyllaCluster spec.minReadySeconds", "the same");
        }
        map_.drop_if_there("spec.serviceAccountName", "scylla-operator makes and uses " + id_.name +
                                                          "-member; bind what your account may do to that one");
        map_.drop_if_there("spec.serviceAccount", "scylla-operator makes and uses " + id_.name + "-member");
        for (const auto* field : {"systemLoggerResources", "systemLoggerImage", "disableSystemLoggerSidecar"})
            map_.drop_if_there(fmt::format("spec.{}", field),
                               "there is no log sidecar: ScyllaDB logs to standard output");
        for (const auto* field : {"configBuilderResources", "configBuilderImage"})
            map_.drop_if_there(fmt::format("spec.{}", field), "there is no config builder");
        map_.drop_if_there("spec.readOnlyRootFilesystem", "no field for it");
        map_.drop_if_there("spec.dockerImageRunsAsCassandra", "does nothing in cass-operator either");
    }

    void operations() {
        if (map_.is_true("spec.stopped")) {
            map_.decision("spec.stopped", {}, {},
                          "a ScyllaCluster cannot be stopped with its volumes kept; local NVMe is lost with its "
                          "worker. Apply these objects when it is to run");
        } else {
            map_.drop_if_there("spec.stopped", "false is how a ScyllaCluster always is");
        }
        if (map_.is_true("spec.rollingRestartRequested")) {
            map_.decision("spec.rollingRestartRequested", "ScyllaCluster spec.forceRedeploymentReason", {},
                          "a restart that is asked for now means nothing to a new cluster; later, any new text in "
                          "forceRedeploymentReason starts one");
        } else {
            map_.drop_if_there("spec.rollingRestartRequested",
                               "a new text in forceRedeploymentReason is what restarts a ScyllaCluster");
        }
        for (const auto* field : {"canaryUpgrade", "canaryUpgradeCount", "maxUnavailable", "forceUpgradeRacks"}) {
            map_.drop_if_there(fmt::format("spec.{}", field),
                               "scylla-operator upgrades one node after the other, rack by rack");
        }
        map_.drop_if_there("spec.replaceNodes",
                           "a ScyllaDB node is replaced by a label on its Service (scylla/replace)");
        map_.drop_if_there("spec.managementApiAuth",
                           "there is no management API: the agent's token is made by the operator");
        if (map_.at("spec.cdc"))
            map_.decision(
                "spec.cdc", {}, {},
                "ships changes to Pulsar through an agent in Cassandra's pod. In ScyllaDB changes are a table (option "
                "cdc = {'enabled': true}); turn it on after the copy, and read it by a connector");
        map_.drop_if_there("spec.dseWorkloads", "DSE's");
    }

    void tasks() {
        const auto dc = map_.text("metadata.name");
        Node repairs = Node::list(), backups = Node::list();
        convert_reaper_and_medusa(input_, dc, result_.report, repairs, backups, options_.backup_location);
        if (repairs.empty()) {
            Node& task = repairs.push(Node::map());
            task.set("name", Node::string("weekly"));
            task.set("cron", Node::string("0 2 * * 6"));
            task.set("intensity", Node::string("1"));
            task.set("parallel", Node::integer(0));
            task.set("smallTableThreshold", Node::string("1GiB"));
            map_.added("ScyllaCluster spec.repairs", "weekly, Saturday 02:00 UTC",
                       "every table has to be repaired within its gc_grace_seconds (10 days unless you changed it). "
                       "ScyllaDB Manager runs it, and has to be installed");
        }
        if (backups.empty() && !options_.backup_location.empty()) {
            Node& task = backups.push(Node::map());
            task.set("name", Node::string("daily"));
            task.set("cron", Node::string("0 4 * * *"));
            task.set("location", Node::strings({options_.backup_location}));
            task.set("retention", Node::integer(3));
            map_.added("ScyllaCluster spec.backups", options_.backup_location,
                       "by --backup-location: daily, three kept. ScyllaDB Manager runs it, and the agent needs rights "
                       "on the bucket");
        }
        spec().set("repairs", std::move(repairs));
        if (backups.empty()) {
            map_.decision({}, "ScyllaCluster spec.backups", "none",
                          "nothing here says where backups go: --backup-location s3:bucket adds a daily one. "
                          "Cassandra's own backups (Medusa) cannot be restored into ScyllaDB");
        } else {
            spec().set("backups", std::move(backups));
        }
    }

    void roles() {
        if (const auto secret = map_.text("spec.superuserSecretName"); !secret.empty()) {
            users_.push_back({secret, true});
            map_.changed("spec.superuserSecretName", "Job env", secret,
                         "no field of a ScyllaCluster makes roles: a Job does, once, from the same Secret");
        } else if (map_.at("spec.superuserSecretName")) {
            map_.dropped("spec.superuserSecretName", "empty");
        }
        if (const Node* list = root_.at("spec.users"); list && list->is_list()) {
            for (std::size_t i = 0; i < list->items.size(); ++i) {
                const auto path = join_path("spec.users", i);
                users_.push_back({map_.text(path + ".secretName"), map_.is_true(path + ".superuser")});
            }
            if (list->empty()) {
                map_.dropped("spec.users", "empty");
            } else {
                map_.changed("spec.users", "Job env", {},
                             "made by the same Job from the same Secrets. Their grants are data: they are copied or "
                             "granted again by hand");
            }
        }
        const Node* authenticator = scylla_yaml_.find("authenticator");
        const bool password = authenticator && authenticator->text == "PasswordAuthenticator";
        if (!users_.empty() && !password) {
            scylla_yaml_.set("authenticator", Node::string("PasswordAuthenticator"));
            if (!scylla_yaml_.find("authorizer")) scylla_yaml_.set("authorizer", Node::string("CassandraAuthorizer"));
            map_.added("ConfigMap scylla.yaml authenticator", "PasswordAuthenticator",
                       "the source makes users, and ScyllaDB asks nobody for a password unless told to");
        } else if (users_.empty() && !password) {
            map_.decision(
                {}, "ConfigMap scylla.yaml authenticator", "none",
                "ScyllaDB asks nobody for a password by default. Set authenticator: PasswordAuthenticator and "
                "authorizer: CassandraAuthorizer in config.cassandra-yaml, and superuserSecretName, and convert again");
        }
        if (users_.empty()) return;
        if (!scylla_yaml_.empty()) {
            for (auto& rack : spec()["datacenter"]["racks"].items)
                rack.set("scyllaConfig", Node::string(id_.name + "-config"));
        }
        if (has_default_superuser(options_.scylla_version)) {
            map_.decision({}, "Job env ADMIN_USER", "cassandra",
                          "the Job logs in as the role `cassandra` that a new cluster has; drop that role, or change "
                          "its password, once your superuser works");
        } else {
            map_.decision(
                {}, "Job env ADMIN_USER", id_.name + "-bootstrap-superuser",
                "from 2026.2 a new cluster has no default role: set auth_superuser_name and "
                "auth_superuser_salted_password in scylla.yaml, and put the same name and password into this Secret");
        }
        // So that the way back finds them again.
        Node& annotations = cluster_["metadata"]["annotations"];
        std::string list;
        for (const auto& user : users_) {
            if (user.superuser && user.secret == map_.text("spec.superuserSecretName") && &user == &users_.front()) {
                annotations.set(kSuperuserAnnotation, Node::string(user.secret));
            } else {
                list +=
                    fmt::format("{}{}:{}", list.empty() ? "" : ",", user.secret, user.superuser ? "superuser" : "user");
            }
        }
        if (!list.empty()) annotations.set(kUsersAnnotation, Node::string(list));
    }

    void leftovers() {
        if (!scylla_yaml_.empty())
            map_.added(std::string(kRacks) + ".scyllaConfig", id_.name + "-config", "the ConfigMap with scylla.yaml");
        map_.added("NodeConfig spec", id_.name + "-nodes",
                   "RAID 0 over the local NVMe disks, XFS, kernel parameters and perftune; without it ScyllaDB's I/O "
                   "and CPUs are not set up. The kubelet needs cpuManagerPolicy: static besides");
        map_.added("ScyllaDBMonitoring spec", id_.name + "-monitoring",
                   "Prometheus and Grafana with ScyllaDB's dashboards; needs Prometheus Operator");
    }

    void assemble() {
        const auto wanted = [&](std::string_view what) {
            return std::find(options_.without.begin(), options_.without.end(), what) == options_.without.end();
        };
        auto& objects = result_.objects;
        if (wanted("namespace")) objects.push_back(make_namespace(id_));
        if (wanted("nodeconfig")) objects.push_back(make_node_config(id_));
        if (!scylla_yaml_.empty()) {
            Node config = make_object("v1", "ConfigMap", id_.name + "-config", id_.name_space);
            config["data"].set("scylla.yaml", Node::string(write_yaml(scylla_yaml_)));
            objects.push_back(std::move(config));
        }
        order_keys(spec(), {"version", "repository", "agentVersion", "podMetadata", "imagePullSecrets", "network",
                            "exposeOptions", "datacenter", "repairs", "backups"});
        objects.push_back(std::move(cluster_));
        if (!users_.empty() && wanted("roles")) objects.push_back(make_roles_job(id_, options_.scylla_version, users_));
        if (wanted("monitoring")) objects.push_back(make_monitoring(id_));
    }

    const Input& input_;
    const ConvertOptions& options_;
    const Node& root_;
    Conversion result_;
    Mapper map_;
    Node cluster_;
    Node scylla_yaml_ = Node::map();
    Node config_source_;
    ClusterId id_;
    std::vector<RoleUser> users_;
};

}  // namespace

std::vector<std::int64_t> spread(std::int64_t nodes, std::size_t racks) {
    const auto count = static_cast<std::int64_t>(std::max<std::size_t>(racks, 1));
    std::vector<std::int64_t> members;
    for (std::int64_t i = 0; i < count; ++i) members.push_back(nodes / count + (i < nodes % count ? 1 : 0));
    return members;
}

Result<Conversion> convert_to_scylla(const Input& input, const Manifest& datacenter, const ConvertOptions& options) {
    return ToScylla(input, datacenter, options).run();
}

}  // namespace penumbra::kube
