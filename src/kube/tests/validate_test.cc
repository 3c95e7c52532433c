#include "kube/validate.h"

#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "kube/model.h"
#include "kube/server_yaml.h"
#include "kube/tests/run.h"
#include "kube/versions.h"

namespace penumbra::kube {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kGoodCassandra = R"(apiVersion: cassandra.datastax.com/v1beta1
kind: CassandraDatacenter
metadata:
  name: dc1
spec:
  clusterName: media
  serverType: cassandra
  serverVersion: "4.0.7"
  size: 3
  storageConfig:
    cassandraDataVolumeClaimSpec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Ti}}
)";

const std::string kGoodScylla = R"(apiVersion: scylla.scylladb.com/v1
kind: ScyllaCluster
metadata:
  name: media
spec:
  version: "2026.1.6"
  agentVersion: "3.11.2"
  datacenter:
    name: dc1
    racks:
      - name: a
        members: 3
        storage: {capacity: 1500Gi, storageClassName: scylladb-local-xfs}
        resources: {requests: {cpu: 6, memory: 50Gi}, limits: {cpu: 6, memory: 50Gi}}
        agentResources: {requests: {cpu: 100m, memory: 256Mi}, limits: {cpu: 100m, memory: 256Mi}}
)";

std::string judge(const std::string& text) {
    auto input = read_input("m.yaml", text);
    validate(input);
    return input.diagnostics.render(input.source);
}

std::string with(std::string text, const std::string& before, const std::string& after) {
    const auto at = text.find(before);
    EXPECT_NE(at, std::string::npos) << before;
    return text.replace(at, before.size(), after);
}

TEST(Validate, GoodOnesAreGood) {
    EXPECT_EQ(judge(kGoodCassandra), "");
    EXPECT_EQ(judge(kGoodScylla), "");
    EXPECT_EQ(judge(kGoodCassandra + "---\n" + kGoodScylla), "");
}

// Each row: what is changed in a good manifest, and what has to be said, with its place.
struct Case {
    bool scylla;
    std::string before, after, expected;
};

