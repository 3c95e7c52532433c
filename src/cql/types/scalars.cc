#include "cql/types/scalars.h"

#include <bit>
#include <string>

#include "cql/types/elements.h"

namespace penumbra::cql {
namespace {

Status expect_size(BytesView value, std::size_t size, std::string_view what) {
    if (value.size() == size) return ok();
    return fail(Errc::malformed, std::string(what) + " of " + std::to_string(value.size()) + " bytes instead of " +
                                     std::to_string(size));
}

template <class T>
Bytes big_endian(T value) {
    Bytes bytes(sizeof(T));
    store_be(bytes.data(), value);
    return bytes;
}

std::int64_t unzigzag(std::uint64_t n) {
    return static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1);
}
std::uint64_t zigzag(std::int64_t n) {
    return static_cast<std::uint64_t>(n) << 1 ^ static_cast<std::uint64_t>(n >> 63);
}

}  // namespace

Result<bool> decode_boolean(BytesView value) {
    TRY(expect_size(value, 1, "a boolean"));
    return value[0] != 0;
}
Result<std::int8_t> decode_tinyint(BytesView value) {
    TRY(expect_size(value, 1, "a tinyint"));
    return static_cast<std::int8_t>(value[0]);
}
Result<std::int16_t> decode_smallint(BytesView value) {
    TRY(expect_size(value, 2, "a smallint"));
    return load_be<std::int16_t>(value.data());
}
Result<std::int32_t> decode_int(BytesView value) {
    TRY(expect_size(value, 4, "an int"));
    return load_be<std::int32_t>(value.data());
}
Result<std::int64_t> decode_bigint(BytesView value) {
    TRY(expect_size(value, 8, "a bigint"));
    return load_be<std::int64_t>(value.data());
}
Result<float> decode_float(BytesView value) {
    TRY(expect_size(value, 4, "a float"));
    return std::bit_cast<float>(load_be<std::uint32_t>(value.data()));
}
Result<double> decode_double(BytesView value) {
    TRY(expect_size(value, 8, "a double"));
    return std::bit_cast<double>(load_be<std::uint64_t>(value.data()));
}
Result<std::string_view> decode_text(BytesView value) {
    if (!is_utf8(value)) return fail(Errc::malformed, "text that is not UTF-8");
    return text_of(value);
}
Result<Uuid> decode_uuid(BytesView value) {
    return Uuid::from_bytes(value);
}
Result<InetAddress> decode_inet(BytesView value) {
    return InetAddress::from_bytes(value);
}

Result<std::vector<std::string>> decode_text_list(BytesView value) {
    static const TypePtr type = list_of(scalar(TypeKind::text));
    std::vector<std::string> texts;
    Elements elements(*type, value);
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return texts;
        TRY(const auto text, decode_text(element.value.bytes()));
        texts.emplace_back(text);
    }
}

Result<std::map<std::string, std::string>> decode_text_map(BytesView value) {
    static const TypePtr type = map_of(scalar(TypeKind::text), scalar(TypeKind::text));
    std::map<std::string, std::string> texts;
    std::string key;
    Elements elements(*type, value);
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return texts;
        TRY(const auto text, decode_text(element.value.bytes()));
        if (element.index % 2 == 0) {
            key = text;
        } else {
            texts.insert_or_assign(std::move(key), std::string(text));
        }
    }
}

// native_protocol_v5.spec 6.4: three vints, zigzagged.
Result<Duration> decode_duration(BytesView value) {
    Reader in(value);
    TRY(const auto months, read_unsigned_vint(in));
    TRY(const auto days, read_unsigned_vint(in));
    TRY(const auto nanos, read_unsigned_vint(in));
    const auto m = unzigzag(months);
    const auto d = unzigzag(days);
    const auto n = unzigzag(nanos);
    if (m < INT32_MIN || m > INT32_MAX || d < INT32_MIN || d > INT32_MAX) {
        return fail(Errc::malformed, "a duration's months or days are over 32 bits");
    }
    if ((m < 0 || d < 0 || n < 0) && (m > 0 || d > 0 || n > 0)) {
        return fail(Errc::malformed, "a duration's parts have different signs");
    }
    return Duration{static_cast<std::int32_t>(m), static_cast<std::int32_t>(d), n};
}

