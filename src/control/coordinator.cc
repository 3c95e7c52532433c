#include "control/coordinator.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "control/clock_watch.h"
#include "routing/router.h"
#include "sync/schema_check.h"

namespace penumbra::control {

using routing::Phase;
using routing::ScopeId;
using routing::Side;

namespace {

auto stopping() {
    return fail(Errc::shutting_down, "penumbra is stopping");
}
auto too_many() {
    return fail(Errc::overloaded, "too many commands wait for their turn; try again");
}

Status check_name(std::string_view name) {
    const auto good = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
    if (!name.empty() && name.size() <= 64 && std::ranges::all_of(name, good) &&
        std::isalnum(static_cast<unsigned char>(name[0])))
        return ok();
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "'{}' is no name for a migration: letters, digits, '-', '_' and '.', at most 64, a letter or digit first",
            name.substr(0, 80)));
}

std::string first_closed(const std::vector<GateResult>& gates) {
    for (const auto& gate : gates) {
        if (!gate.passed) return fmt::format("{}: {}", to_string(gate.gate), gate.detail);
    }
    return {};
}

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, Surroundings surroundings)
    : options_(std::move(options)),
      surroundings_(std::move(surroundings)),
      book_(surroundings_.store),
      jobs_(book_, surroundings_.background, surroundings_.make_mover, options_.tenant_column) {}

Coordinator::~Coordinator() = default;

Task<Status> Coordinator::start() {
    auto loaded = co_await load();
    CO_TRY(std::move(loaded));
    for (const auto& [id, migration] : book_.all()) {
        // A cancel that was cut off between its phase and its journal; forgetting twice does no harm.
        if (!routing::is_shadowed(migration.phase)) surroundings_.owed.forget(id);
        const auto primary = routing::primary_of(migration.phase);
        if (const auto owed = surroundings_.owed.of(primary, id); owed.entries > 0) {
            log_.warn(
                "the primary is owed writes, as after a forced switch; reads may miss them until they are replayed",
                {kv("migration", migration.name), kv("primary", primary), kv("owed", owed.entries)});
        }
    }
    co_await publish();
    auto running_task = book_.on_store([](StateStore& store) { return store.running_jobs(); });
    auto running = co_await std::move(running_task);
    CO_TRY(auto jobs, std::move(running));
    for (auto& job : jobs) {
        auto resumed = co_await jobs_.resume(job);
        if (!resumed) log_.error("a copy cannot be taken up again", {kv("job", job.id), kv("error", resumed.error())});
    }
    log_.info("state loaded", {kv("migrations", book_.all().size()), kv("epoch", book_.epoch),
                               kv("default_phase", options_.default_phase)});
    co_return ok();
}

Task<Status> Coordinator::load() {
    const auto now = Shard::here().clock().wall_micros();
    auto migrations_task = book_.on_store([](StateStore& store) { return store.migrations(); });
    auto migrations = co_await std::move(migrations_task);
    CO_TRY(auto all, std::move(migrations));
    auto column_task = book_.on_store([](StateStore& store) { return store.note("tenant_column"); });
    auto column = co_await std::move(column_task);
    CO_TRY(const auto stored_column, std::move(column));
    if (!all.empty() && stored_column && *stored_column != options_.tenant_column) {
        co_return fail(
            Errc::conflict,
            fmt::format(
                "the migrations of this state directory go by the tenant column '{}', and --tenant-column says '{}'",
                *stored_column, options_.tenant_column));
    }
    auto phase_task = book_.on_store([](StateStore& store) { return store.note("default_phase"); });
    auto phase = co_await std::move(phase_task);
    CO_TRY(const auto stored_phase, std::move(phase));
    auto since_task = book_.on_store([](StateStore& store) { return store.note("default_since"); });
    auto since = co_await std::move(since_task);
    CO_TRY(const auto stored_since, std::move(since));
    auto epoch_task = book_.on_store([](StateStore& store) { return store.epoch(); });
    auto epoch = co_await std::move(epoch_task);
    CO_TRY(book_.epoch, std::move(epoch));

    const std::string default_phase(routing::to_string(options_.default_phase));
    if (stored_phase != default_phase || stored_column != options_.tenant_column || book_.epoch.value() == 0) {
        auto noted_task =
            book_.on_store([default_phase, column_name = options_.tenant_column, now](StateStore& store) -> Status {
                TRY(store.set_note("default_phase", default_phase));
                TRY(store.set_note("default_since", std::to_string(now)));
                return store.set_note("tenant_column", column_name);
            });
        auto noted = co_await std::move(noted_task);
        CO_TRY(std::move(noted));
        auto raised_task = book_.on_store([](StateStore& store) { return store.raise_epoch(); });
        auto raised = co_await std::move(raised_task);
        CO_TRY(book_.epoch, std::move(raised));
        default_shadow_since_ = now;
    } else {
        default_shadow_since_ = stored_since ? std::stoll(*stored_since) : now;
    }
    auto marked_task = book_.on_store([now](StateStore& store) { return store.mark_interrupted(now); });
    auto marked = co_await std::move(marked_task);
    CO_TRY(std::move(marked));
    // Read again: marking changed some.
    auto marked_migrations_task = book_.on_store([](StateStore& store) { return store.migrations(); });
    auto marked_migrations = co_await std::move(marked_migrations_task);
    CO_TRY(auto current, std::move(marked_migrations));
    for (auto& migration : current) book_.all().emplace(migration.id, std::move(migration));
    co_return ok();
}

