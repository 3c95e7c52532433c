// What the codec costs for one request of the hot path: finding a frame, reading an EXECUTE, writing the edition of it
// that a cluster gets, looking at an answer.

#include <array>

#include <benchmark/benchmark.h>

#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "cql/types/scalars.h"

namespace penumbra::cql {
namespace {

constexpr std::size_t kFrames = 32;  // as many as one read brings when clients are busy

RequestHead head_of(ProtocolVersion version) {
    RequestHead head;
    head.version = version;
    return head;
}

/// A prepared INSERT of a uuid, a bigint and a blob, with a timestamp.
Bytes execute_frame(ProtocolVersion version, std::size_t value_size = 100) {
    const Bytes id(16, 1), tenant(16, 2), value(value_size, 3);
    const auto row = encode_bigint(7);
    const std::array<CellView, 3> values{CellView(tenant), CellView(row), CellView(value)};
    Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1;
    Bytes frame;
    encode_execute(frame, head_of(version), id, id, parameters);
    return frame;
}

Bytes rows_frame(std::size_t value_size = 100) {
    RowsBuilder rows("bench", "rows");
    rows.add_column("value", scalar(TypeKind::blob));
    const Bytes value(value_size, 3);
    rows.add(CellView(value));
    Bytes frame;
    encode_rows(frame, {}, rows.view(true));
    return frame;
}

Bytes times(const Bytes& frame, std::size_t count) {
    Bytes all;
    for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), frame.begin(), frame.end());
    return all;
}

void executing(benchmark::State& state) {
    const auto frame = execute_frame(ProtocolVersion::v4);
    const auto view = view_frame(frame, Direction::request).value();
    for (auto _ : state) benchmark::DoNotOptimize(decode_execute(view));
}
BENCHMARK(executing);

/// The edition for a cluster: another id, our timestamp, another stream.
void editing(benchmark::State& state) {
    const auto frame = execute_frame(ProtocolVersion::v4);
    const auto view = view_frame(frame, Direction::request).value();
    const Bytes id(16, 9);
    FrameEdit edit;
    Bytes out;
    for (auto _ : state) {
        const auto decoded = decode_execute(view).value();
        edit.reset(view);
        edit.replace_id(decoded, id);
        edit.set_timestamp(decoded.parameters, 42);
        out.clear();
        edit.append_to(out);
        benchmark::DoNotOptimize(out.data());
    }
}
BENCHMARK(editing);

void peeking_at_rows(benchmark::State& state) {
    const auto frame = rows_frame();
    const auto view = view_frame(frame, Direction::response).value();
    for (auto _ : state) benchmark::DoNotOptimize(peek_rows(view));
}
BENCHMARK(peeking_at_rows);

/// One read's worth of envelopes through reader and, written again, through the writer. Per envelope.
void wire(benchmark::State& state, ProtocolVersion version, Compression compression) {
    const auto plain = times(execute_frame(version, static_cast<std::size_t>(state.range(0))), kFrames);
    WireReader reader(Direction::request);
    WireWriter writer;
    reader.agree(version, compression);
    writer.agree(version, compression);
    Bytes out;
    for (auto _ : state) {
        out = plain;
        writer.encode(out, 0);
        std::size_t at = 0;
        std::size_t frames = 0;
        for (;;) {
            std::size_t dealt = 0;
            const auto scan = reader.next(BytesView(out).subspan(at), dealt);
            at += dealt;
            if (scan.verdict != FrameVerdict::complete) break;
            ++frames;
        }
        if (frames != kFrames) state.SkipWithError("an envelope was lost");
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kFrames));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * plain.size()));
}
BENCHMARK_CAPTURE(wire, v4, ProtocolVersion::v4, Compression::none)->Arg(100)->Arg(4096);
BENCHMARK_CAPTURE(wire, v4_lz4, ProtocolVersion::v4, Compression::lz4)->Arg(100)->Arg(4096);
BENCHMARK_CAPTURE(wire, v5, ProtocolVersion::v5, Compression::none)->Arg(100)->Arg(4096);
BENCHMARK_CAPTURE(wire, v5_lz4, ProtocolVersion::v5, Compression::lz4)->Arg(100)->Arg(4096);

}  // namespace
}  // namespace penumbra::cql
