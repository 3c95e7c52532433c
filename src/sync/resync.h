#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/report.h"

namespace penumbra::sync {

/// Makes a part of the shadow equal to the primary, deletions included. Report::differences is what was found,
/// Report::repaired what is equal now. Lives on the shard of the pair.
class Resync {
  public:
    Resync(Pair pair, WorkOptions options = {});
    ~Resync();
    Resync(const Resync&) = delete;

    /// The rows of the scope in one partition. `partition_key` is serialized as for the token.
    Task<Result<Report>> partition(std::string keyspace, std::string table, Bytes partition_key, StopSignal& stop);
    /// All rows of the scope in one table.
    Task<Result<Report>> table(std::string keyspace, std::string table, StopSignal& stop);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