Task<void> Coordinator::stop() {
    gate_.close();
    co_await jobs_.stop_all();
    co_await gate_.drained();
}

std::vector<Migration> Coordinator::list() const {
    std::vector<Migration> all;
    for (const auto& [id, migration] : book_.all()) all.push_back(migration);
    return all;
}

journal::Owed Coordinator::owed(const Migration& migration) const {
    auto source = surroundings_.owed.of(Side::source, migration.id);
    const auto target = surroundings_.owed.of(Side::target, migration.id);
    source.entries += target.entries;
    source.set_aside += target.set_aside;
    if (source.oldest_appended_at == 0 ||
        (target.oldest_appended_at != 0 && target.oldest_appended_at < source.oldest_appended_at)) {
        source.oldest_appended_at = target.oldest_appended_at;
    }
    return source;
}

void Coordinator::update_replay_scopes() {
    std::map<ScopeId, sync::ReplayScope> scopes;
    // Of the default scope also while it is not shadowed: it has no cancel that would have said that nobody wants it.
    scopes[routing::kDefaultScope] = {routing::Scope{}, options_.tenant_column,
                                      default_shadow_since_.value_or(0) - kUnknownTimestampMargin,
                                      routing::primary_of(options_.default_phase)};
    for (const auto& [id, migration] : book_.all()) {
        if (routing::is_shadowed(migration.phase))
            scopes[id] = {migration.scope, options_.tenant_column, unknown_timestamp(migration),
                          routing::primary_of(migration.phase)};
    }
    replay_scopes_.set(std::move(scopes));
}

Task<void> Coordinator::publish() {
    auto turn = co_await publishing_.take(SIZE_MAX);
    // Before the router: from the first request that it shadows something may be owed.
    update_replay_scopes();
    routing::Router::Input input;
    input.epoch = book_.epoch;
    input.default_phase = options_.default_phase;
    input.tenant_column = options_.tenant_column;
    for (const auto& [id, migration] : book_.all())
        input.migrations.push_back({id, migration.name, migration.phase, migration.scope});
    // The default phase's primary decides on schema changes, so what it has is what clients may speak of. Should it not
    // have told yet, complete scopes are served all the same.
    const bool from_source = routing::primary_of(options_.default_phase) == Side::source;
    const auto& authority = from_source ? surroundings_.source : surroundings_.target;
    const auto& other = from_source ? surroundings_.target : surroundings_.source;
    input.schema = authority.schema();
    if (!input.schema) input.schema = other.schema();
    std::vector<std::string> warnings;
    auto router = routing::Router::build(std::move(input), &warnings);
    for (const auto& warning : warnings) log_.warn(warning);
    co_await surroundings_.data_plane.publish(std::move(router));
}

