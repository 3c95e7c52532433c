#include "cql/protocol/requests.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/assert.h"
#include "cql/protocol/cursor.h"

namespace penumbra::cql {
namespace {

/// Whether the frame is this request, and what stands in front of its message.
Status open(const FrameView& frame, Opcode opcode, RequestPrefix& prefix) {
    if (frame.header.opcode != opcode) {
        return fail(Errc::malformed,
                    fmt::format("{} where {} is due", to_string(frame.header.opcode), to_string(opcode)));
    }
    if (!frame.header.has(header_flag::kCompressed | header_flag::kCustomPayload)) return ok();
    TRY(prefix, read_request_prefix(frame));
    return ok();
}

/// [short n] and n values, names in front of them where they have any (native_protocol_v4.spec 4.1.4).
ValuesView read_values(Cursor& in, ValuesView::Named named, ProtocolVersion version) {
    const auto count = in.u16();
    const auto start = in.position();
    if (named == ValuesView::Named::no) {
        in.pass_values(count);
    } else {
        for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
            in.string();
            in.pass_value();
        }
    }
    return ValuesView(count, named, version, start, in.since(start));
}

/// native_protocol_v5.spec 4.1.4, <query_parameters>. Also what ends a BATCH: Cassandra reads that with the same code,
/// values and all. It is the end of its message, so the cursor is judged here.
/// Every field is set, so that the view may be one that was used before.
Status read_parameters(Cursor& in, ProtocolVersion version, ParametersView& p) {
    p.version = version;
    p.consistency_at = in.position();
    p.consistency = in.consistency();
    p.flags_at = in.position();
    p.flags = version == ProtocolVersion::v5 ? in.u32() : in.u8();
    p.values_at = in.position();
    p.values = {};
    if (p.has(query_flag::kValues)) {
        const auto named = p.has(query_flag::kNames) ? ValuesView::Named::yes : ValuesView::Named::no;
        p.values = read_values(in, named, version);
    }
    p.page_size_at = in.position();
    p.page_size.reset();
    if (p.has(query_flag::kPageSize)) p.page_size = in.i32();
    p.paging_state_at = in.position();
    p.paging_state.reset();
    if (p.has(query_flag::kPagingState)) p.paging_state = in.bytes();
    p.serial_consistency_at = in.position();
    p.serial_consistency.reset();
    if (p.has(query_flag::kSerialConsistency)) p.serial_consistency = in.consistency();
    p.timestamp_at = in.position();
    p.timestamp.reset();
    if (p.has(query_flag::kTimestamp)) {
        p.timestamp = in.i64();
        // Both servers refuse the one value that means "none" to them.
        if (*p.timestamp == INT64_MIN) return fail(Errc::malformed, "a default timestamp out of range");
    }
    p.keyspace_at = in.position();
    p.keyspace.reset();
    if (p.has(query_flag::kKeyspace)) p.keyspace = in.string();
    p.now_in_seconds_at = in.position();
    p.now_in_seconds.reset();
    if (p.has(query_flag::kNowInSeconds)) p.now_in_seconds = in.i32();
    p.end = in.position();
    return in.ok() ? ok() : in.status();
}

std::uint8_t head_flags(const RequestHead& head) {
    const bool payload = !head.payload.empty();
    return static_cast<std::uint8_t>(head.flags | (payload ? header_flag::kCustomPayload : 0));
}

/// A request frame begun, up to where its message starts.
FrameBuilder begin(Bytes& out, const RequestHead& head, Opcode opcode) {
    FrameBuilder frame(out, Direction::request, head.version, head_flags(head), head.stream, opcode);
    if (!head.payload.empty()) write_bytes_map(frame.body(), head.payload);
    return frame;
}

void write_values(Writer& out, std::span<const CellView> values, std::span<const std::string_view> names) {
    ASSERT(values.size() <= 0xFFFF && (names.empty() || names.size() == values.size()));
    out.u16(static_cast<std::uint16_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!names.empty()) write_string(out, names[i]);
        write_value(out, values[i]);
    }
}

void write_parameters(Writer& out, ProtocolVersion version, const Parameters& p) {
    const bool v5 = version == ProtocolVersion::v5;
    std::uint32_t flags = 0;
    if (!p.values.empty() || p.empty_values) flags |= query_flag::kValues;
    if (!p.names.empty()) flags |= query_flag::kNames;
    if (p.skip_metadata) flags |= query_flag::kSkipMetadata;
    if (p.page_size) flags |= query_flag::kPageSize;
    if (p.paging_state) flags |= query_flag::kPagingState;
    if (p.serial_consistency) flags |= query_flag::kSerialConsistency;
    if (p.timestamp) flags |= query_flag::kTimestamp;
    if (p.keyspace) flags |= query_flag::kKeyspace;
    if (p.now_in_seconds && v5) flags |= query_flag::kNowInSeconds;

    write_consistency(out, p.consistency);
    if (v5) {
        out.u32(flags);
    } else {
        out.u8(static_cast<std::uint8_t>(flags));
    }
    if (flags & query_flag::kValues) write_values(out, p.values, p.names);
    if (p.page_size) out.i32(*p.page_size);
    if (p.paging_state) write_value(out, *p.paging_state);
    if (p.serial_consistency) write_consistency(out, *p.serial_consistency);
    if (p.timestamp) out.i64(*p.timestamp);
    if (p.keyspace) write_string(out, *p.keyspace);
    if (flags & query_flag::kNowInSeconds) out.i32(*p.now_in_seconds);
}

