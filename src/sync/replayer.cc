#include "sync/replayer.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "sync/owed_frame.h"
#include "sync/owed_ttl.h"
#include "sync/range_orders.h"
#include "sync/replayer_state.h"
#include "sync/requester.h"

namespace penumbra::sync {

namespace {

constexpr Nanos kFirstPause = Millis(50);
/// Of one entry, as a multiple of the longest pause of all.
constexpr int kLongestOwnPause = 12;

/// The catch-all code of ScyllaDB may mean "later" or "never", and rows that differ after a repair may only have been
/// written again.
bool is_unclear(const Error& error) {
    return (error.code == Errc::server && error.detail == 0) || error.code == Errc::conflict;
}

}  // namespace

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
    forget_tries(id);
    ++set_aside;
}

void Replayer::State::forget_tries(journal::EntryId id) {
    const auto found = tries.find(id);
    if (found == tries.end()) return;
    stuck -= found->second.stuck ? 1 : 0;
    tries.erase(found);
}

std::shared_ptr<Replayer::State::Batch> Replayer::State::next_batch() {
    auto batch = std::make_shared<Batch>();
    // One partition resynced once pays all orders for it that came before.
    std::map<std::pair<std::uint32_t, OwedResync>, std::size_t> orders;
    std::map<std::pair<std::uint32_t, std::vector<OwedResync>>, std::size_t> lists;
    const auto now = Shard::here().clock().now();
    std::vector<std::uint32_t> paused_scopes;
    for (const auto& [scope, pause] : pauses) {
        if (pause.until > now) paused_scopes.push_back(scope.value());
    }
    for (const auto& entry : journal.owed(options.stream, batch_size(), paused_scopes)) {
        // A batch of these is most of a millisecond. Where clients are served on the same core, they come first.
        std::this_thread::yield();
        const auto tried = stuck > 0 ? tries.find(entry.id) : tries.end();
        if (tried != tries.end() && tried->second.not_before > now) {
            ++batch->waiting;
            continue;
        }
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
            if (!settling.takes_part(counter_row(routing::ScopeId(entry.scope), *order), entry.id)) {
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
    if (stuck > 0) {
        std::ranges::stable_partition(batch->jobs, [this](const Job& job) {
            const auto found = tries.find(job.entries.front());
            return found == tries.end() || !found->second.stuck;
        });
    }
    return batch;
}

bool Replayer::State::pause_after(const Batch& batch) {
    const auto now = Shard::here().clock().now();
    bool refused = false, taken = false;
    for (const auto& [scope, of] : batch.scopes) {
        taken |= of.taken;
        refused |= !of.not_taken.empty();
        for (const auto id : of.not_taken) {
            auto& one = tries[id];
            stuck += one.stuck ? 0 : 1;
            one.stuck = true;
            if (!of.taken) continue;
            const auto longest = options.longest_pause * kLongestOwnPause;
            one.pause = std::clamp(one.pause * 2, std::min(kFirstPause, longest), longest);
            one.not_before = now + one.pause;
        }
        if (of.again || (!of.taken && !of.not_taken.empty())) {
            pause_scope(scope);
        } else {
            pauses.erase(scope);
        }
    }
    return taken || !refused;
}

void Replayer::State::pause_scope(routing::ScopeId scope) {
    auto& pause = pauses[scope];
    pause.length = std::clamp(pause.length * 2, std::min(kFirstPause, options.longest_pause), options.longest_pause);
    pause.until = Shard::here().clock().now() + pause.length;
    ++retries;
    std::uint64_t dropped = 0;
    if (pause_limit.pass(Shard::here().now(), dropped)) {
        log.info("the cluster does not take owed writes now; trying on",
                 {kv("stream", static_cast<int>(options.stream)), kv("scope", scope), kv("dropped", dropped)});
    }
}

Nanos Replayer::State::until_next_turn() const {
    const auto now = Shard::here().clock().now();
    Nanos least{0};
    for (const auto& [scope, pause] : pauses) {
        if (pause.until > now && (least == Nanos(0) || pause.until - now < least)) least = pause.until - now;
    }
    return least;
}

void Replayer::State::nothing_owed() {
    paused = false;
    per_second = 0;
    measured_at = {};
    settling.clear();
    pauses.clear();
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
    while (!self->stop.requested()) {
        const auto batch = self->next_batch();
        if (batch->jobs.empty() && batch->waiting == 0) {
            const auto pause = self->until_next_turn();
            if (pause == Nanos(0)) self->nothing_owed();
            // What others owe by then need not wait.
            co_await sleep(pause == Nanos(0) ? self->options.poll : std::min(pause, self->options.poll), &self->stop);
            continue;
        }
        std::vector<Task<Unit>> lanes;
        for (std::size_t i = 0; i < std::min(self->at_once.now(), batch->jobs.size()); ++i)
            lanes.push_back(lane(self, batch));
        co_await when_all(std::move(lanes));
        self->measure();
        self->waiting = batch->waiting;
        const bool takes = self->pause_after(*batch);
        if (takes) {
            self->at_once.ended(batch->took, batch->sent);
        } else {
            self->at_once.paused();
        }
        self->paused = !takes;
        // All that may be sent waits for its time: nothing tells of that but the clock.
        const bool soon = std::ranges::any_of(batch->scopes, [](const auto& of) { return of.second.again; });
        if (takes && !batch->progress && !soon) co_await sleep(self->options.poll * 5, &self->stop);
    }
}

Task<Unit> Replayer::State::lane(State* self, std::shared_ptr<Batch> batch) {
    while (batch->next < batch->jobs.size() && !self->stop.requested()) {
        const auto& job = batch->jobs[batch->next++];
        auto& of_scope = batch->scopes[job.scope];
        // After the first entry that the cluster does not take the rest would only pile timeouts upon it.
        if (!of_scope.not_taken.empty()) continue;
        co_await self->pace.take(job.entries.size(), &self->stop);
        const auto began = Shard::here().clock().now();
        const auto outcome = co_await self->run(&job);
        if (std::holds_alternative<OwedStatement>(job.work) && job.lists.empty()) {  // a resync reads, and may hold
            batch->took += Shard::here().clock().now() - began;
            ++batch->sent;
        }
        if (outcome == Outcome::later) std::ranges::copy(job.entries, std::back_inserter(of_scope.not_taken));
        if (outcome == Outcome::again) of_scope.again = true;
        if (outcome == Outcome::settled || outcome == Outcome::set_aside) batch->progress = of_scope.taken = true;
        if (outcome == Outcome::waits) batch->waiting += job.entries.size();
        if (outcome != Outcome::settled) continue;
        for (const auto id : job.entries) {
            self->journal.settle(id);
            self->forget_tries(id);
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
    if (standing && standing->begins(options.stream, job->scope, *order, newest)) {
        // By now it stands for what was written since, too, and that is younger than the statements that were awaited.
        for (const auto id : job->entries) tries[id].statements_until.reset();
    }
    // An element cannot be newer than the order for its row, but by the clock of a client that is ahead.
    ListTimes list_times;
    list_times.otherwise(job->appended_at);
    const auto outcome = co_await resync(job, order, std::move(list_times));
    const bool anew = outcome == Outcome::later || outcome == Outcome::again || outcome == Outcome::waits;
    // Counters are counted as of when the clusters answered.
    if (standing && anew && !settling.has_answered(counter_row(job->scope, *order)))
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

/// Replicas that fail at one mutation and take others will fail at it tomorrow.
bool Replayer::State::fails_while_others_are_taken(const Job& job, const Error& error) {
    const auto code = static_cast<cql::ErrorCode>(error.detail);
    if (error.code != Errc::server || (code != cql::ErrorCode::write_failure && code != cql::ErrorCode::read_failure))
        return false;
    auto& one = tries[job.entries.front()];
    if (std::exchange(one.settled_before, settled) == settled) return false;
    return ++one.replicas_failed > options.attempts_when_replicas_fail;
}

Outcome Replayer::State::judge(const Job& job, const Error& error) {
    if (is_stopping(error)) return Outcome::kept;
    const bool unclear = is_unclear(error);  // a number of tries
    const bool passing = !unclear && classify(error) == Failure::passing;
    if (passing && !fails_while_others_are_taken(job, error)) return Outcome::later;
    // A missing right or table is refused for good too: an operator has to act, and then retries what was set aside.
    bool for_good = !unclear;
    for (const auto id : job.entries) for_good = ++tries[id].unclear >= options.attempts_when_unclear || for_good;
    if (!for_good) return Outcome::again;
    for (const auto id : job.entries) put_aside(id, to_string(error));
    return Outcome::set_aside;
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
    std::optional<Endpoint> node;  // once one was asked: what is prepared on it the others may not know
    for (int attempt = 0;; ++attempt) {
        const auto by = Deadline::in(Shard::here().clock(), options.request_timeout);
        std::vector<Bytes> ids;
        for (const auto& prepared : statement->prepared) {
            auto id = co_await owed.prepare(
                prepared.text, prepared.keyspace.empty() ? statement->keyspace : prepared.keyspace, node, by);
            if (!id) co_return fail(std::move(id.error()));
            ids.push_back(std::move(id.value()));
        }
        auto translated = translate_frame(*statement, ids);
        CO_TRY(auto frame, std::move(translated));
        auto reply = co_await owed.send_to(&node, std::move(frame), statement->keyspace, by);
        if (!reply) co_return fail(std::move(reply.error()));
        auto answer = answer_of(reply.value());
        if (answer) {
            ++statements;
            co_return ok();
        }
        // That node had not prepared it, or has forgotten: nothing was done. It is prepared there and asked again.
        const bool unprepared = answer.error().code == Errc::server &&
                                answer.error().detail == static_cast<std::int32_t>(cql::ErrorCode::unprepared);
        if (!unprepared || attempt >= 3) co_return fail(std::move(answer.error()));
    }
}

}  // namespace penumbra::sync
