#include "kube/plan.h"

#include <cmath>
#include <set>

#include <fmt/format.h>

namespace penumbra::kube {

namespace {

Range scaled(Range nodes, double rate, double hours) {
    return nodes * Range(rate * hours);
}

std::optional<double> rate_of(const InstanceType& type, const Basis& basis, const PlanInputs& in) {
    if (basis.id == "flat") return in.flat_rate;
    if (basis.id == "reserved") return type.reserved;
    return type.on_demand;
}

class Planner {
  public:
    Planner(PlanInputs inputs, Prices prices) {
        plan_.inputs = std::move(inputs);
        plan_.prices = std::move(prices);
    }

    Result<Plan> run() {
        TRY(plan_.current_type, type_of(in().current_type, "--current-type"));
        TRY(plan_.target_type, type_of(in().target_type, "--target-type"));
        TRY(auto proxy, type_of(in().proxy_type, "--proxy-type"));
        proxy_ = proxy;
        candidates();
        choose();
        verdicts();
        licence();
        for (const auto& basis : bases()) plan_.costs.push_back(costs(basis));
        claim();
        caveats();
        return std::move(plan_);
    }

  private:
    const PlanInputs& in() const { return plan_.inputs; }
    const Prices& prices() const { return plan_.prices; }

    Result<std::optional<InstanceType>> type_of(const std::string& name, std::string_view option) const {
        if (name.empty()) return std::optional<InstanceType>();
        const auto* type = prices().find(name);
        if (!type)
            return fail(Errc::not_found,
                        fmt::format("{}: {} is not in {}; it has {}", option, name, prices().file, prices().names()));
        return std::optional(*type);
    }

    void candidates() {
        for (const auto& type : prices().instances) {
            if (type.disk_gb <= 0) continue;
            Candidate candidate;
            candidate.sizing = size_for(type, in().workload);
            if (candidate.sizing.nodes)
                candidate.yearly = scaled(*candidate.sizing.nodes, type.on_demand, prices().hours_per_year);
            plan_.candidates.push_back(std::move(candidate));
        }
        std::stable_sort(plan_.candidates.begin(), plan_.candidates.end(), [](const Candidate& a, const Candidate& b) {
            return (a.yearly ? a.yearly->high : 0) < (b.yearly ? b.yearly->high : 0);
        });
    }

    /// The type and number of nodes that the money is reckoned for: what the user named, else the cheapest recommended
    /// type at its high end.
    void choose() {
        if (!plan_.target_type) {
            for (const auto& candidate : plan_.candidates) {
                if (candidate.sizing.nodes && candidate.sizing.type.recommended) {
                    plan_.target_type = candidate.sizing.type;
                    break;
                }
            }
        }
        if (!plan_.target_type) return;
        // What the inputs ask for, when they suffice; a claimed number only where there is nothing better.
        plan_.target_nodes = size_for(*plan_.target_type, in().workload).nodes;
        if (!plan_.target_nodes && in().target_nodes > 0) {
            plan_.target_nodes = Range(static_cast<double>(in().target_nodes));
            plan_.target_nodes_claimed = true;
        }
    }

    void verdicts() {
        if (!plan_.target_type) return;
        const auto sizing = size_for(*plan_.target_type, in().workload);
        std::set<std::int64_t> counts;
        for (const auto count : {in().target_nodes, in().claim_target_nodes}) {
            if (count > 0) counts.insert(count);
        }
        for (const auto count : counts) {
            NodesVerdict verdict;
            verdict.nodes = count;
            verdict.support = judge_nodes(sizing, count, verdict.why);
            if (in().workload.racks > 1 && count % in().workload.racks != 0)
                verdict.why += fmt::format(". {} nodes do not fill {} racks equally", count, in().workload.racks);
            verdict.capacity = capacity_of(*plan_.target_type, count, in().workload);
            plan_.verdicts.push_back(std::move(verdict));
        }
    }

    std::vector<Basis> bases() const {
        std::vector<Basis> out{{"on_demand", "on demand", {}}};
        const auto has = [](const auto& type) { return !type || type->reserved.has_value(); };
        const bool any =
            (plan_.current_type && plan_.current_type->reserved) || (plan_.target_type && plan_.target_type->reserved);
        if (any && has(plan_.current_type) && has(plan_.target_type)) {
            const bool low = (plan_.current_type && plan_.current_type->reserved_confidence == "low") ||
                             (plan_.target_type && plan_.target_type->reserved_confidence == "low");
            out.push_back(
                {"reserved", "reserved, one year", low ? "the price file marks these rates as low confidence" : ""});
        }
        if (in().flat_rate)
            out.push_back({"flat", fmt::format("flat {} per node-hour", "$" + number(*in().flat_rate)),
                           "ignores what the machines are"});
        return out;
    }

