#include <fmt/format.h>

#include "kube/plan.h"

namespace penumbra::kube {

namespace {

/// Columns as wide as their widest cell; the first is text, the others are numbers.
class Table {
  public:
    explicit Table(std::vector<std::string> head, std::size_t left = 1) : left_(left) {
        rows_.push_back(std::move(head));
    }
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    std::string render() const {
        std::vector<std::size_t> width;
        for (const auto& row : rows_) {
            width.resize(std::max(width.size(), row.size()));
            for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
        }
        std::string out;
        for (std::size_t r = 0; r < rows_.size(); ++r) {
            std::string line = "  ";
            for (std::size_t i = 0; i < rows_[r].size(); ++i) {
                if (i > 0) line += "  ";
                line += i < left_ || i + 1 == width.size() ? fmt::format("{:<{}}", rows_[r][i], width[i])
                                                           : fmt::format("{:>{}}", rows_[r][i], width[i]);
            }
            while (line.ends_with(' ')) line.pop_back();
            out += line + '\n';
            if (r == 0) {
                std::size_t total = 0;
                for (const auto w : width) total += w + 2;
                out += "  " + std::string(std::min<std::size_t>(total - 2, 110), '-') + '\n';
            }
        }
        return out;
    }

  private:
    std::size_t left_;
    std::vector<std::vector<std::string>> rows_;
};

std::string money(const std::optional<Range>& range) {
    return range ? dollars(*range) : "?";
}
std::string count(const std::optional<Range>& range) {
    return range ? number(*range) : "?";
}

std::string bullets(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) {
        std::string rest = line, indent = "  - ";
        while (!rest.empty()) {
            constexpr std::size_t kWidth = 112;
            auto end = rest.size() <= kWidth ? rest.size() : rest.rfind(' ', kWidth);
            if (end == std::string::npos || end == 0) end = rest.size();
            out += indent + rest.substr(0, end) + '\n';
            rest.erase(0, end + 1 > rest.size() ? rest.size() : end + 1);
            indent = "    ";
        }
    }
    return out;
}

}  // namespace

