// The steps of the hot path that are pure code, each run so often that bench/count can tell what one costs in
// instructions. Time says little on a shared machine; these counts are the same on every one.

#include <array>
#include <cstdio>
#include <string_view>

#include "cql/language/parser.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/wire_reader.h"
#include "cql/types/scalars.h"
#include "cql/types/token.h"

namespace penumbra::bench {

constexpr int kTimes = 1000;  // bench/count divides by it

/// A prepared INSERT of a uuid, a bigint and 100 bytes, as a driver sends it.
Bytes execute_frame() {
    const Bytes id(16, 1), tenant(16, 0x82), value(100, 3);
    const auto row = cql::encode_bigint(7);
    const std::array<cql::CellView, 3> values{cql::CellView(tenant), cql::CellView(row), cql::CellView(value)};
    cql::Parameters parameters;
    parameters.values = values;
    Bytes frame;
    cql::encode_execute(frame, {}, id, {}, parameters);
    return frame;
}

Bytes rows_frame() {
    cql::RowsBuilder rows("bench", "rows");
    rows.add_column("value", cql::scalar(cql::TypeKind::blob));
    const Bytes value(100, 3);
    rows.add(cql::CellView(value));
    Bytes frame;
    cql::encode_rows(frame, {}, rows.view(true));
    return frame;
}

std::uint64_t sum = 0;  // what keeps a compiler from leaving the work out

struct Decoded {
    cql::RequestPrefix prefix;
    cql::ExecutedView executed;
    cql::ParametersView parameters;
};

[[gnu::noinline]] void counted_next_frame(BytesView data) {
    cql::WireReader reader(cql::Direction::request);
    for (int i = 0; i < kTimes; ++i) {
        std::size_t dealt = 0;
        sum += reader.next(data, dealt).total;
    }
}

[[gnu::noinline]] void counted_decode_execute(const cql::FrameView& frame, Decoded& decoded) {
    for (int i = 0; i < kTimes; ++i) {
        sum += cql::decode_execute(frame, decoded.prefix, decoded.executed, decoded.parameters).has_value();
    }
}

[[gnu::noinline]] void counted_forward_read(const cql::FrameView& frame, const Decoded& decoded, BytesView id) {
    Bytes out;
    for (int i = 0; i < kTimes; ++i) {
        out.clear();
        cql::append_execute(out, frame, decoded.executed, decoded.parameters, static_cast<std::int16_t>(i), id, {});
        sum += out.size();
    }
}

[[gnu::noinline]] void counted_forward_write(const cql::FrameView& frame, const Decoded& decoded, BytesView id) {
    Bytes out;
    for (int i = 0; i < kTimes; ++i) {
        out.clear();
        cql::append_execute(out, frame, decoded.executed, decoded.parameters, static_cast<std::int16_t>(i), id, i);
        sum += out.size();
    }
}

[[gnu::noinline]] void counted_edit_write(const cql::FrameView& frame, const Decoded& decoded, BytesView id) {
    cql::FrameEdit edit;
    Bytes out;
    for (int i = 0; i < kTimes; ++i) {
        out.clear();
        edit.reset(frame);
        edit.set_stream(static_cast<std::int16_t>(i));
        edit.add_timestamp(decoded.parameters, i);
        edit.replace_id(decoded.executed, id);
        edit.append_to(out);
        sum += out.size();
    }
}

[[gnu::noinline]] void counted_token(BytesView key) {
    for (int i = 0; i < kTimes; ++i) sum += static_cast<std::uint64_t>(cql::murmur3_token(key).value());
}

[[gnu::noinline]] void counted_peek_rows(const cql::FrameView& frame) {
    for (int i = 0; i < kTimes; ++i) sum += cql::peek_rows_flags(frame);
}

[[gnu::noinline]] void counted_parse_insert() {
    constexpr std::string_view text =
        "INSERT INTO media.tracks (system_domain_id, album_id, track_no, title, artist, duration_ms, tags, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?";
    for (int i = 0; i < kTimes; ++i) sum += static_cast<std::uint64_t>(cql::parse(text).kind);
}

[[gnu::noinline]] void counted_parse_select() {
    constexpr std::string_view text =
        "SELECT album_id, track_no, title, artist, duration_ms FROM media.tracks WHERE system_domain_id = ? AND "
        "album_id = ? AND track_no > ? LIMIT 100";
    for (int i = 0; i < kTimes; ++i) sum += static_cast<std::uint64_t>(cql::parse(text).kind);
}

int run() {
    const auto request = execute_frame();
    const auto answer = rows_frame();
    const auto frame = cql::view_frame(request, cql::Direction::request).value();
    const Bytes id(16, 9);
    Decoded decoded;
    counted_next_frame(request);
    counted_decode_execute(frame, decoded);
    counted_forward_read(frame, decoded, id);
    counted_forward_write(frame, decoded, id);
    counted_edit_write(frame, decoded, id);
    counted_token(Bytes(30, 0x91));
    counted_peek_rows(cql::view_frame(answer, cql::Direction::response).value());
    counted_parse_insert();
    counted_parse_select();
    std::printf("%d times each\n", kTimes);
    return sum == 0;
}

}  // namespace penumbra::bench

int main() {
    return penumbra::bench::run();
}
