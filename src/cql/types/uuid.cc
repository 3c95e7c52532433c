#include "cql/types/uuid.h"

#include <algorithm>

#include <arpa/inet.h>

namespace penumbra::cql {
namespace {

/// 100 ns units between the start of the Gregorian calendar, which version 1 uuids count from, and 1970.
constexpr std::int64_t kGregorianOffset = 0x01B21DD213814000;

}  // namespace

Result<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') {
        return fail(Errc::invalid_argument, "'" + std::string(text.substr(0, 50)) + "' is no uuid");
    }
    std::string digits;
    for (const char c : text) {
        if (c != '-') digits += c;
    }
    auto bytes = from_hex(digits);
    if (digits.size() != 32 || !bytes) {
        return fail(Errc::invalid_argument, "'" + std::string(text) + "' is no uuid");
    }
    return from_bytes(bytes.value());
}

Result<Uuid> Uuid::from_bytes(BytesView bytes) {
    if (bytes.size() != 16) return fail(Errc::malformed, "a uuid of " + std::to_string(bytes.size()) + " bytes");
    Uuid uuid;
    std::ranges::copy(bytes, uuid.bytes.begin());
    return uuid;
}

Uuid Uuid::random(std::uint64_t high, std::uint64_t low) {
    Uuid uuid;
    store_be(uuid.bytes.data(), (high & ~std::uint64_t{0xF000}) | 0x4000);
    store_be(uuid.bytes.data() + 8, (low & ~(std::uint64_t{3} << 62)) | std::uint64_t{2} << 62);
    return uuid;
}

Uuid Uuid::timed(std::int64_t unix_100ns, std::uint64_t clock_and_node) {
    const auto ticks = static_cast<std::uint64_t>(unix_100ns) + static_cast<std::uint64_t>(kGregorianOffset);
    Uuid uuid;
    store_be(uuid.bytes.data(), static_cast<std::uint32_t>(ticks));
    store_be(uuid.bytes.data() + 4, static_cast<std::uint16_t>(ticks >> 32));
    store_be(uuid.bytes.data() + 6, static_cast<std::uint16_t>((ticks >> 48 & 0x0FFF) | 0x1000));
    store_be(uuid.bytes.data() + 8, (clock_and_node & ~(std::uint64_t{3} << 62)) | std::uint64_t{2} << 62);
    return uuid;
}

std::int64_t Uuid::unix_100ns() const {
    const std::uint64_t ticks = (static_cast<std::uint64_t>(load_be<std::uint16_t>(bytes.data() + 6)) & 0x0FFF) << 48 |
                                static_cast<std::uint64_t>(load_be<std::uint16_t>(bytes.data() + 4)) << 32 |
                                load_be<std::uint32_t>(bytes.data());
    return static_cast<std::int64_t>(ticks - static_cast<std::uint64_t>(kGregorianOffset));
}

std::string to_string(const Uuid& uuid) {
    auto text = to_hex(uuid.bytes);
    for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
    return text;
}

Result<InetAddress> InetAddress::parse(std::string_view text) {
    const std::string terminated(text);
    InetAddress address;
    if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
    address.size = 16;
    if (terminated.find('\0') != std::string::npos ||
        ::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) != 1) {
        return fail(Errc::invalid_argument, "'" + terminated.substr(0, 100) + "' is no IP address");
    }
    return address;
}

Result<InetAddress> InetAddress::from_bytes(BytesView bytes) {
    if (bytes.size() != 4 && bytes.size() != 16) {
        return fail(Errc::malformed, "an IP address of " + std::to_string(bytes.size()) + " bytes");
    }
    InetAddress address;
    address.size = static_cast<std::uint8_t>(bytes.size());
    std::ranges::copy(bytes, address.bytes.begin());
    return address;
}

std::string to_string(const InetAddress& address) {
    char text[INET6_ADDRSTRLEN];
    return ::inet_ntop(address.is_v4() ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
}

}  // namespace penumbra::cql
