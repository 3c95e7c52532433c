#include "kube/fix.h"

#include <algorithm>

#include <fmt/format.h>

#include "kube/model.h"
#include "kube/quantity.h"
#include "kube/scylla_objects.h"
#include "kube/to_scylla_parts.h"

namespace penumbra::kube {

namespace {

class Fixer {
  public:
    Fixer(Manifest& manifest, const ConvertOptions& options)
        : manifest_(manifest), root_(manifest.document.root), options_(options) {}

    std::vector<Fix> run() {
        if (manifest_.type) names(root_, *manifest_.type, {});
        if (manifest_.is_cassandra()) cassandra();
        if (manifest_.is_scylla()) scylla();
        return std::move(fixes_);
    }

  private:
    void fixed(Mark mark, std::string path, std::string what) {
        fixes_.push_back({mark, std::move(path), std::move(what)});
    }

    /// Slips in field names, unless the right one is there too; values in the wrong kind of quotes.
    void names(Node& node, const Type& type, const std::string& path) {
        if (type.kind == Type::Kind::list && node.is_list()) {
            for (std::size_t i = 0; i < node.items.size(); ++i) names(node.items[i], *type.element, join_path(path, i));
        }
        if (type.kind == Type::Kind::map && node.is_map()) {
            for (auto& entry : node.entries) names(entry.value, *type.element, join_path(path, entry.key));
        }
        if (node.is_scalar()) {
            if (type.kind == Type::Kind::string && node.plain && node.scalar_type() != ScalarType::string) {
                node.plain = false;
                fixed(node.mark, path, fmt::format("`{}` put in quotes, since it has to be text", node.text));
            }
            const bool number = type.kind == Type::Kind::integer && scalar_type_of(node.text) == ScalarType::integer;
            const bool boolean = type.kind == Type::Kind::boolean && scalar_type_of(node.text) == ScalarType::boolean;
            if (!node.plain && (number || boolean)) {
                node.plain = true;
                fixed(node.mark, path, fmt::format("`{}` taken out of its quotes", node.text));
            }
        }
        if (type.kind != Type::Kind::object || !node.is_map()) return;
        std::vector<std::string> known;
        for (const auto& field : type.fields) known.push_back(field.name);
        for (auto& entry : node.entries) {
            if (!type.field(entry.key) && misplaced_field(path, entry.key).empty()) {
                const auto nearest = nearest_name(entry.key, known);
                if (!nearest.empty() && !node.find(nearest)) {
                    fixed(entry.mark, join_path(path, entry.key), fmt::format("renamed to `{}`", nearest));
                    entry.key = nearest;
                }
            }
            if (const auto* field = type.field(entry.key)) names(entry.value, *field->type, join_path(path, entry.key));
        }
    }

    Mark mark_of(std::string_view key, const Node& in) const {
        const auto* entry = in.entry(key);
        return entry ? entry->mark : in.mark;
    }

    void cassandra() {
        Node* spec = root_.find("spec");
        if (!spec || !spec->is_map()) return;
        if (!spec->find("serverType")) {
            spec->set("serverType", Node::string("cassandra"));
            fixed(spec->mark, "spec.serverType", "added: cassandra");
        }
        if (!spec->find("size")) {
            for (const auto* wrong : {"replicas", "nodes", "nodeCount", "members"}) {
                if (auto* entry = const_cast<Node::Entry*>(spec->entry(wrong)); entry && entry->value.as_integer()) {
                    fixed(entry->mark, fmt::format("spec.{}", wrong),
                          "renamed to `size`, which is what counts a datacenter's nodes");
                    entry->key = "size";
                    break;
                }
            }
        }
        if (const Node* version = spec->find("version"); version && !spec->find("serverVersion")) {
            const_cast<Node::Entry*>(spec->entry("version"))->key = "serverVersion";
            fixed(version->mark, "spec.version", "renamed to `serverVersion`");
        }
        Node* storage = spec->find("storageConfig");
        if (!storage || !storage->find("cassandraDataVolumeClaimSpec")) {
            Node claim = Node::map();
            claim.set("accessModes", Node::strings({"ReadWriteOnce"}));
            const bool known = !options_.storage.empty();
            Node size = Node::string(known ? options_.storage : "1Ti");
            if (!known)
                size.comments.push_back(
                    "decision: the manifest does not say how large a node's volume is; kubectl get pvc does. --storage "
                    "says it here");
            claim["resources"]["requests"].set("storage", std::move(size));
            if (!options_.storage_class.empty()) claim.set("storageClassName", Node::string(options_.storage_class));
            const Mark mark = mark_of("storageConfig", *spec);
            (*spec)["storageConfig"].set("cassandraDataVolumeClaimSpec", std::move(claim));
            fixed(mark, "spec.storageConfig",
                  known ? fmt::format("added: a claim of {} per node", options_.storage)
                        : "added: a claim of 1Ti per node, an assumption (--storage says the real size)");
        }
        jvm_options(*spec);
        order_keys(*spec, {"clusterName", "serverType", "serverVersion"});
    }

