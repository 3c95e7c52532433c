#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace penumbra::cql {

/// An integer of any size: as much of one as varint and decimal need. Conversion to and from decimal text takes time
/// that grows with the square of the size, hence kMaxBytes.
class BigInteger {
  public:
    /// The longest two's complement that callers should convert to text or compare by value.
    static constexpr std::size_t kMaxBytes = 32 * 1024;

    BigInteger() = default;
    /// Big-endian two's complement of any length; nothing is zero.
    static BigInteger from_bytes(BytesView bytes);
    /// An optional sign and decimal digits.
    static Result<BigInteger> parse(std::string_view text);

    /// The shortest big-endian two's complement, at least one byte: what Java's BigInteger.toByteArray() gives.
    Bytes to_bytes() const;
    std::string to_string() const;

    bool is_negative() const { return negative_; }
    bool is_zero() const { return limbs_.empty(); }
    /// Bits of the magnitude.
    std::uint64_t bit_length() const;
    void multiply_by_power_of_ten(std::uint64_t exponent);

    std::strong_ordering operator<=>(const BigInteger& other) const;
    bool operator==(const BigInteger&) const = default;

  private:
    void multiply_add(std::uint32_t factor, std::uint32_t summand);
    void trim();

    bool negative_ = false;
    std::vector<std::uint32_t> limbs_;  ///< the magnitude, least significant first, no zeros on top
};

}  // namespace penumbra::cql
