#include "cql/types/type.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"

namespace penumbra::cql {
namespace {

struct ScalarName {
    TypeKind kind;
    std::string_view cql;
    std::string_view marshal;
};

constexpr std::array kScalars{
    ScalarName{TypeKind::ascii, "ascii", "AsciiType"},
    ScalarName{TypeKind::bigint, "bigint", "LongType"},
    ScalarName{TypeKind::blob, "blob", "BytesType"},
    ScalarName{TypeKind::boolean, "boolean", "BooleanType"},
    ScalarName{TypeKind::counter, "counter", "CounterColumnType"},
    ScalarName{TypeKind::decimal, "decimal", "DecimalType"},
    ScalarName{TypeKind::double_, "double", "DoubleType"},
    ScalarName{TypeKind::float_, "float", "FloatType"},
    ScalarName{TypeKind::int_, "int", "Int32Type"},
    ScalarName{TypeKind::timestamp, "timestamp", "TimestampType"},
    ScalarName{TypeKind::uuid, "uuid", "UUIDType"},
    ScalarName{TypeKind::text, "text", "UTF8Type"},
    ScalarName{TypeKind::varint, "varint", "IntegerType"},
    ScalarName{TypeKind::timeuuid, "timeuuid", "TimeUUIDType"},
    ScalarName{TypeKind::inet, "inet", "InetAddressType"},
    ScalarName{TypeKind::date, "date", "SimpleDateType"},
    ScalarName{TypeKind::time, "time", "TimeType"},
    ScalarName{TypeKind::smallint, "smallint", "ShortType"},
    ScalarName{TypeKind::tinyint, "tinyint", "ByteType"},
    ScalarName{TypeKind::duration, "duration", "DurationType"},
};

const ScalarName* scalar_name(TypeKind kind) {
    const auto* found = std::ranges::find(kScalars, kind, &ScalarName::kind);
    return found == kScalars.end() ? nullptr : found;
}

constexpr std::string_view kMarshalPackage = "org.apache.cassandra.db.marshal.";

TypePtr composite(TypeKind kind, std::vector<TypePtr> elements, bool frozen) {
    auto type = std::make_shared<DataType>();
    type->kind = kind;
    type->frozen = frozen;
    if (frozen) {
        for (auto& element : elements) element = freeze(element);
    }
    type->elements = std::move(elements);
    return type;
}

/// Parses `Name(argument, …)` of marshal classes.
class MarshalParser {
  public:
    explicit MarshalParser(std::string_view text) : text_(text) {}

    Result<TypePtr> parse() {
        TRY(auto type, one(0));
        skip_space();
        if (at_ != text_.size()) return trouble("text left over");
        return type;
    }

  private:
    Result<TypePtr> one(int depth) {
        if (depth > kMaxTypeDepth) return trouble("types nest too deep");
        skip_space();
        const auto start = at_;
        const auto full_name = word();
        auto name = full_name;
        if (name.empty()) return trouble("a class name expected");
        if (name.starts_with(kMarshalPackage)) name.remove_prefix(kMarshalPackage.size());
        if (name.find('.') == std::string_view::npos) {
            for (const auto& s : kScalars) {
                if (s.marshal == name) return scalar(s.kind);
            }
            if (name == "DateType") return scalar(TypeKind::timestamp);  // what timestamps were before Cassandra 1.2
            if (name == "ListType" || name == "SetType") {
                TRY(auto inner, arguments(1, depth));
                return name == "ListType" ? list_of(inner[0]) : set_of(inner[0]);
            }
            if (name == "MapType") {
                TRY(auto inner, arguments(2, depth));
                return map_of(inner[0], inner[1]);
            }
            if (name == "TupleType") {
                TRY(auto inner, arguments(0, depth));
                return tuple_of(std::move(inner));
            }
            if (name == "FrozenType") {
                TRY(auto inner, arguments(1, depth));
                return freeze(inner[0]);
            }
            if (name == "ReversedType") {
                TRY(auto inner, arguments(1, depth));
                return inner[0];
            }
            if (name == "VectorType") return vector(depth);
            if (name == "UserType") return user_type(depth);
        }
        // Unknown to us: a custom type, with all that stands in its parentheses.
        TRY(skip_arguments());
        return custom_of(std::string(text_.substr(start, at_ - start)));
    }

