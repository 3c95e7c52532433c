#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kube/range.h"

namespace penumbra::kube {

/// What a proxy's metrics say about the clients' requests. Rates per second.
struct ProxyLoad {
    std::optional<Range> reads, writes;
    std::optional<double> requests;  ///< when reads and writes cannot be told apart
    std::string note;
};
/// Two scrapes of a proxy's /metrics, `seconds` apart. Counters that went down (a restart) make the scrapes useless.
Result<ProxyLoad> load_from_metrics(const std::string& before, const std::string& after, double seconds);

/// What nodetool says on the nodes themselves: replicas' work, and data with its copies.
struct NodetoolLoad {
    std::optional<double> replica_ops;   ///< per second over all nodes
    std::optional<double> data_on_disk;  ///< bytes over all nodes
    std::int64_t nodes = 0;              ///< that the figures come from
    std::string note;
};
/// `nodetool info`, `tablestats` and `status` in any order, one text per node or several in one.
Result<NodetoolLoad> load_from_nodetool(const std::vector<std::string>& texts);

}  // namespace penumbra::kube
