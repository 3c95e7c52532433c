#include "cql/protocol/segment.h"

#include "cql/protocol/checksum.h"

namespace penumbra::cql {
namespace {

std::uint64_t load_le(const Byte* at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | at[i];
    return value;
}

void store_le(Byte* at, std::size_t size, std::uint64_t value) {
    for (std::size_t i = 0; i < size; ++i, value >>= 8) at[i] = static_cast<Byte>(value);
}

constexpr std::uint64_t kLengthMask = kMaxSegmentPayload;
constexpr std::size_t kCrc24Size = 3;

}  // namespace

std::optional<SegmentHeader> read_segment_header(const Byte* at, Compression compression) {
    const auto size = segment_header_size(compression) - kCrc24Size;
    if (load_le(at + size, kCrc24Size) != segment_crc24({at, size})) return {};
    const auto bits = load_le(at, size);
    SegmentHeader header;
    header.wire_size = static_cast<std::uint32_t>(bits & kLengthMask);
    if (compression == Compression::none) {
        header.self_contained = bits >> 17 & 1;
    } else {
        header.plain_size = static_cast<std::uint32_t>(bits >> 17 & kLengthMask);
        header.self_contained = bits >> 34 & 1;
    }
    return header;
}

void write_segment_header(Byte* at, Compression compression, const SegmentHeader& header) {
    const auto size = segment_header_size(compression) - kCrc24Size;
    std::uint64_t bits = header.wire_size;
    if (compression == Compression::none) {
        bits |= std::uint64_t{header.self_contained} << 17;
    } else {
        bits |= std::uint64_t{header.plain_size} << 17 | std::uint64_t{header.self_contained} << 34;
    }
    store_le(at, size, bits);
    store_le(at + size, kCrc24Size, segment_crc24({at, size}));
}

bool segment_trailer_holds(BytesView payload_and_trailer) {
    const auto payload = payload_and_trailer.first(payload_and_trailer.size() - kSegmentTrailer);
    return load_le(payload.data() + payload.size(), kSegmentTrailer) == segment_crc32(payload);
}

void write_segment_trailer(MutableBytes payload_and_trailer) {
    const auto payload = payload_and_trailer.first(payload_and_trailer.size() - kSegmentTrailer);
    store_le(payload.data() + payload.size(), kSegmentTrailer, segment_crc32(payload));
}

}  // namespace penumbra::cql
