#include "kube/model.h"

namespace penumbra::kube {

// ScyllaCluster v1, NodeConfig and ScyllaDBMonitoring v1alpha1 of scylladb/scylla-operator, after their Go types.
// Fields marked required are those that the operator cannot work without; its CRD asks for fewer, and its webhook for
// some.
std::string_view scylla_model() {
    return R"(
type ObjectTemplateMetadata
  labels       {string}
  annotations  {string}

type UserManagedTls
  secretName!  string

type OperatorManagedTls
  additionalDNSNames     [string]
  additionalIPAddresses  [string]

type TlsCertificate
  type!                   string  enum=OperatorManaged,UserManaged
  userManagedOptions      UserManagedTls
  operatorManagedOptions  OperatorManagedTls

type Alternator
  port                          integer  min=0 max=65535 ~ may be ignored; use Services
  writeIsolation                string   enum=always,forbid_rmw,only_rmw_uses_lwt
  insecureEnableHTTP            boolean
  insecureDisableAuthorization  boolean
  servingCertificate            TlsCertificate

type GenericUpgrade
  failureStrategy  string    enum=Retry
  pollInterval     duration  ~ has no effect any more

type PodIPAddressOptions
  sourceType     string  enum=Status
  interfaceName  string
  source         string  enum=Status

type BroadcastOptions
  type!  string  enum=PodIP,ServiceClusterIP,ServiceLoadBalancerIngress
  podIP  PodIPAddressOptions

type NodeBroadcastOptions
  nodes    BroadcastOptions
  clients  BroadcastOptions

type NodeServiceTemplate
  include ObjectTemplateMetadata
  type!                          string  enum=Headless,ClusterIP,LoadBalancer
  externalTrafficPolicy          string  enum=Cluster,Local
  internalTrafficPolicy          string  enum=Cluster,Local
  allocateLoadBalancerNodePorts  boolean
  loadBalancerClass              string

type IngressOptions
  include ObjectTemplateMetadata
  disabled          boolean
  ingressClassName  string

type CqlExposeOptions
  ingress  IngressOptions

type ExposeOptions
  cql               CqlExposeOptions  ~ expose the client Service instead
  nodeService       NodeServiceTemplate
  broadcastOptions  NodeBroadcastOptions

type RackNodeServiceTemplate
  include ObjectTemplateMetadata
type RackExposeOptions
  nodeService  RackNodeServiceTemplate

type Network
  hostNetworking  boolean  ~ may be ignored; use exposeOptions
  dnsPolicy       string   enum=ClusterFirstWithHostNet,ClusterFirst,Default,None
  ipFamilyPolicy  string   enum=SingleStack,PreferDualStack,RequireDualStack
  ipFamilies      [string]

type SchedulerTask
  name!       string
  startDate   string
  interval    string   ~ use cron
  numRetries  integer  min=0
  retryWait   duration
  cron        string
  timezone    string

type RepairTask
  include SchedulerTask
  dc                   [string]
  keyspace             [string]
  failFast             boolean
  intensity            string
  parallel             integer  min=0
  smallTableThreshold  string
  host                 string
  ignoreDownHosts      boolean

type BackupTask
  include SchedulerTask
  dc                [string]
  keyspace          [string]
  location!         [string]
  rateLimit         [string]
  retention         integer  min=0
  snapshotParallel  [string]
  uploadParallel    [string]

type Placement
  nodeAffinity     NodeAffinity
  podAffinity      PodAffinity
  podAntiAffinity  PodAffinity
  tolerations      [Toleration]

type RackStorage
  metadata          ObjectTemplateMetadata
  capacity!         quantity
  storageClassName  string

type ScyllaRack
  name!              string
  members!           integer  min=0 max=2147483647
  storage!           RackStorage
  resources!         ResourceRequirements
  agentResources     ResourceRequirements
  placement          Placement
  scyllaConfig       string
  scyllaAgentConfig  string
  volumes            [Volume]
  volumeMounts       [VolumeMount]
  agentVolumeMounts  [VolumeMount]
  exposeOptions      RackExposeOptions

type ScyllaDatacenter
  name!   string
  racks!  [ScyllaRack]

type PodReadinessGate
  conditionType!  string

type ScyllaClusterSpec
  version!                          string
  repository                        string
  agentVersion                      string
  agentRepository                   string
  datacenter!                       ScyllaDatacenter
  podMetadata                       ObjectTemplateMetadata
  developerMode                     boolean
  cpuset                            boolean   ~ treated as true whatever it says; pinning needs Guaranteed QoS and a static kubelet CPU policy
  alternator                        Alternator
  automaticOrphanedNodeCleanup      boolean
  enableParallelNodeOperations      boolean
  genericUpgrade                    GenericUpgrade
  sysctls                           [string]  ~ set kernel parameters in NodeConfig
  scyllaArgs                        string
  network                           Network
  repairs                           [RepairTask]
  backups                           [BackupTask]
  forceRedeploymentReason           string
  imagePullSecrets                  [LocalObjectReference]
  dnsDomains                        [string]
  exposeOptions                     ExposeOptions
  externalSeeds                     [string]
  minTerminationGracePeriodSeconds  integer   min=0
  minReadySeconds                   integer   min=0
  readinessGates                    [PodReadinessGate]

type ScyllaCluster
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        ScyllaClusterSpec
  status       any
kind scylla.scylladb.com/v1 ScyllaCluster ScyllaCluster

type DeviceDiscovery
  nameRegex   string
  modelRegex  string

type Raid0
  devices!  DeviceDiscovery

type Raid
  name!  string
  type!  string  enum=RAID0
  RAID0  Raid0

type Filesystem
  device!  string
  type!    string  enum=xfs
  flags    [string]

type DiskMount
  device!             string
  mountPoint!         string
  fsType              string
  unsupportedOptions  [string]

type LoopDevice
  name!       string
  imagePath!  string
  size!       quantity

type LocalDiskSetup
  loops        [LoopDevice]
  loopDevices  [LoopDevice]
  raids        [Raid]
  filesystems  [Filesystem]
  mounts       [DiskMount]

type NodeConfigPlacement
  affinity      Affinity
  tolerations   [Toleration]
  nodeSelector  {string}

type Sysctl
  name!   string
  value!  string

type NodeConfigSpec
  placement!            NodeConfigPlacement
  disableOptimizations  boolean
  localDiskSetup        LocalDiskSetup
  sysctls               [Sysctl]

type NodeConfig
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        NodeConfigSpec
  status       any
kind scylla.scylladb.com/v1alpha1 NodeConfig NodeConfig

type HttpsIngress
  disabled          boolean
  ingressClassName  string
  annotations       {string}
  dnsDomains        [string]
type HttpsExpose
  ingress  HttpsIngress
type WebExpose
  webInterface  HttpsExpose

type VolumeClaimTemplate
  metadata  ObjectMeta
  spec      PersistentVolumeClaimSpec
type MonitoringStorage
  labels               {string}
  annotations          {string}
  volumeClaimTemplate  VolumeClaimTemplate

type Prometheus
  mode           string  enum=Managed,External
  placement      Placement
  resources      ResourceRequirements
  exposeOptions  WebExpose  ~ manage an Ingress of your own
  storage        MonitoringStorage

type GrafanaAuthentication
  insecureEnableAnonymousAccess  boolean
type Grafana
  placement              Placement
  resources              ResourceRequirements
  exposeOptions          WebExpose  ~ manage an Ingress of your own
  servingCertSecretName  string
  authentication         GrafanaAuthentication
  datasources            [any]

type MonitoringComponents
  prometheus  Prometheus
  grafana     Grafana

type MonitoringSpec
  endpointsSelector!  LabelSelector
  components          MonitoringComponents
  type                string  enum=SaaS,Platform

type ScyllaDBMonitoring
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        MonitoringSpec
  status       any
kind scylla.scylladb.com/v1alpha1 ScyllaDBMonitoring ScyllaDBMonitoring
)";
}

}  // namespace penumbra::kube
