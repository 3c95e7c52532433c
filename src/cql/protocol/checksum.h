#pragma once

#include <cstdint>

#include "base/bytes.h"

/// The two checksums of a v5 segment (native_protocol_v5.spec 2.2; what the text leaves out is in docs/protocol.md).
namespace penumbra::cql {

/// Of a segment's header: polynomial 0x1974F0B, bits from the top, starting from 0x875060.
std::uint32_t segment_crc24(BytesView header);
/// Of a segment's payload as it is on the wire: the CRC-32 of zlib, but of FA 2D 55 CA and then the payload.
std::uint32_t segment_crc32(BytesView payload);

}  // namespace penumbra::cql
