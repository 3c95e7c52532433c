#include <istream>
#include <ostream>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "kube/command.h"
#include "kube/files.h"
#include "kube/output.h"
#include "kube/prices.h"
#include "kube/quantity.h"
#include "kube/yaml.h"

namespace penumbra::kube {

namespace {

struct Arguments {
    std::vector<std::string> files;
    std::string to;
    std::string output = "-";
    std::string report_file;
    std::string report_format = "text";
    std::string prices;
    bool check = false;
    bool fix = false;
    bool quiet = false;
    bool fail_on_decision = false;
    ConvertOptions options;
};

const char* const kExamples = R"(Examples:
  penumbra convert cassandra-datacenter.yaml --replicas 3 --instance-type i4i.2xlarge > scylla.yaml
  kubectl get cassdc dc1 -o yaml | penumbra convert - --report report.md --report-format markdown
  penumbra convert --check manifests.yaml             errors with file, line, column and what was meant
  penumbra convert --fix --check broken.yaml          the repaired manifest, nothing converted
  penumbra convert --fix broken.yaml                  repaired, then converted
  penumbra convert scylla.yaml                        a ScyllaCluster becomes a CassandraDatacenter
Exit status: 0 done, 1 the manifests are wrong or cannot be converted, 2 wrong usage, 3 a file could not be read or
written, 4 something needs a decision and --fail-on-decision was given.)";

void declare(CLI::App& app, Arguments& a) {
    app.add_option("files", a.files, "Manifests; - is standard input. Several documents in a file are fine")
        ->required();
    app.add_option("--to", a.to,
                   "The only direction to convert in: scylla or cassandra (default: by each object's kind)")
        ->check(CLI::IsMember({"scylla", "cassandra"}));
    app.add_option("-o,--output", a.output, "Where the manifests go (default: standard output)");
    app.add_option("--report", a.report_file, "Where the report goes (default: standard error)");
    app.add_option("--report-format", a.report_format, "text, markdown or json")
        ->check(CLI::IsMember({"text", "markdown", "json"}));
    app.add_flag("--check", a.check, "Validate only");
    app.add_flag("--fix", a.fix, "Repair mistakes that are understood, and say what was done");
    app.add_flag("-q,--quiet", a.quiet, "No report on standard error, only what is wrong");
    app.add_flag("--fail-on-decision", a.fail_on_decision, "Exit with 4 when something needs a decision");
    auto& o = a.options;
    app.add_option("--replicas", o.replicas, "Nodes of the result (default: as many as the source has)")
        ->check(CLI::Range(1, 10000));
    app.add_option("--rf", o.rf, "Replication factor of the keyspaces, for the checks of racks")
        ->check(CLI::Range(1, 15))
        ->capture_default_str();
    app.add_option("--racks", o.racks, "Racks with their zones: a=us-east-1a,b=us-east-1b,c=us-east-1c")
        ->delimiter(',');
    app.add_option("--name", o.name, "Name of the resulting object");
    app.add_option("--namespace", o.name_space, "Namespace of the result (default: the source's, or scylla)");
    app.add_option("--scylla-version", o.scylla_version, "ScyllaDB version")->capture_default_str();
    app.add_option("--agent-version", o.agent_version, "Version of the ScyllaDB Manager Agent")->capture_default_str();
    app.add_option("--cassandra-version", o.cassandra_version, "Cassandra version, for the way back")
        ->capture_default_str();
    app.add_option("--instance-type", o.instance_type,
                   "Take CPU, memory and storage from this instance type of the price file");
    app.add_option("--prices", a.prices, "Another price file (default: the one that was built in)");
    app.add_option("--cpu", o.cpu, "CPUs per node")->check(CLI::Range(1, 1024));
    app.add_option("--memory", o.memory, "Memory per node, such as 50Gi");
    app.add_option("--storage", o.storage, "Storage per node, such as 1500Gi");
    app.add_option("--storage-class", o.storage_class, "Storage class of the volumes");
    app.add_option("--backup-location", o.backup_location, "Add a daily backup there, such as s3:my-bucket");
    app.add_option("--without", o.without, "Objects to leave out: namespace, nodeconfig, roles, monitoring")
        ->delimiter(',')
        ->check(CLI::IsMember({"namespace", "nodeconfig", "roles", "monitoring"}));
    app.footer(kExamples);
}

/// The command as it can be typed again, for the header of what it made. File names are named below it, with checksums.
std::string command_line(std::span<const std::string_view> args, const std::vector<std::string>& files) {
    std::string line = "penumbra convert";
    for (const auto arg : args) {
        const bool is_file = std::find(files.begin(), files.end(), arg) != files.end();
        line += ' ';
        line += is_file && arg != "-" ? arg.substr(arg.rfind('/') + 1) : arg;
    }
    return line;
}

Status check_amounts(const ConvertOptions& options) {
    for (const auto& [name, value] : {std::pair{"--memory", &options.memory}, {"--storage", &options.storage}}) {
        if (!value->empty() && !Quantity::parse(*value))
            return fail(Errc::invalid_argument, fmt::format("{}: `{}` is no quantity such as 50Gi", name, *value));
    }
    if (!options.name.empty() && !is_dns_label(options.name))
        return fail(Errc::invalid_argument, fmt::format("--name: `{}` is no DNS label", options.name));
    if (!options.name_space.empty() && !is_dns_label(options.name_space))
        return fail(Errc::invalid_argument, fmt::format("--namespace: `{}` is no DNS label", options.name_space));
    if (!Version::parse(options.scylla_version))
        return fail(Errc::invalid_argument, fmt::format("--scylla-version: `{}` is no version such as {}",
                                                        options.scylla_version, kScyllaVersion));
    if (const auto problem = cassandra_version_problem("cassandra", options.cassandra_version); !problem.empty()) {
        return fail(Errc::invalid_argument, fmt::format("--cassandra-version: {}", problem));
    }
    std::set<std::string> racks;
    for (const auto& text : options.racks) {
        const auto [name, zone] = split_rack(text);
        if (!is_dns_label(name) || !racks.insert(name).second)
            return fail(
                Errc::invalid_argument,
                fmt::format("--racks: `{}` is no name of a rack, or stands twice; write a=zone-1,b=zone-2", text));
    }
    return ok();
}

/// An instance type's share for ScyllaDB: two vCPUs and a part of the memory stay with the worker (kubelet, agent,
/// drivers).
Status use_instance_type(Arguments& a, std::istream& in) {
    if (a.options.instance_type.empty()) return ok();
    TRY(auto prices, load_prices(a.prices, in));
    const auto* type = prices.find(a.options.instance_type);
    if (!type)
        return fail(Errc::not_found, fmt::format("--instance-type: {} is not in the price file; it has {}",
                                                 a.options.instance_type, prices.names()));
    if (type->disk_gb <= 0)
        return fail(Errc::invalid_argument,
                    fmt::format("--instance-type: {} has no local NVMe disk, which ScyllaDB wants", type->name));
    if (!a.options.cpu) a.options.cpu = type->scylla_vcpu();
    if (a.options.memory.empty())
        a.options.memory = fmt::format("{}Gi", static_cast<std::int64_t>(type->scylla_memory_gib()));
    if (a.options.storage.empty())
        a.options.storage = fmt::format("{}Gi", static_cast<std::int64_t>(type->scylla_disk_gib()));
    return ok();
}

struct Outcome {
    std::vector<Node> objects;
    std::vector<std::pair<std::string, Report>> reports;
    bool failed = false;
};

void convert_input(const Input& input, const Arguments& a, Outcome& outcome, std::ostream& err) {
    for (const auto& manifest : input.manifests) {
        const bool forward = manifest.is_cassandra() && a.to != "cassandra";
        const bool back = manifest.is_scylla() && a.to != "scylla";
        if (!forward && !back) continue;
        auto result =
            forward ? convert_to_scylla(input, manifest, a.options) : convert_to_cassandra(input, manifest, a.options);
        if (!result) {
            err << fmt::format("{}: error: {}\n", input.file, result.error().what);
            outcome.failed = true;
            continue;
        }
        auto conversion = std::move(result).value();
        keep_lost_comments(manifest.document, conversion, forward ? "ScyllaCluster" : "CassandraDatacenter");
        for (auto& object : conversion.objects) {
            // Two datacenters in one namespace need it once.
            const bool repeats = std::any_of(outcome.objects.begin(), outcome.objects.end(),
                                             [&](const Node& other) { return other.same(object); });
            if (!repeats) outcome.objects.push_back(std::move(object));
        }
        outcome.reports.emplace_back(fmt::format("{} {} -> {}", manifest.kind, manifest.name(),
                                                 forward ? "ScyllaCluster" : "CassandraDatacenter"),
                                     std::move(conversion.report));
    }
}

std::string render_reports(const std::vector<std::pair<std::string, Report>>& reports, const std::string& format) {
    std::string out;
    Node list = Node::list();
    for (const auto& [title, report] : reports) {
        if (format == "json") {
            Node node = report.json();
            Node& whole = list.push(Node::map());
            whole.set("conversion", Node::string(title));
            for (auto& entry : node.entries) whole.set(entry.key, std::move(entry.value));
        } else if (format == "markdown") {
            out += fmt::format("{}## {}\n\n{}", out.empty() ? "" : "\n", title, report.markdown());
        } else {
            out += fmt::format("{}{}: {}\n\n{}", out.empty() ? "" : "\n", title, report.summary(), report.text());
        }
    }
    return format == "json" ? write_json(list) : out;
}

/// Everything that comes out of a conversion has to pass our own checks; anything else is our mistake, and said as
/// such.
bool verify_own_output(const std::string& text, std::ostream& err) {
    auto own = read_input("what we made", text);
    validate(own);
    if (own.diagnostics.errors() == 0) return true;
    err << "penumbra convert: internal error: the result does not pass validation; please report this\n"
        << own.diagnostics.render(own.source);
    return false;
}

int convert(Arguments& a, std::span<const std::string_view> args, std::istream& in, std::ostream& out,
            std::ostream& err) {
    const auto usage = [&](const Error& problem) {
        err << "penumbra convert: " << problem.what << "\n";
        return static_cast<int>(problem.code == Errc::io ? Exit::io : Exit::usage);
    };
    if (auto status = check_amounts(a.options); !status) return usage(status.error());
    if (auto status = use_instance_type(a, in); !status) return usage(status.error());
    std::vector<Input> inputs;
    bool failed = false;
    for (const auto& file : a.files) {
        auto text = read_file(file, in);
        if (!text) {
            err << "penumbra convert: " << text.error().what << "\n";
            return static_cast<int>(Exit::io);
        }
        auto input = read_input(file, std::move(text).value());
        const bool readable = input.diagnostics.errors() == 0;
        std::vector<Fix> fixes;
        if (a.fix && readable) {
            for (auto& manifest : input.manifests) {
                auto more = apply_fixes(manifest, a.options);
                fixes.insert(fixes.end(), more.begin(), more.end());
            }
            err << render_fixes(file, fixes);
        }
        validate(input);
        err << input.diagnostics.render(input.source);
        if (input.diagnostics.errors() > 0) {
            failed = true;
            if (!a.fix && readable) {
                // Offer what was meant, when we know it: a dry run of the repair on a copy.
                auto copy = read_input(file, input.source);
                std::vector<Fix> offered;
                for (auto& manifest : copy.manifests) {
                    auto more = apply_fixes(manifest, a.options);
                    offered.insert(offered.end(), more.begin(), more.end());
                }
                if (!offered.empty()) {
                    err << fmt::format("\n--fix would repair {} place{}; --fix --check shows the result:\n",
                                       offered.size(), offered.size() == 1 ? "" : "s");
                    for (const auto& fix : offered) err << fmt::format("  {}: {}\n", fix.path, fix.what);
                }
            }
        }
        inputs.push_back(std::move(input));
    }
    if (a.check && a.fix) {
        std::string text;
        for (const auto& input : inputs) text += write_input(input, provenance(command_line(args, a.files), {input}));
        if (a.output == "-") {
            out << text;
        } else if (auto status = write_file(a.output, text); !status) {
            return usage(status.error());
        }
    }
    if (failed) return static_cast<int>(Exit::invalid);
    if (a.check) {
        std::size_t objects = 0;
        for (const auto& input : inputs) objects += input.manifests.size();
        if (!a.fix && !a.quiet)
            err << fmt::format("{} object{} checked, no errors\n", objects, objects == 1 ? "" : "s");
        return static_cast<int>(Exit::ok);
    }
    Outcome outcome;
    for (const auto& input : inputs) convert_input(input, a, outcome, err);
    if (outcome.failed) return static_cast<int>(Exit::invalid);
    if (outcome.objects.empty()) {
        err << "penumbra convert: no CassandraDatacenter or ScyllaCluster to convert in this input\n";
        return static_cast<int>(Exit::invalid);
    }
    const auto text = write_objects(outcome.objects, provenance(command_line(args, a.files), inputs));
    if (!verify_own_output(text, err)) return static_cast<int>(Exit::invalid);
    const auto report = render_reports(outcome.reports, a.report_format);
    if (a.output == "-") {
        out << text;
    } else if (auto status = write_file(a.output, text); !status) {
        return usage(status.error());
    }
    if (!a.report_file.empty()) {
        if (auto status = write_file(a.report_file, report); !status) return usage(status.error());
    } else if (!a.quiet) {
        err << report;
    }
    if (a.fail_on_decision) {
        for (const auto& [title, one] : outcome.reports) {
            if (one.count(Verdict::decision) > 0) return static_cast<int>(Exit::undecided);
        }
    }
    return static_cast<int>(Exit::ok);
}

}  // namespace

int run_convert(std::span<const std::string_view> args, std::istream& in, std::ostream& out, std::ostream& err) {
    CLI::App app(
        "Turns CassandraDatacenter manifests (cass-operator) into ScyllaCluster ones (scylla-operator), and back,\nand "
        "says field by field what became of each.",
        "penumbra convert");
    Arguments arguments;
    declare(app, arguments);
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::ParseError& problem) {
        const bool help = problem.get_exit_code() == 0;
        (help ? out : err) << (help
                                   ? app.help()
                                   : fmt::format("penumbra convert: {}\nRun penumbra convert --help for the options.\n",
                                                 problem.what()));
        return static_cast<int>(help ? Exit::ok : Exit::usage);
    }
    return convert(arguments, args, in, out, err);
}

}  // namespace penumbra::kube
