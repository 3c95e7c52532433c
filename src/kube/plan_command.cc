#include <cmath>
#include <istream>
#include <map>
#include <ostream>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "kube/command.h"
#include "kube/files.h"
#include "kube/measured.h"
#include "kube/plan.h"
#include "kube/validate.h"
#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

/// The options as text. An input file may hold the same names (with the dashes of the option), and an option wins.
struct Arguments {
    std::vector<std::string> files;
    std::vector<std::string> metrics, nodetool;
    std::string input_file, prices, format = "table", output = "-";
    std::map<std::string, std::string> values;
};

struct Described {
    const char* name;
    const char* help;
};

constexpr Described kValues[] = {
    {"reads", "Reads per second, as clients send them: 20k, 15k..25k, 20k+-20%, or ~20k for a guess"},
    {"writes", "Writes per second, the same way"},
    {"replica-ops", "Operations per second counted on the nodes, replicas included; instead of reads and writes"},
    {"data", "Size on disk of one copy of the data: 2TB, 1.5TB..2TB"},
    {"data-on-disk", "Size on disk over all nodes, copies included; instead of --data"},
    {"rf", "Replication factor (3)"},
    {"read-cl", "Consistency level of most reads (LOCAL_QUORUM)"},
    {"peak-factor",
     "The busiest minutes over the average; 1 when the rates are already those of the peak (assumed 2..3)"},
    {"growth", "Growth of load and data per year: 20%, 10%..40% (assumed 0..30%)"},
    {"years", "How far ahead (1)"},
    {"racks", "Racks or zones, filled equally; 1 does not round up (the replication factor)"},
    {"current-nodes", "Nodes today (or a CassandraDatacenter manifest)"},
    {"current-type", "Instance type today"},
    {"current-volume", "Network volume per node today: 1TB"},
    {"target-nodes", "Nodes of ScyllaDB that somebody claims are enough (or a ScyllaCluster manifest)"},
    {"target-type", "Instance type for ScyllaDB (the cheapest recommended one)"},
    {"flat-rate", "Also reckon with this price per node-hour, whatever the type"},
    {"move-months", "Months that both clusters run (2)"},
    {"proxy-nodes", "Proxies during the move (2)"},
    {"proxy-type", "Instance type of the proxies (m5.2xlarge)"},
    {"licence-per-vcpu", "Dollars a year per vCPU above the free tier, from a quote"},
    {"support-current", "Dollars a year for support today"},
    {"support-target", "Dollars a year for support of ScyllaDB"},
    {"row-bytes", "Bytes of a write, for the traffic between zones"},
    {"claim-cost", "Claimed dollars a year, today:ScyllaDB, such as 105120:35040"},
    {"claim-nodes", "Nodes that the claim is for, today:ScyllaDB, such as 12:4"},
    {"interval", "Seconds between the two --metrics files"},
};

const char* const kExamples = R"(Examples:
  penumbra plan --reads 30k --writes 20k --data 1.5TB --current-nodes 12 --current-type m5.2xlarge --current-volume 1TB
  penumbra plan cassandra-dc1.yaml --nodetool node1.txt --nodetool node2.txt --current-type m5.2xlarge
  penumbra plan --metrics before.prom --metrics after.prom --interval 3600 --data-on-disk 9TB
  penumbra plan --input plan.yaml --format html -o plan.html
An unsure number is a range (15k..25k), and the results are ranges then.
Exit status: 0 done, 1 an input file is wrong, 2 wrong usage, 3 a file could not be read or written.)";

class Collector {
  public:
    Collector(Arguments& a, std::istream& in) : a_(a), in_(in) {}