TEST(Validate, SaysWhatIsWrongAndWhere) {
    const std::vector<Case> cases{
        // names
        {false, "  size: 3\n", "  sizes: 3\n", "m.yaml:9:3: error: spec.sizes: there is no field `sizes` in spec"},
        {false, "  size: 3\n", "  sizes: 3\n", "did you mean `size`?"},
        {false, "  size: 3\n", "  replicas: 3\n", "a CassandraDatacenter counts its nodes in `spec.size`"},
        {false, "  size: 3\n", "", "spec.size: required, and not there"},
        {true, "  datacenter:\n", "  size: 3\n  datacenter:\n",
         "m.yaml:8:3: error: spec.size: there is no field `size` in spec"},
        {true, "  datacenter:\n", "  resources: {}\n  datacenter:\n", "resources belong to each rack"},
        {true, "  datacenter:\n", "  clusterName: x\n  datacenter:\n", "this is a CassandraDatacenter's field"},
        {true, "        members: 3\n", "        member: 3\n", "did you mean `members`?"},
        {true, "        members: 3\n", "", "spec.datacenter.racks[0].members: required, and not there"},
        {true, "capacity: 1500Gi, ", "", "spec.datacenter.racks[0].storage.capacity: required"},
        // types
        {false, "  size: 3\n", "  size: three\n",
         "m.yaml:9:9: error: spec.size: expected an integer, found text `three`"},
        {false, "  size: 3\n", "  size: \"3\"\n", "write it without quotes: 3"},
        {false, "  size: 3\n", "  size: 0\n", "0 is less than 1"},
        {false, "  size: 3\n", "  size: [3]\n", "expected an integer, found a list"},
        {false, "\"4.0.7\"", "4.1", "expected text, found a number `4.1`"},
        {true, "\"2026.1.6\"", "6.2", "write it in quotes: \"6.2\""},
        {false, "1Ti", "1TB", "did you mean 1T?"},
        {true, "memory: 50Gi}, limits", "memory: 50gb}, limits", "did you mean 50G?"},
        {true, "        members: 3\n", "        members: -1\n", "-1 is less than 0"},
        // enumerations
        {false, "serverType: cassandra", "serverType: Cassandra", "did you mean cassandra?"},
        {false, "  size: 3\n", "  size: 3\n  tolerations: [{key: a, operator: Equals}]\n", "did you mean Equal?"},
        {true, "  datacenter:\n", "  exposeOptions: {nodeService: {type: NodePort}}\n  datacenter:\n",
         "`NodePort` is not one of Headless, ClusterIP, LoadBalancer"},
        // versions
        {false, "\"4.0.7\"", "\"2.2.19\"", "cass-operator runs Cassandra 3.11, 4.x and 5.x"},
        {false, "\"4.0.7\"", "\"4.0\"", "wants three numbers"},
        {true, "\"2026.1.6\"", "\"5.2.0\"", "ScyllaDB 5.2 is out of maintenance"},
        {true, "\"2026.1.6\"", "\"6.2.0\"", "last release under the AGPL"},
        // configuration
        {false, "  size: 3\n", "  size: 3\n  config: {jvm-options: {max_heap_size: 8G}}\n",
         "`jvm-options` is for Cassandra 3.11; this is 4.0"},
        {false, "  size: 3\n", "  size: 3\n  config: {jvm-server-option: {}}\n", "did you mean `jvm-server-options`?"},
        {false, "  size: 3\n", "  size: 3\n  config: {cassandra-yaml: {num_token: 16}}\n",
         "did you mean `num_tokens`?"},
        {false, "  size: 3\n", "  size: 3\n  config: {cassandra-yaml: {read_request_timeout: 5000ms}}\n",
         "Cassandra 4.0 does not know `read_request_timeout`, which came with 4.1"},
        {false, "  size: 3\n", "  size: 3\n  config: {cassandra-yaml: {rpc_port: 9160}}\n", "gone since Cassandra 4.0"},
        {false, "  size: 3\n", "  size: 3\n  config: {dse-yaml: {}}\n", "`dse-yaml` is for DSE"},
        // rules of the webhooks
        {false, "  size: 3\n", "  size: 3\n  allowMultipleNodesPerWorker: true\n",
         "needs spec.resources.limits.memory"},
        {false, "  size: 3\n", "  size: 3\n  racks: [{name: r1}, {name: r1}]\n", "two racks are called `r1`"},
        {false, "  size: 3\n", "  size: 3\n  racks: [{name: a}]\n", "`a` is shorter than 2 characters"},
        {false, "  size: 3\n", "  size: 3\n  dseWorkloads: {graphEnabled: true}\n",
         "DSE workloads with serverType cassandra"},
        {false, "  size: 3\n", "  size: 3\n  resources: {requests: {cpu: 4}, limits: {cpu: 2}}\n",
         "requests 4 and allows itself less"},
        {false, "  size: 3\n",
         "  size: 3\n  additionalServiceConfig: {dcService: {additionalLabels: {cassandra.datastax.com/x: y}}}\n",
         "is reserved"},
        {false, "      resources: {requests: {storage: 1Ti}}\n",
         "      resources: {requests: {storage: 1Ti}}\n    additionalVolumes: [{name: v, mountPath: /v}]\n",
         "neither pvcSpec nor volumeSource is set"},
        {true, "limits: {cpu: 6, memory: 50Gi}}\n", "limits: {cpu: 6}}\n", "cpu and memory limits are required"},
        {true, "limits: {cpu: 6, memory: 50Gi}}\n", "limits: {cpu: 7, memory: 50Gi}}\n",
         "requests differ from limits: no Guaranteed QoS"},
        {true, "limits: {cpu: 6, memory: 50Gi}}\n", "limits: {cpu: 6, memory: 50Gi, memovy: 1}}\n",
         "a container has no resource `memovy`"},
        {true, "        members: 3\n", "        members:\n", "racks[0].members: required, and has no value"},
        {true, "capacity: 1500Gi", "capacity: -1500Gi", "is less than nothing"},
        {true, "  name: media\n", "  name: media\n  namespace: My Space\n", "`My Space` is no DNS label"},
        {true, "{cpu: 6, memory: 50Gi}, limits: {cpu: 6, ", "{cpu: 5500m, memory: 50Gi}, limits: {cpu: 5500m, ",
         "not a whole number of CPUs"},
        {true, "        agentResources: {requests: {cpu: 100m, memory: 256Mi}, limits: {cpu: 100m, memory: 256Mi}}\n",
         "", "the agent's container has no limits"},
        {true, "  datacenter:\n", "  cpuset: true\n  datacenter:\n", "m.yaml:8:3: warning: spec.cpuset: deprecated"},
        {true, "  datacenter:\n", "  sysctls: [aio]\n  datacenter:\n", "`aio` is not key=value"},
        {true, "  datacenter:\n", "  repairs: [{name: r, intensity: fast}]\n  datacenter:\n", "`fast` is no number"},
        {true, "  datacenter:\n", "  repairs: [{name: r, cron: every day}]\n  datacenter:\n", "is no cron expression"},
        {true, "  datacenter:\n", "  repairs: [{name: r, cron: TZ=UTC 0 0 * * *}]\n  datacenter:\n", "set `timezone`"},
        {true, "  datacenter:\n", "  backups: [{name: b, location: [mybucket]}]\n  datacenter:\n",
         "is no place for a backup"},
        {true, "  datacenter:\n", "  backups: [{name: b}]\n  datacenter:\n", "spec.backups[0].location: required"},
        {true, "  datacenter:\n",
         "  exposeOptions: {nodeService: {type: Headless}, broadcastOptions: {nodes: {type: ServiceClusterIP}}}\n  "
         "datacenter:\n",
         "has no address of kind ServiceClusterIP"},
        {true, "  datacenter:\n", "  alternator: {writeIsolation: never}\n  datacenter:\n",
         "is not one of always, forbid_rmw, only_rmw_uses_lwt"},
        {true, "  agentVersion: \"3.11.2\"\n", "", "spec.agentVersion: not pinned"},
        // objects
        {false, "kind: CassandraDatacenter", "kind: CassandraDatacentre", "did you mean CassandraDatacenter?"},
        {false, "v1beta1", "v1", "CassandraDatacenter is not `cassandra.datastax.com/v1`"},
        {false, "  name: dc1\n", "  name: DC_1\n", "lower-case letters, digits and dashes: `dc-1`"},
        {true, "  name: media\n", "  namespace: x\n", "metadata.name: required"},
    };
    for (const auto& one : cases) {
        const auto text = with(one.scylla ? kGoodScylla : kGoodCassandra, one.before, one.after);
        EXPECT_THAT(judge(text), HasSubstr(one.expected)) << text;
    }
}

