#include "cql/protocol/wire_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace penumbra::cql {
namespace {

FrameScan broken_segment(std::string_view why) {
    FrameScan scan;
    scan.verdict = FrameVerdict::broken_segment;
    scan.why = why;
    return scan;
}

FrameScan incomplete(std::size_t needed) {
    FrameScan scan;
    scan.total = needed;
    return scan;
}

}  // namespace

void WireReader::agree(ProtocolVersion version, Compression compression) {
    ASSERT(may_agree(version, compression) && open_.wire_size == 0 && run_.total == 0);
    compression_ = compression;
    segments_ = version == ProtocolVersion::v5;
}

FrameScan WireReader::next(BytesView data, std::size_t& dealt) {
    dealt = 0;
    if (!segments_ && compression_ == Compression::none && to_skip_ == 0) {
        auto scan = next_frame(data, expected_, max_body_);
        if (scan.verdict == FrameVerdict::complete) {
            dealt = scan.total;
            admitted_ = false;
            return scan;
        }
        if (scan.verdict == FrameVerdict::incomplete) {
            if (!admit(scan, scan.total, data.size() >= kHeaderSize)) return pass_over(scan, data, dealt);
            return scan;
        }
    }
    return next_of_any(data, dealt);
}

bool WireReader::admit(FrameScan& scan, std::size_t total, bool header_here) {
    if (total <= kAskedAbove || admitted_ || !admission_ || !header_here) return true;
    admitted_ = admission_->admit(scan.frame.header, total);
    if (!admitted_) scan.verdict = FrameVerdict::not_admitted;
    return admitted_;
}

FrameScan WireReader::next_of_any(BytesView data, std::size_t& dealt) {
    return segments_ ? next_in_segments(data, dealt) : next_frame_of(data, dealt);
}

// ---- v3 and v4, and v5 until it was agreed

FrameScan WireReader::pass_over(FrameScan scan, BytesView data, std::size_t& dealt) {
    dealt = std::min(scan.total, data.size());
    to_skip_ = scan.total - dealt;
    admitted_ = false;
    return scan;
}

FrameScan WireReader::next_frame_of(BytesView data, std::size_t& dealt) {
    buffer_.give_back();
    const auto skipped = std::min(to_skip_, data.size());
    to_skip_ -= skipped;
    data = data.subspan(skipped);
    auto scan = next_frame(data, expected_, max_body_);
    const bool compressed = compression_ != Compression::none && scan.frame.is_compressed();
    switch (scan.verdict) {
        case FrameVerdict::complete:
            dealt = scan.total;
            if (compressed) scan = decompress_frame(scan, data, dealt);
            admitted_ = false;
            break;
        case FrameVerdict::incomplete:
            // Too long once decompressed: not worth waiting for, nor keeping.
            if (compressed && data.size() >= kHeaderSize + kPlainSizeWithin) {
                scan = decompress_frame(scan, data, dealt);
            } else if (!compressed && !admit(scan, scan.total, data.size() >= kHeaderSize)) {
                scan = pass_over(scan, data, dealt);
            }
            break;
        case FrameVerdict::too_long:
            scan = pass_over(scan, data, dealt);
            break;
        case FrameVerdict::unsupported_version:
        case FrameVerdict::wrong_direction:
        case FrameVerdict::not_admitted:
        case FrameVerdict::broken_body:
        case FrameVerdict::broken_segment:
            break;
    }
    dealt += skipped;
    return scan;
}

/// Of a frame that is all there, or as far as there is enough of it to refuse it.
FrameScan WireReader::decompress_frame(FrameScan scan, BytesView data, std::size_t& dealt) {
    const auto& header = scan.frame.header;
    const auto there = data.first(std::min(scan.total, data.size())).subspan(kHeaderSize);
    const auto body = read_compressed_body(compression_, there, header.length);
    if (body && body->plain_size > max_body_) {
        scan.verdict = FrameVerdict::too_long;
        scan.frame.header.length = static_cast<std::uint32_t>(body->plain_size);
        return pass_over(scan, data, dealt);
    }
    const auto plain_total = kHeaderSize + (body ? body->plain_size : 0);
    if (body && !admit(scan, std::max(scan.total, plain_total), true)) return pass_over(scan, data, dealt);
    if (scan.verdict == FrameVerdict::incomplete && body) return scan;
    bool right = body.has_value();
    if (right) {
        Byte* const plain = buffer_.take(kHeaderSize + body->plain_size);
        right = decompress(compression_, body->block, {plain + kHeaderSize, body->plain_size});
    }
    if (!right) {
        scan.verdict = FrameVerdict::broken_body;
        scan.why = "the frame's body does not decompress";
        return pass_over(scan, data, dealt);
    }
    Byte* const plain = buffer_.data();
    scan.frame.header.flags = static_cast<std::uint8_t>(header.flags & ~header_flag::kCompressed);
    scan.frame.header.length = static_cast<std::uint32_t>(body->plain_size);
    std::memcpy(plain, data.data(), kHeaderSize);
    plain[kFlagsAt] = scan.frame.header.flags;
    store_be(plain + kLengthAt, scan.frame.header.length);
    scan.frame.whole = {plain, kHeaderSize + body->plain_size};
    scan.total = scan.frame.whole.size();
    return scan;
}

// ---- v5

