#include "sync/replayer.h"

#include <algorithm>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/inject.h"
#include "base/log.h"
#include "cql/types/token.h"
#include "runtime/async.h"
#include "runtime/gate.h"
#include "sync/at_once.h"
#include "sync/counter_settling.h"
#include "sync/owed_frame.h"
#include "sync/owed_ttl.h"
#include "sync/owed_write.h"
#include "sync/range_orders.h"
#include "sync/requester.h"
#include "sync/resync.h"
#include "sync/table_shape.h"
#include "sync/work.h"

namespace penumbra::sync {

namespace {

constexpr Nanos kFirstPause = Millis(50);
/// Entries that wait are read again with every batch, so that others come through.
constexpr std::size_t kMostWaiting = 4096;
/// For times of list elements, while clients are held: some milliseconds.
constexpr std::size_t kMostLookedThrough = 4096;

/// What became of one entry.
enum class Outcome : std::uint8_t {
    settled,
    set_aside,
    later,  ///< the cluster does not take anything now
    again,  ///< this one did not work out; others may
    waits,  ///< its time has not come
    kept,   ///< somebody else's to settle, or stopped
};

/// The catch-all code of ScyllaDB may mean "later" or "never", and rows that differ after a repair may only have been
/// written again.
bool is_unclear(const Error& error) {
    return (error.code == Errc::server && error.detail == 0) || error.code == Errc::conflict;
}

bool is_stopping(const Error& error) {
    return error.code == Errc::cancelled || error.code == Errc::shutting_down;
}

CounterSettling::Row row_of(routing::ScopeId scope, const OwedResync& order) {
    return {scope, order.keyspace, order.table, order.partition_key, order.range};
}

}  // namespace

struct Replayer::State {
    State(journal::Journal& j, cluster::Session& o, cluster::Session& x, LiveTraffic& t, Transit& i, ReplayOptions r)
        : journal(j),
          owed(o),
          other(x),
          traffic(t),
          transit(i),
          options(std::move(r)),
          settling(options.late_writes),
          pace(options.per_second),
          at_once(options.parallelism, options.slow) {}

    journal::Journal& journal;
    cluster::Session& owed;
    cluster::Session& other;
    LiveTraffic& traffic;
    Transit& transit;
    ReplayOptions options;
    Log log{"sync"};
    LogLimit pause_limit{Seconds(30)}, schema_limit{Seconds(30)};
    Gate gate;
    StopSignal stop;
    /// Of an entry that did not work out.
    struct Tries {
        std::size_t unclear = 0;                        ///< said neither "later" nor "never"
        std::optional<SteadyTime> schema_unlike_since;  ///< its table was not the same on both clusters
    };
    std::unordered_map<journal::EntryId, Tries> tries;

    CounterSettling settling;

    std::atomic<std::uint64_t> settled{0}, statements{0}, resyncs{0}, rows_read{0}, retries{0}, set_aside{0};
    std::atomic<bool> paused{false};
    std::atomic<double> per_second{0};
    Pace pace;
    AtOnce at_once;
    SteadyTime measured_at{};
    std::uint64_t settled_then = 0;
    std::size_t waiting = 0;  // of the last batch: they are the oldest, and others stand behind them

    /// Entries that one piece of work settles: one statement, or all orders to resync one partition.
    struct Job {
        std::vector<journal::EntryId> entries;
        routing::ScopeId scope;
        std::int64_t appended_at = 0;  ///< wall clock, microseconds
        Owed work;                     ///< of those that add to lists: an OwedStatement, whose rows are resynced
        struct ToLists {
            OwedStatement statement;
            std::int64_t appended_at = 0;
        };
        std::vector<ToLists> lists;
        SteadyTime seen_at{};  ///< what it is about was written before
    };
    struct Batch {
        std::vector<Job> jobs;
        std::size_t next = 0;
        bool later = false;
        bool again = false;
        Nanos took{0};  // of its statements together
        std::int64_t sent = 0;
        bool progress = false;
        std::size_t waiting = 0;  // entries whose time has not come
    };

