#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/registry.h"
#include "config/setting.h"

namespace penumbra::app {

using namespace std::chrono_literals;
using namespace config::literals;

/// Everything that `penumbra serve` can be told, by flag or in one YAML file.
struct Settings {
    config::Registry registry;

  private:
    /// A title in --help for the settings declared after it.
    struct Group {
        Group(config::Registry& registry, std::string_view title) { registry.group(title); }
    };
    Group clusters_{registry, "Clusters"};

  public:
    config::Setting<std::vector<std::string>> source{
        registry,
        "source",
        "Contact points of the cluster to move from: HOST:PORT, several with commas.",
        {"127.0.0.1:9042"},
        {.required = true}};
    config::Setting<std::vector<std::string>> target{
        registry, "target", "Contact points of the cluster to move to.", {"127.0.0.2:9042"}, {.required = true}};
    config::Setting<std::string> source_user{
        registry, "source-user", "User for our own connections to the source; empty when it asks for none.", ""};
    config::Setting<std::string> source_password{
        registry, "source-password", "Its password. Better in the file than in a flag.", "", {.secret = true}};
    config::Setting<std::string> target_user{
        registry, "target-user", "User for our own connections to the target; empty when it asks for none.", ""};
    config::Setting<std::string> target_password{
        registry, "target-password", "Its password. Better in the file than in a flag.", "", {.secret = true}};
    config::Setting<std::string> source_datacenter{
        registry, "source-datacenter",
        "Data centre of the source whose nodes are used; empty: that of the contact point which answers first.", ""};
    config::Setting<std::string> target_datacenter{registry, "target-datacenter", "The same of the target.", ""};
    config::Setting<std::string> source_compression{registry,
                                                    "source-compression",
                                                    "How frames to and from the source are compressed, where its "
                                                    "nodes offer it (Snappy not in protocol v5).",
                                                    "none",
                                                    {.choices = {"none", "lz4", "snappy"}}};
    config::Setting<std::string> target_compression{
        registry, "target-compression", "The same of the target.", "none", {.choices = {"none", "lz4", "snappy"}}};
    config::Setting<std::size_t> connections{registry,
                                             "connections",
                                             "Connections per node, shard and pool; many clients share each. A "
                                             "ScyllaDB node has at least one for each of its own shards.",
                                             1,
                                             {.min = 1, .max = 64}};
    config::Setting<std::size_t> max_pools{registry,
                                           "max-pools",
                                           "Pools per shard and cluster, one for each user and keyspace of clients; "
                                           "the one unused for longest makes room for a new one.",
                                           256,
                                           {.min = 1, .max = 65536}};
    config::Setting<Nanos> pool_idle{registry,
                                     "pool-idle",
                                     "A pool that nobody uses for so long closes its connections.",
                                     10min,
                                     {.min = 1s, .max = 24h}};
    config::Setting<Nanos> connect_timeout{
        registry, "connect-timeout", "Longest wait for a node to take a connection.", 5s, {.min = 10ms, .max = 60s}};

  private:
    Group proxy_{registry, "Proxy"};

