#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cql/protocol/rows.h"
#include "cql/schema/schema.h"
#include "cql/types/cell.h"
#include "cql/types/token.h"
#include "runtime/endpoint.h"
#include "runtime/task.h"

namespace penumbra::cluster {

struct QueryOptions {
    cql::Consistency consistency = cql::Consistency::local_quorum;
    std::int32_t page_size = 0;             ///< rows; 0 is unpaged
    Bytes paging_state;                     ///< from Rows::paging_state, empty at the start
    std::optional<std::int64_t> timestamp;  ///< default timestamp of writes, microseconds
    Deadline by = Deadline::never();        ///< never: the cluster's own request timeout from now
};

/// Coroutine access to one cluster for everything that is not the request path: copy, verify, replay, system tables.
/// Belongs to one shard (Cluster::session() of that shard) and shares its connections.
class Session {
  public:
    virtual ~Session() = default;

    /// Runs `text` (names qualified) with `values` for its markers, prepared behind the scenes when there are any and
    /// routed to a replica when the partition key is bound. An ERROR from the server is Errc::server with its code in
    /// `detail`; a write that ends as Errc::timeout or Errc::closed may have happened.
    virtual Task<Result<cql::Rows>> execute(std::string text, std::vector<cql::Cell> values, QueryOptions options) = 0;

    /// Sends one request frame (any stream id) to a node and gives the whole response frame, ERRORs included, as it
    /// came. `keyspace`: of the connection, empty for none.
    virtual Task<Result<Bytes>> send(Bytes frame, std::string keyspace, Deadline by) = 0;
    /// The same to `node` and no other, if it names one; afterwards it names the one that was asked. The caller's until
    /// the answer.
    virtual Task<Result<Bytes>> send_to(std::optional<Endpoint>* node, Bytes frame, std::string keyspace,
                                        Deadline by) = 0;

    /// The id under which the nodes of this cluster know the text; prepared on one of them if it is not known yet. Who
    /// is told UNPREPARED names the `node` that said so: it is prepared there, and that node's id is given. `keyspace`
    /// completes unqualified names.
    virtual Task<Result<Bytes>> prepare(std::string text, std::string keyspace, std::optional<Endpoint> node,
                                        Deadline by) = 0;

    virtual cql::SchemaPtr schema() const = 0;
    /// The schema as the nodes had it at `when` or later: see Cluster::schema_as_of().
    virtual Task<Result<cql::SchemaPtr>> schema_as_of(SteadyTime when, Deadline by) = 0;
    /// All tokens of the ring, sorted; one range (previous, token] each, the first wraps.
    virtual std::vector<cql::Token> ring() const = 0;
    /// Release version of the oldest node, e.g. "4.1.9"; ScyllaDB calls itself "3.0.8" (is_scylla tells).
    virtual std::string release_version() const = 0;
    virtual bool is_scylla() const = 0;
};

}  // namespace penumbra::cluster
