#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cql/ddl/dialect.h"
#include "cql/ddl/translate.h"
#include "cql/language/statement.h"

namespace penumbra::cql::ddl {

enum class PropertyOf : std::uint8_t { table, view, keyspace };

/// One `name = value` after WITH as `to` takes it; nothing when it is left out. What changes is added to `changes`, and
/// `refusal` is set where nothing of the kind exists there.
std::optional<std::string> translate_property(std::string_view text, const Property& property, PropertyOf of,
                                              const Dialect& to, const Options& options, std::vector<Change>& changes,
                                              std::string& refusal);

/// The CQL type of a marshal class by its name, with or without its package; empty for one that has none.
std::string_view cql_type_of_class(std::string_view class_name);

}  // namespace penumbra::cql::ddl
