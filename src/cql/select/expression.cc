#include "cql/select/expression.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"

namespace penumbra::cql {

namespace {

bool is_own(const Term& term) {
    return term.is(TermKind::function) && (term.qualifier.empty() || term.qualifier == "system");
}

/// Calls `visit` for a term and all in it; a visit that returns false is not continued below. The field names of a UDT
/// literal look like columns and are not.
void walk(const Term& term, const std::function<bool(const Term&)>& visit) {
    if (!visit(term)) return;
    for (std::size_t i = 0; i < term.elements.size(); ++i) {
        if (term.is(TermKind::udt) && i % 2 == 0) continue;
        walk(term.elements[i], visit);
    }
}

struct Piece {
    TextRange range;
    std::string text;
    CellView value;
};

Result<std::int64_t> integer_of(const DataType& type, BytesView value) {
    const auto widen = [](const auto& number) -> Result<std::int64_t> {
        if (!number) return fail(number.error());
        return std::int64_t{number.value()};
    };
    switch (type.kind) {
        case TypeKind::tinyint:
            return widen(decode_tinyint(value));
        case TypeKind::smallint:
            return widen(decode_smallint(value));
        case TypeKind::int_:
            return widen(decode_int(value));
        case TypeKind::bigint:
        case TypeKind::counter:
            return decode_bigint(value);
        default:
            return fail(Errc::unsupported, fmt::format("no arithmetic for {} here", to_cql(type)));
    }
}

/// Whether integers of this type are what integer_of() and encode_integer() deal with.
bool is_integer(const DataType& type) {
    return integer_of(type, {}).error().code != Errc::unsupported;
}

Bytes encode_integer(const DataType& type, std::int64_t value) {
    switch (type.kind) {
        case TypeKind::tinyint:
            return encode_tinyint(static_cast<std::int8_t>(value));
        case TypeKind::smallint:
            return encode_smallint(static_cast<std::int16_t>(value));
        case TypeKind::int_:
            return encode_int(static_cast<std::int32_t>(value));
        default:
            return encode_bigint(value);
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (auto& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

}  // namespace

bool is_aggregate(const Term& term) {
    static constexpr std::array kNames{"count", "countrows", "min", "max", "sum", "avg"};
    return is_own(term) && std::ranges::find(kNames, lower(term.text)) != kNames.end();
}

bool is_count_of_rows(const Term& term) {
    return term.is(TermKind::function) && is_aggregate(term) && term.elements.size() == 1 &&
           (term.elements[0].is(TermKind::star) || term.elements[0].is_constant());
}

bool is_about_cell(const Term& term) {
    const auto name = lower(term.text);
    return is_own(term) && (name == "writetime" || name == "ttl" || name == "maxwritetime");
}

bool is_token(const Term& term) {
    return is_own(term) && lower(term.text) == "token";
}

std::vector<std::string_view> columns_of(const Term& term) {
    std::vector<std::string_view> found;
    walk(term, [&](const Term& part) {
        if (part.is(TermKind::column)) found.push_back(part.text);
        return true;
    });
    return found;
}

std::vector<const Term*> aggregates_of(const Term& term) {
    std::vector<const Term*> found;
    walk(term, [&](const Term& part) {
        if (!is_aggregate(part)) return true;
        found.push_back(&part);
        return false;
    });
    return found;
}

void append_bound(const Term& term, std::string_view text, const KnownPart& known, const MarkerValue& marker,
                  BoundText& out) {
    std::vector<Piece> pieces;
    walk(term, [&](const Term& part) {
        if (const auto* value = known(part)) {
            pieces.push_back({part.range, fmt::format("({})?", to_cql(*value->type)), view_of(value->value)});
            return false;
        }
        if (part.is_marker()) pieces.push_back({part.range, "?", marker(part)});
        return true;
    });
    std::ranges::sort(pieces, {}, [](const Piece& piece) { return piece.range.begin; });
    auto at = term.range.begin;
    for (const auto& piece : pieces) {
        out.text += text.substr(at, piece.range.begin - at);
        out.text += piece.text;
        out.values.push_back(piece.value);
        at = piece.range.end;
    }
    out.text += text.substr(at, term.range.end - at);
}

Result<TypedCell> aggregate(std::string_view name, const TypePtr& type, const std::vector<Cell>& values) {
    std::vector<const Bytes*> present;
    for (const auto& value : values) {
        if (value) present.push_back(&*value);
    }
    const auto function = lower(name);
    if (function == "count" || function == "countrows")
        return TypedCell{scalar(TypeKind::bigint), encode_bigint(static_cast<std::int64_t>(present.size()))};
    if (function == "min" || function == "max") {
        const Bytes* best = nullptr;
        for (const auto* value : present) {
            const auto order = best ? compare_values(*type, *value, *best) : std::weak_ordering::equivalent;
            if (best == nullptr || (function == "min" ? order < 0 : order > 0)) best = value;
        }
        return TypedCell{type, best ? Cell(*best) : std::nullopt};
    }
    if (type->kind == TypeKind::double_ || type->kind == TypeKind::float_) {
        double sum = 0;
        for (const auto* value : present) {
            if (type->kind == TypeKind::double_) {
                TRY(const auto number, decode_double(*value));
                sum += number;
            } else {
                TRY(const auto number, decode_float(*value));
                sum += static_cast<double>(number);
            }
        }
        if (function == "avg" && !present.empty()) sum /= static_cast<double>(present.size());
        return TypedCell{type,
                         type->kind == TypeKind::double_ ? encode_double(sum) : encode_float(static_cast<float>(sum))};
    }
    std::int64_t sum = 0;
    for (const auto* value : present) {
        TRY(const auto number, integer_of(*type, *value));
        sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(number));
    }
    if (!is_integer(*type)) return fail(Errc::unsupported, fmt::format("no arithmetic for {} here", to_cql(*type)));
    if (function == "avg" && !present.empty()) sum /= static_cast<std::int64_t>(present.size());
    return TypedCell{type, encode_integer(*type, sum)};
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
                } else {
                    out += c;
                }
        }
    }
    return out + '"';
}

