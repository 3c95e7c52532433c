#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cql/protocol/compression.h"
#include "cql/protocol/version.h"
#include "runtime/endpoint.h"

namespace penumbra::bench {

enum class Style : std::uint8_t {
    prepared,  ///< EXECUTE
    simple,    ///< QUERY with bound values: one text for all requests
    literal,   ///< QUERY with the values in its text, which is another each time
    batch,     ///< writes as unlogged BATCHes of prepared statements; reads as EXECUTE
};

/// What a run asks of a server, and for how long.
struct LoadOptions {
    Endpoint to;
    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    cql::Compression compression = cql::Compression::none;
    std::string user;
    std::string password;

    std::size_t connections = 1;
    std::size_t in_flight = 1;  ///< per connection
    double reads = 1;           ///< part of the requests that read; the rest writes
    Style style = Style::prepared;
    std::size_t batch_size = 10;
    std::size_t value_size = 100;
    bool client_timestamps = true;  ///< as drivers do by themselves
    cql::Consistency consistency = cql::Consistency::local_quorum;

    std::string table = "bench.rows";
    std::string tenant_column = "system_domain_id";
    std::uint64_t first_tenant = 0;
    std::uint64_t tenants = 1;
    std::uint64_t rows = 1'000'000;  ///< per tenant

    double rate = 0;  ///< requests a second, sent when they are due; 0: the next one when an answer came
    Nanos warmup = std::chrono::seconds(1);
    Nanos duration = std::chrono::seconds(5);
    std::uint64_t seed = 1;
    std::vector<int> watched_cores;  ///< whose stalls are told apart; with a rate
    std::vector<int> pids;           ///< whose CPU time to take over the measured time
};

}  // namespace penumbra::bench
