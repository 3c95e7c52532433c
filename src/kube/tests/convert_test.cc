#include "kube/convert.h"

#include <random>

#include <gmock/gmock.h>

#include "kube/tests/run.h"
#include "kube/yaml.h"

namespace penumbra::kube {
namespace {

using testing::HasSubstr;

const std::string kCassandra = R"(apiVersion: cassandra.datastax.com/v1beta1
kind: CassandraDatacenter
metadata:
  name: dc1
spec:
  clusterName: media
  serverType: cassandra
  serverVersion: "4.1.3"
  size: 7
  storageConfig:
    cassandraDataVolumeClaimSpec:
      accessModes: [ReadWriteOnce]
      storageClassName: gp3
      volumeMode: Filesystem
      resources: {requests: {storage: 1Ti}}
)";

const std::string kScylla = R"(apiVersion: scylla.scylladb.com/v1
kind: ScyllaCluster
metadata:
  name: media
spec:
  version: "2026.1.6"
  agentVersion: "3.11.2"
  datacenter:
    name: dc1
    racks:
      - name: ra
        members: 2
        storage: {capacity: 1500Gi, storageClassName: scylladb-local-xfs}
        resources: {requests: {cpu: 6, memory: 50Gi}, limits: {cpu: 6, memory: 50Gi}}
        agentResources: {requests: {cpu: 100m, memory: 256Mi}, limits: {cpu: 100m, memory: 256Mi}}
)";

struct Done {
    std::vector<Node> objects;
    Report report;
    std::string text;

    const Node& of(std::string_view kind) const {
        static const Node none;
        for (const auto& object : objects) {
            if (object.find("kind")->text == kind) return object;
        }
        return none;
    }
    const ReportEntry* entry(std::string_view from) const {
        for (const auto& entry : report.entries()) {
            if (entry.from == from) return &entry;
        }
        return nullptr;
    }
    const ReportEntry* entry_to(std::string_view to) const {
        for (const auto& entry : report.entries()) {
            if (entry.to == to) return &entry;
        }
        return nullptr;
    }
};

Done convert(const std::string& text, const ConvertOptions& options = {}, bool back = false) {
    auto input = read_input("in.yaml", text);
    validate(input);
    EXPECT_EQ(input.diagnostics.errors(), 0u) << input.diagnostics.render(text);
    Done done;
    for (const auto& manifest : input.manifests) {
        if (back ? !manifest.is_scylla() : !manifest.is_cassandra()) continue;
        auto result =
            back ? convert_to_cassandra(input, manifest, options) : convert_to_scylla(input, manifest, options);
        EXPECT_TRUE(result) << (result ? "" : result.error().what);
        if (!result) return done;
        auto conversion = std::move(result).value();
        for (auto& object : conversion.objects) {
            done.text += "---\n" + write_yaml(object);
            done.objects.push_back(std::move(object));
        }
        done.report = std::move(conversion.report);
    }
    auto own = read_input("own.yaml", done.text);
    validate(own);
    EXPECT_EQ(own.diagnostics.errors(), 0u) << own.diagnostics.render(done.text);
    for (const auto& entry : done.report.entries()) {
        EXPECT_FALSE(entry.why.empty()) << entry.from << entry.to;
        EXPECT_THAT(entry.why, testing::Not(HasSubstr("there is no rule for this field"))) << entry.from;
    }
    return done;
}

/// One field of the source: what is added to the good manifest, what the report says of it, where it went.
struct FieldCase {
    std::string yaml;  ///< lines of spec, indented by two
    std::string from;  ///< entry of the report
    Verdict verdict;
    std::string at;        ///< path in the cluster object, or empty
    std::string expected;  ///< its JSON, or a part of the report's reason when `at` is empty
};

void check(const std::vector<FieldCase>& cases, const std::string& base, bool back, const std::string& kind) {
    for (const auto& one : cases) {
        const auto done = convert(base + one.yaml, {}, back);
        const auto* entry = done.entry(one.from);
        ASSERT_NE(entry, nullptr) << one.from << "\n" << done.report.text();
        EXPECT_EQ(to_string(entry->verdict), to_string(one.verdict)) << one.from << ": " << entry->why;
        if (one.at.empty()) {
            EXPECT_THAT(entry->why, HasSubstr(one.expected)) << one.from;
            continue;
        }
        const Node* there = done.of(kind).at(one.at);
        ASSERT_NE(there, nullptr) << one.from << " -> " << one.at << "\n" << done.text;
        EXPECT_EQ(write_json(*there, 0), one.expected) << one.from;
    }
}

const std::string kRack = "spec.datacenter.racks[0]";

