#include "journal/format.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "journal/crc32c.h"

namespace penumbra::journal {
namespace {

using ::testing::HasSubstr;

constexpr SegmentHeader kHeader{.stream = 1,
                                .id = SegmentId(7),
                                .first_sequence = 40,
                                .created_at = 12,
                                .previous = SegmentId(6),
                                .previous_end = 99};

/// A segment's bytes, record by record, as the writer makes them.
class SegmentBytes {
  public:
    SegmentBytes() : bytes_(kSegmentHeaderBytes) { encode(kHeader, bytes_); }

    SegmentBytes& add(std::string_view payload, RecordKind kind = RecordKind::entry) {
        offsets.push_back(bytes_.size());
        RecordHeader header{.kind = kind,
                            .stream = 1,
                            .length = static_cast<std::uint32_t>(payload.size()),
                            .payload_crc = crc32c(bytes_of(payload)),
                            .sequence = next_++,
                            .appended_at = 5,
                            .scope = 3,
                            .synced_end = static_cast<std::uint32_t>(synced_)};
        Bytes record(record_bytes(payload.size()));
        std::ranges::copy(payload, record.begin() + kRecordHeaderBytes);
        encode(header, kHeader.id, bytes_.size(), record);
        bytes_.insert(bytes_.end(), record.begin(), record.end());
        return *this;
    }
    /// What is there now was on disk before what comes next is written.
    SegmentBytes& sync() {
        synced_ = bytes_.size();
        return *this;
    }
    Bytes& bytes() { return bytes_; }

    std::vector<std::size_t> offsets;

  private:
    Bytes bytes_;
    std::uint64_t next_ = 40;
    std::size_t synced_ = 0;
};

struct Found {
    std::vector<std::string> payloads;
    Result<Scanned> end = Scanned();
};
Found scan(BytesView bytes, std::optional<std::uint64_t> end = {}) {
    Found found;
    found.end = scan_segment(bytes, kHeader, end,
                             [&](const Record& record) { found.payloads.emplace_back(text_of(record.payload)); });
    return found;
}
using Payloads = std::vector<std::string>;

TEST(SegmentHeader, ComesBackAndIsChecked) {
    Bytes bytes(kSegmentHeaderBytes);
    encode(kHeader, bytes);
    EXPECT_EQ(decode_segment_header(bytes).value(), kHeader);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto broken = bytes;
        broken[i] ^= 0x10;
        EXPECT_FALSE(decode_segment_header(broken)) << i;
        EXPECT_EQ(decode_segment_header(BytesView(bytes).first(i)).error().what, "the header is cut short");
    }
    auto broken = bytes;
    broken[0] = 'X';
    EXPECT_EQ(decode_segment_header(broken).error().what, "this is not a journal segment");
    broken = bytes;
    broken[20] ^= 1;
    EXPECT_EQ(decode_segment_header(broken).error().what, "the checksum of the header does not hold");
    const auto with = [&](std::size_t at, Byte value) {
        auto changed = bytes;
        changed[at] = value;
        store_be(changed.data() + 60, crc32c(BytesView(changed).first(60)));
        return decode_segment_header(changed).error();
    };
    EXPECT_EQ(with(11, 9).code, Errc::unsupported);
    EXPECT_THAT(with(11, 9).what, HasSubstr("format version 9 is not known to this penumbra, which writes version 1"));
    EXPECT_EQ(with(12, 1).what, "there is no such stream");
    EXPECT_EQ(with(16, 0xff).what, "the header has an impossible id or sequence");
}

TEST(Scan, ShowsRecordsInOrder) {
    SegmentBytes segment;
    segment.add("one").add("").sync().add("three, longer than eight bytes");
    const auto found = scan(segment.bytes());
    EXPECT_EQ(found.payloads, (Payloads{"one", "", "three, longer than eight bytes"}));
    EXPECT_EQ(found.end.value().end, segment.bytes().size());
    EXPECT_EQ(scan(segment.bytes(), segment.offsets[2]).payloads, (Payloads{"one", ""}));
}

TEST(Scan, EveryTruncationOfTheLastSegmentIsATornTail) {
    SegmentBytes segment;
    segment.add("one").add("two").sync().add("three");
    const auto& bytes = segment.bytes();
    for (auto length = kSegmentHeaderBytes; length <= bytes.size(); ++length) {
        const auto found = scan(BytesView(bytes).first(length));
        ASSERT_TRUE(found.end) << length;
        const auto whole = std::ranges::count_if(
            segment.offsets, [&](auto at) { return at + record_bytes(at == segment.offsets[2] ? 5 : 3) <= length; });
        EXPECT_EQ(found.payloads.size(), static_cast<std::size_t>(whole)) << length;
    }
}

TEST(Scan, EveryTruncationOfAnOlderSegmentIsDamage) {
    SegmentBytes segment;
    segment.add("one").add("two");
    const auto& bytes = segment.bytes();
    for (auto length = kSegmentHeaderBytes; length < bytes.size(); ++length) {
        const auto found = scan(BytesView(bytes).first(length), bytes.size());
        ASSERT_FALSE(found.end) << length;
        EXPECT_EQ(found.end.error().code, Errc::corrupt);
    }
    EXPECT_EQ(scan(BytesView(bytes).first(100), bytes.size()).end.error().what,
              "damaged at offset 100 (the file should have 176 bytes)");
}

TEST(Scan, NoFlippedBitGetsThrough) {
    SegmentBytes segment;
    segment.add("first").sync().add("second").sync().add("third");
    const Payloads all{"first", "second", "third"};
    for (auto at = kSegmentHeaderBytes; at < segment.bytes().size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            auto bytes = segment.bytes();
            bytes[at] = static_cast<Byte>(bytes[at] ^ (1 << bit));
            const auto found = scan(bytes);
            const bool behind_a_sync = at < segment.offsets[2];
            // What fills up to eight bytes means nothing and is not in a sum.
            if (found.payloads == all) continue;
            EXPECT_EQ(found.end.has_value(), !behind_a_sync) << at;
            ASSERT_LE(found.payloads.size(), 2u);
            for (std::size_t i = 0; i < found.payloads.size(); ++i) EXPECT_EQ(found.payloads[i], all[i]);
        }
    }
}

