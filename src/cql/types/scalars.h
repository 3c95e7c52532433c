#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cql/types/uuid.h"

namespace penumbra::cql {

/// Decoders of single values whose type the caller knows: a wrong length is Errc::malformed. What the control path uses
/// to read system tables.
Result<bool> decode_boolean(BytesView value);
Result<std::int8_t> decode_tinyint(BytesView value);
Result<std::int16_t> decode_smallint(BytesView value);
Result<std::int32_t> decode_int(BytesView value);
/// bigint, counter, timestamp (milliseconds since 1970) and time (nanoseconds of the day) alike.
Result<std::int64_t> decode_bigint(BytesView value);
Result<float> decode_float(BytesView value);
Result<double> decode_double(BytesView value);
/// Checked to be UTF-8; a view of `value`.
Result<std::string_view> decode_text(BytesView value);
Result<Uuid> decode_uuid(BytesView value);
Result<InetAddress> decode_inet(BytesView value);
/// list<text> and set<text>, in the order sent.
Result<std::vector<std::string>> decode_text_list(BytesView value);
Result<std::map<std::string, std::string>> decode_text_map(BytesView value);

/// A duration's three parts: months and days have no fixed length, so they stay apart. All of one sign.
struct Duration {
    std::int32_t months = 0;
    std::int32_t days = 0;
    std::int64_t nanos = 0;
    bool operator==(const Duration&) const = default;
};
/// Bytes behind the third part are passed over, as both kinds of server do.
Result<Duration> decode_duration(BytesView value);

Bytes encode_boolean(bool value);
Bytes encode_tinyint(std::int8_t value);
Bytes encode_smallint(std::int16_t value);
Bytes encode_int(std::int32_t value);
Bytes encode_bigint(std::int64_t value);
Bytes encode_float(float value);
Bytes encode_double(double value);
Bytes encode_text(std::string_view value);
Bytes encode_uuid(const Uuid& value);
Bytes encode_inet(const InetAddress& value);
Bytes encode_duration(const Duration& value);
/// As list<text>, or as set<text> when the caller has them sorted.
Bytes encode_text_list(const std::vector<std::string>& values);
Bytes encode_text_map(const std::map<std::string, std::string>& values);

/// Whether the bytes are UTF-8 as ScyllaDB checks it: no overlong forms, surrogates or code points past U+10FFFF.
/// (Cassandra stores some of those, CQL-FACTS 4.1.)
bool is_utf8(BytesView bytes);

/// The unsigned variable-length integers that durations (zigzagged) and vectors use: the number of leading one bits of
/// the first byte is the number of bytes that follow.
Result<std::uint64_t> read_unsigned_vint(Reader& in);
void write_unsigned_vint(Writer& out, std::uint64_t value);

}  // namespace penumbra::cql