// Every field of a CassandraDatacenter in the order of the field map.
TEST(ConvertToScylla, EveryFieldHasItsPlaceOrItsReason) {
    using enum Verdict;
    check(
        {
            {"", "metadata.name", mapped, "spec.datacenter.name", "\"dc1\""},
            {"  datacenterName: DC One\n", "spec.datacenterName", mapped, "spec.datacenter.name", "\"DC One\""},
            {"  datacenterName: DC One\n", "metadata.name", dropped, "", "datacenterName names the datacenter"},
            {"", "spec.clusterName", mapped, "metadata.name", "\"media\""},
            {"", "spec.serverType", mapped, "", "can be moved"},
            {"", "spec.serverVersion", changed, "spec.version", "\"2026.1.6\""},
            {"  serverImage: registry.example/cassandra:4.1.3\n", "spec.serverImage", decision, "",
             "mirror docker.io/scylladb/scylla"},
            {"", "spec.size", mapped, kRack + ".members", "7"},
            {"  racks: [{name: r1}, {name: r2}, {name: r3}]\n", "spec.size", mapped, kRack + ".members", "3"},
            {"  racks: [{name: r1}, {name: r2}, {name: r3}]\n", "spec.racks[2].name", mapped,
             "spec.datacenter.racks[2].members", "2"},
            {"  racks: [{name: r1, zone: us-east-1a}]\n", "spec.racks[0].zone", changed,
             kRack + ".placement.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                     "matchExpressions[1]",
             R"({"key":"topology.kubernetes.io/zone","operator":"In","values":["us-east-1a"]})"},
            {"  racks: [{name: r1, nodeAffinityLabels: {disk: fast}}]\n", "spec.racks[0].nodeAffinityLabels", changed,
             kRack + ".placement.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                     "matchExpressions[1].key",
             "\"disk\""},
            {"  racks: [{name: r1, affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: "
             "1, podAffinityTerm: {topologyKey: z}}]}}}]\n",
             "spec.racks[0].affinity", mapped,
             kRack + ".placement.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight", "1"},
            {"  nodeAffinityLabels: {pool: db}\n", "spec.nodeAffinityLabels", changed,
             kRack + ".placement.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                     "matchExpressions[1].values",
             "[\"db\"]"},
            {"  allowMultipleNodesPerWorker: false\n", "spec.allowMultipleNodesPerWorker", dropped,
             kRack + ".placement.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
             "\"kubernetes.io/hostname\""},
            {"  nodeSelector: {pool: cassandra}\n", "spec.nodeSelector", decision,
             kRack + ".placement.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                     "matchExpressions[1].key",
             "\"pool\""},
            {"  tolerations: [{key: db, operator: Exists}]\n", "spec.tolerations", mapped,
             kRack + ".placement.tolerations[1]", R"({"key":"db","operator":"Exists"})"},
            {"", "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage", mapped,
             kRack + ".storage.capacity", "\"1Ti\""},
            {"", "spec.storageConfig.cassandraDataVolumeClaimSpec.storageClassName", changed,
             kRack + ".storage.storageClassName", "\"scylladb-local-xfs\""},
            {"", "spec.storageConfig.cassandraDataVolumeClaimSpec.accessModes", dropped, "",
             "scylla-operator makes the claim itself"},
            {"", "spec.storageConfig.cassandraDataVolumeClaimSpec.volumeMode", dropped, "",
             "scylla-operator makes the claim itself"},
            {"    additionalVolumes: [{name: certs, mountPath: /certs, volumeSource: {secret: {secretName: tls}}}]\n",
             "spec.storageConfig.additionalVolumes[0]", mapped, kRack + ".volumes[0]",
             R"({"name":"certs","secret":{"secretName":"tls"}})"},
            {"    additionalVolumes: [{name: log, mountPath: /var/lib/commitlog, pvcSpec: {}}]\n",
             "spec.storageConfig.additionalVolumes[0]", dropped, "", "gains nothing on NVMe"},
            {"    additionalVolumes: [{name: c, mountPath: /opt/cassandra/x, volumeSource: {emptyDir: {}}}]\n",
             "spec.storageConfig.additionalVolumes[0]", decision, "", "ScyllaDB reads /etc/scylla"},
            {"  resources: {requests: {cpu: 3500m, memory: 24Gi}, limits: {memory: 32Gi}}\n", "spec.resources", changed,
             kRack + ".resources", R"({"requests":{"cpu":4,"memory":"32Gi"},"limits":{"cpu":4,"memory":"32Gi"}})"},
            {"  resources: {requests: {cpu: 4, memory: 32Gi}, limits: {cpu: 4, memory: 32Gi}}\n", "spec.resources",
             mapped, kRack + ".resources.limits.cpu", "4"},
            {"  resources: {requests: {cpu: 4}}\n", "spec.resources", decision, kRack + ".resources.limits.memory",
             "\"50Gi\""},
            {"  config: {jvm-server-options: {max_heap_size: 8G}}\n", "spec.config.jvm-server-options.max_heap_size",
             dropped, "", "no heap"},
            {"  config: {jvm11-server-options: {additional-jvm-opts: [-XX:MaxGCPauseMillis=300]}}\n",
             "spec.config.jvm11-server-options.additional-jvm-opts[0]", dropped, "", "no garbage collector"},
            {"  config: {jvm-server-options: {additional-jvm-opts: [-Dcassandra.x=y]}}\n",
             "spec.config.jvm-server-options.additional-jvm-opts[0]", dropped, "", "system property"},
            {"  config: {cassandra-env-sh: {malloc-arena-max: 4}}\n", "spec.config.cassandra-env-sh.malloc-arena-max",
             dropped, "", "ScyllaDB has none"},
            {"  config: {logback-xml: x}\n", "spec.config.logback-xml", dropped, "", "default_log_level"},
            {"  config: {cassandra-yaml: {auto_snapshot: true}}\n", "spec.config.cassandra-yaml.auto_snapshot", mapped,
             kRack + ".scyllaConfig", "\"media-config\""},
            {"  configSecret: my-config\n", "spec.configSecret", decision, "", "the Secret is not in this input"},
            {"  superuserSecretName: su\n", "spec.superuserSecretName", changed, "metadata.annotations",
             R"({"penumbra/superuser-secret":"su"})"},
            {"  users: [{secretName: app, superuser: false}]\n", "spec.users", changed, "metadata.annotations",
             R"({"penumbra/users":"app:user"})"},
            {"  managementApiAuth: {insecure: {}}\n", "spec.managementApiAuth", dropped, "", "no management API"},
            {"  serviceAccountName: sa\n", "spec.serviceAccountName", dropped, "", "media-member"},
            {"  serviceAccount: sa\n", "spec.serviceAccount", dropped, "", "media-member"},
            {"  systemLoggerResources: {requests: {cpu: 1}}\n", "spec.systemLoggerResources", dropped, "",
             "no log sidecar"},
            {"  systemLoggerImage: x\n", "spec.systemLoggerImage", dropped, "", "no log sidecar"},
            {"  disableSystemLoggerSidecar: true\n", "spec.disableSystemLoggerSidecar", dropped, "", "no log sidecar"},
            {"  configBuilderResources: {requests: {cpu: 1}}\n", "spec.configBuilderResources", dropped, "",
             "no config builder"},
            {"  configBuilderImage: x\n", "spec.configBuilderImage", dropped, "", "no config builder"},
            {"  podTemplateSpec: {metadata: {labels: {team: a}}}\n", "spec.podTemplateSpec.metadata.labels", changed,
             "spec.podMetadata.labels", R"({"team":"a"})"},
            {"  podTemplateSpec: {metadata: {annotations: {x: y}}}\n", "spec.podTemplateSpec.metadata.annotations",
             changed, "spec.podMetadata.annotations", R"({"x":"y"})"},
            {"  podTemplateSpec: {spec: {volumes: [{name: v, emptyDir: {}}]}}\n",
             "spec.podTemplateSpec.spec.volumes[0]", mapped, kRack + ".volumes[0].name", "\"v\""},
            {"  podTemplateSpec: {spec: {imagePullSecrets: [{name: reg}]}}\n",
             "spec.podTemplateSpec.spec.imagePullSecrets", mapped, "spec.imagePullSecrets", R"([{"name":"reg"}])"},
            {"  podTemplateSpec: {spec: {containers: [{name: sidecar, image: x}]}}\n",
             "spec.podTemplateSpec.spec.containers[0]", decision, "", "takes no containers of yours"},
            {"  podTemplateSpec: {spec: {containers: [{name: cassandra, env: []}]}}\n",
             "spec.podTemplateSpec.spec.containers[0]", dropped, "", "a container of cass-operator's"},
            {"  podTemplateSpec: {spec: {initContainers: [{name: init}]}}\n",
             "spec.podTemplateSpec.spec.initContainers[0]", decision, "", "takes no containers of yours"},
            {"  podTemplateSpec: {spec: {priorityClassName: high}}\n", "spec.podTemplateSpec.spec.priorityClassName",
             dropped, "", "no field for this"},
            {"  podTemplateSpec: {spec: {dnsPolicy: Default}}\n", "spec.podTemplateSpec.spec.dnsPolicy", mapped,
             "spec.network.dnsPolicy", "\"Default\""},
            {"  podTemplateSpec: {spec: {tolerations: [{key: t}]}}\n", "spec.podTemplateSpec.spec.tolerations", mapped,
             kRack + ".placement.tolerations[1].key", "\"t\""},
            {"  podTemplateSpec: {spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
             "{nodeSelectorTerms: [{matchExpressions: [{key: k, operator: Exists}]}]}}}}}\n",
             "spec.podTemplateSpec.spec.affinity", mapped,
             kRack + ".placement.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
                     "matchExpressions[1].key",
             "\"k\""},
            {"  networking: {hostNetwork: true}\n", "spec.networking.hostNetwork", decision,
             "spec.exposeOptions.broadcastOptions.clients.type", "\"PodIP\""},
            {"  networking: {hostNetwork: false}\n", "spec.networking.hostNetwork", dropped,
             "spec.exposeOptions.nodeService.type", "\"ClusterIP\""},
            {"  networking: {nodePort: {native: 30042}}\n", "spec.networking.nodePort", decision,
             "spec.exposeOptions.nodeService.type", "\"LoadBalancer\""},
            {"  additionalSeeds: [10.0.0.1]\n", "spec.additionalSeeds", decision, "", "harms both"},
            {"  additionalServiceConfig: {allpodsService: {additionalAnnotations: {x: y}}}\n",
             "spec.additionalServiceConfig.allpodsService", changed, "spec.exposeOptions.nodeService.annotations",
             R"({"x":"y"})"},
            {"  additionalServiceConfig: {dcService: {additionalLabels: {x: y}}}\n",
             "spec.additionalServiceConfig.dcService", dropped, "", "client Service itself"},
            {"  additionalLabels: {x: y}\n", "spec.additionalLabels", changed, "spec.podMetadata.labels",
             R"({"x":"y"})"},
            {"  additionalAnnotations: {x: y}\n", "spec.additionalAnnotations", changed, "spec.podMetadata.annotations",
             R"({"x":"y"})"},
            {"  minReadySeconds: 10\n", "spec.minReadySeconds", mapped, "spec.minReadySeconds", "10"},
            {"  stopped: true\n", "spec.stopped", decision, "", "cannot be stopped"},
            {"  stopped: false\n", "spec.stopped", dropped, "", "always"},
            {"  canaryUpgrade: true\n", "spec.canaryUpgrade", dropped, "", "rack by rack"},
            {"  canaryUpgradeCount: 1\n", "spec.canaryUpgradeCount", dropped, "", "rack by rack"},
            {"  maxUnavailable: 1\n", "spec.maxUnavailable", dropped, "", "rack by rack"},
            {"  forceUpgradeRacks: [r1]\n", "spec.forceUpgradeRacks", dropped, "", "rack by rack"},
            {"  replaceNodes: [p1]\n", "spec.replaceNodes", dropped, "", "scylla/replace"},
            {"  rollingRestartRequested: true\n", "spec.rollingRestartRequested", decision, "",
             "forceRedeploymentReason"},
            {"  readOnlyRootFilesystem: true\n", "spec.readOnlyRootFilesystem", dropped, "", "no field"},
            {"  dockerImageRunsAsCassandra: true\n", "spec.dockerImageRunsAsCassandra", dropped, "", "does nothing"},
            {"  cdc: {pulsarServiceUrl: x}\n", "spec.cdc", decision, "", "cdc = {'enabled': true}"},
            {"  dseWorkloads: {graphEnabled: false}\n", "spec.dseWorkloads", dropped, "", "DSE"},
        },
        kCassandra, false, "ScyllaCluster");
}

