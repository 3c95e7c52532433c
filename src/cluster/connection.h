#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/responses.h"
#include "runtime/async.h"
#include "runtime/stream.h"

namespace penumbra::cluster {

/// Whether a request that failed may have had its effect: decides what may be sent again.
enum class Applied : std::uint8_t { no, yes, unknown };

class Connection;

/// A request on its way to one node. Belongs to the caller, who keeps it alive until exactly one of on_reply() and
/// on_failed() was called, or until cancel(). One shard.
class Request {
  public:
    Request() = default;
    virtual ~Request() { cancel(); }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    /// Appends the request frame with this stream id; called once per time it is sent.
    virtual void write_to(Bytes& out, std::int16_t stream) = 0;
    /// The frame is valid during the call only. An ERROR is a reply.
    virtual void on_reply(const cql::FrameView& frame) = 0;
    virtual void on_failed(const Error& error, Applied applied) = 0;

    /// No callback after this. A reply that comes late is dropped; its stream id stays taken until then.
    void cancel();
    bool is_pending() const { return connection_ != nullptr || waiting_in_ != nullptr; }
    /// The node that it was sent to last.
    const Endpoint& node() const { return node_; }

  private:
    friend class Connection;
    friend class ConnectionGroup;
    Connection* connection_ = nullptr;
    std::int16_t stream_ = -1;
    Endpoint node_;
    class ConnectionGroup* waiting_in_ = nullptr;
};

/// Hands out CQL stream ids on one connection and remembers whose they are. An id whose request was cancelled stays
/// taken until its late reply arrives, so a reply never meets the wrong request.
class StreamIds {
  public:
    explicit StreamIds(std::size_t limit) : limit_(limit) {}

    std::optional<std::int16_t> take(Request& request);
    /// The request behind the id, null when it was cancelled; the id is free afterwards. Nothing for an id not taken.
    std::optional<Request*> give_back(std::int16_t id);
    void orphan(std::int16_t id);
    std::size_t taken() const { return slots_.size() - free_.size(); }
    std::size_t orphans() const { return orphans_; }
    /// Every request that still waits; all ids are free afterwards.
    std::vector<Request*> take_all();

  private:
    struct Slot {
        Request* request = nullptr;
        bool taken = false;
    };
    std::size_t limit_;
    std::vector<Slot> slots_;
    std::vector<std::int16_t> free_;
    std::size_t orphans_ = 0;
};

struct Credentials {
    std::string username;
    std::string password;
    bool empty() const { return username.empty(); }
    /// SASL PLAIN, as PasswordAuthenticator of both servers takes it.
    Bytes plain_token() const;
};

struct ConnectionOptions {
    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    std::string keyspace;             ///< USEd after the start; empty for none
    std::optional<Bytes> sasl_token;  ///< sent when the node asks for authentication
    std::size_t max_in_flight = 4096;
    TlsContextPtr tls;                           ///< null: in clear
    Nanos heartbeat = std::chrono::seconds(30);  ///< of silence, before OPTIONS is sent
    Nanos dead_after =
        std::chrono::seconds(15);  ///< of silence while an answer is due, before the connection is given up
};

/// One connection to one node, shared by many clients' requests. Made by open(), which returns it ready for requests;
/// it closes itself when the peer misbehaves or falls silent, and fails what was in flight as Applied::unknown.
/// Lives on one shard; destroyed through Shard::dispose().
class Connection final : Stream::Handler {
  public:
    class Owner {
      public:
        virtual void on_connection_lost(Connection& connection, const Error& why) = 0;
        /// An id came free after can_send() was false.
        virtual void on_capacity(Connection& connection) = 0;
        virtual void on_event(const cql::FrameView& frame) = 0;

      protected:
        ~Owner() = default;
    };

    static Task<Result<std::unique_ptr<Connection>>> open(Endpoint to, ConnectionOptions options, Owner* owner,
                                                          Deadline by);
    Connection(std::unique_ptr<Stream> stream, ConnectionOptions options, Owner* owner);
    ~Connection();

    /// Sends now (it leaves at the end of the turn), or says false when no stream id is free or it is closed.
    bool send(Request& request);
    bool can_send() const { return open_ && ids_.taken() < options_.max_in_flight; }
    bool is_open() const { return open_; }
    std::size_t in_flight() const { return ids_.taken(); }
    const Endpoint& peer() const { return stream_->peer(); }
    const ConnectionOptions& options() const { return options_; }
    /// The authenticator's class, when the node asked for authentication.
    const std::optional<std::string>& authenticator() const { return authenticator_; }
    void set_owner(Owner* owner) { owner_ = owner; }

    /// Sends one request (stream id 0 in `frame`) and awaits its reply as an owned frame.
    Task<Result<Bytes>> call(Bytes frame, Deadline by);

    /// Fails what is in flight with `why`.
    void close(const Error& why);

  private:
    friend class Request;
    std::size_t on_data(MutableBytes data) override;
    void on_closed(const Error& why) override;
    Task<Status> start_up(Deadline by);
    void check_silence();

    std::unique_ptr<Stream> stream_;
    ConnectionOptions options_;
    Owner* owner_;
    Log log_{"cluster"};
    StreamIds ids_;
    bool open_ = true;
    bool was_full_ = false;
    std::optional<std::string> authenticator_;
    SteadyTime last_heard_;
    SteadyTime waiting_since_;  ///< when the oldest answer now due could have come at the earliest
    TimerId silence_timer_ = 0;
    std::unique_ptr<Request> heartbeat_;
};

/// A request whose frame exists already and whose reply is awaited by a coroutine.
class CallRequest final : public Request {
  public:
    explicit CallRequest(Bytes frame) : frame_(std::move(frame)) {}
    struct Outcome {
        Result<Bytes> frame;
        Applied applied;
    };
    const OneShot<Outcome>& outcome() const { return outcome_; }

    void write_to(Bytes& out, std::int16_t stream) override;
    void on_reply(const cql::FrameView& frame) override;
    void on_failed(const Error& error, Applied applied) override;

  private:
    Bytes frame_;
    OneShot<Outcome> outcome_;
};

}  // namespace penumbra::cluster
