#include <cmath>

#include <fmt/format.h>

#include "kube/plan.h"

namespace penumbra::kube {

namespace {

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

// Inline styles for both colour schemes and for paper; no scripts, no fonts, nothing fetched.
constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--bg:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dde2e8;--card:#f6f8fa;--today:#c2622d;--scylla:#1f6fb2;--good:#1e7d4f;--warn:#9a5b00;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--ink:#e6eaf0;--soft:#9aa5b3;--line:#2c343f;--card:#1a2029;--today:#e58a55;--scylla:#5ea8e6;--good:#56c08d;--warn:#e0a84a;--bad:#ef7d74}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:980px;margin:0 auto;padding:32px 24px 40px}
header p.kind{margin:0;color:var(--soft);font-size:13px;letter-spacing:.06em;text-transform:uppercase}
h1{font-size:29px;line-height:1.2;margin:6px 0 8px;text-wrap:balance}
h2{font-size:18px;margin:32px 0 8px}
p.lead{font-size:16px;margin:0;color:var(--soft);max-width:75ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:22px 0 6px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}
.card b{display:block;font-size:21px;line-height:1.25;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px}
.verdict{border-left:4px solid var(--warn);background:var(--card);padding:10px 14px;margin:12px 0;border-radius:0 8px 8px 0}
.verdict.supported{border-color:var(--good)}.verdict.contradicted{border-color:var(--bad)}
.verdict b{display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px 24px}
figure{margin:0 0 14px}figcaption{font-size:13px;color:var(--soft);margin-bottom:4px}
svg{width:100%;height:auto;display:block;overflow:visible}
svg text{fill:var(--ink);font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}
svg text.soft{fill:var(--soft)}svg text.value{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}
.today{fill:var(--today)}.scylla{fill:var(--scylla)}.band{fill:var(--scylla);opacity:.28}
.l-today{stroke:var(--today);fill:none;stroke-width:2.5;stroke-dasharray:7 4}.l-scylla{stroke:var(--scylla);fill:none;stroke-width:2.5}
.axis{stroke:var(--line);stroke-width:1}.claim{stroke:var(--bad);stroke-width:2;stroke-dasharray:4 3}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:13px}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr.sum td{font-weight:600}tr.hit td{color:var(--warn);font-weight:600}
td small,.small{color:var(--soft);font-size:13px}
ul{margin:6px 0;padding-left:20px}li{margin:3px 0}
footer{margin-top:32px;padding-top:10px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}
@media print{:root{--bg:#fff;--ink:#000;--soft:#444;--line:#bbb;--card:#fff;--today:#b4531f;--scylla:#155a94}
@page{size:A4;margin:13mm}main{padding:0;max-width:none}body{font-size:10.5px;line-height:1.35}h1{font-size:19px}h2{font-size:13px;margin:12px 0 4px;break-after:avoid}
p.lead{font-size:11.5px}.cards{grid-template-columns:repeat(4,1fr);margin:10px 0 4px;gap:8px}.card{padding:6px 8px}.card b{font-size:13.5px}table,td small,.small,figcaption,.card span{font-size:9.5px}th{font-size:9.5px}
th,td{padding:2px 8px 2px 0}.charts{grid-template-columns:1fr 1fr;gap:8px 18px}.appendix{break-before:page}figure,.verdict,tr{break-inside:avoid}.verdict{padding:5px 9px;margin:6px 0}ul{margin:3px 0}li{margin:1px 0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
</style>)";

std::string short_dollars(double value) {
    if (std::abs(value) >= 1e6) return fmt::format("${:.1f}M", value / 1e6);
    if (std::abs(value) >= 1e4) return fmt::format("${:.0f}k", value / 1e3);
    return dollars(value);
}

std::string short_dollars(Range range) {
    const auto a = short_dollars(range.low), b = short_dollars(range.high);
    return a == b ? a : a + "\u2013" + b;
}

double nice_ceiling(double value) {
    if (value <= 0) return 1;
    const double base = std::pow(10, std::floor(std::log10(value)));
    for (const double step : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0}) {
        if (value <= base * step * 1.0001) return base * step;
    }
    return base * 10;
}

/// Horizontal bars: solid up to the low end, a lighter band from there to the high end.
struct Bar {
    std::string label;
    Range value;
    std::string text;
    bool today = false;
};

std::string bar_chart(const std::vector<Bar>& bars, std::string_view title, std::optional<double> claim,
                      std::string_view claim_text) {
    constexpr double kLeft = 124, kWidth = 440, kRight = 92, kRow = 25;
    double most = claim.value_or(0);
    for (const auto& bar : bars) most = std::max(most, bar.value.high);
    const double scale = (kWidth - kLeft - kRight) / (most > 0 ? most : 1);
    const double height = kRow * static_cast<double>(bars.size()) + (claim ? 20 : 4);
    std::string out =
        fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">)", kWidth, height, escape(title));
    if (claim) {  // first, so that the bars' numbers stay readable on top of it
        const double x = kLeft + *claim * scale, end = kRow * static_cast<double>(bars.size());
        out += fmt::format(R"(<line class="claim" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.1f}"/>)", x, end + 3);
        out += fmt::format(R"(<text class="soft" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", x, end + 16,
                           escape(claim_text));
    }
    double y = 0;
    for (const auto& bar : bars) {
        const char* kind = bar.today ? "today" : "scylla";
        out += fmt::format(R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)", kLeft - 8, y + 16,
                           escape(bar.label));
        out += fmt::format(R"(<rect class="{}" x="{:.0f}" y="{:.1f}" width="{:.1f}" height="16" rx="2"/>)", kind, kLeft,
                           y + 4, std::max(1.0, bar.value.low * scale));
        if (bar.value.high > bar.value.low) {
            out += fmt::format(R"(<rect class="band" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="16"/>)",
                               kLeft + bar.value.low * scale, y + 4, (bar.value.high - bar.value.low) * scale);
        }
        out += fmt::format(R"(<text class="value" x="{:.1f}" y="{:.1f}">{}</text>)", kLeft + bar.value.high * scale + 6,
                           y + 16, escape(bar.text));
        y += kRow;
    }
    return out + "</svg>";
}

