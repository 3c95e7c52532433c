#pragma once

#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cql/protocol/version.h"

namespace penumbra::cluster {

struct Credentials {
    std::string username;
    std::string password;
    bool empty() const { return username.empty(); }
    /// SASL PLAIN, as PasswordAuthenticator of both servers takes it.
    Bytes plain_token() const;
};

/// A user of a cluster other than the configured service user: what an application logged in with. Immutable once
/// shared; several applications with the same one share connections.
struct Login {
    std::string user;           ///< for messages; empty where the mechanism does not tell
    std::vector<Bytes> tokens;  ///< what its AUTH_RESPONSEs carry, in the order in which the server asks

    auto operator<=>(const Login&) const = default;
};
using LoginPtr = std::shared_ptr<const Login>;

LoginPtr plain_login(const Credentials& credentials);

/// What connections have in common that a request may leave on: they behave as the client's own one would.
struct GroupKey {
    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    std::string keyspace = {};  ///< USEd; empty for none
    LoginPtr login = {};        ///< null: the cluster's configured service user

    /// By what the login says, not by where it is.
    std::strong_ordering operator<=>(const GroupKey& other) const;
    bool operator==(const GroupKey& other) const { return (*this <=> other) == 0; }
};

}  // namespace penumbra::cluster