    Result<std::vector<TypePtr>> arguments(std::size_t wanted, int depth) {
        TRY(expect('('));
        std::vector<TypePtr> types;
        if (!take(')')) {
            for (;;) {
                TRY(auto type, one(depth + 1));
                types.push_back(std::move(type));
                if (take(')')) break;
                TRY(expect(','));
            }
        }
        if (wanted != 0 && types.size() != wanted) return trouble("a wrong number of arguments");
        return types;
    }

    Result<TypePtr> vector(int depth) {
        TRY(expect('('));
        TRY(auto element, one(depth + 1));
        TRY(expect(','));
        skip_space();
        std::uint64_t dimension = 0;
        const auto digits = word();
        if (digits.empty()) return trouble("a vector's dimension expected");
        for (const char c : digits) {
            if (c < '0' || c > '9') return trouble("a vector's dimension is no number");
            dimension = dimension * 10 + static_cast<std::uint64_t>(c - '0');
            if (dimension > INT32_MAX) return trouble("a vector's dimension is too large");
        }
        if (dimension == 0) return trouble("a vector's dimension is zero");
        TRY(expect(')'));
        return vector_of(std::move(element), static_cast<std::uint32_t>(dimension));
    }

    /// UserType(keyspace, hex of the name, hex of a field : its type, …)
    Result<TypePtr> user_type(int depth) {
        TRY(expect('('));
        skip_space();
        const auto keyspace = word();
        TRY(expect(','));
        TRY(auto name, hex_word());
        std::vector<UdtField> fields;
        while (!take(')')) {
            TRY(expect(','));
            TRY(auto field, hex_word());
            TRY(expect(':'));
            TRY(auto type, one(depth + 1));
            fields.push_back({std::move(field), std::move(type)});
        }
        return udt_of(std::string(keyspace), std::move(name), std::move(fields));
    }

    Result<std::string> hex_word() {
        skip_space();
        TRY(auto bytes, from_hex(word()));
        return std::string(text_of(bytes));
    }

    Status skip_arguments() {
        if (at_ == text_.size() || text_[at_] != '(') return ok();
        int open = 0;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '(') ++open;
            if (text_[at_] == ')' && --open == 0) {
                ++at_;
                return ok();
            }
        }
        return trouble("a parenthesis is not closed");
    }

