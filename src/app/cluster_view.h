#pragma once

#include <memory>

#include "cluster/cluster.h"
#include "control/surroundings.h"

namespace penumbra::app {

/// A cluster as the control plane sees it. On the control shard.
class LiveClusterView final : public control::ClusterView {
  public:
    explicit LiveClusterView(cluster::Cluster& cluster) : cluster_(cluster), session_(cluster.session()) {}

    Task<Result<control::WallMicros>> clock(Deadline by) override;
    cql::SchemaPtr schema() const override { return cluster_.schema(); }
    control::ClusterStatus status() const override;

  private:
    cluster::Cluster& cluster_;
    std::unique_ptr<cluster::Session> session_;
};

}  // namespace penumbra::app
