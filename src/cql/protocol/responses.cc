#include "cql/protocol/responses.h"

#include <utility>

#include <fmt/format.h>

#include "base/assert.h"

namespace penumbra::cql {
namespace {

std::uint32_t at(const Reader& in) {
    return static_cast<std::uint32_t>(in.position());
}

struct Body {
    Reader in;
    ResponsePrefix prefix;
};

Result<Body> open(const FrameView& frame, Opcode opcode) {
    if (frame.header.opcode != opcode) {
        return fail(Errc::malformed,
                    fmt::format("{} where {} is due", to_string(frame.header.opcode), to_string(opcode)));
    }
    TRY(auto prefix, read_response_prefix(frame));
    Body body{Reader(frame.body()), prefix};
    TRY(body.in.skip(prefix.size));
    return body;
}

Status expect_end(const Reader& in) {
    if (in.done()) return ok();
    return fail(Errc::malformed, fmt::format("{} bytes left over after the message", in.left()));
}

// ---- ERROR

Result<Failures> read_failures(Reader& in, ProtocolVersion version) {
    Failures failures;
    TRY(failures.count, in.i32());
    if (version != ProtocolVersion::v5) return failures;
    // <reasonmap> of native_protocol_v5.spec 9, 0x1300: at least a length, four bytes of address and a code each.
    if (failures.count < 0 || static_cast<std::size_t>(failures.count) > in.left() / 7) {
        return fail(Errc::malformed, fmt::format("{} failure reasons in {} bytes", failures.count, in.left()));
    }
    for (std::int32_t i = 0; i < failures.count; ++i) {
        FailureReason reason{};
        TRY(reason.replica, read_inet_address(in));
        TRY(reason.code, in.u16());
        failures.reasons.push_back(reason);
    }
    return failures;
}

void write_failures(Writer& out, const Failures& failures, ProtocolVersion version) {
    if (version != ProtocolVersion::v5) return out.i32(failures.count);
    out.i32(static_cast<std::int32_t>(failures.reasons.size()));
    for (const auto& reason : failures.reasons) {
        write_inet_address(out, reason.replica);
        out.u16(reason.code);
    }
}

/// native_protocol_v5.spec 9 and CQL-FACTS 1.7.
Result<ErrorDetail> read_detail(Reader& in, ErrorCode code, ProtocolVersion version) {
    switch (code) {
        case ErrorCode::unavailable: {
            Unavailable d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.required, in.i32());
            TRY(d.alive, in.i32());
            return d;
        }
        case ErrorCode::write_timeout: {
            WriteTimeout d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.write_type, read_string(in));
            if (version == ProtocolVersion::v5 && d.write_type == "CAS") {
                TRY(d.contentions, in.u16());
            }
            return d;
        }
        case ErrorCode::read_timeout: {
            ReadTimeout d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.data_present, in.u8());
            return d;
        }
        case ErrorCode::read_failure: {
            ReadFailure d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.failures, read_failures(in, version));
            TRY(d.data_present, in.u8());
            return d;
        }
        case ErrorCode::write_failure: {
            WriteFailure d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.failures, read_failures(in, version));
            TRY(d.write_type, read_string(in));
            return d;
        }
        case ErrorCode::function_failure: {
            FunctionFailure d{};
            TRY(d.keyspace, read_string(in));
            TRY(d.function, read_string(in));
            TRY(d.argument_types, read_string_list(in));
            return d;
        }
        case ErrorCode::cas_write_unknown: {
            CasWriteUnknown d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            return d;
        }
        case ErrorCode::already_exists: {
            AlreadyExists d{};
            TRY(d.keyspace, read_string(in));
            TRY(d.table, read_string(in));
            return d;
        }
        case ErrorCode::unprepared: {
            TRY(const auto id, read_short_bytes(in));
            return Unprepared{id};
        }
        case ErrorCode::server_error:
        case ErrorCode::protocol_error:
        case ErrorCode::bad_credentials:
        case ErrorCode::overloaded:
        case ErrorCode::is_bootstrapping:
        case ErrorCode::truncate_error:
        case ErrorCode::cdc_write_failure:
        case ErrorCode::syntax_error:
        case ErrorCode::unauthorized:
        case ErrorCode::invalid:
        case ErrorCode::config_error:
            return std::monostate{};
    }
    TRY(const auto rest, in.take(in.left()));
    return OtherDetail{rest};
}

struct DetailWriter {
    Writer& out;
    ProtocolVersion version;

