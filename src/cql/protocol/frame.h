#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "cql/protocol/version.h"

namespace penumbra::cql {

/// Layout of a frame (v3, v4) or envelope (v5): version, flags, stream (2), opcode, length (4), body.
inline constexpr std::size_t kHeaderSize = 9;
inline constexpr std::size_t kFlagsAt = 1;
inline constexpr std::size_t kStreamAt = 2;
inline constexpr std::size_t kOpcodeAt = 4;
inline constexpr std::size_t kLengthAt = 5;
/// The top bit of the version byte: set in what a server sends.
inline constexpr std::uint8_t kResponseBit = 0x80;
/// Stream of events.
inline constexpr std::int16_t kEventStream = -1;
/// native_protocol_v4.spec 2.5: no frame is longer.
inline constexpr std::uint32_t kMaxBodyLength = 256u << 20;

enum class Direction : std::uint8_t { request, response };

struct FrameHeader {
    std::uint8_t version_byte = 0;  ///< as sent, response bit included; may be a version that we do not speak
    std::uint8_t flags = 0;
    std::int16_t stream = 0;
    Opcode opcode = Opcode::error;  ///< any byte: check is_request() or is_response()
    std::uint32_t length = 0;       ///< of the body

    std::uint8_t version_number() const { return version_byte & 0x7F; }
    /// Only after the version was found to be one of ours: next_frame() says so.
    ProtocolVersion version() const { return static_cast<ProtocolVersion>(version_number()); }
    Direction direction() const { return version_byte & kResponseBit ? Direction::response : Direction::request; }
    bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// A whole frame in somebody else's buffer. Its body may be compressed: message decoders refuse it until the transport
/// has decompressed it (v3 and v4; a v5 envelope's flag means nothing, its segment was compressed).
struct FrameView {
    FrameHeader header;
    BytesView whole;

    BytesView body() const { return whole.subspan(kHeaderSize); }
    ProtocolVersion version() const { return header.version(); }
    bool is_compressed() const { return header.has(header_flag::kCompressed) && version() != ProtocolVersion::v5; }
};

/// What the next bytes of a stream are. Where they are no frame that can be read, the caller has what it needs for the
/// answer that clients expect; after `too_long`, `not_admitted` and `broken_body` it may read on behind it.
enum class FrameVerdict : std::uint8_t {
    complete,             ///< FrameScan::frame is there, and took FrameScan::total bytes
    incomplete,           ///< FrameScan::total bytes are needed; grows once the header is in
    unsupported_version,  ///< by the first byte, before a header is there: v1 and v2 have one of 8 bytes
    wrong_direction,      ///< a response where a request is due, or the other way round
    too_long,             ///< header is valid; the body of FrameScan::total - 9 bytes may be skipped
    not_admitted,         ///< header is valid; nobody had memory for the body. From WireReader only
    broken_body,          ///< header is valid; the body does not decompress to what it says. From WireReader only
    broken_segment,       ///< a checksum or length of a v5 segment is wrong. From WireReader only
};

struct FrameScan {
    FrameVerdict verdict = FrameVerdict::incomplete;
    std::size_t total = kHeaderSize;
    FrameView frame;  ///< complete: all of it; too_long, not_admitted, broken_body: the header; else version_byte if
                      ///< there was a byte
    std::string_view why = {};  ///< broken_…: in words
};

/// Looks at the front of `in`. `max_body` is the longest body to accept. Copies nothing, keeps nothing.
FrameScan next_frame(BytesView in, Direction expected, std::uint32_t max_body = kMaxBodyLength);
/// A refusing verdict in words.
Error frame_error(const FrameScan& scan);

/// A buffer that holds exactly one frame, as a view: what tests and the control path need.
Result<FrameView> view_frame(BytesView bytes, Direction expected);

/// The hot path's rewrite of a copied or forwarded frame.
inline void set_stream(MutableBytes frame, std::int16_t stream) {
    store_be(frame.data() + kStreamAt, stream);
}

/// Opens a frame at the end of `out`; close() writes the body's length. Exactly one of each.
class FrameBuilder {
  public:
    FrameBuilder(Bytes& out, Direction direction, ProtocolVersion version, std::uint8_t flags, std::int16_t stream,
                 Opcode opcode);

    Writer& body() { return body_; }
    void close();

  private:
    Writer body_;
    std::size_t start_;
};

}  // namespace penumbra::cql
