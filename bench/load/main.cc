// Load on a CQL address, and what came of it: bench/README.md.

#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "load/generator.h"
#include "load/report.h"
#include "runtime/gate.h"
#include "runtime/shard.h"

namespace {

using namespace penumbra;

Task<void> run_into(bench::Generator* generator, std::optional<Result<bench::Measured>>* measured) {
    auto result = co_await bench::Generator::run(generator);
    measured->emplace(std::move(result));
}

int run(const bench::LoadOptions& options, bool json) {
    Shard shard("load");
    std::optional<Result<bench::Measured>> measured;
    auto gate = std::make_unique<Gate>();
    std::unique_ptr<bench::Generator> generator;
    shard.post([&] {
        generator = std::make_unique<bench::Generator>(options);
        gate->spawn(run_into(generator.get(), &measured));
    });
    shard.run([&] {
        if (!measured) return false;
        generator.reset();  // on its shard
        return true;
    });
    if (!*measured) {
        fmt::print(stderr, "bench_load: {}\n", measured->error().what);
        return 1;
    }
    const auto& result = measured->value();
    fmt::print("{}", json ? bench::to_json(options, result) : bench::to_text(options, result));
    return result.errors.empty() && result.unanswered == 0 && result.requests() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    bench::LoadOptions options;
    std::string to = "127.0.0.1:9042";
    double warmup = 1;
    double duration = 5;
    std::string version = "v4";
    std::string compression = "none";
    std::string style = "prepared";
    bool json = false;
    bool server_timestamps = false;
    const std::map<std::string, cql::ProtocolVersion> versions{
        {"v3", cql::ProtocolVersion::v3}, {"v4", cql::ProtocolVersion::v4}, {"v5", cql::ProtocolVersion::v5}};
    const std::map<std::string, cql::Compression> compressions{
        {"none", cql::Compression::none}, {"lz4", cql::Compression::lz4}, {"snappy", cql::Compression::snappy}};
    const std::map<std::string, bench::Style> styles{{"prepared", bench::Style::prepared},
                                                     {"simple", bench::Style::simple},
                                                     {"literal", bench::Style::literal},
                                                     {"batch", bench::Style::batch}};
    CLI::App app{
        "Load on a CQL address. Exit status 0: every request was answered as it should; 1: not so, or no run at all.",
        "bench_load"};
    app.add_option("--to", to, "IP:PORT")->capture_default_str();
    app.add_option("--version", version, "Of the protocol: v3, v4, v5")
        ->check(CLI::IsMember(versions))
        ->capture_default_str();
    app.add_option("--compression", compression, "none, lz4, snappy")
        ->check(CLI::IsMember(compressions))
        ->capture_default_str();
    app.add_option("--user", options.user, "Where the server asks for one");
    app.add_option("--password", options.password, "Its password");
    app.add_option("--connections", options.connections)->check(CLI::Range(1, 100000))->capture_default_str();
    app.add_option("--in-flight", options.in_flight, "Requests under way on each connection")
        ->check(CLI::Range(1, 32768))
        ->capture_default_str();
    app.add_option("--reads", options.reads, "Part of the requests that read, 0 to 1; the rest writes")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--style", style,
                   "prepared, simple (bound values), literal (values in the text), batch (of prepared writes)")
        ->check(CLI::IsMember(styles))
        ->capture_default_str();
    app.add_option("--batch-size", options.batch_size)->check(CLI::Range(1, 1000))->capture_default_str();
    app.add_option("--value-size", options.value_size, "Bytes that a write carries")->capture_default_str();
    app.add_flag("--server-timestamps", server_timestamps, "Writes bring no timestamp (drivers' do)");
    app.add_option("--table", options.table)->capture_default_str();
    app.add_option("--tenant-column", options.tenant_column)->capture_default_str();
    app.add_option("--first-tenant", options.first_tenant, "Number of the first tenant")->capture_default_str();
    app.add_option("--tenants", options.tenants, "How many tenants the requests are of")
        ->check(CLI::Range(1, 1000000))
        ->capture_default_str();
    app.add_option("--rows", options.rows, "Row ids of each tenant")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option(
           "--rate", options.rate,
           "Requests a second, each sent when it is due, with latency from then; 0: the next one when an answer "
           "came")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--warmup", warmup, "Seconds before measuring")->capture_default_str();
    app.add_option("--duration", duration, "Seconds of measuring")->capture_default_str();
    app.add_option("--seed", options.seed, "Of which rows and tenants are asked for")->capture_default_str();
    app.add_option("--pid", options.pids,
                   "Process whose CPU time to take over the measured time; several are added up");
    app.add_option("--watch-core", options.watched_cores,
                   "With --rate: tells apart what was due while this core stood still by itself; several times for "
                   "several. Needs the right to SCHED_FIFO");
    app.add_flag("--json", json, "One JSON object on standard output");
    CLI11_PARSE(app, argc, argv);
    options.version = versions.at(version);
    options.compression = compressions.at(compression);
    options.style = styles.at(style);
    options.client_timestamps = !server_timestamps;
    const auto seconds = [](double count) {
        return std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(count));
    };
    options.warmup = seconds(warmup);
    options.duration = seconds(duration);
    auto parsed = Endpoint::parse(to, 9042);
    if (!parsed) {
        fmt::print(stderr, "bench_load: {}\n", parsed.error().what);
        return 2;
    }
    options.to = parsed.value();
    if (!cql::may_agree(options.version, options.compression)) {
        fmt::print(stderr, "bench_load: v5 has no such compression\n");
        return 2;
    }
    try {
        return run(options, json);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_load: {}\n", error.what());
        return 1;
    }
}
