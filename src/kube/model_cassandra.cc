#include "kube/model.h"

namespace penumbra::kube {

// CassandraDatacenter v1beta1 of k8ssandra/cass-operator, after its Go types and its webhook. `config` is free here:
// what may stand in it depends on serverVersion, and validate.cc looks at it.
std::string_view cassandra_model() {
    return R"(
type CassandraRack
  name!               string  length=2
  zone                string  ~ use nodeAffinityLabels with topology.kubernetes.io/zone
  nodeAffinityLabels  {string}
  affinity            Affinity

type AdditionalVolume
  name!         string
  mountPath!    string
  pvcSpec       PersistentVolumeClaimSpec
  volumeSource  VolumeSource

type StorageConfig
  cassandraDataVolumeClaimSpec  PersistentVolumeClaimSpec
  additionalVolumes             [AdditionalVolume]

type ManagementApiAuthManual
  clientSecretName!     string
  serverSecretName!     string
  skipSecretValidation  boolean

type ManagementApiAuth
  insecure  any
  manual    ManagementApiAuthManual

type CassandraUser
  secretName!  string
  superuser!   boolean

type NodePortConfig
  native        integer  min=0 max=65535
  nativeSSL     integer  min=0 max=65535
  internode     integer  min=0 max=65535
  internodeSSL  integer  min=0 max=65535

type NetworkingConfig
  hostNetwork  boolean
  nodePort     NodePortConfig

type DseWorkloads
  analyticsEnabled  boolean
  graphEnabled      boolean
  searchEnabled     boolean

type ServiceConfigAdditions
  additionalLabels       {string}
  additionalAnnotations  {string}

type ServiceConfig
  dcService              ServiceConfigAdditions
  seedService            ServiceConfigAdditions
  allpodsService         ServiceConfigAdditions
  additionalSeedService  ServiceConfigAdditions
  nodePortService        ServiceConfigAdditions

type CdcConfiguration
  pulsarServiceUrl              string
  topicPrefix                   string
  cdcWorkingDir                 string
  cdcPollIntervalMs             integer
  errorCommitLogReprocessEnabled boolean
  cdcConcurrentProcessors       integer
  pulsarBatchDelayInMs          integer
  pulsarKeyBasedBatcher         boolean
  pulsarMaxPendingMessages      integer
  pulsarMaxPendingMessagesAcrossPartitions integer
  pulsarAuthPluginClassName     string
  pulsarAuthParams              string
  sslProvider                   string
  sslTruststorePath             string
  sslTruststorePassword         string
  sslTruststoreType             string
  sslKeystorePath               string
  sslKeystorePassword           string
  sslCipherSuites               string
  sslEnabledProtocols           string
  sslAllowInsecureConnection    string
  sslHostnameVerificationEnable string

type CassandraDatacenterSpec
  size!                         integer  min=1 max=2147483647
  serverType!                   string   enum=cassandra,dse,hcd
  serverVersion!                string
  serverImage                   string
  clusterName!                  string   length=2
  datacenterName                string
  racks                         [CassandraRack]
  storageConfig!                StorageConfig
  resources                     ResourceRequirements
  config                        any
  configSecret                  string
  nodeAffinityLabels            {string}
  nodeSelector                  {string}
  tolerations                   [Toleration]
  allowMultipleNodesPerWorker   boolean
  superuserSecretName           string
  users                         [CassandraUser]
  managementApiAuth             ManagementApiAuth
  serviceAccountName            string
  serviceAccount                string   ~ use serviceAccountName
  systemLoggerResources         ResourceRequirements
  systemLoggerImage             string
  disableSystemLoggerSidecar    boolean
  configBuilderResources        ResourceRequirements
  configBuilderImage            string
  podTemplateSpec               PodTemplateSpec
  networking                    NetworkingConfig
  additionalSeeds               [string]
  additionalServiceConfig       ServiceConfig
  additionalLabels              {string}
  additionalAnnotations         {string}
  minReadySeconds               integer  min=0
  stopped                       boolean
  canaryUpgrade                 boolean
  canaryUpgradeCount            integer  min=0
  maxUnavailable                int_or_string
  forceUpgradeRacks             [string]
  replaceNodes                  [string] ~ use a CassandraTask with the replacenode command
  rollingRestartRequested       boolean  ~ use a CassandraTask with the restart command
  readOnlyRootFilesystem        boolean
  dockerImageRunsAsCassandra    boolean  ~ does nothing; use a security context
  dseWorkloads                  DseWorkloads
  cdc                           CdcConfiguration ~ the agent that it configures ships changes to Pulsar

type CassandraDatacenter
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        CassandraDatacenterSpec
  status       any
kind cassandra.datastax.com/v1beta1 CassandraDatacenter CassandraDatacenter

# Neighbours of a CassandraDatacenter that a conversion can use: schedules of repairs and backups.
type MedusaBackupSpec
  backupType           string  enum=differential,full
  cassandraDatacenter  string

type MedusaBackupScheduleSpec
  cronSchedule!        string
  backupSpec!          MedusaBackupSpec
  concurrencyPolicy    string
  disabled             boolean
  operationType        string

type MedusaBackupSchedule
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        MedusaBackupScheduleSpec
  status       any
kind medusa.k8ssandra.io/v1alpha1 MedusaBackupSchedule MedusaBackupSchedule

type MedusaConfigurationSpec
  storageProperties  any
type MedusaConfiguration
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec         MedusaConfigurationSpec
  status       any
kind medusa.k8ssandra.io/v1alpha1 MedusaConfiguration MedusaConfiguration

type Reaper
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec         any
  status       any
kind reaper.k8ssandra.io/v1alpha1 Reaper Reaper
)";
}

