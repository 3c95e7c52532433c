#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penumbra::cql {

/// What a type is. The numbers are the wire codes of native_protocol_v5.spec 4.2.5.2, except `vector`, which has none:
/// it travels as a custom class name.
enum class TypeKind : std::uint16_t {
    custom = 0x00,
    ascii = 0x01,
    bigint = 0x02,
    blob = 0x03,
    boolean = 0x04,
    counter = 0x05,
    decimal = 0x06,
    double_ = 0x07,
    float_ = 0x08,
    int_ = 0x09,
    timestamp = 0x0B,
    uuid = 0x0C,
    text = 0x0D,
    varint = 0x0E,
    timeuuid = 0x0F,
    inet = 0x10,
    date = 0x11,
    time = 0x12,
    smallint = 0x13,
    tinyint = 0x14,
    duration = 0x15,
    list = 0x20,
    map = 0x21,
    set = 0x22,
    udt = 0x30,
    tuple = 0x31,
    vector = 0xFFFF,
};

/// The CQL name: "int" for int_, "text" for text.
std::string_view to_string(TypeKind kind);

struct DataType;
using TypePtr = std::shared_ptr<const DataType>;

enum class Frozen : std::uint8_t { no, yes };

/// How deep types (and literals) may nest when they are read from a peer or from text: a bound on recursion, far above
/// any real schema.
inline constexpr int kMaxTypeDepth = 32;

/// One CQL type, an immutable tree. Shared freely between threads.
struct DataType {
    TypeKind kind = TypeKind::custom;
    /// Collections, tuples, UDTs, vectors: a cell is replaced whole. What is inside a frozen type is frozen too; tuples
    /// and vectors always are. The wire does not say it: types read from frames have it only where that follows.
    bool frozen = false;
    /// list, set, vector: the element. map: key, value. tuple, udt: one each.
    std::vector<TypePtr> elements;
    /// udt only.
    std::string keyspace;
    std::string name;
    std::vector<std::string> field_names;
    /// vector only.
    std::uint32_t dimension = 0;
    /// The Java class, where the type is or was sent as one. Set for kind custom, and for others that a server sent as
    /// a class name (duration in v4, every vector), so that they are written again as they came.
    std::string class_name;

    bool is_collection() const { return kind == TypeKind::list || kind == TypeKind::set || kind == TypeKind::map; }
    bool has_elements() const { return !elements.empty() || kind == TypeKind::tuple || kind == TypeKind::udt; }
    /// A non-frozen collection or UDT: its elements are cells with timestamps of their own.
    bool is_multi_cell() const { return !frozen && (is_collection() || kind == TypeKind::udt); }
    bool is_counter() const { return kind == TypeKind::counter; }
    bool is_text() const { return kind == TypeKind::text || kind == TypeKind::ascii; }
};

/// The kind whose CQL name this is, in lower case; only of types without elements.
std::optional<TypeKind> scalar_kind(std::string_view name);
/// The one object of a type without elements.
const TypePtr& scalar(TypeKind kind);
TypePtr list_of(TypePtr element, Frozen frozen = Frozen::no);
TypePtr set_of(TypePtr element, Frozen frozen = Frozen::no);
TypePtr map_of(TypePtr key, TypePtr value, Frozen frozen = Frozen::no);
TypePtr tuple_of(std::vector<TypePtr> elements);
TypePtr vector_of(TypePtr element, std::uint32_t dimension);
TypePtr custom_of(std::string class_name);
struct UdtField {
    std::string name;
    TypePtr type;
};
TypePtr udt_of(std::string keyspace, std::string name, std::vector<UdtField> fields, Frozen frozen = Frozen::no);
/// The type as it is inside frozen<>.
TypePtr freeze(const TypePtr& type);

/// Whether values of the two are the same bytes: ignores frozen and how the type was sent; UDTs compare by their names
/// and fields.
bool same_type(const DataType& a, const DataType& b);

/// Finds a user-defined type by its exact (unquoted) name.
using UdtResolver = std::function<Result<TypePtr>(std::string_view keyspace, std::string_view name)>;
/// Refuses every name: for texts that cannot hold UDTs.
Result<TypePtr> no_udts(std::string_view keyspace, std::string_view name);

/// Parses CQL type text as in CREATE TABLE and in system_schema.columns.type: `frozen<map<text, list<int>>>`, quoted
/// and keyspace-qualified UDT names, `vector<float, 3>`, `'org.apache.cassandra.db.marshal.…'`. `keyspace` is where an
/// unqualified UDT is looked up.
Result<TypePtr> parse_type(std::string_view cql, std::string_view keyspace, const UdtResolver& udts);

/// Parses a Java marshal class as servers send for custom types:
/// `org.apache.cassandra.db.marshal.ListType(…Int32Type)`, with or without the package. ReversedType gives its inner
/// type. An unknown class is a custom type, not an error.
Result<TypePtr> parse_marshal_class(std::string_view class_name);
/// The Java class of a type, as Cassandra writes it (VectorType with its space before the comma).
std::string to_marshal_class(const DataType& type);

/// CQL text that parse_type takes back: what system_schema holds. UDTs without their keyspace.
std::string to_cql(const DataType& type);

/// `name` as it has to stand in CQL: quoted unless it is a plain lower-case identifier that no server reserves.
std::string quote_identifier(std::string_view name);

}  // namespace penumbra::cql
