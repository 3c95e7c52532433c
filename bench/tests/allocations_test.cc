// Counted work instead of time: what the proxy allocates for a request in steady state. The proxy runs on a thread of
// its own, the null servers and the load on others, and only that thread's calls of operator new count.

#include "cql/protocol/tests/allocations.h"

#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "cluster/cluster.h"
#include "journal/journal.h"
#include "load/generator.h"
#include "null_server/server.h"
#include "proxy/proxy.h"
#include "routing/router.h"

namespace penumbra::bench {
namespace {

using routing::Phase;
using routing::Side;

/// Runs `job` on the shard's thread and waits for its value.
template <class F>
auto ask(Shard& shard, F job) {
    std::promise<std::invoke_result_t<F>> promise;
    auto future = promise.get_future();
    shard.post([&promise, &job] { promise.set_value(job()); });
    return future.get();
}

template <class T>
Task<void> keep(Task<T> task, std::promise<T>* promise) {
    auto value = co_await std::move(task);
    promise->set_value(std::move(value));
}
Task<Unit> as_unit(Task<void> task) {
    co_await std::move(task);
    co_return Unit{};
}

/// Runs the coroutine that `make` makes on the shard's thread, to its end.
template <class F>
auto await_on(Shard& shard, Gate& gate, F make) {
    using T = decltype(make().operator co_await().await_resume());
    std::promise<T> promise;
    auto future = promise.get_future();
    shard.post([&] { gate.spawn(keep(make(), &promise)); });
    return future.get();
}

/// A proxy between two null servers, one migration for each phase that is measured.
class Path {
  public:
    Path() {
        auto directory = (std::filesystem::temp_directory_path() / "penumbra-bench-XXXXXX").native();
        directory_ = ::mkdtemp(directory.data());
        servers_shard_.start();
        proxy_shard_.start();
        ask(servers_shard_, [this] {
            for (auto& server : servers_) server = std::make_unique<NullServer>(catalog_, answers_);
            return true;
        });
        journal_ = journal::Journal::open({.directory = directory_}, Clock::system()).value();
        context_.options.listen = Endpoint::parse("127.0.0.1:0").value();
        context_.journal = journal_.get();
        context_.prepared = &prepared_;
        context_.refresh_schema = [this] { return clusters_[0]->refresh_schema(); };
        for (const auto side : {Side::source, Side::target}) start_cluster(side);
        proxy_ = std::make_unique<proxy::Proxy>(context_, std::vector<Shard*>{&proxy_shard_});
        await_on(proxy_shard_, gate_, [this] { return as_unit(proxy_->publish(router())); });
        address_ = await_on(proxy_shard_, gate_, [this] { return proxy_->listen(); }).value();
    }
    ~Path() {
        const auto by = Deadline::in(Clock::system(), std::chrono::seconds(5));
        await_on(proxy_shard_, gate_, [&] { return as_unit(proxy_->stop(by)); });
        for (auto& cluster : clusters_) await_on(proxy_shard_, gate_, [&cluster] { return as_unit(cluster->stop()); });
        ask(proxy_shard_, [this] {
            proxy_.reset();
            for (auto& cluster : clusters_) cluster.reset();
            return true;
        });
        ask(servers_shard_, [this] {
            for (auto& server : servers_) server.reset();
            return true;
        });
        journal_.reset();
        proxy_shard_.stop();
        servers_shard_.stop();
        std::filesystem::remove_all(directory_);
    }

    /// Allocations on the proxy's thread for each request of such a load.
    double per_request(Phase phase, double reads, Style style) {
        LoadOptions options;
        options.to = address_;
        options.connections = 4;
        options.in_flight = 16;
        options.reads = reads;
        options.style = style;
        options.batch_size = 4;
        options.first_tenant = static_cast<std::uint64_t>(phase);
        // Twice, so that what a connection, a first request and growing buffers cost falls out of the difference; and
        // once before, for what only ever happens once.
        options.warmup = Nanos(0);
        options.duration = std::chrono::milliseconds(100);
        count(options);
        const auto shorter = count(options);
        options.duration = std::chrono::milliseconds(500);
        const auto longer = count(options);
        EXPECT_GT(longer.requests, shorter.requests);
        return (static_cast<double>(longer.allocations) - static_cast<double>(shorter.allocations)) /
               (static_cast<double>(longer.requests) - static_cast<double>(shorter.requests));
    }

