#pragma once

#include <cstdint>
#include <optional>

#include "cql/protocol/responses.h"

/// What the hot path asks of a response: no allocation, no look at more than is asked for.
namespace penumbra::cql {

Result<ResultKind> peek_result_kind(const FrameView& frame);
Result<ErrorCode> peek_error_code(const FrameView& frame);
/// An ERROR frame with code UNPREPARED.
bool is_unprepared(const FrameView& frame);

struct RowsPeek {
    std::uint32_t flags = 0;
    std::int32_t column_count = 0;
    std::optional<CellView> paging_state;
    std::uint32_t flags_at = 0;
    std::uint32_t paging_state_at = 0;              ///< its length; where it would be
    std::optional<BytesView> new_metadata_id = {};  ///< v5: the columns are not those that the client knows
    std::uint32_t new_metadata_id_at = 0;
    bool has_more_pages() const { return (flags & metadata_flag::kMorePages) != 0; }
};
/// Of a RESULT of kind rows.
Result<RowsPeek> peek_rows(const FrameView& frame);
/// The flags (metadata_flag) alone; 0 for any other frame, and for one too short to have them.
std::uint32_t peek_rows_flags(const FrameView& frame);

struct PreparedPeek {
    BytesView id;
    std::uint32_t id_at = 0;
    std::optional<BytesView> result_metadata_id = {};  ///< v5
    std::uint32_t result_metadata_id_at = 0;
};
Result<PreparedPeek> peek_prepared(const FrameView& frame);

}  // namespace penumbra::cql