    void operator()(std::monostate) const {}
    void operator()(const Unavailable& d) const { numbers(d.consistency, d.required, d.alive); }
    void operator()(const WriteTimeout& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_string(out, d.write_type);
        if (version == ProtocolVersion::v5 && d.write_type == "CAS") out.u16(d.contentions.value_or(0));
    }
    void operator()(const ReadTimeout& d) const {
        numbers(d.consistency, d.received, d.block_for);
        out.u8(d.data_present);
    }
    void operator()(const ReadFailure& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_failures(out, d.failures, version);
        out.u8(d.data_present);
    }
    void operator()(const WriteFailure& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_failures(out, d.failures, version);
        write_string(out, d.write_type);
    }
    void operator()(const FunctionFailure& d) const {
        write_string(out, d.keyspace);
        write_string(out, d.function);
        write_string_list(out, d.argument_types.to_vector());
    }
    void operator()(const CasWriteUnknown& d) const { numbers(d.consistency, d.received, d.block_for); }
    void operator()(const AlreadyExists& d) const {
        write_string(out, d.keyspace);
        write_string(out, d.table);
    }
    void operator()(const Unprepared& d) const { write_short_bytes(out, d.id); }
    void operator()(const OtherDetail& d) const { out.raw(d.bytes); }

  private:
    void numbers(Consistency consistency, std::int32_t a, std::int32_t b) const {
        write_consistency(out, consistency);
        out.i32(a);
        out.i32(b);
    }
};

// ---- types

Result<TypePtr> read_type_at(Reader& in, int depth) {
    if (depth > kMaxTypeDepth) return fail(Errc::malformed, "types nest too deep");
    TRY(const auto code, in.u16());
    const auto kind = static_cast<TypeKind>(code);
    switch (kind) {
        case TypeKind::custom: {
            TRY(const auto class_name, read_string(in));
            const auto parsed = parse_marshal_class(class_name);
            if (!parsed || parsed.value()->kind == TypeKind::custom) return custom_of(std::string(class_name));
            DataType type = *parsed.value();
            type.class_name = class_name;
            return std::make_shared<const DataType>(std::move(type));
        }
        case TypeKind::ascii:
        case TypeKind::bigint:
        case TypeKind::blob:
        case TypeKind::boolean:
        case TypeKind::counter:
        case TypeKind::decimal:
        case TypeKind::double_:
        case TypeKind::float_:
        case TypeKind::int_:
        case TypeKind::timestamp:
        case TypeKind::uuid:
        case TypeKind::text:
        case TypeKind::varint:
        case TypeKind::timeuuid:
        case TypeKind::inet:
        case TypeKind::date:
        case TypeKind::time:
        case TypeKind::smallint:
        case TypeKind::tinyint:
        case TypeKind::duration:
            return scalar(kind);
        case TypeKind::list:
        case TypeKind::set: {
            TRY(auto element, read_type_at(in, depth + 1));
            return kind == TypeKind::list ? list_of(std::move(element)) : set_of(std::move(element));
        }
        case TypeKind::map: {
            TRY(auto key, read_type_at(in, depth + 1));
            TRY(auto value, read_type_at(in, depth + 1));
            return map_of(std::move(key), std::move(value));
        }
        case TypeKind::udt: {
            TRY(const auto keyspace, read_string(in));
            TRY(const auto name, read_string(in));
            TRY(const auto count, in.u16());
            std::vector<UdtField> fields;
            for (std::uint16_t i = 0; i < count; ++i) {
                TRY(const auto field, read_string(in));
                TRY(auto type, read_type_at(in, depth + 1));
                fields.push_back({std::string(field), std::move(type)});
            }
            return udt_of(std::string(keyspace), std::string(name), std::move(fields));
        }
        case TypeKind::tuple: {
            TRY(const auto count, in.u16());
            std::vector<TypePtr> elements;
            for (std::uint16_t i = 0; i < count; ++i) {
                TRY(auto type, read_type_at(in, depth + 1));
                elements.push_back(std::move(type));
            }
            return tuple_of(std::move(elements));
        }
        case TypeKind::vector:
            break;
    }
    return fail(Errc::malformed, fmt::format("no type has code {:#06x}", code));
}

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

