#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cql/types/big_integer.h"
#include "cql/types/calendar.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

auto not_a(const DataType& type, std::string_view text) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no {}", text.substr(0, 100), to_string(type.kind)));
}

bool is_integer(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// -?digits[.digits][e[+-]digits], also `1.`, as the lexers of both servers have it.
struct FloatParts {
    std::string_view whole;  ///< with the sign
    std::string_view fraction;
    std::string_view exponent;  ///< with its sign, without the e
};
std::optional<FloatParts> split_float(std::string_view text) {
    FloatParts parts;
    const auto digits_from = [&](std::size_t at) {
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
        return at;
    };
    const std::size_t sign = text.starts_with('-') ? 1 : 0;
    auto at = digits_from(sign);
    if (at == sign) return std::nullopt;
    parts.whole = text.substr(0, at);
    if (at < text.size() && text[at] == '.') {
        const auto end = digits_from(at + 1);
        parts.fraction = text.substr(at + 1, end - at - 1);
        at = end;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        const auto start = at + 1;
        const auto digits = start < text.size() && (text[start] == '+' || text[start] == '-') ? start + 1 : start;
        at = digits_from(digits);
        if (at == digits) return std::nullopt;
        parts.exponent = text.substr(text[start] == '+' ? digits : start, at - (text[start] == '+' ? digits : start));
    }
    if (at != text.size()) return std::nullopt;
    return parts;
}

template <class T>
Result<Bytes> integer(const DataType& type, std::string_view text) {
    T value = 0;
    if (!is_integer(text)) return not_a(type, text);
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return not_a(type, text);
    Bytes bytes(sizeof(T));
    store_be(bytes.data(), value);
    return bytes;
}

template <class T>
Result<T> floating(const DataType& type, std::string_view text) {
    const auto word = lower(text);
    if (word == "nan" || word == "-nan") return std::numeric_limits<T>::quiet_NaN();
    if (word == "infinity") return std::numeric_limits<T>::infinity();
    if (word == "-infinity") return -std::numeric_limits<T>::infinity();
    if (!split_float(text)) return not_a(type, text);
    T value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec == std::errc::result_out_of_range) {
        // Too large is infinity and too small is zero to Java; strtod tells which it is.
        const auto rounded = std::strtod(std::string(text).c_str(), nullptr);
        return static_cast<T>(rounded);
    }
    if (parsed.ec != std::errc()) return not_a(type, text);
    return value;
}

Result<Bytes> decimal(const DataType& type, std::string_view text) {
    const auto parts = split_float(text);
    if (!parts) return not_a(type, text);
    std::int64_t exponent = 0;
    if (!parts->exponent.empty()) {
        const auto end = parts->exponent.data() + parts->exponent.size();
        if (std::from_chars(parts->exponent.data(), end, exponent).ec != std::errc() ||
            exponent > INT64_C(0x100000000) || exponent < -INT64_C(0x100000000)) {
            return not_a(type, text);
        }
    }
    const std::int64_t scale = static_cast<std::int64_t>(parts->fraction.size()) - exponent;
    if (scale <= INT32_MIN || scale > INT32_MAX)
        return not_a(type, text);  // Java's BigDecimal cannot read its smallest scale
    TRY(const auto unscaled, BigInteger::parse(std::string(parts->whole).append(parts->fraction)));
    Bytes bytes(4);
    store_be(bytes.data(), static_cast<std::int32_t>(scale));
    const auto digits = unscaled.to_bytes();
    bytes.insert(bytes.end(), digits.begin(), digits.end());
    return bytes;
}

Result<Bytes> hexadecimal(const DataType& type, std::string_view text) {
    if (!text.starts_with("0x") && !text.starts_with("0X")) return not_a(type, text);
    return from_hex(text.substr(2));
}

/// What a time is in that names no zone: a server takes the one it runs in.
enum class NoZone : std::uint8_t { is_utc, is_unknown };