    std::shared_ptr<Batch> next_batch();
    /// After every batch: the rate, smoothed over some seconds.
    void measure();
    void nothing_owed();
    void put_aside(journal::EntryId id, std::string reason);

    static Task<void> loop(State* self);
    static Task<Unit> lane(State* self, std::shared_ptr<Batch> batch);
    Task<Outcome> run(const Job* job);
    Task<Status> send(const OwedStatement* statement, std::int64_t appended_at);
    /// Without what they add, which is then read back.
    Task<Outcome> send_to_lists(const Job* job);
    /// A statement that the cluster answered with an error: what it refuses for good it gets by reading.
    Task<Outcome> not_taken(const Job* job, const OwedStatement* statement, Error error);
    Task<Outcome> resync(const Job* job, const OwedResync* order, ListTimes list_times);
    /// Of the elements of one partition, as far as anything that is owed tells. Under a hold that is everything: what
    /// was under way is owed by then, or was compared when it was paid.
    ListTimes list_times_owed(routing::ScopeId scope, const OwedResync& partition) const;
    bool is_counter(const OwedResync& order) const;
    /// Whether no counter update of unknown fate can come any more; settled: now.
    Task<Outcome> quiet(const Job* job, const OwedResync* order, const ReplayScope* scope);
    Task<Result<Schemas>> schemas_as_of(SteadyTime when);
    /// Owes the order to the other cluster instead.
    Task<Outcome> turn_round(const Job* job, const OwedResync* order);
    Outcome judge(const Job& job, const Error& error);
    /// A resync of a table that is not the same on both clusters: a schema change may be on its way.
    Outcome wait_for_schema(const Job& job, const Error& error);
};

Replayer::Replayer(journal::Journal& journal, cluster::Session& owed, cluster::Session& other, LiveTraffic& traffic,
                   Transit& transit, ReplayOptions options)
    : state_(std::make_unique<State>(journal, owed, other, traffic, transit, std::move(options))) {}
Replayer::~Replayer() = default;

void Replayer::start() {
    state_->gate.spawn(State::loop(state_.get()));
}

Task<void> Replayer::stop() {
    state_->gate.close();
    state_->stop.request();
    co_await state_->gate.drained();
}

ReplayCounts Replayer::counts() const {
    ReplayCounts counts;
    counts.settled = state_->settled;
    counts.statements = state_->statements;
    counts.resyncs = state_->resyncs;
    counts.rows_read = state_->rows_read;
    counts.retries = state_->retries;
    counts.set_aside = state_->set_aside;
    counts.paused = state_->paused;
    counts.at_once = state_->at_once.now();
    counts.per_second = state_->per_second;
    return counts;
}

void Replayer::State::put_aside(journal::EntryId id, std::string reason) {
    log.warn("an owed write was set aside: it will not be tried again by itself",
             {kv("entry", id), kv("reason", reason)});
    journal.set_aside(id, std::move(reason));
    tries.erase(id);
    ++set_aside;
}

std::shared_ptr<Replayer::State::Batch> Replayer::State::next_batch() {
    auto batch = std::make_shared<Batch>();
    // One partition resynced once pays all orders for it that came before.
    std::map<std::pair<std::uint32_t, OwedResync>, std::size_t> orders;
    std::map<std::pair<std::uint32_t, std::vector<OwedResync>>, std::size_t> lists;
    const auto now = Shard::here().clock().now();
    for (const auto& entry : journal.owed(options.stream, at_once.now() * 8 + std::min(waiting, kMostWaiting))) {
        // A batch of these is most of a millisecond. Where clients are served on the same core, they come first.
        std::this_thread::yield();
        auto payload = journal.read(entry.id);
        if (!payload) {
            // Settled or forgotten meanwhile; anything else is damage that an operator has to see.
            if (payload.error().code != Errc::not_found) put_aside(entry.id, to_string(payload.error()));
            continue;
        }
        auto work = decode_owed(payload.value());
        if (!work) {
            put_aside(entry.id, to_string(work.error()));
            continue;
        }
        if (const auto* order = std::get_if<OwedResync>(&work.value())) {
            if (!settling.takes_part(row_of(routing::ScopeId(entry.scope), *order), entry.id)) {
                ++batch->waiting;
                continue;
            }
            const auto [at, fresh] = orders.try_emplace({entry.scope, *order}, batch->jobs.size());
            if (!fresh) {
                batch->jobs[at->second].entries.push_back(entry.id);
                continue;
            }
        }
        if (auto* statement = std::get_if<OwedStatement>(&work.value()); statement && statement->adds_to_lists) {
            const auto [at, fresh] = lists.try_emplace({entry.scope, statement->rows}, batch->jobs.size());
            if (fresh) {
                OwedStatement rows;
                rows.rows = statement->rows;
                batch->jobs.push_back({{}, routing::ScopeId(entry.scope), entry.appended_at, std::move(rows), {}, now});
            }
            auto& job = batch->jobs[at->second];
            job.entries.push_back(entry.id);
            job.lists.push_back({std::move(*statement), entry.appended_at});
            continue;
        }
        batch->jobs.push_back(
            {{entry.id}, routing::ScopeId(entry.scope), entry.appended_at, std::move(work.value()), {}, now});
    }
    return batch;
}

void Replayer::State::nothing_owed() {
    paused = false;
    per_second = 0;
    measured_at = {};
    settling.clear();
    waiting = 0;
}

void Replayer::State::measure() {
    constexpr double kWindow = 5;  // seconds
    const auto now = Shard::here().now();
    if (measured_at == SteadyTime{}) {
        measured_at = now;
        settled_then = settled;
        return;
    }
    const auto seconds = std::chrono::duration<double>(now - measured_at).count();
    if (seconds < 0.2) return;  // a figure of a few entries would jump
    const auto rate = static_cast<double>(settled - settled_then) / seconds;
    const double old = per_second;
    per_second = old == 0 ? rate : old + (rate - old) * std::min(1.0, seconds / kWindow);
    measured_at = now;
    settled_then = settled;
}

Task<void> Replayer::State::loop(State* self) {
    auto pause = kFirstPause;
    while (!self->stop.requested()) {
        const auto batch = self->next_batch();
        if (batch->jobs.empty() && batch->waiting == 0) {
            self->nothing_owed();
            co_await sleep(self->options.poll, &self->stop);
            continue;
        }
        std::vector<Task<Unit>> lanes;
        for (std::size_t i = 0; i < std::min(self->at_once.now(), batch->jobs.size()); ++i)
            lanes.push_back(lane(self, batch));
        co_await when_all(std::move(lanes));
        self->measure();
        self->waiting = batch->waiting;
        if (batch->later) {
            self->at_once.paused();
        } else {
            self->at_once.ended(batch->took, batch->sent);
        }
        self->paused = batch->later;
        if (!batch->later && !batch->again) {
            pause = kFirstPause;
            // All that is owed waits for its time: nothing tells of that but the clock.
            if (!batch->progress) co_await sleep(self->options.poll * 5, &self->stop);
            continue;
        }
        std::uint64_t dropped = 0;
        if (self->pause_limit.pass(Shard::here().now(), dropped)) {
            self->log.info("the cluster does not take owed writes now; trying on",
                           {kv("stream", static_cast<int>(self->options.stream)), kv("dropped", dropped)});
        }
        ++self->retries;
        co_await sleep(pause, &self->stop);
        pause = std::min(pause * 2, self->options.longest_pause);
    }
}

Task<Unit> Replayer::State::lane(State* self, std::shared_ptr<Batch> batch) {
    // The first entry that the cluster does not take ends the batch: the rest would only pile timeouts upon it.
    while (batch->next < batch->jobs.size() && !batch->later && !self->stop.requested()) {
        const auto& job = batch->jobs[batch->next++];
        co_await self->pace.take(job.entries.size(), &self->stop);
        const auto began = Shard::here().clock().now();
        const auto outcome = co_await self->run(&job);
        if (std::holds_alternative<OwedStatement>(job.work) && job.lists.empty()) {  // a resync reads, and may hold
            batch->took += Shard::here().clock().now() - began;
            ++batch->sent;
        }
        if (outcome == Outcome::later) batch->later = true;
        if (outcome == Outcome::again) batch->again = true;
        batch->progress |= outcome == Outcome::settled || outcome == Outcome::set_aside;
        if (outcome == Outcome::waits) batch->waiting += job.entries.size();
        if (outcome != Outcome::settled) continue;
        for (const auto id : job.entries) {
            self->journal.settle(id);
            self->tries.erase(id);
            ++self->settled;
        }
    }
    co_return Unit{};
}

Task<Outcome> Replayer::State::run(const Job* job) {
    if (!job->lists.empty()) {
        const auto outcome = co_await send_to_lists(job);
        co_return outcome;
    }
    if (const auto* statement = std::get_if<OwedStatement>(&job->work)) {
        auto sent = co_await send(statement, job->appended_at);
        if (sent) co_return Outcome::settled;
        const auto outcome = co_await not_taken(job, statement, std::move(sent.error()));
        co_return outcome;
    }
    const auto* order = std::get_if<OwedResync>(&job->work);
    auto* const standing = options.range_orders;
    const auto newest = job->entries.back();
    if (standing) standing->begins(options.stream, job->scope, *order, newest);
    // An element cannot be newer than the order for its row, but by the clock of a client that is ahead.
    ListTimes list_times;
    list_times.otherwise(job->appended_at);
    const auto outcome = co_await resync(job, order, std::move(list_times));
    const bool anew = outcome == Outcome::later || outcome == Outcome::again || outcome == Outcome::waits;
    // Counters are counted as of when the clusters answered.
    if (standing && anew && !settling.has_answered(row_of(job->scope, *order)))
        standing->put_off(options.stream, job->scope, *order, newest);
    co_return outcome;
}

Task<Outcome> Replayer::State::send_to_lists(const Job* job) {
    ListTimes list_times;
    for (const auto& owed_one : job->lists) {
        const auto schema = owed.schema();
        auto emptied = without_list_elements(owed_one.statement, schema.get());
        if (!emptied) co_return judge(*job, emptied.error());
        list_times.merge(emptied.value().times);
        list_times.otherwise(owed_one.appended_at);
        if (!emptied.value().complete) continue;
        auto sent = co_await send(&emptied.value().statement, owed_one.appended_at);
        // What the cluster refuses is resynced like the rest.
        if (!sent &&
            (is_stopping(sent.error()) || is_unclear(sent.error()) || classify(sent.error()) == Failure::passing))
            co_return judge(*job, sent.error());
    }
    for (const auto& order : std::get<OwedStatement>(job->work).rows) {
        const auto outcome = co_await resync(job, &order, list_times);
        if (outcome != Outcome::settled) co_return outcome;
    }
    co_return Outcome::settled;
}

Outcome Replayer::State::judge(const Job& job, const Error& error) {
    if (is_stopping(error)) return Outcome::kept;
    const bool unclear = is_unclear(error);  // a number of tries
    if (!unclear && classify(error) == Failure::passing) return Outcome::later;
    // A missing right or table is refused for good too: an operator has to act, and then retries what was set aside.
    bool for_good = !unclear;
    for (const auto id : job.entries) for_good = ++tries[id].unclear >= options.attempts_when_unclear || for_good;
    if (!for_good) return Outcome::again;
    for (const auto id : job.entries) put_aside(id, to_string(error));
    return Outcome::set_aside;
}

Outcome Replayer::State::wait_for_schema(const Job& job, const Error& error) {
    const auto now = Shard::here().now();
    bool for_good = false;
    for (const auto id : job.entries) {
        auto& since = tries[id].schema_unlike_since;
        if (!since) since = now;
        for_good = now - *since >= options.schema_patience || for_good;
    }
    if (for_good) {
        for (const auto id : job.entries) put_aside(id, to_string(error));
        return Outcome::set_aside;
    }
    std::uint64_t dropped = 0;
    if (schema_limit.pass(now, dropped)) {
        log.info("owed rows wait for the schema of both clusters to be the same",
                 {kv("error", to_string(error)), kv("dropped", dropped)});
    }
    return Outcome::again;
}

Task<Outcome> Replayer::State::not_taken(const Job* job, const OwedStatement* statement, Error error) {
    const bool refused = !is_stopping(error) && !is_unclear(error) && classify(error) != Failure::passing;
    if (!refused || statement->rows.empty()) co_return judge(*job, error);
    log.info("the cluster refuses an owed statement; its rows are resynced",
             {kv("entry", job->entries.front()), kv("error", to_string(error))});
    for (const auto& order : statement->rows) {
        ListTimes list_times;
        list_times.otherwise(job->appended_at);
        const auto outcome = co_await resync(job, &order, std::move(list_times));
        if (outcome != Outcome::settled) co_return outcome;
    }
    co_return Outcome::settled;
}

Task<Status> Replayer::State::send(const OwedStatement* owed_statement, std::int64_t appended_at) {
    // The other cluster counts a TTL from when it took the write.
    constexpr std::int64_t kSecond = 1'000'000;
    const auto late = (Shard::here().clock().wall_micros() - appended_at + kSecond / 2) / kSecond;
    OwedStatement shortened;
    const auto* statement = owed_statement;
    if (late > 0) {
        const auto schema = owed.schema();
        auto changed = with_ttl_left(*owed_statement, Seconds(late), schema.get());
        CO_TRY(shortened, std::move(changed));
        statement = &shortened;
    }
    for (int attempt = 0;; ++attempt) {
        const auto by = Deadline::in(Shard::here().clock(), options.request_timeout);
        std::vector<Bytes> ids;
        for (const auto& prepared : statement->prepared) {
            auto id = co_await owed.prepare(prepared.text,
                                            prepared.keyspace.empty() ? statement->keyspace : prepared.keyspace, by);
            if (!id) co_return fail(std::move(id.error()));
            ids.push_back(std::move(id.value()));
        }
        auto translated = translate_frame(*statement, ids);
        CO_TRY(auto frame, std::move(translated));
        auto reply = co_await owed.send(std::move(frame), statement->keyspace, by);
        if (!reply) co_return fail(std::move(reply.error()));
        auto answer = answer_of(reply.value());
        if (answer) {
            ++statements;
            co_return ok();
        }
        // The node that got it had not prepared it, or has forgotten: nothing was done. Preparing again reaches it.
        const bool unprepared = answer.error().code == Errc::server &&
                                answer.error().detail == static_cast<std::int32_t>(cql::ErrorCode::unprepared);
        if (!unprepared || attempt >= 3) co_return fail(std::move(answer.error()));
    }
}

Task<Outcome> Replayer::State::turn_round(const Job* job, const OwedResync* order) {
    Bytes payload;
    encode_owed_resync(*order, payload);
    const OneShot<bool> done;
    journal.append(options.stream ^ 1, job->scope.value(), payload,
                   [log = &journal, done](Result<journal::EntryId> entry) {
                       if (entry) log->release(entry.value());
                       done.set(entry.has_value());
                   });
    const bool durable = co_await done;
    co_return durable ? Outcome::settled : Outcome::again;
}

Task<Result<Schemas>> Replayer::State::schemas_as_of(SteadyTime when) {
    return Schemas::as_of(&other, &owed, when, Deadline::in(Shard::here().clock(), options.request_timeout));
}

bool Replayer::State::is_counter(const OwedResync& order) const {
    const auto schema = owed.schema();
    const auto* table = schema ? schema->table(order.keyspace, order.table) : nullptr;
    return table != nullptr && table->is_counter;
}

Task<Outcome> Replayer::State::quiet(const Job* job, const OwedResync* order, const ReplayScope* scope) {
    const auto row = row_of(job->scope, *order);
    switch (settling.next(row, Shard::here().now())) {
        case CounterSettling::Next::probe:
            break;
        case CounterSettling::Next::wait:
            co_return Outcome::waits;
        case CounterSettling::Next::count:
            co_return Outcome::settled;
    }
    const auto schema = owed.schema();
    const auto* table = schema ? schema->table(order->keyspace, order->table) : nullptr;
    auto made = table ? TableShape::make(*table, *table, scope->scope, scope->tenant_column)
                      : Result<ShapePtr>(fail(Errc::not_found, "no such table"));
    if (!made) co_return judge(*job, made.error());
    const auto shape = std::move(made.value());
    for (auto* session : {&other, &owed}) {
        cluster::QueryOptions read;
        read.consistency = cql::Consistency::all;
        read.page_size = 1;
        read.by = Deadline::in(Shard::here().clock(), options.request_timeout);
        const auto range = order->range.value_or(TokenRange{});
        const bool whole = order->partition_key.empty();
        auto text = whole ? shape->select_range(range, ElementTimes::hidden, {})
                          : shape->select_partition(ElementTimes::hidden);
        auto values = whole ? shape->range_values(range) : shape->key_values(order->partition_key, {});
        auto answered = co_await session->execute(std::move(text), std::move(values), read);
        if (answered) continue;
        if (is_stopping(answered.error()) || classify(answered.error()) != Failure::passing)
            co_return judge(*job, answered.error());
        settling.unanswered(row, Shard::here().now());
        co_return Outcome::waits;
    }
    settling.answered(row, Shard::here().now(), job->entries);
    co_return Outcome::waits;
}

ListTimes Replayer::State::list_times_owed(routing::ScopeId scope, const OwedResync& partition) const {
    const auto token = cql::murmur3_token(partition.partition_key);
    const auto is_about_it = [&](const OwedResync& row) {
        return row.keyspace == partition.keyspace && row.table == partition.table &&
               (row.partition_key.empty() ? row.range.value_or(TokenRange{}).contains(token)
                                          : row.partition_key == partition.partition_key);
    };
    const auto schema = owed.schema();
    ListTimes times;
    for (const auto& entry : journal.owed(options.stream, kMostLookedThrough)) {
        if (entry.scope != scope.value()) continue;
        auto payload = journal.read(entry.id);
        if (!payload) continue;  // settled meanwhile; damage is told of when its turn comes
        auto work = decode_owed(payload.value());
        if (!work) continue;
        if (const auto* order = std::get_if<OwedResync>(&work.value())) {
            // One for a range or table stands for what was written since it was appended, too.
            const bool stands = order->partition_key.empty();
            if (is_about_it(*order)) times.otherwise(stands ? Shard::here().clock().wall_micros() : entry.appended_at);
            continue;
        }
        auto& statement = std::get<OwedStatement>(work.value());
        if (!statement.adds_to_lists || std::ranges::none_of(statement.rows, is_about_it)) continue;
        times.otherwise(entry.appended_at);
        if (const auto emptied = without_list_elements(std::move(statement), schema.get()))
            times.merge(emptied.value().times);
    }
    return times;
}

Task<Outcome> Replayer::State::resync(const Job* job, const OwedResync* order, ListTimes list_times) {
    const auto scope = options.scope_of ? options.scope_of(job->scope) : std::nullopt;
    if (!scope) {
        // Its migration was cancelled or completed: nobody wants it any more.
        co_return Outcome::settled;
    }
    const auto to = options.stream == 1 ? routing::Side::target : routing::Side::source;
    if (INJECT("sync.drop_resync")) co_return Outcome::settled;
    if (scope->primary == to) {
        // Of a phase that is over: a switch waits until all such orders are carried out, but a crash offers those of a
        // segment that was not deleted once more. By now this cluster has writes that the other one has not, and
        // making it equal to that one would delete them. It is the other one that may have to be made equal to this:
        // after a forced switch, which leaves what it leaves.
        const auto turned = co_await turn_round(job, order);
        co_return turned;
    }
    const bool counts = is_counter(*order);
    if (counts) {
        const auto now = co_await quiet(job, order, &scope.value());
        if (now != Outcome::settled) co_return now;
    }
    Pair pair{other,
              owed,
              traffic,
              transit,
              job->scope,
              scope->scope,
              scope->tenant_column,
              options.stream == 1 ? routing::Side::source : routing::Side::target,
              scope->unknown_timestamp};
    WorkOptions work;
    work.attempts = 3;
    work.parallelism = 2;
    work.list_times = std::move(list_times);
    if (!order->partition_key.empty()) {
        work.further_list_times = [this, scope = job->scope, order = *order] { return list_times_owed(scope, order); };
    } else {
        // An order for a range or table stands for writes since it was appended too. Below what they deleted, which may
        // be owed as statements that are still to be sent, their elements would not live.
        work.list_times.otherwise(Shard::here().clock().wall_micros());
    }
    if (counts) work.read_consistency = cql::Consistency::all;
    work.request_timeout = options.request_timeout;
    Resync one(std::move(pair), std::move(work));
    // What was written may be in a column that was added a moment ago.
    auto seen = co_await schemas_as_of(job->seen_at);
    if (!seen) co_return judge(*job, seen.error());
    const auto schemas = std::move(seen.value());
    if (schemas.lack(order->keyspace, order->table)) {
        log.info("the table of an owed resync was dropped", {kv("table", order->keyspace + "." + order->table)});
        co_return Outcome::settled;
    }
    auto made = one.shape_of(schemas, order->keyspace, order->table);
    if (!made) co_return wait_for_schema(*job, made.error());
    auto shape = std::move(made.value());
    Result<Report> done = fail(Errc::internal, "not run");
    if (order->partition_key.empty()) {
        done = co_await one.table(std::move(shape), order->range.value_or(TokenRange{}), stop);
    } else {
        done = co_await one.partition(std::move(shape), order->partition_key, order->serial, stop);
    }
    const bool refused =
        done ? done.value().refused > 0 : !is_stopping(done.error()) && classify(done.error()) != Failure::passing;
    if (refused) {
        // Perhaps only in the words of a table that has changed meanwhile.
        auto seen_now = co_await schemas_as_of(Shard::here().clock().now());
        if (!seen_now) co_return judge(*job, seen_now.error());
        if (!seen_now.value().same_table(schemas, order->keyspace, order->table)) co_return Outcome::again;
    }
    if (counts) settling.ended(row_of(job->scope, *order));
    if (!done) co_return judge(*job, done.error());
    const auto& report = done.value();
    rows_read += report.rows;
    // What was added may be there or not. Its order stays, and the counters are read again when it cannot come any
    // more.
    if (report.unknown_fate > 0) co_return Outcome::later;
    if (report.refused > 0) {
        auto why = fmt::format("{}.{}: {} values refused", order->keyspace, order->table, report.refused);
        for (const auto& sample : report.samples) {
            if (sample.kind != DifferenceKind::refused) continue;
            why += ": " + (sample.source.empty() ? sample.target : sample.source);
            break;
        }
        for (const auto id : job->entries) put_aside(id, why);
        co_return Outcome::set_aside;
    }
    // What differs after a repair under a hold was written again meanwhile, or is a time that cannot be lowered.
    if (report.repaired < report.differences) co_return judge(*job, Error(Errc::conflict, "differences left"));
    ++resyncs;
    co_return Outcome::settled;
}

}  // namespace penumbra::sync