TEST(Scan, ALaterRecordOfTheSameWriteProvesNothing) {
    SegmentBytes segment;
    segment.add("synced").sync().add("lost page").add("page that made it");
    segment.bytes()[segment.offsets[1] + 50] ^= 1;
    const auto found = scan(segment.bytes());
    ASSERT_TRUE(found.end);
    EXPECT_EQ(found.end.value().end, segment.offsets[1]);
    EXPECT_EQ(found.payloads, Payloads{"synced"});
}

TEST(Scan, ALaterRecordAfterASyncShowsDamage) {
    SegmentBytes segment;
    segment.add("synced").add("synced too").sync().add("witness");
    segment.bytes()[segment.offsets[1] + 50] ^= 1;
    EXPECT_EQ(scan(segment.bytes()).end.error().what,
              fmt::format("damaged at offset {} (the checksum of the payload does not hold)", segment.offsets[1]));
}

TEST(Scan, ClosingVouchesForTheLastCommit) {
    SegmentBytes segment;
    segment.add("last").sync().add("", RecordKind::closed);
    segment.bytes()[segment.offsets[0] + 8] ^= 1;
    EXPECT_EQ(scan(segment.bytes()).end.error().what,
              "damaged at offset 64 (the checksum of the record header does not hold)");
}

TEST(Scan, ZerosBehindTheEndAreATornTail) {
    SegmentBytes segment;
    segment.add("one");
    const auto end = segment.bytes().size();
    segment.bytes().resize(end + 4096);
    EXPECT_EQ(scan(segment.bytes()).end.value().end, end);
}

TEST(Scan, ARecordElsewhereIsNotOne) {
    SegmentBytes segment;
    segment.add("one!").add("two!");
    // The same block at another offset, and in another segment: its sum holds in neither.
    auto moved = segment.bytes();
    std::copy_n(segment.bytes().begin() + static_cast<std::ptrdiff_t>(segment.offsets[0]), 56,
                moved.begin() + static_cast<std::ptrdiff_t>(segment.offsets[1]));
    EXPECT_EQ(scan(moved).payloads, Payloads{"one!"});
    moved = segment.bytes();
    std::copy_n(segment.bytes().begin() + static_cast<std::ptrdiff_t>(segment.offsets[1]), 56,
                moved.begin() + static_cast<std::ptrdiff_t>(segment.offsets[0]));
    EXPECT_EQ(scan(moved).payloads, Payloads{});
    auto other = kHeader;
    other.id = SegmentId(8);
    int shown = 0;
    ASSERT_TRUE(scan_segment(segment.bytes(), other, {}, [&](const Record&) { ++shown; }));
    EXPECT_EQ(shown, 0);
}

TEST(Scan, SaysWhatIsWrong) {
    // Records whose sums hold, and which cannot be all the same.
    const auto wrong_with = [](auto change) {
        SegmentBytes segment;
        segment.add("one").add("two");
        RecordHeader header;
        const auto at = segment.offsets[1];
        const MutableBytes record = MutableBytes(segment.bytes()).subspan(at);
        EXPECT_EQ(decode_record_header(record, kHeader.id, at, header), nullptr);
        change(header);
        encode(header, kHeader.id, at, record);
        return scan(segment.bytes(), segment.bytes().size()).end.error().what;
    };
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.stream = 0; }),
              "damaged at offset 120 (the record belongs to another stream)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.length = 100; }), "damaged at offset 120 (the payload is cut short)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.length = 2; }),
              "damaged at offset 120 (the checksum of the payload does not hold)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.length = 0xffffffff; }),
              "damaged at offset 120 (the record is longer than any can be)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.sequence = 40; }),
              "damaged at offset 120 (the record is out of order)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.sequence = 39; }),
              "damaged at offset 120 (the record is out of order)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.sequence = ~0ull; }),
              "damaged at offset 120 (the record has an impossible sequence)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.kind = RecordKind(10); }),
              "damaged at offset 120 (the record is of a kind that this version does not know)");
    EXPECT_EQ(wrong_with([](RecordHeader& h) { h.synced_end = 128; }),
              "damaged at offset 120 (the record vouches for what comes after it)");
}

TEST(SetAsideNote, ComesBack) {
    Bytes bytes;
    encode(SetAsideNote{77, "unconfigured table"}, bytes);
    EXPECT_EQ(decode_set_aside(bytes).value().sequence, 77u);
    EXPECT_EQ(decode_set_aside(bytes).value().reason, "unconfigured table");
    EXPECT_FALSE(decode_set_aside(BytesView(bytes).first(7)));
}

TEST(SegmentName, IsItsId) {
    EXPECT_EQ(segment_name(SegmentId(42)), "00000000000000000042.segment");
    EXPECT_EQ(segment_of("00000000000000000042.segment"), SegmentId(42));
    for (const auto* name : {"", "42.segment", "00000000000000000000.segment", "0000000000000000004x.segment",
                             "00000000000000000042.segment.new", "99999999999999999999.segment"}) {
        EXPECT_EQ(segment_of(name), std::nullopt) << name;
    }
}

}  // namespace
}  // namespace penumbra::journal
