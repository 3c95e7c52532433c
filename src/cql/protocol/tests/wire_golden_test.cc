// Compressed frames and v5 segments as real servers and their recorder sent them (tests/recordings), taken apart and
// put on the wire again.
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cql/protocol/tests/encode_again.h"
#include "cql/protocol/tests/wire_feed.h"

namespace penumbra::cql {
namespace {

struct Recorded {
    std::string server;
    std::string step;
    Direction direction;
    Compression compression;
    Bytes wire;
    std::vector<Bytes> envelopes;  ///< of segments.txt
};

std::vector<Recorded> load(const std::string& file) {
    std::ifstream in(std::string(PENUMBRA_GOLDEN "/") + file);
    EXPECT_TRUE(in.is_open()) << file;
    std::vector<Recorded> all;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        Recorded one;
        std::string direction;
        std::string compression;
        std::string wire;
        std::string envelopes;
        words >> one.server >> one.step >> direction >> compression >> wire >> envelopes;
        one.direction = direction == "request" ? Direction::request : Direction::response;
        one.compression = compression_named(compression).value_or(Compression::none);
        one.wire = from_hex(wire).value();
        std::istringstream parts(envelopes);
        for (std::string hex; std::getline(parts, hex, ',');) one.envelopes.push_back(from_hex(hex).value());
        all.push_back(std::move(one));
    }
    EXPECT_GT(all.size(), 100u) << file;
    return all;
}

WireFeed read(const Recorded& recorded, ProtocolVersion version, BytesView wire) {
    WireFeed feed{WireReader(recorded.direction)};
    feed.reader.agree(version, recorded.compression);
    for (const auto byte : wire) feed.push(Bytes{byte});
    return feed;
}

Bytes write(const std::vector<Bytes>& envelopes, ProtocolVersion version, Compression compression) {
    WireWriter writer;
    writer.agree(version, compression);
    Bytes out;
    for (const auto& one : envelopes) out.insert(out.end(), one.begin(), one.end());
    writer.encode(out, 0);
    return out;
}

/// What was decompressed is a message, as far as what was sent was meant to be one.
void expect_message(const Bytes& envelope, Direction direction) {
    const auto frame = view_frame(envelope, direction);
    ASSERT_TRUE(frame.has_value());
    const auto again = encode_again(frame.value());
    if (direction == Direction::response) {
        ASSERT_TRUE(again.has_value()) << to_string(again.error());
        EXPECT_EQ(to_hex(again.value()), to_hex(envelope));
    } else if (is_request(frame.value().header.opcode) && !again) {
        // The recorder sends what servers refuse, too; reading it stays inside the frame.
        EXPECT_EQ(again.error().code, Errc::malformed);
    }
}

TEST(RecordedFrames, DecompressAndTravelAgain) {
    std::map<std::pair<std::string, Compression>, int> decompressed;
    std::set<std::string> broken;
    for (const auto& recorded : load("compressed.txt")) {
        SCOPED_TRACE(recorded.server + " " + recorded.step);
        const auto version = static_cast<ProtocolVersion>(recorded.wire[0] & 0x7F);
        auto feed = read(recorded, version, recorded.wire);
        if (feed.frames.empty()) {
            ASSERT_EQ(feed.refused.size(), 1u);
            EXPECT_EQ(feed.refused[0].first, FrameVerdict::broken_body);
            EXPECT_EQ(recorded.direction, Direction::request);
            broken.insert(recorded.step);
            continue;
        }
        ASSERT_EQ(feed.frames.size(), 1u);
        const auto& plain = feed.frames[0];
        EXPECT_EQ(plain[kFlagsAt] & header_flag::kCompressed, 0);
        expect_message(plain, recorded.direction);
        if (recorded.wire[kFlagsAt] & header_flag::kCompressed) {
            ++decompressed[{recorded.server, recorded.compression}];
        } else {
            EXPECT_EQ(to_hex(plain), to_hex(recorded.wire));
        }
        const auto wire = write(feed.frames, version, recorded.compression);
        EXPECT_LE(wire.size(), plain.size());
        EXPECT_EQ(read(recorded, version, wire).frames, feed.frames);
    }
    EXPECT_EQ(decompressed.size(), 6u);
    for (const auto& [who, count] : decompressed) EXPECT_GT(count, 10) << who.first;
    // "body that does not decompress", of v3 and v4 and both compressions.
    EXPECT_EQ(broken, (std::set<std::string>{"handshake/022", "handshake/030", "handshake/053", "handshake/061"}));
}

TEST(RecordedSegments, HoldTheirEnvelopesAndTravelAgain) {
    std::map<std::pair<Direction, Compression>, int> counts;
    std::set<std::string> broken;
    for (const auto& recorded : load("segments.txt")) {
        SCOPED_TRACE(recorded.server + " " + recorded.step);
        const auto feed = read(recorded, ProtocolVersion::v5, recorded.wire);
        if (feed.ended) {
            EXPECT_EQ(feed.last.verdict, FrameVerdict::broken_segment);
            broken.insert(recorded.step + " " + std::string(feed.last.why));
            continue;
        }
        EXPECT_EQ(feed.frames, recorded.envelopes);
        for (const auto& envelope : feed.frames) expect_message(envelope, recorded.direction);
        const auto wire = write(recorded.envelopes, ProtocolVersion::v5, recorded.compression);
        EXPECT_EQ(read(recorded, ProtocolVersion::v5, wire).frames, recorded.envelopes);
        // Without compression there is one way to write an envelope; only the recorder cuts short ones in two.
        if (recorded.compression == Compression::none && recorded.direction == Direction::response &&
            recorded.envelopes.size() == 1) {
            EXPECT_EQ(to_hex(wire), to_hex(recorded.wire));
        }
        ++counts[{recorded.direction, recorded.compression}];
    }
    EXPECT_EQ(counts.size(), 4u);
    for (const auto& [what, count] : counts) EXPECT_GT(count, 90);
    EXPECT_EQ(broken, (std::set<std::string>{"v5/129 the checksum of a segment's header is wrong",
                                             "v5/132 the checksum of a segment's payload is wrong"}));
}

}  // namespace
}  // namespace penumbra::cql
