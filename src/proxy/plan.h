#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/local_shared_ptr.hpp>

#include "base/bytes.h"
#include "cluster/table_route.h"
#include "cql/language/statement.h"
#include "cql/protocol/requests.h"
#include "proxy/repeated_names.h"
#include "proxy/volatiles.h"
#include "routing/router.h"

namespace penumbra::proxy {

/// Where the value of a column stands in a request: in a bind marker, or in the text.
struct ValueSource {
    bool is_marker = false;
    std::uint32_t marker = 0;       ///< among `markers` values: one for each occurrence
    std::uint32_t markers = 0;      ///< of the whole text
    std::uint32_t shared_slot = 0;  ///< among fewer values: one for each name (RepeatedNames)
    std::string marker_name;        ///< for requests that name their values
    Bytes literal;                  ///< serialized for the column's type

    /// Nothing when it is not bound, null or unset.
    std::optional<BytesView> in(const cql::ValuesView& values) const {
        if (!is_marker) return BytesView(literal);
        if (values.named()) return in_named(values);
        const auto cell = values.cell(values.size() == markers ? marker : shared_slot);
        if (!cell.has_value()) return std::nullopt;
        return cell.bytes();
    }
    std::optional<BytesView> in_named(const cql::ValuesView& values) const;
};

/// How a write gets to the shadow (docs/architecture.md, "What happens to a statement").
enum class Mirroring : std::uint8_t {
    exact,   ///< the same frame at the same timestamp: may be sent again
    once,    ///< the same frame, but a repeat would double it (lists, counters): a failure is a resync
    resync,  ///< not sent; the rows are read back from the primary (conditions, volatile functions, list elements)
};
std::string_view to_string(Mirroring mirroring);

/// One table's share of a statement: a DML statement, or one child of a batch.
struct PlanPart {
    const routing::TableRoutes* routes = nullptr;  ///< lives in the plan's router
    std::string keyspace;
    std::string table;
    std::optional<ValueSource> tenant;
    std::vector<ValueSource> key;  ///< the partition key's columns in order; empty when the text does not say all
    /// The clustering columns in order; empty when the text does not say all, or they do not matter (counters are
    /// counted by the partition).
    std::vector<ValueSource> clustering;
    /// By Side: where its rows are. Looked up by the shard that made the plan, which alone uses it.
    mutable cluster::TableRoutePtr place[2];
};

/// A bind marker of a write whose value is JSON that may hold a timestamp (ServerTimes).
struct JsonSource {
    ValueSource value;  ///< without a name where the text gives the marker none
    const cql::Table* row_of = nullptr;
};

/// What a statement asks of us under one router: worked out once per prepared statement and router. Immutable.
struct Plan {
    enum class Kind : std::uint8_t {
        read,           ///< one cluster answers
        write,          ///< both, as the route says
        schema_change,  ///< primary, then shadow, then everybody's schema
        truncate,       ///< primary, then shadow
        use,
        virtual_table,    ///< system.local, peers, peers_v2: answered here
        protected_table,  ///< a write to one of those, or to system_schema: refused
        primary_only,     ///< roles, service levels, writes to system tables: never shadowed
    };
    Kind kind = Kind::read;
    Mirroring mirroring = Mirroring::exact;
    std::vector<PlanPart> parts;
    /// Names a table that the schema does not know: it may have been created elsewhere a moment ago.
    bool unknown_table = false;
    /// Needs the connection's keyspace to be understood by a server.
    bool needs_keyspace = false;
    bool is_counter = false;
    bool is_conditional = false;
    /// Our grammar does not cover it to its end: what its text does beyond what was found is not known.
    bool not_understood = false;
    /// INSERT JSON .. IF NOT EXISTS: every ScyllaDB so far takes it and passes over the condition.
    bool has_json_condition = false;
    std::vector<JsonSource> json;
    RepeatedNamesPtr repeated_names;  ///< null as a rule
    /// Null unless all that keeps the write from being sent to both is what can become a value.
    VolatilesPtr volatiles;
    routing::RouterPtr router;
};
/// Of one shard: plans and what holds them never leave the shard that made them, so counting needs no atomics.
using PlanPtr = boost::local_shared_ptr<const Plan>;

/// The keyspace that a statement of kind protected_table may not write to.
std::string_view protected_keyspace(const cql::Statement& statement, std::string_view keyspace);

/// `keyspace`: what completes unqualified names, empty if nothing.
PlanPtr make_plan(const cql::Statement& statement, std::string_view keyspace, routing::RouterPtr router);

/// What a request touches, mostly one of each.
using Phases = boost::container::small_vector<routing::Phase, 8>;
using Scopes = boost::container::small_vector<routing::ScopeId, 2>;

/// Where one request goes: its phase, and every scope that it belongs to (for fences and for the journal).
struct Routed {
    routing::Phase phase = routing::Phase::source_only;
    Scopes scopes;
    bool operator==(const Routed&) const = default;
};
/// Adds what `plan` says of a request with these values. `phases` collects one phase per part.
void collect_routes(const Plan& plan, const cql::ValuesView& values, Phases& phases, Scopes& scopes);

/// Whether servers would make different times of what is bound: the write is Mirroring::resync then. Asked only of
/// plans that have `json`.
bool binds_server_time(const Plan& plan, const cql::ValuesView& values);

/// The token of the partition, if the request says which; `scratch` is reused.
std::optional<cql::Token> token_of(const PlanPart& part, const cql::ValuesView& values, Bytes& scratch);

/// The clustering columns of the one row that a part is about; none where it is about several, or does not say.
using ClusteringKey = boost::container::small_vector<BytesView, 4>;
ClusteringKey clustering_key(const PlanPart& part, const cql::ValuesView& values);

/// The serialized partition key of a part; false, and nothing appended, when it is not all there.
bool append_partition_key(const PlanPart& part, const cql::ValuesView& values, Bytes& out);

}  // namespace penumbra::proxy
