#include "cql/protocol/wire_writer.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/segment.h"
#include "cql/protocol/wire_buffer.h"

namespace penumbra::cql {
namespace {

std::size_t envelope_size(const Byte* at, std::size_t left) {
    ASSERT(left >= kHeaderSize);
    const std::size_t size = kHeaderSize + load_be<std::uint32_t>(at + kLengthAt);
    ASSERT(size <= left);
    return size;
}

}  // namespace

void WireWriter::agree(ProtocolVersion version, Compression compression) {
    ASSERT(may_agree(version, compression));
    compression_ = compression;
    segments_ = version == ProtocolVersion::v5;
}

void WireWriter::encode(Bytes& out, std::size_t from) {
    ASSERT(from <= out.size());
    if (from == out.size()) return;
    if (!segments_) {
        if (compression_ != Compression::none) compress_frames(out, from);
        return;
    }
    cut(BytesView(out).subspan(from));
    if (compression_ == Compression::none) {
        wrap(out, from);
    } else {
        wrap_compressed(out, from);
    }
}

/// In place from front to back: a compressed frame is only taken when it is shorter.
void WireWriter::compress_frames(Bytes& out, std::size_t from) const {
    const std::size_t prefix = compression_ == Compression::lz4 ? 4 : 0;
    WireBuffer block;
    std::size_t write = from;
    for (std::size_t read = from; read < out.size();) {
        Byte* const frame = out.data() + read;
        const auto size = envelope_size(frame, out.size() - read);
        const BytesView body(frame + kHeaderSize, size - kHeaderSize);
        std::optional<std::size_t> compressed;
        if (body.size() >= kWorthCompressing && !(frame[kFlagsAt] & header_flag::kCompressed)) {
            Byte* const to = block.take(compress_bound(compression_, body.size()));
            compressed = compress(compression_, body, to, body.size() - prefix);
        }
        Byte* const at = out.data() + write;
        if (compressed) {
            std::memmove(at, frame, kHeaderSize);
            at[kFlagsAt] |= header_flag::kCompressed;
            store_be(at + kLengthAt, static_cast<std::uint32_t>(prefix + *compressed));
            if (prefix) store_be(at + kHeaderSize, static_cast<std::uint32_t>(body.size()));
            std::memcpy(at + kHeaderSize + prefix, block.data(), *compressed);
            write += kHeaderSize + prefix + *compressed;
        } else {
            if (write != read) std::memmove(at, frame, size);
            write += size;
        }
        read += size;
    }
    out.resize(write);
}

void WireWriter::cut(BytesView envelopes) {
    cuts_.clear();
    bool shared = false;  // the last cut takes more envelopes
    for (std::size_t at = 0; at < envelopes.size();) {
        const auto size = envelope_size(envelopes.data() + at, envelopes.size() - at);
        if (shared && cuts_.back().size + size <= kMaxSegmentPayload) {
            cuts_.back().size += size;
        } else if (size <= kMaxSegmentPayload) {
            cuts_.push_back({at, size, true});
            shared = true;
        } else {
            for (std::size_t done = 0; done < size; done += kMaxSegmentPayload) {
                cuts_.push_back({at + done, std::min(kMaxSegmentPayload, size - done), false});
            }
            shared = false;
        }
        at += size;
    }
}

/// In place from back to front: each payload moves once, to where its segment will be.
void WireWriter::wrap(Bytes& out, std::size_t from) {
    const auto header_size = segment_header_size(Compression::none);
    const auto around = header_size + kSegmentTrailer;
    out.resize(out.size() + cuts_.size() * around);
    for (std::size_t i = cuts_.size(); i-- > 0;) {
        const auto& cut = cuts_[i];
        Byte* const segment = out.data() + from + cut.at + i * around;
        Byte* const payload = segment + header_size;
        std::memmove(payload, out.data() + from + cut.at, cut.size);
        write_segment_header(segment, Compression::none, {static_cast<std::uint32_t>(cut.size), 0, cut.self_contained});
        write_segment_trailer({payload, cut.size + kSegmentTrailer});
    }
}

void WireWriter::wrap_compressed(Bytes& out, std::size_t from) {
    const auto header_size = segment_header_size(compression_);
    const auto around = header_size + kSegmentTrailer;
    WireBuffer wire;
    Byte* const start = wire.take(out.size() - from + cuts_.size() * around);
    Byte* to = start;
    for (const auto& cut : cuts_) {
        const BytesView plain(out.data() + from + cut.at, cut.size);
        Byte* const payload = to + header_size;
        SegmentHeader header{static_cast<std::uint32_t>(cut.size), 0, cut.self_contained};
        std::optional<std::size_t> compressed;
        if (plain.size() >= kWorthCompressing) compressed = compress(compression_, plain, payload, plain.size());
        if (compressed) {
            header.wire_size = static_cast<std::uint32_t>(*compressed);
            header.plain_size = static_cast<std::uint32_t>(cut.size);
        } else {
            std::memcpy(payload, plain.data(), plain.size());
        }
        write_segment_header(to, compression_, header);
        write_segment_trailer({payload, header.wire_size + kSegmentTrailer});
        to = payload + header.wire_size + kSegmentTrailer;
    }
    const auto size = static_cast<std::size_t>(to - start);
    out.resize(from + size);
    std::memcpy(out.data() + from, start, size);
}

}  // namespace penumbra::cql
