#include "cql/types/token.h"

#include <fmt/format.h>

namespace penumbra::cql {
namespace {

std::uint64_t load_le(const Byte* at) {
    return byte_swapped(load_be<std::uint64_t>(at));
}

std::uint64_t rotl(std::uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

/// The XOR of eight bytes, each sign-extended and then shifted to its place: the bytes as they are, and above each
/// negative one all bits turned over, which is where the number of negative bytes below is odd.
std::uint64_t extended(std::uint64_t plain) {
    std::uint64_t odd = (plain & 0x8080808080808080ULL) << 1;
    odd ^= odd << 1;
    odd ^= odd << 2;
    odd ^= odd << 4;
    odd ^= odd << 8;
    odd ^= odd << 16;
    odd ^= odd << 32;
    return plain ^ odd;
}

/// The `size` (1 to 8) bytes at `at`, little-endian. `key` is what they are in: eight bytes of it are loaded at once
/// where it has as many.
std::uint64_t load_le(const Byte* at, std::size_t size, BytesView key) {
    if (size == 8) return load_le(at);
    if (key.data() + key.size() >= at + 8) return load_le(at) & (~std::uint64_t{0} >> (64 - 8 * size));
    if (at + size >= key.data() + 8) return load_le(at + size - 8) >> (64 - 8 * size);
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | at[i];
    return value;
}

std::uint64_t final_mix(std::uint64_t k) {
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdULL;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53ULL;
    k ^= k >> 33;
    return k;
}

}  // namespace

// MurmurHash3 x64_128 with seed 0, the first half, with the quirk that the Java implementation gave to Cassandra and
// thereby to ScyllaDB: bytes of the tail (behind the last whole 16) are sign-extended before they are shifted
// (CQL-FACTS 6).
Token murmur3_token(BytesView key) {
    constexpr std::uint64_t c1 = 0x87c37b91114253d5ULL;
    constexpr std::uint64_t c2 = 0x4cf5ad432745937fULL;
    std::uint64_t h1 = 0;
    std::uint64_t h2 = 0;
    const std::size_t blocks = key.size() / 16;
    for (std::size_t i = 0; i < blocks; ++i) {
        std::uint64_t k1 = load_le(key.data() + i * 16);
        std::uint64_t k2 = load_le(key.data() + i * 16 + 8);
        k1 *= c1;
        k1 = rotl(k1, 31);
        k1 *= c2;
        h1 ^= k1;
        h1 = rotl(h1, 27);
        h1 += h2;
        h1 = h1 * 5 + 0x52dce729;
        k2 *= c2;
        k2 = rotl(k2, 33);
        k2 *= c1;
        h2 ^= k2;
        h2 = rotl(h2, 31);
        h2 += h1;
        h2 = h2 * 5 + 0x38495ab5;
    }
    const Byte* tail = key.data() + blocks * 16;
    const std::size_t left = key.size() % 16;
    if (left > 8) {
        std::uint64_t k2 = extended(load_le(tail + 8, left - 8, key));
        k2 *= c2;
        k2 = rotl(k2, 33);
        k2 *= c1;
        h2 ^= k2;
    }
    if (left > 0) {
        std::uint64_t k1 = extended(load_le(tail, left < 8 ? left : 8, key));
        k1 *= c1;
        k1 = rotl(k1, 31);
        k1 *= c2;
        h1 ^= k1;
    }
    h1 ^= key.size();
    h2 ^= key.size();
    h1 += h2;
    h2 += h1;
    h1 = final_mix(h1);
    h2 = final_mix(h2);
    h1 += h2;
    const auto token = static_cast<std::int64_t>(h1);
    return Token(token == INT64_MIN ? INT64_MAX : token);  // the minimum is no partition's token
}

Status append_partition_key(std::span<const BytesView> components, Bytes& out) {
    if (components.size() == 1) {
        out.insert(out.end(), components[0].begin(), components[0].end());
        return ok();
    }
    Writer w(out);
    for (const auto& component : components) {
        if (component.size() > 0xFFFF) {
            return fail(
                Errc::invalid_argument,
                fmt::format("a partition key component of {} bytes is over the limit of 65535", component.size()));
        }
        w.u16(static_cast<std::uint16_t>(component.size()));
        w.raw(component);
        w.u8(0);
    }
    return ok();
}

Result<std::vector<BytesView>> split_partition_key(BytesView partition_key, std::size_t count) {
    if (count == 1) return std::vector<BytesView>{partition_key};
    std::vector<BytesView> components;
    components.reserve(count);
    Reader in(partition_key);
    for (std::size_t i = 0; i < count; ++i) {
        TRY(auto size, in.u16());
        TRY(auto bytes, in.take(size));
        TRY(auto end, in.u8());
        if (end != 0) return fail(Errc::malformed, "a partition key component does not end with a zero");
        components.push_back(bytes);
    }
    if (!in.done()) return fail(Errc::malformed, "bytes left over after a partition key's last component");
    return components;
}

std::uint32_t shard_of(Token token, std::uint32_t nr_shards, std::uint32_t ignore_msb) {
    auto biased = static_cast<std::uint64_t>(token.value()) + (std::uint64_t{1} << 63);
    biased = ignore_msb < 64 ? biased << ignore_msb : 0;
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint32_t>(static_cast<Wide>(biased) * nr_shards >> 64);
}

}  // namespace penumbra::cql
