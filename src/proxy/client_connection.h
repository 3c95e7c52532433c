#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include "base/bytes.h"
#include "cluster/login.h"
#include "cql/language/statement.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "proxy/client_identity.h"
#include "proxy/plan.h"
#include "routing/phase.h"
#include "runtime/memory_budget.h"
#include "runtime/stream.h"
#include "runtime/task.h"

namespace penumbra::proxy {

class ProxyShard;

/// One application's connection: STARTUP, its keyspace, its events; everything else becomes an Exchange. Lives on the
/// shard that accepted it, and stays in memory (closed) until the last of its exchanges has ended.
///
/// Its memory is the shard's budget's (MemoryBudget): what its stream's buffers hold, and a long request when its
/// header is read. What cannot be paid for is answered with OVERLOADED, and a client that does not read its answers is
/// not read from.
class ClientConnection final : Stream::Handler, cql::WireReader::Admission {
  public:
    ClientConnection(ProxyShard& shard, int fd, const Endpoint& peer);
    ~ClientConnection();

    bool is_open() const { return stream_->is_open(); }
    cql::ProtocolVersion version() const { return version_; }
    /// Of its last USE. A request has its own from the moment it came (Exchange), and may outlive this.
    const std::string& keyspace() const { return keyspace_; }

    /// Sends a backend's response frame under the client's stream id. Rows with a paging state get it tagged with
    /// `side`.
    void reply(std::int16_t stream, const cql::FrameView& frame, routing::Side side);
    void reply_error(std::int16_t stream, cql::ErrorCode code, std::string_view message, cql::ErrorDetail detail = {});
    void reply_unprepared(std::int16_t stream, BytesView id);
    /// Encodes a response of our own into the outgoing buffer.
    template <class Encode>
    void respond(std::int16_t stream, Encode encode) {
        if (!is_open()) return;
        cql::ResponseHead head;
        head.version = version_;
        head.stream = stream;
        // Goes out in any case: a refusal would be no less.
        stream_->make_room(kSmallAnswer, Stream::Refusal::never);
        encode(stream_->out(), head);
        stream_->flush_soon();
    }
    void reply_rows(std::int16_t stream, const cql::RowsView& rows, std::optional<cql::Uuid> tracing_id = {},
                    std::span<const std::string> warnings = {});
    /// A schema change on the primary, if the client registered for it.
    void push_schema_event(const cql::SchemaChange& change);
    /// A proxy came or went, if the client registered for it.
    void push_status_event(const Endpoint& proxy, bool up);

    /// The connections on which a request of this client reaches a cluster.
    cluster::Group* group(routing::Side side, Role role, std::string_view keyspace);
    cluster::Pool& pool(routing::Side side);

    void exchange_began() { ++in_flight_; }
    void exchange_ended();
    void close();

  private:
    /// An answer that is no longer than an error would be.
    static constexpr std::size_t kSmallAnswer = 512;

    friend void intrusive_ptr_add_ref(ClientConnection* client) { ++client->references_; }
    friend void intrusive_ptr_release(ClientConnection* client);
    using Ptr = boost::intrusive_ptr<ClientConnection>;

    std::size_t on_data(MutableBytes data) override;
    void on_closed(const Error& why) override;
    void on_drained() override;
    void before_flush(Bytes& out, std::size_t from) override;
    bool admit(const cql::FrameHeader& header, std::size_t total) override;
    std::size_t read(MutableBytes data);
    void forget_memory();
    void refuse_overload(std::int16_t stream, std::size_t bytes);
    bool is_behind() const;
    void read_on_if_ready();
    /// False when the connection is to be left alone from now on.
    bool handle(const cql::FrameView& frame);
    /// Answers a frame of a version that we do not speak; true when it will be passed over. Not closed and false: more
    /// of it has to come first.
    bool refuse_version(BytesView data);
    void send_version_error(std::uint8_t asked);
    void refuse_size(const cql::FrameHeader& header);
    void handle_startup(const cql::FrameView& frame);
    /// What a server says of a message that comes in the wrong state of its connection.
    std::string unexpected(cql::Opcode opcode) const;
    void handle_register(const cql::FrameView& frame);
    static Task<void> authenticate(Ptr self, std::int16_t stream, Bytes token);
    static Task<void> use(Ptr self, std::int16_t stream, std::string keyspace);
    /// Answers a statement that is no exchange's: what is ours to say, or takes several steps on both clusters.
    /// `frame`: the request as it came. `keyspace`: what completes the statement's names; not always the connection's.
    void run(std::int16_t stream, Plan::Kind kind, BytesView frame, std::string_view text,
             const cql::Statement& statement, const std::string& keyspace);
    void hold_back_if_busy();

    friend class Exchange;

    enum class State : std::uint8_t {
        new_,
        authenticating,  ///< AUTHENTICATE or AUTH_CHALLENGE was sent, and an AUTH_RESPONSE is due
        judged,          ///< the primary looks at an AUTH_RESPONSE; nothing but OPTIONS is taken until it has said
        ready
    };

    ProxyShard& shard_;
    std::unique_ptr<Stream> stream_;
    State state_ = State::new_;
    cql::ProtocolVersion version_ = cql::ProtocolVersion::v4;
    ClientIdentity identity_;
    std::unique_ptr<cluster::LoginAttempt> login_attempt_;  ///< after an AUTH_CHALLENGE, until the next AUTH_RESPONSE
    routing::Side login_side_ = routing::Side::source;
    std::string keyspace_;
    bool wants_schema_events_ = false;
    bool wants_status_events_ = false;
    std::size_t in_flight_ = 0;
    MemoryHold arriving_;  ///< for a long request that is not all there
    MemoryHold kept_;      ///< of pieces of a short one that the reader holds
    cql::WireReader reader_;
    cql::WireWriter writer_;
    bool in_segments_ = false;
    std::size_t skip_ = 0;  ///< bytes of a refused version's frame still to be passed over
    int references_ = 0;
};
using ClientPtr = boost::intrusive_ptr<ClientConnection>;

}  // namespace penumbra::proxy
