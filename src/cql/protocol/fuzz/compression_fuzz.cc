// Blocks of both kinds: any bytes decompress to what they say or are refused, in the memory given; what was compressed
// comes back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "cql/protocol/compression.h"

namespace penumbra::cql {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void any_bytes(Compression compression, BytesView bytes) {
    const auto body = read_compressed_body(compression, bytes, bytes.size());
    if (!body) return;
    require(body->plain_size <= bytes.size() * 255);
    if (body->plain_size > 1u << 20) return;
    Bytes plain(body->plain_size);  // its own memory, so that ASan sees a step outside
    if (!decompress(compression, body->block, plain)) return;
    // What decompressed once compresses to something that decompresses to the same.
    Bytes block(compress_bound(compression, plain.size()));
    const auto size = compress(compression, plain, block.data(), block.size() + 1);
    require(size.has_value());
    block.resize(*size);
    Bytes again(plain.size());
    require(decompress(compression, block, again) && again == plain);
}

void round_trip(Compression compression, BytesView bytes, std::size_t repeat, std::size_t limit_cut) {
    Bytes plain;
    for (std::size_t i = 0; i < repeat; ++i) plain.insert(plain.end(), bytes.begin(), bytes.end());
    const auto limit = plain.size() - std::min(limit_cut, plain.size());
    Bytes block(compress_bound(compression, plain.size()));
    const auto size = compress(compression, plain, block.data(), limit);
    if (!size) return;
    require(*size < limit);
    block.resize(*size);
    block.shrink_to_fit();
    Bytes again(plain.size());
    require(decompress(compression, block, again) && again == plain);
    // One byte more or less is not what the block holds.
    Bytes other(plain.size() + 1);
    require(!decompress(compression, block, other));
    other.resize(plain.size() - 1);
    other.shrink_to_fit();
    require(!decompress(compression, block, other));
}

}  // namespace
}  // namespace penumbra::cql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penumbra;
    using namespace penumbra::cql;
    if (size < 4) return 0;
    const BytesView bytes(data + 3, size - 3);
    for (const auto compression : {Compression::lz4, Compression::snappy}) {
        any_bytes(compression, bytes);
        round_trip(compression, bytes, 1 + data[0] % 60, data[1]);
    }
    return 0;
}
