#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/coordinator.h"

/// The rest of the process, played in memory: for tests of control, admin and the command line.
namespace penumbra::control::testing {

class FakeDataPlane final : public proxy::DataPlane {
  public:
    Task<void> publish(routing::RouterPtr next) override {
        router = std::move(next);
        published_inside_hold = !held.empty();
        if (on_publish) on_publish();
        co_return;
    }
    Task<proxy::Traffic> traffic() override {
        proxy::Traffic traffic;
        traffic.connections = 3;
        traffic.connections_total = 12;
        traffic.requests = 1000;
        traffic.held = 4;
        traffic.longest_hold_nanos = 2'100'000;
        traffic.shadow_writes = 400;
        co_return traffic;
    }
    Task<void> lead_timestamps(Nanos by) override {
        lead = by;
        co_return;
    }
    void share_hold(routing::ScopeId scope) override { shared.insert(scope); }
    bool unshare_hold(routing::ScopeId scope) override {
        shared.erase(scope);
        return !borrowed;
    }
    Task<proxy::HoldReport> last_hold(routing::ScopeId) override {
        proxy::HoldReport report;
        report.requests_held = 3;
        report.waited = Micros(1900);
        co_return report;
    }
    Task<Status> settle(routing::ScopeId scope, Deadline) override {
        settled.push_back(scope);
        co_return ok();
    }
    Task<Status> hold(routing::ScopeId scope, Deadline) override {
        ++holds;
        if (stuck) co_return fail(Errc::timeout, "2 requests are still under way");
        held.insert(scope);
        co_await yield();
        if (on_hold) on_hold();
        co_return ok();
    }
    Task<void> release(routing::ScopeId scope) override {
        held.erase(scope);
        co_return;
    }

    routing::RouterPtr router;
    std::set<routing::ScopeId> held;
    std::vector<routing::ScopeId> settled;
    int holds = 0;
    Nanos lead{0};
    std::set<routing::ScopeId> shared;
    bool borrowed = false;  ///< somebody works under a hold that was shared
    bool stuck = false;
    bool published_inside_hold = false;
    std::function<void()> on_hold, on_publish;
};

class FakeOwed final : public OwedWrites {
  public:
    journal::Owed of(routing::Side side, routing::ScopeId scope) const override {
        const std::lock_guard lock(mutex_);
        const auto found = owed_.find({side, scope});
        return found == owed_.end() ? journal::Owed{} : found->second;
    }
    journal::Owed total() const override {
        const std::lock_guard lock(mutex_);
        journal::Owed sum;
        for (const auto& [key, owed] : owed_) {
            sum.entries += owed.entries;
            sum.set_aside += owed.set_aside;
        }
        return sum;
    }
    std::uint64_t bytes() const override { return 4096; }
    void forget(routing::ScopeId scope) override {
        const std::lock_guard lock(mutex_);
        forgotten.push_back(scope);
        owed_.erase({routing::Side::source, scope});
        owed_.erase({routing::Side::target, scope});
    }
    void set(routing::Side side, routing::ScopeId scope, std::uint64_t entries, std::uint64_t set_aside = 0) {
        const std::lock_guard lock(mutex_);
        owed_[{side, scope}] = {entries, set_aside, entries == 0 ? 0 : 1'700'000'000'000'000};
    }

    std::vector<routing::ScopeId> forgotten;

  private:
    mutable std::mutex mutex_;
    std::map<std::pair<routing::Side, routing::ScopeId>, journal::Owed> owed_;
};

class FakeCluster final : public ClusterView {
  public:
    explicit FakeCluster(std::string version) : version_(std::move(version)) {}
    Task<Result<WallMicros>> clock(Deadline) override {
        if (slow > Nanos(0)) co_await sleep(slow);
        co_await yield();
        if (down) co_return fail(Errc::unavailable, "no node answers");
        co_return Shard::here().clock().wall_micros() + ahead.count();
    }
    cql::SchemaPtr schema() const override { return tables; }
    ClusterStatus status() const override { return {"Test Cluster", version_, 1, down ? 0u : 1u}; }

    bool down = false;
    Micros ahead{0};
    Nanos slow{0};  ///< on its way to it, as in a stall
    cql::SchemaPtr tables;

