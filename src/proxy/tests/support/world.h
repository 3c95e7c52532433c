#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <stdlib.h>

#include "cluster/cluster.h"
#include "cluster/tests/support/loop.h"
#include "cluster/tests/support/lying_server.h"
#include "journal/journal.h"
#include "proxy/proxy.h"
#include "proxy/tests/support/client.h"
#include "routing/router.h"
#include "sync/owed_write.h"
#include "sync/range_orders.h"

namespace penumbra::proxy::testing {

using cluster::testing::Loop;
using cluster::testing::LyingServer;
using routing::Phase;
using routing::ScopeId;
using routing::Side;

inline constexpr ScopeId kAcme{7};  ///< the migration of tenant "acme"

/// Two clusters of one lying node each, a journal on disk, a proxy before them: all on the test's own thread.
class World {
  public:
    /// `before`: what to make of the two servers and the context before anybody connects.
    explicit World(Nanos request_timeout = std::chrono::milliseconds(400),
                   Nanos shadow_timeout = std::chrono::milliseconds(60), LoginPolicy logins = {},
                   std::map<std::string, std::string> users = {},
                   std::function<void(World&, ProxyContext&)> before = {}) {
        auto directory = (std::filesystem::temp_directory_path() / "penumbra-proxy-XXXXXX").native();
        directory_ = ::mkdtemp(directory.data());
        loop.on([&, this] {
            source = std::make_unique<LyingServer>("source");
            target = std::make_unique<LyingServer>("target");
            for (auto* one : {source.get(), target.get()}) {
                one->versions = {"3/v3", "4/v4", "5/v5"};
                if (users.empty()) continue;
                one->authenticator = "org.apache.cassandra.auth.PasswordAuthenticator";
                one->users = users;
                one->users["service"] = "secret";
            }
        });
        journal::Options options;
        options.directory = directory_;
        journal = journal::Journal::open(options, Clock::system()).value();
        context_.options.listen = Endpoint::parse("127.0.0.1:0").value();
        context_.options.request_timeout = request_timeout;
        context_.options.logins = std::move(logins);
        context_.options.shadow_timeout = shadow_timeout;
        context_.options.max_frame_bytes = 64 * 1024;
        range_orders = std::make_unique<sync::RangeOrders>(*journal, ~std::uint64_t{0});
        context_.journal = journal.get();
        context_.range_orders = range_orders.get();
        context_.prepared = &prepared_;
        context_.refresh_schema = [this] {
            ++refreshes;
            return clusters_[0]->refresh_schema();
        };
        if (before) before(*this, context_);
        for (const auto side : {Side::source, Side::target}) {
            cluster::ClusterOptions cluster_options;
            cluster_options.pool.cluster = routing::to_string(side);
            cluster_options.pool.credentials = {"service", "secret"};
            cluster_options.pool.reconnect_after = std::chrono::milliseconds(5);
            cluster_options.pool.connect_timeout = std::chrono::milliseconds(200);
            cluster_options.contact_points = {{"127.0.0.1", server(side).port()}};
            cluster_options.request_timeout = request_timeout;
            auto& cluster = clusters_[static_cast<std::size_t>(side)];
            cluster =
                std::make_unique<cluster::Cluster>(cluster_options, loop.shard(), std::vector<Shard*>{&loop.shard()});
            context_.clusters[static_cast<std::size_t>(side)] = cluster.get();
            const auto started = loop.run<Status>(
                [&] { return cluster->start(Deadline::in(Clock::system(), std::chrono::seconds(5))); });
            EXPECT_TRUE(started) << started.error().what;
        }
        clusters_[0]->on_schema([this](cql::SchemaPtr) { return publish_again(this); });
        proxy = std::make_unique<Proxy>(context_, std::vector<Shard*>{&loop.shard()});
        set_phase(Phase::source_only);
        address = loop.run<Result<Endpoint>>([this] { return proxy->listen(); }).value();
    }
    ~World() {
        stop();
        clusters_[0]->on_schema({});
        for (auto& cluster : clusters_) loop.run_void([&] { return cluster->stop(); });
        loop.on([this] {
            source.reset();
            target.reset();
        });
        loop.turn();
        proxy.reset();
        loop.on([this] {
            for (auto& cluster : clusters_) cluster.reset();
        });
        journal.reset();
        std::filesystem::remove_all(directory_);
    }
    void stop(Nanos within = std::chrono::milliseconds(50)) {
        loop.run_void([this, within] { return proxy->stop(Deadline::in(Clock::system(), within)); });
    }