/// What has been spent after each month: staying, and moving with both running at first.
std::string spending_chart(const Costs& costs, double move_months) {
    constexpr double kLeft = 52, kTop = 14, kWidth = 420, kHeight = 190, kMonths = 24;
    const double today = costs.current->middle() / 12;
    const Range target(costs.target->low / 12, costs.target->high / 12);
    // During the move today's cluster runs on, and the move's extra is spread over its months.
    const auto moved = [&](double month, double target_month, double extra) {
        const double during = std::min(month, move_months);
        const double once = move_months > 0 ? extra * during / move_months : 0;
        return today * during + once + target_month * std::max(0.0, month - move_months);
    };
    const Range extra = costs.move.value_or(Range(0));
    const double most = nice_ceiling(std::max(today * kMonths, moved(kMonths, target.high, extra.high)));
    const auto x = [&](double month) { return kLeft + (kWidth - kLeft - 8) * month / kMonths; };
    const auto y = [&](double value) { return kTop + (kHeight - kTop - 22) * (1 - value / most); };
    std::string out = fmt::format(
        R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="Spending over two years">)", kWidth, kHeight);
    for (int i = 0; i <= 4; ++i) {
        const double value = most * i / 4;
        out += fmt::format(
            R"(<line class="axis" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/><text class="soft" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
            kLeft, kWidth - 8, y(value), y(value), kLeft - 6, y(value) + 4,
            value >= 1000 ? fmt::format("${:.0f}k", value / 1000) : dollars(value));
    }
    for (int month = 0; month <= 24; month += 6)
        out +=
            fmt::format(R"(<text class="soft" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", x(month), kHeight - 6,
                        month == 24 ? "end" : "middle", month == 0 ? "now" : fmt::format("{} mo", month));
    std::string high, low, stay;
    for (int month = 0; month <= 24; ++month) {
        high += fmt::format("{:.1f},{:.1f} ", x(month), y(moved(month, target.high, extra.high)));
        stay += fmt::format("{:.1f},{:.1f} ", x(month), y(today * month));
    }
    for (int month = 24; month >= 0; --month)
        low += fmt::format("{:.1f},{:.1f} ", x(month), y(moved(month, target.low, extra.low)));
    if (!target.sure() || !extra.sure()) out += fmt::format(R"(<polygon class="band" points="{}{}"/>)", high, low);
    out +=
        fmt::format(R"(<polyline class="l-scylla" points="{}"/><polyline class="l-today" points="{}"/>)", high, stay);
    return out + "</svg>";
}

std::string money(const std::optional<Range>& range) {
    return range ? dollars(*range) : "not priced";
}

