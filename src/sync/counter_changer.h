#pragma once

#include <vector>

#include "sync/row_writes.h"
#include "sync/work.h"

namespace penumbra::sync {

/// Adds to the shadow's counters of one row, once. A ScyllaDB gets a counter shard, which may be sent until it is
/// there; a Cassandra, and a ScyllaDB that refuses that, an increment, which is not sent again once it may have been
/// counted. All three outlive the task.
Task<Status> add_to_counters(Work* work, ShapePtr shape, const RowKey* key, const std::vector<CounterChange>* changes);

}  // namespace penumbra::sync