std::string plan_text(const Plan& plan) {
    const auto& in = plan.inputs;
    std::string out = "Inputs and assumptions\n";
    Table inputs({"what", "value", "from"}, 3);
    for (const auto& line : in.workload.lines)
        inputs.row({line.name, line.value, line.assumed ? "assumed: " + line.source : line.source});
    inputs.row({"prices", fmt::format("{}, {}", plan.prices.region, plan.prices.date), plan.prices.file});
    out += inputs.render();
    if (!in.notes.empty()) out += bullets(in.notes);

    if (const auto ops = in.workload.peak_replica_ops())
        out += fmt::format("\nLoad at the peak: {} replica operations/s\n", number(*ops));
    if (const auto stored = in.workload.stored_bytes()) out += fmt::format("Data on all nodes: {}\n", bytes(*stored));

    out += "\nNodes for ScyllaDB, by instance type\n";
    Table nodes(
        {"type", "vCPU", "memory", "NVMe", "cpu", "n-1", "disk", "memory", "nodes", "a year, on demand", "decided by"});
    for (const auto& candidate : plan.candidates) {
        const auto& s = candidate.sizing;
        nodes.row({s.type.name + (s.type.recommended ? " *" : ""), std::to_string(s.type.vcpu),
                   fmt::format("{} GiB", number(s.type.memory_gib)), bytes(s.type.disk_gb * 1e9),
                   count(s.constraints[0].nodes), count(s.constraints[1].nodes), count(s.constraints[2].nodes),
                   count(s.constraints[3].nodes), count(s.nodes), money(candidate.yearly), s.binding});
    }
    out += nodes.render();
    out += "  * in ScyllaDB's list of recommended types. A ? needs an input that was not given.\n";
    for (const auto& verdict : plan.verdicts) {
        out += fmt::format("\n{} nodes of {}: {}\n", verdict.nodes, plan.target_type->name, to_string(verdict.support));
        out += bullets(
            {verdict.why + ".",
             fmt::format("They carry, with one node lost, {} replica operations/s at the peak ({} writes/s at RF {}, "
                         "nothing else going on), and {} of data (one copy).",
                         number(verdict.capacity.replica_ops_one_lost), number(verdict.capacity.writes_one_lost),
                         in.workload.rf, bytes(verdict.capacity.data_one_copy))});
    }

    for (const auto& costs : plan.costs) {
        if (!costs.current && !costs.target) continue;
        out += fmt::format("\nA year, {}{}\n", costs.basis.name,
                           costs.basis.remark.empty() ? "" : " (" + costs.basis.remark + ")");
        Table table({"", in.current_nodes > 0 ? fmt::format("today, {} nodes", in.current_nodes) : "today",
                     plan.target_nodes ? fmt::format("ScyllaDB, {} nodes{}", number(*plan.target_nodes),
                                                     plan.target_nodes_claimed ? " (claimed)" : "")
                                       : "ScyllaDB",
                     "how"});
        for (const auto& line : costs.lines) table.row({line.what, money(line.current), money(line.target), line.how});
        table.row({costs.complete ? "sum" : "sum of what is priced", money(costs.current), money(costs.target), ""});
        out += table.render();
        if (costs.saving) {
            out += fmt::format("  saving a year: {} ({}){}\n", dollars(*costs.saving),
                               costs.saving_share ? percent(*costs.saving_share) : "?",
                               costs.saving->low < 0 ? "; below zero it costs more" : "");
        }
        if (costs.move) {
            out += fmt::format("  running both for {} months, with {} proxies on {}: {} once\n", number(in.move_months),
                               in.proxy_nodes, in.proxy_type, dollars(*costs.move));
        }
        if (costs.payback_months)
            out += fmt::format("  paid back after {} months\n",
                               number(Range(std::ceil(costs.payback_months->low * 10) / 10,
                                            std::ceil(costs.payback_months->high * 10) / 10)));
    }

    if (!plan.licence.empty()) out += "\nLicence\n" + bullets(plan.licence);
    if (plan.claim) {
        out += "\nDoes the claimed money reproduce?\n";
        Table table({"case", fmt::format("{} nodes today", plan.claim->current_nodes), "ScyllaDB", "saved", ""});
        for (const auto& one : plan.claim->cases) {
            table.row({one.name, dollars(one.current),
                       fmt::format("{} ({} nodes)", dollars(one.target), one.target_nodes),
                       percent(Range(1 - one.target / one.current)), one.reproduces ? "<- the claim" : ""});
        }
        out += table.render() + bullets(plan.claim->conclusions);
    }
    out += "\nRead this with it\n" + bullets(plan.caveats);
    out += "\nRules (docs/sizing-and-cost.md)\n";
    for (const auto& rule : sizing_rules())
        out += bullets({fmt::format("{}: {} ({})", rule.id, rule.formula, rule.source)});
    out += "\nPrices: " + plan.prices.date + "\n" + bullets(plan.prices.sources);
    return out;
}

namespace {

Node range_node(const std::optional<Range>& range) {
    if (!range) return Node();
    Node node = Node::map();
    node.set("low", Node::number(range->low));
    node.set("high", Node::number(range->high));
    return node;
}

Node texts(const std::vector<std::string>& lines) {
    return Node::strings(lines);
}

}  // namespace