Result<std::int32_t> read_count(Reader& in, std::string_view what) {
    TRY(const auto count, in.i32());
    if (count < 0) return fail(Errc::malformed, fmt::format("{} {}", count, what));
    return count;
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

FrameBuilder begin(Bytes& out, const ResponseHead& head, Opcode opcode) {
    std::uint8_t flags = head.flags;
    if (head.tracing_id) flags |= header_flag::kTracing;
    if (!head.warnings.empty()) flags |= header_flag::kWarning;
    if (!head.payload.empty()) flags |= header_flag::kCustomPayload;
    FrameBuilder frame(out, Direction::response, head.version, flags, head.stream, opcode);
    if (head.tracing_id) write_uuid(frame.body(), *head.tracing_id);
    if (!head.warnings.empty()) write_string_list(frame.body(), head.warnings);
    if (!head.payload.empty()) write_bytes_map(frame.body(), head.payload);
    return frame;
}

FrameBuilder begin_result(Bytes& out, const ResponseHead& head, ResultKind kind) {
    auto frame = begin(out, head, Opcode::result);
    frame.body().i32(static_cast<std::int32_t>(kind));
    return frame;
}

}  // namespace

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::server_error:
            return "server_error";
        case ErrorCode::protocol_error:
            return "protocol_error";
        case ErrorCode::bad_credentials:
            return "bad_credentials";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::overloaded:
            return "overloaded";
        case ErrorCode::is_bootstrapping:
            return "is_bootstrapping";
        case ErrorCode::truncate_error:
            return "truncate_error";
        case ErrorCode::write_timeout:
            return "write_timeout";
        case ErrorCode::read_timeout:
            return "read_timeout";
        case ErrorCode::read_failure:
            return "read_failure";
        case ErrorCode::function_failure:
            return "function_failure";
        case ErrorCode::write_failure:
            return "write_failure";
        case ErrorCode::cdc_write_failure:
            return "cdc_write_failure";
        case ErrorCode::cas_write_unknown:
            return "cas_write_unknown";
        case ErrorCode::syntax_error:
            return "syntax_error";
        case ErrorCode::unauthorized:
            return "unauthorized";
        case ErrorCode::invalid:
            return "invalid";
        case ErrorCode::config_error:
            return "config_error";
        case ErrorCode::already_exists:
            return "already_exists";
        case ErrorCode::unprepared:
            return "unprepared";
    }
    return "error";
}

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

Result<ErrorMessage> decode_error(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::error));
    ErrorMessage error;
    TRY(const auto code, body.in.i32());
    error.code = static_cast<ErrorCode>(code);
    TRY(error.message, read_string(body.in));
    TRY(error.detail, read_detail(body.in, error.code, frame.version()));
    TRY(expect_end(body.in));
    return error;
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

// What Cassandra does when it writes errors for older clients.
ErrorMessage downgraded(const ErrorMessage& error, ProtocolVersion version) {
    auto out = error;
    const auto become = [&out](ErrorCode code, ErrorDetail detail) {
        out.code = code;
        out.detail = std::move(detail);
    };
    if (version != ProtocolVersion::v5) {
        if (const auto* cas = std::get_if<CasWriteUnknown>(&error.detail)) {
            become(ErrorCode::write_timeout, WriteTimeout{cas->consistency, cas->received, cas->block_for, "CAS", {}});
        } else if (auto* timeout = std::get_if<WriteTimeout>(&out.detail)) {
            timeout->contentions.reset();
        }
    }
    if (version != ProtocolVersion::v3) return out;
    if (const auto* read = std::get_if<ReadFailure>(&error.detail)) {
        become(ErrorCode::read_timeout,
               ReadTimeout{read->consistency, read->received, read->block_for, read->data_present});
    } else if (const auto* write = std::get_if<WriteFailure>(&error.detail)) {
        become(ErrorCode::write_timeout,
               WriteTimeout{write->consistency, write->received, write->block_for, write->write_type, {}});
    } else if (error.code == ErrorCode::function_failure || error.code == ErrorCode::cdc_write_failure) {
        become(ErrorCode::invalid, std::monostate{});
    }
    return out;
}

Error to_error(const ErrorMessage& error) {
    return {
        Errc::server,
        fmt::format("{} ({:#06x}): {}", to_string(error.code), static_cast<std::int32_t>(error.code), error.message),
        static_cast<std::int32_t>(error.code)};
}

Result<ResultKind> peek_result_kind(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    TRY(const auto code, body.in.i32());
    if (code < static_cast<std::int32_t>(ResultKind::void_) ||
        code > static_cast<std::int32_t>(ResultKind::schema_change)) {
        return fail(Errc::malformed, fmt::format("no kind of result has code {}", code));
    }
    return static_cast<ResultKind>(code);
}

Result<ErrorCode> peek_error_code(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::error));
    TRY(const auto code, body.in.i32());
    return static_cast<ErrorCode>(code);
}

bool is_unprepared(const FrameView& frame) {
    if (frame.header.opcode != Opcode::error) return false;
    const auto code = peek_error_code(frame);
    return code && code.value() == ErrorCode::unprepared;
}

