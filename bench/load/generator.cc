#include "load/generator.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <fmt/format.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "cql/protocol/responses.h"

namespace penumbra::bench {

Generator::Generator(const LoadOptions& options)
    : options_(options),
      random_(options.seed * 2 + 1),
      wall_offset_(Clock::system().wall_micros() -
                   std::chrono::duration_cast<Micros>(Clock::system().now().time_since_epoch()).count()) {}

Generator::~Generator() {
    if (timer_ < 0) return;
    Shard::here().unwatch(timer_, *this);
    close(timer_);
}

Task<Status> Generator::connect_all() {
    const auto by = Deadline::in(Shard::here().clock(), kLongestAnswer);
    for (std::size_t i = 0; i < options_.connections; ++i) {
        auto connected = co_await connect(options_.to, by);
        CO_TRY(const int fd, std::move(connected));
        Conversation::Owner& owner = *this;
        conversations_.push_back(std::make_unique<Conversation>(options_, fd, owner));
    }
    // The handshakes go on meanwhile; one that failed has said so.
    while (!failure_ && ready_ < options_.connections) {
        if (Shard::here().clock().now() > by.at)
            co_return fail(Errc::timeout, fmt::format("{} of {} connections were not ready in time",
                                                      options_.connections - ready_, options_.connections));
        auto waited = co_await pass(std::chrono::milliseconds(100));
        CO_TRY(std::move(waited));
    }
    if (failure_) co_return fail(*failure_);
    co_return ok();
}

/// Waits this long, or until something failed or somebody said that it is enough.
Task<Status> Generator::pass(Nanos time) {
    if (failure_) co_return fail(*failure_);
    wait_ = {};
    const auto timer = Shard::here().call_in(time, [wait = wait_] { wait.set(ok()); });
    auto waited = co_await wait_;
    Shard::here().cancel(timer);
    co_return waited;
}

/// Waits for the answers that are still to come, for as long as one may take.
Task<Status> Generator::drain() {
    sending_ = false;
    if (under_way_ == 0) co_return ok();
    auto waited = co_await pass(kLongestAnswer);
    co_return waited;
}

Task<Result<Measured>> Generator::run(Generator* self) {
    auto connected = co_await self->connect_all();
    CO_TRY(std::move(connected));
    if (!self->options_.watched_cores.empty()) {
        self->sliced_.emplace(self->options_.duration);  // some megabytes of fresh memory: not while requests are due
        CO_TRY(self->core_watch_.start(self->options_.watched_cores));
    }
    auto begun = self->begin_sending();
    CO_TRY(std::move(begun));
    auto warmed_up = co_await self->pass(self->options_.warmup);
    CO_TRY(std::move(warmed_up));

    auto& clock = Shard::here().clock();
    auto cpu_before = cpu_time_of(self->options_.pids);
    CO_TRY(const auto before, std::move(cpu_before));
    const auto began = self->began_ = clock.now();
    if (self->sliced_) self->sliced_->begin(began);
    self->measuring_ = true;
    auto measured = co_await self->pass(self->options_.duration);
    CO_TRY(std::move(measured));
    self->measuring_ = false;
    const auto ended = self->ended_ = clock.now();
    auto cpu_after = cpu_time_of(self->options_.pids);
    CO_TRY(const auto after, std::move(cpu_after));

    auto& result = self->measured_;
    result.seconds = std::chrono::duration<double>(ended - began).count();
    if (!self->options_.pids.empty()) result.cpu = after - before;
    if (self->options_.rate > 0) {
        const auto were_due = static_cast<std::uint64_t>(
            std::chrono::duration<double>(ended - self->first_due_).count() * self->options_.rate);
        result.not_sent = were_due > self->sent_ ? were_due - self->sent_ : 0;
    }
    auto drained = co_await self->drain();
    CO_TRY(std::move(drained));
    if (self->sliced_) result.undisturbed = self->sliced_->without(self->core_watch_.stop());
    result.unanswered = self->under_way_;
    co_return std::move(result);
}

void Generator::on_ready(Conversation&) {
    if (++ready_ == options_.connections) wait_.set(ok());
}

void Generator::on_failed(Conversation&, const Error& why) {
    if (!failure_) failure_ = why;
    sending_ = false;
    wait_.set(fail(*failure_));
}

Status Generator::begin_sending() {
    sending_ = true;
    const auto now = Shard::here().clock().now();
    if (options_.rate == 0) {
        for (auto& conversation : conversations_) {
            for (std::size_t stream = 0; stream < options_.in_flight; ++stream)
                send(*conversation, static_cast<std::int16_t>(stream), now);
        }
        return ok();
    }
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer_ < 0) return fail(system_error("timerfd_create", "pacing", errno));
    TRY(Shard::here().watch(timer_, *this));
    for (std::size_t stream = 0; stream < options_.in_flight; ++stream) {
        for (auto& conversation : conversations_)
            free_.push_back({conversation.get(), static_cast<std::int16_t>(stream)});
    }
    free_count_ = free_.size();
    first_due_ = now;
    send_what_is_due();
    return ok();
}