// cassandra.yaml: what is used, renamed, ignored, rejected, unknown, written by the operator.
TEST(ConvertToScylla, EveryKindOfKeyOfCassandraYaml) {
    struct Case {
        std::string line;
        Verdict verdict;
        std::string in_scylla_yaml, why;
    };
    using enum Verdict;
    const std::vector<Case> cases{
        {"read_request_timeout: 5000ms", changed, "read_request_timeout_in_ms: 5000\n", "no unit"},
        {"read_request_timeout: 5s", changed, "read_request_timeout_in_ms: 5000\n", "no unit"},
        {"read_request_timeout_in_ms: 7000", mapped, "read_request_timeout_in_ms: 7000\n", "same key"},
        {"batch_size_fail_threshold: 50KiB", changed, "batch_size_fail_threshold_in_kb: 50\n", "no unit"},
        {"max_hint_window: 3h", changed, "max_hint_window_in_ms: 10800000\n", "no unit"},
        {"authenticator: org.apache.cassandra.auth.PasswordAuthenticator", mapped,
         "authenticator: PasswordAuthenticator\n", "short name"},
        {"authenticator: MutualTlsAuthenticator", decision, "", "ScyllaDB has no MutualTlsAuthenticator"},
        {"role_manager: CassandraRoleManager", dropped, "", "default"},
        {"commitlog_sync: group", changed, "commitlog_sync: batch\n", "becomes batch"},
        {"user_defined_functions_enabled: true", decision, "experimental_features:\n  - udf\n", "WebAssembly"},
        {"partitioner: org.apache.cassandra.dht.Murmur3Partitioner", dropped, "", "Murmur3Partitioner is the only one"},
        {"num_tokens: 16", dropped, "", "tablets"},
        {"compaction_throughput: 64MiB/s", dropped, "", "throttle"},
        {"endpoint_snitch: GossipingPropertyFileSnitch", dropped, "", "scylla-operator sets"},
        {"listen_address: 0.0.0.0", dropped, "", "scylla-operator writes"},
        {"seed_provider: []", dropped, "", "scylla-operator writes"},
        {"disk_failure_policy: stop", dropped, "", "ignores it"},
        {"key_cache_size: 100MiB", dropped, "", "ignores it"},
        {"tombstone_failure_threshold: 100000", dropped, "", "ends a page early"},
        {"concurrent_reads: 32", dropped, "", "rejects it"},
        {"concurrent_compactors: 2", dropped, "", "rejects it"},
        {"memtable_allocation_type: heap_buffers", dropped, "", "rejects it"},
        {"gc_warn_threshold: 1000ms", dropped, "", "no such key"},
        {"materialized_views_enabled: true", dropped, "", "no such key"},
        {"keyspaces_warn_threshold: 40", dropped, "", "no such key"},
        {"write_request_timeout: soon", decision, "", "could not be read"},
    };
    for (const auto& one : cases) {
        const auto done = convert(kCassandra + "  config:\n    cassandra-yaml:\n      " + one.line + "\n");
        const auto key = one.line.substr(0, one.line.find(':'));
        const auto* entry = done.entry("spec.config.cassandra-yaml." + key);
        ASSERT_NE(entry, nullptr) << key;
        EXPECT_EQ(to_string(entry->verdict), to_string(one.verdict)) << key << ": " << entry->why;
        EXPECT_THAT(entry->why, HasSubstr(one.why)) << key;
        const Node* yaml = done.of("ConfigMap").at("data.\"scylla.yaml\"");
        if (one.in_scylla_yaml.empty()) {
            EXPECT_TRUE(!yaml || yaml->text.find(key) == std::string::npos) << yaml->text;
        } else {
            ASSERT_NE(yaml, nullptr) << key;
            EXPECT_THAT(yaml->text, HasSubstr(one.in_scylla_yaml));
        }
    }
}

