#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/session.h"
#include "runtime/async.h"
#include "sync/options.h"
#include "sync/report.h"
#include "sync/row_writes.h"

namespace penumbra::sync {

/// What a failed request means for the one who made it.
enum class Failure : std::uint8_t {
    passing,  ///< the cluster is slow, busy or away: the same request may do later
    refused,  ///< the server does not take this request for what it holds, now or later
    fatal,    ///< nothing of the kind will do: no right, no such table, our own mistake, or time to stop
};
Failure classify(const Error& error);
/// The server says that it did nothing: even what must not happen twice may be sent again.
bool surely_not_done(const Error& error);

/// A write and the row it is for, so that a refusal can be named.
struct KeyedWrite {
    ShapePtr shape;
    RowKey key;
    Write write;
};

/// Requests of copy, verify and resync to one cluster, with deadlines and growing pauses. Only what may be repeated is:
/// reads, and writes at a fixed timestamp. Lives on the shard of its session.
class Requester {
  public:
    /// `side`: which of the two clusters it is, for the report.
    Requester(cluster::Session& session, routing::Side side, const WorkOptions& options, StopSignal& stop,
              Report& report)
        : session_(session), side_(side), options_(options), stop_(stop), report_(report) {}

    /// At the consistency of the options, unless another one is named.
    Task<Result<cql::Rows>> read(std::string text, std::vector<cql::Cell> values, Bytes paging_state,
                                 std::int32_t page_size, std::optional<cql::Consistency> consistency = std::nullopt);
    /// Until it is applied. Errc::server whose classify() is refused is the caller's to count.
    Task<Status> write(Write write);
    /// All of them, some at once. Statements that the server refuses are counted, named in the report and passed over.
    Task<Status> write_all(std::shared_ptr<const std::vector<KeyedWrite>> writes);
    /// For what must not happen twice: asked again only where the server says that it did nothing.
    Task<Status> write_once(Write write);

    cluster::Session& session() { return session_; }

  private:
    struct Lanes;
    static Task<Status> lane(Requester* self, std::shared_ptr<Lanes> lanes);
    Task<Result<cql::Rows>> attempt(std::string text, std::vector<cql::Cell> values, cluster::QueryOptions options);

    cluster::Session& session_;
    routing::Side side_;
    const WorkOptions& options_;
    StopSignal& stop_;
    Report& report_;
};

}  // namespace penumbra::sync
