#include "kube/schema.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "base/assert.h"
#include "kube/model.h"
#include "kube/quantity.h"

namespace penumbra::kube {

namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return text;
}

std::string_view take_word(std::string_view& text) {
    text = trim(text);
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

std::int64_t to_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    ASSERT(result.ec == std::errc() && result.ptr == text.data() + text.size());
    return value;
}

std::string_view describe(const Node& node) {
    if (node.is_map()) return "a map";
    if (node.is_list()) return "a list";
    switch (node.scalar_type()) {
        case ScalarType::null:
            return "nothing";
        case ScalarType::boolean:
            return "a boolean";
        case ScalarType::integer:
            return "an integer";
        case ScalarType::number:
            return "a number";
        case ScalarType::string:
            return "text";
    }
    return "something";
}

std::string_view describe(Type::Kind kind) {
    switch (kind) {
        case Type::Kind::string:
            return "text";
        case Type::Kind::integer:
            return "an integer";
        case Type::Kind::number:
            return "a number";
        case Type::Kind::boolean:
            return "true or false";
        case Type::Kind::quantity:
            return "a quantity such as 500m, 6 or 30Gi";
        case Type::Kind::int_or_string:
            return "an integer or text";
        case Type::Kind::duration:
            return "a duration such as 10m or 1h30m";
        case Type::Kind::any:
            return "anything";
        case Type::Kind::map:
            return "a map";
        case Type::Kind::list:
            return "a list";
        case Type::Kind::object:
            return "a map";
    }
    return "something";
}

/// Go's duration: 1h30m, 500ms, 1.5s.
bool is_duration(std::string_view text) {
    if (text == "0") return true;
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (text.empty()) return false;
    while (!text.empty()) {
        const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
        if (digits == 0) return false;
        text.remove_prefix(digits);
        const auto unit = std::min(text.find_first_of("0123456789."), text.size());
        const auto name = text.substr(0, unit);
        if (name != "ns" && name != "us" && name != "ms" && name != "s" && name != "m" && name != "h") return false;
        text.remove_prefix(unit);
    }
    return true;
}

std::string list_of(const std::vector<std::string>& names) {
    return fmt::format("{}", fmt::join(names, ", "));
}

void check_scalar(const Node& node, const Type& type, std::string_view path, Diagnostics& out) {
    const auto is = node.scalar_type();
    bool fits = true;
    std::string help;
    switch (type.kind) {
        case Type::Kind::string:
            fits = is == ScalarType::string;
            if (!fits) help = fmt::format("write it in quotes: \"{}\"", node.text);
            break;
        case Type::Kind::integer:
            fits = is == ScalarType::integer && node.as_integer().has_value();
            if (!node.plain && scalar_type_of(node.text) == ScalarType::integer)
                help = fmt::format("write it without quotes: {}", node.text);
            break;
        case Type::Kind::number:
            fits = is == ScalarType::integer || is == ScalarType::number;
            break;
        case Type::Kind::boolean:
            fits = is == ScalarType::boolean;
            if (!node.plain && scalar_type_of(node.text) == ScalarType::boolean)
                help = fmt::format("write it without quotes: {}", node.text);
            break;
        case Type::Kind::quantity: {
            const auto amount = Quantity::parse(node.text);
            fits = is != ScalarType::boolean && amount.has_value();
            if (fits && amount->milli < 0) {
                out.error(node.mark, std::string(path), fmt::format("`{}` is less than nothing", node.text));
            }
            auto text = node.text;
            if (!fits && !text.empty()) {
                // 30GB, 30gb and 30GiB are what people write; Kubernetes knows G and Gi.
                if (text.back() == 'B' || text.back() == 'b') text.pop_back();
                const auto unit = text.find_first_not_of("0123456789.");
                if (unit != std::string::npos && std::string_view("gmtp").find(text[unit]) != std::string_view::npos &&
                    unit > 0) {
                    text[unit] = static_cast<char>(text[unit] - 'a' + 'A');
                }
                if (text != node.text && Quantity::parse(text)) help = fmt::format("did you mean {}?", text);
            }
            break;
        }
        case Type::Kind::int_or_string:
            fits = is == ScalarType::integer || is == ScalarType::string;
            break;
        case Type::Kind::duration:
            fits = is == ScalarType::string && is_duration(node.text);
            break;
        case Type::Kind::any:
        case Type::Kind::map:
        case Type::Kind::list:
        case Type::Kind::object:
            return;
    }
    if (!fits)
        out.error(node.mark, std::string(path),
                  fmt::format("expected {}, found {} `{}`", describe(type.kind), describe(node), node.text), help);
}