    /// jvm-options is 3.11's file; from 4.0 on the heap and the collector have files of their own.
    void jvm_options(Node& spec) {
        Node* config = spec.find("config");
        const Node* version_text = spec.find("serverVersion");
        const auto version = version_text ? Version::parse(version_text->text) : std::nullopt;
        if (!config || !config->is_map() || !version) return;
        auto* entry = const_cast<Node::Entry*>(config->entry("jvm-options"));
        if (entry && version->major >= 4 && !config->find("jvm-server-options")) {
            entry->key = "jvm-server-options";
            fixed(entry->mark, "spec.config.jvm-options",
                  fmt::format("renamed to `jvm-server-options`, the file of Cassandra {}.{}", version->major,
                              version->minor));
        }
        entry = const_cast<Node::Entry*>(config->entry("jvm-server-options"));
        if (entry && version->major == 3 && !config->find("jvm-options")) {
            entry->key = "jvm-options";
            fixed(entry->mark, "spec.config.jvm-server-options",
                  "renamed to `jvm-options`, the file of Cassandra 3.11");
        }
    }

    void scylla() {
        Node* spec = root_.find("spec");
        if (!spec || !spec->is_map()) return;
        Node rack = Node::map();
        const auto take = [&](std::string_view key) -> std::optional<Node> {
            if (Node* found = spec->find(key)) {
                Node value = std::move(*found);
                spec->erase(key);
                return value;
            }
            return std::nullopt;
        };
        const bool has_racks = spec->at("datacenter.racks") && !spec->at("datacenter.racks")->empty();
        std::optional<std::int64_t> nodes;
        for (const auto* wrong : {"size", "replicas", "members", "nodes", "nodeCount"}) {
            const Mark mark = mark_of(wrong, *spec);
            const Node* there = spec->find(wrong);
            if (!there || !there->as_integer()) continue;
            if (has_racks) {
                fixed(mark, fmt::format("spec.{}", wrong), "removed: the racks below say their members");
            } else {
                nodes = there->as_integer();
                fixed(mark, fmt::format("spec.{}", wrong), "moved to `spec.datacenter.racks[].members`");
            }
            carry_comments(*there, rack);
            take(wrong);
        }
        std::optional<Node> resources;
        if (spec->find("resources")) {
            const Mark mark = mark_of("resources", *spec);
            resources = take("resources");
            fixed(mark, "spec.resources",
                  has_racks ? "moved into each rack that has none" : "moved to `spec.datacenter.racks[].resources`");
        }
        std::optional<Node> storage;
        if (spec->find("storage")) {
            fixed(mark_of("storage", *spec), "spec.storage", "moved to `spec.datacenter.racks[].storage`");
            storage = take("storage");
        }
        std::optional<Node> moved_racks;
        if (spec->find("racks") && !has_racks) {
            fixed(mark_of("racks", *spec), "spec.racks", "moved to `spec.datacenter.racks`");
            moved_racks = take("racks");
        }
        if (const Node* pinned = spec->find("cpuset")) {
            fixed(mark_of("cpuset", *spec), "spec.cpuset",
                  fmt::format("removed (`{}`): deprecated and always treated as true; limits equal to requests are "
                              "what pins CPUs",
                              pinned->text));
            take("cpuset");
        }
        Node& datacenter = (*spec)["datacenter"];
        if (!datacenter.is_map() && !datacenter.is_null()) return;
        if (!datacenter.find("name")) {
            Node name = Node::string("dc1");
            name.comments.push_back(
                "decision: the datacenter that the keyspaces replicate to; it cannot be changed later");
            datacenter.set("name", std::move(name));
            fixed(spec->mark, "spec.datacenter.name",
                  "added: dc1, an assumption. It has to be what the keyspaces' replication names");
        }
        if (moved_racks) datacenter.set("racks", std::move(*moved_racks));
        Node& racks = datacenter["racks"];
        if (racks.is_null() || (racks.is_list() && racks.empty())) {
            racks = Node::list();
            const auto names = options_.racks.empty() ? std::vector<std::string>{"default"} : options_.racks;
            const auto members = spread(options_.replicas.value_or(nodes.value_or(3)), names.size());
            for (std::size_t i = 0; i < names.size(); ++i) {
                Node one = rack;
                one.kind = Node::Kind::map;
                const auto [name, zone] = split_rack(names[i]);
                one.set("name", Node::string(name));
                one.set("members", Node::integer(members[i]));
                if (!zone.empty()) {
                    Node placement = Node::map();
                    merge_affinity(placement, {make_requirement(kZoneLabel, zone)});
                    one.set("placement", std::move(placement));
                }
                racks.push(std::move(one));
            }
            fixed(spec->mark, "spec.datacenter.racks",
                  names.size() == 1
                      ? fmt::format("added: one rack of {} members (--racks names one per zone)", members[0])
                      : fmt::format("added: {} racks, by --racks", names.size()));
        }
        if (!racks.is_list()) return;
        for (std::size_t i = 0; i < racks.items.size(); ++i) {
            if (racks.items[i].is_map())
                rack_fields(racks.items[i], join_path("spec.datacenter.racks", i), resources, storage);
        }
        if (const Node* agent = spec->find("agentVersion"); !agent || agent->text == "latest") {
            spec->set("agentVersion", Node::string(options_.agent_version));
            fixed(spec->mark, "spec.agentVersion",
                  fmt::format("pinned to {}: the default is whatever `latest` is on the day", options_.agent_version));
        }
        order_keys(*spec, {"version", "repository", "agentVersion", "developerMode"});
    }