/// What quotes enclose, for the types that take strings.
Result<Bytes> from_string(const DataType& type, std::string_view text, NoZone no_zone) {
    switch (type.kind) {
        case TypeKind::text:
        case TypeKind::ascii: {
            TRY(validate(type, bytes_of(text)));
            return encode_text(text);
        }
        case TypeKind::timestamp: {
            if (lower(text) == "now") return fail(Errc::unsupported, "the timestamp 'now' is another value each time");
            TRY(const auto millis, parse_timestamp(text));
            if (no_zone == NoZone::is_unknown && lacks_zone(text))
                return fail(Errc::unsupported, "a time without a zone is in that of the server");
            return encode_bigint(millis);
        }
        case TypeKind::date: {
            TRY(const auto days, parse_date(text));
            return encode_int(static_cast<std::int32_t>(days));
        }
        case TypeKind::time: {
            TRY(const auto nanos, parse_time(text));
            return encode_bigint(nanos);
        }
        case TypeKind::inet: {
            TRY(const auto address, InetAddress::parse(text));
            // Java makes an IPv4 address of an IPv4-mapped one.
            static constexpr Byte kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
            if (!address.is_v4() && equal(address.view().first(12), kMapped)) {
                const auto v4 = address.view().subspan(12);
                return Bytes(v4.begin(), v4.end());
            }
            return encode_inet(address);
        }
        default: return fail(Errc::invalid_argument, fmt::format("a string is no {}", to_string(type.kind)));
    }
}

/// A term without quotes or brackets.
Result<Bytes> from_word(const DataType& type, std::string_view text) {
    switch (type.kind) {
        case TypeKind::tinyint: return integer<std::int8_t>(type, text);
        case TypeKind::smallint: return integer<std::int16_t>(type, text);
        case TypeKind::int_: return integer<std::int32_t>(type, text);
        case TypeKind::bigint:
        case TypeKind::counter: return integer<std::int64_t>(type, text);
        case TypeKind::varint: {
            if (!is_integer(text)) return not_a(type, text);
            TRY(const auto number, BigInteger::parse(text));
            return number.to_bytes();
        }
        case TypeKind::decimal: return decimal(type, text);
        case TypeKind::float_: {
            TRY(const auto number, floating<float>(type, text));
            return encode_float(number);
        }
        case TypeKind::double_: {
            TRY(const auto number, floating<double>(type, text));
            return encode_double(number);
        }
        case TypeKind::boolean: {
            const auto word = lower(text);
            if (word != "true" && word != "false") return not_a(type, text);
            return encode_boolean(word == "true");
        }
        case TypeKind::uuid:
        case TypeKind::timeuuid: {
            TRY(const auto uuid, Uuid::parse(text));
            if (type.kind == TypeKind::timeuuid && uuid.version() != 1) return not_a(type, text);
            return encode_uuid(uuid);
        }
        case TypeKind::blob:
        case TypeKind::custom: return hexadecimal(type, text);
        case TypeKind::timestamp:
        case TypeKind::date:
        case TypeKind::time: {
            if (!is_integer(text)) return not_a(type, text);
            return from_string(type, text, NoZone::is_utc);
        }
        case TypeKind::duration: {
            TRY(const auto duration, parse_duration(text));
            return encode_duration(duration);
        }
        default: return not_a(type, text);
    }
}

/// Reads one term of CQL against the type that it has to have.
class LiteralParser {
  public:
    LiteralParser(std::string_view text, NoZone no_zone) : text_(text), no_zone_(no_zone) {}

    Result<Bytes> parse(const DataType& type) {
        TRY(auto cell, term(type, 0));
        skip_space();
        if (at_ != text_.size()) return trouble("text left over");
        if (!cell) return fail(Errc::invalid_argument, "null is no value");
        return *std::move(cell);
    }