Task<void> Coordinator::on_schema() {
    const auto hold = gate_.try_hold();
    if (!hold) co_return;
    co_await publish();
}

Task<Result<Migration>> Coordinator::create(NewMigration order) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return stopping();
    auto turn = co_await changes_.take();
    if (!turn) co_return too_many();
    auto named = check_name(order.name);
    CO_TRY(std::move(named));
    if (options_.default_phase != Phase::source_only) {
        co_return fail(Errc::conflict,
                       fmt::format("a migration begins in source_only, and here everything is in {} by --phase",
                                   routing::to_string(options_.default_phase)));
    }
    auto& tenants = order.scope.tenants;
    std::ranges::sort(tenants);
    tenants.erase(std::unique(tenants.begin(), tenants.end()), tenants.end());
    if (!tenants.empty() && options_.tenant_column.empty()) {
        co_return fail(Errc::invalid_argument, "no tenant can be named: penumbra serve runs without --tenant-column");
    }
    if (std::ranges::find(tenants, std::string()) != tenants.end())
        co_return fail(Errc::invalid_argument, "a tenant without a name");
    for (const auto& [id, other] : book_.all()) {
        if (other.name == order.name)
            co_return fail(Errc::already_exists, fmt::format("there is a migration '{}' already", order.name));
        if (other.scope.overlaps(order.scope)) {
            co_return fail(Errc::conflict,
                           fmt::format("its scope overlaps that of migration '{}', and a row can be moved by one only",
                                       other.name));
        }
    }
    const auto now = Shard::here().clock().wall_micros();
    Migration fresh;
    fresh.name = std::move(order.name);
    fresh.scope = std::move(order.scope);
    fresh.created_at = now;
    auto created_task = book_.on_store([fresh](StateStore& store) { return store.create(fresh); });
    auto created = co_await std::move(created_task);
    CO_TRY(auto migration, std::move(created));
    step("created");
    book_.epoch = migration.epoch;
    book_.all().emplace(migration.id, migration);
    co_await publish();
    AuditEntry entry;
    entry.at = now;
    entry.migration = migration.name;
    entry.command = "create";
    entry.to = migration.phase;
    entry.outcome = "done";
    entry.epoch = migration.epoch.value();
    co_await record(std::move(entry));
    log_.info("migration created", {kv("migration", migration.name), kv("tenants", migration.scope.tenants.size()),
                                    kv("epoch", migration.epoch)});
    co_return migration;
}

Task<Result<Migration>> Coordinator::remove(std::string name) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return stopping();
    auto turn = co_await changes_.take();
    if (!turn) co_return too_many();
    auto found = book_.lookup(name);
    CO_TRY(const auto migration, std::move(found));
    if (migration.phase != Phase::source_only) {
        co_return fail(Errc::conflict, fmt::format("'{}' is in {}; only a migration in source_only can be deleted{}",
                                                   migration.name, routing::to_string(migration.phase),
                                                   routing::can_cancel(migration.phase) ? ", so cancel it first" : ""));
    }
    // Requests that run under its id end first, so that a later migration of the same rows need not know of it.
    auto held = co_await surroundings_.data_plane.hold(migration.id,
                                                       Deadline::in(Shard::here().clock(), options_.hold_timeout));
    CO_TRY(std::move(held));
    auto removed_task = book_.on_store([id = migration.id](StateStore& store) { return store.remove(id); });
    auto removed = co_await std::move(removed_task);
    if (removed) {
        book_.epoch = removed.value();
        book_.all().erase(migration.id);
        co_await publish();
    }
    co_await surroundings_.data_plane.release(migration.id);
    CO_TRY(const auto epoch, std::move(removed));
    AuditEntry entry;
    entry.at = Shard::here().clock().wall_micros();
    entry.migration = migration.name;
    entry.command = "delete";
    entry.from = migration.phase;
    entry.outcome = "done";
    entry.epoch = epoch.value();
    co_await record(std::move(entry));
    log_.info("migration deleted", {kv("migration", migration.name), kv("epoch", epoch)});
    co_return migration;
}