std::string to_json(const DataType& type, CellView value) {
    if (!value.has_value()) return "null";
    const auto parts = [&](const auto& write) {
        Elements elements(type, value.bytes());
        Element element;
        for (auto more = elements.next(element); more && more.value(); more = elements.next(element)) write(element);
    };
    std::string out;
    switch (type.kind) {
        case TypeKind::tinyint:
        case TypeKind::smallint:
        case TypeKind::int_:
        case TypeKind::bigint:
        case TypeKind::counter:
        case TypeKind::varint:
        case TypeKind::decimal:
        case TypeKind::float_:
        case TypeKind::double_:
        case TypeKind::boolean:
            return to_text(type, value);
        case TypeKind::list:
        case TypeKind::set:
        case TypeKind::tuple:
        case TypeKind::vector:
            parts([&](const Element& element) {
                out += out.empty() ? "[" : ", ";
                out += to_json(*element.type, element.value);
            });
            return out.empty() ? "[]" : out + "]";
        case TypeKind::map:
            parts([&](const Element& element) {
                if (element.index % 2 == 0) {
                    out += out.empty() ? "{" : ", ";
                    const auto key = to_json(*element.type, element.value);
                    out += key.starts_with('"') ? key : json_string(key);
                    out += ": ";
                } else {
                    out += to_json(*element.type, element.value);
                }
            });
            return out.empty() ? "{}" : out + "}";
        case TypeKind::udt:
            parts([&](const Element& element) {
                out += out.empty() ? "{" : ", ";
                out += json_string(type.field_names[element.index]) + ": " + to_json(*element.type, element.value);
            });
            return out.empty() ? "{}" : out + "}";
        default:
            return json_string(to_text(type, value));
    }
}

Result<TypedCell> cast_to(const DataType& type, const TypedCell& value) {
    if (type.kind == value.type->kind) return value;
    if (type.is_text())
        return TypedCell{scalar(type.kind),
                         value.value ? Cell(encode_text(to_text(*value.type, view_of(value.value)))) : std::nullopt};
    if (!value.value) return TypedCell{scalar(type.kind), std::nullopt};
    TRY(const auto number, integer_of(*value.type, *value.value));
    if (type.kind == TypeKind::double_) return TypedCell{scalar(type.kind), encode_double(static_cast<double>(number))};
    if (type.kind == TypeKind::float_) return TypedCell{scalar(type.kind), encode_float(static_cast<float>(number))};
    if (!is_integer(type)) return fail(Errc::unsupported, fmt::format("no cast to {} here", to_cql(type)));
    return TypedCell{scalar(type.kind), encode_integer(type, number)};
}

Result<TypedCell> call_function(std::string_view name, const std::vector<TypedCell>& arguments) {
    const auto function = lower(name);
    if (arguments.size() == 1) {
        const auto& argument = arguments[0];
        if (function == "tojson" || function == "to_json")
            return TypedCell{scalar(TypeKind::text), encode_text(to_json(*argument.type, view_of(argument.value)))};
        if (function.ends_with("asblob")) return TypedCell{scalar(TypeKind::blob), argument.value};
        if (function.starts_with("blobas")) {
            const auto kind = scalar_kind(std::string_view(function).substr(6));
            if (kind) {
                if (argument.value) {
                    TRY(validate(*scalar(*kind), *argument.value));
                }
                return TypedCell{scalar(*kind), argument.value};
            }
        }
    }
    return fail(Errc::unsupported, fmt::format("function {} of a column that the proxy answers itself", name));
}

}  // namespace penumbra::cql
