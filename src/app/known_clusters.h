#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "cluster/topology.h"
#include "routing/phase.h"

namespace penumbra::app {

/// Which two clusters the state directory belongs to, in its file `clusters`.
///
/// Phases, finished copies and the journal are of two certain clusters. With another one in the place of either (a
/// mistyped contact point, an address that was given to somebody else's node), owed writes would go to strangers and
/// answers would come from them. A cluster is known by the host ids of its nodes: nodes come and go, but not all at
/// once while we are not looking. Control shard; writes the file when a cluster's nodes have changed.
class KnownClusters {
  public:
    /// What `directory` remembers; nothing in one that is new. Errc::corrupt, with the line, when it cannot be read.
    static Result<KnownClusters> load(const std::filesystem::path& directory);

    /// Before a topology is used: whether it is of the cluster that this side had before, and not of the other side's
    /// (Errc::conflict), and remembers it.
    Status check(routing::Side side, const cluster::Topology& topology);

  private:
    struct Known {
        std::string name;
        std::vector<cql::Uuid> hosts;  // sorted
        bool operator==(const Known&) const = default;
    };
    explicit KnownClusters(std::filesystem::path file) : file_(std::move(file)) {}
    Status read_line(std::string_view line);
    Status write() const;

    std::filesystem::path file_;
    std::array<Known, 2> sides_;  // no hosts: not met yet
};

}  // namespace penumbra::app
