#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cql/protocol/frame.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "load/options.h"
#include "load/templates.h"
#include "runtime/stream.h"

namespace penumbra::bench {

/// One connection of the load: handshake, PREPARE, then requests on as many streams as may be in flight. Lives on the
/// generator's shard.
class Conversation final : Stream::Handler {
  public:
    enum class Kind : std::uint8_t { read, write };
    enum class Outcome : std::uint8_t { as_asked, error, unexpected };

    class Owner {
      public:
        /// The handshake is over.
        virtual void on_ready(Conversation& conversation) = 0;
        /// `since` is what send() was given. The stream is free again.
        virtual void on_answer(Conversation& conversation, std::int16_t stream, Kind kind, SteadyTime since,
                               Outcome outcome, const cql::FrameView& frame) = 0;
        /// It goes no further: nothing is called any more.
        virtual void on_failed(Conversation& conversation, const Error& why) = 0;

      protected:
        ~Owner() = default;
    };

    Conversation(const LoadOptions& options, int fd, Owner& owner);

    /// Leaves at the end of the turn. `stream` is below LoadOptions::in_flight and free.
    void send(std::int16_t stream, Kind kind, std::uint64_t tenant, std::uint64_t row, std::int64_t timestamp,
              SteadyTime since);

  private:
    enum class State : std::uint8_t { starting, preparing_read, preparing_write, running, failed };
    struct Slot {
        SteadyTime since;
        Kind kind = Kind::read;
        bool taken = false;
    };

    std::size_t on_data(MutableBytes data) override;
    void on_closed(const Error& why) override;
    void before_flush(Bytes& out, std::size_t from) override { writer_.encode(out, from); }
    Status shake_hands(const cql::FrameView& frame);
    Status answered(const cql::FrameView& frame);
    Status prepared(const cql::FrameView& frame);
    void agree();
    void prepare(std::string_view text);
    cql::RequestHead head() const;
    void fail_with(const Error& why);

    const LoadOptions& options_;
    Owner& owner_;
    Stream stream_;
    cql::WireReader reader_{cql::Direction::response};
    cql::WireWriter writer_;
    State state_ = State::starting;
    std::optional<Template> read_;
    std::optional<Template> write_;
    std::vector<Slot> slots_;
};

}  // namespace penumbra::bench
