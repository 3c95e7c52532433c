#pragma once

#include <string_view>

namespace penumbra::cql::parsing {

/// Is this (in lower case) a function of Cassandra or ScyllaDB itself? All others are users', of which we cannot tell
/// whether they give the same value twice.
bool is_native_function(std::string_view name);

}  // namespace penumbra::cql::parsing
