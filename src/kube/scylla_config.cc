#include "kube/scylla_config.h"

#include <array>

#include "kube/server_yaml.h"
#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

constexpr std::string_view kTarget = "ConfigMap scylla.yaml ";

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> names) {
    for (const auto name : names) {
        if (text == name) return true;
    }
    return false;
}

/// Class names of Cassandra with and without their package.
std::string_view short_class(std::string_view name) {
    constexpr std::string_view package = "org.apache.cassandra.auth.";
    if (name.starts_with(package)) name.remove_prefix(package.size());
    return name;
}

/// TLS: Cassandra reads Java key stores, ScyllaDB reads PEM files.
Node convert_encryption(const Node& options, const std::string& path, std::string_view key, Mapper& map) {
    Node out = Node::map();
    for (const auto& entry : options.entries) {
        const auto below = join_path(path, entry.key);
        const auto target = fmt::format("{}{}.{}", kTarget, key, entry.key);
        if (is_any_of(entry.key, {"enabled", "internode_encryption", "require_client_auth"})) {
            out.set(entry.key, entry.value);
            map.mapped(below, target, "the same in both");
        } else if (is_any_of(entry.key, {"keystore", "truststore"})) {
            const bool key_store = entry.key == "keystore";
            const std::string file = key_store ? "/etc/scylla/certs/tls.crt" : "/etc/scylla/certs/ca.crt";
            out.set(
                key_store ? "certificate" : "truststore",
                Node::string(file).with_comment(
                    "decision: PEM instead of a Java key store; mount a Secret here (racks[].volumes, volumeMounts)"));
            if (key_store) out.set("keyfile", Node::string("/etc/scylla/certs/tls.key"));
            map.decision(below, fmt::format("{}{}.{}", kTarget, key, key_store ? "certificate" : "truststore"), file,
                         "ScyllaDB reads PEM files, no Java key stores: export the certificate and key, and mount them "
                         "at this path");
        } else {
            map.dropped(below, "an option of Java's TLS; ScyllaDB takes a GnuTLS priority_string instead");
        }
    }
    return out;
}

}  // namespace

Node to_scylla_yaml(const Node& yaml, const std::string& path, Mapper& map) {
    Node out = Node::map();
    for (const auto& entry : yaml.entries) {
        const auto below = join_path(path, entry.key);
        const auto* key = find_cassandra_key(entry.key);
        if (!key) {
            map.dropped(below, "not a key of ScyllaDB");
            continue;
        }
        const auto target = std::string(kTarget) + key->name;
        switch (key->fate) {
            case KeyFate::operated:
                map.dropped(below, fmt::format("not ours to set: {}", key->why));
                continue;
            case KeyFate::ignored:
                map.dropped(below, fmt::format("ScyllaDB ignores it: {}", key->why));
                continue;
            case KeyFate::rejected:
                map.dropped(below, fmt::format("ScyllaDB rejects it as an option: {}", key->why));
                continue;
            case KeyFate::unknown:
                map.dropped(below, key->why.empty() ? "ScyllaDB has no such key"
                                                    : fmt::format("ScyllaDB has no such key: {}", key->why));
                continue;
            case KeyFate::tuned:
                map.dropped(below, fmt::format("ScyllaDB's default stands: {}", key->why));
                continue;
            case KeyFate::used:
                break;
        }
        const auto set = [&](Node value) {
            Mapper::carry_comments(entry.value, value);
            out.set(key->name, std::move(value));
        };
        if (key->name == "partitioner") {
            map.dropped(below, "Murmur3Partitioner is the only one that ScyllaDB has, and its default");
        } else if (is_any_of(key->name, {"authenticator", "authorizer", "role_manager"}) && entry.value.is_scalar()) {
            const auto name = short_class(entry.value.text);
            if (is_any_of(name, {"PasswordAuthenticator", "AllowAllAuthenticator", "CassandraAuthorizer",
                                 "AllowAllAuthorizer"})) {
                set(Node::string(name));
                map.mapped(below, target, "the same class by its short name");
            } else if (name == "CassandraRoleManager") {
                map.dropped(below, "CassandraRoleManager is ScyllaDB's default");
            } else {
                map.decision(below, target, {},
                             fmt::format("ScyllaDB has no {}: choose among PasswordAuthenticator, "
                                         "CertificateAuthenticator and LDAP. Until then nobody is asked for a password",
                                         name));
            }
        } else if (is_any_of(key->name, {"authenticator", "authorizer", "role_manager"})) {
            map.decision(below, target, {}, "settings of an authentication class do not carry over");
        } else if (is_any_of(key->name, {"client_encryption_options", "server_encryption_options"})) {
            if (!entry.value.is_map()) {
                map.dropped(below, "not a map");
                continue;
            }
            Node converted = convert_encryption(entry.value, below, key->name, map);
            if (!converted.empty()) set(std::move(converted));
        } else if (key->name == "enable_user_defined_functions") {
            set(entry.value);
            if (entry.value.as_boolean().value_or(false)) {
                out.set("experimental_features", Node::strings({"udf"}));
                map.decision(below, target, entry.value.text,
                             "user-defined functions are experimental in ScyllaDB and run Lua or WebAssembly, not "
                             "Java: rewrite each one");
            } else {
                map.mapped(below, target, "the same in both");
            }
        } else if (key->name == "commitlog_sync" && entry.value.text != "periodic" && entry.value.text != "batch") {
            set(Node::string("batch"));
            map.changed(
                below, target, "batch",
                "ScyllaDB knows periodic and batch; `group` becomes batch, which acknowledges after the sync too");
        } else if (key->unit != Unit::none && entry.value.is_scalar() && !entry.value.as_integer()) {
            const auto plain = to_plain_unit(entry.value.text, key->unit);
            if (plain) {
                set(Node::integer(*plain));
                map.changed(below, target, std::to_string(*plain),
                            "values carry no unit in scylla.yaml: the key's name says it");
            } else {
                map.decision(below, target, {},
                             fmt::format("`{}` could not be read as a value with a unit", entry.value.text));
            }
        } else {
            set(entry.value);
            if (entry.key == key->name) {
                map.mapped(below, target, "the same key with the same meaning");
            } else {
                map.changed(below, target, write_json(entry.value, 0), "ScyllaDB knows the key by its older name");
            }
        }
    }
    return out;
}