    static void carry_comments(const Node& from, Node& to) {
        to.comments.insert(to.comments.end(), from.comments.begin(), from.comments.end());
    }

    void rack_fields(Node& rack, const std::string& path, const std::optional<Node>& resources,
                     const std::optional<Node>& storage) {
        if (!rack.find("storage")) {
            if (storage && storage->is_map()) {
                rack.set("storage", *storage);
            } else {
                const bool known = !options_.storage.empty();
                Node capacity = Node::string(known ? options_.storage : "1500Gi");
                if (!known)
                    capacity.comments.push_back(
                        "decision: the manifest does not say; this is the size in scylla-operator's example. --storage "
                        "says yours");
                rack["storage"].set("capacity", std::move(capacity));
                rack["storage"].set("storageClassName", Node::string(options_.storage_class.empty()
                                                                         ? kLocalStorageClass
                                                                         : std::string_view(options_.storage_class)));
                fixed(rack.mark, path + ".storage",
                      known ? fmt::format("added: {}", options_.storage)
                            : "added: 1500Gi, an assumption (--storage says the real size)");
            }
        }
        if (!rack.find("resources") && resources) rack.set("resources", *resources);
        if (!rack.find("resources") && options_.cpu && !options_.memory.empty()) {
            rack["resources"]["limits"].set("cpu", Node::integer(*options_.cpu));
            rack["resources"]["limits"].set("memory", Node::string(options_.memory));
            fixed(rack.mark, path + ".resources", "added, by --cpu and --memory");
        }
        Node* given = rack.find("resources");
        if (!given || !given->is_map()) return;
        Node* requests = given->find("requests");
        Node* limits = given->find("limits");
        if (requests && !limits) {
            given->set("limits", *requests);
            fixed(given->mark, path + ".resources.limits",
                  "added, equal to the requests: the webhook wants limits, and equal ones give Guaranteed QoS, without "
                  "which CPU pinning is silently off");
        } else if (limits && !requests) {
            given->set("requests", *limits);
            fixed(given->mark, path + ".resources.requests", "added, equal to the limits");
        } else if (requests && limits && requests->is_map() && !requests->same(*limits)) {
            for (const auto& entry : limits->entries) requests->set(entry.key, entry.value);
            fixed(given->mark, path + ".resources.requests",
                  "made equal to the limits: anything else silently turns CPU pinning off");
        }
        if (!rack.find("agentResources")) {
            for (const auto* part : {"requests", "limits"}) {
                rack["agentResources"][part].set("cpu", Node::string("100m"));
                rack["agentResources"][part].set("memory", Node::string("256Mi"));
            }
            fixed(rack.mark, path + ".agentResources",
                  "added with limits equal to requests: the agent's default has no limits, which silently turns CPU "
                  "pinning off");
        }
        order_keys(rack, {"name", "members", "storage", "resources", "agentResources"});
    }

    Manifest& manifest_;
    Node& root_;
    const ConvertOptions& options_;
    std::vector<Fix> fixes_;
};

}  // namespace

std::vector<Fix> apply_fixes(Manifest& manifest, const ConvertOptions& options) {
    return Fixer(manifest, options).run();
}

}  // namespace penumbra::kube