TEST(ConvertToScylla, KeyStoresNeedADecision) {
    const auto done = convert(kCassandra +
                              "  config:\n    cassandra-yaml:\n      client_encryption_options: {enabled: true, "
                              "keystore: /x.jks, keystore_password: p, require_client_auth: false}\n");
    EXPECT_EQ(done.entry("spec.config.cassandra-yaml.client_encryption_options.keystore")->verdict, Verdict::decision);
    EXPECT_EQ(done.entry("spec.config.cassandra-yaml.client_encryption_options.keystore_password")->verdict,
              Verdict::dropped);
    EXPECT_THAT(done.of("ConfigMap").at("data.\"scylla.yaml\"")->text,
                HasSubstr("certificate: /etc/scylla/certs/tls.crt"));
}

TEST(ConvertToScylla, AConfigSecretInTheSameFileIsRead) {
    // {"cassandra-yaml":{"read_request_timeout_in_ms":10000},"jvm-server-options":{"max_heap_size":"1024M"}}
    const auto done =
        convert(kCassandra +
                "  configSecret: conf\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: conf}\ndata:\n  config: "
                "eyJjYXNzYW5kcmEteWFtbCI6eyJyZWFkX3JlcXVlc3RfdGltZW91dF9pbl9tcyI6MTAwMDB9LCJqdm0tc2VydmVyLW9wdGlvbnMiOn"
                "sibWF4X2hlYXBfc2l6ZSI6IjEwMjRNIn19\n");
    EXPECT_THAT(done.of("ConfigMap").at("data.\"scylla.yaml\"")->text, HasSubstr("read_request_timeout_in_ms: 10000"));
    EXPECT_EQ(done.entry("jvm-server-options.max_heap_size")->verdict, Verdict::dropped);
    EXPECT_EQ(done.entry("spec.configSecret")->verdict, Verdict::changed);
}