    Result<PlanInputs> run() {
        TRY(read_input_file());
        TRY(manifests());
        auto& w = out_.workload;
        TRY(auto rf, whole("rf", 3, 1, 15));
        w.rf = rf;
        w.read_consistency = value("read-cl").empty() ? "LOCAL_QUORUM" : value("read-cl");
        if (const auto& cl = w.read_consistency;
            cl != "ONE" && cl != "LOCAL_ONE" && cl != "TWO" && cl != "QUORUM" && cl != "LOCAL_QUORUM" && cl != "ALL") {
            return fail(Errc::invalid_argument,
                        fmt::format("--read-cl: `{}` is none of ONE, LOCAL_ONE, TWO, QUORUM, LOCAL_QUORUM, ALL", cl));
        }
        TRY(load());
        TRY(w.data, range("data"));
        TRY(auto on_disk, range("data-on-disk"));
        if (w.data) line("data, one copy", bytes(*w.data), source("data"));
        if (!w.data && on_disk) {
            w.data = *on_disk / Range(static_cast<double>(w.rf));
            line("data, one copy", bytes(*w.data), source("data-on-disk") + fmt::format(", {} / RF", bytes(*on_disk)));
        }
        TRY(nodetool());
        line("replication factor", std::to_string(w.rf), source("rf"), value("rf").empty());
        line("consistency of reads", w.read_consistency, source("read-cl"), value("read-cl").empty());
        TRY(auto peak, range("peak-factor"));
        if (peak) w.peak = *peak;
        if (w.peak.low < 1) return fail(Errc::invalid_argument, "--peak-factor: a peak is at least the average, 1");
        line("peak factor", number(w.peak), source("peak-factor"), !peak);
        TRY(auto growth, range("growth"));
        if (growth) w.growth = *growth;
        if (w.growth.high > 10)
            return fail(Errc::invalid_argument, "--growth: write a share of the whole, such as 20%");
        line("growth per year", percent(w.growth), source("growth"), !growth);
        TRY(w.years, decimal("years", 1, 0, 20));
        line("years ahead", number(w.years), source("years"), value("years").empty());
        TRY(w.racks, whole("racks", w.rf, 1, 100));
        line("racks", std::to_string(w.racks), source("racks"), value("racks").empty());
        TRY(fleets());
        return std::move(out_);
    }

  private:
    const std::string& value(const std::string& name) const {
        static const std::string none;
        const auto found = a_.values.find(name);
        return found == a_.values.end() ? none : found->second;
    }
    std::string source(const std::string& name) const {
        if (value(name).empty()) return "default";
        return from_file_.contains(name) ? a_.input_file : "--" + name;
    }
    void line(std::string name, std::string text, std::string from, bool assumed = false) {
        out_.workload.lines.push_back({std::move(name), std::move(text), std::move(from), assumed});
    }

    Result<std::optional<Range>> range(const std::string& name) const {
        if (value(name).empty()) return std::optional<Range>();
        const auto parsed = parse_range(value(name));
        if (!parsed)
            return fail(Errc::invalid_argument,
                        fmt::format("{}: `{}` is no number or range, such as 20k, 15k..25k, 20k+-20% or ~20k",
                                    source(name), value(name)));
        return std::optional(*parsed);
    }
    Result<double> decimal(const std::string& name, double otherwise, double least, double most) const {
        if (value(name).empty()) return otherwise;
        const auto parsed = parse_range(value(name));
        if (!parsed || !parsed->sure() || parsed->low < least || parsed->low > most)
            return fail(Errc::invalid_argument,
                        fmt::format("{}: `{}` is no number from {} to {}", source(name), value(name), least, most));
        return parsed->low;
    }
    Result<std::optional<double>> money(const std::string& name) const {
        if (value(name).empty()) return std::optional<double>();
        TRY(auto amount, decimal(name, 0, 0, 1e12));
        return std::optional(amount);
    }
    Result<std::int64_t> whole(const std::string& name, std::int64_t otherwise, std::int64_t least,
                               std::int64_t most) const {
        TRY(auto number,
            decimal(name, static_cast<double>(otherwise), static_cast<double>(least), static_cast<double>(most)));
        if (number != std::floor(number))
            return fail(Errc::invalid_argument, fmt::format("{}: `{}` is no whole number", source(name), value(name)));
        return static_cast<std::int64_t>(number);
    }
    /// `105120:35040`.
    Result<std::optional<std::pair<double, double>>> pair(const std::string& name) const {
        const auto& text = value(name);
        if (text.empty()) return std::optional<std::pair<double, double>>();
        const auto colon = text.find(':');
        const auto a = parse_range(text.substr(0, colon)),
                   b = colon == std::string::npos ? std::nullopt : parse_range(text.substr(colon + 1));
        if (!a || !b || !a->sure() || !b->sure() || a->low <= 0 || b->low <= 0)
            return fail(Errc::invalid_argument,
                        fmt::format("{}: `{}` is not two numbers such as 12:4", source(name), text));
        return std::optional(std::pair{a->low, b->low});
    }

