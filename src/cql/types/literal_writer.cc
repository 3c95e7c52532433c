#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "cql/types/big_integer.h"
#include "cql/types/calendar.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

enum class Style : std::uint8_t { literal, plain };

std::string quoted(std::string_view text, Style style) {
    if (style == Style::plain) return std::string(text);
    std::string out = "'";
    for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
    return out + "'";
}

std::string hex(BytesView value) {
    return "0x" + to_hex(value);
}

/// For values that no literal of their type means: blobAsInt(0x) is the empty int.
std::string from_blob(const DataType& type, BytesView value, Style style) {
    if (style == Style::plain) return value.empty() ? "" : hex(value);
    std::string name(to_string(type.kind));
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return "blobAs" + name + "(" + hex(value) + ")";
}

template <class T>
std::string float_text(T value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    auto text = fmt::format("{}", value);  // the shortest text that gives the same value again
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

Result<std::string> decimal_text(BytesView value) {
    if (value.size() > BigInteger::kMaxBytes)
        return fail(Errc::unsupported, fmt::format("a decimal of {} bytes as text", value.size()));
    const std::int64_t scale = load_be<std::int32_t>(value.data());
    auto digits = BigInteger::from_bytes(value.subspan(4)).to_string();
    if (scale == 0) return digits;
    const std::size_t sign = digits[0] == '-' ? 1 : 0;
    // As Java's BigDecimal.toString(): plain for ordinary scales, with an exponent otherwise, so that both unscaled
    // value and scale come back.
    if (scale < 0 || static_cast<std::int64_t>(digits.size() - sign) - scale < -6)
        return fmt::format("{}E{}{}", digits, scale < 0 ? "+" : "", -scale);
    const auto point = static_cast<std::size_t>(scale);
    if (digits.size() - sign <= point) digits.insert(sign, point + 1 - (digits.size() - sign), '0');
    digits.insert(digits.size() - point, 1, '.');
    return digits;
}

Result<std::string> write(const DataType& type, CellView cell, Style style);

Result<std::string> write_elements(const DataType& type, BytesView value, Style style) {
    const char* brackets = "[]";
    if (type.kind == TypeKind::set || type.kind == TypeKind::map || type.kind == TypeKind::udt) brackets = "{}";
    if (type.kind == TypeKind::tuple) brackets = "()";
    std::string out(1, brackets[0]);
    const auto start = [&](std::size_t index) {
        if (index > 0) out += ", ";
        if (type.kind == TypeKind::udt) out += quote_identifier(type.field_names[index]) + ": ";
    };
    Elements elements(type, value);
    std::size_t written = 0;
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) break;
        if (type.kind == TypeKind::map && element.index % 2 == 1) {
            out += ": ";
        } else {
            start(element.index);
        }
        TRY(auto text, write(*element.type, element.value,
                             style == Style::plain && element.type->is_text() ? Style::literal : style));
        out += text;
        ++written;
    }
    if (written == 0 && !type.elements.empty() && (type.kind == TypeKind::tuple || type.kind == TypeKind::udt)) {
        start(0);  // neither () nor an untyped {} would be a literal of this type
        out += "null";
    }
    out += brackets[1];
    return out;
}

