#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>

#include "base/bytes.h"
#include "base/result.h"

namespace penumbra {

/// An IP address and port. "127.0.0.1:9042", "[::1]:9042".
class Endpoint {
  public:
    Endpoint() = default;
    /// `address`: 4 or 16 bytes, network order, as CQL's inet.
    static Result<Endpoint> from_address(BytesView address, std::uint16_t port);
    /// Numeric only. `default_port` where the text names none; 0 means that it must.
    static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port = 0);
    static Endpoint from_sockaddr(const sockaddr* address, socklen_t length);

    Bytes address() const;
    std::uint16_t port() const;
    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t raw_size() const;
    std::string host() const;

    bool operator==(const Endpoint& other) const { return port() == other.port() && address() == other.address(); }
    bool operator<(const Endpoint& other) const;

  private:
    sockaddr_in6 storage_{};  // holds an IPv4 address as well: told apart by sin6_family
};

std::string to_string(const Endpoint& endpoint);

/// "host:port" split, before it is resolved; IPv6 in brackets.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
    static Result<HostPort> parse(std::string_view text, std::uint16_t default_port = 0);
};

/// All addresses of a host name (or of a numeric address). Blocks on DNS: call it on a Worker.
Result<std::vector<Endpoint>> resolve(const HostPort& name);

}  // namespace penumbra
