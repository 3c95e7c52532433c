#pragma once

#include <cstdint>
#include <string_view>

namespace penumbra::cql {

/// Protocol versions whose messages we know. Others are recognised in a frame's first byte (frame.h) and refused.
enum class ProtocolVersion : std::uint8_t { v3 = 3, v4 = 4, v5 = 5 };

inline constexpr ProtocolVersion kAllVersions[] = {ProtocolVersion::v3, ProtocolVersion::v4, ProtocolVersion::v5};

/// "v4"
std::string_view to_string(ProtocolVersion version);

enum class Opcode : std::uint8_t {
    error = 0x00,
    startup = 0x01,
    ready = 0x02,
    authenticate = 0x03,
    options = 0x05,
    supported = 0x06,
    query = 0x07,
    result = 0x08,
    prepare = 0x09,
    execute = 0x0A,
    register_ = 0x0B,
    event = 0x0C,
    batch = 0x0D,
    auth_challenge = 0x0E,
    auth_response = 0x0F,
    auth_success = 0x10,
};

/// "QUERY"; "opcode" for a code that the protocol does not know.
std::string_view to_string(Opcode opcode);
bool is_request(Opcode opcode);
bool is_response(Opcode opcode);

/// native_protocol_v5.spec 3, [consistency]. Values past the last one are refused by the decoders.
enum class Consistency : std::uint16_t {
    any = 0,
    one = 1,
    two = 2,
    three = 3,
    quorum = 4,
    all = 5,
    local_quorum = 6,
    each_quorum = 7,
    serial = 8,
    local_serial = 9,
    local_one = 10,
};
std::string_view to_string(Consistency consistency);
constexpr bool is_serial(Consistency consistency) {
    return consistency == Consistency::serial || consistency == Consistency::local_serial;
}

/// Bits of a frame header's flags.
namespace header_flag {
inline constexpr std::uint8_t kCompressed = 0x01;
inline constexpr std::uint8_t kTracing = 0x02;
inline constexpr std::uint8_t kCustomPayload = 0x04;
inline constexpr std::uint8_t kWarning = 0x08;
inline constexpr std::uint8_t kBeta = 0x10;
}  // namespace header_flag

}  // namespace penumbra::cql