    void licence() {
        if (!plan_.target_type || !plan_.target_nodes || prices().licence_free_vcpu <= 0) return;
        const auto vcpu = *plan_.target_nodes * Range(static_cast<double>(plan_.target_type->vcpu));
        const auto disk = *plan_.target_nodes * Range(plan_.target_type->disk_gb / 1000);
        const auto fits = [&](double v, double d) {
            return v <= prices().licence_free_vcpu && d <= prices().licence_free_disk_tb;
        };
        const auto what =
            fmt::format("{} vCPU and {} TB of disk; free up to {} vCPU and {} TB for the whole organisation ({})",
                        number(vcpu), number(disk), number(prices().licence_free_vcpu),
                        number(prices().licence_free_disk_tb), prices().licence_source);
        licence_free_low_ = fits(vcpu.low, disk.low);
        licence_free_high_ = fits(vcpu.high, disk.high);
        licence_vcpu_ = vcpu;
        if (licence_free_high_) {
            plan_.licence.push_back("Fits the free tier: " + what +
                                    ". Other ScyllaDB clusters of the organisation count too.");
        } else if (licence_free_low_) {
            plan_.licence.push_back("Fits the free tier at the low end only: " + what + ".");
        } else {
            plan_.licence.push_back("Does not fit the free tier: " + what +
                                    ". A licence is needed, and its price is a quote (--licence-per-vcpu); 6.2 under "
                                    "the AGPL needs none and gets no new versions.");
        }
        const auto most = static_cast<std::int64_t>(
            std::min(std::floor(prices().licence_free_vcpu / static_cast<double>(plan_.target_type->vcpu)),
                     std::floor(prices().licence_free_disk_tb * 1000 / plan_.target_type->disk_gb)));
        if (plan_.target_type->disk_gb > 0)
            plan_.licence.push_back(
                fmt::format("The free tier ends at {} nodes of {}.", most, plan_.target_type->name));
    }