Node to_cassandra_yaml(const Node& yaml, const std::string& path, const Version& version, Mapper& map) {
    Node out = Node::map();
    const bool new_names = version >= Version{4, 1, 0};
    for (const auto& entry : yaml.entries) {
        const auto below = join_path(path, entry.key);
        const auto* key = find_cassandra_key(entry.key);
        if (!key || key->since_41 || is_scylla_only_key(entry.key)) {
            map.dropped(below, is_scylla_only_key(entry.key)
                                   ? "ScyllaDB's own: Cassandra has nothing like it"
                                   : "Cassandra does not start with a key that it does not know");
            continue;
        }
        if (key->fate == KeyFate::operated) {
            map.dropped(below, "cass-operator writes names, addresses, seeds and directories");
            continue;
        }
        if (key->fate == KeyFate::ignored || key->fate == KeyFate::rejected) {
            map.dropped(below, "ScyllaDB did not use it either");
            continue;
        }
        if (key->until_311 && version.major > 3) {
            map.dropped(below, "gone since Cassandra 4.0");
            continue;
        }
        if (key->name.ends_with("_encryption_options")) {
            map.decision(
                below, {}, {},
                "Cassandra reads Java key stores, no PEM files: make a keystore and truststore and set them here");
            continue;
        }
        const auto name = new_names && !key->new_name.empty() ? key->new_name : key->name;
        const auto target = fmt::format("spec.config.cassandra-yaml.{}", name);
        Node value = entry.value;
        if (new_names && key->unit != Unit::none && key->unit != Unit::megabits) {
            if (const auto number = entry.value.as_integer()) value = Node::string(with_unit(*number, key->unit));
        }
        Mapper::carry_comments(entry.value, value);
        const bool same = name == entry.key && value.same(entry.value);
        const auto now = write_json(value, 0);
        out.set(name, std::move(value));
        if (same) {
            map.mapped(below, target, "the same key with the same meaning");
        } else {
            map.changed(below, target, now, "from 4.1 on the value carries its unit");
        }
    }
    return out;
}

void drop_jvm_options(const Node& options, const std::string& path, Mapper& map) {
    const auto reason = [](std::string_view option) -> std::string {
        static constexpr std::array heap{"heap", "Xmx", "Xms", "Xmn", "Xss", "MaxDirectMemory"};
        static constexpr std::array collector{"GC",       "G1",       "CMS",    "Parallel",   "Conc",
                                              "Tenuring", "Survivor", "ZAlloc", "Shenandoah", "garbage",
                                              "pause",    "Pause",    "gc"};
        for (const std::string_view word : heap) {
            if (option.find(word) != std::string_view::npos)
                return "no heap: ScyllaDB takes the container's memory limit, all of it, and caches rows in what is "
                       "free";
        }
        for (const std::string_view word : collector) {
            if (option.find(word) != std::string_view::npos)
                return "no garbage collector: ScyllaDB is C++, one shard per CPU, and has no collection pauses to tune";
        }
        if (option.starts_with("-D")) return "a system property of Cassandra's JVM: there is no JVM";
        return "an option of the JVM: ScyllaDB has none";
    };
    for (const auto& entry : options.entries) {
        const auto below = join_path(path, entry.key);
        if (entry.value.is_list()) {
            for (std::size_t i = 0; i < entry.value.items.size(); ++i)
                map.dropped(join_path(below, i), reason(entry.value.items[i].text));
            if (entry.value.items.empty()) map.dropped(below, reason(entry.key));
        } else {
            map.dropped(below, reason(entry.key));
        }
    }
    if (options.empty() || !options.is_map()) map.dropped(path, "options of the JVM: ScyllaDB has none");
}

}  // namespace penumbra::kube
