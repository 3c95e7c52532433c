#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cql/protocol/responses.h"
#include "cql/schema/schema.h"
#include "cql/types/cell.h"
#include "cql/types/token.h"
#include "runtime/task.h"

namespace penumbra::cluster {

class Cluster;

struct QueryOptions {
    cql::Consistency consistency = cql::Consistency::local_quorum;
    std::int32_t page_size = 0;                ///< rows; 0 is unpaged
    Bytes paging_state;                        ///< from Rows::paging_state, empty at the start
    std::optional<std::int64_t> timestamp;     ///< default timestamp of writes, microseconds
    Deadline by = Deadline::never();           ///< never: the cluster's own request timeout from now
};

/// Coroutine access to one cluster for everything that is not the request path: copy, verify, replay, system tables.
/// One per shard, made by Cluster::session(); its calls share the shard's connections with nobody but other sessions.
class Session {
  public:
    explicit Session(Cluster& cluster) : cluster_(&cluster) {}

    /// Runs `text` (names qualified) with `values` for its markers, prepared behind the scenes when there are any and
    /// routed to a replica when the partition key is bound. An ERROR from the server is Errc::server with its code in
    /// `detail`; a write that ends as Errc::timeout or Errc::closed may have happened.
    Task<Result<cql::Rows>> execute(std::string text, std::vector<cql::Cell> values, QueryOptions options);

    /// Sends one request frame (any stream id) to a node and gives the whole response frame, ERRORs included, as it came.
    /// `keyspace`: of the connection, empty for none.
    Task<Result<Bytes>> send(Bytes frame, std::string keyspace, Deadline by);

    /// The id under which every node of this cluster knows the text, preparing it where needed. `keyspace` completes
    /// unqualified names.
    Task<Result<Bytes>> prepare(std::string text, std::string keyspace, Deadline by);

    cql::SchemaPtr schema() const;
    /// All tokens of the ring, sorted; one range (previous, token] each, the first wraps.
    std::vector<cql::Token> ring() const;
    /// Release version of the oldest node, e.g. "4.1.9"; "3.0.8" also means any ScyllaDB (is_scylla tells).
    std::string release_version() const;
    bool is_scylla() const;

  private:
    Cluster* cluster_;
};

}  // namespace penumbra::cluster