  private:
    void start_cluster(Side side) {
        auto& server = servers_[static_cast<std::size_t>(side)];
        const auto at =
            ask(servers_shard_, [&server] { return server->listen(Endpoint::parse("127.0.0.1:0").value()); });
        cluster::ClusterOptions options;
        options.pool.cluster = routing::to_string(side);
        options.contact_points = {{"127.0.0.1", at.value().port()}};
        auto& cluster = clusters_[static_cast<std::size_t>(side)];
        cluster = std::make_unique<cluster::Cluster>(options, proxy_shard_, std::vector<Shard*>{&proxy_shard_});
        context_.clusters[static_cast<std::size_t>(side)] = cluster.get();
        const auto by = Deadline::in(Clock::system(), std::chrono::seconds(10));
        const auto started = await_on(proxy_shard_, gate_, [&cluster, by] { return cluster->start(by); });
        EXPECT_TRUE(started) << started.error().what;
    }

    /// Tenant number N is in phase N.
    routing::RouterPtr router() const {
        routing::Router::Input input;
        input.epoch = routing::Epoch(1);
        input.tenant_column = table_.tenant_column;
        input.schema = clusters_[0]->schema();
        for (const auto phase : {Phase::source_only, Phase::shadow_async, Phase::shadow_sync}) {
            routing::Scope scope;
            scope.tenants = {fmt::format("{}{:012x}", kTenantPrefix, static_cast<unsigned>(phase))};
            input.migrations.push_back({routing::ScopeId(static_cast<std::uint32_t>(phase) + 1),
                                        std::string(routing::to_string(phase)), phase, std::move(scope)});
        }
        return routing::Router::build(std::move(input));
    }

    struct Counted {
        std::uint64_t requests = 0;
        std::size_t allocations = 0;
    };
    Counted count(const LoadOptions& options) {
        const auto before = ask(proxy_shard_, [] { return allocations_so_far(); });
        const auto requests = run(options);
        return {requests, ask(proxy_shard_, [] { return allocations_so_far(); }) - before};
    }

    std::uint64_t run(const LoadOptions& options) {
        Shard shard("load");
        Gate gate;
        std::promise<Result<Measured>> promise;
        auto future = promise.get_future();
        std::unique_ptr<Generator> generator;
        shard.post([&] {
            generator = std::make_unique<Generator>(options);
            gate.spawn(keep(Generator::run(generator.get()), &promise));
        });
        shard.run([&] {
            if (!generator || gate.holders() > 0) return false;
            generator.reset();
            return true;
        });
        const auto measured = future.get();
        if (!measured) {
            ADD_FAILURE() << measured.error().what;
            return 0;
        }
        for (const auto& [what, count] : measured.value().errors) ADD_FAILURE() << count << " x " << what;
        return measured.value().requests();
    }

    std::string directory_;
    const TenantTable table_;
    const Catalog catalog_{table_, Endpoint::parse("127.0.0.1:9042").value()};
    const Answers answers_{table_, 100};
    Shard servers_shard_{"servers"};
    Shard proxy_shard_{"proxy"};
    Gate gate_;
    std::unique_ptr<NullServer> servers_[2];
    std::unique_ptr<journal::Journal> journal_;
    std::unique_ptr<cluster::Cluster> clusters_[2];
    proxy::PreparedRegistry prepared_{1000};
    proxy::ProxyContext context_;
    std::unique_ptr<proxy::Proxy> proxy_;
    Endpoint address_;
};

/// `at_most` is what it is now, and a half for what does not happen for each request. Whoever gets below it lowers it
/// here; the aim is none at all.
struct Case {
    const char* name;
    Phase phase;
    double reads;
    Style style;
    double at_most;
};
void PrintTo(const Case& one, std::ostream* out) {
    *out << one.name;
}

class Allocations : public ::testing::TestWithParam<Case> {};

TEST_P(Allocations, OfARequestDoNotGrow) {
    const auto& one = GetParam();
    Path path;
    const auto each = path.per_request(one.phase, one.reads, one.style);
    RecordProperty("allocations_per_request", std::to_string(each));
    EXPECT_LE(each, one.at_most);
}

INSTANTIATE_TEST_SUITE_P(Path, Allocations,
                         ::testing::Values(Case{"prepared_read", Phase::source_only, 1, Style::prepared, 5.5},
                                           Case{"simple_read", Phase::source_only, 1, Style::simple, 5.5},
                                           Case{"prepared_write", Phase::source_only, 0, Style::prepared, 5.5},
                                           Case{"shadow_sync_write", Phase::shadow_sync, 0, Style::prepared, 10.5},
                                           Case{"shadow_async_write", Phase::shadow_async, 0, Style::prepared, 28},
                                           Case{"shadow_sync_batch", Phase::shadow_sync, 0, Style::batch, 10.5}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace penumbra::bench