    Status read_input_file() {
        if (a_.input_file.empty()) return ok();
        TRY(auto text, read_file(a_.input_file, in_));
        Diagnostics problems(a_.input_file);
        const auto documents = read_yaml(text, problems);
        if (problems.errors() == 0 && (documents.size() != 1 || !documents[0].root.is_map()))
            problems.error({1, 1}, {}, "expected one map of options, such as `reads: 20k`");
        std::vector<std::string> known;
        for (const auto& described : kValues) known.emplace_back(described.name);
        for (const auto& entry : problems.errors() == 0 ? documents[0].root.entries : std::vector<Node::Entry>{}) {
            if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
                const auto nearest = nearest_name(entry.key, known);
                problems.error(
                    entry.mark, entry.key, "no such option",
                    nearest.empty() ? "see penumbra plan --help" : fmt::format("did you mean `{}`?", nearest));
            } else if (!entry.value.is_scalar()) {
                problems.error(entry.mark, entry.key, "expected one value");
            } else if (value(entry.key).empty()) {
                a_.values[entry.key] = entry.value.text;
                from_file_.insert(entry.key);
            }
        }
        if (problems.errors() > 0) return fail(Errc::malformed, problems.render(text));
        return ok();
    }

    /// Manifests give node counts. A plan wants what was meant, so an invalid one is read as far as it goes, and said
    /// so.
    Status manifests() {
        for (const auto& file : a_.files) {
            TRY(auto text, read_file(file, in_));
            auto input = read_input(file, std::move(text));
            if (input.diagnostics.errors() > 0) return fail(Errc::malformed, input.diagnostics.render(input.source));
            validate(input);
            const auto errors = input.diagnostics.errors();
            const auto shown = file.substr(file.rfind('/') + 1);
            if (errors > 0)
                out_.notes.push_back(
                    fmt::format("{} is not valid ({} errors; `penumbra convert --check` lists them): only its node "
                                "count was taken, as it was meant.",
                                shown, errors));
            for (const auto& manifest : input.manifests) {
                const Node& root = manifest.root();
                if (manifest.is_cassandra()) {
                    const Node* size = root.at("spec.size");
                    if (size && size->as_integer().value_or(0) > 0)
                        current_from_manifest_ = *size->as_integer(), current_file_ = shown + ", spec.size";
                }
                if (manifest.is_scylla()) {
                    std::int64_t members = 0;
                    const Node* racks = root.at("spec.datacenter.racks");
                    for (const auto& rack : racks ? racks->items : std::vector<Node>{})
                        members += rack.find("members") ? rack.find("members")->as_integer().value_or(0) : 0;
                    target_file_ = shown + ", members of its racks";
                    if (const Node* size = root.at("spec.size"); members == 0 && size)
                        members = size->as_integer().value_or(0),
                        target_file_ = shown + ", spec.size (which a ScyllaCluster has not)";
                    if (members > 0 && members < 1'000'000) target_from_manifest_ = members;
                }
            }
        }
        return ok();
    }

    Status load() {
        auto& w = out_.workload;
        TRY(w.reads, range("reads"));
        TRY(w.writes, range("writes"));
        TRY(w.replica_ops, range("replica-ops"));
        if (!a_.metrics.empty()) {
            if (a_.metrics.size() != 2)
                return fail(Errc::invalid_argument,
                            "--metrics: give two scrapes, the earlier one first, and --interval");
            TRY(auto before, read_file(a_.metrics[0], in_));
            TRY(auto after, read_file(a_.metrics[1], in_));
            TRY(auto seconds, decimal("interval", 0, 0, 1e9));
            TRY(auto measured, load_from_metrics(before, after, seconds));
            const auto from = fmt::format("proxy metrics over {} s", number(seconds));
            if (measured.reads && !w.reads) w.reads = measured.reads, metrics_source_ = from;
            if (measured.writes && !w.writes) w.writes = measured.writes, metrics_source_ = from;
            if (measured.requests && !w.reads && !w.writes && !w.replica_ops) {
                const auto few = static_cast<double>(std::min(w.read_replicas(), w.rf));
                w.replica_ops = Range(*measured.requests * few, *measured.requests * static_cast<double>(w.rf));
                line("replica operations/s", number(*w.replica_ops),
                     from + fmt::format(", {} requests/s", number(*measured.requests)));
            }
            if (!measured.note.empty()) out_.notes.push_back("Proxy metrics: " + measured.note + ".");
        }
        if (w.reads) line("reads/s", number(*w.reads), value("reads").empty() ? metrics_source_ : source("reads"));
        if (w.writes) line("writes/s", number(*w.writes), value("writes").empty() ? metrics_source_ : source("writes"));
        if (w.replica_ops && !value("replica-ops").empty())
            line("replica operations/s", number(*w.replica_ops), source("replica-ops"));
        return ok();
    }

    Status nodetool() {
        if (a_.nodetool.empty()) return ok();
        std::vector<std::string> texts;
        for (const auto& file : a_.nodetool) {
            TRY(auto text, read_file(file, in_));
            texts.push_back(std::move(text));
        }
        TRY(auto measured, load_from_nodetool(texts));
        auto& w = out_.workload;
        const auto from = fmt::format("nodetool, {} node{}", measured.nodes, measured.nodes == 1 ? "" : "s");
        if (measured.replica_ops && !w.has_load()) {
            w.replica_ops = Range(*measured.replica_ops);
            line("replica operations/s", number(*w.replica_ops), from + ", since their start");
        }
        if (measured.data_on_disk && !w.data) {
            w.data = Range(*measured.data_on_disk / static_cast<double>(w.rf));
            line("data, one copy", bytes(*w.data), from + fmt::format(", {} / RF", bytes(*measured.data_on_disk)));
        }
        if (current_from_manifest_ == 0 && measured.nodes > 1)
            current_from_manifest_ = measured.nodes, current_file_ = from;
        if (!measured.note.empty()) out_.notes.push_back("nodetool: " + measured.note + ".");
        return ok();
    }

    Status fleets() {
        TRY(out_.current_nodes, whole("current-nodes", current_from_manifest_, 0, 100000));
        TRY(out_.target_nodes, whole("target-nodes", target_from_manifest_, 0, 100000));
        if (out_.current_nodes > 0)
            line("nodes today", std::to_string(out_.current_nodes),
                 value("current-nodes").empty() ? current_file_ : source("current-nodes"));
        out_.current_type = value("current-type");
        if (!out_.current_type.empty()) line("machines today", out_.current_type, source("current-type"));
        if (!value("current-volume").empty()) {
            TRY(auto volume, decimal("current-volume", 0, 0, 1e16));
            out_.current_volume_gb = volume / 1e9;
            line("network volume per node today", bytes(volume), source("current-volume"));
        }
        if (out_.target_nodes > 0)
            line("nodes of ScyllaDB, claimed", std::to_string(out_.target_nodes),
                 value("target-nodes").empty() ? target_file_ : source("target-nodes"));
        out_.target_type = value("target-type");
        if (!out_.target_type.empty()) line("machines for ScyllaDB", out_.target_type, source("target-type"));
        TRY(out_.flat_rate, money("flat-rate"));
        TRY(out_.move_months, decimal("move-months", 2, 0, 60));
        line("months of running both", number(out_.move_months), source("move-months"), value("move-months").empty());
        TRY(out_.proxy_nodes, whole("proxy-nodes", 2, 0, 1000));
        if (!value("proxy-type").empty()) out_.proxy_type = value("proxy-type");
        line("proxies", fmt::format("{} x {}", out_.proxy_nodes, out_.proxy_type), source("proxy-nodes"),
             value("proxy-nodes").empty() && value("proxy-type").empty());
        TRY(out_.licence_per_vcpu, money("licence-per-vcpu"));
        TRY(out_.support_current, money("support-current"));
        TRY(out_.support_target, money("support-target"));
        TRY(out_.row_bytes, range("row-bytes"));
        if (out_.row_bytes) line("bytes of a write", number(*out_.row_bytes), source("row-bytes"));
        TRY(auto cost, pair("claim-cost"));
        TRY(auto nodes, pair("claim-nodes"));
        if (cost) {
            out_.claim_current_cost = cost->first;
            out_.claim_target_cost = cost->second;
            line("claimed cost a year", fmt::format("{} -> {}", dollars(cost->first), dollars(cost->second)),
                 source("claim-cost"));
        }
        if (nodes) {
            out_.claim_current_nodes = static_cast<std::int64_t>(nodes->first);
            out_.claim_target_nodes = static_cast<std::int64_t>(nodes->second);
            if (out_.claim_current_nodes < 1 || out_.claim_target_nodes < 1 || nodes->first > 1e5 ||
                nodes->second > 1e5)
                return fail(Errc::invalid_argument, "--claim-nodes: two whole numbers such as 12:4");
            line("claimed nodes", fmt::format("{} -> {}", out_.claim_current_nodes, out_.claim_target_nodes),
                 source("claim-nodes"));
        }
        return ok();
    }

    Arguments& a_;
    std::istream& in_;
    PlanInputs out_;
    std::set<std::string> from_file_;
    std::string metrics_source_, current_file_, target_file_;
    std::int64_t current_from_manifest_ = 0, target_from_manifest_ = 0;
};