    LyingServer& server(Side side) { return side == Side::source ? *source : *target; }
    LyingServer& primary() { return server(routing::primary_of(phase_)); }
    LyingServer& shadow() { return server(routing::other(routing::primary_of(phase_))); }
    Side shadow_side() const { return routing::other(routing::primary_of(phase_)); }

    /// The migration of tenant "acme" (tables of `app`) stands here from now on.
    void set_phase(Phase phase, Phase default_phase = Phase::source_only) {
        phase_ = phase;
        default_phase_ = default_phase;
        loop.run_void([this] { return publish_again(this); });
    }
    static routing::RouterPtr router(Phase phase, Phase default_phase, cql::SchemaPtr schema, std::uint64_t epoch = 1) {
        routing::Router::Input input;
        input.epoch = routing::Epoch(epoch);
        input.default_phase = default_phase;
        input.tenant_column = "tenant";
        routing::Scope scope;
        scope.tenants = {"acme"};
        scope.allow = {routing::TablePattern::parse("app.*").value()};
        input.migrations = {{kAcme, "acme", phase, scope}};
        input.schema = std::move(schema);
        return routing::Router::build(std::move(input));
    }
    std::unique_ptr<Client> client() {
        auto made = std::make_unique<Client>(loop, address);
        made->start_up();
        return made;
    }

    /// Every request under way now has ended, on both clusters and in the journal.
    void settle() {
        for (const auto scope : {kAcme, routing::kDefaultScope}) {
            const auto settled = loop.run<Status>(
                [this, scope] { return proxy->settle(scope, Deadline::in(Clock::system(), std::chrono::seconds(5))); });
            EXPECT_TRUE(settled) << settled.error().what;
        }
    }
    /// What the journal owes to that side and nobody works at.
    std::vector<sync::Owed> owed(Side side) {
        std::vector<sync::Owed> found;
        for (const auto& entry : journal->owed(static_cast<std::uint8_t>(side), 10000)) {
            found.push_back(sync::decode_owed(journal->read(entry.id).value()).value());
        }
        return found;
    }
    const std::string& journal_directory() const { return directory_; }
    void set_journal_quota(std::uint64_t bytes) { context_.options.journal_quota = bytes; }
    void set_journal_most_entries(std::uint64_t entries) { context_.options.journal_most_entries = entries; }
    SchemaChanges& schema_changes() { return *context_.schema_changes; }
    cql::SchemaPtr schema() const { return clusters_[0]->schema(); }

    Loop loop;
    std::unique_ptr<LyingServer> source;
    std::unique_ptr<LyingServer> target;
    std::unique_ptr<journal::Journal> journal;
    std::unique_ptr<sync::RangeOrders> range_orders;
    std::unique_ptr<Proxy> proxy;
    Endpoint address;
    int refreshes = 0;

  private:
    static Task<void> publish_again(World* self) {
        co_await self->proxy->publish(router(self->phase_, self->default_phase_, self->schema(), ++self->epoch_));
    }

    std::string directory_;
    std::unique_ptr<cluster::Cluster> clusters_[2];
    PreparedRegistry prepared_{1000};
    ProxyContext context_;
    Phase phase_ = Phase::source_only;
    Phase default_phase_ = Phase::source_only;
    std::uint64_t epoch_ = 0;
};

}  // namespace penumbra::proxy::testing