  private:
    Result<Cell> term(const DataType& type, int depth) {
        if (depth > kMaxTypeDepth) return trouble("literals nest too deep");
        skip_space();
        if (at_ == text_.size()) return trouble("a value expected");
        const char first = text_[at_];
        if (first == '?' || first == ':') return fail(Errc::unsupported, "a bind marker is no literal");
        if (type.has_elements() && first == opening(type)) {
            TRY(auto bytes, composite(type, depth));
            return Cell(std::move(bytes));
        }
        if (first == '(') return fail(Errc::unsupported, "a type cast is no literal");
        if (first == '\'' || text_.substr(at_).starts_with("$$")) {
            TRY(const auto text, string());
            TRY(auto bytes, from_string(type, text, no_zone_));
            return Cell(std::move(bytes));
        }
        const auto word = take_word();
        if (word.empty()) return trouble("a value expected");
        if (lower(word) == "null") return Cell();
        skip_space();
        if (at_ < text_.size() && text_[at_] == '(') {
            TRY(auto bytes, function(type, word));
            return Cell(std::move(bytes));
        }
        TRY(auto bytes, from_word(type, word));
        return Cell(std::move(bytes));
    }

    static char opening(const DataType& type) {
        switch (type.kind) {
            case TypeKind::list:
            case TypeKind::vector: return '[';
            case TypeKind::tuple: return '(';
            default: return '{';
        }
    }

    Result<Bytes> composite(const DataType& type, int depth) {
        const char closing = text_[at_] == '[' ? ']' : text_[at_] == '(' ? ')' : '}';
        ++at_;
        if (type.kind == TypeKind::udt) return user_type(type, depth);
        ElementsBuilder builder(type);
        std::size_t count = 0;
        if (!take(closing)) {
            const auto fixed = type.kind == TypeKind::vector ? fixed_size(*type.elements[0]) : 0;
            do {
                if (type.kind == TypeKind::tuple && count == type.elements.size())
                    return trouble("a tuple with too many values");
                TRY(auto element, element_of(type, type.kind == TypeKind::tuple ? count : 0, depth));
                if (fixed != 0 && element->size() != fixed) return trouble("an element of another size");
                builder.add(view_of(element));
                if (type.kind == TypeKind::map) {
                    TRY(expect(':'));
                    TRY(auto value, element_of(type, 1, depth));
                    builder.add(view_of(value));
                }
                ++count;
            } while (take(','));
            TRY(expect(closing));
        }
        if (type.kind == TypeKind::vector && count != type.dimension) {
            return trouble(fmt::format("a vector of {} values instead of {}", count, type.dimension));
        }
        return std::move(builder).finish_sorted();
    }

    Result<Cell> element_of(const DataType& type, std::size_t which, int depth) {
        TRY(auto cell, term(*type.elements[which], depth + 1));
        if (!cell && type.kind != TypeKind::tuple && type.kind != TypeKind::udt) {
            return fail(Errc::invalid_argument, fmt::format("null inside a {}", to_string(type.kind)));
        }
        return cell;
    }

    Result<Bytes> user_type(const DataType& type, int depth) {
        std::vector<Cell> fields(type.elements.size());
        if (!take('}')) {
            do {
                TRY(const auto name, identifier());
                TRY(expect(':'));
                const auto found = std::ranges::find(type.field_names, name);
                if (found == type.field_names.end()) return trouble("no field is called " + name);
                const auto index = static_cast<std::size_t>(found - type.field_names.begin());
                TRY(fields[index], element_of(type, index, depth));
            } while (take(','));
            TRY(expect('}'));
        }
        ElementsBuilder builder(type);
        for (const auto& field : fields) builder.add(view_of(field));
        return std::move(builder).finish();
    }

    /// blobAsInt(0x…) and its newer name blob_as_int; no other function has a value of its own.
    Result<Bytes> function(const DataType& type, std::string_view name) {
        auto called = lower(name);
        std::erase(called, '_');
        const auto own = "blobas" + std::string(to_string(type.kind));
        if (called != own && !(type.kind == TypeKind::text && called == "blobasvarchar")) {
            return fail(Errc::unsupported, fmt::format("a call of {}() is no literal", name.substr(0, 50)));
        }
        ++at_;
        skip_space();
        TRY(auto bytes, hexadecimal(type, take_word()));
        TRY(expect(')'));
        return bytes;
    }

