#include "kube/scylla_objects.h"

#include <fmt/format.h>

#include "kube/convert.h"
#include "kube/model.h"

namespace penumbra::kube {

namespace {

Node secret_env(std::string_view name, std::string_view secret, std::string_view key) {
    Node env = Node::map();
    env.set("name", Node::string(name));
    Node& reference = env["valueFrom"]["secretKeyRef"];
    reference.set("name", Node::string(secret));
    reference.set("key", Node::string(key));
    return env;
}

Node sysctl(std::string_view name, std::string_view value) {
    Node node = Node::map();
    node.set("name", Node::string(name));
    node.set("value", Node::string(value));
    return node;
}

// CQL text is built inside the container from the Secrets' values: a quote in a name or password is doubled, so that it
// stays inside its literal.
constexpr std::string_view kScript = R"(set -eu
quote() { printf '%s' "$1" | sed "s/'/''/g"; }
until cqlsh "$CLUSTER" 9042 -u "$ADMIN_USER" -p "$ADMIN_PASSWORD" -e 'SELECT key FROM system.local' >/dev/null; do
  echo "waiting for $CLUSTER"
  sleep 5
done
i=0
while [ "$i" -lt "$USERS" ]; do
  eval "name=\$USER_${i}_NAME password=\$USER_${i}_PASSWORD superuser=\$USER_${i}_SUPERUSER"
  echo "CREATE ROLE IF NOT EXISTS '$(quote "$name")' WITH PASSWORD = '$(quote "$password")' AND LOGIN = true AND SUPERUSER = $superuser;"
  i=$((i + 1))
done | cqlsh "$CLUSTER" 9042 -u "$ADMIN_USER" -p "$ADMIN_PASSWORD"
)";

}  // namespace

Node make_object(std::string_view api_version, std::string_view kind, std::string_view name,
                 std::string_view name_space) {
    Node object = Node::map();
    object.set("apiVersion", Node::string(api_version));
    object.set("kind", Node::string(kind));
    Node& metadata = object["metadata"];
    metadata.set("name", Node::string(name));
    if (!name_space.empty()) metadata.set("namespace", Node::string(name_space));
    return object;
}

Node make_namespace(const ClusterId& id) {
    return make_object("v1", "Namespace", id.name_space, {});
}

Node make_requirement(std::string_view key, std::string_view value) {
    Node requirement = Node::map();
    requirement.set("key", Node::string(key));
    requirement.set("operator", Node::string("In"));
    requirement.set("values", Node::strings({std::string(value)}));
    return requirement;
}

Node make_dedicated_toleration() {
    Node toleration = Node::map();
    toleration.set("key", Node::string(kDedicatedTaint));
    toleration.set("operator", Node::string("Equal"));
    toleration.set("value", Node::string("scyllaclusters"));
    toleration.set("effect", Node::string("NoSchedule"));
    return toleration;
}

Node make_anti_affinity(const ClusterId& id) {
    Node anti = Node::map();
    Node& term = anti["requiredDuringSchedulingIgnoredDuringExecution"].push(Node::map());
    Node& labels = term["labelSelector"]["matchLabels"];
    labels.set("app.kubernetes.io/name", Node::string("scylla"));
    labels.set("scylla/cluster", Node::string(id.name));
    term.set("topologyKey", Node::string(kHostnameLabel));
    return anti;
}

Node make_node_config(const ClusterId& id) {
    Node object = make_object(kScyllaAlphaApi, "NodeConfig", id.name + "-nodes", {});
    object.comments = {
        "Formats every local NVMe disk of the workers that it selects: give the label to ScyllaDB's new workers only,",
        "never to those that run Cassandra today."};
    Node& spec = object["spec"];
    Node& setup = spec["localDiskSetup"];
    Node& raid = setup["raids"].push(Node::map());
    raid.set("name", Node::string("nvmes"));
    raid.set("type", Node::string("RAID0"));
    raid["RAID0"]["devices"].set("modelRegex", Node::string("Amazon EC2 NVMe Instance Storage"));
    raid["RAID0"]["devices"].set("nameRegex", Node::string("^/dev/nvme\\d+n\\d+$"));
    Node& filesystem = setup["filesystems"].push(Node::map());
    filesystem.set("device", Node::string("/dev/md/nvmes"));
    filesystem.set("type", Node::string("xfs"));
    Node& mount = setup["mounts"].push(Node::map());
    mount.set("device", Node::string("/dev/md/nvmes"));
    mount.set("mountPoint", Node::string("/var/lib/persistent-volumes"));
    mount.set("unsupportedOptions", Node::strings({"prjquota"}));
    Node& sysctls = spec["sysctls"];
    sysctls.push(sysctl("fs.aio-max-nr", "30000000"));
    sysctls.push(sysctl("fs.nr_open", "1073741816"));
    sysctls.push(sysctl("vm.swappiness", "1"));
    Node& placement = spec["placement"];
    placement["nodeSelector"].set(kNodeTypeLabel, Node::string("scylla"));
    placement["tolerations"].push(make_dedicated_toleration());
    return object;
}