std::string misplaced_field(std::string_view parent, std::string_view field) {
    if (parent == "spec") {
        if (field == "replicas" || field == "nodes" || field == "nodeCount" || field == "members") {
            return "a CassandraDatacenter counts its nodes in `spec.size`, a ScyllaCluster in "
                   "`spec.datacenter.racks[].members`";
        }
        if (field == "size")
            return "a ScyllaCluster counts its nodes per rack: `spec.datacenter.racks[].members`. The API server drops "
                   "this field without a word, and no node starts";
        if (field == "resources")
            return "resources belong to each rack: `spec.datacenter.racks[].resources`, with limits, and "
                   "`agentResources` beside them";
        if (field == "racks") return "racks belong to the datacenter: `spec.datacenter.racks`";
        if (field == "storage" || field == "storageClassName" || field == "capacity") {
            return "storage belongs to each rack: `spec.datacenter.racks[].storage` with `capacity` and "
                   "`storageClassName`";
        }
        if (field == "placement" || field == "nodeSelector" || field == "tolerations" || field == "affinity") {
            return "placement belongs to each rack: `spec.datacenter.racks[].placement` with nodeAffinity, "
                   "podAntiAffinity and tolerations";
        }
        if (field == "clusterName")
            return "this is a CassandraDatacenter's field; a ScyllaCluster is called what `metadata.name` says";
        if (field == "serverVersion")
            return "this is a CassandraDatacenter's field; a ScyllaCluster has `spec.version`";
        if (field == "version")
            return "this is a ScyllaCluster's field; a CassandraDatacenter has `spec.serverVersion`";
        if (field == "datacenter")
            return "this is a ScyllaCluster's field; a CassandraDatacenter has `spec.datacenterName`, `spec.racks` and "
                   "`spec.size`";
        if (field == "storageConfig")
            return "this is a CassandraDatacenter's field; a ScyllaCluster has `spec.datacenter.racks[].storage`";
        if (field == "config")
            return "ScyllaDB takes its settings from a ConfigMap that `spec.datacenter.racks[].scyllaConfig` names; it "
                   "has no JVM to set options for";
    }
    return {};
}

std::string required_advice(std::string_view parent, std::string_view field) {
    if (parent == "spec" && field == "serverType")
        return "`serverType: cassandra` for Apache Cassandra; the API server refuses the object without it";
    if (parent == "spec" && field == "storageConfig") {
        return "`storageConfig.cassandraDataVolumeClaimSpec` is the volume of each node: accessModes, "
               "resources.requests.storage, storageClassName";
    }
    if (parent == "spec" && field == "clusterName") return "the name that clients and nodes know the cluster by";
    if (parent == "spec" && field == "datacenter")
        return "`datacenter` holds a name and the racks, and the racks hold members, storage and resources";
    if (parent == "spec" && field == "version") return "the ScyllaDB version to run, such as \"2026.1.6\"";
    if (field == "capacity") return "the size of each node's volume, such as 1500Gi";
    return {};
}

}  // namespace penumbra::kube