    Costs costs(const Basis& basis) const {
        Costs out;
        out.basis = basis;
        const auto hours = prices().hours_per_year;
        const auto line = [&](std::string what, std::optional<Range> current, std::optional<Range> target,
                              std::string how) {
            if (!current && !target && how.empty()) return;
            out.lines.push_back({std::move(what), current, target, std::move(how)});
        };
        std::optional<Range> current_machines, target_machines;
        std::string how;
        if (plan_.current_type && in().current_nodes > 0) {
            if (const auto rate = rate_of(*plan_.current_type, basis, in())) {
                current_machines = scaled(Range(static_cast<double>(in().current_nodes)), *rate, hours);
                how += fmt::format("{} x {} x ${} x {} h", in().current_nodes, plan_.current_type->name,
                                   number_rate(*rate), number(hours));
            }
        }
        if (plan_.target_type && plan_.target_nodes) {
            if (const auto rate = rate_of(*plan_.target_type, basis, in())) {
                target_machines = scaled(*plan_.target_nodes, *rate, hours);
                how += fmt::format("{}{} x {} x ${} x {} h", how.empty() ? "" : "; ", number(*plan_.target_nodes),
                                   plan_.target_type->name, number_rate(*rate), number(hours));
            }
        }
        line("machines", current_machines, target_machines, how);
        std::optional<Range> current_volumes;
        if (in().current_volume_gb > 0 && in().current_nodes > 0) {
            const double per_year =
                static_cast<double>(in().current_nodes) * in().current_volume_gb * prices().volume_gb_month * 12;
            current_volumes = Range(per_year);
            line(
                "network volumes", current_volumes, Range(0),
                fmt::format("{} x {} x ${} per GB-month x 12; local NVMe is in the machines' price", in().current_nodes,
                            bytes(in().current_volume_gb * 1e9), number_rate(prices().volume_gb_month)));
        } else if (plan_.current_type && plan_.current_type->disk_gb <= 0) {
            line("network volumes", std::nullopt, Range(0),
                 "today's machines have no disks of their own, so there are volumes; --current-volume says how large");
            out.complete = false;
        }
        std::optional<Range> licence_cost;
        if (plan_.target_type && plan_.target_nodes) {
            if (licence_free_high_) {
                licence_cost = Range(0);
                line("ScyllaDB licence", Range(0), licence_cost, "free tier");
            } else if (in().licence_per_vcpu) {
                licence_cost = Range(licence_free_low_ ? 0 : licence_vcpu_.low * *in().licence_per_vcpu,
                                     licence_vcpu_.high * *in().licence_per_vcpu);
                line("ScyllaDB licence", Range(0), licence_cost,
                     fmt::format("{} vCPU x {} a year", number(licence_vcpu_), dollars(*in().licence_per_vcpu)));
            } else {
                line("ScyllaDB licence", Range(0), std::nullopt,
                     "above the free tier, and no price was given (--licence-per-vcpu)");
                out.complete = false;
            }
        }
        std::optional<Range> support_current, support_target;
        if (in().support_current) support_current = Range(*in().support_current);
        if (in().support_target) support_target = Range(*in().support_target);
        if (support_current || support_target)
            line("support", support_current, support_target, "--support-current, --support-target");
        std::optional<Range> traffic;
        if (in().row_bytes && in().workload.writes && prices().cross_zone_gb) {
            traffic = *in().workload.writes * *in().row_bytes *
                      Range(static_cast<double>(in().workload.rf - 1) * 3600 * hours / 1e9 * *prices().cross_zone_gb);
            line("traffic between zones", traffic, traffic,
                 "writes x bytes x (RF - 1) copies that leave their zone; the same before and after");
        }
        const auto sum = [](std::initializer_list<std::optional<Range>> parts) {
            Range total(0);
            for (const auto& part : parts) {
                if (part) total = total + *part;
            }
            return total;
        };
        if (current_machines) out.current = sum({current_machines, current_volumes, support_current, traffic});
        if (target_machines) out.target = sum({target_machines, licence_cost, support_target, traffic});
        if (out.current && out.target) {
            out.saving = *out.current - *out.target;
            if (out.current->low > 0)
                out.saving_share =
                    Range(1 - out.target->high / out.current->low, 1 - out.target->low / out.current->high);
        }
        if (out.target && in().move_months > 0) {
            // Today's cluster is paid for anyway; the move costs the new one and the proxies beside it.
            Range extra = *out.target * Range(in().move_months / 12);
            if (proxy_) {
                const auto rate = rate_of(*proxy_, basis, in()).value_or(proxy_->on_demand);
                extra = extra + Range(static_cast<double>(in().proxy_nodes) * rate * hours * in().move_months / 12);
            }
            if (in().workload.data && prices().cross_zone_gb) {
                extra = extra + *in().workload.data *
                                    Range(static_cast<double>(in().workload.rf) / 1e9 * *prices().cross_zone_gb);
            }
            out.move = extra;
            if (out.saving && out.saving->low > 0) {
                out.payback_months = Range(extra.low / (out.saving->high / 12), extra.high / (out.saving->low / 12));
            }
        }
        return out;
    }

    static std::string number_rate(double rate) { return fmt::format("{:.4g}", rate); }

    void claim() {
        ClaimCheck check;
        check.has_money = in().claim_current_cost && in().claim_target_cost;
        check.current_nodes = in().claim_current_nodes > 0 ? in().claim_current_nodes : in().current_nodes;
        check.target_nodes = in().claim_target_nodes > 0 ? in().claim_target_nodes : in().target_nodes;
        if ((!check.has_money && check.target_nodes == 0) || check.current_nodes == 0 || check.target_nodes == 0)
            return;
        const auto hours = prices().hours_per_year;
        if (check.has_money) {
            check.current_cost = *in().claim_current_cost;
            check.target_cost = *in().claim_target_cost;
            check.implied_current_rate = check.current_cost / (static_cast<double>(check.current_nodes) * hours);
            check.implied_target_rate = check.target_cost / (static_cast<double>(check.target_nodes) * hours);
        }
        std::set<std::int64_t> targets{check.target_nodes};
        if (in().target_nodes > 0) targets.insert(in().target_nodes);
        const auto close = [](double a, double b) { return b > 0 && std::abs(a / b - 1) < 0.01; };
        const auto add = [&](std::string name, double current_year, double target_node_year) {
            for (const auto nodes : targets) {
                ClaimCase one;
                one.name = name;
                one.current = current_year;
                one.target = target_node_year * static_cast<double>(nodes);
                one.target_nodes = nodes;
                one.reproduces = check.has_money && nodes == check.target_nodes &&
                                 close(one.current, check.current_cost) && close(one.target, check.target_cost);
                check.cases.push_back(std::move(one));
            }
        };
        const auto n = static_cast<double>(check.current_nodes);
        if (check.has_money)
            add(fmt::format("flat ${:.2f} per node-hour", *check.implied_current_rate),
                n * *check.implied_current_rate * hours, *check.implied_current_rate * hours);
        if (plan_.current_type && plan_.target_type) {
            const auto& now = *plan_.current_type;
            const auto& then = *plan_.target_type;
            add("on demand", n * now.on_demand * hours, then.on_demand * hours);
            if (now.reserved && then.reserved)
                add("reserved, one year (low confidence)", n * *now.reserved * hours, *then.reserved * hours);
            if (now.disk_gb <= 0 && prices().volume_gb_month > 0) {
                for (const double tb : {1.0, 2.0}) {
                    add(fmt::format("on demand, and {:.0f} TB of network volume per node today", tb),
                        n * (now.on_demand * hours + tb * 1000 * prices().volume_gb_month * 12),
                        then.on_demand * hours);
                }
            }
            for (const auto& type : prices().instances) {
                if (type.recommended && type.name != then.name)
                    add(fmt::format("on demand, {} instead", type.name), n * now.on_demand * hours,
                        type.on_demand * hours);
            }
        }
        if (check.has_money) conclude(check);
        plan_.claim = std::move(check);
    }