std::string list(const std::vector<std::string>& lines) {
    std::string out = "<ul>";
    for (const auto& line : lines) out += "<li>" + escape(line) + "</li>";
    return out + "</ul>";
}

/// A saving in words, since a range may reach below zero.
std::string saving_words(Range saving) {
    if (saving.low >= 0) return fmt::format("{} less a year", dollars(saving));
    if (saving.high <= 0) return fmt::format("{} more a year", dollars(Range(-saving.high, -saving.low)));
    return fmt::format("between {} more and {} less a year", dollars(-saving.low), dollars(saving.high));
}

const Costs* main_costs(const Plan& plan) {
    for (const auto& costs : plan.costs) {
        if (costs.current || costs.target) return &costs;
    }
    return nullptr;
}

std::string headline(const Plan& plan) {
    if (!plan.target_type || !plan.target_nodes) return "These inputs do not say how many nodes ScyllaDB needs";
    const auto target = fmt::format("{} nodes of {}", number(*plan.target_nodes), plan.target_type->name);
    const auto today = plan.inputs.current_nodes > 0
                           ? fmt::format("{} of {}", plan.inputs.current_nodes,
                                         plan.inputs.current_type.empty() ? "Cassandra" : plan.inputs.current_type)
                           : std::string();
    if (plan.target_nodes_claimed) return fmt::format("{} are a claim that these inputs do not support", target);
    return today.empty() ? target + " carry the load" : fmt::format("{} instead of {}", target, today);
}

std::string lead(const Plan& plan) {
    const auto* costs = main_costs(plan);
    std::string out;
    if (plan.target_nodes_claimed) {
        out =
            "Without measured load and data size nobody can say how many nodes are enough. What follows prices the "
            "claimed number.";
    } else if (plan.target_nodes) {
        out =
            "Reckoned from the load and data below, by published rules, with room for one lost node. Size for the high "
            "end, measure, then shrink.";
    } else {
        out =
            "Give the load (reads and writes per second) and the size of the data; penumbra plan --help says how to "
            "measure both.";
    }
    if (costs && costs->saving && costs->saving_share) {
        out += fmt::format(" On demand that is {}{}.", saving_words(*costs->saving),
                           costs->complete ? "" : ", as far as it is priced");
    }
    return out;
}

std::string cards(const Plan& plan) {
    std::string out = "<div class=\"cards\">";
    const auto card = [&](const std::string& value, const std::string& label) {
        out += fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>", escape(value), escape(label));
    };
    const auto* costs = main_costs(plan);
    if (costs && costs->current)
        card(dollars(*costs->current),
             fmt::format("a year today, {}{}", costs->basis.name, costs->complete ? "" : ", what is priced"));
    if (costs && costs->target)
        card(dollars(*costs->target),
             fmt::format("a year on ScyllaDB{}", plan.target_nodes_claimed ? ", claimed nodes" : ""));
    if (costs && costs->saving_share)
        card(percent(*costs->saving_share),
             costs->saving->low < 0 ? "saved (below zero: it costs more)" : "saved a year");
    if (costs && costs->move)
        card(dollars(*costs->move),
             fmt::format("once, for {} months of running both", number(plan.inputs.move_months)));
    return out + "</div>";
}