    Result<std::string> string() {
        std::string out;
        if (text_[at_] == '$') {
            const auto end = text_.find("$$", at_ + 2);
            if (end == std::string_view::npos) return trouble("a string is not closed");
            out = text_.substr(at_ + 2, end - at_ - 2);
            at_ = end + 2;
            return out;
        }
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\'') {
                ++at_;
                if (at_ == text_.size() || text_[at_] != '\'') return out;
            }
            out += text_[at_];
        }
        return trouble("a string is not closed");
    }

    Result<std::string> identifier() {
        skip_space();
        if (at_ < text_.size() && text_[at_] == '"') {
            std::string out;
            for (++at_; at_ < text_.size(); ++at_) {
                if (text_[at_] == '"') {
                    ++at_;
                    if (at_ == text_.size() || text_[at_] != '"') return out;
                }
                out += text_[at_];
            }
            return trouble("a name is not closed");
        }
        auto name = lower(take_word());
        if (name.empty()) return trouble("a name expected");
        return name;
    }

    std::string_view take_word() {
        const auto part = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                   c == '+' || c == '-' || static_cast<unsigned char>(c) >= 0x80;  // the micro sign of durations
        };
        const auto start = at_;
        // ISO durations of the alternative format hold colons: P0001-02-03T04:05:06.
        const auto rest = text_.substr(at_);
        const bool iso = rest.size() > 5 && (rest.starts_with('P') || rest.starts_with("-P")) &&
                         rest.find('-', 1) != std::string_view::npos;
        while (at_ < text_.size() && (part(text_[at_]) || (iso && text_[at_] == ':' && at_ + 1 < text_.size() &&
                                                           text_[at_ + 1] >= '0' && text_[at_ + 1] <= '9'))) {
            ++at_;
        }
        return text_.substr(start, at_ - start);
    }

    void skip_space() {
        while (at_ < text_.size()) {
            const auto rest = text_.substr(at_);
            if (rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r') {
                ++at_;
            } else if (rest.starts_with("/*") && rest.find("*/", 2) != std::string_view::npos) {
                at_ += rest.find("*/", 2) + 2;
            } else if ((rest.starts_with("--") || rest.starts_with("//")) &&
                       rest.find('\n') != std::string_view::npos) {
                at_ += rest.find('\n') + 1;
            } else {
                return;
            }
        }
    }
    bool take(char c) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    Status expect(char c) {
        if (take(c)) return ok();
        return trouble(fmt::format("'{}' expected", c));
    }
    BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> trouble(const std::string& what) const {
        return fail(Errc::invalid_argument, fmt::format("{} at {} of a literal", what, at_));
    }

    std::string_view text_;
    NoZone no_zone_;
    std::size_t at_ = 0;
};

}  // namespace

Result<Bytes> from_literal(const DataType& type, std::string_view literal) {
    return LiteralParser(literal, NoZone::is_unknown).parse(type);
}

Result<Bytes> from_text(const DataType& type, std::string_view text) {
    if (type.is_text()) return from_string(type, text, NoZone::is_utc);
    const bool takes_strings = type.kind == TypeKind::timestamp || type.kind == TypeKind::date ||
                               type.kind == TypeKind::time || type.kind == TypeKind::inet;
    if (takes_strings && !text.starts_with('\'') && text.find('(') == std::string_view::npos)
        return from_string(type, text, NoZone::is_utc);
    if (type.kind == TypeKind::blob && !text.starts_with("0x") && !text.starts_with("0X")) return from_hex(text);
    return LiteralParser(text, NoZone::is_utc).parse(type);
}

}  // namespace penumbra::cql
