#include "cql/protocol/response_peeks.h"

#include <fmt/format.h>

#include "cql/protocol/responses_internal.h"

namespace penumbra::cql {

using namespace responses;

Result<ResultKind> peek_result_kind(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    TRY(const auto code, body.in.i32());
    if (code < static_cast<std::int32_t>(ResultKind::void_) ||
        code > static_cast<std::int32_t>(ResultKind::schema_change)) {
        return fail(Errc::malformed, fmt::format("no kind of result has code {}", code));
    }
    return static_cast<ResultKind>(code);
}

Result<ErrorCode> peek_error_code(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::error));
    TRY(const auto code, body.in.i32());
    return static_cast<ErrorCode>(code);
}

bool is_unprepared(const FrameView& frame) {
    if (frame.header.opcode != Opcode::error) return false;
    const auto code = peek_error_code(frame);
    return code && code.value() == ErrorCode::unprepared;
}

Result<RowsPeek> peek_rows(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    auto& in = body.in;
    TRY(const auto kind, in.i32());
    if (kind != static_cast<std::int32_t>(ResultKind::rows))
        return fail(Errc::malformed, "a result without rows where rows are due");
    RowsPeek peek;
    peek.flags_at = at(in);
    TRY(peek.flags, in.u32());
    TRY(peek.column_count, read_count(in, "columns"));
    peek.paging_state_at = at(in);
    if (peek.has_more_pages()) {
        TRY(peek.paging_state, read_bytes(in));
    }
    peek.new_metadata_id_at = at(in);
    if (frame.version() == ProtocolVersion::v5 && (peek.flags & metadata_flag::kChanged)) {
        TRY(peek.new_metadata_id, read_short_bytes(in));
    }
    return peek;
}

std::uint32_t peek_rows_flags(const FrameView& frame) {
    if (frame.header.opcode != Opcode::result) return 0;
    std::size_t at = kHeaderSize;
    constexpr auto any = header_flag::kTracing | header_flag::kWarning | header_flag::kCustomPayload;
    if (frame.header.has(any)) {
        const auto prefix = read_response_prefix(frame);
        if (!prefix) return 0;
        at += prefix.value().size;
    }
    if (frame.is_compressed() || frame.whole.size() < at + 8) return 0;
    if (load_be<std::int32_t>(frame.whole.data() + at) != static_cast<std::int32_t>(ResultKind::rows)) return 0;
    return load_be<std::uint32_t>(frame.whole.data() + at + 4);
}

Result<PreparedPeek> peek_prepared(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    TRY(const auto kind, body.in.i32());
    if (kind != static_cast<std::int32_t>(ResultKind::prepared)) {
        return fail(Errc::malformed, "a result of another kind where a prepared one is due");
    }
    PreparedPeek peek;
    peek.id_at = at(body.in);
    TRY(peek.id, read_short_bytes(body.in));
    peek.result_metadata_id_at = at(body.in);
    if (frame.version() == ProtocolVersion::v5) {
        TRY(peek.result_metadata_id, read_short_bytes(body.in));
    }
    return peek;
}

}  // namespace penumbra::cql