bool same_key(std::string_view a, std::string_view b) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return std::ranges::equal(a, b, {}, upper, upper);
}

}  // namespace

BoundValue ValuesView::value_at(std::uint32_t offset) const {
    const Byte* at = bytes_.data() + offset;
    BoundValue bound;
    bound.at = at_ + offset;
    if (named()) bound.name = packed::take_string(at);
    const auto size = load_be<std::int32_t>(at);
    at += 4;
    if (size >= 0) {
        bound.value = BytesView(at, static_cast<std::size_t>(size));
        at += size;
    } else if (size == -2 && version_ != ProtocolVersion::v3) {
        bound.value = CellView::unset();
    }
    bound.size = static_cast<std::uint32_t>(at - (bytes_.data() + offset));
    return bound;
}

std::optional<BoundValue> ValuesView::nth(std::size_t n) const {
    if (n >= count_) return std::nullopt;
    auto it = begin();
    while (n-- > 0) ++it;
    return *it;
}

std::optional<BoundValue> ValuesView::by_name(std::string_view name) const {
    if (!named()) return std::nullopt;
    for (const auto bound : *this) {
        if (bound.name == name) return bound;
    }
    return std::nullopt;
}

BatchChild BatchChildren::take(std::uint32_t& offset) const {
    const Byte* const base = bytes_.data();
    const Byte* at = base + offset;
    const auto place = [&] { return at_ + static_cast<std::uint32_t>(at - base); };
    BatchChild child;
    child.prepared = *at++ != 0;
    child.statement_at = place();
    if (child.prepared) {
        child.id = bytes_of(packed::take_string(at));
    } else {
        const auto size = load_be<std::uint32_t>(at);
        child.query = text_of(BytesView(at + 4, size));
        at += 4 + size;
    }
    child.values_at = place();
    const auto count = load_be<std::uint16_t>(at);
    at += 2;
    const Byte* const values = at;
    for (std::uint16_t i = 0; i < count; ++i) packed::take_bytes(at);
    child.values = ValuesView(count, ValuesView::Named::no, version_, child.values_at + 2,
                              BytesView(values, static_cast<std::size_t>(at - values)));
    offset = static_cast<std::uint32_t>(at - base);
    return child;
}

std::optional<std::string_view> StartupView::option(std::string_view key) const {
    for (const auto [name, value] : options) {
        if (same_key(name, key)) return value;
    }
    return std::nullopt;
}

std::string_view to_string(BatchType type) {
    switch (type) {
        case BatchType::logged:
            return "LOGGED";
        case BatchType::unlogged:
            return "UNLOGGED";
        case BatchType::counter:
            return "COUNTER";
    }
    return "BATCH";
}

Result<RequestPrefix> read_request_prefix(const FrameView& frame) {
    if (frame.is_compressed()) return fail(Errc::malformed, "the frame has to be decompressed first");
    RequestPrefix prefix;
    if (frame.header.has(header_flag::kCustomPayload) && frame.version() != ProtocolVersion::v3) {
        Reader in(frame.body());
        TRY(prefix.payload, read_bytes_map(in));
        prefix.size = static_cast<std::uint32_t>(in.position());
    }
    return prefix;
}

Result<StartupView> decode_startup(const FrameView& frame) {
    RequestPrefix prefix;
    TRY(open(frame, Opcode::startup, prefix));
    Reader in(frame.body().subspan(prefix.size));
    TRY(const auto options, read_string_map(in));
    return StartupView{options};
}

Result<AuthResponseView> decode_auth_response(const FrameView& frame) {
    RequestPrefix prefix;
    TRY(open(frame, Opcode::auth_response, prefix));
    Cursor in(frame.body(), prefix.size);
    const auto token = in.bytes();
    TRY(in.status());
    return AuthResponseView{token};
}

Result<RegisterView> decode_register(const FrameView& frame) {
    RequestPrefix prefix;
    TRY(open(frame, Opcode::register_, prefix));
    Reader in(frame.body().subspan(prefix.size));
    TRY(const auto events, read_string_list(in));
    return RegisterView{events};
}

Result<QueryView> decode_query(const FrameView& frame) {
    QueryView view;
    TRY(open(frame, Opcode::query, view.prefix));
    Cursor in(frame.body(), view.prefix.size);
    view.query_at = in.position();
    view.query = in.long_string();
    TRY(read_parameters(in, frame.version(), view.parameters));
    return view;
}

