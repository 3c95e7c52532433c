#include "kube/measured.h"

#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "kube/quantity.h"

namespace penumbra::kube {

namespace {

template <class F>
void for_each_line(std::string_view text, F&& visit) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        visit(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// Sums per kind of request of one scrape: "read", "write", "all", "shadow".
std::map<std::string, double> counters_of(const std::string& text) {
    std::map<std::string, double> sums;
    for_each_line(text, [&](std::string_view line) {
        if (line.empty() || line.front() == '#') return;
        const auto name_end = std::min(line.find_first_of("{ "), line.size());
        const auto name = line.substr(0, name_end);
        if (name != "penumbra_requests_total" && name != "penumbra_shadow_writes_total") return;
        std::string_view labels;
        auto rest = line.substr(name_end);
        if (rest.starts_with('{')) {
            const auto close = rest.find('}');
            if (close == std::string_view::npos) return;
            labels = rest.substr(1, close - 1);
            rest.remove_prefix(close + 1);
        }
        rest = trim(rest);
        const auto value = parse_amount(rest.substr(0, rest.find(' ')));
        if (!value || !std::isfinite(*value)) return;
        if (name == "penumbra_shadow_writes_total") {
            sums["shadow"] += *value;
            return;
        }
        std::string kind = "all";
        for (const std::string_view word : {"select", "read"}) {
            if (labels.find(fmt::format("\"{}\"", word)) != std::string_view::npos) kind = "read";
        }
        for (const std::string_view word : {"write", "insert", "update", "delete", "batch", "counter"}) {
            if (labels.find(fmt::format("\"{}\"", word)) != std::string_view::npos) kind = "write";
        }
        sums[kind] += *value;
    });
    return sums;
}

}  // namespace

Result<ProxyLoad> load_from_metrics(const std::string& before, const std::string& after, double seconds) {
    if (!(seconds > 0)) return fail(Errc::invalid_argument, "two scrapes need the seconds between them (--interval)");
    auto first = counters_of(before), second = counters_of(after);
    if (second.empty())
        return fail(Errc::invalid_argument,
                    "no penumbra_requests_total in the metrics: is this a scrape of a Penumbra proxy?");
    std::map<std::string, double> rates;
    for (const auto& [kind, value] : second) {
        const double grown = value - first[kind];
        if (grown < 0)
            return fail(Errc::invalid_argument,
                        "a counter went down between the scrapes: the proxy was restarted, or the files are in the "
                        "wrong order");
        rates[kind] = grown / seconds;
    }
    ProxyLoad load;
    if (rates.contains("read") || rates.contains("write")) {
        load.reads = Range(rates["read"]);
        load.writes = Range(rates["write"]);
    } else if (rates["shadow"] > 0 && rates["shadow"] <= rates["all"]) {
        // While everything is shadowed, what goes to the shadow is the writes.
        load.writes = Range(rates["shadow"]);
        load.reads = Range(rates["all"] - rates["shadow"]);
        load.note =
            "writes are those that went to the shadow: right if all of the traffic was shadowed between the scrapes";
    } else {
        load.requests = rates["all"];
        load.note = "the metrics do not tell reads from writes, so the replicas' work is a range";
    }
    return load;
}

Result<NodetoolLoad> load_from_nodetool(const std::vector<std::string>& texts) {
    NodetoolLoad load;
    double ops = 0, info_load = 0, live = 0, status_load = 0;
    std::int64_t infos = 0, stats = 0;
    std::set<std::string> status_nodes;
    for (const auto& text : texts) {
        double uptime = 0, reads = 0, writes = 0, space = 0;
        bool system = false, has_stats = false;
        for_each_line(text, [&](std::string_view line) {
            const auto whole = trim(line);
            if (whole.size() > 2 && (whole[0] == 'U' || whole[0] == 'D') &&
                std::string_view("NLJM").find(whole[1]) != std::string_view::npos && whole[2] == ' ') {
                // UN  10.0.0.1  1.2 TiB  256  ...
                auto rest = trim(whole.substr(2));
                const auto address_end = std::min(rest.find(' '), rest.size());
                const std::string address(rest.substr(0, address_end));
                rest = trim(rest.substr(address_end));
                const auto number_end = std::min(rest.find(' '), rest.size());
                const auto unit = trim(rest.substr(number_end)).substr(0, 3);
                const auto value = parse_amount(fmt::format("{}{}", rest.substr(0, number_end), trim(unit)));
                if (value && status_nodes.insert(address).second) status_load += *value;
                return;
            }
            const auto colon = whole.find(':');
            if (colon == std::string_view::npos) return;
            const auto name = trim(whole.substr(0, colon));
            const auto value = trim(whole.substr(colon + 1));
            if (name == "Keyspace") {
                system = value.starts_with("system");
                has_stats = true;
            } else if (name == "Uptime (seconds)") {
                uptime = parse_amount(value).value_or(0);
            } else if (name == "Load") {
                info_load += parse_amount(value).value_or(0);
                ++infos;
            } else if (!system && (name == "Read Count")) {
                reads += parse_amount(value).value_or(0);
            } else if (!system && (name == "Write Count")) {
                writes += parse_amount(value).value_or(0);
            } else if (!system && name == "Space used (live)") {
                space += parse_amount(value).value_or(0);
            }
        });
        if (has_stats) {
            if (uptime <= 0)
                return fail(Errc::invalid_argument,
                            "tablestats without `Uptime (seconds)`: its counts are since the node's start, so put the "
                            "node's `nodetool info` into the same file");
            ops += (reads + writes) / uptime;
            live += space;
            ++stats;
        }
    }
    if (stats > 0) load.replica_ops = ops;
    if (!status_nodes.empty()) {
        load.data_on_disk = status_load;
    } else if (infos > 0) {
        load.data_on_disk = info_load;
    } else if (stats > 0) {
        load.data_on_disk = live;
    }
    load.nodes = std::max<std::int64_t>({stats, infos, static_cast<std::int64_t>(status_nodes.size())});
    if (!load.replica_ops && !load.data_on_disk)
        return fail(Errc::invalid_argument, "nothing in the files looks like nodetool info, tablestats or status");
    // Figures of some nodes stand for all when status names more of them.
    const auto all = static_cast<std::int64_t>(status_nodes.size());
    if (load.replica_ops && all > stats && stats > 0) {
        *load.replica_ops *= static_cast<double>(all) / static_cast<double>(stats);
        load.note = fmt::format("tablestats of {} of {} nodes, taken for all", stats, all);
    }
    return load;
}

}  // namespace penumbra::kube