Bytes encode_boolean(bool value) {
    return {static_cast<Byte>(value ? 1 : 0)};
}
Bytes encode_tinyint(std::int8_t value) {
    return {static_cast<Byte>(value)};
}
Bytes encode_smallint(std::int16_t value) {
    return big_endian(value);
}
Bytes encode_int(std::int32_t value) {
    return big_endian(value);
}
Bytes encode_bigint(std::int64_t value) {
    return big_endian(value);
}
Bytes encode_float(float value) {
    return big_endian(std::bit_cast<std::uint32_t>(value));
}
Bytes encode_double(double value) {
    return big_endian(std::bit_cast<std::uint64_t>(value));
}
Bytes encode_text(std::string_view value) {
    const auto bytes = bytes_of(value);
    return {bytes.begin(), bytes.end()};
}
Bytes encode_uuid(const Uuid& value) {
    return {value.bytes.begin(), value.bytes.end()};
}
Bytes encode_inet(const InetAddress& value) {
    const auto bytes = value.view();
    return {bytes.begin(), bytes.end()};
}
Bytes encode_duration(const Duration& value) {
    Bytes bytes;
    Writer out(bytes);
    write_unsigned_vint(out, zigzag(value.months));
    write_unsigned_vint(out, zigzag(value.days));
    write_unsigned_vint(out, zigzag(value.nanos));
    return bytes;
}
Bytes encode_text_list(const std::vector<std::string>& values) {
    static const TypePtr type = list_of(scalar(TypeKind::text));
    ElementsBuilder builder(*type);
    for (const auto& value : values) builder.add(bytes_of(value));
    return std::move(builder).finish();
}
Bytes encode_text_map(const std::map<std::string, std::string>& values) {
    static const TypePtr type = map_of(scalar(TypeKind::text), scalar(TypeKind::text));
    ElementsBuilder builder(*type);
    for (const auto& [key, value] : values) {
        builder.add(bytes_of(key));
        builder.add(bytes_of(value));
    }
    return std::move(builder).finish();
}

bool is_utf8(BytesView bytes) {
    for (std::size_t i = 0; i < bytes.size();) {
        const Byte first = bytes[i];
        if (first < 0x80) {
            ++i;
            continue;
        }
        const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        if (first < 0xC2 || first > 0xF4 || bytes.size() - i < size) return false;
        for (std::size_t j = 1; j < size; ++j) {
            if ((bytes[i + j] & 0xC0) != 0x80) return false;
        }
        const Byte second = bytes[i + 1];
        if (first == 0xE0 && second < 0xA0) return false;  // overlong
        if (first == 0xED && second > 0x9F) return false;  // surrogates
        if (first == 0xF0 && second < 0x90) return false;  // overlong
        if (first == 0xF4 && second > 0x8F) return false;  // past U+10FFFF
        i += size;
    }
    return true;
}

Result<std::uint64_t> read_unsigned_vint(Reader& in) {
    TRY(const auto first, in.u8());
    const int extra = std::countl_one(first);
    std::uint64_t value = extra >= 7 ? 0 : first & (0x7F >> extra);
    TRY(const auto rest, in.take(static_cast<std::size_t>(extra)));
    for (const Byte byte : rest) value = value << 8 | byte;
    return value;
}

void write_unsigned_vint(Writer& out, std::uint64_t value) {
    int extra = 0;
    while (extra < 8 && value >> (7 * (extra + 1)) != 0) ++extra;
    // With 8 bytes behind it, the first byte holds nothing but its ones.
    const auto ones = static_cast<std::uint8_t>(extra == 0 ? 0 : 0xFF << (8 - extra));
    const auto top = static_cast<std::uint8_t>(extra >= 8 ? 0 : value >> (8 * extra));
    out.u8(static_cast<std::uint8_t>(ones | top));
    for (int i = extra - 1; i >= 0; --i) out.u8(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace penumbra::cql
