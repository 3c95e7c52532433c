#include "cql/protocol/notation.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace penumbra::cql {
namespace {

/// What is read from `start` to where `in` has got to.
BytesView between(const Reader& start, const Reader& in) {
    return start.rest().first(in.position() - start.position());
}

}  // namespace

Result<std::string_view> read_string(Reader& in) {
    TRY(const auto size, in.u16());
    TRY(const auto bytes, in.take(size));
    return text_of(bytes);
}

Result<std::string_view> read_long_string(Reader& in) {
    TRY(const auto size, in.i32());
    if (size < 0) return fail(Errc::malformed, fmt::format("a long string of length {}", size));
    TRY(const auto bytes, in.take(static_cast<std::size_t>(size)));
    return text_of(bytes);
}

Result<CellView> read_bytes(Reader& in) {
    TRY(const auto size, in.i32());
    if (size < 0) return CellView::null();
    TRY(const auto bytes, in.take(static_cast<std::size_t>(size)));
    return CellView(bytes);
}

Result<CellView> read_value(Reader& in, ProtocolVersion version) {
    TRY(const auto size, in.i32());
    if (size == -1) return CellView::null();
    if (size == -2) return version == ProtocolVersion::v3 ? CellView::null() : CellView::unset();
    if (size < 0) return fail(Errc::malformed, fmt::format("a value of length {}", size));
    TRY(const auto bytes, in.take(static_cast<std::size_t>(size)));
    return CellView(bytes);
}

Result<BytesView> read_short_bytes(Reader& in) {
    TRY(const auto size, in.u16());
    return in.take(size);
}

Result<Uuid> read_uuid(Reader& in) {
    TRY(const auto bytes, in.take(16));
    return Uuid::from_bytes(bytes);
}

Result<Consistency> read_consistency(Reader& in) {
    TRY(const auto code, in.u16());
    if (code > static_cast<std::uint16_t>(Consistency::local_one)) {
        return fail(Errc::malformed, fmt::format("no consistency level has code {}", code));
    }
    return static_cast<Consistency>(code);
}

Result<InetAddress> read_inet_address(Reader& in) {
    TRY(const auto size, in.u8());
    TRY(const auto bytes, in.take(size));
    return InetAddress::from_bytes(bytes);
}

Result<Endpoint> read_inet(Reader& in) {
    TRY(const auto address, read_inet_address(in));
    TRY(const auto port, in.i32());
    return Endpoint{address, port};
}

namespace packed {

std::string_view take_string(const Byte*& at) {
    const std::size_t size = load_be<std::uint16_t>(at);
    const auto text = text_of(BytesView(at + 2, size));
    at += 2 + size;
    return text;
}

CellView take_bytes(const Byte*& at) {
    const auto size = load_be<std::int32_t>(at);
    at += 4;
    if (size < 0) return CellView::null();
    const BytesView bytes(at, static_cast<std::size_t>(size));
    at += size;
    return bytes;
}

StringAndList::type StringAndList::take(const Byte*& at) {
    const auto key = take_string(at);
    const std::size_t count = load_be<std::uint16_t>(at);
    at += 2;
    const auto* start = at;
    for (std::size_t i = 0; i < count; ++i) take_string(at);
    return {key, Packed<String>(count, BytesView(start, static_cast<std::size_t>(at - start)))};
}

}  // namespace packed

Result<StringListView> read_string_list(Reader& in) {
    TRY(const std::size_t count, in.u16());
    const auto start = in;
    for (std::size_t i = 0; i < count; ++i) {
        TRY(read_string(in));
    }
    return StringListView(count, between(start, in));
}

Result<StringMapView> read_string_map(Reader& in) {
    TRY(const std::size_t count, in.u16());
    const auto start = in;
    for (std::size_t i = 0; i < count * 2; ++i) {
        TRY(read_string(in));
    }
    return StringMapView(count, between(start, in));
}

Result<StringMultimapView> read_string_multimap(Reader& in) {
    TRY(const std::size_t count, in.u16());
    const auto start = in;
    for (std::size_t i = 0; i < count; ++i) {
        TRY(read_string(in));
        TRY(read_string_list(in));
    }
    return StringMultimapView(count, between(start, in));
}

Result<BytesMapView> read_bytes_map(Reader& in) {
    TRY(const std::size_t count, in.u16());
    const auto start = in;
    for (std::size_t i = 0; i < count; ++i) {
        TRY(read_string(in));
        TRY(read_bytes(in));
    }
    return BytesMapView(count, between(start, in));
}

void write_string(Writer& out, std::string_view text) {
    ASSERT(text.size() <= 0xFFFF);
    out.u16(static_cast<std::uint16_t>(text.size()));
    out.raw(text);
}

void write_clipped_string(Writer& out, std::string_view text) {
    if (text.size() > 0xFFFF) {
        std::size_t end = 0xFFFF;
        while (end > 0xFFFC && (static_cast<Byte>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
        text = text.substr(0, end);
    }
    write_string(out, text);
}

void write_long_string(Writer& out, std::string_view text) {
    out.i32(static_cast<std::int32_t>(text.size()));
    out.raw(text);
}

void write_value(Writer& out, CellView value) {
    if (!value.has_value()) return out.i32(value.is_null() ? -1 : -2);
    out.i32(static_cast<std::int32_t>(value.bytes().size()));
    out.raw(value.bytes());
}

void write_short_bytes(Writer& out, BytesView bytes) {
    write_string(out, text_of(bytes));
}
void write_uuid(Writer& out, const Uuid& uuid) {
    out.raw(uuid.view());
}
void write_consistency(Writer& out, Consistency consistency) {
    out.u16(static_cast<std::uint16_t>(consistency));
}

void write_inet_address(Writer& out, const InetAddress& address) {
    out.u8(address.size);
    out.raw(address.view());
}

void write_inet(Writer& out, const Endpoint& endpoint) {
    write_inet_address(out, endpoint.address);
    out.i32(endpoint.port);
}

void write_string_list(Writer& out, std::span<const std::string_view> strings) {
    ASSERT(strings.size() <= 0xFFFF);
    out.u16(static_cast<std::uint16_t>(strings.size()));
    for (const auto text : strings) write_string(out, text);
}

void write_string_map(Writer& out, const StringPairs& pairs) {
    ASSERT(pairs.size() <= 0xFFFF);
    out.u16(static_cast<std::uint16_t>(pairs.size()));
    for (const auto& [key, value] : pairs) {
        write_string(out, key);
        write_string(out, value);
    }
}

void write_string_multimap(Writer& out, const StringLists& lists) {
    ASSERT(lists.size() <= 0xFFFF);
    out.u16(static_cast<std::uint16_t>(lists.size()));
    for (const auto& [key, values] : lists) {
        write_string(out, key);
        write_string_list(out, values);
    }
}

void write_bytes_map(Writer& out, const BytesPairs& pairs) {
    ASSERT(pairs.size() <= 0xFFFF);
    out.u16(static_cast<std::uint16_t>(pairs.size()));
    for (const auto& [key, value] : pairs) {
        write_string(out, key);
        write_value(out, value);
    }
}

}  // namespace penumbra::cql
