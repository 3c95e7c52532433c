#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "cluster/identity.h"
#include "cluster/request.h"
#include "cluster/supported.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "runtime/async.h"
#include "runtime/memory_budget.h"
#include "runtime/stream.h"

namespace penumbra::cluster {

struct TabletHint;

struct ConnectionOptions {
    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    std::string keyspace = {};                              ///< USEd after the start; empty for none
    LoginPtr login = {};                                    ///< sent when the node asks for authentication
    cql::Compression compression = cql::Compression::none;  ///< used where the node offers it for the version
    std::size_t max_in_flight = 4096;
    std::size_t max_unsent = 4u << 20;  ///< bytes that the node has not taken; past it no further request is sent
    TlsContextPtr tls;                  ///< null: in clear
    Nanos heartbeat = std::chrono::seconds(30);  ///< of silence with no answer due, before OPTIONS is sent
    /// Half of it in silence with answers due, and OPTIONS is sent; all of it in silence after that, and the connection
    /// is given up. So a dead peer costs at most twice this, and a peer that is only slow costs nothing.
    Nanos dead_after = std::chrono::seconds(15);
    std::uint16_t source_port = 0;  ///< ours; 0: any. A ScyllaDB node's shard-aware port takes the shard from it.
};

/// One connection to one node, shared by many clients' requests. Made by open(), which returns it ready for requests;
/// it closes itself when the peer misbehaves or falls silent, and fails what was in flight as Applied::unknown.
/// Lives on one shard; destroyed through Shard::dispose().
class Connection final : Stream::Handler, cql::WireReader::Admission {
  public:
    class Owner {
      public:
        virtual void on_connection_lost(Connection& connection, const Error& why) = 0;
        /// An id came free, or the node took what it was sent, after can_send() was false.
        virtual void on_capacity(Connection& connection) = 0;
        virtual void on_event(const cql::FrameView& frame) = 0;
        /// A reply to a request for this table said where a tablet is.
        virtual void on_tablet(TableRoute&, const TabletHint&) {}

      protected:
        ~Owner() = default;
    };

    /// Connects, starts, logs in and USEs the keyspace. Errc::server is the node's own ERROR, its text unchanged.
    static Task<Result<std::unique_ptr<Connection>>> open(Endpoint to, ConnectionOptions options, Owner* owner,
                                                          Deadline by);
    /// Only up to the answer to STARTUP: authenticator() says whether the node wants to know who we are.
    static Task<Result<std::unique_ptr<Connection>>> greet(Endpoint to, ConnectionOptions options, Deadline by);
    Connection(std::unique_ptr<Stream> stream, ConnectionOptions options, Owner* owner);
    ~Connection();

    /// After greet(): sends one AUTH_RESPONSE and gives the node's answer (AUTH_CHALLENGE, AUTH_SUCCESS, ERROR).
    Task<Result<Bytes>> authenticate(Bytes token, Deadline by);
    Task<Status> use_keyspace(std::string keyspace, Deadline by);

    /// Sends now (it leaves at the end of the turn), or says false when no stream id is free or it is closed.
    bool send(Request& request);
    bool can_send() const { return open_ && in_flight() < options_.max_in_flight && !is_congested(); }
    bool is_open() const { return open_; }
    /// Requests that no answer came to yet, also those that nobody waits for any more.
    std::size_t in_flight() const { return ids_.taken() - (probe_ && probe_->is_pending() ? 1 : 0); }
    const Endpoint& peer() const { return stream_->peer(); }
    /// The node by which Request::node() calls it: the peer, unless that is another port of a node known by its own.
    void stands_for(const Endpoint& node) { node_ = node; }
    const ConnectionOptions& options() const { return options_; }
    const Supported& supported() const { return supported_; }
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
    void on_drained() override;
    bool admit(const cql::FrameHeader& header, std::size_t total) override;
    /// A node that stopped reading: what is written for it piles up here.
    bool is_congested() const { return stream_->blocked() && stream_->unsent() >= options_.max_unsent; }
    bool no_memory_for(const cql::FrameScan& scan);
    void tell_capacity();
    void before_flush(Bytes& out, std::size_t from) override { writer_.encode(out, from); }
    bool take_frame(const cql::FrameView& frame);
    void give(Request& request, const cql::FrameView& frame);
    Task<Status> start_up(Deadline by);
    Task<Status> log_in(Deadline by);
    bool take_id_and_write(Request& request);
    void check_silence();
    void send_probe(SteadyTime now);

    std::unique_ptr<Stream> stream_;
    Endpoint node_;
    ConnectionOptions options_;
    Owner* owner_;
    MemoryHold arriving_{Shard::here().memory()};  ///< for a long answer that is not all there
    cql::WireReader reader_{cql::Direction::response};
    cql::WireWriter writer_;
    Log log_{"cluster"};
    StreamIds ids_;
    bool open_ = true;
    bool was_full_ = false;
    bool tablets_ = false;  ///< replies may carry tablets-routing-v1
    Supported supported_;
    std::optional<std::string> authenticator_;
    SteadyTime last_heard_;
    SteadyTime waiting_since_;  ///< the last answer to a request, or when the oldest now due was sent, if later
    TimerId silence_timer_ = 0;
    std::unique_ptr<Request> probe_;  ///< OPTIONS, pending while it is unanswered
    SteadyTime probed_at_;
    cql::FrameEdit edit_;
    Bytes edited_;
};

}  // namespace penumbra::cluster