Task<Facts> Coordinator::gather(Migration migration, Move move) {
    Facts facts;
    const auto by = Deadline::in(Shard::here().clock(), options_.probe_timeout);
    std::vector<Task<Result<ClockReading>>> asking;
    asking.push_back(read_clock(&surroundings_.source, by));
    asking.push_back(read_clock(&surroundings_.target, by));
    auto answers = co_await when_all(std::move(asking));
    const auto take = [](const Result<ClockReading>& read, std::string& problem, std::optional<Nanos>& ahead) {
        if (read) {
            ahead = read.value().ahead;
        } else {
            problem = read.error().what;
        }
    };
    take(answers[0], facts.source_problem, facts.source_ahead);
    take(answers[1], facts.target_problem, facts.target_ahead);
    facts.allowed_skew = options_.allowed_skew;

    const bool forward = routing::primary_of(move.from) == Side::source;
    const auto from = forward ? surroundings_.source.schema() : surroundings_.target.schema();
    const auto to = forward ? surroundings_.target.schema() : surroundings_.source.schema();
    if (!from || !to) {
        facts.schema_differences.push_back(
            fmt::format("the schema of the {} is not known yet", !from == forward ? "source" : "target"));
    } else {
        facts.schema_differences = sync::check_schema(*from, *to, migration.scope, options_.tenant_column);
        const bool picky = !migration.scope.all_tenants() || !migration.scope.allow.empty();
        if (picky && sync::tables_in_scope(*from, migration.scope, options_.tenant_column).empty()) {
            facts.schema_differences.push_back(
                migration.scope.all_tenants()
                    ? "no table is in scope"
                    : fmt::format("no table in scope has the tenant column {}", options_.tenant_column));
        }
    }
    facts.copy = migration.copy;
    facts.verify = migration.verify;
    if (const auto creditor = move.creditor()) facts.owed = surroundings_.owed.of(*creditor, migration.id);
    facts.owed_allowed = options_.owed_allowed;
    if (const auto job = jobs_.running(migration.id)) facts.running = job->kind;
    co_return facts;
}

Task<ChangeReport> Coordinator::change(ChangeOrder order) {
    ChangeReport report;
    report.migration = order.migration;
    report.dry_run = order.dry_run;
    const auto hold = gate_.try_hold();
    if (!hold) {
        report.refusal = Error(Errc::shutting_down, "penumbra is stopping");
        co_return report;
    }
    auto turn = co_await changes_.take();
    if (!turn) {
        report.refusal = Error(Errc::overloaded, "too many commands wait for their turn; try again");
        co_return report;
    }
    auto found = book_.lookup(order.migration);
    if (!found) {
        report.refusal = found.error();
        co_return report;
    }
    const auto migration = found.value();
    report.migration = migration.name;
    report.from = migration.phase;
    report.to = order.to.value_or(migration.phase);
    report.epoch = book_.epoch;

    AuditEntry entry;
    entry.at = Shard::here().clock().wall_micros();
    entry.migration = migration.name;
    entry.command = to_string(order.command);
    entry.from = migration.phase;
    entry.to = order.to;
    entry.forced = order.force;
    entry.reason = order.reason;

    std::optional<Error> refusal;
    const auto planned = plan(migration.phase, order.command, order.to);
    if (!planned) refusal = planned.error().in(migration.name);
    if (!refusal && order.force && order.reason.empty())
        refusal = Error(Errc::invalid_argument, "--force wants a --reason: it stays in the audit log");
    if (!refusal) {
        const auto move = planned.value();
        report.to = move.to;
        entry.to = move.to;
        const auto facts = co_await gather(migration, move);
        report.gates = check_all(move, facts);
        entry.gates = report.gates;
        if (order.dry_run) co_return report;
        if (!all_passed(report.gates) && !order.force) {
            refusal = Error(Errc::conflict, fmt::format("{} stays in {}: {}", migration.name,
                                                        routing::to_string(move.from), first_closed(report.gates)));
        }
    }
    if (refusal) {
        report.refusal = refusal;
        if (order.dry_run) co_return report;
        changes_refused_.add();
        entry.outcome = "refused";
        entry.error = refusal->what;
        co_await record(std::move(entry));
        co_return report;
    }

    // The intent comes before the deed: what a crash cuts off is found in the log without an outcome.
    entry.outcome = "started";
    auto begun_task = book_.on_store([entry](StateStore& store) { return store.begin_audit(entry); });
    auto begun = co_await std::move(begun_task);
    if (!begun) {
        report.refusal = begun.error();
        co_return report;
    }
    entry.id = begun.value();
    step("audited");
    const auto done = co_await carry_out(migration.id, planned.value(), order.force, &report);
    if (done) {
        changes_done_.add();
        waits_.record(report.wait);
        entry.outcome = "done";
        entry.epoch = report.epoch.value();
        entry.wait = report.wait;
        entry.held_requests = report.held_requests;
        log_.info("phase changed",
                  {kv("migration", migration.name), kv("from", report.from), kv("to", report.to),
                   kv("epoch", report.epoch), kv("wait_us", std::chrono::duration_cast<Micros>(report.wait).count()),
                   kv("held_requests", report.held_requests), kv("forced", order.force)});
    } else {
        changes_failed_.add();
        report.refusal = done.error();
        entry.outcome = "failed";
        entry.error = done.error().what;
        log_.warn("phase not changed", {kv("migration", migration.name), kv("from", report.from), kv("to", report.to),
                                        kv("error", done.error())});
    }
    auto ended_task = book_.on_store([entry](StateStore& store) { return store.end_audit(entry); });
    auto ended = co_await std::move(ended_task);
    if (!ended)
        log_.error("the outcome of a command cannot be stored",
                   {kv("migration", migration.name), kv("error", ended.error())});
    co_return report;
}