bool WireReader::unpack(const SegmentHeader& header, BytesView wire, Byte* to) const {
    if (!header.compressed()) {
        std::memcpy(to, wire.data(), wire.size());
        return true;
    }
    return decompress(compression_, wire, {to, header.plain_size});
}

FrameScan WireReader::next_in_segments(BytesView data, std::size_t& dealt) {
    if (open_.wire_size > 0) return next_in_open_segment(data, dealt);
    if (run_.total == 0) buffer_.give_back();
    const auto header_size = segment_header_size(compression_);
    for (;;) {
        const auto rest = data.subspan(dealt);
        if (rest.size() < header_size) return incomplete(header_size);
        const auto header = read_segment_header(rest.data(), compression_);
        if (!header) return broken_segment("the checksum of a segment's header is wrong");
        if (header->wire_size == 0) return broken_segment("a segment without a payload");
        const auto wire_size = header_size + header->wire_size + kSegmentTrailer;
        if (rest.size() < wire_size) return incomplete(wire_size);
        const auto guarded = rest.subspan(header_size, header->wire_size + kSegmentTrailer);
        if (!segment_trailer_holds(guarded)) return broken_segment("the checksum of a segment's payload is wrong");
        const auto wire = guarded.first(header->wire_size);
        if (header->self_contained) {
            if (run_.total > 0) return broken_segment("an envelope that spans segments ends early");
            open_ = {wire_size, header->compressed() ? header->plain_size : header->wire_size, 0, header->compressed()};
            if (open_.inflated && !unpack(*header, wire, buffer_.take(open_.plain_size))) {
                open_ = {};
                return broken_segment("a segment does not decompress");
            }
            std::size_t more = 0;
            const auto scan = next_in_open_segment(rest, more);
            dealt += more;
            return scan;
        }
        FrameScan scan;
        const bool say = take_piece(*header, wire, scan);
        if (say && scan.verdict != FrameVerdict::complete && scan.verdict != FrameVerdict::too_long &&
            scan.verdict != FrameVerdict::not_admitted)
            return scan;
        dealt += wire_size;
        if (say) return scan;
    }
}

FrameScan WireReader::next_in_open_segment(BytesView data, std::size_t& dealt) {
    ASSERT(data.size() >= open_.wire_size);
    const BytesView payload = open_.inflated ? BytesView(buffer_.data(), open_.plain_size)
                                             : data.subspan(segment_header_size(compression_), open_.plain_size);
    auto scan = next_frame(payload.subspan(open_.shown), expected_, max_body_);
    if (scan.verdict != FrameVerdict::complete && scan.verdict != FrameVerdict::too_long &&
        scan.verdict != FrameVerdict::incomplete) {
        return scan;
    }
    if (scan.total > open_.plain_size - open_.shown) {
        return broken_segment("an envelope ends outside of its self-contained segment");
    }
    open_.shown += scan.total;
    if (open_.shown == open_.plain_size) {
        dealt = open_.wire_size;
        open_ = {};
    }
    return scan;
}

bool WireReader::take_piece(const SegmentHeader& header, BytesView wire, FrameScan& scan) {
    const std::size_t plain_size = header.compressed() ? header.plain_size : header.wire_size;
    if (run_.total == 0) {
        // The first piece has the envelope's header. It is read where it is, or unpacked first.
        BytesView plain = wire;
        WireBuffer unpacked;
        if (header.compressed()) {
            if (!unpack(header, wire, unpacked.take(plain_size))) {
                scan = broken_segment("a segment does not decompress");
                return true;
            }
            plain = {unpacked.data(), plain_size};
        }
        scan = next_frame(plain, expected_, max_body_);
        if (plain_size < kHeaderSize && scan.verdict == FrameVerdict::incomplete) {
            scan = broken_segment("the first piece of an envelope does not hold its header");
            return true;
        }
        if (scan.verdict == FrameVerdict::complete && scan.total == plain_size) {
            // In one piece after all.
            if (header.compressed()) {
                buffer_ = std::move(unpacked);
                scan.frame.whole = {buffer_.data(), plain_size};
            }
            return true;
        }
        if (scan.verdict == FrameVerdict::incomplete) {
            admitted_ = false;
            admit(scan, scan.total, true);
        }
        const bool unwanted = scan.verdict == FrameVerdict::too_long || scan.verdict == FrameVerdict::not_admitted;
        if (scan.verdict != FrameVerdict::incomplete && !unwanted) {
            if (scan.verdict == FrameVerdict::complete) scan = broken_segment("bytes behind the end of an envelope");
            return true;
        }
        if (plain_size > scan.total) {
            scan = broken_segment("bytes behind the end of an envelope");
            return true;
        }
        if (plain_size < scan.total) {
            run_ = {scan.total, plain_size, unwanted};
            if (!unwanted) std::memcpy(buffer_.take(scan.total), plain.data(), plain_size);
        }
        return unwanted;
    }
    if (plain_size > run_.total - run_.have) {
        scan = broken_segment("bytes behind the end of an envelope");
        return true;
    }
    if (!run_.discard && !unpack(header, wire, buffer_.data() + run_.have)) {
        scan = broken_segment("a segment does not decompress");
        return true;
    }
    run_.have += plain_size;
    if (run_.have < run_.total) return false;
    const auto run = std::exchange(run_, {});
    if (run.discard) return false;
    scan = next_frame({buffer_.data(), run.total}, expected_, max_body_);
    ASSERT(scan.verdict == FrameVerdict::complete);
    return true;
}

}  // namespace penumbra::cql