TEST(Validate, OtherPeoplesObjectsPassThrough) {
    const auto said = judge(kGoodCassandra + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n");
    EXPECT_THAT(said, HasSubstr("note: kind: Deployment is passed over"));
    EXPECT_THAT(said, Not(HasSubstr("error")));
    EXPECT_THAT(judge("just text\n"), HasSubstr("a document that is not an object"));
    EXPECT_THAT(judge(""), HasSubstr("no manifest in this file"));
    EXPECT_THAT(judge(kGoodCassandra + "---\n" + kGoodCassandra), HasSubstr("stands twice in this file"));
}

TEST(Schema, HasTheFieldsOfTheOperatorsTypes) {
    // The list is made from the operators' Go types (crd-fields.txt says which); both directions have to agree.
    const auto& schema = Schema::instance();
    std::map<std::string, std::set<std::string>> ours;
    std::set<const Type*> seen;
    const std::function<void(const Type&)> walk = [&](const Type& type) {
        if (!seen.insert(&type).second) return;
        if (type.element) walk(*type.element);
        for (const auto& field : type.fields) {
            ours[type.name].insert(field.name);
            walk(*field.type);
        }
    };
    for (const auto& kind : schema.kinds()) {
        const auto space = kind.find(' ');
        walk(*schema.kind(kind.substr(0, space), kind.substr(space + 1)));
    }
    std::istringstream lines(slurp(data_path("crd-fields.txt")));
    std::string line;
    std::size_t types = 0;
    while (std::getline(lines, line)) {
        if (line.empty() || line[0] == '#') continue;
        ++types;
        std::istringstream words(line);
        std::string type, word;
        words >> type;
        type.pop_back();
        std::set<std::string> theirs;
        while (words >> word) theirs.insert(word);
        EXPECT_EQ(ours[type], theirs) << type;
    }
    EXPECT_GE(types, 30u);
}

TEST(Schema, EveryTypeHasNames) {
    const auto& schema = Schema::instance();
    EXPECT_GE(schema.all_paths(*schema.kind(kScyllaApi, "ScyllaCluster")).size(), 250u);
    EXPECT_GE(schema.all_paths(*schema.kind(kCassandraApi, "CassandraDatacenter")).size(), 300u);
    EXPECT_THAT(schema.paths_to(*schema.kind(kScyllaApi, "ScyllaCluster"), "members"),
                testing::ElementsAre("spec.datacenter.racks[].members"));
}

TEST(Versions, AreComparedByNumber) {
    EXPECT_LT(*Version::parse("2026.1.6"), *Version::parse("2026.2.0"));
    EXPECT_LT(*Version::parse("4.9.0"), *Version::parse("4.10.0"));
    EXPECT_TRUE(Version::parse("2026.2.0-rc3"));
    EXPECT_TRUE(Version::parse("3.11.2@sha256:61ec"));
    for (const auto* bad : {"", "4", "4.0", "latest", "4.0.x", "4..0", "99999999999.0.0"})
        EXPECT_FALSE(Version::parse(bad)) << bad;
    EXPECT_TRUE(has_default_superuser("2026.1.6"));
    EXPECT_FALSE(has_default_superuser("2026.2.0"));
}

TEST(ServerYaml, UnitsGoBothWays) {
    EXPECT_EQ(to_plain_unit("5000ms", Unit::ms), 5000);
    EXPECT_EQ(to_plain_unit("5s", Unit::ms), 5000);
    EXPECT_EQ(to_plain_unit("3h", Unit::ms), 10800000);
    EXPECT_EQ(to_plain_unit("64KiB", Unit::kib), 64);
    EXPECT_EQ(to_plain_unit("1MiB", Unit::kib), 1024);
    EXPECT_EQ(to_plain_unit("32MiB", Unit::mib), 32);
    EXPECT_EQ(to_plain_unit("64MiB/s", Unit::mib_per_second), 64);
    for (const auto* bad : {"", "ms", "5 s", "5x", "1e300h"}) EXPECT_FALSE(to_plain_unit(bad, Unit::ms)) << bad;
    for (const auto& key : cassandra_keys()) {
        if (key.unit == Unit::none || key.unit == Unit::megabits) continue;
        EXPECT_EQ(to_plain_unit(with_unit(1234, key.unit), key.unit), 1234) << key.name;
    }
}

TEST(ServerYaml, EveryKeyThatIsLeftOutSaysWhy) {
    for (const auto& key : cassandra_keys()) {
        const bool needs = key.fate == KeyFate::ignored || key.fate == KeyFate::rejected ||
                           key.fate == KeyFate::tuned || key.fate == KeyFate::operated;
        EXPECT_TRUE(!needs || !key.why.empty()) << key.name;
    }
}

}  // namespace
}  // namespace penumbra::kube