Node plan_json(const Plan& plan) {
    const auto& in = plan.inputs;
    Node root = Node::map();
    Node& inputs = root.set("inputs", Node::list());
    for (const auto& line : in.workload.lines) {
        Node& node = inputs.push(Node::map());
        node.set("name", Node::string(line.name));
        node.set("value", Node::string(line.value));
        node.set("source", Node::string(line.source));
        node.set("assumed", Node::boolean(line.assumed));
    }
    root.set("notes", texts(in.notes));
    Node& prices = root.set("prices", Node::map());
    prices.set("file", Node::string(plan.prices.file));
    prices.set("date", Node::string(plan.prices.date));
    prices.set("region", Node::string(plan.prices.region));
    prices.set("currency", Node::string(plan.prices.currency));
    prices.set("sources", texts(plan.prices.sources));
    root.set("peak_replica_ops_per_second", range_node(in.workload.peak_replica_ops()));
    root.set("stored_bytes", range_node(in.workload.stored_bytes()));
    Node& candidates = root.set("candidates", Node::list());
    for (const auto& candidate : plan.candidates) {
        Node& node = candidates.push(Node::map());
        node.set("type", Node::string(candidate.sizing.type.name));
        node.set("recommended", Node::boolean(candidate.sizing.type.recommended));
        node.set("nodes", range_node(candidate.sizing.nodes));
        node.set("decided_by", Node::string(candidate.sizing.binding));
        node.set("dollars_per_year_on_demand", range_node(candidate.yearly));
        Node& constraints = node.set("constraints", Node::list());
        for (const auto& constraint : candidate.sizing.constraints) {
            Node& one = constraints.push(Node::map());
            one.set("rule", Node::string(constraint.rule));
            one.set("nodes", range_node(constraint.nodes));
            one.set("how", Node::string(constraint.how));
        }
        node.set("remarks", texts(candidate.sizing.remarks));
    }
    Node& verdicts = root.set("verdicts", Node::list());
    for (const auto& verdict : plan.verdicts) {
        Node& node = verdicts.push(Node::map());
        node.set("nodes", Node::integer(verdict.nodes));
        node.set("type", Node::string(plan.target_type->name));
        node.set("verdict", Node::string(to_string(verdict.support)));
        node.set("why", Node::string(verdict.why));
        node.set("carries_replica_ops_per_second_one_node_lost", range_node(verdict.capacity.replica_ops_one_lost));
        node.set("carries_bytes_of_one_copy", range_node(verdict.capacity.data_one_copy));
    }
    Node& costs = root.set("costs", Node::list());
    for (const auto& cost : plan.costs) {
        Node& node = costs.push(Node::map());
        node.set("basis", Node::string(cost.basis.id));
        node.set("complete", Node::boolean(cost.complete));
        Node& lines = node.set("lines", Node::list());
        for (const auto& line : cost.lines) {
            Node& one = lines.push(Node::map());
            one.set("what", Node::string(line.what));
            one.set("today", range_node(line.current));
            one.set("scylladb", range_node(line.target));
            one.set("how", Node::string(line.how));
        }
        node.set("today", range_node(cost.current));
        node.set("scylladb", range_node(cost.target));
        node.set("saving", range_node(cost.saving));
        node.set("saving_share", range_node(cost.saving_share));
        node.set("move_once", range_node(cost.move));
        node.set("payback_months", range_node(cost.payback_months));
    }
    root.set("licence", texts(plan.licence));
    if (plan.claim) {
        Node& claim = root.set("claim", Node::map());
        Node& cases = claim.set("cases", Node::list());
        for (const auto& one : plan.claim->cases) {
            Node& node = cases.push(Node::map());
            node.set("case", Node::string(one.name));
            node.set("today", Node::number(one.current));
            node.set("scylladb", Node::number(one.target));
            node.set("scylladb_nodes", Node::integer(one.target_nodes));
            node.set("saved_share", Node::number(1 - one.target / one.current));
            node.set("reproduces_the_claim", Node::boolean(one.reproduces));
        }
        claim.set("conclusions", texts(plan.claim->conclusions));
    }
    root.set("caveats", texts(plan.caveats));
    Node& rules = root.set("rules", Node::list());
    for (const auto& rule : sizing_rules()) {
        Node& node = rules.push(Node::map());
        node.set("id", Node::string(rule.id));
        node.set("formula", Node::string(rule.formula));
        node.set("source", Node::string(rule.source));
    }
    return root;
}

}  // namespace penumbra::kube