Result<RowsPeek> peek_rows(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    auto& in = body.in;
    TRY(const auto kind, in.i32());
    if (kind != static_cast<std::int32_t>(ResultKind::rows))
        return fail(Errc::malformed, "a result without rows where rows are due");
    RowsPeek peek;
    peek.flags_at = at(in);
    TRY(peek.flags, in.u32());
    TRY(peek.column_count, read_count(in, "columns"));
    peek.paging_state_at = at(in);
    if (peek.has_more_pages()) {
        TRY(peek.paging_state, read_bytes(in));
    }
    peek.new_metadata_id_at = at(in);
    if (frame.version() == ProtocolVersion::v5 && (peek.flags & metadata_flag::kChanged)) {
        TRY(peek.new_metadata_id, read_short_bytes(in));
    }
    return peek;
}

std::uint32_t peek_rows_flags(const FrameView& frame) {
    if (frame.header.opcode != Opcode::result) return 0;
    std::size_t at = kHeaderSize;
    constexpr auto any = header_flag::kTracing | header_flag::kWarning | header_flag::kCustomPayload;
    if (frame.header.has(any)) {
        const auto prefix = read_response_prefix(frame);
        if (!prefix) return 0;
        at += prefix.value().size;
    }
    if (frame.is_compressed() || frame.whole.size() < at + 8) return 0;
    if (load_be<std::int32_t>(frame.whole.data() + at) != static_cast<std::int32_t>(ResultKind::rows)) return 0;
    return load_be<std::uint32_t>(frame.whole.data() + at + 4);
}

Result<PreparedPeek> peek_prepared(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::result));
    TRY(const auto kind, body.in.i32());
    if (kind != static_cast<std::int32_t>(ResultKind::prepared)) {
        return fail(Errc::malformed, "a result of another kind where a prepared one is due");
    }
    PreparedPeek peek;
    peek.id_at = at(body.in);
    TRY(peek.id, read_short_bytes(body.in));
    peek.result_metadata_id_at = at(body.in);
    if (frame.version() == ProtocolVersion::v5) {
        TRY(peek.result_metadata_id, read_short_bytes(body.in));
    }
    return peek;
}

Result<TypePtr> read_type(Reader& in) {
    return read_type_at(in, 0);
}

void write_type(Writer& out, const DataType& type) {
    if (!type.class_name.empty() || type.kind == TypeKind::vector || type.kind == TypeKind::custom) {
        out.u16(static_cast<std::uint16_t>(TypeKind::custom));
        write_string(out, type.class_name.empty() ? to_marshal_class(type) : type.class_name);
        return;
    }
    out.u16(static_cast<std::uint16_t>(type.kind));
    switch (type.kind) {
        case TypeKind::udt:
            write_string(out, type.keyspace);
            write_string(out, type.name);
            out.u16(static_cast<std::uint16_t>(type.elements.size()));
            for (std::size_t i = 0; i < type.elements.size(); ++i) {
                write_string(out, type.field_names[i]);
                write_type(out, *type.elements[i]);
            }
            return;
        case TypeKind::tuple:
            out.u16(static_cast<std::uint16_t>(type.elements.size()));
            break;
        default:
            break;
    }
    for (const auto& element : type.elements) write_type(out, *element);
}

TypePtr as_cassandra_sends(const TypePtr& type, ProtocolVersion version) {
    const bool newer_than_v3 = type->kind == TypeKind::date || type->kind == TypeKind::time ||
                               type->kind == TypeKind::smallint || type->kind == TypeKind::tinyint;
    const bool by_class = (newer_than_v3 && version == ProtocolVersion::v3) ||
                          (type->kind == TypeKind::duration && version != ProtocolVersion::v5) ||
                          type->kind == TypeKind::vector;
    const bool has_class = type->kind != TypeKind::custom && !type->class_name.empty();
    bool changed = by_class != has_class;
    std::vector<TypePtr> elements;
    for (const auto& element : type->elements) {
        elements.push_back(as_cassandra_sends(element, version));
        changed = changed || elements.back() != element;
    }
    if (!changed || type->kind == TypeKind::custom) return type;
    auto copy = std::make_shared<DataType>(*type);
    copy->elements = std::move(elements);
    copy->class_name = by_class ? to_marshal_class(*type) : "";
    return copy;
}

void encode_error(Bytes& out, const ResponseHead& head, const ErrorMessage& error) {
    auto frame = begin(out, head, Opcode::error);
    frame.body().i32(static_cast<std::int32_t>(error.code));
    write_clipped_string(frame.body(), error.message);
    std::visit(DetailWriter{frame.body(), head.version}, error.detail);
    frame.close();
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
