#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/strong.h"

namespace penumbra::journal {

/// Grows by one with each segment of a stream; 0 is none.
using SegmentId = Strong<std::uint64_t, struct SegmentIdTag>;

// docs/journal.md is the description of everything here.
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::size_t kSegmentHeaderBytes = 64;
constexpr std::size_t kRecordHeaderBytes = 48;
constexpr std::size_t kMaxPayloadBytes = std::size_t{512} << 20;
/// No journal lives to see it; what claims more would run over when counted on.
constexpr std::uint64_t kMaxSequence = std::uint64_t{1} << 62;

struct SegmentHeader {
    std::uint8_t stream = 0;
    SegmentId id;
    std::uint64_t first_sequence = 0;
    std::int64_t created_at = 0;
    SegmentId previous;
    std::uint64_t previous_end = 0;
    bool operator==(const SegmentHeader&) const = default;
};

enum class RecordKind : std::uint8_t {
    entry = 1,
    set_aside = 2,
    retry = 3,
    forget = 4,
    closed = 5,
    retry_one = 6,
    forget_one = 7,
    forget_before = 8,
    lasting_entry = 9
};
constexpr bool is_entry(RecordKind kind) {
    return kind == RecordKind::entry || kind == RecordKind::lasting_entry;
}

struct RecordHeader {
    RecordKind kind = RecordKind::entry;
    std::uint8_t stream = 0;
    std::uint32_t length = 0;
    std::uint32_t payload_crc = 0;
    std::uint64_t sequence = 0;
    std::int64_t appended_at = 0;
    std::uint32_t scope = 0;
    std::uint32_t synced_end = 0;
    bool operator==(const RecordHeader&) const = default;
};

/// A record with its header and what fills it up to a multiple of eight.
constexpr std::size_t record_bytes(std::size_t payload) {
    return (kRecordHeaderBytes + payload + 7) / 8 * 8;
}

void encode(const SegmentHeader& header, MutableBytes out);
/// Errc::corrupt, or Errc::unsupported for a version that is not ours; the text does not name the file.
Result<SegmentHeader> decode_segment_header(BytesView bytes);

/// `offset`: where in the file of segment `id` it stands; part of its checksum.
void encode(const RecordHeader& header, SegmentId id, std::uint64_t offset, MutableBytes out);
/// Null when the header's checksum holds and what it says is possible; otherwise what is wrong.
const char* decode_record_header(BytesView bytes, SegmentId id, std::uint64_t offset, RecordHeader& header);

/// The payload of a set-aside record; of retry_one, forget_one and forget_before too, where it has no reason.
struct SetAsideNote {
    std::uint64_t sequence = 0;
    std::string reason;
};
void encode(const SetAsideNote& note, Bytes& out);
Result<SetAsideNote> decode_set_aside(BytesView payload);

/// A record whose checksums hold; `payload` lies in the bytes that were scanned.
struct Record {
    RecordHeader header;
    std::uint64_t offset = 0;
    BytesView payload;
};

struct Scanned {
    std::uint64_t end = 0;     ///< of the last record
    std::uint64_t synced = 0;  ///< up to where the writer had seen a sync succeed
};
/// Shows every record of a segment's bytes in order and returns where they end. `end` is where they must end; without
/// one, this is the last segment of its stream, which may have a torn tail. Damage is Errc::corrupt and names the
/// offset.
Result<Scanned> scan_segment(BytesView file, const SegmentHeader& header, std::optional<std::uint64_t> end,
                             const std::function<void(const Record&)>& show);

std::string segment_name(SegmentId id);
std::optional<SegmentId> segment_of(std::string_view name);

}  // namespace penumbra::journal