Task<Status> Coordinator::carry_out(ScopeId scope, Move move, bool force, ChangeReport* report) {
    const auto& clock = Shard::here().clock();
    if (move.ends_shadowing() || (force && move.changes_primary())) {
        // A job reads one side and writes the other; neither may change under it.
        const auto by = Deadline::in(clock, options_.job_stop_timeout);
        auto stopped = co_await jobs_.stop(scope, by);
        CO_TRY(std::move(stopped));
    }
    if (move.begins_shadowing()) {
        // What was under way when the migration was made runs under the default scope, which the fence below does not
        // wait for; without this wait such a write could come after the copy had read its row.
        const auto by = Deadline::in(clock, options_.settle_timeout);
        auto settled = co_await surroundings_.data_plane.settle(routing::kDefaultScope, by);
        if (!settled)
            co_return fail(std::move(settled).error().in("requests that were under way did not end; nothing changed"));
    }
    co_await drain_beforehand(scope, move);
    const auto by = Deadline::in(clock, options_.hold_timeout);
    auto held = co_await surroundings_.data_plane.hold(scope, by);
    if (!held) co_return fail(std::move(held).error().in("requests under way did not end in time; nothing changed"));
    step("held");
    const auto done = co_await inside_fence(scope, move, force, by, report);
    co_await surroundings_.data_plane.release(scope);
    CO_TRY(done);
    step("released");

    const auto hold_report = co_await surroundings_.data_plane.last_hold(scope);
    report->wait = hold_report.waited;
    report->held_requests = hold_report.requests_held;
    auto* migration = book_.find(scope);
    migration->last_switch->wait = hold_report.waited;
    migration->last_switch->held_requests = hold_report.requests_held;
    auto stored_task = book_.on_store(
        [scope, last = *migration->last_switch](StateStore& store) { return store.set_last_switch(scope, last); });
    auto stored = co_await std::move(stored_task);
    if (!stored)
        log_.error("the wait of a change cannot be stored",
                   {kv("migration", migration->name), kv("error", stored.error())});
    co_return ok();
}

Task<Status> Coordinator::inside_fence(ScopeId scope, Move move, bool force, Deadline by, ChangeReport* report) {
    if (move.must_drain()) {
        auto drained = co_await wait_until_drained(scope, move, force, by);
        CO_TRY(std::move(drained));
        step("drained");
    }
    auto moved = co_await move_on(scope, move);
    CO_TRY(std::move(moved));
    report->epoch = book_.epoch;
    if (move.ends_shadowing()) {
        surroundings_.owed.forget(scope);
        step("forgotten");
    }
    co_return ok();
}

