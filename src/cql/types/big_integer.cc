#include "cql/types/big_integer.h"

#include <algorithm>
#include <bit>

namespace penumbra::cql {

BigInteger BigInteger::from_bytes(BytesView bytes) {
    BigInteger result;
    if (bytes.empty()) return result;
    result.negative_ = (bytes[0] & 0x80) != 0;
    const Byte flip = result.negative_ ? 0xFF : 0;
    result.limbs_.assign((bytes.size() + 3) / 4, 0);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<std::uint32_t>(bytes[bytes.size() - 1 - i] ^ flip);
        result.limbs_[i / 4] |= byte << (8 * (i % 4));
    }
    if (result.negative_) {  // the magnitude is the complement plus one
        std::size_t i = 0;
        while (i < result.limbs_.size() && ++result.limbs_[i] == 0) ++i;
        if (i == result.limbs_.size()) result.limbs_.push_back(1);
    }
    result.trim();
    return result;
}

Result<BigInteger> BigInteger::parse(std::string_view text) {
    BigInteger result;
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text.empty()) return fail(Errc::invalid_argument, "a number without digits");
    while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
    if (text.size() > kMaxBytes * 2)
        return fail(Errc::unsupported, "a number of " + std::to_string(text.size()) + " digits");
    while (!text.empty()) {
        std::uint32_t factor = 1;
        std::uint32_t chunk = 0;
        for (int i = 0; i < 9 && !text.empty(); ++i) {
            const char c = text[0];
            if (c < '0' || c > '9') return fail(Errc::invalid_argument, std::string("'") + c + "' is no digit");
            chunk = chunk * 10 + static_cast<std::uint32_t>(c - '0');
            factor *= 10;
            text.remove_prefix(1);
        }
        result.multiply_add(factor, chunk);
    }
    result.negative_ = negative && !result.limbs_.empty();
    return result;
}

Bytes BigInteger::to_bytes() const {
    if (limbs_.empty()) return {0};
    std::vector<std::uint32_t> limbs = limbs_;
    limbs.push_back(0);  // room for the sign
    if (negative_) {
        for (auto& limb : limbs) limb = ~limb;
        for (auto& limb : limbs) {
            if (++limb != 0) break;
        }
    }
    Bytes bytes;
    bytes.reserve(limbs.size() * 4);
    for (std::size_t i = limbs.size(); i-- > 0;) {
        for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<Byte>(limbs[i] >> shift));
    }
    // Drop leading bytes that only repeat the sign.
    std::size_t drop = 0;
    const Byte sign = negative_ ? 0xFF : 0;
    while (drop + 1 < bytes.size() && bytes[drop] == sign && (bytes[drop + 1] & 0x80) == (sign & 0x80)) ++drop;
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(drop));
    return bytes;
}

std::string BigInteger::to_string() const {
    if (limbs_.empty()) return "0";
    std::vector<std::uint32_t> rest = limbs_;
    std::string reversed;
    while (!rest.empty()) {
        std::uint64_t remainder = 0;
        for (std::size_t i = rest.size(); i-- > 0;) {
            const std::uint64_t part = remainder << 32 | rest[i];
            rest[i] = static_cast<std::uint32_t>(part / 1'000'000'000);
            remainder = part % 1'000'000'000;
        }
        while (!rest.empty() && rest.back() == 0) rest.pop_back();
        for (int i = 0; i < 9 && (!rest.empty() || remainder != 0); ++i) {
            reversed += static_cast<char>('0' + remainder % 10);
            remainder /= 10;
        }
    }
    if (negative_) reversed += '-';
    std::ranges::reverse(reversed);
    return reversed;
}

std::uint64_t BigInteger::bit_length() const {
    if (limbs_.empty()) return 0;
    return (limbs_.size() - 1) * 32 + static_cast<std::uint64_t>(std::bit_width(limbs_.back()));
}

void BigInteger::multiply_by_power_of_ten(std::uint64_t exponent) {
    if (limbs_.empty()) return;
    for (; exponent >= 9; exponent -= 9) multiply_add(1'000'000'000, 0);
    for (; exponent > 0; --exponent) multiply_add(10, 0);
}

std::strong_ordering BigInteger::operator<=>(const BigInteger& other) const {
    if (negative_ != other.negative_) return negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
    auto order = limbs_.size() <=> other.limbs_.size();
    for (std::size_t i = limbs_.size(); order == 0 && i-- > 0;) order = limbs_[i] <=> other.limbs_[i];
    return negative_ ? 0 <=> order : order;
}

void BigInteger::multiply_add(std::uint32_t factor, std::uint32_t summand) {
    std::uint64_t carry = summand;
    for (auto& limb : limbs_) {
        carry += static_cast<std::uint64_t>(limb) * factor;
        limb = static_cast<std::uint32_t>(carry);
        carry >>= 32;
    }
    if (carry != 0) limbs_.push_back(static_cast<std::uint32_t>(carry));
}

void BigInteger::trim() {
    while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
    if (limbs_.empty()) negative_ = false;
}

}  // namespace penumbra::cql