TEST(ConvertToScylla, ReaperAndMedusaBecomeTasks) {
    const auto done = convert(kCassandra + R"(---
apiVersion: medusa.k8ssandra.io/v1alpha1
kind: MedusaConfiguration
metadata: {name: medusa}
spec: {storageProperties: {storageProvider: s3, bucketName: media-backups}}
---
apiVersion: medusa.k8ssandra.io/v1alpha1
kind: MedusaBackupSchedule
metadata: {name: nightly}
spec: {cronSchedule: "30 1 * * *", backupSpec: {cassandraDatacenter: dc1, backupType: differential}}
---
apiVersion: reaper.k8ssandra.io/v1alpha1
kind: Reaper
metadata: {name: reaper}
spec: {}
)");
    EXPECT_EQ(write_json(*done.of("ScyllaCluster").at("spec.backups"), 0),
              R"([{"name":"nightly","cron":"30 1 * * *","location":["s3:media-backups"],"retention":3}])");
    EXPECT_EQ(done.entry("Reaper reaper")->verdict, Verdict::changed);
}

TEST(ConvertToScylla, MakesACompleteSet) {
    const auto done =
        convert(kCassandra + "  superuserSecretName: su\n  config: {cassandra-yaml: {auto_snapshot: true}}\n");
    std::vector<std::string> kinds;
    for (const auto& object : done.objects) kinds.push_back(object.find("kind")->text);
    EXPECT_THAT(kinds, testing::ElementsAre("Namespace", "NodeConfig", "ConfigMap", "ScyllaCluster", "Job",
                                            "ScyllaDBMonitoring"));
    const Node& rack = *done.of("ScyllaCluster").at(kRack);
    EXPECT_TRUE(rack.at("resources.requests")->same(*rack.at("resources.limits")));
    EXPECT_TRUE(rack.at("agentResources.requests")->same(*rack.at("agentResources.limits")));
    EXPECT_EQ(done.of("NodeConfig").at("spec.localDiskSetup.raids[0].type")->text, "RAID0");
    EXPECT_EQ(done.of("NodeConfig").at("spec.localDiskSetup.filesystems[0].type")->text, "xfs");
    EXPECT_THAT(done.text, HasSubstr("fs.aio-max-nr"));
    EXPECT_THAT(done.text, HasSubstr("authenticator: PasswordAuthenticator"));
    // The label that lets a NodeConfig format disks must be asked for by the pods too, and by nothing of the source.
    EXPECT_EQ(write_json(*done.of("NodeConfig").at("spec.placement.nodeSelector"), 0),
              R"({"scylla.scylladb.com/node-type":"scylla"})");
}