Result<PrepareView> decode_prepare(const FrameView& frame) {
    PrepareView view;
    TRY(open(frame, Opcode::prepare, view.prefix));
    Cursor in(frame.body(), view.prefix.size);
    view.query_at = in.position();
    view.query = in.long_string();
    // Cassandra reads the flags only where there are bytes for them.
    if (frame.version() == ProtocolVersion::v5 && !in.done()) {
        view.flags = in.u32();
        if (view.flags & 1) view.keyspace = in.string();
    }
    TRY(in.status());
    return view;
}

// Flattened: the cursor then lives in registers.
[[gnu::flatten]] Status decode_execute(const FrameView& frame, RequestPrefix& prefix, ExecutedView& executed,
                                       ParametersView& parameters) {
    prefix = {};
    if (frame.header.opcode != Opcode::execute ||
        frame.header.has(header_flag::kCompressed | header_flag::kCustomPayload)) {
        TRY(open(frame, Opcode::execute, prefix));
    }
    Cursor in(frame.body(), prefix.size);
    executed.id_at = in.position();
    executed.id = in.short_bytes();
    executed.result_metadata_id_at = in.position();
    executed.result_metadata_id.reset();
    if (frame.version() == ProtocolVersion::v5) executed.result_metadata_id = in.short_bytes();
    return read_parameters(in, frame.version(), parameters);
}

Result<ExecuteView> decode_execute(const FrameView& frame) {
    ExecuteView view;
    TRY(decode_execute(frame, view.prefix, view, view.parameters));
    return view;
}

Result<BatchView> decode_batch(const FrameView& frame) {
    BatchView view;
    TRY(open(frame, Opcode::batch, view.prefix));
    Cursor in(frame.body(), view.prefix.size);
    const auto type = in.u8();
    // ScyllaDB takes any other type too (CQL-FACTS 1.5), but no driver sends one and Cassandra refuses it.
    if (type > static_cast<std::uint8_t>(BatchType::counter))
        return fail(Errc::malformed, fmt::format("no batch type has code {}", type));
    view.type = static_cast<BatchType>(type);
    const auto count = in.u16();
    const auto start = in.position();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
        const auto kind = in.u8();
        if (kind == 0) {
            in.long_string();
        } else if (kind == 1) {
            in.short_bytes();
        } else {
            return fail(Errc::malformed, fmt::format("no kind of batched statement has code {}", kind));
        }
        read_values(in, ValuesView::Named::no, frame.version());
    }
    view.children = BatchChildren(count, frame.version(), start, in.since(start));
    TRY(read_parameters(in, frame.version(), view.parameters));
    return view;
}

void encode_startup(Bytes& out, const RequestHead& head, const StringPairs& options) {
    auto frame = begin(out, head, Opcode::startup);
    write_string_map(frame.body(), options);
    frame.close();
}

void encode_options(Bytes& out, const RequestHead& head) {
    begin(out, head, Opcode::options).close();
}

void encode_auth_response(Bytes& out, const RequestHead& head, CellView token) {
    auto frame = begin(out, head, Opcode::auth_response);
    write_value(frame.body(), token);
    frame.close();
}

void encode_register(Bytes& out, const RequestHead& head, std::span<const std::string_view> events) {
    auto frame = begin(out, head, Opcode::register_);
    write_string_list(frame.body(), events);
    frame.close();
}

void encode_query(Bytes& out, const RequestHead& head, std::string_view query, const Parameters& parameters) {
    auto frame = begin(out, head, Opcode::query);
    write_long_string(frame.body(), query);
    write_parameters(frame.body(), head.version, parameters);
    frame.close();
}

void encode_prepare(Bytes& out, const RequestHead& head, std::string_view query,
                    std::optional<std::string_view> keyspace) {
    auto frame = begin(out, head, Opcode::prepare);
    write_long_string(frame.body(), query);
    if (head.version == ProtocolVersion::v5) {
        frame.body().u32(keyspace ? 1 : 0);
        if (keyspace) write_string(frame.body(), *keyspace);
    }
    frame.close();
}

void encode_execute(Bytes& out, const RequestHead& head, BytesView id, BytesView result_metadata_id,
                    const Parameters& parameters) {
    auto frame = begin(out, head, Opcode::execute);
    write_short_bytes(frame.body(), id);
    if (head.version == ProtocolVersion::v5) write_short_bytes(frame.body(), result_metadata_id);
    write_parameters(frame.body(), head.version, parameters);
    frame.close();
}

void encode_batch(Bytes& out, const RequestHead& head, BatchType type, std::span<const BatchStatement> statements,
                  const Parameters& parameters) {
    ASSERT(statements.size() <= 0xFFFF);
    auto frame = begin(out, head, Opcode::batch);
    auto& body = frame.body();
    body.u8(static_cast<std::uint8_t>(type));
    body.u16(static_cast<std::uint16_t>(statements.size()));
    for (const auto& statement : statements) {
        if (statement.id.empty()) {
            body.u8(0);
            write_long_string(body, statement.query);
        } else {
            body.u8(1);
            write_short_bytes(body, statement.id);
        }
        write_values(body, statement.values, {});
    }
    write_parameters(body, head.version, parameters);
    frame.close();
}

}  // namespace penumbra::cql