    std::string_view word() {
        const auto start = at_;
        while (at_ < text_.size() && std::string_view("(),:=> ").find(text_[at_]) == std::string_view::npos) ++at_;
        return text_.substr(start, at_ - start);
    }
    void skip_space() {
        while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }
    bool take(char c) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    Status expect(char c) {
        if (take(c)) return ok();
        return trouble(std::string("'") + c + "' expected");
    }
    BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> trouble(const std::string& what) const {
        return fail(Errc::malformed,
                    "type class '" + std::string(text_.substr(0, 200)) + "': " + what + " at " + std::to_string(at_));
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

std::string hex_of(std::string_view text) {
    return to_hex(bytes_of(text));
}

}  // namespace

std::string_view to_string(TypeKind kind) {
    if (const auto* s = scalar_name(kind)) return s->cql;
    switch (kind) {
        case TypeKind::list: return "list";
        case TypeKind::map: return "map";
        case TypeKind::set: return "set";
        case TypeKind::udt: return "udt";
        case TypeKind::tuple: return "tuple";
        case TypeKind::vector: return "vector";
        default: return "custom";
    }
}

std::optional<TypeKind> scalar_kind(std::string_view name) {
    if (name == "varchar") return TypeKind::text;
    const auto* found = std::ranges::find(kScalars, name, &ScalarName::cql);
    if (found == kScalars.end()) return std::nullopt;
    return found->kind;
}

const TypePtr& scalar(TypeKind kind) {
    static const auto all = [] {
        std::array<TypePtr, 0x16> types;
        for (const auto& s : kScalars) {
            auto type = std::make_shared<DataType>();
            type->kind = s.kind;
            types[static_cast<std::size_t>(s.kind)] = std::move(type);
        }
        return types;
    }();
    ASSERT(scalar_name(kind) != nullptr);
    return all[static_cast<std::size_t>(kind)];
}

TypePtr list_of(TypePtr element, Frozen frozen) {
    return composite(TypeKind::list, {std::move(element)}, frozen == Frozen::yes);
}
TypePtr set_of(TypePtr element, Frozen frozen) {
    return composite(TypeKind::set, {std::move(element)}, frozen == Frozen::yes);
}
TypePtr map_of(TypePtr key, TypePtr value, Frozen frozen) {
    return composite(TypeKind::map, {std::move(key), std::move(value)}, frozen == Frozen::yes);
}
TypePtr tuple_of(std::vector<TypePtr> elements) {
    return composite(TypeKind::tuple, std::move(elements), true);
}

TypePtr vector_of(TypePtr element, std::uint32_t dimension) {
    auto type = std::make_shared<DataType>();
    type->kind = TypeKind::vector;
    type->frozen = true;
    type->elements = {freeze(element)};
    type->dimension = dimension;
    return type;
}

TypePtr custom_of(std::string class_name) {
    auto type = std::make_shared<DataType>();
    type->kind = TypeKind::custom;
    type->class_name = std::move(class_name);
    return type;
}

TypePtr udt_of(std::string keyspace, std::string name, std::vector<UdtField> fields, Frozen frozen) {
    auto type = std::make_shared<DataType>();
    type->kind = TypeKind::udt;
    type->frozen = frozen == Frozen::yes;
    type->keyspace = std::move(keyspace);
    type->name = std::move(name);
    for (auto& field : fields) {
        type->field_names.push_back(std::move(field.name));
        type->elements.push_back(type->frozen ? freeze(field.type) : std::move(field.type));
    }
    return type;
}

TypePtr freeze(const TypePtr& type) {
    if (type->frozen || !type->has_elements()) return type;
    auto copy = std::make_shared<DataType>(*type);
    copy->frozen = true;
    for (auto& element : copy->elements) element = freeze(element);
    return copy;
}

bool same_type(const DataType& a, const DataType& b) {
    if (&a == &b) return true;
    if (a.kind != b.kind || a.elements.size() != b.elements.size()) return false;
    if (a.kind == TypeKind::custom) return a.class_name == b.class_name;
    if (a.kind == TypeKind::vector && a.dimension != b.dimension) return false;
    if (a.kind == TypeKind::udt && (a.keyspace != b.keyspace || a.name != b.name || a.field_names != b.field_names))
        return false;
    for (std::size_t i = 0; i < a.elements.size(); ++i) {
        if (!same_type(*a.elements[i], *b.elements[i])) return false;
    }
    return true;
}

Result<TypePtr> no_udts(std::string_view keyspace, std::string_view name) {
    return fail(Errc::not_found, "no user-defined type " + quote_identifier(keyspace) + "." + quote_identifier(name));
}

Result<TypePtr> parse_marshal_class(std::string_view class_name) {
    return MarshalParser(class_name).parse();
}

std::string to_marshal_class(const DataType& type) {
    if (type.kind == TypeKind::custom) return type.class_name;
    if (const auto* s = scalar_name(type.kind)) return std::string(kMarshalPackage).append(s->marshal);
    std::string out(kMarshalPackage);
    if (type.kind == TypeKind::vector) {
        return out + "VectorType(" + to_marshal_class(*type.elements[0]) + " , " + std::to_string(type.dimension) + ")";
    }
    switch (type.kind) {
        case TypeKind::list: out += "ListType("; break;
        case TypeKind::set: out += "SetType("; break;
        case TypeKind::map: out += "MapType("; break;
        case TypeKind::tuple: out += "TupleType("; break;
        default: out += "UserType(" + type.keyspace + "," + hex_of(type.name); break;
    }
    for (std::size_t i = 0; i < type.elements.size(); ++i) {
        if (type.kind == TypeKind::udt) {
            out += "," + hex_of(type.field_names[i]) + ":";
        } else if (i > 0) {
            out += ",";
        }
        out += to_marshal_class(*type.elements[i]);
    }
    out += ")";
    // A tuple is frozen without saying so.
    if (type.frozen && type.kind != TypeKind::tuple) return std::string(kMarshalPackage) + "FrozenType(" + out + ")";
    return out;
}

namespace {

std::string quoted(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) out.append(c == '"' ? 2 : 1, c);
    return out + "\"";
}

/// Without its quotes a user type of such a name would be taken for the native one.
bool is_native_name(std::string_view name) {
    return scalar_kind(name).has_value() || name == "empty";
}

}  // namespace

