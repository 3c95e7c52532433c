#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cql/language/statement.h"
#include "cql/types/cell.h"
#include "cql/types/type.h"

/// The expressions of a SELECT: which columns and aggregates they have, and how their text reads once some parts of it
/// are known values.
namespace penumbra::cql {

/// A value and what it is. Bound values may be unset.
struct TypedCell {
    TypePtr type;
    Cell value;
};

/// count, min, max, sum or avg, of the servers' own.
bool is_aggregate(const Term& term);
/// count(*), or of a constant: it counts rows, whatever they hold.
bool is_count_of_rows(const Term& term);
/// writetime, ttl or maxwritetime: about the cell of a column, not its value.
bool is_about_cell(const Term& term);
/// token(..)
bool is_token(const Term& term);
/// The names of all columns in the term, in text order.
std::vector<std::string_view> columns_of(const Term& term);
/// The outermost aggregates in it.
std::vector<const Term*> aggregates_of(const Term& term);

/// A text with values for its markers, all of them `?`.
struct BoundText {
    std::string text;
    std::vector<CellView> values;
};

/// Says what a part of a term is known to be; nothing when it stays as it is written. Lives during the call.
using KnownPart = std::function<const TypedCell*(const Term&)>;
/// The value bound to the nth marker of the whole statement.
using MarkerValue = std::function<CellView(const Term&)>;

/// Appends the text of `term` as it stands in `text`. A known part becomes `(type)?`: servers evaluate functions of
/// values as they evaluate functions of columns. Cells refer to what `known` and `marker` gave.
void append_bound(const Term& term, std::string_view text, const KnownPart& known, const MarkerValue& marker,
                  BoundText& out);

/// What an aggregate makes of these values; Errc::unsupported for types that it has no arithmetic for.
Result<TypedCell> aggregate(std::string_view name, const TypePtr& type, const std::vector<Cell>& values);

/// A value as toJson() writes it.
std::string to_json(const DataType& type, CellView value);
/// `text` with quotes and escapes.
std::string json_string(std::string_view text);

/// The functions that both kinds of server have for the types of system tables: toJson, typeAsBlob, blobAsType, cast
/// to text. For servers that take no values where they select: those cannot be asked. Errc::unsupported for others.
Result<TypedCell> call_function(std::string_view name, const std::vector<TypedCell>& arguments);
Result<TypedCell> cast_to(const DataType& type, const TypedCell& value);

}  // namespace penumbra::cql
