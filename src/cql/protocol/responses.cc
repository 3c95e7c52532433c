#include "cql/protocol/responses.h"

#include <utility>

#include <fmt/format.h>

#include "cql/protocol/responses_internal.h"

namespace penumbra::cql {

using namespace responses;

namespace {

// ---- metadata

Status read_columns(Reader& in, std::uint32_t flags, std::int32_t count, GlobalTable& global,
                    std::vector<ColumnSpec>& columns) {
    if (flags & metadata_flag::kNoMetadata) return ok();
    const bool one_table = (flags & metadata_flag::kGlobalTable) != 0;
    if (one_table) {
        TRY(global.keyspace, read_string(in));
        TRY(global.table, read_string(in));
    }
    // A name's length and a type's code: no column is shorter.
    if (static_cast<std::size_t>(count) > in.left() / 4) {
        return fail(Errc::malformed, fmt::format("{} columns in {} bytes", count, in.left()));
    }
    columns.reserve(static_cast<std::size_t>(count));
    for (std::int32_t i = 0; i < count; ++i) {
        ColumnSpec column;
        column.keyspace = global.keyspace;
        column.table = global.table;
        if (!one_table) {
            TRY(column.keyspace, read_string(in));
            TRY(column.table, read_string(in));
        }
        TRY(column.name, read_string(in));
        TRY(column.type, read_type(in));
        columns.push_back(std::move(column));
    }
    return ok();
}

void write_columns(Writer& out, std::uint32_t flags, const GlobalTable& global,
                   const std::vector<ColumnSpec>& columns) {
    if (flags & metadata_flag::kNoMetadata) return;
    const bool one_table = (flags & metadata_flag::kGlobalTable) != 0;
    if (one_table) {
        write_string(out, global.keyspace);
        write_string(out, global.table);
    }
    for (const auto& column : columns) {
        if (!one_table) {
            write_string(out, column.keyspace);
            write_string(out, column.table);
        }
        write_string(out, column.name);
        write_type(out, *column.type);
    }
}

/// native_protocol_v5.spec 4.2.5.2. The no-metadata bit may come with the global one (CQL-FACTS 1.6).
Result<RowsMetadata> read_rows_metadata(Reader& in, ProtocolVersion version) {
    RowsMetadata m;
    TRY(m.flags, in.u32());
    TRY(m.column_count, read_count(in, "columns"));
    if (m.flags & metadata_flag::kMorePages) {
        TRY(m.paging_state, read_bytes(in));
    }
    if (version == ProtocolVersion::v5 && (m.flags & metadata_flag::kChanged)) {
        m.new_metadata_id_at = at(in);
        TRY(m.new_metadata_id, read_short_bytes(in));
    }
    TRY(read_columns(in, m.flags, m.column_count, m.global, m.columns));
    return m;
}

void write_rows_metadata(Writer& out, const RowsMetadata& m, ProtocolVersion version) {
    const bool changed = m.new_metadata_id && version == ProtocolVersion::v5;
    std::uint32_t flags = m.flags & ~metadata_flag::kMorePages;
    if (m.paging_state) flags |= metadata_flag::kMorePages;
    if (version == ProtocolVersion::v5) flags &= ~metadata_flag::kChanged;
    if (changed) flags |= metadata_flag::kChanged;
    out.u32(flags);
    out.i32(m.column_count);
    if (m.paging_state) write_value(out, *m.paging_state);
    if (changed) write_short_bytes(out, *m.new_metadata_id);
    write_columns(out, flags, m.global, m.columns);
}

/// native_protocol_v4.spec 4.2.5.4: partition key indices from v4 on.
Result<PreparedMetadata> read_prepared_metadata(Reader& in, ProtocolVersion version) {
    PreparedMetadata m;
    TRY(m.flags, in.u32());
    TRY(m.column_count, read_count(in, "columns"));
    if (version != ProtocolVersion::v3) {
        TRY(const auto count, read_count(in, "partition key indices"));
        if (static_cast<std::size_t>(count) > in.left() / 2) {
            return fail(Errc::malformed, fmt::format("{} partition key indices in {} bytes", count, in.left()));
        }
        for (std::int32_t i = 0; i < count; ++i) {
            TRY(const auto index, in.u16());
            m.pk_indices.push_back(index);
        }
    }
    TRY(read_columns(in, m.flags, m.column_count, m.global, m.columns));
    return m;
}

void write_prepared_metadata(Writer& out, const PreparedMetadata& m, ProtocolVersion version) {
    out.u32(m.flags);
    out.i32(m.column_count);
    if (version != ProtocolVersion::v3) {
        out.i32(static_cast<std::int32_t>(m.pk_indices.size()));
        for (const auto index : m.pk_indices) out.u16(index);
    }
    write_columns(out, m.flags, m.global, m.columns);
}

Result<SchemaChange> read_schema_change(Reader& in) {
    SchemaChange change;
    TRY(change.change, read_string(in));
    TRY(change.target, read_string(in));
    TRY(change.keyspace, read_string(in));
    if (change.target != "KEYSPACE") {
        TRY(change.name, read_string(in));
    }
    if (change.target == "FUNCTION" || change.target == "AGGREGATE") {
        TRY(change.arguments, read_string_list(in));
    }
    return change;
}

void write_schema_change(Writer& out, const SchemaChange& change) {
    write_string(out, change.change);
    write_string(out, change.target);
    write_string(out, change.keyspace);
    if (change.target != "KEYSPACE") write_string(out, change.name);
    if (change.target == "FUNCTION" || change.target == "AGGREGATE")
        write_string_list(out, change.arguments.to_vector());
}

Result<RowsView> read_rows(Reader& in, ProtocolVersion version) {
    TRY(auto metadata, read_rows_metadata(in, version));
    TRY(const auto row_count, read_count(in, "rows"));
    const auto columns = static_cast<std::size_t>(metadata.column_count);
    const auto rows = static_cast<std::size_t>(row_count);
    // Each cell takes four bytes at least; rows without columns would be work for nothing.
    if (rows > 0 && (columns == 0 || columns > in.left() / 4 || rows > in.left() / 4 / columns)) {
        return fail(Errc::malformed, fmt::format("{} rows of {} columns in {} bytes", rows, columns, in.left()));
    }
    const auto cells = in.rest();
    for (std::size_t i = 0; i < rows * columns; ++i) {
        TRY(read_bytes(in));
    }
    return RowsView(std::move(metadata), row_count, cells.first(cells.size() - in.left()));
}

Result<PreparedResult> read_prepared(Reader& in, ProtocolVersion version) {
    PreparedResult prepared;
    prepared.id_at = at(in);
    TRY(prepared.id, read_short_bytes(in));
    if (version == ProtocolVersion::v5) {
        prepared.result_metadata_id_at = at(in);
        TRY(prepared.result_metadata_id, read_short_bytes(in));
    }
    TRY(prepared.metadata, read_prepared_metadata(in, version));
    TRY(prepared.result_metadata, read_rows_metadata(in, version));
    return prepared;
}

// ---- writing

FrameBuilder begin_result(Bytes& out, const ResponseHead& head, ResultKind kind) {
    auto frame = begin(out, head, Opcode::result);
    frame.body().i32(static_cast<std::int32_t>(kind));
    return frame;
}

}  // namespace

// native_protocol_v4.spec 2.2: tracing id, warnings, custom payload, each where its flag is set.
Result<ResponsePrefix> read_response_prefix(const FrameView& frame) {
    if (frame.is_compressed()) return fail(Errc::malformed, "the frame has to be decompressed first");
    ResponsePrefix prefix;
    constexpr auto any = header_flag::kTracing | header_flag::kWarning | header_flag::kCustomPayload;
    if (!frame.header.has(any)) return prefix;
    Reader in(frame.body());
    if (frame.header.has(header_flag::kTracing)) {
        TRY(prefix.tracing_id, read_uuid(in));
    }
    if (frame.header.has(header_flag::kWarning)) {
        TRY(prefix.warnings, read_string_list(in));
    }
    prefix.payload_at = at(in);
    if (frame.header.has(header_flag::kCustomPayload)) {
        TRY(prefix.payload, read_bytes_map(in));
    }
    prefix.size = at(in);
    return prefix;
}

Status decode_ready(const FrameView& frame) {
    TRY(const auto body, open(frame, Opcode::ready));
    return expect_end(body.in);
}

Result<std::string_view> decode_authenticate(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::authenticate));
    TRY(const auto authenticator, read_string(body.in));
    TRY(expect_end(body.in));
    return authenticator;
}