TEST(ConvertToScylla, OptionsDecideWhatAManifestCannot) {
    ConvertOptions options;
    options.replicas = 4;
    options.racks = {"a=us-east-1a", "b=us-east-1b", "c"};
    options.cpu = 14;
    options.memory = "100Gi";
    options.storage = "3000Gi";
    options.backup_location = "s3:bucket";
    options.scylla_version = "2026.2.0";
    options.without = {"monitoring", "nodeconfig"};
    const auto done = convert(kCassandra + "  superuserSecretName: su\n", options);
    EXPECT_EQ(done.of("ScyllaCluster").at("spec.datacenter.racks")->items.size(), 3u);
    EXPECT_EQ(done.of("ScyllaCluster").at(kRack + ".members")->text, "2");
    EXPECT_EQ(done.of("ScyllaCluster").at(kRack + ".resources.limits.cpu")->text, "14");
    EXPECT_THAT(done.text, HasSubstr("us-east-1b"));
    EXPECT_THAT(done.text, HasSubstr("media-bootstrap-superuser"));
    EXPECT_EQ(done.objects.size(), 4u);
    EXPECT_EQ(done.entry("spec.size")->verdict, Verdict::changed);
    EXPECT_THAT(done.report.text(), HasSubstr("racks of different size"));
    EXPECT_THAT(done.report.text(), HasSubstr("racks without a zone"));
}

