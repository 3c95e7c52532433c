#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace penumbra::cql {

/// A uuid in wire order. Comparison is by bytes; servers order uuids otherwise, see compare_values().
struct Uuid {
    std::array<Byte, 16> bytes{};

    static Result<Uuid> parse(std::string_view text);
    static Result<Uuid> from_bytes(BytesView bytes);
    /// A version 4 uuid from 128 random bits of the caller's.
    static Uuid random(std::uint64_t high, std::uint64_t low);
    /// A version 1 uuid for a time in 100 ns units since 1970; the low 62 bits of `clock_and_node` tell hosts apart.
    static Uuid timed(std::int64_t unix_100ns, std::uint64_t clock_and_node);

    int version() const { return bytes[6] >> 4; }
    /// Version 1 only: 100 ns units since 1970-01-01.
    std::int64_t unix_100ns() const;
    BytesView view() const { return bytes; }
    bool is_nil() const { return *this == Uuid{}; }

    auto operator<=>(const Uuid&) const = default;
};

std::string to_string(const Uuid& uuid);

/// An IP address, without a port.
struct InetAddress {
    std::array<Byte, 16> bytes{};
    std::uint8_t size = 4;  ///< 4 or 16

    static Result<InetAddress> parse(std::string_view text);
    static Result<InetAddress> from_bytes(BytesView bytes);

    BytesView view() const { return BytesView(bytes).first(size); }
    bool is_v4() const { return size == 4; }

    auto operator<=>(const InetAddress&) const = default;
};

std::string to_string(const InetAddress& address);

}  // namespace penumbra::cql

template <>
struct std::hash<penumbra::cql::Uuid> {
    std::size_t operator()(const penumbra::cql::Uuid& uuid) const noexcept {
        return std::hash<std::string_view>{}(penumbra::text_of(uuid.bytes));
    }
};
template <>
struct std::hash<penumbra::cql::InetAddress> {
    std::size_t operator()(const penumbra::cql::InetAddress& address) const noexcept {
        return std::hash<std::string_view>{}(penumbra::text_of(address.view()));
    }
};
