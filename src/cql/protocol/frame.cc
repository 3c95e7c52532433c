#include "cql/protocol/frame.h"

#include <string>

#include <fmt/format.h>

namespace penumbra::cql {

FrameScan next_frame(BytesView in, Direction expected, std::uint32_t max_body) {
    FrameScan scan;
    auto& header = scan.frame.header;
    if (in.empty()) return scan;
    header.version_byte = in[0];
    if (header.direction() != expected) {
        scan.verdict = FrameVerdict::wrong_direction;
        return scan;
    }
    const auto version = header.version_number();
    if (version < static_cast<int>(ProtocolVersion::v3) || version > static_cast<int>(ProtocolVersion::v5)) {
        scan.verdict = FrameVerdict::unsupported_version;
        return scan;
    }
    if (in.size() < kHeaderSize) return scan;
    header.flags = in[kFlagsAt];
    header.stream = load_be<std::int16_t>(in.data() + kStreamAt);
    header.opcode = static_cast<Opcode>(in[kOpcodeAt]);
    header.length = load_be<std::uint32_t>(in.data() + kLengthAt);
    scan.total = kHeaderSize + header.length;
    if (header.length > max_body) {
        scan.verdict = FrameVerdict::too_long;
        return scan;
    }
    if (in.size() < scan.total) return scan;
    scan.verdict = FrameVerdict::complete;
    scan.frame.whole = in.first(scan.total);
    return scan;
}

Error frame_error(const FrameScan& scan) {
    const auto& header = scan.frame.header;
    switch (scan.verdict) {
        case FrameVerdict::complete:
            return {Errc::internal, "a complete frame is no error"};
        case FrameVerdict::incomplete:
            return {Errc::malformed, "the frame ends early"};
        case FrameVerdict::unsupported_version:
            return {Errc::unsupported,
                    fmt::format("Invalid or unsupported protocol version ({})", header.version_number())};
        case FrameVerdict::wrong_direction:
            return {Errc::malformed, header.direction() == Direction::response ? "a response where a request is due"
                                                                               : "a request where a response is due"};
        case FrameVerdict::too_long:
            return {Errc::malformed, fmt::format("a frame body of {} bytes is too long", header.length)};
        case FrameVerdict::not_admitted:
            return {Errc::overloaded,
                    fmt::format("there is no memory for a frame body of {} bytes now", header.length)};
        case FrameVerdict::broken_body:
        case FrameVerdict::broken_segment:
            return {Errc::malformed, std::string(scan.why)};
    }
    return {Errc::internal, "no such verdict"};
}

Result<FrameView> view_frame(BytesView bytes, Direction expected) {
    const auto scan = next_frame(bytes, expected);
    if (scan.verdict != FrameVerdict::complete) return fail(frame_error(scan));
    if (scan.total != bytes.size())
        return fail(Errc::malformed, fmt::format("{} bytes behind a frame", bytes.size() - scan.total));
    return scan.frame;
}

FrameBuilder::FrameBuilder(Bytes& out, Direction direction, ProtocolVersion version, std::uint8_t flags,
                           std::int16_t stream, Opcode opcode)
    : body_(out), start_(out.size()) {
    const Byte bit = direction == Direction::response ? kResponseBit : 0;
    body_.u8(static_cast<Byte>(static_cast<Byte>(version) | bit));
    body_.u8(flags);
    body_.i16(stream);
    body_.u8(static_cast<Byte>(opcode));
    body_.i32(0);
}

void FrameBuilder::close() {
    body_.patch_i32(start_ + kLengthAt, static_cast<std::int32_t>(body_.position() - start_ - kHeaderSize));
}

}  // namespace penumbra::cql