Node make_monitoring(const ClusterId& id) {
    Node object = make_object(kScyllaAlphaApi, "ScyllaDBMonitoring", id.name + "-monitoring", id.name_space);
    Node& spec = object["spec"];
    spec.set("type", Node::string("Platform"));
    Node& labels = spec["endpointsSelector"]["matchLabels"];
    labels.set("app.kubernetes.io/name", Node::string("scylla"));
    labels.set("scylla-operator.scylladb.com/scylla-service-type", Node::string("member"));
    labels.set("scylla/cluster", Node::string(id.name));
    Node& prometheus = spec["components"]["prometheus"];
    prometheus.set("mode", Node::string("Managed"));
    Node& claim = prometheus["storage"]["volumeClaimTemplate"]["spec"];
    claim.set("accessModes", Node::strings({"ReadWriteOnce"}));
    claim["resources"]["requests"].set("storage", Node::string("50Gi"));
    Node& resources = prometheus["resources"];
    resources["requests"].set("cpu", Node::string("500m"));
    resources["requests"].set("memory", Node::string("2Gi"));
    Node& grafana = spec["components"]["grafana"]["resources"];
    grafana["requests"].set("cpu", Node::string("100m"));
    grafana["requests"].set("memory", Node::string("256Mi"));
    return object;
}

Node make_roles_job(const ClusterId& id, std::string_view scylla_version, const std::vector<RoleUser>& users) {
    Node object = make_object("batch/v1", "Job", id.name + "-roles", id.name_space);
    Node& metadata = *object.find("metadata");
    metadata["labels"].set("app.kubernetes.io/managed-by", Node::string("penumbra"));
    Node& spec = object["spec"];
    spec.set("backoffLimit", Node::integer(20));
    spec.set("ttlSecondsAfterFinished", Node::integer(86400));
    Node& pod = spec["template"]["spec"];
    pod.set("restartPolicy", Node::string("OnFailure"));
    Node& container = pod["containers"].push(Node::map());
    container.set("name", Node::string("cqlsh"));
    container.set("image", Node::string(fmt::format("docker.io/scylladb/scylla:{}", scylla_version)));
    container.set("command", Node::strings({"/bin/sh", "-c"}));
    container["args"].push(Node::string(kScript));
    Node& env = container["env"];
    const auto plain = [&](std::string_view name, std::string_view value) {
        Node& entry = env.push(Node::map());
        entry.set("name", Node::string(name));
        entry.set("value", Node::string(value));
    };
    plain("CLUSTER", fmt::format("{}-client.{}.svc", id.name, id.name_space));
    if (has_default_superuser(scylla_version)) {
        plain("ADMIN_USER", "cassandra");
        plain("ADMIN_PASSWORD", "cassandra");
    } else {
        env.push(secret_env("ADMIN_USER", id.name + "-bootstrap-superuser", "username"));
        env.push(secret_env("ADMIN_PASSWORD", id.name + "-bootstrap-superuser", "password"));
    }
    plain("USERS", std::to_string(users.size()));
    for (std::size_t i = 0; i < users.size(); ++i) {
        env.push(secret_env(fmt::format("USER_{}_NAME", i), users[i].secret, "username"));
        env.push(secret_env(fmt::format("USER_{}_PASSWORD", i), users[i].secret, "password"));
        plain(fmt::format("USER_{}_SUPERUSER", i), users[i].superuser ? "true" : "false");
    }
    return object;
}

}  // namespace penumbra::kube
