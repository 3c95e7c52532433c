#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "cql/types/cell.h"
#include "cql/types/type.h"

namespace penumbra::cql {

/// Whether the bytes are a value of the type that both kinds of server take. An empty value (zero bytes) is valid for
/// the scalars that Cassandra takes it for; nulls inside collections are not.
Status validate(const DataType& type, BytesView value);

/// A CQL literal that Cassandra and ScyllaDB take back as the same value. `null` for null. An empty value of a type
/// that has no literal for it becomes blobAs…(0x). Fails when the bytes are no value of the type.
Result<std::string> to_literal(const DataType& type, CellView value);
/// For messages and tables: text without its quotes, and hex where the bytes are no value of the type. Never fails.
std::string to_text(const DataType& type, CellView value);

/// What a literal in a statement means for a column of this type: the text of one CQL term, with its quotes. Strings,
/// numbers, uuids, blobs, booleans, durations, NaN and Infinity, timestamps, dates and times in every format that the
/// servers take, collections, tuples, UDTs, vectors, blobAs…(0x…). Sets and maps come out sorted, as servers store
/// them. What only the server knows is Errc::unsupported: markers, other functions, the timestamp 'now' (not a value
/// but a function in disguise) and one without a zone; null is Errc::invalid_argument.
Result<Bytes> from_literal(const DataType& type, std::string_view literal);
/// The same for plain text as a person or a file gives it: strings need no quotes, and a time without a zone is in UTC.
Result<Bytes> from_text(const DataType& type, std::string_view text);

/// Whether this text, in the place of a timestamp, says a date or a time without its zone. Each server reads it in the
/// zone that it runs in: Cassandra's TimestampSerializer in the default of its JVM, ScyllaDB's timestamp_from_string in
/// the local time of its process. Of a text that no server takes, either answer.
bool lacks_zone(std::string_view timestamp);

/// The order in which servers sort values of the type (clustering columns, set elements, map keys). Empty sorts first.
/// Bytes that are no value of the type are ordered by their bytes.
std::weak_ordering compare_values(const DataType& type, BytesView a, BytesView b);
/// Whether the two mean the same to a server: compares decoded (1.0 and 1.00 are one decimal), sets and maps whatever
/// their order. Equal bytes are always equal.
bool equal_values(const DataType& type, CellView a, CellView b);

}  // namespace penumbra::cql
