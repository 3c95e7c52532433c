#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "cql/protocol/version.h"

/// Blocks of LZ4 and Snappy, as CQL carries them. Everything here checks lengths before it trusts them, and writes only
/// into memory of the caller.
namespace penumbra::cql {

enum class Compression : std::uint8_t { none, lz4, snappy };

/// "none", "lz4", "snappy": the value of STARTUP's COMPRESSION.
std::string_view to_string(Compression compression);
/// In any case, as both servers take it; nothing for a name that the protocol does not know.
std::optional<Compression> compression_named(std::string_view name);
/// v5 has no Snappy.
constexpr bool may_agree(ProtocolVersion version, Compression compression) {
    return version != ProtocolVersion::v5 || compression != Compression::snappy;
}

/// Fewer bytes than this do not get smaller by enough to pay for both sides' work: below one TCP packet's headers and
/// acknowledgement nothing is won on the network either.
inline constexpr std::size_t kWorthCompressing = 128;

/// Room that compress() needs in the worst case.
std::size_t compress_bound(Compression compression, std::size_t size);
/// Compresses into `to` and gives the size, or nothing when it would not be below `limit`. `to` has compress_bound()
/// bytes. Allocates nothing for LZ4; the Snappy library takes working memory for each call.
std::optional<std::size_t> compress(Compression compression, BytesView plain, Byte* to, std::size_t limit);
/// One block that must become exactly plain.size() bytes: false otherwise.
bool decompress(Compression compression, BytesView block, MutableBytes plain);

/// The body of a compressed v3 or v4 frame: LZ4 has a big-endian length in front of its block, Snappy's begins with
/// one.
struct CompressedBody {
    std::size_t plain_size = 0;
    BytesView block;
};
/// Bytes of a body that are enough to know plain_size.
inline constexpr std::size_t kPlainSizeWithin = 5;
/// Nothing when no block of this size can become that long: checked before anybody takes memory for it. `body` may be
/// the first kPlainSizeWithin bytes of `whole_size`.
std::optional<CompressedBody> read_compressed_body(Compression compression, BytesView body, std::size_t whole_size);

}  // namespace penumbra::cql
