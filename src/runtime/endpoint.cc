#include "runtime/endpoint.h"

#include <charconv>
#include <cstring>
#include <tuple>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

namespace penumbra {

Result<Endpoint> Endpoint::from_address(BytesView address, std::uint16_t port) {
    Endpoint made;
    if (address.size() == 4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&made.storage_);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        std::memcpy(&v4->sin_addr, address.data(), 4);
    } else if (address.size() == 16) {
        made.storage_.sin6_family = AF_INET6;
        made.storage_.sin6_port = htons(port);
        std::memcpy(&made.storage_.sin6_addr, address.data(), 16);
    } else {
        return fail(Errc::malformed, fmt::format("an address has 4 or 16 bytes, not {}", address.size()));
    }
    return made;
}

Endpoint Endpoint::from_sockaddr(const sockaddr* address, socklen_t length) {
    Endpoint made;
    std::memcpy(&made.storage_, address, std::min<std::size_t>(length, sizeof made.storage_));
    return made;
}

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
    TRY(auto parts, HostPort::parse(text, default_port));
    Bytes address(16);
    if (inet_pton(AF_INET, parts.host.c_str(), address.data()) == 1) {
        address.resize(4);
    } else if (inet_pton(AF_INET6, parts.host.c_str(), address.data()) != 1) {
        return fail(Errc::invalid_argument, fmt::format("'{}' is not an IP address", parts.host));
    }
    return from_address(address, parts.port);
}

Bytes Endpoint::address() const {
    if (storage_.sin6_family == AF_INET6) {
        const auto* bytes = reinterpret_cast<const Byte*>(&storage_.sin6_addr);
        return {bytes, bytes + 16};
    }
    const auto* bytes = reinterpret_cast<const Byte*>(&reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr);
    return {bytes, bytes + 4};
}

std::uint16_t Endpoint::port() const {
    return ntohs(storage_.sin6_port);
}  // the same place in sockaddr_in

socklen_t Endpoint::raw_size() const {
    return storage_.sin6_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

std::string Endpoint::host() const {
    char text[INET6_ADDRSTRLEN] = {};
    const auto bytes = address();
    inet_ntop(bytes.size() == 16 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
    return text;
}

bool Endpoint::operator<(const Endpoint& other) const {
    return std::tuple(address(), port()) < std::tuple(other.address(), other.port());
}

std::string to_string(const Endpoint& endpoint) {
    const auto host = endpoint.host();
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, endpoint.port())
                                               : fmt::format("[{}]:{}", host, endpoint.port());
}

Result<HostPort> HostPort::parse(std::string_view text, std::uint16_t default_port) {
    HostPort made;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos)
            return fail(Errc::invalid_argument, fmt::format("'{}' has '[' without ']'", text));
        made.host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest[0] != ':')
            return fail(Errc::invalid_argument, fmt::format("'{}': ':PORT' belongs behind ']'", text));
        if (!rest.empty()) port = rest.substr(1);
    } else {
        const auto colon = text.rfind(':');
        made.host = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon + 1);
        if (made.host.find(':') != std::string::npos) {
            return fail(Errc::invalid_argument,
                        fmt::format("'{}': write an IPv6 address in brackets, [::1]:9042", text));
        }
    }
    if (made.host.empty())
        return fail(Errc::invalid_argument, fmt::format("'{}' names no host; HOST:PORT is wanted", text));
    if (port.empty()) {
        if (default_port == 0)
            return fail(Errc::invalid_argument, fmt::format("'{}' names no port; HOST:PORT is wanted", text));
        made.port = default_port;
        return made;
    }
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc() || end != port.data() + port.size() || number > 65535) {
        return fail(Errc::invalid_argument, fmt::format("'{}': '{}' is not a port (0 to 65535)", text, port));
    }
    made.port = static_cast<std::uint16_t>(number);
    return made;
}

Result<std::vector<Endpoint>> resolve(const HostPort& name) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(name.host.c_str(), std::to_string(name.port).c_str(), &hints, &found);
    if (error != 0) {
        return fail(Errc::unavailable,
                    fmt::format("cannot resolve '{}': {}. Check the name and the resolver of this host", name.host,
                                gai_strerror(error)));
    }
    std::vector<Endpoint> endpoints;
    for (const auto* at = found; at != nullptr; at = at->ai_next) {
        endpoints.push_back(Endpoint::from_sockaddr(at->ai_addr, at->ai_addrlen));
    }
    freeaddrinfo(found);
    return endpoints;
}

}  // namespace penumbra
