#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "cql/protocol/version.h"
#include "cql/types/cell.h"

namespace penumbra::cql {

/// A Reader for the path of every request: steps give plain values, and one status() at the end says whether all of
/// them were there. After the first thing that is wrong each step gives 0 or nothing, and the status tells of that
/// first one in the words of the notations (notation.h). A Result at each step costs more than the step.
class Cursor {
  public:
    Cursor(BytesView bytes, std::size_t from) : base_(bytes.data()), at_(base_ + from), end_(base_ + bytes.size()) {}

    std::uint32_t position() const { return static_cast<std::uint32_t>(at_ - base_); }
    bool done() const { return at_ == end_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    /// What was read since `from`; nothing once something was wrong.
    BytesView since(std::uint32_t from) const {
        return trouble_ == Trouble::none ? BytesView(base_ + from, at_) : BytesView();
    }

    std::uint8_t u8() { return number<std::uint8_t>(); }
    std::uint16_t u16() { return number<std::uint16_t>(); }
    std::uint32_t u32() { return number<std::uint32_t>(); }
    std::int32_t i32() { return number<std::int32_t>(); }
    std::int64_t i64() { return number<std::int64_t>(); }
    BytesView take(std::size_t size) {
        if (left() < size) [[unlikely]] {
            fail_short(size);
            return {};
        }
        const BytesView taken(at_, size);
        at_ += size;
        return taken;
    }

    std::string_view string() { return text_of(take(u16())); }
    BytesView short_bytes() { return take(u16()); }
    std::string_view long_string() {
        const auto size = i32();
        if (size < 0) [[unlikely]] {
            fail(Trouble::long_string_length, size);
            return {};
        }
        return text_of(take(static_cast<std::size_t>(size)));
    }
    /// [bytes]
    CellView bytes() {
        const auto size = i32();
        return size < 0 ? CellView::null() : CellView(take(static_cast<std::size_t>(size)));
    }
    /// [value], without saying which: it is checked, and what it says is for ValuesView.
    void pass_value() {
        const auto size = i32();
        if (size > 0) {
            take(static_cast<std::size_t>(size));
        } else if (size < -2) [[unlikely]] {
            fail(Trouble::value_length, size);
        }
    }
    /// So many of them, without names.
    void pass_values(std::size_t count) {
        const Byte* at = at_;
        for (; count > 0; --count) {
            if (static_cast<std::size_t>(end_ - at) < sizeof(std::int32_t)) break;
            const auto size = load_be<std::int32_t>(at);
            if (size < -2 || size > end_ - at - 4) break;
            at += 4 + (size > 0 ? size : 0);
        }
        at_ = at;
        if (count > 0) [[unlikely]]
            pass_value();  // says what is wrong with it
    }
    Consistency consistency() {
        const auto code = u16();
        if (code > static_cast<std::uint16_t>(Consistency::local_one)) [[unlikely]] {
            fail(Trouble::consistency, code);
            return {};
        }
        return static_cast<Consistency>(code);
    }

    bool ok() const { return trouble_ == Trouble::none; }
    Status status() const;

  private:
    enum class Trouble : std::uint8_t { none, too_short, long_string_length, value_length, consistency };

    template <class T>
    T number() {
        if (left() < sizeof(T)) [[unlikely]] {
            fail_short(sizeof(T));
            return 0;
        }
        const auto value = load_be<T>(at_);
        at_ += sizeof(T);
        return value;
    }
    void fail_short(std::size_t wanted) { fail(Trouble::too_short, static_cast<std::int64_t>(wanted)); }
    /// The first one counts; nothing is read behind it.
    void fail(Trouble trouble, std::int64_t detail) {
        if (trouble_ != Trouble::none) return;
        trouble_ = trouble;
        detail_ = detail;
        failed_at_ = position();
        left_ = left();
        at_ = end_;
    }

    const Byte* base_;
    const Byte* at_;
    const Byte* end_;
    Trouble trouble_ = Trouble::none;
    std::int64_t detail_ = 0;
    std::uint32_t failed_at_ = 0;
    std::size_t left_ = 0;
};

}  // namespace penumbra::cql
