#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/endpoint.h"
#include "runtime/memory_budget.h"
#include "runtime/shard.h"
#include "runtime/task.h"
#include "runtime/tls_context.h"

namespace penumbra {

class TlsSession;

/// One TCP connection, on one shard. Bytes that arrive are shown to the handler where they were read; bytes written are
/// gathered and leave in one system call at the end of the turn. With TLS the handler sees and writes the same bytes;
/// what it wrote waits for the handshake, and a handshake that fails is an on_closed() that says why.
///
/// The owner keeps it alive until after on_closed() or its own close(), and destroys it with Shard::dispose() when it
/// may be on the call stack.
class Stream final : Watcher, Deferred {
  public:
    class Handler {
      public:
        /// Returns how many bytes it has dealt with. What it leaves is shown again, in front of what comes next.
        virtual std::size_t on_data(MutableBytes data) = 0;
        /// The peer hung up or the network failed; once, and never after close(). Nothing more arrives or leaves.
        virtual void on_closed(const Error& why) = 0;
        /// Unsent bytes fell below the mark given to tell_when_below().
        virtual void on_drained() {}
        /// Once before what was written leaves, for all of `out[from..]` that was written since the last time: the
        /// place of a codec that makes wire format of whole messages. It may grow, shrink or replace those bytes, and
        /// touches neither what stands before them nor the stream. Only from the loop or inside seal().
        virtual void before_flush(Bytes& out, std::size_t from) {
            (void)out;
            (void)from;
        }

      protected:
        ~Handler() = default;
    };

    /// Takes over a connected, non-blocking socket; in clear without `tls`.
    Stream(int fd, Endpoint peer, const TlsContextPtr& tls = {});
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Handlers are called from now on, never inside start().
    void start(Handler& handler);

    void write(BytesView bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        Shard::here().defer(*this);
    }
    /// The outgoing buffer, to encode into without a copy; call flush_soon() afterwards.
    Bytes& out() { return out_; }
    enum class Refusal : std::uint8_t { allowed, never };
    /// Before `bytes` more are put into out(): false when the budget has no room for what the buffer would grow by.
    /// Whatever is written without it, or must not be refused, is counted all the same.
    bool make_room(std::size_t bytes, Refusal refusal = Refusal::allowed) {
        return bytes <= out_.capacity() - out_.size() || grow(bytes, refusal);
    }
    void flush_soon() { Shard::here().defer(*this); }
    /// Runs before_flush() now for what was written so far, and returns with all of it in its final form: for the
    /// moment when the handler's codec changes between two messages of one turn.
    void seal();
    /// Bytes written that the socket has not taken yet; those not sealed yet count with the size they have now.
    std::size_t unsent() const { return out_.size() - sent_ + (tls_ ? cipher_unsent() : 0); }
    /// The socket took no more when it was last offered some.
    bool blocked() const { return !writable_; }
    /// One on_drained() when unsent() is next at or below `mark`.
    void tell_when_below(std::size_t mark) {
        drain_mark_ = mark;
        waiting_drain_ = true;
    }

    /// Stops reading: the peer's window fills and it waits. What was read and not dealt with is kept.
    void pause() { paused_ = true; }
    void resume();
    bool paused() const { return paused_; }

    /// Nothing more is read; what was written before still goes out, then the connection closes.
    void close_after_flush();
    /// At once; unsent bytes are lost. No handler is called any more.
    void close();
    bool is_open() const { return fd_ >= 0; }
    const Endpoint& peer() const { return peer_; }
    Endpoint local() const;
    /// Only in on_data(): the bytes that it leaves belong to something of this total size, all of which is counted from
    /// now on; one allocation instead of many.
    void expect(std::size_t total_bytes) { expected_ = total_bytes; }
    /// From now on what its buffers hold, used or not, is of this budget, which is its shard's and outlives it. What
    /// they may keep while they are empty is limited (MemoryBudget::try_keep).
    void charge(MemoryBudget& budget) { budget_ = &budget; }
    /// How long a peer may take for its part of a TLS handshake.
    static constexpr Nanos kHandshakeTime = std::chrono::seconds(15);

  private:
    void on_events(std::uint32_t events) override;
    void run_deferred() override;
    void read_some();
    bool show(MutableBytes data, std::size_t& dealt);
    bool show_kept();
    bool show_fresh(MutableBytes data);
    bool take_cipher(BytesView cipher);
    bool shaking_hands() const;
    void flush();
    Error lost() const;
    Error broken(int error) const;
    std::size_t cipher_unsent() const;
    void fail_with(Error why);
    bool grow(std::size_t bytes, Refusal refusal);
    void drop_sent();
    void drop_buffers();
    /// Takes and gives back what the buffers have grown and shrunk by.
    void settle_memory();

    int fd_;
    Endpoint peer_;
    std::unique_ptr<TlsSession> tls_;
    std::size_t cipher_sent_ = 0;  // of the session's outgoing bytes
    TimerId handshake_timer_ = 0;
    Handler* handler_ = nullptr;
    Bytes in_;   // what the handler left; empty for an idle connection
    Bytes out_;  // [0, sent_) left, [sent_, sealed_) is ready to leave, the rest before_flush() has not seen
    std::size_t sent_ = 0;
    std::size_t sealed_ = 0;
    std::size_t expected_ = 0;  // of what in_ begins with
    MemoryBudget* budget_ = nullptr;
    std::size_t charged_ = 0;  // of the budget
    std::size_t kept_ = 0;     // of that, what may stay while there is nothing in the buffers
    std::size_t drain_mark_ = 0;
    std::optional<Error> end_;          // nothing more arrives; told when what came before has been shown
    std::optional<Error> send_failed_;  // nothing more leaves; told when what arrived before has been shown
    bool waiting_drain_ = false;
    bool paused_ = false;
    bool readable_ = false;  // the socket may hold bytes that we have not read
    bool ended_ = false;     // the other side sends no more: the next read to find nothing finds the end
    bool writable_ = true;
    bool closing_ = false;
    bool in_handler_ = false;
};

/// A connected socket to `to`, or why not, by the deadline. `source_port`: of our side; 0 takes any.
Task<Result<int>> connect(Endpoint to, Deadline by, std::uint16_t source_port = 0);

}  // namespace penumbra
