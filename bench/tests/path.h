#pragma once

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

/// The whole path in one process, with the proxy on a thread of its own and the null servers and the load on others, so
/// that what the proxy does for a request can be counted.
namespace penumbra::bench {

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
inline Task<Unit> as_unit(Task<void> task) {
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

    /// A load whose requests are of the tenant in `phase`.
    LoadOptions load(Phase phase, double reads, Style style) const {
        LoadOptions options;
        options.to = address_;
        options.connections = 4;
        options.in_flight = 16;
        options.reads = reads;
        options.style = style;
        options.batch_size = 4;
        options.first_tenant = static_cast<std::uint64_t>(phase);
        return options;
    }

    /// How much `counter`, which counts for the thread that calls it, grows on the proxy's thread for each request.
    double per_request(LoadOptions options, std::size_t (*counter)()) {
        // Twice, so that what a connection, a first request and growing buffers cost falls out of the difference; and
        // once before, for what only ever happens once.
        options.warmup = Nanos(0);
        options.duration = std::chrono::milliseconds(100);
        count(options, counter);
        const auto shorter = count(options, counter);
        options.duration = std::chrono::milliseconds(500);
        const auto longer = count(options, counter);
        EXPECT_GT(longer.requests, shorter.requests);
        return (static_cast<double>(longer.counted) - static_cast<double>(shorter.counted)) /
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
        std::size_t counted = 0;
    };
    Counted count(const LoadOptions& options, std::size_t (*counter)()) {
        const auto before = ask(proxy_shard_, counter);
        const auto requests = run(options);
        return {requests, ask(proxy_shard_, counter) - before};
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

}  // namespace penumbra::bench
