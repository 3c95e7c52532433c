// A WireReader over any bytes in any pieces, and a WireWriter's output through a WireReader of the same codec: what
// goes in comes out, whatever the pieces, and a reader that stops between envelopes and comes back reads the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "cql/protocol/tests/wire_feed.h"

namespace penumbra::cql {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

struct Codec {
    ProtocolVersion version;
    Compression compression;
};
constexpr Codec kCodecs[] = {
    {ProtocolVersion::v4, Compression::none},   {ProtocolVersion::v4, Compression::lz4},
    {ProtocolVersion::v4, Compression::snappy}, {ProtocolVersion::v5, Compression::none},
    {ProtocolVersion::v5, Compression::lz4},
};

/// Numbers made of the input: sizes of pieces, and when to stop.
class Choices {
  public:
    explicit Choices(BytesView bytes) : bytes_(bytes) {}
    std::size_t next(std::size_t below) {
        if (bytes_.empty()) return state_++ % below;
        state_ = state_ * 31 + bytes_[at_++ % bytes_.size()];
        return state_ % below;
    }

  private:
    BytesView bytes_;
    std::size_t at_ = 0;
    std::size_t state_ = 1;
};

struct Outcome {
    std::vector<Bytes> frames;
    std::size_t refused;
    FrameVerdict last;
    bool operator==(const Outcome&) const = default;
};

Outcome read(const Codec& codec, BytesView wire, std::uint32_t max_body, Choices* choices) {
    WireFeed feed{WireReader(Direction::request, max_body)};
    feed.reader.agree(codec.version, codec.compression);
    if (choices) {
        feed.go_on = [choices] { return choices->next(4) != 0; };
        for (std::size_t at = 0; at < wire.size() && !feed.ended;) {
            // Single bytes of what is short; of what is long not so many pieces that copying them is all we do.
            const auto size = std::min(wire.size() - at, choices->next(2 + wire.size() / (1 + choices->next(24))));
            feed.push(wire.subspan(at, size));
            at += size;
        }
        feed.go_on = [] { return true; };
        if (!feed.ended) feed.push({});
    } else {
        feed.push(wire);
    }
    for (const auto& frame : feed.frames) {
        require(frame.size() >= kHeaderSize && frame.size() <= kHeaderSize + max_body);
        require(frame.size() == kHeaderSize + load_be<std::uint32_t>(frame.data() + kLengthAt));
    }
    return {std::move(feed.frames), feed.refused.size(), feed.last.verdict};
}

/// Headers and checksums put right, so that what is behind them is reached.
Bytes in_segments(Compression compression, BytesView bytes) {
    Bytes out;
    while (bytes.size() >= 6) {
        const auto said = static_cast<std::uint32_t>(bytes[0] | bytes[1] << 8);
        const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(said % 700, bytes.size() - 6));
        const auto plain = compression == Compression::none ? 0u : static_cast<std::uint32_t>(bytes[2] | bytes[3] << 8);
        const SegmentHeader header{size, bytes[4] & 2 ? plain : 0, (bytes[4] & 1) != 0};
        const auto at = out.size();
        const auto header_size = segment_header_size(compression);
        out.resize(at + header_size + size + kSegmentTrailer);
        write_segment_header(out.data() + at, compression, header);
        require(read_segment_header(out.data() + at, compression) ==
                SegmentHeader{size, compression == Compression::none ? 0 : header.plain_size, header.self_contained});
        std::copy_n(bytes.begin() + 6, size, out.begin() + static_cast<std::ptrdiff_t>(at + header_size));
        write_segment_trailer(MutableBytes(out).subspan(at + header_size));
        bytes = bytes.subspan(6 + size);
    }
    return out;
}

void round_trip(const Codec& codec, Choices choices, BytesView bytes) {
    std::vector<Bytes> envelopes;
    WireWriter writer;
    writer.agree(codec.version, codec.compression);
    Bytes wire;
    std::size_t turn = 0;
    for (std::size_t i = 0, count = 1 + choices.next(6); i < count; ++i) {
        auto size = choices.next(48) == 0 ? choices.next(300'000) : choices.next(2'000);
        Bytes one;
        FrameBuilder frame(one, Direction::request, codec.version, 0, static_cast<std::int16_t>(i), Opcode::query);
        for (; size > 0 && !bytes.empty();) {
            const auto part = std::min(size, bytes.size());
            frame.body().raw(bytes.first(part));
            size -= part;
        }
        frame.close();
        wire.insert(wire.end(), one.begin(), one.end());
        envelopes.push_back(std::move(one));
        if (choices.next(3) == 0) {
            writer.encode(wire, turn);
            turn = wire.size();
        }
    }
    writer.encode(wire, turn);
    const auto outcome = read(codec, wire, kMaxBodyLength, &choices);
    require(outcome.frames == envelopes && outcome.refused == 0);
}

}  // namespace
}  // namespace penumbra::cql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penumbra;
    using namespace penumbra::cql;
    if (size < 4) return 0;
    const auto& codec = kCodecs[data[0] % std::size(kCodecs)];
    const std::uint32_t max_body = data[1] & 1 ? 200 : 100'000;
    const BytesView rest(data + 2, size - 2);
    const auto check = [&](BytesView wire) {
        Choices choices(rest);
        const auto whole = read(codec, wire, max_body, nullptr);
        const auto pieces = read(codec, wire, max_body, &choices);
        require(whole.frames == pieces.frames && whole.refused == pieces.refused);
    };
    check(rest);
    if (codec.version == ProtocolVersion::v5) check(in_segments(codec.compression, rest));
    if (data[1] & 2) round_trip(codec, Choices(rest), rest);
    return 0;
}