  private:
    std::string version_;
};

/// What movers of the test do; shared with them, and they run on the background shard.
struct FakeWork {
    std::atomic<int> portions{4};
    std::atomic<bool> waits{false};  ///< after half of the portions, until told to stop or to go on
    std::atomic<bool> fails{false};
    std::atomic<std::uint64_t> differences{0};
    std::atomic<std::uint64_t> started{0};
    std::atomic<std::uint64_t> portions_done{0};
    std::atomic<std::uint64_t> portions_skipped{0};
    std::atomic<std::int64_t> unknown_timestamp{0};
};

class FakeMover final : public Mover {
  public:
    FakeMover(FakeWork& work, MoverOrder order) : work_(work), order_(std::move(order)) {
        ++work_.started;
        work_.portions_skipped += order_.done.size();
        work_.unknown_timestamp = unknown_timestamp(order_.migration);
    }
    Task<Result<sync::Report>> run(StopSignal& stop) override {
        const int total = work_.portions;
        total_ = static_cast<std::uint64_t>(total);
        sync::Report report;
        for (int i = 0; i < total; ++i) {
            sync::Portion portion;
            portion.keyspace = "shop";
            portion.table = "orders";
            portion.range = {cql::Token(i), cql::Token(i + 1)};
            if (std::ranges::find(order_.done, portion) == order_.done.end()) {
                if (i >= total / 2) {
                    while (work_.waits && !stop.requested()) co_await sleep(Millis(1), &stop);
                    if (work_.fails) co_return fail(Errc::unavailable, "no node of the target is up");
                }
                if (stop.requested()) co_return fail(Errc::cancelled, "stopped");
                report.rows += 10;
                rows_ += 10;
                ++work_.portions_done;
                if (order_.finished) order_.finished(portion);
                co_await yield();
            }
            ++done_;
        }
        if (order_.kind == JobKind::verify) {
            report.differences = work_.differences;
            if (report.differences > 0) {
                report.samples.push_back({"shop.orders", "id=1", "total", sync::DifferenceKind::value, "1", "2"});
            }
            if (order_.repair) report.repaired = report.differences;
        }
        co_return report;
    }
    sync::Progress snapshot() const override {
        sync::Progress progress;
        progress.done = done_;
        progress.total = total_;
        progress.rows = rows_;
        progress.rows_per_second = 100;
        progress.seconds_left = 1.5;
        return progress;
    }