Result<StringMultimapView> decode_supported(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::supported));
    TRY(const auto options, read_string_multimap(body.in));
    TRY(expect_end(body.in));
    return options;
}

Result<ResultMessage> decode_result(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    auto& in = body.in;
    const auto version = frame.version();
    TRY(const auto code, in.i32());
    ResultMessage result;
    switch (static_cast<ResultKind>(code)) {
        case ResultKind::void_:
            break;
        case ResultKind::rows: {
            TRY(auto rows, read_rows(in, version));
            result = std::move(rows);
            break;
        }
        case ResultKind::set_keyspace: {
            TRY(const auto keyspace, read_string(in));
            result = SetKeyspace{keyspace};
            break;
        }
        case ResultKind::prepared: {
            TRY(auto prepared, read_prepared(in, version));
            result = std::move(prepared);
            break;
        }
        case ResultKind::schema_change: {
            TRY(const auto change, read_schema_change(in));
            result = change;
            break;
        }
        default:
            return fail(Errc::malformed, fmt::format("no kind of result has code {}", code));
    }
    TRY(expect_end(in));
    return result;
}

Result<EventMessage> decode_event(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::event));
    auto& in = body.in;
    TRY(const auto type, read_string(in));
    EventMessage event;
    if (type == "SCHEMA_CHANGE") {
        TRY(const auto change, read_schema_change(in));
        event = change;
    } else if (type == "TOPOLOGY_CHANGE" || type == "STATUS_CHANGE") {
        NodeEvent node{type, {}, {}};
        TRY(node.change, read_string(in));
        TRY(node.node, read_inet(in));
        event = node;
    } else {
        TRY(const auto rest, in.take(in.left()));
        event = OtherEvent{type, rest};
    }
    TRY(expect_end(in));
    return event;
}

