#pragma once

#include "sync/equalizer.h"
#include "sync/row_stream.h"
#include "sync/work.h"

namespace penumbra::sync {

/// Walks the rows of both clusters side by side, by token, partition key and clustering order, and hands those that
/// differ to the equalizer, some dozens at a time. Holds one page of each.
Task<Status> compare_streams(Work* work, Equalizer* equalizer, ShapePtr shape, RowStream primary, RowStream shadow,
                             DiffLimits tolerance, Pace* pace, ProgressMeter* meter);

}  // namespace penumbra::sync
