#include "base/bytes.h"

#include <algorithm>

#include <fmt/format.h>

namespace penumbra {

bool equal(BytesView a, BytesView b) {
    return std::ranges::equal(a, b);
}

std::string to_hex(BytesView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const Byte b : bytes) {
        hex.push_back(kDigits[b >> 4]);
        hex.push_back(kDigits[b & 15]);
    }
    return hex;
}

Result<Bytes> from_hex(std::string_view hex) {
    if (hex.size() % 2 != 0) return fail(Errc::malformed, "hex text has an odd number of digits");
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    Bytes bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = digit(hex[i]);
        const int low = digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return fail(Errc::malformed, fmt::format("'{}' is not a hex digit", high < 0 ? hex[i] : hex[i + 1]));
        bytes.push_back(static_cast<Byte>(high << 4 | low));
    }
    return bytes;
}

BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> Reader::short_of(std::size_t wanted) const {
    return fail(Errc::malformed, fmt::format("{} bytes wanted at offset {}, {} left", wanted, at_, left()));
}

}  // namespace penumbra
