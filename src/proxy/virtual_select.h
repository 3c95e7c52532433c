#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "cluster/topology.h"
#include "cql/language/named_slots.h"
#include "cql/language/statement.h"
#include "cql/protocol/md5.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/rows.h"
#include "cql/select/expression.h"
#include "cql/select/memory_table.h"
#include "proxy/client_connection.h"
#include "proxy/virtual_tables.h"
#include "routing/phase.h"
#include "runtime/task.h"

namespace penumbra::proxy {

/// The error for the client, as VirtualSelect's errors carry it.
inline auto refuse_select(cql::ErrorCode code, std::string what) {
    return fail(Errc::server, std::move(what), static_cast<std::int32_t>(code));
}

/// What a client is answered: rows of ours, or the primary's own frame where it refused the statement.
struct VirtualAnswer {
    Bytes frame;  ///< if not empty, nothing else counts
    std::vector<cql::Column> columns;
    std::vector<cql::MemoryRow> rows;
    std::optional<Bytes> paging_state;
    std::optional<cql::Uuid> tracing_id;
    std::vector<std::string> warnings;  ///< the primary's
    bool no_metadata = false;
    std::optional<cql::Md5> new_metadata_id;  ///< v5: the columns are other than those that the client knows
    Bytes cells;                              ///< the rows as they travel

    /// What encode_rows() takes; valid as long as this.
    cql::RowsView view() const;
};

/// One SELECT on system.local, system.peers or system.peers_v2, run over the rows that VirtualTables has.
///
/// Plain columns, `*` and count(*) by primary key, at ONE or LOCAL_ONE, are answered here alone, so that drivers find
/// their cluster while the primary is slow. For anything else the primary runs the statement too: it says what is wrong
/// with it, what it warns of, and how the result's columns are called and typed. WHERE, order, groups and limits are
/// ours; expressions are evaluated by the primary, with the values of our rows bound in place of their columns.
/// (ScyllaDB takes no values where it selects: there, cql/select evaluates what system tables have types for.)
/// README.md says why it is done this way.
///
/// Lives on one shard, for one request.
class VirtualSelect {
  public:
    struct Setting {
        const VirtualTables& tables;
        cluster::TopologyPtr primary;
        cluster::TopologyPtr shadow;  ///< may be null
        cql::SchemaPtr schema;        ///< of the primary
        ClientPtr client;             ///< as whom the primary is asked: what it may not do there, it may not do here
        std::string keyspace;         ///< completes the statement's names; empty if nothing
        routing::Side side;           ///< of the primary
        Deadline by;
        /// Of an EXECUTE in v3 or v4: the digest of the columns that every client was told of; nothing if they differ.
        std::optional<cql::Md5> told;
    };
    /// `frame`: the QUERY or EXECUTE, whole, of this `text`.
    VirtualSelect(Setting setting, Bytes frame, std::string text);

    /// Errc::server has the error code for the client in its detail.
    static Task<Result<VirtualAnswer>> run(std::unique_ptr<VirtualSelect> self);

  private:
    /// One column of the result: a column of the table, or an expression.
    struct Output {
        const cql::ColumnDef* column = nullptr;
        const cql::Term* expression = nullptr;
        std::string_view alias;
    };
    using Known = std::map<const cql::Term*, cql::TypedCell>;

    Task<Result<VirtualAnswer>> select();
    Status read_request();
    /// Which metadata the rows bring, by what the client knows and asked for.
    void describe(VirtualAnswer& answer) const;
    /// The statement needs nobody's opinion: it is legal and all of it is ours.
    bool is_plain() const;
    bool is_plain_value(const cql::Restriction& restriction) const;
    void find_outputs();
    std::vector<cql::Column> plain_columns() const;

    Task<Result<Bytes>> ask(std::string text, std::vector<cql::CellView> values, bool as_client);
    Task<Result<cql::Rows>> ask_values(cql::BoundText selection);
    /// Sends the statement itself; an answer with a frame is an error that the client gets.
    Task<Result<VirtualAnswer>> judge();

    /// What was bound, by place and by name: statements may have markers by the ten thousand.
    struct Bound {
        cql::NamedSlots slots;
        std::vector<cql::CellView> in_order;
        std::unordered_map<std::string_view, cql::CellView> by_name;
    };
    cql::CellView bound(const cql::Term& marker) const;
    Task<Result<cql::Cell>> value_of(const cql::Term* term, cql::TypePtr type);
    Task<Result<std::vector<cql::Cell>>> values_of(const cql::Term* term, std::vector<cql::TypePtr> types);
    Task<Result<std::vector<cql::Predicate>>> predicates();
    Task<Result<std::optional<std::size_t>>> limit_of(const cql::Term* term);

    Known known_parts(const cql::Term& term, const cql::MemoryRow* row) const;
    cql::TypedCell about_cell(const cql::Term& term, const cql::MemoryRow* row) const;
    Task<Result<std::vector<cql::TypedCell>>> evaluate(std::vector<const cql::Term*> terms, const cql::MemoryRow* row,
                                                       Known known);
    Result<cql::TypedCell> evaluate_here(const cql::Term& term, const Known& known) const;
    Task<Result<cql::TypedCell>> aggregate(const cql::Term* call, const cql::MemoryRows* group);
    Task<Result<cql::MemoryRow>> output_row(const cql::MemoryRows* group);
    Result<std::size_t> page_start(const std::vector<cql::MemoryRows>& groups) const;
    Bytes paging_state_after(std::size_t count, const cql::MemoryRow& last) const;

    Setting setting_;
    Bytes frame_;
    cql::OwnedStatement statement_;
    cql::ParametersView parameters_;
    mutable std::optional<Bound> bound_;  ///< once it is asked for; views into frame_
    cql::ProtocolVersion version_ = cql::ProtocolVersion::v4;
    bool traced_ = false;
    bool prepared_ = false;
    std::optional<BytesView> metadata_id_;  ///< v5: by which the client knows the columns of what it prepared
    const cql::Table* table_ = nullptr;
    std::vector<cql::MemoryRow> rows_;
    std::vector<Output> outputs_;
    std::vector<cql::Column> columns_;  ///< of the result, before JSON
};

}  // namespace penumbra::proxy
