#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/strong.h"

namespace penumbra::cql {

/// A place on the ring of the Murmur3 partitioner. No partition has kMinToken: a range that starts there is open below.
using Token = Strong<std::int64_t, struct TokenTag>;
inline constexpr Token kMinToken{INT64_MIN};
inline constexpr Token kMaxToken{INT64_MAX};

inline std::string to_string(Token token) {
    return std::to_string(token.value());
}

/// The token of a serialized partition key, the same on Cassandra and ScyllaDB.
Token murmur3_token(BytesView partition_key);

/// Appends the serialized partition key of these column values to `out`: one column is its raw bytes, several are each
/// a 16-bit length, the bytes and a zero. Fails on a component over 65535 bytes.
Status append_partition_key(std::span<const BytesView> components, Bytes& out);
/// The inverse for a key of `count` columns.
Result<std::vector<BytesView>> split_partition_key(BytesView partition_key, std::size_t count);

/// The shard of a ScyllaDB node that owns the token (biased-token-round-robin; both numbers are in its SUPPORTED).
std::uint32_t shard_of(Token token, std::uint32_t nr_shards, std::uint32_t ignore_msb);

}  // namespace penumbra::cql
