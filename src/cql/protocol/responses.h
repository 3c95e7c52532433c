#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cql/protocol/error_message.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/notation.h"
#include "cql/protocol/wire_types.h"
#include "cql/types/type.h"

/// Responses of native_protocol_v3/v4/v5.spec 4.2. Decoded messages are views of the frame; metadata allocates its
/// columns and types, rows are walked in place. Bytes left over after a message are an error.
namespace penumbra::cql {

/// What any response's body may start with, in this order.
struct ResponsePrefix {
    std::optional<Uuid> tracing_id;
    StringListView warnings;
    BytesMapView payload;
    std::uint32_t payload_at = 0;  ///< its count, where there is one
    std::uint32_t size = 0;        ///< the message starts here
};
Result<ResponsePrefix> read_response_prefix(const FrameView& frame);

// ---- RESULT

enum class ResultKind : std::int32_t { void_ = 1, rows = 2, set_keyspace = 3, prepared = 4, schema_change = 5 };

/// Bits of the flags of <metadata>.
namespace metadata_flag {
inline constexpr std::uint32_t kGlobalTable = 0x01;
inline constexpr std::uint32_t kMorePages = 0x02;
inline constexpr std::uint32_t kNoMetadata = 0x04;
inline constexpr std::uint32_t kChanged = 0x08;
/// ScyllaDB's mark on a prepared conditional statement, when STARTUP asked for it.
inline constexpr std::uint32_t kScyllaConditional = 0x80000000;
}  // namespace metadata_flag

struct ColumnSpec {
    std::string_view keyspace;
    std::string_view table;
    std::string_view name;
    TypePtr type;
};

/// Where all columns are of one table and the metadata names it only once (kGlobalTable).
struct GlobalTable {
    std::string_view keyspace;
    std::string_view table;
};

struct RowsMetadata {
    std::uint32_t flags = 0;  ///< as sent; writers set the bits of paging state and new id themselves
    std::int32_t column_count = 0;
    std::optional<CellView> paging_state = {};      ///< there are more pages
    std::optional<BytesView> new_metadata_id = {};  ///< v5
    std::uint32_t new_metadata_id_at = 0;           ///< its length, in the body; decoded ones only
    GlobalTable global = {};
    std::vector<ColumnSpec> columns = {};  ///< empty with kNoMetadata
};

struct PreparedMetadata {
    std::uint32_t flags = 0;
    std::int32_t column_count = 0;
    std::vector<std::uint16_t> pk_indices = {};  ///< v4 and later
    GlobalTable global = {};
    std::vector<ColumnSpec> columns = {};
};

/// The cells of a result, checked when they were decoded.
class RowsView {
  public:
    RowsMetadata metadata;

    RowsView() = default;
    RowsView(RowsMetadata m, std::int32_t row_count, BytesView checked)
        : metadata(std::move(m)), row_count_(row_count), cells_(checked) {}

    std::size_t row_count() const { return static_cast<std::size_t>(row_count_); }
    std::size_t column_count() const { return static_cast<std::size_t>(metadata.column_count); }

    /// Calls `row(std::span<const CellView>)` for each row; the span is reused.
    template <class F>
    void for_each(F row) const {
        if (row_count_ == 0) return;  // a column count without rows promises nothing
        std::vector<CellView> cells(column_count());
        Reader in(cells_);
        for (std::int32_t r = 0; r < row_count_; ++r) {
            for (auto& cell : cells) cell = read_bytes(in).value();
            row(std::span<const CellView>(cells));
        }
    }
    /// All cells, row after row, as they were sent.
    BytesView cells() const { return cells_; }

  private:
    std::int32_t row_count_ = 0;
    BytesView cells_;
};

struct PreparedResult {
    BytesView id;
    std::uint32_t id_at = 0;                           ///< its length, in the body
    std::optional<BytesView> result_metadata_id = {};  ///< v5
    std::uint32_t result_metadata_id_at = 0;
    PreparedMetadata metadata = {};  ///< of the bind markers
    RowsMetadata result_metadata = {};
};

/// Also the SCHEMA_CHANGE event.
struct SchemaChange {
    std::string_view change;  ///< CREATED, UPDATED, DROPPED
    std::string_view target;  ///< KEYSPACE, TABLE, TYPE, FUNCTION, AGGREGATE
    std::string_view keyspace;
    std::string_view name;     ///< empty for a keyspace
    StringListView arguments;  ///< FUNCTION, AGGREGATE
};

struct VoidResult {};
struct SetKeyspace {
    std::string_view keyspace;
};
using ResultMessage = std::variant<VoidResult, RowsView, SetKeyspace, PreparedResult, SchemaChange>;

// ---- EVENT

/// TOPOLOGY_CHANGE and STATUS_CHANGE.
struct NodeEvent {
    std::string_view type;
    std::string_view change;  ///< NEW_NODE, REMOVED_NODE, MOVED_NODE; UP, DOWN
    Endpoint node;
};
/// An event that we do not know (ScyllaDB's CLIENT_ROUTES_CHANGE).
struct OtherEvent {
    std::string_view type;
    BytesView bytes;
};
using EventMessage = std::variant<NodeEvent, SchemaChange, OtherEvent>;

// ---- decoding

Status decode_ready(const FrameView& frame);
/// The authenticator's class name.
Result<std::string_view> decode_authenticate(const FrameView& frame);
Result<StringMultimapView> decode_supported(const FrameView& frame);
Result<ResultMessage> decode_result(const FrameView& frame);
Result<EventMessage> decode_event(const FrameView& frame);
/// The tokens of AUTH_CHALLENGE and AUTH_SUCCESS.
Result<CellView> decode_auth_challenge(const FrameView& frame);
Result<CellView> decode_auth_success(const FrameView& frame);

/// A RESULT that must be rows or prepared; an ERROR frame becomes an Error of Errc::server with its code as detail.
Result<RowsView> decode_rows(const FrameView& frame);
Result<PreparedResult> decode_prepared(const FrameView& frame);
// ---- writing. A response is appended to `out` as one whole frame.

struct ResponseHead {
    ProtocolVersion version = ProtocolVersion::v4;
    std::int16_t stream = 0;
    std::uint8_t flags = 0;  ///< beyond those that the fields below set
    std::optional<Uuid> tracing_id = {};
    std::vector<std::string_view> warnings = {};
    BytesPairs payload = {};
};

void encode_ready(Bytes& out, const ResponseHead& head);
void encode_authenticate(Bytes& out, const ResponseHead& head, std::string_view authenticator);
void encode_supported(Bytes& out, const ResponseHead& head, const StringLists& options);
void encode_void(Bytes& out, const ResponseHead& head);
void encode_set_keyspace(Bytes& out, const ResponseHead& head, std::string_view keyspace);
void encode_schema_change(Bytes& out, const ResponseHead& head, const SchemaChange& change);
void encode_prepared(Bytes& out, const ResponseHead& head, const PreparedResult& prepared);
void encode_rows(Bytes& out, const ResponseHead& head, const RowsView& rows);
void encode_result(Bytes& out, const ResponseHead& head, const ResultMessage& result);
void encode_event(Bytes& out, const ResponseHead& head, const EventMessage& event);
void encode_auth_challenge(Bytes& out, const ResponseHead& head, CellView token);
void encode_auth_success(Bytes& out, const ResponseHead& head, CellView token);

}  // namespace penumbra::cql