void check_value(const Node& node, const Field& field, const std::string& path, Diagnostics& out) {
    if (!node.is_scalar()) return;
    if (!field.allowed.empty() &&
        std::find(field.allowed.begin(), field.allowed.end(), node.text) == field.allowed.end()) {
        const auto nearest = nearest_name(node.text, field.allowed);
        out.error(node.mark, path, fmt::format("`{}` is not one of {}", node.text, list_of(field.allowed)),
                  nearest.empty() ? "" : fmt::format("did you mean {}?", nearest));
    }
    if (const auto value = node.as_integer()) {
        if (field.min && *value < *field.min)
            out.error(node.mark, path, fmt::format("{} is less than {}", *value, *field.min));
        if (field.max && *value > *field.max)
            out.error(node.mark, path, fmt::format("{} is more than {}", *value, *field.max));
    }
    if (field.min_length && node.text.size() < *field.min_length) {
        out.error(node.mark, path, fmt::format("`{}` is shorter than {} characters", node.text, *field.min_length));
    }
}

}  // namespace

const Field* Type::field(std::string_view field_name) const {
    for (const auto& field : fields) {
        if (field.name == field_name) return &field;
    }
    return nullptr;
}

Schema::Schema() {
    using Kind = Type::Kind;
    for (const auto& [name, kind] : {std::pair{"string", Kind::string},
                                     {"integer", Kind::integer},
                                     {"number", Kind::number},
                                     {"boolean", Kind::boolean},
                                     {"quantity", Kind::quantity},
                                     {"int_or_string", Kind::int_or_string},
                                     {"duration", Kind::duration},
                                     {"any", Kind::any}}) {
        Type type;
        type.kind = kind;
        named_[name] = &storage_.emplace_back(std::move(type));
    }
    for (const auto table : {core_model(), cassandra_model(), scylla_model()}) load(table);
}

const Schema& Schema::instance() {
    static const Schema schema;
    return schema;
}

const Type* Schema::parse_type(std::string_view text) {
    if (text.size() > 2 && (text.front() == '[' || text.front() == '{')) {
        Type type;
        type.kind = text.front() == '[' ? Type::Kind::list : Type::Kind::map;
        type.element = parse_type(text.substr(1, text.size() - 2));
        return &storage_.emplace_back(std::move(type));
    }
    const auto found = named_.find(text);
    ASSERT(found != named_.end());  // a table names a type before it has defined it
    return found->second;
}

// The tables' language, one line each; fields are indented:
//   type NAME                            starts an object
//   kind API/VERSION KIND TYPE           names the type of a whole document
//   FIELD[!] TYPE [min=N] [max=N] [length=N] [enum=A,B] [~ why it is deprecated]     '!' marks a required field
//   include NAME                         the fields of another object, in place
void Schema::load(std::string_view table) {
    Type* current = nullptr;
    while (!table.empty()) {
        const auto end = table.find('\n');
        const bool indented = table.starts_with(' ');  // a field may be called `type` or `kind`
        auto line = trim(table.substr(0, end));
        table.remove_prefix(end == std::string_view::npos ? table.size() : end + 1);
        if (line.empty() || line.starts_with('#')) continue;
        auto word = take_word(line);
        if (!indented && word == "type") {
            current = &storage_.emplace_back();
            current->kind = Type::Kind::object;
            current->name = take_word(line);
            named_[current->name] = current;
            continue;
        }
        if (!indented && word == "kind") {
            const auto api = take_word(line);
            const auto name = take_word(line);
            kinds_[fmt::format("{} {}", api, name)] = parse_type(take_word(line));
            continue;
        }
        ASSERT(current != nullptr);
        if (word == "include") {
            const auto& other = *parse_type(take_word(line));
            current->fields.insert(current->fields.end(), other.fields.begin(), other.fields.end());
            continue;
        }
        Field field;
        field.required = word.ends_with('!');
        if (field.required) word.remove_suffix(1);
        field.name = word;
        field.type = parse_type(take_word(line));
        while (!(line = trim(line)).empty()) {
            if (line.starts_with('~')) {
                field.deprecated = trim(line.substr(1));
                break;
            }
            const auto option = take_word(line);
            const auto equals = option.find('=');
            ASSERT(equals != std::string_view::npos);
            const auto key = option.substr(0, equals);
            auto value = option.substr(equals + 1);
            if (key == "min") field.min = to_integer(value);
            if (key == "max") field.max = to_integer(value);
            if (key == "length") field.min_length = static_cast<std::size_t>(to_integer(value));
            if (key == "enum") {
                while (!value.empty()) {
                    const auto comma = std::min(value.find(','), value.size());
                    field.allowed.emplace_back(value.substr(0, comma));
                    value.remove_prefix(std::min(comma + 1, value.size()));
                }
            }
        }
        current->fields.push_back(std::move(field));
    }
}

