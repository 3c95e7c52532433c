#include "kube/sizing.h"

#include <cmath>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

constexpr Range kOpsPerVcpu{4000, 6250};
constexpr Range kFill{0.5, 0.7};
constexpr double kRatioRecommended = 30, kRatioMost = 100;
constexpr double kGib = 1024.0 * 1024 * 1024;

double up(double value) {
    return std::ceil(value - 1e-9);
}
Range up(Range range) {
    return {up(range.low), up(range.high)};
}

}  // namespace

const std::vector<Rule>& sizing_rules() {
    static const std::vector<Rule> rules{
        {"replica-ops", "(reads x replicas read + writes x RF) x peak factor x (1 + growth)^years",
         "every replica does the work; LOCAL_QUORUM reads RF/2 + 1 of them"},
        {"cpu", "replica-ops / (usable vCPUs x 4,000 to 6,250) nodes",
         "12,500 simple operations a second per physical core, two vCPUs each (ScyllaDB, Maximizing Scylla "
         "Performance); the licence FAQ reckons 50 vCPUs for about 200,000"},
        {"usable-vcpus", "vCPUs - 2", "scylla-operator's example leaves 2 of 8 to the worker"},
        {"disk", "data x RF x (1 + growth)^years / (local disk x 0.5 to 0.7) nodes",
         "ScyllaDB wants half of the disk free for compaction; with incremental compaction 70 % full is fine"},
        {"memory", "data x RF x (1 + growth)^years / (usable memory x 30 to 100) nodes",
         "ScyllaDB's disk : RAM rule, 30 : 1 recommended, 100 : 1 at most"},
        {"replicas", "RF nodes at least, and 3", "a replica per node; fewer than 3 lose the quorum with one node"},
        {"n-1", "cpu + 1 nodes",
         "the load of the peak has to fit on one node less. Cautious where nodes = RF: then each node already takes "
         "every write"},
        {"racks", "rounded up to a multiple of the racks",
         "equal racks, as many as RF, or the smallest rack's nodes hold the most data"},
    };
    return rules;
}

std::int64_t Workload::read_replicas() const {
    if (read_consistency == "ONE" || read_consistency == "LOCAL_ONE") return 1;
    if (read_consistency == "TWO") return std::min<std::int64_t>(2, rf);
    if (read_consistency == "ALL") return rf;
    return rf / 2 + 1;
}

Range Workload::growth_factor() const {
    return {std::pow(1 + growth.low, years), std::pow(1 + growth.high, years)};
}

std::optional<Range> Workload::peak_replica_ops() const {
    if (replica_ops) return *replica_ops * peak * growth_factor();
    if (!reads || !writes) return std::nullopt;
    const auto average =
        *reads * Range(static_cast<double>(read_replicas())) + *writes * Range(static_cast<double>(rf));
    return average * peak * growth_factor();
}

std::optional<Range> Workload::stored_bytes() const {
    if (!data) return std::nullopt;
    return *data * Range(static_cast<double>(rf)) * growth_factor();
}

