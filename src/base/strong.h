#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace penumbra {

/// A number or string that is not interchangeable with others of its representation: struct EpochTag; using Epoch =
/// Strong<uint64_t, EpochTag>.
template <class Rep, class Tag>
class Strong {
  public:
    using rep = Rep;
    constexpr Strong() = default;
    constexpr explicit Strong(Rep value) : value_(std::move(value)) {}
    constexpr const Rep& value() const { return value_; }
    constexpr auto operator<=>(const Strong&) const = default;

  private:
    Rep value_{};
};

}  // namespace penumbra

template <class Rep, class Tag>
struct std::hash<penumbra::Strong<Rep, Tag>> {
    std::size_t operator()(const penumbra::Strong<Rep, Tag>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
