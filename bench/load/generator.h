#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/conversation.h"
#include "load/core_watch.h"
#include "load/histogram.h"
#include "load/options.h"
#include "load/process.h"
#include "load/sliced.h"
#include "runtime/async.h"
#include "runtime/shard.h"

namespace penumbra::bench {

/// What a run measured, of the time after the warm-up; with a rate also what was due in it and answered later.
struct Measured {
    Histogram latency;  ///< answered as asked; from when a request was due, or was sent where there is no rate
    std::optional<SlicedLatency::Undisturbed> undisturbed;  ///< while no watched core stalled
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::map<std::string, std::uint64_t> errors;  ///< by what went wrong, warm-up included
    std::uint64_t unanswered = 0;                 ///< still under way long after the end
    std::uint64_t not_sent = 0;                   ///< were due by the end, and every stream was taken
    double seconds = 0;
    std::optional<CpuTime> cpu;  ///< of LoadOptions::pids

    std::uint64_t requests() const { return reads + writes; }
};

/// Makes the load: opens the connections, keeps requests in flight (or sends them when they are due), and measures.
/// One shard; run() on it.
class Generator final : Conversation::Owner, Watcher {
  public:
    explicit Generator(const LoadOptions& options);
    ~Generator();
    Generator(const Generator&) = delete;

    /// An error is one that ends a run: nobody answers, a connection was lost.
    static Task<Result<Measured>> run(Generator* self);

  private:
    struct Free {
        Conversation* conversation;
        std::int16_t stream;
    };
    static constexpr Nanos kLongestAnswer = std::chrono::seconds(5);
    static constexpr std::size_t kKindsOfErrors = 16;
    /// Requests that are due within this time of each other may share a wake-up.
    static constexpr Nanos kShortestSleep = std::chrono::microseconds(200);

    void on_ready(Conversation& conversation) override;
    void on_answer(Conversation& conversation, std::int16_t stream, Conversation::Kind kind, SteadyTime since,
                   Conversation::Outcome outcome, const cql::FrameView& frame) override;
    void on_failed(Conversation& conversation, const Error& why) override;
    void on_events(std::uint32_t events) override;  // of the timer

    Task<Status> connect_all();
    Task<Status> pass(Nanos time);
    Task<Status> drain();
    Status begin_sending();
    void send(Conversation& conversation, std::int16_t stream, SteadyTime since);
    void send_what_is_due();
    void set_timer(SteadyTime at);
    std::uint64_t random();
    bool was_due_meanwhile(SteadyTime since) const;
    void note_error(const cql::FrameView& frame);

    LoadOptions options_;
    std::vector<std::unique_ptr<Conversation>> conversations_;
    std::size_t ready_ = 0;
    std::optional<Error> failure_;
    OneShot<Status> wait_;  ///< of the step that run() is in; a failure ends any
    bool sending_ = false;
    bool measuring_ = false;
    SteadyTime began_;  ///< measuring
    SteadyTime ended_;
    Measured measured_;
    CoreWatch core_watch_;
    std::optional<SlicedLatency> sliced_;
    std::uint64_t random_;
    std::int64_t wall_offset_;  ///< from the steady clock, in microseconds
    std::int64_t timestamp_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t under_way_ = 0;

    // With a rate only.
    int timer_ = -1;
    std::vector<Free> free_;  // a ring, so that all connections have their turn
    std::size_t free_begin_ = 0;
    std::size_t free_count_ = 0;
    SteadyTime first_due_;
    SteadyTime due(std::uint64_t number) const;
};

}  // namespace penumbra::bench