  public:
    config::Setting<std::string> listen{registry,
                                        "listen",
                                        "Address for the applications, which becomes their contact point.",
                                        "127.0.0.1:9042",
                                        {.required = true}};
    config::Setting<std::string> advertise{
        registry, "advertise",
        "Address that drivers are told to connect to: ADDRESS[:PORT]. Needed where --listen is 0.0.0.0 or behind NAT.",
        ""};
    config::Setting<std::vector<std::string>> proxies{registry,
                                                      "proxies",
                                                      "All proxies that stand for this cluster, the same list in each: "
                                                      "ADDRESS[:PORT][;rack=R][;host_id=UUID][;token=T].",
                                                      {}};
    config::Setting<std::string> cluster_name{
        registry, "cluster-name",
        "Name of the cluster that drivers are told; empty for the primary's. Some do not come back to another name: "
        "keep the source's when the target answers.",
        ""};
    config::Setting<std::string> datacenter{
        registry, "datacenter", "Data centre that the proxies show; empty for the primary's local one.", ""};
    config::Setting<std::string> rack{registry, "rack",
                                      "Rack that this proxy shows; empty for that of the primary's node.", ""};
    config::Setting<std::string> shadow_login{
        registry,
        "shadow-login",
        "As whom a write reaches the shadow: our configured user there, or the client's own (see login-map).",
        "service",
        {.choices = {"service", "client"}}};
    config::Setting<std::filesystem::path> login_map{
        registry, "login-map",
        "YAML file of users who have another name or password on the other cluster; empty: all have the same.", ""};
    config::Setting<std::size_t> newest_protocol{registry,
                                                 "newest-protocol",
                                                 "Applications are offered no later protocol version, whatever both "
                                                 "clusters speak.",
                                                 5,
                                                 {.min = 3, .max = 5}};
    config::Setting<std::size_t> shards{
        registry, "shards", "Threads that serve applications; 0 is one per core.", 0, {.max = 256}};
    config::Setting<config::Size> memory_budget{
        registry, "memory-budget",
        "Memory for requests and answers under way, all threads together; 0 is 256 MiB for each thread. Past it "
        "applications are told OVERLOADED. An eighth is for what the journal knows of owed writes: past that ranges "
        "of tables are resynced.",
        config::Size{0}};
    config::Setting<Nanos> request_timeout{
        registry, "request-timeout", "By then an application has an answer.", 10s, {.min = 100ms, .max = 600s}};
    config::Setting<Nanos> schema_timeout{registry,
                                          "schema-timeout",
                                          "Longest wait for a cluster to change its schema or to truncate a table.",
                                          60s,
                                          {.min = 100ms, .max = 600s}};
    config::Setting<Nanos> shadow_timeout{registry,
                                          "shadow-timeout",
                                          "How long a write waits for the shadow before the journal owes it.",
                                          2s,
                                          {.min = 1ms, .max = 600s}};
    config::Setting<std::string> shadow_consistency{
        registry,
        "shadow-consistency",
        "Consistency level of writes to the shadow; client is the level that the application chose.",
        "client",
        {.choices = {"client", "any", "one", "two", "three", "quorum", "all", "local_quorum", "each_quorum",
                     "local_one"}}};
    config::Setting<std::string> on_shadow_failure{
        registry,
        "on-shadow-failure",
        "What an application in shadow_sync hears of a write that the shadow did not take: journal is success, once it "
        "is on disk; strict is a write timeout.",
        "journal",
        {.choices = {"journal", "strict"}}};
    config::Setting<config::Size> max_frame{
        registry, "max-frame", "Longest request taken from an application.", 16_MiB, {.min = 64_KiB, .max = 256_MiB}};

  private:
    Group listen_tls_group_{registry, "TLS to the applications"};

  public:
    config::Setting<std::filesystem::path> listen_tls_cert{
        registry, "listen-tls.cert",
        "PEM file of our certificate and its chain. Once given, --listen speaks TLS and nothing else.", ""};
    config::Setting<std::filesystem::path> listen_tls_key{registry, "listen-tls.key",
                                                          "PEM file of its key, without a passphrase.", ""};
    config::Setting<std::filesystem::path> listen_tls_client_ca{
        registry, "listen-tls.client-ca", "PEM file of the CAs that sign the applications' certificates.", ""};
    config::Setting<std::string> listen_tls_client_auth{registry,
                                                        "listen-tls.client-auth",
                                                        "Whether applications must show a certificate.",
                                                        "none",
                                                        {.choices = {"none", "optional", "required"}}};
    config::Setting<std::string> listen_tls_minimum{
        registry, "listen-tls.minimum", "Oldest version of TLS that is spoken.", "1.2", {.choices = {"1.2", "1.3"}}};

  private:
    Group source_tls_group_{registry, "TLS to the source"};

  public:
    /// TLS towards a cluster, or towards the other proxies; on as soon as one of its settings is given.
    struct ClientTls {
        ClientTls(config::Registry& registry, const std::string& name, const std::string& cluster)
            : enabled(registry, name + ".enabled",
                      "Whether connections to the " + cluster + " use TLS; by itself once one of the next is set.",
                      false),
              ca(registry, name + ".ca",
                 "PEM file of the CAs that sign the nodes' certificates; without one, those that the system trusts.",
                 ""),
              verify(registry, name + ".verify",
                     "full: the CA and the name; ca: the CA alone; none: anybody may pretend to be a node.", "full",
                     {.choices = {"full", "ca", "none"}}),
              server_name(registry, name + ".server-name",
                          "Name that every node's certificate has; else the contact point's, or the node's address.",
                          ""),
              certificate(registry, name + ".cert", "PEM file of our own certificate, for nodes that ask for one.", ""),
              key(registry, name + ".key", "PEM file of its key, without a passphrase.", ""),
              minimum(registry, name + ".minimum", "Oldest version of TLS that is spoken.", "1.2",
                      {.choices = {"1.2", "1.3"}}) {}
        config::Setting<bool> enabled;
        config::Setting<std::filesystem::path> ca;
        config::Setting<std::string> verify, server_name;
        config::Setting<std::filesystem::path> certificate, key;
        config::Setting<std::string> minimum;
    };
    ClientTls source_tls{registry, "source-tls", "source"};

