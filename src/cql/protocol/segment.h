#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "cql/protocol/compression.h"

/// A v5 segment: header with CRC-24, payload, CRC-32 of the payload; its own numbers are little-endian
/// (native_protocol_v5.spec 2.2). Without compression the header is a length of 17 bits and the self-contained bit in
/// three bytes; with LZ4 it is two lengths, on the wire and decompressed, in five.
namespace penumbra::cql {

inline constexpr std::size_t kMaxSegmentPayload = (1u << 17) - 1;
inline constexpr std::size_t kSegmentTrailer = 4;
constexpr std::size_t segment_header_size(Compression compression) {
    return compression == Compression::none ? 6 : 8;
}

struct SegmentHeader {
    std::uint32_t wire_size = 0;  ///< of the payload as it travels
    /// Of the payload decompressed. 0: it travels as it is. (The spec's 2.3.2 says so of the other length; its 2.2 and
    /// Cassandra mean this one.)
    std::uint32_t plain_size = 0;
    /// Holds whole envelopes. Otherwise it is a piece of one envelope that goes on in the segments behind it.
    bool self_contained = true;

    bool compressed() const { return plain_size != 0; }
    bool operator==(const SegmentHeader&) const = default;
};

/// From segment_header_size() bytes; nothing when their checksum is wrong.
std::optional<SegmentHeader> read_segment_header(const Byte* at, Compression compression);
void write_segment_header(Byte* at, Compression compression, const SegmentHeader& header);
/// The payload as it travels, and the four bytes of its checksum behind it.
bool segment_trailer_holds(BytesView payload_and_trailer);
void write_segment_trailer(MutableBytes payload_and_trailer);

}  // namespace penumbra::cql
