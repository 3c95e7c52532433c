#include "kube/model.h"

namespace penumbra::kube {

// Kubernetes' own objects, as far as the two operators embed them (core/v1, batch/v1, meta/v1). Sources of volumes,
// probes and the like are `any`: we pass them on and never read them.
std::string_view core_model() {
    return R"(
type ObjectMeta
  name                string
  generateName        string
  namespace           string
  labels              {string}
  annotations         {string}
  finalizers          [string]
  ownerReferences     [any]
  uid                 string
  resourceVersion     string
  generation          integer
  creationTimestamp   any
  deletionTimestamp   any
  deletionGracePeriodSeconds integer
  managedFields       [any]
  selfLink            string

type ResourceClaim
  name!    string
  request  string

type ResourceRequirements
  limits    {quantity}
  requests  {quantity}
  claims    [ResourceClaim]

type NodeSelectorRequirement
  key!       string
  operator!  string  enum=In,NotIn,Exists,DoesNotExist,Gt,Lt
  values     [string]

type NodeSelectorTerm
  matchExpressions  [NodeSelectorRequirement]
  matchFields       [NodeSelectorRequirement]

type NodeSelector
  nodeSelectorTerms!  [NodeSelectorTerm]

type PreferredSchedulingTerm
  weight!      integer  min=1 max=100
  preference!  NodeSelectorTerm

type NodeAffinity
  requiredDuringSchedulingIgnoredDuringExecution   NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution  [PreferredSchedulingTerm]

type LabelSelectorRequirement
  key!       string
  operator!  string  enum=In,NotIn,Exists,DoesNotExist
  values     [string]

type LabelSelector
  matchLabels       {string}
  matchExpressions  [LabelSelectorRequirement]

type PodAffinityTerm
  topologyKey!       string
  labelSelector      LabelSelector
  namespaceSelector  LabelSelector
  namespaces         [string]
  matchLabelKeys     [string]
  mismatchLabelKeys  [string]

type WeightedPodAffinityTerm
  weight!           integer  min=1 max=100
  podAffinityTerm!  PodAffinityTerm

type PodAffinity
  requiredDuringSchedulingIgnoredDuringExecution   [PodAffinityTerm]
  preferredDuringSchedulingIgnoredDuringExecution  [WeightedPodAffinityTerm]

type Affinity
  nodeAffinity     NodeAffinity
  podAffinity      PodAffinity
  podAntiAffinity  PodAffinity

type Toleration
  key                string
  operator           string  enum=Exists,Equal,Lt,Gt
  value              string
  effect             string  enum=NoSchedule,PreferNoSchedule,NoExecute
  tolerationSeconds  integer

type TypedLocalObjectReference
  apiGroup   string
  kind!      string
  name!      string
  namespace  string

type LocalObjectReference
  name  string

type VolumeResourceRequirements
  limits    {quantity}
  requests  {quantity}

type PersistentVolumeClaimSpec
  accessModes                [string]
  resources                  VolumeResourceRequirements
  storageClassName           string
  volumeMode                 string  enum=Filesystem,Block
  volumeName                 string
  selector                   LabelSelector
  dataSource                 TypedLocalObjectReference
  dataSourceRef              TypedLocalObjectReference
  volumeAttributesClassName  string

type VolumeSource
  awsElasticBlockStore   any
  azureDisk              any
  azureFile              any
  cephfs                 any
  cinder                 any
  configMap              any
  csi                    any
  downwardAPI            any
  emptyDir               any
  ephemeral              any
  fc                     any
  flexVolume             any
  flocker                any
  gcePersistentDisk      any
  gitRepo                any
  glusterfs              any
  hostPath               any
  image                  any
  iscsi                  any
  nfs                    any
  persistentVolumeClaim  any
  photonPersistentDisk   any
  portworxVolume         any
  projected              any
  quobyte                any
  rbd                    any
  scaleIO                any
  secret                 any
  storageos              any
  vsphereVolume          any

type Volume
  name!  string
  include VolumeSource

type VolumeMount
  name!              string
  mountPath!         string
  mountPropagation   string
  readOnly           boolean
  recursiveReadOnly  string
  subPath            string
  subPathExpr        string

type Container
  name!                     string
  image                     string
  imagePullPolicy           string  enum=Always,Never,IfNotPresent
  command                   [string]
  args                      [string]
  workingDir                string
  ports                     [any]
  env                       [any]
  envFrom                   [any]
  resources                 ResourceRequirements
  resizePolicy              [any]
  restartPolicy             string
  volumeMounts              [VolumeMount]
  volumeDevices             [any]
  livenessProbe             any
  readinessProbe            any
  startupProbe              any
  lifecycle                 any
  securityContext           any
  stdin                     boolean
  stdinOnce                 boolean
  tty                       boolean
  terminationMessagePath    string
  terminationMessagePolicy  string

type PodSpec
  containers                     [Container]
  initContainers                 [Container]
  ephemeralContainers            [any]
  volumes                        [Volume]
  affinity                       Affinity
  nodeSelector                   {string}
  tolerations                    [Toleration]
  imagePullSecrets               [LocalObjectReference]
  serviceAccountName             string
  serviceAccount                 string
  automountServiceAccountToken   boolean
  restartPolicy                  string  enum=Always,OnFailure,Never
  terminationGracePeriodSeconds  integer
  activeDeadlineSeconds          integer
  dnsPolicy                      string
  dnsConfig                      any
  hostNetwork                    boolean
  hostPID                        boolean
  hostIPC                        boolean
  hostUsers                      boolean
  hostname                       string
  hostAliases                    [any]
  subdomain                      string
  nodeName                       string
  priorityClassName              string
  priority                       integer
  preemptionPolicy               string
  runtimeClassName               string
  schedulerName                  string
  schedulingGates                [any]
  securityContext                any
  setHostnameAsFQDN              boolean
  shareProcessNamespace          boolean
  enableServiceLinks             boolean
  readinessGates                 [any]
  resourceClaims                 [any]
  resources                      ResourceRequirements
  overhead                       {quantity}
  os                             any
  topologySpreadConstraints      [any]

type PodTemplateSpec
  metadata  ObjectMeta
  spec      PodSpec

type JobSpec
  template!                PodTemplateSpec
  parallelism              integer  min=0
  completions              integer  min=0
  completionMode           string
  activeDeadlineSeconds    integer  min=1
  backoffLimit             integer  min=0
  backoffLimitPerIndex     integer  min=0
  ttlSecondsAfterFinished  integer  min=0
  suspend                  boolean
  manualSelector           boolean
  managedBy                string
  maxFailedIndexes         integer
  podFailurePolicy         any
  podReplacementPolicy     string
  selector                 LabelSelector
  successPolicy            any

type Namespace
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec         any
  status       any
kind v1 Namespace Namespace

type ConfigMap
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  data         {string}
  binaryData   {string}
  immutable    boolean
kind v1 ConfigMap ConfigMap

type Secret
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  data         {string}
  stringData   {string}
  type         string
  immutable    boolean
kind v1 Secret Secret

type Job
  apiVersion!  string
  kind!        string
  metadata!    ObjectMeta
  spec!        JobSpec
  status       any
kind batch/v1 Job Job
)";
}

}  // namespace penumbra::kube
