#pragma once

#include <functional>
#include <map>
#include <string>

#include "cluster/identity.h"
#include "cluster/pool.h"
#include "routing/phase.h"

namespace penumbra::proxy {

/// What a cluster is to one request.
enum class Role : std::uint8_t { primary, shadow };

/// As whom the clients' requests reach the two clusters.
struct LoginPolicy {
    enum class Shadow : std::uint8_t {
        service,  ///< the configured user writes to the shadow: permissions are the primary's business alone
        client,   ///< the client's own user, or what it is called there
    };
    Shadow shadow = Shadow::service;
    /// By Side: what a user of the other cluster is called there. Who is not listed has the same name and password.
    std::map<std::string, cluster::Credentials, std::less<>> names[2];
};

/// Who one client is on both clusters, and the connections that its requests leave on: they behave as connections of
/// its own would. Lives on the client's shard.
class ClientIdentity {
  public:
    /// `side` took this login. `other_asks`: the other cluster wants to know users as well.
    void accepted(routing::Side side, cluster::LoginPtr login, const LoginPolicy& policy, bool other_asks);
    /// Null: the configured user.
    const cluster::LoginPtr& login(routing::Side side, Role role) const { return logins_[index(side)][index(role)]; }

    /// Kept after the first time. The pool keeps a group that has requests under way; the pointer is for the next
    /// submit() alone.
    cluster::Group* group(cluster::Pool& pool, routing::Side side, Role role, cql::ProtocolVersion version,
                          std::string_view keyspace);

  private:
    template <class Enum>
    static std::size_t index(Enum value) {
        return static_cast<std::size_t>(value);
    }
    cluster::LoginPtr logins_[2][2];
    cluster::GroupPtr groups_[2][2][2];  ///< by side, role, and whether it has a keyspace: then the last one used
};

}  // namespace penumbra::proxy
