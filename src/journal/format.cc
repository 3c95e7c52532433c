#include "journal/format.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/assert.h"
#include "journal/crc32c.h"

namespace penumbra::journal {

namespace {

constexpr std::string_view kSegmentMagic = "PENUMBRJ";
constexpr std::uint32_t kRecordMagic = 0x50524543;  // "PREC"
constexpr std::string_view kSuffix = ".segment";
constexpr std::size_t kNameDigits = 20;

std::uint32_t record_header_crc(SegmentId id, std::uint64_t offset, BytesView header) {
    std::array<Byte, 16> place;
    store_be(place.data(), id.value());
    store_be(place.data() + 8, offset);
    return crc32c(header.first(kRecordHeaderBytes - 4), crc32c(place));
}

/// What is wrong with the record at `offset`, or null. A pure look: nothing is believed before its checksum.
const char* check_record(BytesView file, const SegmentHeader& segment, std::uint64_t offset,
                         std::uint64_t last_sequence, Record& record) {
    const auto rest = file.subspan(offset);
    if (rest.size() < kRecordHeaderBytes) return "the record is cut short";
    if (const char* wrong = decode_record_header(rest, segment.id, offset, record.header)) return wrong;
    if (record.header.stream != segment.stream) return "the record belongs to another stream";
    if (record_bytes(record.header.length) > rest.size()) return "the payload is cut short";
    if (record.header.sequence < segment.first_sequence || record.header.sequence <= last_sequence) {
        return "the record is out of order";
    }
    record.offset = offset;
    record.payload = rest.subspan(kRecordHeaderBytes, record.header.length);
    if (crc32c(record.payload) != record.header.payload_crc) return "the checksum of the payload does not hold";
    return nullptr;
}

/// Whether a later record shows that the bytes at `broken` were on disk once. Records start at multiples of eight.
bool was_synced(BytesView file, const SegmentHeader& segment, std::uint64_t broken) {
    RecordHeader header;
    for (auto at = broken + 8; at + kRecordHeaderBytes <= file.size(); at += 8) {
        if (load_be<std::uint32_t>(file.data() + at) != kRecordMagic) continue;
        if (decode_record_header(file.subspan(at), segment.id, at, header) == nullptr && header.synced_end > broken)
            return true;
    }
    return false;
}

}  // namespace

void encode(const SegmentHeader& header, MutableBytes out) {
    ASSERT(out.size() >= kSegmentHeaderBytes);
    std::ranges::fill(out.first(kSegmentHeaderBytes), Byte{0});
    std::ranges::copy(kSegmentMagic, out.begin());
    store_be(out.data() + 8, kFormatVersion);
    store_be(out.data() + 12, std::uint32_t{header.stream});
    store_be(out.data() + 16, header.id.value());
    store_be(out.data() + 24, header.first_sequence);
    store_be(out.data() + 32, header.created_at);
    store_be(out.data() + 40, header.previous.value());
    store_be(out.data() + 48, header.previous_end);
    store_be(out.data() + 60, crc32c(out.first(kSegmentHeaderBytes - 4)));
}

Result<SegmentHeader> decode_segment_header(BytesView bytes) {
    if (bytes.size() < kSegmentHeaderBytes) return fail(Errc::corrupt, "the header is cut short");
    if (!std::ranges::equal(bytes.first(kSegmentMagic.size()), bytes_of(kSegmentMagic))) {
        return fail(Errc::corrupt, "this is not a journal segment");
    }
    if (load_be<std::uint32_t>(bytes.data() + 60) != crc32c(bytes.first(kSegmentHeaderBytes - 4))) {
        return fail(Errc::corrupt, "the checksum of the header does not hold");
    }
    if (const auto version = load_be<std::uint32_t>(bytes.data() + 8); version != kFormatVersion) {
        return fail(Errc::unsupported,
                    fmt::format("format version {} is not known to this penumbra, which writes version {}; "
                                "start the version that wrote it and let it empty its journal first",
                                version, kFormatVersion));
    }
    const auto stream = load_be<std::uint32_t>(bytes.data() + 12);
    if (stream > 0xff) return fail(Errc::corrupt, "there is no such stream");
    if (load_be<std::uint64_t>(bytes.data() + 16) > kMaxSequence ||
        load_be<std::uint64_t>(bytes.data() + 24) > kMaxSequence) {
        return fail(Errc::corrupt, "the header has an impossible id or sequence");
    }
    return SegmentHeader{.stream = static_cast<std::uint8_t>(stream),
                         .id = SegmentId(load_be<std::uint64_t>(bytes.data() + 16)),
                         .first_sequence = load_be<std::uint64_t>(bytes.data() + 24),
                         .created_at = load_be<std::int64_t>(bytes.data() + 32),
                         .previous = SegmentId(load_be<std::uint64_t>(bytes.data() + 40)),
                         .previous_end = load_be<std::uint64_t>(bytes.data() + 48)};
}

void encode(const RecordHeader& header, SegmentId id, std::uint64_t offset, MutableBytes out) {
    ASSERT(out.size() >= kRecordHeaderBytes);
    Byte* const at = out.data();
    store_be(at, kRecordMagic);
    at[4] = static_cast<Byte>(header.kind);
    at[5] = header.stream;
    store_be(at + 6, std::uint16_t{0});
    store_be(at + 8, header.length);
    store_be(at + 12, header.payload_crc);
    store_be(at + 16, header.sequence);
    store_be(at + 24, header.appended_at);
    store_be(at + 32, header.scope);
    store_be(at + 36, header.synced_end);
    store_be(at + 40, std::uint32_t{0});
    store_be(at + 44, record_header_crc(id, offset, out));
}

const char* decode_record_header(BytesView bytes, SegmentId id, std::uint64_t offset, RecordHeader& header) {
    const Byte* const at = bytes.data();
    if (load_be<std::uint32_t>(at) != kRecordMagic) return "no record begins here";
    if (load_be<std::uint32_t>(at + 44) != record_header_crc(id, offset, bytes)) {
        return "the checksum of the record header does not hold";
    }
    if (at[4] < static_cast<Byte>(RecordKind::entry) || at[4] > static_cast<Byte>(RecordKind::lasting_entry)) {
        return "the record is of a kind that this version does not know";
    }
    header.kind = static_cast<RecordKind>(at[4]);
    header.stream = at[5];
    header.length = load_be<std::uint32_t>(at + 8);
    header.payload_crc = load_be<std::uint32_t>(at + 12);
    header.sequence = load_be<std::uint64_t>(at + 16);
    header.appended_at = load_be<std::int64_t>(at + 24);
    header.scope = load_be<std::uint32_t>(at + 32);
    header.synced_end = load_be<std::uint32_t>(at + 36);
    if (header.length > kMaxPayloadBytes) return "the record is longer than any can be";
    if (header.sequence > kMaxSequence) return "the record has an impossible sequence";
    if (header.synced_end > offset) return "the record vouches for what comes after it";
    return nullptr;
}

void encode(const SetAsideNote& note, Bytes& out) {
    Writer writer(out);
    writer.u64(note.sequence);
    writer.raw(note.reason);
}

Result<SetAsideNote> decode_set_aside(BytesView payload) {
    Reader reader(payload);
    TRY(auto sequence, reader.u64());
    return SetAsideNote{sequence, std::string(text_of(reader.rest()))};
}

Result<Scanned> scan_segment(BytesView file, const SegmentHeader& header, std::optional<std::uint64_t> end,
                             const std::function<void(const Record&)>& show) {
    if (end && (*end > file.size() || *end < kSegmentHeaderBytes)) {
        return fail(Errc::corrupt,
                    fmt::format("damaged at offset {} (the file should have {} bytes)", file.size(), *end));
    }
    const auto bytes = end ? file.first(*end) : file;
    Scanned scanned{.end = kSegmentHeaderBytes, .synced = kSegmentHeaderBytes};
    auto& offset = scanned.end;
    std::uint64_t last_sequence = 0;
    while (offset < bytes.size()) {
        Record record;
        if (const char* wrong = check_record(bytes, header, offset, last_sequence, record)) {
            if (end || was_synced(bytes, header, offset)) {
                return fail(Errc::corrupt, fmt::format("damaged at offset {} ({})", offset, wrong));
            }
            break;
        }
        show(record);
        last_sequence = record.header.sequence;
        scanned.synced = std::max<std::uint64_t>(scanned.synced, record.header.synced_end);
        offset += record_bytes(record.header.length);
    }
    return scanned;
}

std::string segment_name(SegmentId id) {
    return fmt::format("{:0{}}{}", id.value(), kNameDigits, kSuffix);
}

std::optional<SegmentId> segment_of(std::string_view name) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
    std::uint64_t id = 0;
    const char* const end = name.data() + kNameDigits;
    const auto [stop, error] = std::from_chars(name.data(), end, id);
    if (error != std::errc() || stop != end || id == 0) return std::nullopt;
    return SegmentId(id);
}

}  // namespace penumbra::journal
