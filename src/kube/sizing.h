#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/prices.h"
#include "kube/range.h"

namespace penumbra::kube {

/// A rule of thumb that a number comes from. docs/sizing-and-cost.md has one section per id.
struct Rule {
    std::string_view id;
    std::string_view formula;
    std::string_view source;
};
const std::vector<Rule>& sizing_rules();

/// An input or assumption as it was used: printed with every result.
struct InputLine {
    std::string name;
    std::string value;
    std::string source;    ///< which option, file or default
    bool assumed = false;  ///< nobody said so: a default of ours
};

/// What the cluster has to carry. Ranges are what the user is unsure of.
struct Workload {
    std::optional<Range> reads;  ///< per second, as clients send them
    std::optional<Range> writes;
    std::optional<Range> replica_ops;  ///< per second, counted on the nodes: replicas included
    std::optional<Range> data;         ///< bytes on disk of one copy
    std::int64_t rf = 3;
    std::string read_consistency = "LOCAL_QUORUM";
    Range peak{2, 3};        ///< the busiest minutes over the average
    Range growth{0.0, 0.3};  ///< per year
    double years = 1;
    std::int64_t racks = 3;
    std::vector<InputLine> lines;

    bool has_load() const { return replica_ops.has_value() || (reads.has_value() && writes.has_value()); }
    std::int64_t read_replicas() const;
    Range growth_factor() const;
    /// Operations per second that all replicas together serve at the peak, at the end of the horizon.
    std::optional<Range> peak_replica_ops() const;
    /// Bytes on all nodes together at the end of the horizon.
    std::optional<Range> stored_bytes() const;
};

/// How many nodes one rule asks for.
struct Constraint {
    std::string rule;
    std::optional<Range> nodes;  ///< nothing when an input is missing
    std::string how;             ///< the formula with its numbers
};

/// One instance type against the workload.
struct Sizing {
    InstanceType type;
    std::vector<Constraint> constraints;
    std::optional<Range> nodes;  ///< nothing when the inputs do not suffice
    std::string binding;         ///< the rule that decides at the high end
    std::vector<std::string> remarks;
};

Sizing size_for(const InstanceType& type, const Workload& workload);

/// What a number of nodes carries, whether the inputs ask for it or not.
struct Capacity {
    Range replica_ops_one_lost;  ///< with one node down
    Range writes_one_lost;       ///< the same as client writes, nothing else going on
    Range data_one_copy;         ///< bytes of one copy that fit
};
Capacity capacity_of(const InstanceType& type, std::int64_t nodes, const Workload& workload);

enum class Support : std::uint8_t { supported, uncertain, contradicted, no_inputs };
std::string_view to_string(Support support);
/// Whether the inputs bear out that `nodes` of this type are enough, and why.
Support judge_nodes(const Sizing& sizing, std::int64_t nodes, std::string& why);

}  // namespace penumbra::kube
