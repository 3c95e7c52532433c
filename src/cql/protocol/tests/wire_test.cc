// Envelopes on the wire: every codec there is, in pieces of every kind, and everything that can be wrong with them.
#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "cql/protocol/checksum.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/tests/allocations.h"
#include "cql/protocol/tests/wire_feed.h"

namespace penumbra::cql {
namespace {

struct Codec {
    ProtocolVersion version;
    Compression compression;
};

constexpr Codec kCodecs[] = {
    {ProtocolVersion::v3, Compression::none},   {ProtocolVersion::v3, Compression::lz4},
    {ProtocolVersion::v3, Compression::snappy}, {ProtocolVersion::v4, Compression::none},
    {ProtocolVersion::v4, Compression::lz4},    {ProtocolVersion::v4, Compression::snappy},
    {ProtocolVersion::v5, Compression::none},   {ProtocolVersion::v5, Compression::lz4},
};

Bytes envelope(ProtocolVersion version, std::int16_t stream, BytesView body) {
    Bytes out;
    FrameBuilder frame(out, Direction::request, version, 0, stream, Opcode::query);
    frame.body().raw(body);
    frame.close();
    return out;
}

/// Half words, half noise, so that it becomes smaller but not small; every eighth is noise alone.
Bytes some_body(std::mt19937& random, std::size_t size) {
    Bytes body(size);
    const bool noise = random() % 8 == 0;
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<Byte>(noise || i / 32 % 2 ? random() : i % 32);
    return body;
}

Bytes encoded(const Codec& codec, const std::vector<Bytes>& envelopes) {
    WireWriter writer;
    writer.agree(codec.version, codec.compression);
    Bytes out{1, 2, 3};  // what an earlier turn left in the buffer
    for (const auto& one : envelopes) out.insert(out.end(), one.begin(), one.end());
    writer.encode(out, 3);
    EXPECT_EQ(to_hex(BytesView(out).first(3)), "010203");
    out.erase(out.begin(), out.begin() + 3);
    return out;
}

WireFeed feed_of(const Codec& codec, std::uint32_t max_body = kMaxBodyLength) {
    WireFeed feed{WireReader(Direction::request, max_body)};
    feed.reader.agree(codec.version, codec.compression);
    return feed;
}

class Wire : public testing::TestWithParam<Codec> {};

TEST_P(Wire, CarriesEnvelopesOfEverySizeInPiecesOfEverySize) {
    std::mt19937 random(1);
    for (int turn = 0; turn < 30; ++turn) {
        std::vector<Bytes> envelopes;
        const auto count = 1 + random() % 12;
        for (unsigned i = 0; i < count; ++i) {
            const std::size_t sizes[] = {
                0,       1,      kWorthCompressing - 1, kWorthCompressing, 500, 20'000, 131'061, 131'062, 131'063,
                131'100, 300'000};
            const auto size = sizes[random() % (i % 4 == 0 ? std::size(sizes) : 6)];
            envelopes.push_back(envelope(GetParam().version, static_cast<std::int16_t>(i), some_body(random, size)));
        }
        const auto wire = encoded(GetParam(), envelopes);
        auto feed = feed_of(GetParam());
        const bool stops = turn % 3 == 2;
        if (stops) {
            feed.go_on = [&random] { return random() % 3 != 0; };
        }
        const std::size_t largest = turn % 5 == 0 ? 400'000 : turn % 5 == 1 ? 3'000 : 40'000;
        for (std::size_t at = 0; at < wire.size();) {
            const auto size = std::min(wire.size() - at, 1 + random() % largest);
            feed.push(BytesView(wire).subspan(at, size));
            at += size;
        }
        feed.go_on = [] { return true; };
        EXPECT_EQ(feed.push({}), 0u);
        EXPECT_EQ(feed.frames, envelopes);
        EXPECT_TRUE(feed.refused.empty());
    }
}

TEST_P(Wire, ArrivesByteByByteAndSaysHowMuchIsMissing) {
    std::mt19937 random(2);
    std::vector<Bytes> envelopes;
    for (const std::size_t size : {0, 10, 300, 900}) {
        envelopes.push_back(envelope(GetParam().version, 5, some_body(random, size)));
    }
    Bytes wire;
    for (const auto& one : envelopes) {  // a turn each
        const auto turn = encoded(GetParam(), {one});
        wire.insert(wire.end(), turn.begin(), turn.end());
    }
    auto feed = feed_of(GetParam());
    for (std::size_t i = 0; i < wire.size(); ++i) {
        const Bytes byte{wire[i]};
        const auto left = feed.push(byte);
        if (left > 0) {
            ASSERT_EQ(feed.last.verdict, FrameVerdict::incomplete);
            ASSERT_GT(feed.last.total, left);
            ASSERT_LE(feed.last.total - left, wire.size() - i - 1);
        }
    }
    EXPECT_EQ(feed.frames, envelopes);
}

TEST_P(Wire, EnvelopesOverTheLimitArePassedOverAndSaidOnce) {
    const std::uint32_t limit = 1'000;
    for (const std::size_t size : {1'001, 20'000, 131'062, 131'063, 500'000}) {
        for (const std::size_t piece : {1, 7, 1'000, 100'000, 1'000'000}) {
            if (piece < 1'000 && size > 20'000) continue;
            std::mt19937 random(3);
            const auto before = envelope(GetParam().version, 1, some_body(random, 1'000));
            const auto long_one = envelope(GetParam().version, 77, some_body(random, size));
            const auto behind = envelope(GetParam().version, 3, some_body(random, 999));
            const auto wire = encoded(GetParam(), {before, long_one, behind, before});
            auto feed = feed_of(GetParam(), limit);
            for (std::size_t at = 0; at < wire.size(); at += piece) {
                const auto left = feed.push(BytesView(wire).subspan(at, std::min(piece, wire.size() - at)));
                if (GetParam().version != ProtocolVersion::v5) {
                    EXPECT_LT(left, 1'200u);  // nothing of it is kept
                }
            }
            EXPECT_EQ(feed.frames, (std::vector<Bytes>{before, behind, before})) << size << ' ' << piece;
            ASSERT_EQ(feed.refused.size(), 1u);
            EXPECT_EQ(feed.refused[0].first, FrameVerdict::too_long);
            EXPECT_EQ(feed.refused[0].second.stream, 77);
            EXPECT_EQ(feed.refused[0].second.opcode, Opcode::query);
            EXPECT_GT(feed.refused[0].second.length, limit);
        }
    }
}

struct Doorkeeper final : WireReader::Admission {
    bool admit(const FrameHeader& header, std::size_t total) override {
        asked.emplace_back(header.stream, total);
        return total <= most;
    }
    std::size_t most = 0;
    std::vector<std::pair<std::int16_t, std::size_t>> asked;
};

TEST_P(Wire, ALongEnvelopeIsAskedForOnceAndPassedOverWhenNotAdmitted) {
    std::mt19937 random(5);
    const auto small = envelope(GetParam().version, 1, some_body(random, 60'000));
    const auto allowed = envelope(GetParam().version, 2, some_body(random, 200'000));
    const auto refused = envelope(GetParam().version, 3, some_body(random, 500'000));
    const auto wire = encoded(GetParam(), {small, refused, allowed, refused, small, allowed});
    for (const std::size_t piece : {1'000, 10'000}) {
        Doorkeeper door;
        door.most = 300'000;
        auto feed = feed_of(GetParam());
        feed.reader.ask(&door);
        for (std::size_t at = 0; at < wire.size(); at += piece)
            feed.push(BytesView(wire).subspan(at, std::min(piece, wire.size() - at)));
        EXPECT_EQ(feed.frames, (std::vector<Bytes>{small, allowed, small, allowed})) << piece;
        ASSERT_EQ(feed.refused.size(), 2u);
        for (const auto& [verdict, header] : feed.refused) {
            EXPECT_EQ(verdict, FrameVerdict::not_admitted);
            EXPECT_EQ(header.stream, 3);
        }
        const std::vector<std::pair<std::int16_t, std::size_t>> expected{
            {3, 500'009}, {2, 200'009}, {3, 500'009}, {2, 200'009}};
        EXPECT_EQ(door.asked, expected) << piece;
    }
}

TEST_P(Wire, ABitFlippedOrBytesLostNeverLeaveTheBuffer) {
    std::mt19937 random(4);
    for (int turn = 0; turn < 400; ++turn) {
        std::vector<Bytes> envelopes;
        for (unsigned i = 0; i < 1 + random() % 4; ++i) {
            envelopes.push_back(envelope(GetParam().version, 9, some_body(random, random() % 2'000)));
        }
        auto wire = encoded(GetParam(), envelopes);
        const bool flip = turn % 2;
        if (flip) {
            wire[random() % wire.size()] ^= static_cast<Byte>(1u << random() % 8);
        } else {
            const auto at = random() % wire.size();
            const auto size = std::min<std::size_t>(1 + random() % 20, wire.size() - at);
            wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(at),
                       wire.begin() + static_cast<std::ptrdiff_t>(at + size));
        }
        auto feed = feed_of(GetParam(), 100'000);
        for (std::size_t at = 0; at < wire.size(); at += 500) {
            feed.push(BytesView(wire).subspan(at, std::min<std::size_t>(500, wire.size() - at)));
        }
        if (GetParam().version == ProtocolVersion::v5) {
            // The checksums see it: every envelope that came through is one that was sent.
            for (const auto& frame : feed.frames) EXPECT_NE(std::ranges::find(envelopes, frame), envelopes.end());
            if (flip) {
                EXPECT_LT(feed.frames.size(), envelopes.size());
            }
        }
    }
}

TEST_P(Wire, ABusyConnectionAllocatesNothing) {
    if (GetParam().compression == Compression::snappy) GTEST_SKIP() << "the library takes memory for each call";
    std::mt19937 random(5);
    Bytes plain;
    for (const std::size_t size : {50, 800, 3'000, 60'000, 131'000, 400'000}) {
        const auto one = envelope(GetParam().version, 1, some_body(random, size));
        plain.insert(plain.end(), one.begin(), one.end());
    }
    WireWriter writer;
    writer.agree(GetParam().version, GetParam().compression);
    WireReader reader(Direction::request);
    reader.agree(GetParam().version, GetParam().compression);
    Bytes out;
    std::size_t frames = 0;
    const auto turn = [&] {
        out.assign(plain.begin(), plain.end());
        writer.encode(out, 0);
        std::size_t at = 0;
        for (;;) {
            std::size_t dealt = 0;
            const auto scan = reader.next(BytesView(out).subspan(at), dealt);
            at += dealt;
            if (scan.verdict != FrameVerdict::complete) break;
            ++frames;
        }
    };
    turn();
    out.reserve(out.capacity() * 2);
    turn();
    const auto before = allocations_so_far();
    for (int i = 0; i < 5; ++i) turn();
    EXPECT_EQ(allocations_so_far(), before);
    EXPECT_EQ(frames, 7u * 6);
}

INSTANTIATE_TEST_SUITE_P(Codecs, Wire, testing::ValuesIn(kCodecs), [](const auto& test) {
    return std::string(to_string(test.param.version)) + "_" + std::string(to_string(test.param.compression));
});

// ---- v3 and v4

Bytes frame_with(std::uint8_t flags, const std::string& body_hex) {
    Bytes out;
    FrameBuilder frame(out, Direction::request, ProtocolVersion::v4, flags, 7, Opcode::options);
    frame.body().raw(from_hex(body_hex).value());
    frame.close();
    return out;
}

TEST(CompressedFrames, EmptyBodiesAsServersSendThem) {
    for (const auto& [compression, body] :
         {std::pair(Compression::lz4, "0000000000"), std::pair(Compression::snappy, "00")}) {
        auto feed = feed_of({ProtocolVersion::v4, compression});
        feed.push(frame_with(header_flag::kCompressed, body));
        ASSERT_EQ(feed.frames.size(), 1u);
        EXPECT_EQ(to_hex(feed.frames[0]), "040000070500000000");
    }
}

TEST(CompressedFrames, WhatDoesNotDecompressIsSaidAndPassedOver) {
    const std::pair<Compression, const char*> broken[] = {
        {Compression::lz4, ""},                        // no length
        {Compression::lz4, "ffffff"},                  // half a length
        {Compression::lz4, "00000000"},                // no block
        {Compression::lz4, "0000000100"},              // shorter than it says
        {Compression::lz4, "000000001061"},            // longer than it says
        {Compression::lz4, "000000021061"},            //
        {Compression::lz4, "7fffffff1061"},            // longer than any block of this size becomes
        {Compression::lz4, "0000000a1061ffff000000"},  // refers to what is not there
        {Compression::snappy, ""},
        {Compression::snappy, "ffffff"},
        {Compression::snappy, "ffffffffff7f"},
        {Compression::snappy, "05"},
        {Compression::snappy, "020061"},
    };
    for (const auto& [compression, body] : broken) {
        SCOPED_TRACE(std::string(to_string(compression)) + " " + body);
        auto feed = feed_of({ProtocolVersion::v4, compression});
        feed.push(frame_with(header_flag::kCompressed, body));
        feed.push(frame_with(0, ""));
        ASSERT_EQ(feed.refused.size(), 1u);
        EXPECT_EQ(feed.refused[0].first, FrameVerdict::broken_body);
        EXPECT_EQ(feed.refused[0].second.stream, 7);
        EXPECT_EQ(feed.frames.size(), 1u);
    }
}

TEST(CompressedFrames, DecompressedSizeCountsAndIsRefusedBeforeTheBodyIsThere) {
    Bytes zeros(1'000'000);
    const Codec codec{ProtocolVersion::v4, Compression::lz4};
    const auto wire = encoded(codec, {envelope(codec.version, 3, zeros)});
    ASSERT_LT(wire.size(), 5'000u);
    auto feed = feed_of(codec, 999'999);
    EXPECT_EQ(feed.push(BytesView(wire).first(kHeaderSize + kPlainSizeWithin)), 0u);
    ASSERT_EQ(feed.refused.size(), 1u);
    EXPECT_EQ(feed.refused[0].second.length, 1'000'000u);
    EXPECT_EQ(feed.push(BytesView(wire).subspan(kHeaderSize + kPlainSizeWithin)), 0u);
    EXPECT_EQ(feed.refused.size(), 1u);
    auto enough = feed_of(codec, 1'000'000);
    enough.push(wire);
    EXPECT_EQ(enough.frames.size(), 1u);
}

TEST(CompressedFrames, WithoutAnAgreementAreLeftToTheCaller) {
    WireFeed feed{WireReader(Direction::request)};
    const auto wire = frame_with(header_flag::kCompressed, "ffffff");
    feed.push(wire);
    ASSERT_EQ(feed.frames.size(), 1u);
    EXPECT_EQ(feed.frames[0], wire);
}

// ---- v5

Bytes segment(Compression compression, const SegmentHeader& header, BytesView payload) {
    Bytes out(segment_header_size(compression));
    write_segment_header(out.data(), compression, header);
    const auto at = out.size();
    out.insert(out.end(), payload.begin(), payload.end());
    out.resize(out.size() + kSegmentTrailer);
    write_segment_trailer(MutableBytes(out).subspan(at));
    return out;
}

Bytes raw_segment(bool self_contained, BytesView payload) {
    return segment(Compression::none, {static_cast<std::uint32_t>(payload.size()), 0, self_contained}, payload);
}

constexpr Codec kV5{ProtocolVersion::v5, Compression::none};
constexpr Codec kV5Lz4{ProtocolVersion::v5, Compression::lz4};

TEST(Checksums, AreThoseOfTheServer) {
    // A segment that Cassandra 5.0 sent, and its LZ4 twin.
    EXPECT_EQ(segment_crc24(from_hex("090002").value()), 0xc1c8a4u);
    EXPECT_EQ(segment_crc24(from_hex("0900000004").value()), 0x95b8c2u);
    EXPECT_EQ(segment_crc32(from_hex("050000010500000000").value()), 0x867455b5u);
}

TEST(Checksums, AgreeWithTheOneByteAtATimeKind) {
    Bytes bytes(1'000);
    std::mt19937 random(6);
    for (auto& byte : bytes) byte = static_cast<Byte>(random());
    for (std::size_t size = 0; size < bytes.size(); size += size < 70 ? 1 : 97) {
        std::uint32_t crc = 0xFFFFFFFF;
        const auto feed = [&crc](Byte byte) {
            crc ^= byte;
            for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0);
        };
        for (const Byte byte : {0xFA, 0x2D, 0x55, 0xCA}) feed(byte);
        for (std::size_t i = 0; i < size; ++i) feed(bytes[i]);
        EXPECT_EQ(segment_crc32(BytesView(bytes).first(size)), ~crc) << size;
    }
}

TEST(Segments, WhatIsWrongHasAName) {
    const auto whole = envelope(ProtocolVersion::v5, 1, Bytes(40));
    const BytesView view(whole);
    const auto both = [](Bytes a, const Bytes& b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    };
    auto bad_header = raw_segment(true, whole);
    bad_header[0] ^= 1;
    auto bad_crc = raw_segment(true, whole);
    bad_crc[5] ^= 1;
    auto bad_payload = raw_segment(true, whole);
    bad_payload[20] ^= 1;
    auto bad_trailer = raw_segment(true, whole);
    bad_trailer.back() ^= 1;
    const auto first = raw_segment(false, view.first(20));
    const auto too_much = both(whole, {0});
    struct Case {
        Bytes wire;
        const char* why;
    };
    const Case cases[] = {
        {bad_header, "the checksum of a segment's header is wrong"},
        {bad_crc, "the checksum of a segment's header is wrong"},
        {bad_payload, "the checksum of a segment's payload is wrong"},
        {bad_trailer, "the checksum of a segment's payload is wrong"},
        {raw_segment(true, {}), "a segment without a payload"},
        {raw_segment(false, {}), "a segment without a payload"},
        {raw_segment(true, view.first(48)), "an envelope ends outside of its self-contained segment"},
        {raw_segment(true, view.first(8)), "an envelope ends outside of its self-contained segment"},
        {raw_segment(false, view.first(8)), "the first piece of an envelope does not hold its header"},
        {raw_segment(false, too_much), "bytes behind the end of an envelope"},
        {both(first, raw_segment(false, too_much)), "bytes behind the end of an envelope"},
        {both(first, raw_segment(true, whole)), "an envelope that spans segments ends early"},
    };
    for (const auto& wrong : cases) {
        auto feed = feed_of(kV5);
        feed.push(wrong.wire);
        EXPECT_TRUE(feed.ended);
        EXPECT_EQ(feed.last.verdict, FrameVerdict::broken_segment);
        EXPECT_EQ(feed.last.why, wrong.why);
        EXPECT_EQ(frame_error(feed.last), (Error{Errc::malformed, wrong.why}));
        EXPECT_TRUE(feed.frames.empty());
    }
}

TEST(Segments, OfLz4AreWhatTheySayOrBroken) {
    const auto whole = envelope(ProtocolVersion::v5, 1, Bytes(400));
    Bytes block(compress_bound(Compression::lz4, whole.size()));
    const auto size = compress(Compression::lz4, whole, block.data(), block.size());
    ASSERT_TRUE(size.has_value());
    block.resize(*size);
    const auto wire_size = static_cast<std::uint32_t>(block.size());
    const auto plain_size = static_cast<std::uint32_t>(whole.size());
    for (const std::uint32_t said : {plain_size - 1, plain_size + 1, 1u, 131'071u}) {
        for (const bool self_contained : {true, false}) {
            auto feed = feed_of(kV5Lz4);
            feed.push(segment(Compression::lz4, {wire_size, said, self_contained}, block));
            EXPECT_EQ(feed.last.why, "a segment does not decompress") << said;
        }
    }
    for (const bool self_contained : {true, false}) {
        auto feed = feed_of(kV5Lz4);
        feed.push(segment(Compression::lz4, {wire_size, plain_size, self_contained}, block));
        // Uncompressed where compression was agreed: the second length is 0.
        feed.push(segment(Compression::lz4, {plain_size, 0, self_contained}, whole));
        EXPECT_EQ(feed.frames, (std::vector<Bytes>{whole, whole}));
        feed.push(segment(Compression::lz4, {0, plain_size, self_contained}, {}));
        EXPECT_EQ(feed.last.why, "a segment without a payload");
    }
}

TEST(Segments, ARunMayMixCompressedAndUncompressedPieces) {
    std::mt19937 random(7);
    const auto whole = envelope(ProtocolVersion::v5, 1, some_body(random, 5'000));
    for (int turn = 0; turn < 50; ++turn) {
        auto feed = feed_of(kV5Lz4);
        for (std::size_t at = 0; at < whole.size();) {
            const auto size = std::min<std::size_t>(whole.size() - at, 9 + random() % 2'000);
            const auto piece = BytesView(whole).subspan(at, size);
            at += size;
            const auto plain_size = static_cast<std::uint32_t>(size);
            Bytes block(compress_bound(Compression::lz4, size));
            const auto compressed = random() % 2 ? compress(Compression::lz4, piece, block.data(), size) : std::nullopt;
            if (compressed) {
                block.resize(*compressed);
                feed.push(
                    segment(Compression::lz4, {static_cast<std::uint32_t>(*compressed), plain_size, false}, block));
            } else {
                feed.push(segment(Compression::lz4, {plain_size, 0, false}, piece));
            }
        }
        EXPECT_EQ(feed.frames, std::vector<Bytes>{whole});
    }
}

TEST(Segments, ATurnsEnvelopesShareThem) {
    std::vector<Bytes> many(300, envelope(ProtocolVersion::v5, 1, Bytes(91)));
    EXPECT_EQ(encoded(kV5, many).size(), 300u * 100 + 6 + 4);
    many.resize(1'311, many[0]);  // 131100 bytes: one too many for one segment
    const auto two = encoded(kV5, many);
    EXPECT_EQ(two.size(), 131'100u + 2 * 10);
    EXPECT_EQ(read_segment_header(two.data(), Compression::none), (SegmentHeader{131'000, 0, true}));
    // Around a long one, those that are short stay together.
    const auto long_one = envelope(ProtocolVersion::v5, 2, Bytes(200'000));
    const auto mixed = encoded(kV5, {many[0], many[0], long_one, many[0]});
    EXPECT_EQ(read_segment_header(mixed.data(), Compression::none), (SegmentHeader{200, 0, true}));
    EXPECT_EQ(read_segment_header(mixed.data() + 210, Compression::none), (SegmentHeader{131'071, 0, false}));
    EXPECT_EQ(read_segment_header(mixed.data() + 210 + 131'081, Compression::none),
              (SegmentHeader{200'009 - 131'071, 0, false}));
    EXPECT_EQ(mixed.size(), 300u + 200'009 + 4 * 10);
}

TEST(Segments, WhatIsPlainIsSeenWhereItWasReceived) {
    const auto whole = envelope(ProtocolVersion::v5, 1, Bytes(4'000));
    const auto wire = encoded(kV5, {whole, whole});
    WireReader reader(Direction::request);
    reader.agree(kV5.version, kV5.compression);
    std::size_t dealt = 0;
    const auto first = reader.next(wire, dealt);
    EXPECT_EQ(dealt, 0u);
    EXPECT_EQ(first.frame.whole.data(), wire.data() + 6);
    const auto second = reader.next(wire, dealt);
    EXPECT_EQ(dealt, wire.size());
    EXPECT_EQ(second.frame.whole.data(), wire.data() + 6 + whole.size());
}

TEST(Segments, BeginWhenTheyWereAgreedUpon) {
    Bytes stream;
    encode_startup(stream, {ProtocolVersion::v5}, {{"CQL_VERSION", "3.0.0"}});
    const auto startup = stream;
    const auto query = envelope(ProtocolVersion::v5, 1, Bytes(10));
    const auto in_segments = encoded(kV5, {query});
    stream.insert(stream.end(), in_segments.begin(), in_segments.end());
    WireReader reader(Direction::request);
    std::size_t at = 0;
    std::size_t dealt = 0;
    EXPECT_TRUE(equal(reader.next(stream, dealt).frame.whole, startup));
    at += dealt;
    reader.agree(ProtocolVersion::v5, Compression::none);
    EXPECT_TRUE(equal(reader.next(BytesView(stream).subspan(at), dealt).frame.whole, query));
    EXPECT_EQ(at + dealt, stream.size());
}

TEST(Segments, OtherDirectionsAndVersionsInsideAreSeen) {
    auto whole = envelope(ProtocolVersion::v5, 1, Bytes(10));
    whole[0] = 0x85;
    auto feed = feed_of(kV5);
    feed.push(raw_segment(true, whole));
    EXPECT_EQ(feed.last.verdict, FrameVerdict::wrong_direction);
    whole[0] = 0x07;
    for (const bool self_contained : {true, false}) {
        auto other = feed_of(kV5);
        other.push(raw_segment(self_contained, whole));
        EXPECT_EQ(other.last.verdict, FrameVerdict::unsupported_version);
    }
}

TEST(CompressionNames, AreTakenInAnyCase) {
    EXPECT_EQ(compression_named("LZ4"), Compression::lz4);
    EXPECT_EQ(compression_named("lz4"), Compression::lz4);
    EXPECT_EQ(compression_named("Snappy"), Compression::snappy);
    EXPECT_FALSE(compression_named("none").has_value());
    EXPECT_FALSE(compression_named("zstd").has_value());
    EXPECT_FALSE(compression_named("").has_value());
    EXPECT_FALSE(may_agree(ProtocolVersion::v5, Compression::snappy));
    EXPECT_TRUE(may_agree(ProtocolVersion::v4, Compression::snappy));
}

}  // namespace
}  // namespace penumbra::cql
