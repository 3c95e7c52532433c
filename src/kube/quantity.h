#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penumbra::kube {

/// A Kubernetes quantity (`500m`, `30Gi`, `1.5`, `2e3`) as thousandths of its unit, rounded up as Kubernetes does.
struct Quantity {
    std::int64_t milli = 0;

    static std::optional<Quantity> parse(std::string_view text);
    static Quantity whole(std::int64_t units) { return {units * 1000}; }

    bool is_whole() const { return milli % 1000 == 0; }
    std::int64_t ceil() const { return milli / 1000 + (milli % 1000 > 0 ? 1 : 0); }
    double value() const { return static_cast<double>(milli) / 1000; }
    auto operator<=>(const Quantity&) const = default;
};

/// Bytes as the largest binary unit that holds them exactly: 53687091200 -> "50Gi".
std::string format_bytes(std::int64_t bytes);

/// A human's size or rate, `2TB`, `1.9TiB`, `30k`, `12.5M`, as a plain number: decimal for TB and k, binary for TiB and
/// Ti.
std::optional<double> parse_amount(std::string_view text);

}  // namespace penumbra::kube