Result<std::string> write(const DataType& type, CellView cell, Style style) {
    if (!cell.has_value()) return cell.is_null() ? "null" : "unset";
    const auto value = cell.bytes();
    if (type.has_elements()) return write_elements(type, value, style);
    switch (type.kind) {
        case TypeKind::text:
        case TypeKind::ascii: {
            // Text that is not UTF-8 (Cassandra stores some) cannot stand in a statement.
            if (!is_utf8(value)) return from_blob(type, value, style);
            return quoted(text_of(value), style);
        }
        case TypeKind::blob:
        case TypeKind::custom: return hex(value);
        default: break;
    }
    if (value.empty()) {
        if (type.kind == TypeKind::duration) return fail(Errc::malformed, "a duration of 0 bytes");
        return from_blob(type, value, style);
    }
    switch (type.kind) {
        case TypeKind::boolean: {
            TRY(const bool truth, decode_boolean(value));
            if (value[0] > 1 && style == Style::literal) return from_blob(type, value, style);
            return truth ? "true" : "false";
        }
        case TypeKind::tinyint: {
            TRY(const auto number, decode_tinyint(value));
            return std::to_string(number);
        }
        case TypeKind::smallint: {
            TRY(const auto number, decode_smallint(value));
            return std::to_string(number);
        }
        case TypeKind::int_: {
            TRY(const auto number, decode_int(value));
            return std::to_string(number);
        }
        case TypeKind::bigint:
        case TypeKind::counter: {
            TRY(const auto number, decode_bigint(value));
            return std::to_string(number);
        }
        case TypeKind::float_: {
            TRY(const auto number, decode_float(value));
            if (std::isnan(number) && load_be<std::uint32_t>(value.data()) != 0x7FC00000)
                return from_blob(type, value, style);
            return float_text(number);
        }
        case TypeKind::double_: {
            TRY(const auto number, decode_double(value));
            if (std::isnan(number) && load_be<std::uint64_t>(value.data()) != 0x7FF8000000000000)
                return from_blob(type, value, style);
            return float_text(number);
        }
        case TypeKind::varint: {
            if (value.size() > BigInteger::kMaxBytes)
                return fail(Errc::unsupported, fmt::format("a varint of {} bytes as text", value.size()));
            const auto number = BigInteger::from_bytes(value);
            // Sign bytes that say nothing would be lost in a number.
            if (style == Style::literal && !equal(number.to_bytes(), value)) return from_blob(type, value, style);
            return number.to_string();
        }
        case TypeKind::decimal: {
            if (value.size() < 4) return fail(Errc::malformed, fmt::format("a decimal of {} bytes", value.size()));
            const bool exact = value.size() > BigInteger::kMaxBytes ||
                               (equal(BigInteger::from_bytes(value.subspan(4)).to_bytes(), value.subspan(4)) &&
                                load_be<std::int32_t>(value.data()) != INT32_MIN);
            if (style == Style::literal && !exact) {
                return from_blob(type, value, style);
            }
            return decimal_text(value);
        }
        case TypeKind::uuid:
        case TypeKind::timeuuid: {
            TRY(const auto uuid, decode_uuid(value));
            if (type.kind == TypeKind::timeuuid && uuid.version() != 1) return from_blob(type, value, style);
            return to_string(uuid);
        }
        case TypeKind::inet: {
            TRY(const auto address, decode_inet(value));
            auto text = to_string(address);
            // Java reads an IPv4-mapped IPv6 address as IPv4.
            if (!address.is_v4() && text.starts_with("::ffff:") && text.find('.') != std::string::npos &&
                style == Style::literal) {
                return from_blob(type, value, style);
            }
            return quoted(text, style);
        }
        case TypeKind::timestamp: {
            TRY(const auto millis, decode_bigint(value));
            return has_timestamp_text(millis) ? quoted(timestamp_text(millis), style) : std::to_string(millis);
        }
        case TypeKind::date: {
            TRY(const auto days, decode_int(value));
            const auto unsigned_days = static_cast<std::uint32_t>(days);
            return has_date_text(unsigned_days) ? quoted(date_text(unsigned_days), style)
                                                : std::to_string(unsigned_days);
        }
        case TypeKind::time: {
            TRY(const auto nanos, decode_bigint(value));
            if (!has_time_text(nanos)) return from_blob(type, value, style);
            return quoted(time_text(nanos), style);
        }
        case TypeKind::duration: {
            TRY(const auto duration, decode_duration(value));
            const bool exact = equal(encode_duration(duration), value);
            if (!has_duration_text(duration) || (!exact && style == Style::literal))
                return from_blob(type, value, style);
            return duration_text(duration);
        }
        default: return hex(value);
    }
}

}  // namespace

Result<std::string> to_literal(const DataType& type, CellView value) {
    return write(type, value, Style::literal);
}

std::string to_text(const DataType& type, CellView value) {
    auto text = write(type, value, Style::plain);
    if (text) return std::move(text).value();
    return hex(value.bytes());
}

}  // namespace penumbra::cql