  private:
    FakeWork& work_;
    MoverOrder order_;
    std::atomic<std::uint64_t> done_{0}, total_{0}, rows_{0};
};

/// One tenant table and one without the tenant column.
inline cql::SchemaPtr shop_schema(bool with_total = true) {
    auto schema = std::make_shared<cql::Schema>();
    schema->add_keyspace("shop", "{'class': 'SimpleStrategy', 'replication_factor': '1'}");
    const auto column = [](std::string name, cql::TypeKind type, cql::ColumnKind kind, int position) {
        auto made = cql::ColumnDef();
        made.name = std::move(name);
        made.type = cql::scalar(type);
        made.kind = kind;
        made.position = position;
        return made;
    };
    cql::Table orders;
    orders.keyspace = "shop";
    orders.name = "orders";
    orders.columns.push_back(column("system_domain_id", cql::TypeKind::text, cql::ColumnKind::partition_key, 0));
    orders.columns.push_back(column("id", cql::TypeKind::int_, cql::ColumnKind::clustering, 0));
    if (with_total) orders.columns.push_back(column("total", cql::TypeKind::int_, cql::ColumnKind::regular, -1));
    schema->add_table(orders);
    cql::Table plain;
    plain.keyspace = "shop";
    plain.name = "settings";
    plain.columns.push_back(column("id", cql::TypeKind::int_, cql::ColumnKind::partition_key, 0));
    schema->add_table(plain);
    return schema;
}

/// Runs `task` to its end on `shard`, on this thread.
inline void run_here(Shard& shard, Task<void> task) {
    Gate gate;
    bool started = false;
    bool done = false;
    shard.run([&] {
        if (!started) {
            started = true;
            gate.spawn([](Task<void> inner, bool& flag) -> Task<void> {
                co_await std::move(inner);
                flag = true;
            }(std::move(task), done));
        }
        return done && gate.holders() == 0;
    });
}

/// A directory that goes away with the test.
class TempDirectory {
  public:
    TempDirectory() {
        // In memory where there is such a place: what a dead process leaves behind is the same, and a sync costs
        // nothing.
        const std::filesystem::path memory("/dev/shm");
        const auto parent = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
        std::string name = (parent / "penumbra-control-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDirectory(const TempDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

/// A coordinator with everything around it played. Built, used and destroyed on the control shard's thread; the store
/// is opened by start().
struct World {
    explicit World(std::filesystem::path state, CoordinatorOptions given = {})
        : directory(std::move(state)), options(std::move(given)) {
        source.tables = shop_schema();
        target.tables = shop_schema();
        background.start();
    }
    ~World() { background.stop(); }
    World(const World&) = delete;

    Task<Status> start() {
        auto opened = StateStore::open(directory);
        CO_TRY(auto made, std::move(opened));
        store = std::make_unique<StateStore>(std::move(made));
        Surroundings surroundings{*store, data_plane, owed, source, target, background, [this](MoverOrder order) {
                                      return std::make_unique<FakeMover>(work, std::move(order));
                                  }};
        coordinator = std::make_unique<Coordinator>(options, std::move(surroundings));
        auto started = co_await coordinator->start();
        co_return started;
    }
    Task<void> stop() {
        co_await coordinator->stop();
        coordinator.reset();
        store.reset();
    }

    // Shorter words for what tests say most.
    /// `tenants`: with commas between them (GCC 12 does not take braced lists beside co_await).
    Task<Result<Migration>> create(std::string name, std::string tenants) {
        NewMigration order;
        order.name = std::move(name);
        std::istringstream in(tenants);
        for (std::string tenant; std::getline(in, tenant, ',');) order.scope.tenants.push_back(tenant);
        return coordinator->create(std::move(order));
    }
    Task<ChangeReport> switch_to(std::string name, routing::Phase to, std::string force_reason = "") {
        ChangeOrder order;
        order.migration = std::move(name);
        order.to = to;
        order.force = !force_reason.empty();
        order.reason = std::move(force_reason);
        return coordinator->change(std::move(order));
    }
    Task<ChangeReport> command(std::string name, Command command) {
        ChangeOrder order;
        order.migration = std::move(name);
        order.command = command;
        return coordinator->change(std::move(order));
    }
    /// Starts a job and waits for its end.
    Task<Result<JobView>> finish_job(std::string name, JobKind kind, bool repair = false) {
        auto started = co_await coordinator->start_job(std::move(name), kind, repair);
        CO_TRY(const auto view, std::move(started));
        const auto id = view.record.id;
        for (;;) {
            auto now = co_await coordinator->job(id);
            if (!now || now.value().record.state != JobState::running) co_return now;
            co_await sleep(Millis(2));
        }
    }
    /// From source_only to `phase` with all that lies between.
    Task<Status> take_to(std::string name, routing::Phase phase) {
        const auto found = coordinator->find(name);
        CO_TRY(found);
        for (auto next = found.value().phase; next != phase;) {
            next = *routing::next(next);
            if (next == routing::Phase::shadow_sync) {
                auto copied = co_await finish_job(name, JobKind::copy);
                CO_TRY(std::move(copied));
            }
            if (next == routing::Phase::target_primary) {
                auto verified = co_await finish_job(name, JobKind::verify);
                CO_TRY(std::move(verified));
            }
            auto report = co_await switch_to(name, next);
            if (report.refusal) co_return fail(*report.refusal);
        }
        co_return ok();
    }
    Migration migration(std::string_view name) { return coordinator->find(name).value(); }

    std::filesystem::path directory;
    CoordinatorOptions options;
    FakeDataPlane data_plane;
    FakeOwed owed;
    FakeCluster source{"4.1.9"};
    FakeCluster target{"5.0.5"};
    FakeWork work;
    Shard background{"background"};
    std::unique_ptr<StateStore> store;
    std::unique_ptr<Coordinator> coordinator;
};

}  // namespace penumbra::control::testing
