#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penumbra {

using Byte = std::uint8_t;
using Bytes = std::vector<Byte>;
using BytesView = std::span<const Byte>;
using MutableBytes = std::span<Byte>;

inline BytesView bytes_of(std::string_view text) {
    return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}
inline std::string_view text_of(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool equal(BytesView a, BytesView b);
/// Lower-case hex without a prefix.
std::string to_hex(BytesView bytes);
Result<Bytes> from_hex(std::string_view hex);

/// The bytes of a number the other way round, as one instruction: a loop over them is not folded into one by -O2.
template <class T>
T byte_swapped(T value) {
    if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
    if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
    if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
    return value;
}

/// Big-endian loads and stores at an address that need not be aligned (the CQL wire order).
template <class T>
T load_be(const Byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return std::endian::native == std::endian::little ? byte_swapped(value) : value;
}
template <class T>
void store_be(Byte* at, T value) {
    if constexpr (std::endian::native == std::endian::little) value = byte_swapped(value);
    std::memcpy(at, &value, sizeof value);
}

/// Reads big-endian numbers and byte runs off a view it does not own. Every step checks what is left; running out is
/// Errc::malformed. Copying a Reader copies a position.
class Reader {
  public:
    Reader() = default;
    explicit Reader(BytesView bytes) : bytes_(bytes) {}

    std::size_t left() const { return bytes_.size() - at_; }
    std::size_t position() const { return at_; }
    bool done() const { return at_ == bytes_.size(); }
    /// What has not been read yet.
    BytesView rest() const { return bytes_.subspan(at_); }

    Result<std::uint8_t> u8() { return number<std::uint8_t>(); }
    Result<std::uint16_t> u16() { return number<std::uint16_t>(); }
    Result<std::int16_t> i16() { return number<std::int16_t>(); }
    Result<std::uint32_t> u32() { return number<std::uint32_t>(); }
    Result<std::int32_t> i32() { return number<std::int32_t>(); }
    Result<std::int64_t> i64() { return number<std::int64_t>(); }
    Result<std::uint64_t> u64() { return number<std::uint64_t>(); }
    Result<BytesView> take(std::size_t n) {
        if (left() < n) return short_of(n);
        const auto taken = bytes_.subspan(at_, n);
        at_ += n;
        return taken;
    }
    Status skip(std::size_t n) {
        if (left() < n) return short_of(n);
        at_ += n;
        return ok();
    }

  private:
    template <class T>
    Result<T> number() {
        if (left() < sizeof(T)) return short_of(sizeof(T));
        const T value = load_be<T>(bytes_.data() + at_);
        at_ += sizeof(T);
        return value;
    }
    BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> short_of(std::size_t wanted) const;

    BytesView bytes_;
    std::size_t at_ = 0;
};

/// Appends big-endian numbers and byte runs to a buffer it does not own, so that the buffer's capacity can be reused.
class Writer {
  public:
    explicit Writer(Bytes& out) : out_(&out) {}

    Bytes& out() { return *out_; }
    std::size_t position() const { return out_->size(); }

    void u8(std::uint8_t v) { out_->push_back(v); }
    void u16(std::uint16_t v) { number(v); }
    void i16(std::int16_t v) { number(v); }
    void u32(std::uint32_t v) { number(v); }
    void i32(std::int32_t v) { number(v); }
    void i64(std::int64_t v) { number(v); }
    void u64(std::uint64_t v) { number(v); }
    void raw(BytesView bytes) { out_->insert(out_->end(), bytes.begin(), bytes.end()); }
    void raw(std::string_view text) { raw(bytes_of(text)); }
    /// Overwrites four bytes written before: lengths that are known only afterwards.
    void patch_i32(std::size_t at, std::int32_t v) { store_be(out_->data() + at, v); }

  private:
    template <class T>
    void number(T v) {
        std::array<Byte, sizeof(T)> bytes;
        store_be(bytes.data(), v);
        raw(bytes);
    }
    Bytes* out_;
};

}  // namespace penumbra
