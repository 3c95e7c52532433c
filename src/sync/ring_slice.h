#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/strong.h"
#include "cql/types/token.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// One of the even pieces that the ring is cut into where it has to be said in little room which part of a table
/// differs.
///
/// As many as the room allows. All of a table's dirty slices are on disk as orders of some 120 bytes, and more than
/// half of them are replaced by one for the whole table: at most 60 KiB a table and scope, so that the least room there
/// ever is (512 KiB, docs/journal.md) is enough for eight tables that are dirty all over. A quarter as many would be
/// full after 180 partitions anywhere in the table instead of 700, and reading one slice would cost four times as much.
using RingSlice = Strong<std::uint16_t, struct RingSliceTag>;
inline constexpr std::size_t kRingSlices = 1024;

/// Of a partition's token.
RingSlice slice_of(cql::Token token);
TokenRange range_of(RingSlice slice);
/// The slice that is exactly this range, if there is one: a journal may be of a version that cut otherwise.
std::optional<RingSlice> slice_at(const TokenRange& range);

}  // namespace penumbra::sync
