#include "proxy/client_identity.h"

#include "cluster/login.h"

namespace penumbra::proxy {

void ClientIdentity::accepted(routing::Side side, cluster::LoginPtr login, const LoginPolicy& policy, bool other_asks) {
    const auto other = routing::other(side);
    auto there = other_asks ? login : nullptr;
    if (other_asks) {
        const auto& names = policy.names[index(other)];
        if (const auto known = names.find(login->user); known != names.end())
            there = cluster::plain_login(known->second);
    }
    // Whatever the policy for shadows: who reads and writes a primary is the client itself, or its permissions would
    // grow with a switch.
    logins_[index(side)][index(Role::primary)] = login;
    logins_[index(other)][index(Role::primary)] = there;
    const bool own = policy.shadow == LoginPolicy::Shadow::client;
    logins_[index(side)][index(Role::shadow)] = own ? login : nullptr;
    logins_[index(other)][index(Role::shadow)] = own ? there : nullptr;
    for (auto& sides : groups_) {
        for (auto& roles : sides) {
            for (auto& group : roles) group.reset();
        }
    }
}

cluster::Group* ClientIdentity::group(cluster::Pool& pool, routing::Side side, Role role, cql::ProtocolVersion version,
                                      std::string_view keyspace) {
    auto& kept = groups_[index(side)][index(role)][keyspace.empty() ? 0 : 1];
    if (!kept || kept->key().keyspace != keyspace || kept->key().version != version)
        kept = pool.group({version, std::string(keyspace), login(side, role)});
    return kept.get();
}

}  // namespace penumbra::proxy