TEST(ConvertToScylla, RefusesWhatIsNotCassandra) {
    auto input = read_input("in.yaml", std::string(kCassandra)
                                           .replace(kCassandra.find("serverType: cassandra"), 21, "serverType: dse")
                                           .replace(kCassandra.find("4.1.3") - 6, 5, "6.8.4"));
    validate(input);
    ASSERT_EQ(input.diagnostics.errors(), 0u) << input.diagnostics.render(input.source);
    const auto result = convert_to_scylla(input, input.manifests[0], {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::unsupported);
    EXPECT_THAT(result.error().what, HasSubstr("dc1 is dse, not Apache Cassandra"));
}

// The other way round: every field of a ScyllaCluster.
TEST(ConvertToCassandra, EveryFieldHasItsPlaceOrItsReason) {
    using enum Verdict;
    check(
        {
            {"", "metadata.name", mapped, "spec.clusterName", "\"media\""},
            {"", "spec.datacenter.name", mapped, "metadata.name", "\"dc1\""},
            {"", "spec.version", decision, "spec.serverVersion", "\"4.1.7\""},
            {"", "spec.agentVersion", dropped, "", "no ScyllaDB Manager Agent"},
            {"  repository: r/scylla\n", "spec.repository", dropped, "", "ScyllaDB's image"},
            {"  agentRepository: r/agent\n", "spec.agentRepository", dropped, "", "no ScyllaDB Manager Agent"},
            {"", kRack + ".name", mapped, "spec.racks[0].name", "\"ra\""},
            {"", kRack + ".members", mapped, "spec.size", "2"},
            {"", kRack + ".resources", mapped, "spec.resources.limits.cpu", "6"},
            {"", kRack + ".agentResources", dropped, "", "no ScyllaDB Manager Agent"},
            {"", kRack + ".storage.capacity", mapped,
             "spec.storageConfig.cassandraDataVolumeClaimSpec.resources.requests.storage", "\"1500Gi\""},
            {"", kRack + ".storage.storageClassName", decision, "", "--storage-class"},
            {"  podMetadata: {labels: {a: b}, annotations: {c: d}}\n", "spec.podMetadata.labels", changed,
             "spec.additionalLabels", R"({"a":"b"})"},
            {"  podMetadata: {annotations: {c: d}}\n", "spec.podMetadata.annotations", changed,
             "spec.additionalAnnotations", R"({"c":"d"})"},
            {"  developerMode: false\n", "spec.developerMode", dropped, "", "ScyllaDB's checks"},
            {"  cpuset: true\n", "spec.cpuset", dropped, "", "nothing for a JVM"},
            {"  automaticOrphanedNodeCleanup: true\n", "spec.automaticOrphanedNodeCleanup", dropped, "",
             "CassandraTask"},
            {"  enableParallelNodeOperations: true\n", "spec.enableParallelNodeOperations", dropped, "",
             "node after node"},
            {"  genericUpgrade: {failureStrategy: Retry}\n", "spec.genericUpgrade", dropped, "", "rolling restarts"},
            {"  sysctls: [fs.aio-max-nr=1]\n", "spec.sysctls", dropped, "", "vm.max_map_count"},
            {"  scyllaArgs: --x\n", "spec.scyllaArgs", dropped, "", "options of ScyllaDB's program"},
            {"  network: {hostNetworking: true}\n", "spec.network.hostNetworking", mapped,
             "spec.networking.hostNetwork", "true"},
            {"  network: {dnsPolicy: Default}\n", "spec.network.dnsPolicy", mapped,
             "spec.podTemplateSpec.spec.dnsPolicy", "\"Default\""},
            {"  network: {ipFamilyPolicy: SingleStack}\n", "spec.network.ipFamilyPolicy", dropped, "", "no field"},
            {"  network: {ipFamilies: [IPv4]}\n", "spec.network.ipFamilies", dropped, "", "no field"},
            {"  repairs: [{name: w, cron: 0 2 * * 6}]\n", "spec.repairs[0]", decision, "", "Reaper"},
            {"  backups: [{name: d, location: [s3:x]}]\n", "spec.backups[0]", decision, "", "Medusa"},
            {"  forceRedeploymentReason: x\n", "spec.forceRedeploymentReason", dropped, "", "restart command"},
            {"  imagePullSecrets: [{name: reg}]\n", "spec.imagePullSecrets", mapped, "spec.podTemplateSpec.spec",
             R"({"containers":[],"imagePullSecrets":[{"name":"reg"}]})"},
            {"  dnsDomains: [x.example]\n", "spec.dnsDomains", dropped, "", "no field"},
            {"  exposeOptions: {nodeService: {type: ClusterIP}}\n", "spec.exposeOptions", dropped, "", "clusterName"},
            {"  exposeOptions: {nodeService: {type: LoadBalancer}}\n", "spec.exposeOptions", decision, "",
             "no load balancers"},
            {"  externalSeeds: [10.0.0.1]\n", "spec.externalSeeds", decision, "", "harms both"},
            {"  minTerminationGracePeriodSeconds: 5\n", "spec.minTerminationGracePeriodSeconds", dropped, "", "drains"},
            {"  minReadySeconds: 5\n", "spec.minReadySeconds", mapped, "spec.minReadySeconds", "5"},
            {"  readinessGates: [{conditionType: x}]\n", "spec.readinessGates", mapped,
             "spec.podTemplateSpec.spec.readinessGates", R"([{"conditionType":"x"}])"},
        },
        kScylla, true, "CassandraDatacenter");
}

TEST(ConvertToCassandra, RackFields) {
    const auto done = convert(kScylla + R"(        placement:
          nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]}}
          podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname}]}
          tolerations: [{key: db}]
        scyllaConfig: conf
        scyllaAgentConfig: agent
        volumes: [{name: v, emptyDir: {}}]
        volumeMounts: [{name: v, mountPath: /v}]
        exposeOptions: {nodeService: {labels: {x: y}}}
      - name: b
        members: 1
        storage: {capacity: 1500Gi}
        resources: {requests: {cpu: 6, memory: 50Gi}, limits: {cpu: 6, memory: 50Gi}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
  scylla.yaml: |
    read_request_timeout_in_ms: 7000
    tablets_mode_for_new_keyspaces: enabled
    authenticator: PasswordAuthenticator
)",
                              {}, true);
    const Node& dc = done.of("CassandraDatacenter");
    EXPECT_EQ(write_json(*dc.at("spec.racks"), 0),
              R"([{"name":"ra","nodeAffinityLabels":{"zone":"a"}},{"name":"rack-b"}])");
    EXPECT_EQ(write_json(*dc.at("spec.tolerations"), 0), R"([{"key":"db"}])");
    EXPECT_EQ(write_json(*dc.at("spec.config.cassandra-yaml"), 0),
              R"({"read_request_timeout":"7000ms","authenticator":"PasswordAuthenticator"})");
    EXPECT_EQ(write_json(*dc.at("spec.storageConfig.additionalVolumes"), 0),
              R"([{"name":"v","mountPath":"/v","volumeSource":{"emptyDir":{}}}])");
    EXPECT_EQ(dc.at("spec.size")->text, "3");
    EXPECT_EQ(done.entry(kRack + ".members")->verdict, Verdict::decision);
    EXPECT_EQ(done.entry("spec.datacenter.racks[1].name")->verdict, Verdict::changed);
    EXPECT_EQ(dc.at("spec.config.jvm-server-options.max_heap_size")->text, "25G");
}

TEST(ConvertToCassandra, ARefusedCluster) {
    auto input = read_input("in.yaml", kScylla + "  alternator: {writeIsolation: always}\n");
    validate(input);
    const auto result = convert_to_cassandra(input, input.manifests[0], {});
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().what, HasSubstr("DynamoDB"));
}