namespace {

Result<CellView> decode_token(const FrameView& frame, Opcode opcode) {
    TRY(auto body, open(frame, opcode));
    TRY(const auto token, read_bytes(body.in));
    TRY(expect_end(body.in));
    return token;
}

/// What a control-path read does with a frame that is not a RESULT.
Status expect_result(const FrameView& frame) {
    if (frame.header.opcode != Opcode::error) return ok();
    TRY(const auto error, decode_error(frame));
    return fail(to_error(error));
}

}  // namespace

Result<CellView> decode_auth_challenge(const FrameView& frame) {
    return decode_token(frame, Opcode::auth_challenge);
}
Result<CellView> decode_auth_success(const FrameView& frame) {
    return decode_token(frame, Opcode::auth_success);
}

Result<RowsView> decode_rows(const FrameView& frame) {
    TRY(expect_result(frame));
    TRY(auto result, decode_result(frame));
    if (auto* rows = std::get_if<RowsView>(&result)) return std::move(*rows);
    return fail(Errc::malformed, "a result without rows where rows are due");
}

Result<PreparedResult> decode_prepared(const FrameView& frame) {
    TRY(expect_result(frame));
    TRY(auto result, decode_result(frame));
    if (auto* prepared = std::get_if<PreparedResult>(&result)) return std::move(*prepared);
    return fail(Errc::malformed, "a result of another kind where a prepared one is due");
}

