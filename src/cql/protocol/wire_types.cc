#include "cql/protocol/wire_types.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cql/protocol/notation.h"

namespace penumbra::cql {

namespace {

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

}  // namespace

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

}  // namespace penumbra::cql
