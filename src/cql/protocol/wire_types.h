#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "cql/protocol/version.h"
#include "cql/types/type.h"

/// Types on the wire (native_protocol_v5.spec 4.2.5.2, [option]).
namespace penumbra::cql {

Result<TypePtr> read_type(Reader& in);
/// As the type says: a class name where it has one, else its code.
void write_type(Writer& out, const DataType& type);
/// The type as Cassandra sends it in this version: class names for date, time, smallint and tinyint in v3 and for
/// duration before v5. ScyllaDB sends their codes in every version, which strict clients do not expect.
TypePtr as_cassandra_sends(const TypePtr& type, ProtocolVersion version);

}  // namespace penumbra::cql
