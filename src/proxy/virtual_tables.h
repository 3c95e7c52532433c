#pragma once

#include <optional>
#include <string>

#include "cluster/cluster.h"
#include "cql/language/statement.h"
#include "cql/protocol/rows.h"
#include "runtime/endpoint.h"

namespace penumbra::proxy {

/// The proxy as a cluster of its own in system.local, system.peers and system.peers_v2: drivers connect to what they
/// read there, so it must be us and nobody else.
class VirtualTables {
  public:
    explicit VirtualTables(Endpoint advertised) : advertised_(advertised) {}

    /// The answer to a SELECT on one of the three; an Errc::unsupported for expressions that are not columns, `*` or
    /// count(*), and Errc::not_found for tables and columns that the primary does not have either.
    Result<cql::RowsBuilder> answer(const cql::Statement& statement, const cluster::Topology& topology,
                                    const cql::Schema& schema) const;

  private:
    std::optional<Bytes> local_value(std::string_view column, const cluster::Topology& topology) const;

    Endpoint advertised_;
};

}  // namespace penumbra::proxy
