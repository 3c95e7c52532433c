#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// The frame with the cluster's prepared ids (`ids`, in the order of OwedStatement::prepared) in place of ours. An id
/// that the statement has no text for is Errc::malformed.
Result<Bytes> translate_frame(const OwedStatement& statement, const std::vector<Bytes>& ids);

/// Ok for any answer but ERROR, which is Errc::server with its code.
Status answer_of(BytesView reply);

}  // namespace penumbra::sync
