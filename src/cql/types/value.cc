#include "cql/types/value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "cql/types/big_integer.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"

namespace penumbra::cql {
namespace {

/// both_servers: what Cassandra and ScyllaDB both accept. shape: what can be decoded and thus compared; servers differ
/// in what they let in beyond the first (CQL-FACTS 4.1).
enum class Check : std::uint8_t { both_servers, shape };

Status wrong_size(const DataType& type, BytesView value) {
    return fail(Errc::malformed,
                "a " + std::string(to_string(type.kind)) + " of " + std::to_string(value.size()) + " bytes");
}

Status sized(const DataType& type, BytesView value, std::size_t size, bool may_be_empty) {
    if (value.size() == size || (value.empty() && may_be_empty)) return ok();
    return wrong_size(type, value);
}

Status check(const DataType& type, BytesView value, Check how) {
    const bool strict = how == Check::both_servers;
    switch (type.kind) {
        case TypeKind::custom:
        case TypeKind::blob:
        case TypeKind::varint: return ok();
        case TypeKind::text:
            if (strict && !is_utf8(value)) return fail(Errc::malformed, "text that is not UTF-8");
            return ok();
        case TypeKind::ascii:
            if (strict && std::ranges::any_of(value, [](Byte b) { return b > 0x7F; })) {
                return fail(Errc::malformed, "an ascii with a byte over 127");
            }
            return ok();
        case TypeKind::bigint:
        case TypeKind::counter:
        case TypeKind::double_:
        case TypeKind::timestamp: return sized(type, value, 8, true);
        case TypeKind::float_:
        case TypeKind::int_: return sized(type, value, 4, true);
        case TypeKind::boolean: return sized(type, value, 1, true);
        case TypeKind::time: return sized(type, value, 8, !strict);
        case TypeKind::date: return sized(type, value, 4, !strict);
        case TypeKind::smallint: return sized(type, value, 2, !strict);
        case TypeKind::tinyint: return sized(type, value, 1, !strict);
        case TypeKind::decimal: return value.empty() || value.size() >= 4 ? ok() : wrong_size(type, value);
        case TypeKind::uuid: return sized(type, value, 16, true);
        case TypeKind::timeuuid:
            if (strict && value.size() == 16 && value[6] >> 4 != 1)
                return fail(Errc::malformed, "a timeuuid that is not of version 1");
            return sized(type, value, 16, true);
        case TypeKind::inet:
            return value.empty() || value.size() == 4 || value.size() == 16 ? ok() : wrong_size(type, value);
        case TypeKind::duration: {
            TRY(decode_duration(value));
            return ok();
        }
        case TypeKind::list:
        case TypeKind::set:
        case TypeKind::map:
        case TypeKind::tuple:
        case TypeKind::udt:
        case TypeKind::vector: break;
    }
    const bool nulls = type.kind == TypeKind::tuple || type.kind == TypeKind::udt || !strict;
    Elements elements(type, value);
    for (Element element;;) {
        TRY(const bool more, elements.next(element));
        if (!more) return ok();
        if (element.value.is_null()) {
            if (!nulls) return fail(Errc::malformed, "a null inside a " + std::string(to_string(type.kind)));
            continue;
        }
        TRY(check(*element.type, element.value.bytes(), how));
    }
}

std::weak_ordering compare_bytes(BytesView a, BytesView b) {
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
}

template <class T>
std::weak_ordering compare_integers(BytesView a, BytesView b) {
    return load_be<T>(a.data()) <=> load_be<T>(b.data());
}

/// As Java's Double.compare: -0.0 before 0.0, NaN last and equal to every NaN.
template <class T>
std::weak_ordering compare_floats(T a, T b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) <=> std::isnan(b);
    if (a < b) return std::weak_ordering::less;
    if (a > b) return std::weak_ordering::greater;
    return std::signbit(b) <=> std::signbit(a);
}

std::weak_ordering compare_varints(BytesView a, BytesView b) {
    return BigInteger::from_bytes(a) <=> BigInteger::from_bytes(b);
}

/// By value, whatever the scales. A scale may be anything up to +-2^31, so powers of ten are only made where the sizes
/// show that the numbers are close (a ScyllaDB shard was blocked for minutes by not doing so, CQL-FACTS 4.1).
std::weak_ordering compare_decimals(BytesView a, BytesView b) {
    if (a.size() > BigInteger::kMaxBytes || b.size() > BigInteger::kMaxBytes) return compare_bytes(a, b);
    const std::int64_t scale_a = load_be<std::int32_t>(a.data());
    const std::int64_t scale_b = load_be<std::int32_t>(b.data());
    auto left = BigInteger::from_bytes(a.subspan(4));
    auto right = BigInteger::from_bytes(b.subspan(4));
    if (left.is_zero() || right.is_zero() || left.is_negative() != right.is_negative() || scale_a == scale_b)
        return left <=> right;
    // log10 of the magnitude lies in [lower, lower + 0.302 and a little].
    constexpr double kLog2 = 0.30102999566398120;
    const double lower_a = static_cast<double>(left.bit_length() - 1) * kLog2 - static_cast<double>(scale_a);
    const double lower_b = static_cast<double>(right.bit_length() - 1) * kLog2 - static_cast<double>(scale_b);
    if (std::abs(lower_a - lower_b) > 1) {
        const auto by_size = lower_a < lower_b ? std::weak_ordering::less : std::weak_ordering::greater;
        return left.is_negative() ? 0 <=> by_size : by_size;
    }
    if (scale_a < scale_b) {
        left.multiply_by_power_of_ten(static_cast<std::uint64_t>(scale_b - scale_a));
    } else {
        right.multiply_by_power_of_ten(static_cast<std::uint64_t>(scale_a - scale_b));
    }
    return left <=> right;
}

/// The time in a version 1 uuid's first eight bytes, put in order, version on top.
std::uint64_t uuid_time(BytesView uuid) {
    const auto high = load_be<std::uint64_t>(uuid.data());
    return high << 48 | (high << 16 & 0xFFFF00000000) | high >> 32;
}

std::weak_ordering compare_uuids(BytesView a, BytesView b) {
    const int version_a = a[6] >> 4;
    const int version_b = b[6] >> 4;
    if (version_a != version_b) return version_a <=> version_b;
    if (version_a == 1) {
        if (const auto order = uuid_time(a) <=> uuid_time(b); order != 0) return order;
        return compare_bytes(a.subspan(8), b.subspan(8));
    }
    return compare_bytes(a, b);
}

std::weak_ordering compare_timeuuids(BytesView a, BytesView b) {
    const auto time_a = static_cast<std::int64_t>(uuid_time(a));
    const auto time_b = static_cast<std::int64_t>(uuid_time(b));
    if (time_a != time_b) return time_a <=> time_b;
    // The other half compares byte by byte, signed: history of both servers (Cassandra's TimeUUIDType).
    constexpr std::uint64_t kSigns = 0x8080808080808080;
    return (load_be<std::uint64_t>(a.data() + 8) ^ kSigns) <=> (load_be<std::uint64_t>(b.data() + 8) ^ kSigns);
}

std::weak_ordering compare_shaped(const DataType& type, BytesView a, BytesView b);

std::weak_ordering compare_cells(const DataType& type, CellView a, CellView b) {
    if (a.is_null() || b.is_null()) return b.is_null() <=> a.is_null();
    return compare_shaped(type, a.bytes(), b.bytes());
}

/// Element by element in the order they are stored. What a tuple lacks at its end is null.
std::weak_ordering compare_elements(const DataType& type, BytesView a, BytesView b) {
    const bool padded = type.kind == TypeKind::tuple || type.kind == TypeKind::udt;
    Elements elements_a(type, a);
    Elements elements_b(type, b);
    for (;;) {
        Element element_a;
        Element element_b;
        const bool more_a = elements_a.next(element_a).value();
        const bool more_b = elements_b.next(element_b).value();
        if (!more_a && !more_b) return std::weak_ordering::equivalent;
        if (more_a != more_b && !padded) return more_a <=> more_b;
        const auto& element_type = more_a ? *element_a.type : *element_b.type;
        const auto order = compare_cells(element_type, more_a ? element_a.value : CellView::null(),
                                         more_b ? element_b.value : CellView::null());
        if (order != 0) return order;
    }
}

/// Both have passed check(…, shape).
std::weak_ordering compare_shaped(const DataType& type, BytesView a, BytesView b) {
    if (type.has_elements()) return compare_elements(type, a, b);
    if (a.empty() || b.empty()) return b.empty() <=> a.empty();
    switch (type.kind) {
        case TypeKind::tinyint: return compare_integers<std::int8_t>(a, b);
        case TypeKind::smallint: return compare_integers<std::int16_t>(a, b);
        case TypeKind::int_: return compare_integers<std::int32_t>(a, b);
        case TypeKind::bigint:
        case TypeKind::counter:
        case TypeKind::timestamp: return compare_integers<std::int64_t>(a, b);
        case TypeKind::boolean: return (a[0] != 0) <=> (b[0] != 0);
        case TypeKind::float_: return compare_floats(decode_float(a).value(), decode_float(b).value());
        case TypeKind::double_: return compare_floats(decode_double(a).value(), decode_double(b).value());
        case TypeKind::varint: return compare_varints(a, b);
        case TypeKind::decimal: return compare_decimals(a, b);
        case TypeKind::uuid: return compare_uuids(a, b);
        case TypeKind::timeuuid: return compare_timeuuids(a, b);
        default: return compare_bytes(a, b);
    }
}

bool equal_shaped(const DataType& type, CellView a, CellView b);

std::vector<Element> elements_of(const DataType& type, BytesView value) {
    std::vector<Element> elements;
    Elements walk(type, value);
    for (Element element; walk.next(element).value();) elements.push_back(element);
    return elements;
}

/// Sets and maps: sorted by element or key, equal ones once. Of equal keys the last one counts, as in Cassandra.
std::vector<std::pair<Element, Element>> sorted_entries(const DataType& type, BytesView value) {
    const auto elements = elements_of(type, value);
    const std::size_t step = type.kind == TypeKind::map ? 2 : 1;
    std::vector<std::pair<Element, Element>> entries;
    for (std::size_t i = 0; i < elements.size(); i += step) entries.emplace_back(elements[i], elements[i + step - 1]);
    const auto& key_type = *type.elements[0];
    std::ranges::stable_sort(entries, [&](const auto& x, const auto& y) {
        return compare_cells(key_type, x.first.value, y.first.value) < 0;
    });
    std::vector<std::pair<Element, Element>> unique;
    for (const auto& entry : entries) {
        if (!unique.empty() && compare_cells(key_type, unique.back().first.value, entry.first.value) == 0)
            unique.pop_back();
        unique.push_back(entry);
    }
    return unique;
}

bool equal_composites(const DataType& type, BytesView a, BytesView b) {
    if (type.kind == TypeKind::set || type.kind == TypeKind::map) {
        const auto entries_a = sorted_entries(type, a);
        const auto entries_b = sorted_entries(type, b);
        return std::ranges::equal(entries_a, entries_b, [](const auto& x, const auto& y) {
            return equal_shaped(*x.first.type, x.first.value, y.first.value) &&
                   equal_shaped(*x.second.type, x.second.value, y.second.value);
        });
    }
    auto elements_a = elements_of(type, a);
    auto elements_b = elements_of(type, b);
    if (type.kind == TypeKind::tuple || type.kind == TypeKind::udt) {
        const auto size = std::max(elements_a.size(), elements_b.size());
        elements_a.resize(size);
        elements_b.resize(size);
        for (std::size_t i = 0; i < size; ++i) elements_a[i].type = elements_b[i].type = type.elements[i].get();
    }
    return std::ranges::equal(elements_a, elements_b, [](const Element& x, const Element& y) {
        return equal_shaped(*x.type, x.value, y.value);
    });
}

bool equal_shaped(const DataType& type, CellView a, CellView b) {
    if (a.is_null() || b.is_null()) return a.is_null() == b.is_null();
    if (equal(a.bytes(), b.bytes())) return true;
    if (type.has_elements()) return equal_composites(type, a.bytes(), b.bytes());
    return compare_shaped(type, a.bytes(), b.bytes()) == 0;
}

}  // namespace

Status validate(const DataType& type, BytesView value) {
    return check(type, value, Check::both_servers);
}

std::weak_ordering compare_values(const DataType& type, BytesView a, BytesView b) {
    // What cannot be decoded stands behind all that can, so that the order stays an order.
    const bool good_a = check(type, a, Check::shape).has_value();
    const bool good_b = check(type, b, Check::shape).has_value();
    if (good_a != good_b) return good_b <=> good_a;
    return good_a ? compare_shaped(type, a, b) : compare_bytes(a, b);
}

bool equal_values(const DataType& type, CellView a, CellView b) {
    if (!a.has_value() || !b.has_value()) return a == b;
    if (equal(a.bytes(), b.bytes())) return true;
    if (!check(type, a.bytes(), Check::shape) || !check(type, b.bytes(), Check::shape)) return false;
    return equal_shaped(type, a, b);
}

}  // namespace penumbra::cql
