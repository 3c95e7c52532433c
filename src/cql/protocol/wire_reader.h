#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "cql/protocol/compression.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/segment.h"
#include "cql/protocol/wire_buffer.h"

namespace penumbra::cql {

/// Takes plain envelopes out of what one direction of a connection carries: frames, perhaps compressed (v3, v4), or
/// segments (v5 from the answer to STARTUP on). Lives on the connection's shard.
///
/// The bytes stay where the stream has them. An envelope is a view of them, or of memory that the reader borrows while
/// it is needed: when it was compressed, or longer than a segment. An idle reader holds no memory, a busy one allocates
/// none but for envelopes over a segment's size (and those mostly come from the thread's stock).
class WireReader {
  public:
    /// Says whether there is memory for an envelope that is not all there yet, when its header is. Asked once for each
    /// that is longer than kAskedAbove; shorter ones are what every connection may cost.
    class Admission {
      public:
        /// `total`: the bytes of the envelope, header included, as they arrive or decompressed, whichever is more.
        virtual bool admit(const FrameHeader& header, std::size_t total) = 0;

      protected:
        ~Admission() = default;
    };
    static constexpr std::size_t kAskedAbove = 64 * 1024;

    /// `max_body` is the longest body to accept, decompressed.
    explicit WireReader(Direction expected, std::uint32_t max_body = kMaxBodyLength)
        : expected_(expected), max_body_(max_body) {}
    /// From now on; null, as at first, admits everything. It outlives the reader.
    void ask(Admission* admission) { admission_ = admission; }

    /// What comes next is read by this; may_agree() must hold. Of v3 and v4 the answer to STARTUP may be compressed
    /// already, so the side that asks calls it before it reads that; of v5 that answer is the last plain envelope. The
    /// side that is asked calls it when it has read STARTUP.
    void agree(ProtocolVersion version, Compression compression);

    /// The next envelope at the front of `data`. `dealt` becomes the number of bytes at the front that are done with;
    /// the next call must be given what follows them, whatever the verdict, with more behind it or not. A segment of
    /// several envelopes is done with when the last of them is, so that a caller may stop after any envelope and come
    /// back later.
    ///
    /// The frame is valid until the next call, or until `data` moves. Of `incomplete`, FrameScan::total is the number
    /// of bytes behind the dealt ones that get it any further. An envelope that is `too_long` or `not_admitted` is
    /// passed over as it arrives: nothing of it is kept, in whatever it travels. Nothing can be read after the other
    /// verdicts except `broken_body`.
    FrameScan next(BytesView data, std::size_t& dealt);

    /// Bytes that it has borrowed.
    std::size_t held() const { return buffer_.capacity(); }
    /// Where an envelope that is not all there waits for its rest: in the reader's memory, or with the stream.
    bool keeps_pieces() const { return segments_; }

  private:
    FrameScan next_of_any(BytesView data, std::size_t& dealt);
    FrameScan next_frame_of(BytesView data, std::size_t& dealt);
    FrameScan decompress_frame(FrameScan scan, BytesView data, std::size_t& dealt);
    FrameScan next_in_segments(BytesView data, std::size_t& dealt);
    FrameScan next_in_open_segment(BytesView data, std::size_t& dealt);
    /// Takes one piece of an envelope that spans segments; true when `scan` is what to say.
    bool take_piece(const SegmentHeader& header, BytesView wire, FrameScan& scan);
    bool unpack(const SegmentHeader& header, BytesView wire, Byte* to) const;
    /// False, and `scan` says so, when it is to be passed over. `header_here`: nothing is known without it.
    bool admit(FrameScan& scan, std::size_t total, bool header_here);
    FrameScan pass_over(FrameScan scan, BytesView data, std::size_t& dealt);

    Direction expected_;
    Compression compression_ = Compression::none;
    bool segments_ = false;
    std::uint32_t max_body_;
    Admission* admission_ = nullptr;
    bool admitted_ = false;  ///< the envelope at the front, which is not all there

    /// Bytes of a refused v3 or v4 frame that are still to come.
    std::size_t to_skip_ = 0;

    /// The segment at the front of the data, when its checksum was found right and some of it is still to be shown.
    struct OpenSegment {
        std::size_t wire_size = 0;  ///< header and trailer included; 0: there is none
        std::size_t plain_size = 0;
        std::size_t shown = 0;
        bool inflated = false;  ///< its payload is in buffer_
    };
    OpenSegment open_;

    /// The envelope whose pieces are being put together in buffer_.
    struct Run {
        std::size_t total = 0;  ///< 0: there is none
        std::size_t have = 0;
        bool discard = false;  ///< too long: its pieces are checked and dropped
    };
    Run run_;

    WireBuffer buffer_;
};

}  // namespace penumbra::cql