    void conclude(ClaimCheck& check) const {
        auto& out = check.conclusions;
        const double saving = 1 - check.target_cost / check.current_cost;
        out.push_back(
            fmt::format("Claimed: {} a year for {} nodes today, {} for {} nodes of ScyllaDB: {} saved, {:.0f} %.",
                        dollars(check.current_cost), check.current_nodes, dollars(check.target_cost),
                        check.target_nodes, dollars(check.current_cost - check.target_cost), saving * 100));
        const double a = *check.implied_current_rate, b = *check.implied_target_rate;
        if (std::abs(a / b - 1) < 0.02) {
            out.push_back(
                fmt::format("Both sides are ${:.2f} per node-hour ({} / ({} x {}) and {} / ({} x {})): the claim "
                            "prices every node alike, whatever machine it is.",
                            a, dollars(check.current_cost), check.current_nodes, number(prices().hours_per_year),
                            dollars(check.target_cost), check.target_nodes, number(prices().hours_per_year)));
        } else {
            out.push_back(fmt::format("It implies ${:.3f} per node-hour today and ${:.3f} for ScyllaDB.", a, b));
        }
        double best = -1, worst = 2;
        for (const auto& one : check.cases) {
            if (one.name.starts_with("flat") || one.name.ends_with("instead")) continue;
            best = std::max(best, 1 - one.target / one.current);
            worst = std::min(worst, 1 - one.target / one.current);
        }
        if (best > worst) {
            out.push_back(fmt::format(
                "With the prices of {} the same machines save {:.0f} to {:.0f} %, depending on what is counted.",
                prices().date, worst * 100, best * 100));
            if (best + 0.005 < saving)
                out.push_back(fmt::format("No case reaches the claimed {:.0f} %.", saving * 100));
        }
    }

    void caveats() {
        auto& out = plan_.caveats;
        if (!in().workload.has_load())
            out.push_back(
                "No load was given (--reads and --writes, --metrics, --nodetool): node counts cannot be derived, and "
                "any number of nodes here is a claim.");
        if (!in().workload.data)
            out.push_back(
                "No data size was given (--data, --data-on-disk, --nodetool): whether the disks suffice cannot be "
                "said.");
        if (plan_.current_type && plan_.current_type->disk_gb <= 0 && in().current_volume_gb <= 0) {
            out.push_back("Today's volumes are not priced: they would raise today's cost and the saving.");
        }
        if (plan_.target_nodes && !plan_.target_nodes->sure())
            out.push_back(
                "Ranges come from unsure inputs and from rules that give a range. Size for the high end, then measure "
                "and shrink.");
        out.push_back(
            "Not counted: people, backups' storage, discounts of a contract, Kubernetes' own nodes, and the savings or "
            "costs of the applications.");
        out.push_back(
            "Garbage-collection pauses end because ScyllaDB has no garbage collector. How much that improves latency "
            "is not derived here: measure p99 through the proxy before and after.");
    }

    Plan plan_;
    std::optional<InstanceType> proxy_;
    bool licence_free_low_ = false, licence_free_high_ = false;
    Range licence_vcpu_;
};

}  // namespace

Result<Plan> make_plan(PlanInputs inputs, Prices prices) {
    return Planner(std::move(inputs), std::move(prices)).run();
}

}  // namespace penumbra::kube
