#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/async.h"
#include "runtime/task.h"
#include "sync/options.h"
#include "sync/owed_write.h"
#include "sync/report.h"
#include "sync/table_shape.h"

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

    /// Before run(): makes the primary finish what conditional writes of unknown fate have left there, if the order
    /// says so, and waits until what was sent to the clusters or read on the primary before has arrived. What is
    /// missing on the shadow then is either owed as a statement or run()'s to find.
    Task<Status> ready(ShapePtr shape, OwedResync order, StopSignal& stop);
    /// The rows of the scope that the order is about.
    Task<Result<Report>> run(ShapePtr shape, OwedResync order, StopSignal& stop);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::sync