Exit exit_of(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
        case Errc::not_found:
        case Errc::unsupported:
        case Errc::already_exists:
        case Errc::conflict:
            return Exit::usage;
        case Errc::malformed:
        case Errc::corrupt:
            return Exit::invalid;
        case Errc::unavailable:
        case Errc::timeout:
        case Errc::closed:
        case Errc::overloaded:
        case Errc::shutting_down:
        case Errc::cancelled:
        case Errc::server:
        case Errc::io:
        case Errc::internal:
            return Exit::io;
    }
    return Exit::io;
}

}  // namespace

int run_plan(std::span<const std::string_view> args, std::istream& in, std::ostream& out, std::ostream& err) {
    CLI::App app(
        "Reckons nodes, instance types and money for ScyllaDB beside today's Cassandra, with the rule and the source "
        "behind each number.",
        "penumbra plan");
    Arguments a;
    app.add_option("manifests", a.files,
                   "A CassandraDatacenter gives today's node count, a ScyllaCluster the claimed one");
    app.add_option("--input", a.input_file, "A YAML file with the options below as keys, such as `reads: 20k`");
    app.add_option("--metrics", a.metrics, "Two scrapes of a proxy's /metrics, the earlier one first")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--nodetool", a.nodetool,
                   "Output of nodetool info, tablestats and status; one file per node, or several")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--prices", a.prices, "Another price file (default: the one that was built in)");
    app.add_option("--format", a.format, "table, json or html")
        ->check(CLI::IsMember({"table", "json", "html"}))
        ->capture_default_str();
    app.add_option("-o,--output", a.output, "Where the plan goes (default: standard output)");
    for (const auto& described : kValues)
        app.add_option(fmt::format("--{}", described.name), a.values[described.name], described.help);
    app.footer(kExamples);
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::ParseError& problem) {
        const bool help = problem.get_exit_code() == 0;
        (help ? out : err) << (help ? app.help()
                                    : fmt::format("penumbra plan: {}\nRun penumbra plan --help for the options.\n",
                                                  problem.what()));
        return static_cast<int>(help ? Exit::ok : Exit::usage);
    }
    const auto failed = [&](const Error& problem) {
        err << "penumbra plan: " << problem.what << (problem.what.ends_with('\n') ? "" : "\n");
        return static_cast<int>(exit_of(problem.code));
    };
    auto inputs = Collector(a, in).run();
    if (!inputs) return failed(inputs.error());
    auto prices = load_prices(a.prices, in);
    if (!prices) return failed(prices.error());
    auto plan = make_plan(std::move(inputs).value(), std::move(prices).value());
    if (!plan) return failed(plan.error());
    const auto text = a.format == "json"   ? write_json(plan_json(plan.value()))
                      : a.format == "html" ? plan_html(plan.value())
                                           : plan_text(plan.value());
    if (a.output == "-") {
        out << text;
    } else if (auto status = write_file(a.output, text); !status) {
        return failed(status.error());
    }
    return static_cast<int>(Exit::ok);
}

}  // namespace penumbra::kube
