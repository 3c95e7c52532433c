#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kube/diagnostics.h"
#include "kube/node.h"

namespace penumbra::kube {

struct Field;

/// What may stand somewhere in a manifest.
struct Type {
    enum class Kind : std::uint8_t {
        string,
        integer,
        number,
        boolean,
        quantity,
        int_or_string,
        duration,
        any,
        map,
        list,
        object
    };
    Kind kind = Kind::any;
    std::string name;               ///< of an object
    const Type* element = nullptr;  ///< of a map or list
    std::vector<Field> fields;      ///< of an object

    const Field* field(std::string_view field_name) const;
};

struct Field {
    std::string name;
    const Type* type = nullptr;
    bool required = false;
    std::optional<std::int64_t> min;
    std::optional<std::int64_t> max;
    std::optional<std::size_t> min_length;
    std::vector<std::string> allowed;
    std::string deprecated;  ///< what the operators say of it, empty when it is current
};

/// The objects that we know, field by field: what the operators' custom resources and the ordinary Kubernetes objects
/// around them may hold. Written down in model_*.cc as tables; immutable once made, shared by all.
class Schema {
  public:
    static const Schema& instance();

    /// The type of an object, or nullptr for a kind that we do not know.
    const Type* kind(std::string_view api_version, std::string_view kind) const;
    /// Every path below a type whose last step is `field`: spec.datacenter.racks[].members for members.
    std::vector<std::string> paths_to(const Type& root, std::string_view field) const;
    /// Every path of a type, `[]` for list elements and `{}` for map values. For tests and documentation.
    std::vector<std::string> all_paths(const Type& root) const;
    std::vector<std::string> kinds() const;

  private:
    Schema();
    void load(std::string_view table);
    const Type* parse_type(std::string_view text);

    std::deque<Type> storage_;
    std::map<std::string, const Type*, std::less<>> named_;
    std::map<std::string, const Type*, std::less<>> kinds_;
};

/// Checks names, types, required fields, enumerations and ranges of a document against the type of its kind.
void check_shape(const Node& node, const Type& type, std::string_view path, Mark parent, Diagnostics& out);

}  // namespace penumbra::kube
