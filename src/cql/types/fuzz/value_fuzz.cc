// Bytes as a type and two values of it, and as a type's or a literal's text: nothing reads outside, what is valid has a
// literal that means it again, and comparison is an order.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "cql/types/elements.h"
#include "cql/types/token.h"
#include "cql/types/type.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

Result<TypePtr> any_udt(std::string_view keyspace, std::string_view name) {
    return udt_of(std::string(keyspace), std::string(name),
                  {{"a", scalar(TypeKind::int_)}, {"B", scalar(TypeKind::text)}});
}

TypePtr make_type(Reader& in, int depth) {
    const auto byte = in.u8();
    if (!byte) return scalar(TypeKind::int_);
    const auto n = byte.value();
    const auto inner = [&] { return make_type(in, depth + 1); };
    if (depth < 4) {
        switch (n % 32) {
            case 20: return list_of(inner());
            case 21: return set_of(inner(), Frozen::yes);
            case 22: {
                auto key = inner();
                return map_of(std::move(key), inner());
            }
            case 23: return tuple_of({inner()});
            case 24: {
                auto first = inner();
                return tuple_of({std::move(first), inner()});
            }
            case 25: return vector_of(inner(), n / 32u + 1);
            case 26: {
                auto first = inner();
                return udt_of("k", "Name", {{"a", std::move(first)}, {"\"q", inner()}});
            }
            case 27: return custom_of("some.Class");
            default: break;
        }
    }
    static constexpr TypeKind kKinds[] = {
        TypeKind::ascii,   TypeKind::bigint,  TypeKind::blob,     TypeKind::boolean,  TypeKind::counter,
        TypeKind::decimal, TypeKind::double_, TypeKind::float_,   TypeKind::int_,     TypeKind::timestamp,
        TypeKind::uuid,    TypeKind::text,    TypeKind::varint,   TypeKind::timeuuid, TypeKind::inet,
        TypeKind::date,    TypeKind::time,    TypeKind::smallint, TypeKind::tinyint,  TypeKind::duration};
    return scalar(kKinds[n % 20]);
}

void check_values(Reader in) {
    const auto type = make_type(in, 0);
    const auto again =
        parse_type(to_cql(*type), "k", [&](std::string_view, std::string_view) { return any_udt("k", "Name"); });
    require(again.has_value());
    const auto by_class = parse_marshal_class(to_marshal_class(*type));
    require(by_class.has_value() && same_type(*type, *by_class.value()));

    const auto split = in.u8().has_value() ? in.left() / 2 : 0;
    const Bytes a(in.rest().begin(), in.rest().begin() + static_cast<std::ptrdiff_t>(split));
    const Bytes b(in.rest().begin() + static_cast<std::ptrdiff_t>(split), in.rest().end());
    to_text(*type, a);
    const auto order = compare_values(*type, a, b);
    require(compare_values(*type, b, a) == 0 <=> order);
    require(compare_values(*type, a, a) == 0);
    require(equal_values(*type, a, a));
    if (order != 0) {
        // A set's stored order counts when it is compared, and not when it is equal.
        require(!equal_values(*type, a, b) || type->has_elements());
    }
    const auto literal = to_literal(*type, a);
    if (validate(*type, a)) {
        require(literal.has_value() || literal.error().code == Errc::unsupported);
        if (literal) {
            const auto back = from_literal(*type, literal.value());
            require(back.has_value() && equal_values(*type, a, back.value()));
        }
    }
    murmur3_token(a);
    (void)split_partition_key(a, b.size() % 5 + 1);
}

void check_texts(Reader in) {
    const auto type = make_type(in, 0);
    const auto text = text_of(in.rest());
    (void)parse_marshal_class(text);
    if (const auto parsed = parse_type(text, "k", any_udt)) {
        const auto again = parse_type(to_cql(*parsed.value()), "k", any_udt);
        require(again.has_value() && to_cql(*again.value()) == to_cql(*parsed.value()));
    }
    if (const auto value = from_literal(*type, text)) {
        require(type->kind == TypeKind::custom || validate(*type, value.value()).has_value() ||
                text.find('(') != std::string_view::npos);
        if (const auto literal = to_literal(*type, value.value())) {
            const auto back = from_literal(*type, literal.value());
            require(back.has_value() && equal_values(*type, value.value(), back.value()));
        }
    }
    (void)from_text(*type, text);
}

}  // namespace
}  // namespace penumbra::cql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penumbra;
    if (size == 0) return 0;
    Reader in(BytesView(data + 1, size - 1));
    if (data[0] % 2 == 0) {
        cql::check_values(in);
    } else {
        cql::check_texts(in);
    }
    return 0;
}