Sizing size_for(const InstanceType& type, const Workload& workload) {
    Sizing sizing;
    sizing.type = type;
    const auto ops = workload.peak_replica_ops();
    const auto stored = workload.stored_bytes();
    const auto vcpu = static_cast<double>(type.scylla_vcpu());

    Constraint cpu{"cpu", std::nullopt, "needs reads and writes per second"};
    Constraint spare{"n-1", std::nullopt, "needs reads and writes per second"};
    if (ops) {
        cpu.nodes = up(*ops / (Range(vcpu) * kOpsPerVcpu));
        cpu.how = fmt::format("{} replica operations/s / ({} vCPU x {})", number(*ops), type.scylla_vcpu(),
                              number(kOpsPerVcpu));
        spare.nodes = *cpu.nodes + Range(1);
        spare.how = fmt::format("{} for the load, one to lose", number(*cpu.nodes));
    }
    Constraint disk{"disk", std::nullopt, "needs the size of the data"};
    Constraint memory{"memory", std::nullopt, "needs the size of the data"};
    if (stored && type.disk_gb > 0) {
        disk.nodes = up(*stored / (Range(type.disk_gb * 1e9) * kFill));
        disk.how = fmt::format("{} stored / ({} x {})", bytes(*stored), bytes(type.disk_gb * 1e9), percent(kFill));
        const Range per_node(type.scylla_memory_gib() * kGib * kRatioRecommended,
                             type.scylla_memory_gib() * kGib * kRatioMost);
        memory.nodes = up(*stored / per_node);
        memory.how = fmt::format("{} stored / ({:.0f} GiB x 30 to 100)", bytes(*stored), type.scylla_memory_gib());
    }
    const auto least = static_cast<double>(std::max<std::int64_t>(3, workload.rf));
    Constraint replicas{"replicas", Range(least), fmt::format("RF {}", workload.rf)};
    sizing.constraints = {cpu, spare, disk, memory, replicas};

    if (ops && stored) {
        Range nodes(0);
        for (const auto& constraint : sizing.constraints) {
            if (!constraint.nodes) continue;
            if (constraint.nodes->high > nodes.high) sizing.binding = constraint.rule;
            nodes = larger(nodes, *constraint.nodes);
        }
        if (workload.racks > 1) {
            const auto racks = static_cast<double>(workload.racks);
            const Range rounded(up(nodes.low / racks) * racks, up(nodes.high / racks) * racks);
            sizing.constraints.push_back(
                {"racks", rounded, fmt::format("{} in {} equal racks", number(nodes), workload.racks)});
            nodes = rounded;
        }
        sizing.nodes = nodes;
    }
    if (type.disk_gb <= 0) sizing.remarks.push_back("no local NVMe: ScyllaDB on network disks is as slow as they are");
    if (!type.recommended)
        sizing.remarks.push_back("no longer in ScyllaDB's list of recommended types (i7i, i7ie, i8g, i8ge)");
    if (type.scylla_memory_gib() < std::max(16.0, 2.0 * vcpu)) {
        sizing.remarks.push_back(
            fmt::format("{:.0f} GiB is less memory than max(16 GiB, 2 GiB per shard)", type.scylla_memory_gib()));
    }
    if (type.vcpu < 20)
        sizing.remarks.push_back(
            "ScyllaDB recommends nodes of 20 to 60 vCPUs; more small nodes cost the same and lose less at once");
    return sizing;
}

Capacity capacity_of(const InstanceType& type, std::int64_t nodes, const Workload& workload) {
    const auto n = static_cast<double>(nodes);
    const auto rf = static_cast<double>(workload.rf);
    Capacity capacity;
    capacity.replica_ops_one_lost = Range(std::max(0.0, n - 1) * static_cast<double>(type.scylla_vcpu())) * kOpsPerVcpu;
    capacity.writes_one_lost = capacity.replica_ops_one_lost / Range(rf);
    capacity.data_one_copy = Range(n * type.disk_gb * 1e9 / rf) * kFill;
    return capacity;
}

std::string_view to_string(Support support) {
    switch (support) {
        case Support::supported:
            return "supported";
        case Support::uncertain:
            return "uncertain";
        case Support::contradicted:
            return "contradicted";
        case Support::no_inputs:
            return "not supported by the inputs";
    }
    return "unknown";
}

Support judge_nodes(const Sizing& sizing, std::int64_t nodes, std::string& why) {
    if (!sizing.nodes) {
        std::string missing;
        for (const auto& constraint : sizing.constraints) {
            if (constraint.nodes) continue;
            const auto input = constraint.how.substr(std::string_view("needs ").size());
            if (missing.find(input) == std::string::npos) missing += (missing.empty() ? "" : ", and ") + input;
        }
        why = fmt::format("nothing here says how many nodes are enough: it takes {}", missing);
        return Support::no_inputs;
    }
    const auto n = static_cast<double>(nodes);
    const auto asked = fmt::format("the inputs ask for {} nodes of {} (rule: {})", number(*sizing.nodes),
                                   sizing.type.name, sizing.binding);
    if (n >= sizing.nodes->high) {
        why = fmt::format("{}, and {} are claimed", asked, nodes);
        return Support::supported;
    }
    if (n < sizing.nodes->low) {
        why = fmt::format("{}; {} are too few even with every doubt in their favour", asked, nodes);
        return Support::contradicted;
    }
    why = fmt::format("{}; {} may do, but only a measurement can show it", asked, nodes);
    return Support::uncertain;
}

}  // namespace penumbra::kube