Task<void> Coordinator::drain_beforehand(ScopeId scope, Move move) {
    if (!move.must_drain()) co_return;
    const auto& clock = Shard::here().clock();
    const auto by = Deadline::in(clock, options_.drain_patience);
    while (surroundings_.owed.of(*move.creditor(), scope).entries > 0 && !by.passed(clock.now()))
        co_await sleep(Millis(2));
}

Task<Status> Coordinator::wait_until_drained(ScopeId scope, Move move, bool force, Deadline by) {
    const auto creditor = *move.creditor();
    const auto& clock = Shard::here().clock();
    auto& data_plane = surroundings_.data_plane;
    // Lists and counters that are owed have to be made equal with nobody in between, and that is now.
    data_plane.share_hold(scope);
    for (;;) {
        const auto owed = surroundings_.owed.of(creditor, scope);
        if (owed.entries == 0 && data_plane.unshare_hold(scope)) co_return ok();
        if (by.passed(clock.now())) {
            if (!data_plane.unshare_hold(scope))
                co_return fail(Errc::timeout,
                               "rows of the scope were still being made equal when the time for the switch was over; "
                               "nothing changed, try again");
            if (force && !move.must_drain_always()) {
                log_.warn("phase changes by force although writes are owed",
                          {kv("creditor", creditor), kv("owed", owed.entries)});
                co_return ok();
            }
            co_return fail(
                Errc::timeout,
                fmt::format(
                    "the {} was still owed {} writes when the time for the switch was over; nothing changed, try again",
                    routing::to_string(creditor), owed.entries));
        }
        co_await sleep(Millis(1));
    }
}

Task<Status> Coordinator::move_on(ScopeId scope, Move move) {
    auto* present = book_.find(scope);
    ASSERT(present != nullptr);
    const auto before = *present;
    auto after = before;
    const auto now = Shard::here().clock().wall_micros();
    after.phase = move.to;
    after.last_switch = LastSwitch{move.from, move.to, Nanos(0), 0, now};
    auto work = StateStore::Work::keep;
    if (move.begins_shadowing()) {
        after.shadow_since = now;
        work = StateStore::Work::forget_all;
    } else if (move.to == Phase::source_only) {
        after.shadow_since.reset();
        work = StateStore::Work::forget_all;
    } else if (move.changes_primary() || move.ends_shadowing()) {
        work = StateStore::Work::forget_portions;
    }
    step("deciding");
    auto stored_task = book_.on_store([after, work](StateStore& store) { return store.advance(after, work); });
    auto stored = co_await std::move(stored_task);
    if (!stored) {
        // A commit that failed may all the same be found by a restart; the phase that goes on being served is written
        // over it.
        auto again_task =
            book_.on_store([before](StateStore& store) { return store.advance(before, StateStore::Work::keep); });
        auto again = co_await std::move(again_task);
        if (again) {
            book_.epoch = again.value();
            if (auto* kept = book_.find(scope)) kept->epoch = again.value();
            co_await publish();
        } else {
            log_.error("the state store does not take writes; mend it before a restart",
                       {kv("migration", before.name), kv("error", again.error())});
        }
        co_return fail(std::move(stored).error().in("the change cannot be stored; nothing changed"));
    }
    step("persisted");
    after.epoch = stored.value();
    book_.epoch = stored.value();
    if (work == StateStore::Work::forget_all) {
        after.copy = {};
        after.verify = {};
    }
    // Field by field: a job of the migration may have ended while the store was writing.
    auto* kept = book_.find(scope);
    kept->phase = after.phase;
    kept->epoch = after.epoch;
    kept->shadow_since = after.shadow_since;
    kept->last_switch = after.last_switch;
    if (work == StateStore::Work::forget_all) {
        kept->copy = {};
        kept->verify = {};
    }
    co_await publish();
    step("published");
    co_return ok();
}

