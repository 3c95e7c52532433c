#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace penumbra::cql {

/// One value as it travels: bytes (perhaps none: an empty int is not null), null, or, where it is bound, unset. Does
/// not own the bytes.
class CellView {
  public:
    CellView() = default;
    CellView(BytesView bytes) : bytes_(bytes), state_(State::set) {}  // NOLINT: a value is a cell
    CellView(const Bytes& bytes) : CellView(BytesView(bytes)) {}      // NOLINT
    static CellView null() { return {}; }
    static CellView unset() {
        CellView cell;
        cell.state_ = State::unset;
        return cell;
    }

    bool is_null() const { return state_ == State::null; }
    bool is_unset() const { return state_ == State::unset; }
    bool has_value() const { return state_ == State::set; }
    /// Empty unless has_value().
    BytesView bytes() const { return bytes_; }

    friend bool operator==(const CellView& a, const CellView& b) {
        return a.state_ == b.state_ && equal(a.bytes_, b.bytes_);
    }

  private:
    enum class State : std::uint8_t { null, unset, set };
    BytesView bytes_;
    State state_ = State::null;
};

/// A cell that owns its bytes.
using Cell = std::optional<Bytes>;
inline CellView view_of(const Cell& cell) {
    return cell ? CellView(BytesView(*cell)) : CellView::null();
}

}  // namespace penumbra::cql