std::string charts(const Plan& plan) {
    std::string out = "<div class=\"charts\"><div>";
    std::vector<Bar> money_bars;
    for (const auto& costs : plan.costs) {
        const auto name = costs.basis.id == "on_demand"  ? std::string("on demand")
                          : costs.basis.id == "reserved" ? std::string("reserved")
                                                         : std::string("flat rate");
        if (costs.current)
            money_bars.push_back({"today, " + name, *costs.current, short_dollars(*costs.current), true});
        if (costs.target) money_bars.push_back({name, *costs.target, short_dollars(*costs.target), false});
    }
    if (!money_bars.empty()) {
        out +=
            "<figure><figcaption>Dollars a year: <b style=\"color:var(--today)\">today</b> and <b "
            "style=\"color:var(--scylla)\">ScyllaDB</b>; the light part is the doubt</figcaption>" +
            bar_chart(money_bars, "Yearly cost", std::nullopt, "") + "</figure>";
    }
    if (plan.target_type) {
        const auto sizing = size_for(*plan.target_type, plan.inputs.workload);
        std::vector<Bar> node_bars;
        for (const auto& constraint : sizing.constraints) {
            if (constraint.nodes)
                node_bars.push_back({constraint.rule, *constraint.nodes, number(*constraint.nodes), false});
        }
        std::optional<double> claim;
        if (plan.inputs.target_nodes > 0) claim = static_cast<double>(plan.inputs.target_nodes);
        if (sizing.nodes && !node_bars.empty()) {
            out += fmt::format("<figure><figcaption>Nodes of {} that each rule asks for</figcaption>",
                               escape(plan.target_type->name)) +
                   bar_chart(node_bars, "Nodes by rule", claim,
                             claim ? fmt::format("{} claimed", plan.inputs.target_nodes) : "") +
                   "</figure>";
        }
    }
    if (plan.claim && plan.claim->has_money) {
        std::vector<Bar> saved;
        for (const auto& one : plan.claim->cases) {
            if (one.target_nodes != plan.claim->target_nodes || one.name.ends_with("instead")) continue;
            const double share = std::max(0.0, 1 - one.target / one.current);
            auto label = one.name.starts_with("flat")       ? std::string("flat rate")
                         : one.name.starts_with("reserved") ? std::string("reserved")
                                                            : one.name;
            if (const auto at = label.find(", and "); at != std::string::npos)
                label = "with " + label.substr(at + 6, 4) + " volumes";
            saved.push_back({label, Range(share), percent(Range(share)), false});
        }
        const double claimed = 1 - plan.claim->target_cost / plan.claim->current_cost;
        out += fmt::format(
                   "<figure><figcaption>Saved with {} nodes, by what is counted, beside what is claimed</figcaption>",
                   plan.claim->target_nodes) +
               bar_chart(saved, "Saving by case", claimed, fmt::format("{} claimed", percent(Range(claimed)))) +
               "</figure>";
    }
    out += "</div><div>";
    const auto* costs = main_costs(plan);
    if (costs && costs->current && costs->target && costs->current->low > 0) {
        out += fmt::format(
                   "<figure><figcaption>Spent so far, {}: <b style=\"color:var(--today)\">staying (dashed)</b> and <b "
                   "style=\"color:var(--scylla)\">moving</b>, both running at first</figcaption>",
                   escape(costs->basis.name)) +
               spending_chart(*costs, plan.inputs.move_months) + "</figure>";
    }
    return out + "</div></div>";
}

std::string sentence(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

std::string verdict_class(Support support) {
    switch (support) {
        case Support::supported:
            return "supported";
        case Support::contradicted:
            return "contradicted";
        case Support::uncertain:
        case Support::no_inputs:
            return "open";
    }
    return "open";
}

std::string cost_table(const Plan& plan, const Costs& costs) {
    const auto& in = plan.inputs;
    std::string out;
    out += fmt::format(
        "<h2>A year, {}</h2>{}<div class=\"scroll\"><table><tr><th></th><th class=\"n\">today{}</th><th "
        "class=\"n\">ScyllaDB{}</th><th>how</th></tr>",
        escape(costs.basis.name),
        costs.basis.remark.empty() ? "" : fmt::format("<p class=\"small\">{}</p>", escape(costs.basis.remark)),
        in.current_nodes > 0 ? fmt::format(", {} nodes", in.current_nodes) : "",
        plan.target_nodes
            ? fmt::format(", {} nodes{}", number(*plan.target_nodes), plan.target_nodes_claimed ? " (claimed)" : "")
            : "");
    for (const auto& line : costs.lines)
        out +=
            fmt::format("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td><small>{}</small></td></tr>",
                        escape(line.what), money(line.current), money(line.target), escape(line.how));
    out += fmt::format(
        "<tr class=\"sum\"><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr></table></div>\n",
        costs.complete ? "sum" : "sum of what is priced", money(costs.current), money(costs.target),
        costs.saving ? fmt::format("{}{}", saving_words(*costs.saving),
                                   costs.saving_share ? fmt::format(" ({} saved)", percent(*costs.saving_share)) : "")
                     : "");
    return out;
}

}  // namespace

