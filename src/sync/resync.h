#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "cql/protocol/version.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/report.h"
#include "sync/table_shape.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// Both clusters' schemas, seen at one time.
struct Schemas {
    cql::SchemaPtr from, to;
    static Task<Result<Schemas>> as_of(cluster::Session* from, cluster::Session* to, SteadyTime when, Deadline by);
    /// Whether a table is defined here as it is there. Both may lack it.
    bool same_table(const Schemas& other, const std::string& keyspace, const std::string& table) const;
    /// Neither cluster has it.
    bool lack(const std::string& keyspace, const std::string& table) const;
};

/// Makes a part of the shadow equal to the primary, deletions included. Report::differences is what was found,
/// Report::repaired what is equal now. Lives on the shard of the pair.
class Resync {
  public:
    Resync(Pair pair, WorkOptions options = {});
    ~Resync();
    Resync(const Resync&) = delete;

    /// The table as a resync needs it: with all columns that the primary has. Errc::not_found: a cluster lacks the
    /// table; Errc::conflict: they have it otherwise, or the shadow lacks a column. Either may be a schema change that
    /// has not come to both yet.
    Result<ShapePtr> shape_of(const Schemas& schemas, const std::string& keyspace, const std::string& table) const;

    /// The rows of the scope in one partition. `partition_key` is serialized as for the token. With `serial` the
    /// primary is made to finish what conditional writes of unknown fate have left there first.
    Task<Result<Report>> partition(ShapePtr shape, Bytes partition_key, std::optional<cql::Consistency> serial,
                                   StopSignal& stop);
    /// The rows of the scope in one table whose tokens are in the range. TokenRange{}: all of them.
    Task<Result<Report>> table(ShapePtr shape, TokenRange range, StopSignal& stop);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
