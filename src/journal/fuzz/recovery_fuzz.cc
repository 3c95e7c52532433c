// Any bytes as the files of a stream: recovery ends without a crash, and offers no record whose checksum does not hold.
//
// A sum that holds is out of a mutation's reach. The first byte therefore says which sums are made right before
// recovery sees the bytes, so that it also meets records that are whole and nonsense. The second byte cuts the input
// into two segments.

#include <cstdlib>
#include <cstring>
#include <set>

#include "base/assert.h"
#include "journal/chain.h"
#include "journal/crc32c.h"
#include "journal/tests/memory_file_system.h"

namespace penumbra::journal {
namespace {

constexpr const char* kDirectory = "/stream-1";

struct Mend {
    bool segment_header, record_headers, payloads, places;
};

Bytes mended(BytesView input, SegmentId id, Mend mend) {
    Bytes bytes(input.begin(), input.end());
    if (bytes.size() < kSegmentHeaderBytes) return bytes;
    if (mend.segment_header) {
        std::ranges::copy(bytes_of("PENUMBRJ"), bytes.begin());
        store_be(bytes.data() + 8, kFormatVersion);
        store_be(bytes.data() + 12, std::uint32_t{1});
        store_be(bytes.data() + 16, id.value());
        bytes[24] = bytes[40] = 0;  // sequences as they occur
        store_be(bytes.data() + 60, crc32c(BytesView(bytes).first(60)));
    }
    for (std::size_t at = kSegmentHeaderBytes; mend.record_headers && at + kRecordHeaderBytes <= bytes.size();) {
        Byte* const record = bytes.data() + at;
        auto length = load_be<std::uint32_t>(record + 8);
        if (mend.places) {
            std::memcpy(record, "PREC", 4);
            record[4] = static_cast<Byte>(1 + record[4] % 5);
            record[5] = 1;
            length %= 64;
            store_be(record + 8, length);
            record[16] = 0;
            store_be(record + 36, std::min(load_be<std::uint32_t>(record + 36), static_cast<std::uint32_t>(at)));
        }
        if (mend.payloads && at + kRecordHeaderBytes + length <= bytes.size()) {
            store_be(record + 12, crc32c(BytesView(bytes).subspan(at + kRecordHeaderBytes, length)));
        }
        std::array<Byte, 16> place;
        store_be(place.data(), id.value());
        store_be(place.data() + 8, std::uint64_t{at});
        store_be(record + 44, crc32c(BytesView(bytes).subspan(at, 44), crc32c(place)));
        if (length > bytes.size()) break;
        at += record_bytes(length);
    }
    return bytes;
}

void check_sum(const MemoryFileSystem& disk, const Index::Place& place) {
    const auto file = disk.contents(place.path.native());
    const BytesView bytes(file);
    ASSERT(place.offset + kRecordHeaderBytes + place.length <= bytes.size());
    const auto header = bytes.subspan(place.offset, kRecordHeaderBytes);
    std::array<Byte, 16> where;
    store_be(where.data(), place.segment.value());
    store_be(where.data() + 8, std::uint64_t{place.offset});
    ASSERT(load_be<std::uint32_t>(header.data() + 44) == crc32c_by_table(header.first(44), crc32c_by_table(where)));
    ASSERT(load_be<std::uint32_t>(header.data() + 8) == place.length);
    ASSERT(load_be<std::uint64_t>(header.data() + 16) == place.info.id.value());
    ASSERT(load_be<std::uint32_t>(header.data() + 12) ==
           crc32c_by_table(bytes.subspan(place.offset + kRecordHeaderBytes, place.length)));
}

void recover(BytesView input) {
    if (input.size() < 2) return;
    const auto flags = input[0];
    const auto cut = std::min<std::size_t>(std::size_t{input[1]} * 8, input.size() - 2);
    const Mend mend{(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, (flags & 8) != 0};
    input = input.subspan(2);
    MemoryFileSystem disk;
    disk.add_directory(kDirectory);
    const auto put = [&](std::uint64_t id, BytesView bytes) {
        disk.set_contents(std::string(kDirectory) + "/" + segment_name(SegmentId(id)),
                          mended(bytes, SegmentId(id), mend));
    };
    put(3, cut == 0 ? input : input.first(cut));
    if (cut != 0) put(4, input.subspan(cut));

    const ManualClock clock;
    Index index;
    Chain chain(disk, clock, index, kDirectory, 1,
                {.segment_bytes = 4096, .idle_bytes = 1024, .idle_age = Seconds(10)});
    std::uint64_t next_sequence = 1;
    const auto recovered = chain.recover(next_sequence);
    if (!recovered) {
        ASSERT(!recovered.error().what.empty());
        return;
    }
    std::set<std::uint64_t> ids;
    const auto see = [&](const EntryInfo& entry) {
        ASSERT(ids.insert(entry.id.value()).second);
        ASSERT(entry.id.value() < next_sequence);
        check_sum(disk, *index.place(entry.id));
    };
    for (const auto& entry : index.owed(1, 100'000, {})) see(entry);
    for (const auto& aside : index.set_aside_entries({}, 100'000)) see(aside.entry);
    const auto total = index.owed_total(0);
    ASSERT(total.entries == ids.size());
    // And it can go on: settle everything, append a segment, delete what may go.
    for (const auto id : ids) index.settle(EntryId(id));
    ASSERT(index.owed_total(0).entries == 0);
    chain.clean_up(next_sequence, {.small = true});
    ASSERT(chain.writable(100, next_sequence).has_value());
}

}  // namespace
}  // namespace penumbra::journal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Warnings about torn tails would be most of the work.
    static const bool quiet = [] {
        penumbra::Log::set_level(penumbra::LogLevel::error);
        return true;
    }();
    (void)quiet;
    penumbra::journal::recover({data, size});
    return 0;
}