std::string plan_html(const Plan& plan) {
    const auto& in = plan.inputs;
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<title>Cassandra to ScyllaDB: nodes and money</title>\n";
    out += kStyle;
    out += fmt::format(
        "</head>\n<body><main>\n<header><p class=\"kind\">Cassandra to ScyllaDB: nodes and money</p><h1>{}</h1><p "
        "class=\"lead\">{}</p></header>\n{}\n",
        escape(headline(plan)), escape(lead(plan)), cards(plan));
    for (const auto& verdict : plan.verdicts) {
        out += fmt::format(
            "<div class=\"verdict {}\"><b>{} nodes of {}: {}</b>{}. With one node lost they carry {} replica "
            "operations a second, and {} of data (one copy).</div>\n",
            verdict_class(verdict.support), verdict.nodes, escape(plan.target_type->name), to_string(verdict.support),
            escape(sentence(verdict.why)), number(verdict.capacity.replica_ops_one_lost),
            bytes(verdict.capacity.data_one_copy));
    }
    out += charts(plan) + "\n";

    const auto* first = main_costs(plan);
    if (first) out += cost_table(plan, *first);

    if (plan.claim) {
        out += fmt::format(
            "<h2>Does the claimed money reproduce?</h2><div class=\"scroll\"><table><tr><th>case</th><th "
            "class=\"n\">today, {} nodes</th><th class=\"n\">ScyllaDB</th><th class=\"n\">nodes</th><th "
            "class=\"n\">saved</th></tr>",
            plan.claim->current_nodes);
        for (const auto& one : plan.claim->cases) {
            out += fmt::format(
                "<tr{}><td>{}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                "class=\"n\">{}</td></tr>",
                one.reproduces ? " class=\"hit\"" : "", escape(one.name), one.reproduces ? " (this is the claim)" : "",
                dollars(one.current), dollars(one.target), one.target_nodes,
                percent(Range(1 - one.target / one.current)));
        }
        out += "</table></div>" + list(plan.claim->conclusions) + "\n";
    }

    if (!plan.licence.empty()) out += "<h2>Licence</h2>" + list(plan.licence) + "\n";
    out += "<h2>Read this with it</h2>" + list(plan.caveats) + "\n";
    std::string more;
    for (const auto& costs : plan.costs) {
        if (&costs != first && (costs.current || costs.target)) more += cost_table(plan, costs);
    }
    out +=
        "<h2 class=\"appendix\">Inputs and assumptions</h2><div "
        "class=\"scroll\"><table><tr><th>what</th><th>value</th><th>from</th></tr>";
    for (const auto& line : in.workload.lines)
        out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", escape(line.name), escape(line.value),
                           line.assumed ? "<small>assumed, nobody said</small>" : escape(line.source));
    out += fmt::format("<tr><td>prices</td><td>{}, {}</td><td>{}</td></tr></table></div>\n", escape(plan.prices.region),
                       escape(plan.prices.date), escape(plan.prices.file));
    if (!in.notes.empty()) out += list(in.notes);

    out += more;
    out +=
        "<h2>Every instance type</h2><div class=\"scroll\"><table><tr><th>type</th><th class=\"n\">vCPU</th><th "
        "class=\"n\">memory</th><th class=\"n\">NVMe</th><th class=\"n\">nodes</th><th class=\"n\">a year, on "
        "demand</th><th>decided by</th></tr>";
    for (const auto& candidate : plan.candidates) {
        const auto& s = candidate.sizing;
        out += fmt::format(
            "<tr><td>{}{}</td><td class=\"n\">{}</td><td class=\"n\">{} GiB</td><td class=\"n\">{}</td><td "
            "class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(s.type.name), s.type.recommended ? " <small>recommended</small>" : "", s.type.vcpu,
            number(s.type.memory_gib), bytes(s.type.disk_gb * 1e9), s.nodes ? number(*s.nodes) : "?",
            candidate.yearly ? dollars(*candidate.yearly) : "?", escape(s.binding));
    }
    out += "</table></div>\n";
    out +=
        "<h2>Rules and sources</h2><div class=\"scroll\"><table><tr><th>rule</th><th>formula</th><th>source</th></tr>";
    for (const auto& rule : sizing_rules())
        out += fmt::format("<tr><td>{}</td><td>{}</td><td><small>{}</small></td></tr>", rule.id, escape(rule.formula),
                           escape(rule.source));
    out += "</table></div>" + list(plan.prices.sources);
    out += fmt::format(
        "\n<footer>Made by penumbra plan with the prices of {} ({}). Every formula and source is in "
        "docs/sizing-and-cost.md.</footer>\n</main></body></html>\n",
        escape(plan.prices.date), escape(plan.prices.region));
    return out;
}

}  // namespace penumbra::kube
