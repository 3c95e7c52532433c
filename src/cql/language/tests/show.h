#pragma once

#include <string>

#include "cql/language/statement.h"

namespace penumbra::cql {

/// Terms and statements as one line, for tables of expectations. Markers are ?0, ?1, or :name@0; a cast is (type)x;
/// what is absent is left out.
std::string show(const Term& term);
std::string show(const Restriction& restriction);
std::string show(const Statement& statement);

}  // namespace penumbra::cql
