// A CQL node that answers from memory, for measuring what stands in front of it: bench/README.md.

#include <csignal>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "null_server/server.h"
#include "runtime/shard.h"

namespace {

using namespace penumbra;

struct Options {
    std::string listen = "127.0.0.1:9042";
    std::size_t value_size = 100;
    std::size_t shards = 1;
    bench::TenantTable table;
};

/// A server and the shard that it lives on.
struct Running {
    Shard shard{"null"};
    std::unique_ptr<bench::NullServer> server;
};

/// Runs `job` on the shard and waits for what it gives.
template <class F>
auto ask(Shard& shard, F job) {
    std::promise<std::invoke_result_t<F>> promise;
    auto future = promise.get_future();
    shard.post([&promise, &job] { promise.set_value(job()); });
    return future.get();
}

int serve(const Options& options) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    auto parsed = Endpoint::parse(options.listen, 9042);
    if (!parsed) {
        fmt::print(stderr, "bench_null_server: {}\n", parsed.error().what);
        return 2;
    }
    auto at = parsed.value();
    if (const auto free = Listener::require_free(at); !free) {
        fmt::print(stderr, "bench_null_server: {}\n", free.error().what);
        return 1;
    }
    const bench::Catalog catalog(options.table, at);
    const bench::Answers answers(options.table, options.value_size);
    std::vector<std::unique_ptr<Running>> running;
    int status = 0;
    for (std::size_t i = 0; i < options.shards && status == 0; ++i) {
        auto& one = *running.emplace_back(std::make_unique<Running>());
        one.shard.start();
        const auto bound = ask(one.shard, [&] {
            one.server = std::make_unique<bench::NullServer>(catalog, answers);
            return one.server->listen(at);
        });
        if (!bound) {
            fmt::print(stderr, "bench_null_server: {}\n", bound.error().what);
            status = 1;
        } else {
            at = bound.value();  // port 0: the others share the one that was found
        }
    }
    if (status == 0) {
        fmt::print("listening on {}\n", to_string(at));
        std::fflush(stdout);
        int which = 0;
        sigwait(&signals, &which);
    }
    for (auto& one : running) {
        ask(one->shard, [&] {
            one->server.reset();
            return true;
        });
        one->shard.stop();
    }
    return status;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{"A CQL node that answers from memory: for measuring what stands in front of it.", "bench_null_server"};
    app.add_option("--listen", options.listen, "IP:PORT; port 0 takes a free one")->capture_default_str();
    app.add_option("--value-size", options.value_size, "Bytes of the one value in each read's one row")
        ->capture_default_str();
    app.add_option("--shards", options.shards, "Threads")->check(CLI::Range(1, 64))->capture_default_str();
    app.add_option("--keyspace", options.table.keyspace, "Of the tenant table")->capture_default_str();
    app.add_option("--table", options.table.name, "The tenant table")->capture_default_str();
    app.add_option("--tenant-column", options.table.tenant_column, "First column of its partition key")
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    try {
        return serve(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_null_server: {}\n", error.what());
        return 1;
    }
}