const Type* Schema::kind(std::string_view api_version, std::string_view kind) const {
    const auto found = kinds_.find(fmt::format("{} {}", api_version, kind));
    return found == kinds_.end() ? nullptr : found->second;
}

std::vector<std::string> Schema::kinds() const {
    std::vector<std::string> names;
    for (const auto& [name, type] : kinds_) names.push_back(name);
    return names;
}

namespace {

void walk(const Type& type, const std::string& path, std::set<const Type*>& open,
          const std::function<void(const std::string&, const Field&)>& visit) {
    if (type.kind == Type::Kind::list) return walk(*type.element, path + "[]", open, visit);
    if (type.kind == Type::Kind::map) return walk(*type.element, path + "{}", open, visit);
    if (type.kind != Type::Kind::object || !open.insert(&type).second) return;
    for (const auto& field : type.fields) {
        const auto below = path.empty() ? field.name : path + "." + field.name;
        visit(below, field);
        walk(*field.type, below, open, visit);
    }
    open.erase(&type);
}

}  // namespace

std::vector<std::string> Schema::paths_to(const Type& root, std::string_view field) const {
    std::vector<std::string> paths;
    std::set<const Type*> open;
    walk(root, {}, open, [&](const std::string& path, const Field& at) {
        if (at.name == field) paths.push_back(path);
    });
    return paths;
}

std::vector<std::string> Schema::all_paths(const Type& root) const {
    std::vector<std::string> paths;
    std::set<const Type*> open;
    walk(root, {}, open, [&](const std::string& path, const Field&) { paths.push_back(path); });
    return paths;
}

void check_shape(const Node& node, const Type& type, std::string_view path, Mark parent, Diagnostics& out) {
    const Mark mark = node.mark.line > 0 ? node.mark : parent;
    if (node.is_null()) {
        // `key:` with nothing behind it is dropped by the API server, which is the same as not being there.
        if (type.kind != Type::Kind::any && type.kind != Type::Kind::object)
            out.warning(mark, std::string(path), "has no value, so it is as if it were not there");
        return;
    }
    switch (type.kind) {
        case Type::Kind::any:
            return;
        case Type::Kind::list:
            if (!node.is_list())
                return out.error(mark, std::string(path), fmt::format("expected a list, found {}", describe(node)));
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                const auto& item = node.items[i];
                if (item.is_null() && type.element->kind != Type::Kind::any) {
                    out.error(item.mark, join_path(path, i), "an item without a value");
                } else {
                    check_shape(item, *type.element, join_path(path, i), mark, out);
                }
            }
            return;
        case Type::Kind::map:
            if (!node.is_map())
                return out.error(mark, std::string(path), fmt::format("expected a map, found {}", describe(node)));
            for (const auto& entry : node.entries)
                check_shape(entry.value, *type.element, join_path(path, entry.key), entry.mark, out);
            return;
        case Type::Kind::object:
            break;
        default:
            if (!node.is_scalar())
                return out.error(mark, std::string(path),
                                 fmt::format("expected {}, found {}", describe(type.kind), describe(node)));
            return check_scalar(node, type, path, out);
    }
    if (!node.is_map())
        return out.error(mark, std::string(path), fmt::format("expected a map, found {}", describe(node)));
    std::vector<std::string> known;
    for (const auto& field : type.fields) known.push_back(field.name);
    for (const auto& entry : node.entries) {
        const auto below = join_path(path, entry.key);
        const Field* field = type.field(entry.key);
        if (!field) {
            const auto nearest = nearest_name(entry.key, known);
            const auto advice = misplaced_field(path, entry.key);
            out.error(
                entry.mark, below,
                fmt::format("there is no field `{}` in {}", entry.key, path.empty() ? type.name : std::string(path)),
                !advice.empty()   ? advice
                : nearest.empty() ? "the API server would drop it without a word"
                                  : fmt::format("did you mean `{}`?", nearest));
            continue;
        }
        if (!field->deprecated.empty()) out.warning(entry.mark, below, "deprecated", field->deprecated);
        check_shape(entry.value, *field->type, below, entry.mark, out);
        check_value(entry.value, *field, below, out);
    }
    for (const auto& field : type.fields) {
        const Node* there = node.find(field.name);
        if (!field.required || (there && !there->is_null())) continue;
        out.error(mark, join_path(path, field.name), there ? "required, and has no value" : "required, and not there",
                  required_advice(path, field.name));
    }
}

}  // namespace penumbra::kube