Task<void> Coordinator::record(AuditEntry entry) {
    auto stored_task = book_.on_store([entry](StateStore& store) { return store.begin_audit(entry); });
    auto stored = co_await std::move(stored_task);
    if (!stored)
        log_.error("a command cannot be written into the audit log",
                   {kv("command", entry.command), kv("error", stored.error())});
}

Task<Status> Coordinator::note_in_audit(AuditEntry entry) {
    auto stored_task =
        book_.on_store([entry = std::move(entry)](StateStore& store) { return store.begin_audit(entry); });
    auto stored = co_await std::move(stored_task);
    if (!stored) co_return fail(stored.error().in("the audit log"));
    co_return ok();
}

Task<Result<JobView>> Coordinator::start_job(std::string name, JobKind kind, bool repair) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return stopping();
    auto turn = co_await changes_.take();
    if (!turn) co_return too_many();
    auto found = book_.lookup(name);
    CO_TRY(const auto migration, std::move(found));
    auto allowed = may_run(kind, migration.phase);
    if (!allowed) co_return fail(std::move(allowed).error().in(migration.name));
    if (const auto running = jobs_.running(migration.id)) {
        co_return fail(Errc::conflict, fmt::format("{}: {} {} is under way; one at a time", migration.name,
                                                   to_string(running->kind), running->id.value()));
    }
    auto started = co_await jobs_.start(migration, kind, repair);
    CO_TRY(auto view, std::move(started));
    AuditEntry entry;
    entry.at = view.record.started_at;
    entry.migration = migration.name;
    entry.command = to_string(kind);
    entry.from = migration.phase;
    entry.reason = fmt::format("job {}{}", view.record.id.value(), repair ? ", repairs" : "");
    entry.outcome = "done";
    co_await record(std::move(entry));
    co_return view;
}

Task<Result<JobView>> Coordinator::stop_job(JobId id) {
    const auto hold = gate_.try_hold();
    if (!hold) co_return stopping();
    auto before = co_await jobs_.view(id);
    CO_TRY(const auto view, std::move(before));
    if (view.record.state == JobState::running) {
        const auto by = Deadline::in(Shard::here().clock(), options_.job_stop_timeout);
        auto stopped = co_await jobs_.stop(view.record.scope, by);
        CO_TRY(std::move(stopped));
    }
    auto after = co_await jobs_.view(id);
    co_return after;
}

Task<Result<std::vector<AuditEntry>>> Coordinator::audit(std::string migration, std::size_t limit) {
    // By name, and also of one that was deleted: the log outlives it.
    const auto found = book_.lookup(migration);
    const auto name = found ? found.value().name : migration;
    auto read_task = book_.on_store([name, limit](StateStore& store) { return store.audit(name, limit); });
    auto read = co_await std::move(read_task);
    CO_TRY(auto entries, std::move(read));
    if (entries.empty() && !found) co_return fail(found.error());
    co_return entries;
}