/// A random valid CassandraDatacenter out of what both operators can say.
Node random_datacenter(std::mt19937& random) {
    const auto any = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
    Diagnostics out;
    Node root = read_yaml(kCassandra, out)[0].root;
    Node& spec = *root.find("spec");
    spec.set("clusterName", Node::string("cluster-" + std::to_string(any(1000))));
    const int racks = 1 + any(4);
    spec.set("size", Node::integer(racks * (1 + any(5))));
    Node& list = spec.set("racks", Node::list());
    for (int i = 0; i < racks; ++i) {
        Node& rack = list.push(Node::map());
        rack.set("name", Node::string("rack" + std::to_string(i)));
        if (any(2))
            rack["nodeAffinityLabels"].set("topology.kubernetes.io/zone", Node::string("zone-" + std::to_string(i)));
        if (any(3) == 0) rack["nodeAffinityLabels"].set("disk", Node::string("fast"));
    }
    (*spec.find("storageConfig"))["cassandraDataVolumeClaimSpec"]["resources"]["requests"].set(
        "storage", Node::string(std::to_string(1 + any(9)) + "Ti"));
    for (const auto* part : {"requests", "limits"}) {
        spec["resources"][part].set("cpu", Node::integer(4 + 2 * (spec.find("size")->as_integer().value_or(0) % 3)));
        spec["resources"][part].set("memory", Node::string("64Gi"));
    }
    if (any(2)) spec.set("minReadySeconds", Node::integer(any(60)));
    if (any(2)) spec["additionalLabels"].set("team", Node::string("t" + std::to_string(any(9))));
    if (any(2)) spec["additionalAnnotations"].set("note", Node::string("a: b #" + std::to_string(any(9))));
    if (any(2)) {
        Node& toleration = spec["tolerations"].push(Node::map());
        toleration.set("key", Node::string("db"));
        toleration.set("operator", Node::string("Exists"));
    }
    if (any(2)) spec.set("superuserSecretName", Node::string("su"));
    if (any(2)) {
        Node& user = spec["users"].push(Node::map());
        user.set("secretName", Node::string("app"));
        user.set("superuser", Node::boolean(any(2) == 0));
    }
    if (any(2)) {
        Node& volume = (*spec.find("storageConfig"))["additionalVolumes"].push(Node::map());
        volume.set("name", Node::string("certs"));
        volume.set("mountPath", Node::string("/certs"));
        volume["volumeSource"]["secret"].set("secretName", Node::string("tls"));
    }
    Node& yaml = spec["config"]["cassandra-yaml"];
    yaml.set("authenticator", Node::string("PasswordAuthenticator"));
    yaml.set("authorizer", Node::string("CassandraAuthorizer"));
    if (any(2)) yaml.set("read_request_timeout", Node::string(std::to_string(1000 + any(9000)) + "ms"));
    if (any(2)) yaml.set("batch_size_warn_threshold", Node::string(std::to_string(1 + any(100)) + "KiB"));
    if (any(2)) yaml.set("auto_snapshot", Node::boolean(any(2) == 0));
    return root;
}

TEST(RoundTrip, ThereAndBackKeepsWhatBothCanSay) {
    for (std::uint32_t seed = 0; seed < 400; ++seed) {
        std::mt19937 random(seed);
        const Node source = random_datacenter(random);
        const auto there = convert(write_yaml(source));
        ConvertOptions options;
        options.cassandra_version = "4.1.3";
        options.storage_class = "gp3";
        const auto back = convert(there.text, options, true);
        const Node& dc = back.of("CassandraDatacenter");
        for (const auto* path :
             {"metadata.name", "spec.clusterName", "spec.serverType", "spec.serverVersion", "spec.size", "spec.racks",
              "spec.resources", "spec.minReadySeconds", "spec.additionalLabels", "spec.additionalAnnotations",
              "spec.tolerations", "spec.superuserSecretName", "spec.users", "spec.storageConfig.additionalVolumes",
              "spec.storageConfig.cassandraDataVolumeClaimSpec.resources",
              "spec.storageConfig.cassandraDataVolumeClaimSpec.storageClassName", "spec.config.cassandra-yaml"}) {
            const Node* before = source.at(path);
            const Node* after = dc.at(path);
            ASSERT_EQ(before == nullptr, after == nullptr) << "seed " << seed << " " << path << "\n"
                                                           << write_yaml(source) << there.text << back.text;
            if (before) {
                ASSERT_TRUE(before->same(*after)) << "seed " << seed << " " << path << "\nbefore "
                                                  << write_json(*before) << "after " << write_json(*after);
            }
        }
        // And once more: the second time there must be nothing new to lose.
        const auto again = convert(write_yaml(dc));
        ASSERT_TRUE(again.of("ScyllaCluster").find("spec")->same(*there.of("ScyllaCluster").find("spec")))
            << "seed " << seed << "\n"
            << there.text << again.text;
    }
}

TEST(RoundTrip, TheSameInputGivesTheSameBytes) {
    std::mt19937 random(7);
    const auto text = write_yaml(random_datacenter(random));
    EXPECT_EQ(convert(text).text, convert(text).text);
    EXPECT_EQ(convert(text).report.text(), convert(text).report.text());
}

TEST(Convert, SpreadsLikeCassOperator) {
    EXPECT_THAT(spread(12, 3), testing::ElementsAre(4, 4, 4));
    EXPECT_THAT(spread(8, 3), testing::ElementsAre(3, 3, 2));
    EXPECT_THAT(spread(2, 3), testing::ElementsAre(1, 1, 0));
    EXPECT_EQ(decode_base64("aGVsbG8="), "hello");
    EXPECT_FALSE(decode_base64("a*b"));
}

}  // namespace
}  // namespace penumbra::kube
