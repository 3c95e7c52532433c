#include "proxy/client_version.h"

#include <fmt/format.h>

#include "cql/protocol/frame.h"
#include "cql/protocol/notation.h"
#include "cql/protocol/responses.h"

namespace penumbra::proxy {

namespace {

constexpr std::size_t kOldHeaderSize = 8;

bool has_short_stream(std::uint8_t version) {
    return version == 1 || version == 2;
}

/// Versions that drivers are known to try: those of DataStax's server carry 0x40.
bool is_known_elsewhere(std::uint8_t version) {
    return has_short_stream(version) || version == 5 || version == 6 || version == 0x41 || version == 0x42;
}

}  // namespace

bool is_spoken(std::uint8_t version, cql::ProtocolVersion newest) {
    return version >= static_cast<std::uint8_t>(cql::ProtocolVersion::v3) &&
           version <= static_cast<std::uint8_t>(newest);
}

std::string version_error_text(std::uint8_t asked, cql::ProtocolVersion newest) {
    std::string spoken;
    for (const auto version : cql::kAllVersions) {
        if (version > newest) break;
        const auto number = static_cast<int>(version);
        spoken += fmt::format("{}{}/v{}", spoken.empty() ? "" : ", ", number, number);
    }
    return fmt::format("Invalid or unsupported protocol version ({}); supported versions are ({})", asked, spoken);
}

Bytes version_error(std::uint8_t asked, cql::ProtocolVersion newest) {
    const auto text = version_error_text(asked, newest);
    Bytes frame;
    Writer out(frame);
    const bool old = has_short_stream(asked);
    out.u8(static_cast<std::uint8_t>(cql::kResponseBit | (old ? asked : static_cast<std::uint8_t>(newest))));
    out.u8(0);
    if (old) {
        out.u8(0);
    } else {
        out.i16(0);
    }
    out.u8(static_cast<std::uint8_t>(cql::Opcode::error));
    out.i32(static_cast<std::int32_t>(4 + 2 + text.size()));
    out.i32(static_cast<std::int32_t>(cql::ErrorCode::protocol_error));
    cql::write_string(out, text);
    return frame;
}

std::optional<std::size_t> size_of_foreign_frame(BytesView data) {
    const auto version = static_cast<std::uint8_t>(data[0] & 0x7F);
    if (!is_known_elsewhere(version)) return std::nullopt;
    const auto header = has_short_stream(version) ? kOldHeaderSize : cql::kHeaderSize;
    if (data.size() < header) return 0;
    const auto length = load_be<std::uint32_t>(data.data() + header - 4);
    if (length > cql::kMaxBodyLength) return std::nullopt;
    return header + length;
}

}  // namespace penumbra::proxy
