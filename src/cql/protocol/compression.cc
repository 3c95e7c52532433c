#include "cql/protocol/compression.h"

#include <algorithm>

#include <lz4.h>
#include <snappy.h>

#include "base/assert.h"

namespace penumbra::cql {
namespace {

const char* chars(const Byte* bytes) {
    return reinterpret_cast<const char*>(bytes);
}
char* chars(Byte* bytes) {
    return reinterpret_cast<char*>(bytes);
}

bool same_but_for_case(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, [](char c, char l) { return (c >= 'A' && c <= 'Z' ? c + 32 : c) == l; });
}

/// LZ4's match table, 16 kB, kept because clearing it costs more than compressing a small frame.
LZ4_stream_t& lz4_state() {
    thread_local LZ4_stream_t state;
    thread_local const bool ready = LZ4_initStream(&state, sizeof state) != nullptr;
    ASSERT(ready);
    return state;
}

/// How much longer than its block a plain text can be: a byte of an LZ4 match length stands for 255 bytes; Snappy's
/// densest copy is 64 bytes in three.
constexpr std::size_t most_from(Compression compression, std::size_t block) {
    return compression == Compression::lz4 ? block * 255 : block * 22;
}

}  // namespace

std::string_view to_string(Compression compression) {
    switch (compression) {
        case Compression::none:
            return "none";
        case Compression::lz4:
            return "lz4";
        case Compression::snappy:
            return "snappy";
    }
    return "compression";
}

std::optional<Compression> compression_named(std::string_view name) {
    for (const auto compression : {Compression::lz4, Compression::snappy}) {
        if (same_but_for_case(name, to_string(compression))) return compression;
    }
    return {};
}

std::size_t compress_bound(Compression compression, std::size_t size) {
    switch (compression) {
        case Compression::none:
            return size;
        case Compression::lz4:
            return static_cast<std::size_t>(LZ4_COMPRESSBOUND(size));
        case Compression::snappy:
            return snappy::MaxCompressedLength(size);
    }
    return size;
}

std::optional<std::size_t> compress(Compression compression, BytesView plain, Byte* to, std::size_t limit) {
    if (limit == 0 || plain.size() > LZ4_MAX_INPUT_SIZE) return {};
    switch (compression) {
        case Compression::none:
            return {};
        case Compression::lz4: {
            auto& state = lz4_state();
            LZ4_resetStream_fast(&state);
            const auto room = static_cast<int>(std::min<std::size_t>(limit - 1, INT32_MAX));
            const int size = LZ4_compress_fast_continue(&state, chars(plain.data()), chars(to),
                                                        static_cast<int>(plain.size()), room, 1);
            if (size > 0) return static_cast<std::size_t>(size);
            // Left in the middle, the table speaks of places that a later, reset stream must not believe.
            LZ4_initStream(&state, sizeof state);
            return {};
        }
        case Compression::snappy: {
            std::size_t size = 0;
            snappy::RawCompress(chars(plain.data()), plain.size(), chars(to), &size);
            if (size < limit) return size;
            return {};
        }
    }
    return {};
}

bool decompress(Compression compression, BytesView block, MutableBytes plain) {
    if (block.size() > INT32_MAX || plain.size() > INT32_MAX) return false;
    switch (compression) {
        case Compression::none:
            return false;
        case Compression::lz4: {
            // The library reads no byte of an empty block, but takes its null address for a mistake of ours.
            if (block.empty()) return false;
            Byte nothing = 0;
            Byte* const to = plain.empty() ? &nothing : plain.data();
            const int size = LZ4_decompress_safe(chars(block.data()), chars(to), static_cast<int>(block.size()),
                                                 static_cast<int>(plain.size()));
            return size >= 0 && static_cast<std::size_t>(size) == plain.size();
        }
        case Compression::snappy: {
            std::size_t size = 0;
            if (!snappy::GetUncompressedLength(chars(block.data()), block.size(), &size) || size != plain.size()) {
                return false;
            }
            Byte nothing = 0;
            return snappy::RawUncompress(chars(block.data()), block.size(),
                                         chars(plain.empty() ? &nothing : plain.data()));
        }
    }
    return false;
}

std::optional<CompressedBody> read_compressed_body(Compression compression, BytesView body, std::size_t whole_size) {
    CompressedBody out;
    std::size_t block_size = whole_size;
    switch (compression) {
        case Compression::none:
            return {};
        case Compression::lz4:
            if (body.size() < 4) return {};
            out.plain_size = load_be<std::uint32_t>(body.data());
            out.block = body.subspan(4);
            block_size -= 4;
            break;
        case Compression::snappy:
            if (!snappy::GetUncompressedLength(chars(body.data()), body.size(), &out.plain_size)) return {};
            out.block = body;
            break;
    }
    if (out.plain_size > most_from(compression, block_size)) return {};
    return out;
}

}  // namespace penumbra::cql