void encode_ready(Bytes& out, const ResponseHead& head) {
    begin(out, head, Opcode::ready).close();
}

void encode_authenticate(Bytes& out, const ResponseHead& head, std::string_view authenticator) {
    auto frame = begin(out, head, Opcode::authenticate);
    write_string(frame.body(), authenticator);
    frame.close();
}

void encode_supported(Bytes& out, const ResponseHead& head, const StringLists& options) {
    auto frame = begin(out, head, Opcode::supported);
    write_string_multimap(frame.body(), options);
    frame.close();
}

void encode_void(Bytes& out, const ResponseHead& head) {
    begin_result(out, head, ResultKind::void_).close();
}

void encode_set_keyspace(Bytes& out, const ResponseHead& head, std::string_view keyspace) {
    auto frame = begin_result(out, head, ResultKind::set_keyspace);
    write_string(frame.body(), keyspace);
    frame.close();
}

void encode_schema_change(Bytes& out, const ResponseHead& head, const SchemaChange& change) {
    auto frame = begin_result(out, head, ResultKind::schema_change);
    write_schema_change(frame.body(), change);
    frame.close();
}

void encode_prepared(Bytes& out, const ResponseHead& head, const PreparedResult& prepared) {
    auto frame = begin_result(out, head, ResultKind::prepared);
    write_short_bytes(frame.body(), prepared.id);
    if (head.version == ProtocolVersion::v5)
        write_short_bytes(frame.body(), prepared.result_metadata_id.value_or(BytesView()));
    write_prepared_metadata(frame.body(), prepared.metadata, head.version);
    write_rows_metadata(frame.body(), prepared.result_metadata, head.version);
    frame.close();
}

void encode_rows(Bytes& out, const ResponseHead& head, const RowsView& rows) {
    auto frame = begin_result(out, head, ResultKind::rows);
    write_rows_metadata(frame.body(), rows.metadata, head.version);
    frame.body().i32(static_cast<std::int32_t>(rows.row_count()));
    frame.body().raw(rows.cells());
    frame.close();
}

void encode_result(Bytes& out, const ResponseHead& head, const ResultMessage& result) {
    struct Encoder {
        Bytes& out;
        const ResponseHead& head;
        void operator()(const VoidResult&) const { encode_void(out, head); }
        void operator()(const RowsView& rows) const { encode_rows(out, head, rows); }
        void operator()(const SetKeyspace& set) const { encode_set_keyspace(out, head, set.keyspace); }
        void operator()(const PreparedResult& prepared) const { encode_prepared(out, head, prepared); }
        void operator()(const SchemaChange& change) const { encode_schema_change(out, head, change); }
    };
    std::visit(Encoder{out, head}, result);
}

void encode_event(Bytes& out, const ResponseHead& head, const EventMessage& event) {
    auto frame = begin(out, head, Opcode::event);
    auto& body = frame.body();
    if (const auto* node = std::get_if<NodeEvent>(&event)) {
        write_string(body, node->type);
        write_string(body, node->change);
        write_inet(body, node->node);
    } else if (const auto* change = std::get_if<SchemaChange>(&event)) {
        write_string(body, "SCHEMA_CHANGE");
        write_schema_change(body, *change);
    } else {
        const auto& other = std::get<OtherEvent>(event);
        write_string(body, other.type);
        body.raw(other.bytes);
    }
    frame.close();
}

void encode_auth_challenge(Bytes& out, const ResponseHead& head, CellView token) {
    auto frame = begin(out, head, Opcode::auth_challenge);
    write_value(frame.body(), token);
    frame.close();
}

void encode_auth_success(Bytes& out, const ResponseHead& head, CellView token) {
    auto frame = begin(out, head, Opcode::auth_success);
    write_value(frame.body(), token);
    frame.close();
}

}  // namespace penumbra::cql