std::string to_cql(const DataType& type) {
    if (const auto* s = scalar_name(type.kind)) return std::string(s->cql);
    std::string inner;
    for (const auto& element : type.elements) {
        if (!inner.empty()) inner += ", ";
        inner += to_cql(*element);
    }
    std::string out;
    switch (type.kind) {
        case TypeKind::custom: {
            out = "'";
            for (const char c : type.class_name) out.append(c == '\'' ? 2 : 1, c);
            return out + "'";
        }
        case TypeKind::vector: return "vector<" + inner + ", " + std::to_string(type.dimension) + ">";
        case TypeKind::udt: out = is_native_name(type.name) ? quoted(type.name) : quote_identifier(type.name); break;
        default: out = std::string(to_string(type.kind)) + "<" + inner + ">"; break;
    }
    return type.frozen ? "frozen<" + out + ">" : out;
}

std::string quote_identifier(std::string_view name) {
    // The reserved words of Cassandra 3.11 to 5.0 and of ScyllaDB, put together (CQL-FACTS 8). Sorted.
    static constexpr std::array kReserved{
        std::string_view("add"),
        std::string_view("allow"),
        std::string_view("alter"),
        std::string_view("and"),
        std::string_view("any"),
        std::string_view("apply"),
        std::string_view("asc"),
        std::string_view("authorize"),
        std::string_view("batch"),
        std::string_view("begin"),
        std::string_view("by"),
        std::string_view("cast"),
        std::string_view("columnfamily"),
        std::string_view("create"),
        std::string_view("default"),
        std::string_view("delete"),
        std::string_view("desc"),
        std::string_view("describe"),
        std::string_view("drop"),
        std::string_view("entries"),
        std::string_view("execute"),
        std::string_view("from"),
        std::string_view("full"),
        std::string_view("grant"),
        std::string_view("if"),
        std::string_view("in"),
        std::string_view("index"),
        std::string_view("infinity"),
        std::string_view("insert"),
        std::string_view("into"),
        std::string_view("is"),
        std::string_view("keyspace"),
        std::string_view("limit"),
        std::string_view("materialized"),
        std::string_view("mbean"),
        std::string_view("mbeans"),
        std::string_view("modify"),
        std::string_view("nan"),
        std::string_view("norecursive"),
        std::string_view("not"),
        std::string_view("null"),
        std::string_view("of"),
        std::string_view("on"),
        std::string_view("or"),
        std::string_view("order"),
        std::string_view("primary"),
        std::string_view("prune"),
        std::string_view("rename"),
        std::string_view("replace"),
        std::string_view("revoke"),
        std::string_view("schema"),
        std::string_view("scylla_clustering_bound"),
        std::string_view("scylla_counter_shard_list"),
        std::string_view("scylla_timeuuid_list_index"),
        std::string_view("select"),
        std::string_view("set"),
        std::string_view("table"),
        std::string_view("to"),
        std::string_view("token"),
        std::string_view("truncate"),
        std::string_view("unlogged"),
        std::string_view("unset"),
        std::string_view("update"),
        std::string_view("use"),
        std::string_view("using"),
        std::string_view("vector"),
        std::string_view("view"),
        std::string_view("where"),
        std::string_view("with"),
    };
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (!name.empty() && name[0] >= 'a' && name[0] <= 'z' && std::ranges::all_of(name, plain) &&
        !std::ranges::binary_search(kReserved, name)) {
        return std::string(name);
    }
    return quoted(name);
}

}  // namespace penumbra::cql