Task<void> Coordinator::collect(metrics::MetricWriter* out) {
    const auto traffic = co_await surroundings_.data_plane.traffic();
    out->gauge("penumbra_epoch", "Grows with every change of phase or scope.",
               static_cast<double>(book_.epoch.value()));
    const auto now = Shard::here().clock().wall_micros();
    const auto age = [now](std::int64_t at) { return at == 0 ? 0.0 : static_cast<double>(now - at) / 1e6; };
    for (const auto& [id, migration] : book_.all()) {
        for (const auto phase : routing::kPhases) {
            out->gauge("penumbra_migration_phase", "1 for the phase that the migration is in.",
                       migration.phase == phase ? 1 : 0,
                       {{"migration", migration.name}, {"phase", routing::to_string(phase)}});
        }
        for (const auto side : {Side::source, Side::target}) {
            const auto owed = surroundings_.owed.of(side, id);
            const std::string_view cluster = routing::to_string(side);
            out->gauge("penumbra_migration_owed", "Shadow writes that the journal holds for the cluster.",
                       static_cast<double>(owed.entries), {{"migration", migration.name}, {"cluster", cluster}});
            out->gauge("penumbra_migration_oldest_owed_seconds",
                       "Age of the oldest of these: what a loss of the journal's disk would cost, in time.",
                       age(owed.oldest_appended_at), {{"migration", migration.name}, {"cluster", cluster}});
            out->gauge("penumbra_migration_set_aside", "Of these: refused for good, waiting for an operator.",
                       static_cast<double>(owed.set_aside), {{"migration", migration.name}, {"cluster", cluster}});
        }
    }
    const auto total = surroundings_.owed.total();
    out->gauge("penumbra_journal_owed", "Shadow writes that are not acknowledged yet.",
               static_cast<double>(total.entries));
    out->gauge("penumbra_journal_set_aside", "Owed writes that a cluster refused for good.",
               static_cast<double>(total.set_aside));
    out->gauge("penumbra_journal_oldest_owed_seconds", "Age of the oldest owed write.", age(total.oldest_appended_at));
    out->gauge("penumbra_journal_bytes", "Size of the journal on disk.",
               static_cast<double>(surroundings_.owed.bytes()));
    constexpr std::string_view kChanges = "Changes of phase that were asked for, by how they ended.";
    out->counter("penumbra_phase_changes_total", kChanges, changes_done_.value(), {{"outcome", "done"}});
    out->counter("penumbra_phase_changes_total", kChanges, changes_refused_.value(), {{"outcome", "refused"}});
    out->counter("penumbra_phase_changes_total", kChanges, changes_failed_.value(), {{"outcome", "failed"}});
    out->histogram("penumbra_phase_change_wait_seconds",
                   "How long requests of a scope were held for a change of its phase.", waits_.snapshot());
    out->gauge("penumbra_client_connections", "Client connections open now.", static_cast<double>(traffic.connections));
    out->counter("penumbra_client_connections_total", "Client connections accepted.", traffic.connections_total);
    out->counter("penumbra_requests_total", "Requests of clients.", traffic.requests);
    out->counter("penumbra_request_errors_total", "ERROR answers given to clients.", traffic.errors);
    out->counter("penumbra_requests_overloaded_total",
                 "Requests that were refused, and answers that were not kept, for want of memory.", traffic.overloaded);
    out->gauge("penumbra_memory_used_bytes", "What requests and answers hold of the memory budget.",
               static_cast<double>(traffic.memory_used));
    out->counter("penumbra_requests_held_total", "Requests that waited for a change of phase.", traffic.held);
    out->gauge("penumbra_longest_hold_seconds", "The longest that a request was held.",
               static_cast<double>(traffic.longest_hold_nanos) / 1e9);
    out->counter("penumbra_shadow_writes_total", "Writes sent to a shadow.", traffic.shadow_writes);
    out->counter("penumbra_shadow_failures_total", "Of these: not acknowledged, so owed.", traffic.shadow_failures);
    constexpr std::string_view kStrange =
        "Requests that the primary took although our parser does not understand them to their end.";
    out->counter("penumbra_not_understood_total", kStrange, traffic.reads_not_understood, {{"taken_for", "read"}});
    out->counter("penumbra_not_understood_total", kStrange, traffic.writes_not_understood, {{"taken_for", "write"}});
    out->counter("penumbra_shadow_not_sent_total", "Writes owed at once, for the shadow was not answering.",
                 traffic.shadow_not_sent);
    out->counter("penumbra_shadow_given_up_total",
                 "Writes owed before the shadow's time was over, for memory was short.", traffic.shadow_given_up);
    out->gauge("penumbra_shadow_circuits_open", "Shards that hold writes back from a shadow that does not answer.",
               static_cast<double>(traffic.circuits_open));
    for (const auto* view : {&surroundings_.source, &surroundings_.target}) {
        const auto status = view->status();
        const auto name = view == &surroundings_.source ? "source" : "target";
        out->gauge("penumbra_cluster_nodes", "Nodes that the cluster has.", static_cast<double>(status.nodes),
                   {{"cluster", name}});
        out->gauge("penumbra_cluster_nodes_up", "Of these: connected.", static_cast<double>(status.nodes_up),
                   {{"cluster", name}});
    }
}

}  // namespace penumbra::control
