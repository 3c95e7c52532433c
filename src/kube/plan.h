#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/node.h"
#include "kube/prices.h"
#include "kube/sizing.h"

namespace penumbra::kube {

/// Everything that `penumbra plan` is told, options and files together.
struct PlanInputs {
    Workload workload;
    std::int64_t current_nodes = 0;  ///< 0: not said
    std::string current_type;
    double current_volume_gb = 0;   ///< network volume per node today
    std::int64_t target_nodes = 0;  ///< claimed; 0: only what the inputs give
    std::string target_type;
    std::optional<double> flat_rate;  ///< dollars per node-hour, whatever the type
    double move_months = 2;
    std::int64_t proxy_nodes = 2;
    std::string proxy_type = "m5.2xlarge";
    std::optional<double> licence_per_vcpu;                 ///< dollars a year, from a quote
    std::optional<double> support_current, support_target;  ///< dollars a year
    std::optional<Range> row_bytes;                         ///< of a write, for traffic between zones
    std::optional<double> claim_current_cost, claim_target_cost;
    std::int64_t claim_current_nodes = 0, claim_target_nodes = 0;
    std::vector<std::string> notes;  ///< what the files that were read are worth saying about
};

/// One way to pay for machines.
struct Basis {
    std::string id;  ///< on_demand, reserved, flat
    std::string name;
    std::string remark;
};

/// One line of money. Nothing where there is no number to be had.
struct CostLine {
    std::string what;
    std::optional<Range> current;
    std::optional<Range> target;
    std::string how;
};

/// A year's costs on one basis.
struct Costs {
    Basis basis;
    std::vector<CostLine> lines;
    std::optional<Range> current, target;  ///< sums of what is priced
    std::optional<Range> saving;           ///< dollars a year
    std::optional<Range> saving_share;
    std::optional<Range> move;  ///< once, for running both
    std::optional<Range> payback_months;
    bool complete = true;  ///< false: a line has no price
};

struct Candidate {
    Sizing sizing;
    std::optional<Range> yearly;  ///< on demand, machines alone
};

/// Does the claim that the user came with follow from anything?
struct ClaimCase {
    std::string name;
    double current = 0;
    double target = 0;
    std::int64_t target_nodes = 0;
    bool reproduces = false;  ///< both numbers are the claimed ones, to a percent
};

struct ClaimCheck {
    bool has_money = false;
    double current_cost = 0, target_cost = 0;
    std::int64_t current_nodes = 0, target_nodes = 0;
    std::optional<double> implied_current_rate, implied_target_rate;
    std::vector<ClaimCase> cases;
    std::vector<std::string> conclusions;
};

struct NodesVerdict {
    std::int64_t nodes = 0;
    Support support = Support::no_inputs;
    std::string why;
    Capacity capacity;
};

struct Plan {
    PlanInputs inputs;
    Prices prices;
    std::vector<Candidate> candidates;
    std::optional<InstanceType> current_type, target_type;
    std::optional<Range> target_nodes;  ///< that the costs are for
    bool target_nodes_claimed = false;  ///< they are a claim, not a result
    std::vector<NodesVerdict> verdicts;
    std::vector<Costs> costs;
    std::optional<ClaimCheck> claim;
    std::vector<std::string> licence;
    std::vector<std::string> caveats;
};

Result<Plan> make_plan(PlanInputs inputs, Prices prices);

std::string plan_text(const Plan& plan);
Node plan_json(const Plan& plan);
std::string plan_html(const Plan& plan);

}  // namespace penumbra::kube
