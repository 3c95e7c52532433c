#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cql/schema/schema.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// The same write for a cluster that gets it `elapsed` later than the other one did: each TTL, given by USING or by the
/// table's default, becomes what is left of it, so that the cells end at one moment on both. One second where nothing
/// is left: what has expired still stands above older cells, which would come back if it were left out.
///
/// `schema`: for the defaults; may be null. What our grammar does not understand is left as it is. Pure.
Result<OwedStatement> with_ttl_left(OwedStatement statement, Seconds elapsed, const cql::Schema* schema);

}  // namespace penumbra::sync