  private:
    Group target_tls_group_{registry, "TLS to the target"};

  public:
    ClientTls target_tls{registry, "target-tls", "target"};

  private:
    Group proxies_tls_group_{registry, "TLS to the other proxies"};

  public:
    ClientTls proxies_tls{registry, "proxies-tls", "other proxies"};

  private:
    Group moving_{registry, "Moving tenants"};

  public:
    config::Setting<std::filesystem::path> state{registry,
                                                 "state",
                                                 "Directory of the state and the journal: what survives a crash.",
                                                 "./penumbra-state",
                                                 {.required = true}};
    config::Setting<std::string> tenant_column{registry, "tenant-column", "Column that says whose row it is.",
                                               "system_domain_id"};
    config::Setting<std::vector<std::string>> map_datacenter{
        registry,
        "map-datacenter",
        "SOURCE=TARGET[:RF]: how the target calls a datacenter that a schema change names; several with commas.",
        {}};
    config::Setting<bool> tablets_off{
        registry, "tablets-off",
        "Create keyspaces on ScyllaDB (6.0 or later) without tablets, which lack counters and lightweight "
        "transactions.",
        false};
    config::Setting<std::string> phase{
        registry,
        "phase",
        "Phase of everything that no migration names.",
        "source_only",
        {.choices = {"source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"}}};
    config::Setting<Nanos> hold_timeout{registry,
                                        "hold-timeout",
                                        "Longest that requests wait for a change of phase; it is given up then.",
                                        2s,
                                        {.min = 1ms, .max = 60s}};
    config::Setting<config::Size> journal_quota{
        registry, "journal.quota", "Disk for writes that a shadow is owed.", 8_GiB, {.min = 1_MiB}};
    config::Setting<std::string> durability{
        registry,
        "durability",
        "When a shadowed write is in the journal: acked is before its acknowledgement where the shadow has not got it; "
        "intent is before anybody is asked, so that a crash in between leaves nothing on one cluster alone.",
        "acked",
        {.choices = {"acked", "intent"}}};
    config::Setting<std::uint64_t> replay_rate{registry, "replay.writes-per-second",
                                               "Bound on how fast owed writes are paid; 0 is none.", 0};
    config::Setting<Nanos> replay_slow{registry,
                                       "replay.slow",
                                       "Owed writes that take longer on average are sent fewer at a time.",
                                       100ms,
                                       {.min = 1ms, .max = 60s}};
    config::Setting<Nanos> allowed_skew{registry,
                                        "allowed-skew",
                                        "How far the clusters' clocks may be from ours for a change of phase.",
                                        500ms,
                                        {.min = 1ms, .max = 60s}};
    config::Setting<std::size_t> copy_parallelism{registry,
                                                  "copy.parallelism",
                                                  "Token ranges that a copy or verify works on at once.",
                                                  8,
                                                  {.min = 1, .max = 1024}};
    config::Setting<std::uint64_t> copy_rate{registry, "copy.rows-per-second",
                                             "Bound on a copy's or verify's speed; 0 is none.", 0};

  private:
    Group operation_{registry, "Operation"};

  public:
    config::Setting<std::string> admin{
        registry, "admin", "Address of the admin API. Whoever reaches it can move tenants.", "127.0.0.1:8080"};
    config::Setting<Nanos> start_timeout{
        registry, "start-timeout", "Longest wait for the clusters at start.", 30s, {.min = 100ms, .max = 600s}};
    config::Setting<Nanos> stop_timeout{
        registry, "stop-timeout", "Longest wait for requests in flight when stopping.", 10s, {.min = 0s, .max = 600s}};
    config::Setting<std::string> log_level{registry,
                                           "log-level",
                                           "What goes to standard error.",
                                           "info",
                                           {.choices = {"trace", "debug", "info", "warn", "error"}}};
};

}  // namespace penumbra::app
