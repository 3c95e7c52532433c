#include "cluster/identity.h"

namespace penumbra::cluster {

Bytes Credentials::plain_token() const {
    Bytes token;
    Writer out(token);
    out.u8(0);
    out.raw(username);
    out.u8(0);
    out.raw(password);
    return token;
}

LoginPtr plain_login(const Credentials& credentials) {
    auto login = std::make_shared<Login>();
    login->user = credentials.username;
    login->tokens.push_back(credentials.plain_token());
    return login;
}

std::strong_ordering GroupKey::operator<=>(const GroupKey& other) const {
    if (const auto by_version = version <=> other.version; by_version != 0) return by_version;
    if (const auto by_keyspace = keyspace <=> other.keyspace; by_keyspace != 0) return by_keyspace;
    if (login == other.login) return std::strong_ordering::equal;
    if (!login || !other.login) return login ? std::strong_ordering::greater : std::strong_ordering::less;
    return *login <=> *other.login;
}

}  // namespace penumbra::cluster