/// xorshift64*: what is asked for has to differ, not to be unguessable.
std::uint64_t Generator::random() {
    random_ ^= random_ >> 12;
    random_ ^= random_ << 25;
    random_ ^= random_ >> 27;
    return random_ * 2685821657736338717ULL;
}

void Generator::send(Conversation& conversation, std::int16_t stream, SteadyTime since) {
    const auto bits = random();
    const bool reads =
        options_.reads >= 1 || (options_.reads > 0 && static_cast<double>(bits >> 11) * 0x1.0p-53 < options_.reads);
    const auto tenant = options_.first_tenant + random() % options_.tenants;
    const auto row = random() % options_.rows;
    // Ever growing, as drivers see to: a later write wins.
    timestamp_ =
        std::max(timestamp_ + 1, std::chrono::duration_cast<Micros>(since.time_since_epoch()).count() + wall_offset_);
    conversation.send(stream, reads ? Conversation::Kind::read : Conversation::Kind::write, tenant, row, timestamp_,
                      since);
    ++sent_;
    ++under_way_;
}

void Generator::on_answer(Conversation& conversation, std::int16_t stream, Conversation::Kind kind, SteadyTime since,
                          Conversation::Outcome outcome, const cql::FrameView& frame) {
    const auto now = Shard::here().clock().now();
    if (outcome != Conversation::Outcome::as_asked) {
        note_error(frame);
    } else if (measuring_ || was_due_meanwhile(since)) {
        measured_.latency.record(now - since);
        if (sliced_) sliced_->record(since, now - since);
        ++(kind == Conversation::Kind::read ? measured_.reads : measured_.writes);
    }
    if (options_.rate > 0) {
        free_[(free_begin_ + free_count_) % free_.size()] = {&conversation, stream};
        ++free_count_;
        // Whoever was due while every stream was taken.
        if (sending_ && free_count_ == 1) send_what_is_due();
    } else if (sending_) {
        send(conversation, stream, now);
    }
    --under_way_;
    if (!sending_ && under_way_ == 0) wait_.set(ok());
}

/// In an open loop the slowest may be answered when the measured time is over, and belong to it all the same.
bool Generator::was_due_meanwhile(SteadyTime since) const {
    return options_.rate > 0 && since >= began_ && since < ended_;
}

void Generator::note_error(const cql::FrameView& frame) {
    std::string name = fmt::format("unexpected {}", cql::to_string(frame.header.opcode));
    if (frame.header.opcode == cql::Opcode::error) {
        const auto error = cql::decode_error(frame);
        name = error ? fmt::format("{}: {}", cql::to_string(error.value().code), error.value().message)
                     : error.error().what;
    }
    // Messages may name rows: only so many kinds are told apart.
    if (measured_.errors.size() >= kKindsOfErrors && !measured_.errors.contains(name)) name = "others";
    ++measured_.errors[name];
}

SteadyTime Generator::due(std::uint64_t number) const {
    return first_due_ + std::chrono::duration_cast<Nanos>(
                            std::chrono::duration<double>(static_cast<double>(number) / options_.rate));
}

void Generator::send_what_is_due() {
    const auto now = Shard::here().clock().now();
    while (free_count_ > 0 && due(sent_) <= now) {
        const auto next = free_[free_begin_];
        free_begin_ = (free_begin_ + 1) % free_.size();
        --free_count_;
        send(*next.conversation, next.stream, due(sent_));
    }
    if (free_count_ > 0) set_timer(std::max(due(sent_), now + kShortestSleep));
}

void Generator::set_timer(SteadyTime at) {
    const auto since_epoch = std::chrono::duration_cast<Nanos>(at.time_since_epoch()).count();
    itimerspec when{};
    when.it_value.tv_sec = since_epoch / 1'000'000'000;
    when.it_value.tv_nsec = since_epoch % 1'000'000'000;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void Generator::on_events(std::uint32_t) {
    std::uint64_t expirations = 0;
    [[maybe_unused]] const auto got = read(timer_, &expirations, sizeof expirations);
    if (sending_) send_what_is_due();
}

}  // namespace penumbra::bench
