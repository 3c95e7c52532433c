#include "control/jobs.h"

#include <algorithm>
#include <mutex>

#include <fmt/format.h>

namespace penumbra::control {

namespace {
constexpr Nanos kFlushInterval = std::chrono::milliseconds(500);
}

struct Jobs::Running {
    // Of the control shard.
    JobRecord record;
    std::uint64_t rows_before = 0;  // of the runs that this one goes on from
    bool stop_requested = false;
    bool over = false;
    StopSignal wake_flusher;
    OneShot<Unit> flusher_ended;
    std::vector<OneShot<Unit>> waiting_for_end;

    // Of the background shard.
    StopSignal stop;

    mutable std::mutex mutex;  // guards what both shards touch
    const Mover* mover = nullptr;
    sync::Progress last;
    std::vector<sync::Portion> finished;
};

Jobs::Jobs(Book& book, Shard& background, MakeMover make_mover, std::string tenant_column)
    : book_(book),
      background_(background),
      make_mover_(std::move(make_mover)),
      tenant_column_(std::move(tenant_column)) {}

Jobs::~Jobs() = default;

std::optional<JobRecord> Jobs::running(routing::ScopeId scope) const {
    const auto found = running_.find(scope);
    return found == running_.end() ? std::nullopt : std::optional(found->second->record);
}

sync::Progress Jobs::progress(const Running& job) {
    const std::lock_guard lock(job.mutex);
    auto progress = job.mover ? job.mover->snapshot() : job.last;
    progress.rows += job.rows_before;
    return progress;
}

Task<Result<JobView>> Jobs::start(Migration migration, JobKind kind, bool repair) {
    if (gate_.is_closed()) co_return fail(Errc::shutting_down, "penumbra is stopping");
    auto job = std::make_shared<Running>();
    auto& record = job->record;
    record.kind = kind;
    record.repair = repair;
    record.scope = migration.id;
    record.migration = migration.name;
    record.started_at = Shard::here().clock().wall_micros();

    std::vector<sync::Portion> done;
    if (kind == JobKind::copy) {
        // A copy that was cut short goes on; one that had finished is done all over.
        if (migration.copy.state == CopyState::failed) {
            auto portions_task = book_.on_store([id = migration.id](StateStore& store) { return store.portions(id); });
            auto portions = co_await std::move(portions_task);
            CO_TRY(done, std::move(portions));
            if (!done.empty()) job->rows_before = migration.copy.rows;
        } else {
            auto forgotten_task =
                book_.on_store([id = migration.id](StateStore& store) { return store.forget_portions(id); });
            auto forgotten = co_await std::move(forgotten_task);
            CO_TRY(std::move(forgotten));
        }
        migration.copy = {CopyState::running, job->rows_before, std::nullopt};
    } else {
        migration.verify = {VerifyState::running, 0, 0, record.started_at, std::nullopt};
    }
    record.report.rows = job->rows_before;
    auto stored_task =
        book_.on_store([record, migration](StateStore& store) { return store.begin_job(record, migration); });
    auto stored = co_await std::move(stored_task);
    CO_TRY(record.id, std::move(stored));
    if (auto* kept = book_.find(migration.id)) {
        if (kind == JobKind::copy) kept->copy = migration.copy;
        if (kind == JobKind::verify) kept->verify = migration.verify;
    }
    JobView view{record, {}};
    if (gate_.is_closed()) co_return fail(Errc::shutting_down, "penumbra is stopping");
    launch(std::move(job), std::move(migration), std::move(done));
    co_return view;
}

Task<Status> Jobs::resume(JobRecord record) {
    const auto* migration = book_.find(record.scope);
    if (!migration)
        co_return fail(Errc::not_found, fmt::format("job {} is of a migration that is gone", record.id.value()));
    auto portions_task = book_.on_store([id = record.scope](StateStore& store) { return store.portions(id); });
    auto portions = co_await std::move(portions_task);
    CO_TRY(auto done, std::move(portions));
    if (gate_.is_closed()) co_return fail(Errc::shutting_down, "penumbra is stopping");
    auto job = std::make_shared<Running>();
    // Rows of portions that were begun and not finished are counted again: the count is for people.
    job->rows_before = record.report.rows;
    job->record = std::move(record);
    log_.info("copy goes on after a restart",
              {kv("job", job->record.id), kv("migration", migration->name), kv("portions_done", done.size())});
    launch(std::move(job), *migration, std::move(done));
    co_return ok();
}

void Jobs::launch(RunningPtr job, Migration migration, std::vector<sync::Portion> done) {
    running_.emplace(migration.id, job);
    MoverOrder order{job->record.kind, job->record.repair, std::move(migration), tenant_column_, std::move(done), {}};
    order.finished = [job](const sync::Portion& portion) {
        const std::lock_guard lock(job->mutex);
        job->finished.push_back(portion);
    };
    log_.info("job started", {kv("job", job->record.id), kv("kind", to_string(job->record.kind)),
                              kv("migration", job->record.migration)});
    gate_.spawn(flush_loop(this, job));
    gate_.spawn(run(this, job, std::move(order)));
}

Task<Result<sync::Report>> Jobs::drive(RunningPtr job, MakeMover make, MoverOrder order) {
    auto mover = make(std::move(order));
    {
        const std::lock_guard lock(job->mutex);
        job->mover = mover.get();
    }
    auto report = co_await mover->run(job->stop);
    {
        const std::lock_guard lock(job->mutex);
        job->last = mover->snapshot();
        job->mover = nullptr;
    }
    co_return report;
}

Task<void> Jobs::run(Jobs* self, RunningPtr job, MoverOrder order) {
    UniqueFunction<Task<Result<sync::Report>>()> work(
        [job, make = self->make_mover_, order = std::move(order)]() mutable {
            return drive(job, make, std::move(order));
        });
    auto report = co_await run_on<Result<sync::Report>>(self->background_, std::move(work));
    job->over = true;
    job->wake_flusher.request();
    co_await job->flusher_ended;
    co_await self->flush(job);
    co_await self->finish(job, std::move(report));
    self->running_.erase(job->record.scope);
    for (auto& waiting : job->waiting_for_end) waiting.set(Unit{});
}

Task<void> Jobs::flush_loop(Jobs* self, RunningPtr job) {
    while (!job->over) {
        co_await sleep(kFlushInterval, &job->wake_flusher);
        if (!job->over) co_await self->flush(job);
    }
    job->flusher_ended.set(Unit{});
}

Task<void> Jobs::flush(RunningPtr job) {
    std::vector<sync::Portion> finished;
    const auto now = progress(*job);
    {
        const std::lock_guard lock(job->mutex);
        finished.swap(job->finished);
    }
    job->record.done = now.done;
    job->record.total = now.total;
    job->record.report.rows = now.rows;
    // Only a copy is taken up again: what a verify found is not known by portion.
    if (job->record.kind != JobKind::copy) finished.clear();
    auto stored_task = book_.on_store(
        [finished, record = job->record](StateStore& store) { return store.add_portions(finished, record); });
    auto stored = co_await std::move(stored_task);
    if (stored) co_return;
    log_.error("progress of a job cannot be stored", {kv("job", job->record.id), kv("error", stored.error())});
    const std::lock_guard lock(job->mutex);
    job->finished.insert(job->finished.end(), finished.begin(), finished.end());
}

Task<void> Jobs::finish(RunningPtr job, Result<sync::Report> result) {
    if (shutting_down_ && !result) co_return;  // marked or taken up by the next start
    // A copy until all is stored: whoever sees the job done must see its migration copied.
    auto record = job->record;
    const auto now = Shard::here().clock().wall_micros();
    record.finished_at = now;
    if (result) {
        const auto rows = result.value().rows + job->rows_before;
        record.report = std::move(result).value();
        record.report.rows = rows;
        record.state = JobState::done;
    } else {
        const bool stopped = job->stop_requested && result.error().code == Errc::cancelled;
        record.state = stopped ? JobState::cancelled : JobState::failed;
        record.error = stopped ? std::string("stopped") : result.error().what;
    }
    const auto* migration = book_.find(record.scope);
    if (!migration) co_return;
    auto changed = *migration;
    const bool good = record.state == JobState::done;
    switch (record.kind) {
        case JobKind::copy:
            changed.copy = {good ? CopyState::done : CopyState::failed, record.report.rows, now};
            break;
        case JobKind::verify: {
            const auto& report = record.report;
            const auto left = report.differences - std::min(report.differences, report.repaired);
            // A counter whose settling has no known end may be right or wrong: not clean until another look says so.
            const bool clean = left == 0 && report.unknown_fate == 0;
            changed.verify = {!good ? VerifyState::failed : (clean ? VerifyState::clean : VerifyState::differences),
                              report.rows, std::max(left, report.unknown_fate), changed.verify.started_at, now};
            break;
        }
    }
    auto stored_task = book_.on_store([record, changed](StateStore& store) { return store.end_job(record, changed); });
    auto stored = co_await std::move(stored_task);
    if (!stored) log_.error("the end of a job cannot be stored", {kv("job", record.id), kv("error", stored.error())});
    job->record = record;
    // Looked up again: the store took its time, and other fields may have changed meanwhile.
    if (auto* kept = book_.find(record.scope)) {
        if (record.kind == JobKind::copy) kept->copy = changed.copy;
        if (record.kind == JobKind::verify) kept->verify = changed.verify;
    }
    if (good) {
        log_.info("job done", {kv("job", record.id), kv("kind", to_string(record.kind)),
                               kv("migration", record.migration), kv("rows", record.report.rows),
                               kv("differences", record.report.differences), kv("repaired", record.report.repaired)});
    } else {
        log_.warn("job ended early",
                  {kv("job", record.id), kv("kind", to_string(record.kind)), kv("migration", record.migration),
                   kv("state", to_string(record.state)), kv("error", record.error)});
    }
}

Task<Result<JobView>> Jobs::view(JobId id) {
    for (const auto& [scope, job] : running_) {
        if (job->record.id == id) co_return JobView{job->record, progress(*job)};
    }
    auto read_task = book_.on_store([id](StateStore& store) { return store.job(id); });
    auto read = co_await std::move(read_task);
    CO_TRY(auto record, std::move(read));
    if (!record) co_return fail(Errc::not_found, fmt::format("there is no job {}", id.value()));
    JobView view{std::move(*record), {}};
    view.progress.done = view.record.done;
    view.progress.total = view.record.total;
    view.progress.rows = view.record.report.rows;
    if (view.record.finished_at) {
        const auto seconds = static_cast<double>(*view.record.finished_at - view.record.started_at) / 1e6;
        if (seconds > 0) view.progress.rows_per_second = static_cast<double>(view.progress.rows) / seconds;
        view.progress.seconds_left = 0;
    }
    co_return view;
}

void Jobs::request_stop(const RunningPtr& job) {
    job->stop_requested = true;
    background_.post([job] { job->stop.request(); });
}

Task<Status> Jobs::stop(routing::ScopeId scope, Deadline by) {
    const auto found = running_.find(scope);
    if (found == running_.end()) co_return ok();
    const auto job = found->second;
    request_stop(job);
    const OneShot<Unit> ended;
    job->waiting_for_end.push_back(ended);
    auto& shard = Shard::here();
    const auto timer = shard.call_at(by.at, [ended] { ended.set(Unit{}); });
    co_await ended;
    shard.cancel(timer);
    if (running_.contains(scope)) {
        co_return fail(Errc::timeout, fmt::format("job {} of '{}' did not stop in time", job->record.id.value(),
                                                  job->record.migration));
    }
    co_return ok();
}

Task<void> Jobs::stop_all() {
    shutting_down_ = true;
    gate_.close();
    for (const auto& [scope, job] : running_) request_stop(job);
    co_await gate_.drained();
}

}  // namespace penumbra::control
