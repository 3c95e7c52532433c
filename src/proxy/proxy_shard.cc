#include "proxy/proxy_shard.h"

#include <algorithm>
#include <random>

#include "base/assert.h"
#include "base/inject.h"
#include "cql/language/rewrite.h"
#include "cql/protocol/response_peeks.h"

namespace penumbra::proxy {

using namespace std::chrono_literals;

namespace {
// Deadlines are met to this much: they end what has gone wrong, they do not measure.
constexpr Nanos kSweepEvery = 20ms;
// Of a stalled cluster thousands may be due at once: those who are served meanwhile are not to wait for all of them.
constexpr int kSweptPerTurn = 64;
constexpr int kGivenUpPerTurn = 256;
constexpr std::size_t kGatesByNumber = 4096;
// Of an Exchange: those that every request uses.
constexpr std::size_t kLinesAhead = 12;

ProxyRingPtr ring_of(const ProxyOptions& options) {
    if (options.ring) return options.ring;
    ProxyNode self;
    self.address = options.listen;
    auto alone = ProxyRing::make(std::move(self), {});
    ASSERT(alone.has_value());  // an address that is no address was refused when the settings were read
    return std::move(alone).value();
}
}  // namespace

ProxyShard::ProxyShard(ProxyContext& context, routing::RouterPtr router)
    : context_(context),
      shard_(Shard::here()),
      memory_(shard_.memory()),
      idle_(memory_),
      router_(std::move(router)),
      statements_(*context.prepared, context.options.max_prepared),
      texts_(context.options.max_cached_texts),
      virtual_tables_(ring_of(context.options), context.options.datacenter, context.options.cluster_name) {
    for (std::size_t side = 0; side < 2; ++side) {
        pools_[side] = &context.clusters[side]->pool();
        sessions_[side] = context.clusters[side]->session();
    }
    for (auto& breaker : breakers_) breaker = ShadowBreaker(context.options.breaker);
    std::random_device random;
    uuid_node_ = (std::uint64_t{random()} << 32) | random();
    sweep_timer_ = shard_.call_in(kSweepEvery, [this] { sweep(); });
}

ProxyShard::~ProxyShard() {
    memory_.give_back(exchanges_.size() * sizeof(Exchange));
    shard_.cancel(sweep_timer_);
    shard_.forget(*this);
}

bool ProxyShard::journal_is_full() const {
    const auto& journal = *context_.journal;
    return journal.bytes_on_disk() >= options().journal_quota ||
           journal.owed_entries() >= options().journal_most_entries;
}

Result<Endpoint> ProxyShard::listen() {
    return listener_.listen(context_.options.listen, [this](int fd, const Endpoint& peer) {
        // Owned by its own references: the one it holds while open, and its exchanges'.
        auto* client = new ClientConnection(*this, fd, peer);
        (void)client;
    });
}

Task<void> ProxyShard::stop(Deadline by) {
    listener_.close();
    while (free_.size() < exchanges_.size() && !by.passed(shard_.now())) co_await sleep(5ms);
    for (auto* client : std::vector(clients_.begin(), clients_.end())) client->close();
    // What is left now is the shadows' and the journal's: those have bounds of their own.
    for (auto& exchange : exchanges_) {
        if (!exchange->is_free()) exchange->on_request_deadline();
    }
    for (auto& exchange : exchanges_) {
        if (!exchange->is_free()) exchange->on_shadow_deadline();
    }
    while (free_.size() < exchanges_.size()) co_await sleep(5ms);
    tasks_.close();
    co_await tasks_.drained();
}

void ProxyShard::push_schema_event(const Bytes& frame) {
    const auto viewed = cql::view_frame(frame, cql::Direction::response);
    ASSERT(viewed.has_value());
    const auto event = cql::decode_event(viewed.value());
    ASSERT(event.has_value());  // as it had when the control connection saw that it is one of these
    const auto& change = std::get<cql::SchemaChange>(event.value());
    for (auto* client : clients_) client->push_schema_event(change);
}

void ProxyShard::set_peers(ProxiesUp up, const PeerChange& change) {
    virtual_tables_.set_up(std::move(up));
    for (auto* client : clients_) client->push_status_event(change.address, change.up);
}

Traffic ProxyShard::traffic() const {
    Traffic now = counters_;
    now.connections = clients_.size();
    now.memory_used = memory_.used();
    for (const auto& breaker : breakers_) now.circuits_open += breaker.state() == ShadowBreaker::State::closed ? 0 : 1;
    return now;
}

cql::ProtocolVersion ProxyShard::newest_version() const {
    auto newest = std::min(options().newest_version, context_.cluster(routing::Side::target).newest_version());
    if (!router_->source_is_done()) newest = std::min(newest, context_.cluster(routing::Side::source).newest_version());
    return newest;
}

std::int64_t ProxyShard::next_timestamp() {
    if (INJECT("proxy.timestamps_go_back")) return shard_.clock().wall_micros() - 2'000'000;
    last_timestamp_ = std::max(last_timestamp_ + 1, shard_.clock().wall_micros() + timestamp_lead_);
    return last_timestamp_;
}

ScopeGate& ProxyShard::new_gate(routing::ScopeId scope) {
    auto& gate = gates_[scope];
    const auto number = static_cast<std::size_t>(scope.value());
    if (number < kGatesByNumber) {
        if (gates_by_number_.size() <= number) gates_by_number_.resize(number + 1);
        gates_by_number_[number] = &gate;
    }
    return gate;
}

Exchange* ProxyShard::take_exchange(std::size_t frame_bytes) {
    const auto cost = Exchange::cost_of(frame_bytes);
    if (memory_.is_tight() && !due_shadows_.empty() && exchanges_hold_ > memory_.limit() / 8) [[unlikely]] {
        memory_is_short_ = true;
        shard_.defer(*this);
    }
    if (!memory_.try_take(cost)) return nullptr;
    exchanges_hold_ += cost;
    if (free_.empty()) {
        // Kept for good, so counted for good.
        memory_.take(sizeof(Exchange));
        exchanges_.push_back(std::make_unique<Exchange>(*this));
        free_.push_back(exchanges_.back().get());
    }
    auto* exchange = free_.back();
    free_.pop_back();
    exchange->memory_ = cost;
    // With thousands in flight the ones to come have left the caches. What they will need is asked for while this one
    // works: the exchange two requests ahead, and the buffer of the next, whose place was asked for before.
    const auto left = free_.size();
    if (left > 1) {
        const auto* at = reinterpret_cast<const char*>(free_[left - 2]);
        for (std::size_t line = 0; line < kLinesAhead; ++line) __builtin_prefetch(at + 64 * line, 1);
    }
    if (left > 0) {
        const auto* buffer = free_[left - 1]->frame_.data();
        __builtin_prefetch(buffer, 1);
        __builtin_prefetch(buffer + 64, 1);
        __builtin_prefetch(buffer + 128, 1);
    }
    return exchange;
}

void ProxyShard::give_back(Exchange& exchange) {
    exchanges_hold_ -= exchange.memory_;
    memory_.give_back(std::exchange(exchange.memory_, 0));
    // What it keeps for its next request: for all of them together no more than an eighth of the budget.
    const auto bytes = exchange.frame_.capacity() + exchange.reply_.capacity();
    if (bytes != exchange.idle_bytes_) {
        idle_.set(idle_.bytes() - exchange.idle_bytes_ + bytes);
        exchange.idle_bytes_ = bytes;
        if (idle_.bytes() > memory_.limit() / 8) {
            Bytes().swap(exchange.frame_);
            Bytes().swap(exchange.reply_);
            idle_.set(idle_.bytes() - std::exchange(exchange.idle_bytes_, 0));
        }
    }
    free_.push_back(&exchange);
}

void ProxyShard::watch_request(Exchange& exchange) {
    exchange.request_due_ = shard_.now() + options().request_timeout;
    due_requests_.push_back(exchange);
}

void ProxyShard::watch_shadow(Exchange& exchange) {
    exchange.shadow_due_ = shard_.now() + options().shadow_timeout;
    due_shadows_.push_back(exchange);
}

void ProxyShard::tell_at_turn_end(Exchange& exchange) {
    at_turn_end_.emplace_back(&exchange, exchange.serial());
    shard_.defer(*this);
}

void ProxyShard::run_deferred() {
    told_at_turn_end_.swap(at_turn_end_);
    for (const auto& [exchange, serial] : told_at_turn_end_) {
        if (exchange->serial() == serial && !exchange->is_free()) exchange->on_turn_end();
    }
    told_at_turn_end_.clear();
    if (std::exchange(memory_is_short_, false)) give_up_shadows();
}

/// A shadow that is late has memory for as long as it is waited for, and the journal could stand in for it. Before that
/// makes requests OVERLOADED the writes that have waited longest are given up; the breaker hears of it.
void ProxyShard::give_up_shadows() {
    int left = kGivenUpPerTurn;
    for (auto at = due_shadows_.begin(); at != due_shadows_.end() && left > 0 && memory_.is_tight(); --left) {
        auto& late = *at++;  // which leaves the list
        late.give_up_shadow();
    }
}

void ProxyShard::sweep() {
    const auto now = shard_.now();
    int left = kSweptPerTurn;
    // Out of the list first: what it is told may end it, and the next to come is at the front again. Requests before
    // shadows: a write whose shadow has as much time as itself is owed then, and the disk has some for it.
    for (; left > 0 && !due_requests_.empty() && due_requests_.front().request_due_ <= now; --left) {
        auto& late = due_requests_.front();
        due_requests_.pop_front();
        late.on_request_deadline();
    }
    for (; left > 0 && !due_shadows_.empty() && due_shadows_.front().shadow_due_ <= now; --left) {
        auto& late = due_shadows_.front();
        due_shadows_.pop_front();
        late.on_shadow_deadline();
    }
    sweep_timer_ = shard_.call_in(left > 0 ? kSweepEvery : Nanos(0), [this] { sweep(); });
}

void ProxyShard::client_turned_away(const Error& why) {
    std::uint64_t dropped = 0;
    if (!turned_away_log_.pass(shard_.now(), dropped)) return;
    log_.warn("a client could not connect", {kv("error", why.what), kv("more", dropped)});
}

void ProxyShard::report_shadow_failure(const cql::FrameView* frame, const Error* error, routing::Side side) {
    std::uint64_t dropped = 0;
    if (!shadow_failure_log_.pass(shard_.now(), dropped)) return;
    std::string what = error ? error->what : "";
    if (frame) {
        // An error message may quote values: the code alone goes to the log.
        const auto code = cql::peek_error_code(*frame);
        what = code ? std::string(cql::to_string(code.value())) : "an answer that is no error";
    }
    log_.warn("a shadow write failed and is owed", {kv("shadow", side), kv("error", what), kv("more", dropped)});
}

void ProxyShard::report_late_journal(routing::Side owed_to) {
    std::uint64_t dropped = 0;
    if (!late_journal_log_.pass(shard_.now(), dropped)) return;
    log_.error("the disk of --state has not taken in time what a cluster is owed; clients get write timeouts",
               {kv("owed_to", owed_to), kv("more", dropped)});
}

void ProxyShard::report_not_understood(std::string_view text, Plan::Kind taken_for) {
    const bool read = taken_for == Plan::Kind::read;
    ++(read ? counters_.reads_not_understood : counters_.writes_not_understood);
    std::uint64_t dropped = 0;
    if (!not_understood_log_.pass(shard_.now(), dropped)) return;
    log_.warn("the primary took a statement that is not understood here",
              {kv("taken_for", read ? "read" : "write"), kv("statement", cql::shape(text)), kv("more", dropped)});
}

void ProxyShard::start_after_refresh(Exchange& exchange) {
    waiting_for_schema_.emplace_back(&exchange, exchange.serial());
    if (!refreshing_) tasks_.spawn(refresh_and_start(this));
}

Task<void> ProxyShard::refresh_and_start(ProxyShard* self) {
    self->refreshing_ = true;
    while (!self->waiting_for_schema_.empty()) {
        const auto waiting = std::exchange(self->waiting_for_schema_, {});
        auto refreshed = co_await self->context_.refresh_schema();
        if (!refreshed)
            self->log_.warn("cannot load the schema for an unknown table", {kv("error", refreshed.error().what)});
        for (const auto& [exchange, serial] : waiting) {
            if (exchange->serial() == serial && !exchange->is_free()) exchange->start();
        }
    }
    self->refreshing_ = false;
}

}  // namespace penumbra::proxy
