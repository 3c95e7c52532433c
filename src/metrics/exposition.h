#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/cells.h"

namespace penumbra::metrics {

struct Label {
    std::string_view name;
    std::string_view value;
};
using Labels = std::initializer_list<Label>;

/// Collects samples and writes them as Prometheus text, format 0.0.4. Samples of one name come together whoever adds
/// them, and their help is that of the first. Names carry their unit (`_seconds`, `_bytes`); counters end in `_total`.
class MetricWriter {
  public:
    void counter(std::string_view name, std::string_view help, std::uint64_t value, Labels labels = {});
    void gauge(std::string_view name, std::string_view help, double value, Labels labels = {});
    /// Durations in seconds. The buckets shown are powers of two from 64 us to 34 s, which fall on bounds of ours, so
    /// nothing is interpolated.
    void histogram(std::string_view name, std::string_view help, const HistogramSnapshot& value, Labels labels = {});

    std::string text() const;
    static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  private:
    struct Family {
        std::string_view type;
        std::string help;
        std::string lines;
    };
    Family& family(std::string_view name, std::string_view help, std::string_view type);

    std::map<std::string, Family, std::less<>> families_;
};

/// Everyone who has something to tell. Filled at start, before it is read; a collector runs on the thread that asks and
/// reads single-writer cells only.
class Collectors {
  public:
    using Collect = std::function<void(MetricWriter&)>;

    void add(Collect collect) { all_.push_back(std::move(collect)); }
    void collect(MetricWriter& out) const {
        for (const auto& one : all_) one(out);
    }

  private:
    std::vector<Collect> all_;
};

}  // namespace penumbra::metrics
