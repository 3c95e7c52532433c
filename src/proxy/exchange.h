#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>

#include "base/clock.h"
#include "cluster/pool.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"
#include "journal/journal.h"
#include "proxy/client_connection.h"
#include "proxy/plan.h"
#include "proxy/prepared.h"
#include "proxy/scope_gate.h"
#include "sync/owed_write.h"

namespace penumbra::proxy {

class ProxyShard;

/// Whether a server that answered with this error has surely done nothing. Timeouts and failures come after replicas
/// were asked; an overloaded coordinator may have asked some.
bool surely_refused(cql::ErrorCode code);
/// Whether it says something of this statement, and nothing of how the cluster does.
bool is_about_the_statement(cql::ErrorCode code);

/// One client request in flight on one or two clusters: owns its deadline, the merge rule and the one answer.
///
///     begin ─→ [held by a fence] ─→ primary leg ──────────────┐
///                               └─→ shadow leg, [journal] ────┴─→ answer ─→ what is left to settle ─→ finish
///
/// Merge rule: the primary's answer is the answer. A write that the primary took is acknowledged when the shadow has it
/// too or the journal has it on disk; in shadow_async the journal is not waited for longer than the shadow is late.
/// A write that the primary did not surely refuse or take, and what cannot be sent twice, becomes a resync order.
///
/// Exchanges belong to their ProxyShard, which reuses them with their buffers.
class Exchange {
  public:
    explicit Exchange(ProxyShard& shard);
    Exchange(const Exchange&) = delete;

    /// One statement of the request: all of it, or a child of a BATCH.
    struct Piece {
        PlanPtr plan;
        cql::ValuesView values;  ///< views of our own copy of the frame
        PreparedPtr prepared;    ///< null for text
        PreparedPtr asked;       ///< what the client named, where another one is executed for it; else null
        bool evaluated = false;  ///< its text is ours, and never comes back

        const PreparedText& named_by_client() const { return *(asked ? asked : prepared)->text; }
        std::string_view text;  ///< in our copy of the frame; empty for prepared ones
    };
    /// What a request of that size may take at once: our copy, one for each cluster's connection, the journal's.
    static constexpr std::size_t cost_of(std::size_t frame_bytes) { return kOverhead + 4 * frame_bytes; }
    /// Takes a copy of a QUERY, EXECUTE, BATCH or PREPARE frame and starts. A frame that makes no sense, or an id that
    /// nobody prepared, is answered at once.
    void begin(ClientPtr client, const cql::FrameView& frame);
    /// Routes and sends; called again when a fence or a schema load that it waited for is over.
    void start();

    /// The request's deadline, or the shadow's, has come.
    void on_request_deadline();
    void on_shadow_deadline();
    /// Where only the shadow is waited for, whom the journal can stand in for: not any longer, for its memory is
    /// needed. False: something else is waited for, too.
    bool give_up_shadow();
    /// The shadow has had the rest of the turn in which the primary answered.
    void on_turn_end();
    std::uint64_t serial() const { return serial_; }
    bool is_free() const { return !active_; }

  private:
    static constexpr std::size_t kOverhead = 512;  ///< stream ids, short answers, places in lists

    /// Of ProxyShard's lists of what is due.
    using DueHook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    enum class Outcome : std::uint8_t { unused, pending, ok, refused, unknown };

    /// The request on its way to one of the two clusters.
    class Leg final : public cluster::Request {
      public:
        Leg(Exchange& exchange, bool is_primary) : exchange_(exchange), is_primary_(is_primary) {}
        void write_to(Bytes& out, std::int16_t stream) override;
        void on_reply(const cql::FrameView& frame) override;
        void on_failed(const Error& error, cluster::Applied applied) override;

        void send(routing::Side to);
        void reset() {
            cancel();
            outcome = Outcome::unused;
            preparing_.reset();
            sent_again_ = 0;
        }
        Role role() const { return is_primary_ ? Role::primary : Role::shadow; }
        bool is_pending_outcome() const { return outcome == Outcome::pending; }

        Outcome outcome = Outcome::unused;
        routing::Side side = routing::Side::source;

      private:
        bool prepare_missing(const Endpoint* node);
        void prepared(const cql::FrameView& frame);
        void submit(const Endpoint* node);
        void end(Outcome how, const cql::FrameView* frame, const Error* error);
        void end_unprepared(const PreparedPtr& statement, std::string why);

        Exchange& exchange_;
        bool is_primary_;
        PreparedPtr preparing_;  ///< not null while a PREPARE is on its way
        int sent_again_ = 0;
    };

    /// False when it has been answered already.
    bool decode();
    /// A statement that is not forwarded but run by the connection (USE, system.local, schema): true when it was.
    bool hand_over();
    bool add_prepared(BytesView id, const cql::ValuesView& values);
    void add_text(std::string_view text, const cql::ValuesView& values);
    void plan_pieces();
    /// What would differ on two clusters (now(), uuid()) becomes values, in our copy of the frame.
    /// False: the request has been answered.
    bool evaluate_volatiles();
    /// Whether the clusters would make different times of a value that is bound.
    bool binds_server_time() const;
    void find_token();
    bool pass_gates();
    /// Where a marker is named more than once: what any cluster understands.
    void settle_repeated_names(cql::FrameEdit& edit) const;
    /// True when the primary would execute the write without its condition, unlike the cluster the client came from:
    /// the client was told that it was not executed.
    bool refuse_lost_condition();
    /// Whether a frame goes to that cluster with no more changed in it than its stream, its id, its timestamp and its
    /// consistency level.
    bool is_plain_execute(const BackendStatement& there, routing::Side side, Role role) const;
    /// At which the operator wants it there; else the client's own.
    std::optional<cql::Consistency> level_on(Role role) const;
    void write_request(Bytes& out, std::int16_t stream, routing::Side side, Role role);
    /// Where the rows of its (first) statement are on that cluster; null where no table is known.
    cluster::TableRoute* place_on(routing::Side side);
    void primary_ended(const cql::FrameView* frame, const Error* error);
    void shadow_ended(const cql::FrameView* frame, const Error* error);
    void end_waiting_for_shadow(const Error& why);
    void send_legs();
    void send_to_shadow();
    void advance();
    /// Puts the statement, or the order to resync its rows, into the journal.
    /// The form in which a write is owed that the primary took.
    enum class Owed : std::uint8_t {
        statement,  ///< may be sent again
        lists,      ///< may be sent again without what it adds to lists
        rows,       ///< orders to resync its rows
    };
    Owed owed_as() const;
    /// Two such writes that are under way together may reach the clusters in either order, and lists keep the order of
    /// arrival: its rows are compared afterwards even when both clusters have it.
    bool adds_to_lists() const;
    void owe(Owed what);
    /// With which read a resync must begin, if what was written may be no more than accepted by Paxos.
    std::optional<cql::Consistency> serial_read() const;
    /// One order to resync, in the shard's scratch.
    struct OwedOrder {
        std::size_t at;
        std::size_t size;
    };
    using OwedOrders = boost::container::small_vector<OwedOrder, 4>;
    /// One for each row that the statements touch.
    void encode_orders(OwedOrders& orders) const;
    /// Behind what is there. `row`: its clustering columns, or none.
    void encode_order(const Piece& piece, const PlanPart& part, const ClusteringKey& row,
                      std::optional<cql::Consistency> serial) const;
    /// Of so many rows the partitions are owed.
    bool owes_single_rows() const;
    bool touches_rows() const;
    bool is_conditional() const;
    Scopes owing_scopes() const;
    /// In the shard's scratch.
    BytesView owed_statement(sync::AddsToLists adds_to_lists);
    void append(routing::ScopeId scope, BytesView payload);
    /// The journal has no room for what is owed: the slices of the ring that it touches are resynced instead.
    void owe_ranges();
    void owing_ended(Status how);
    void settle_or_release();
    void report_strange_pieces();
    /// True: the intent is on its way to the disk, and send_legs() follows.
    bool append_intents();
    void intents_ended();
    void settle_intents();
    void intents_become_owed();
    /// The operator wants the client to hear that the shadow has not got it.
    bool must_tell_of_shadow() const;
    static bool changed_nothing(const cql::FrameView& frame);

    void answer_with(const cql::FrameView& frame);
    void answer_kept();
    /// For a primary that gave no answer of its own.
    void answer_failure(const Error& error, cluster::Applied applied);
    void answer_prepared(const cql::FrameView& frame);
    /// Rows that say that their columns changed (v5): true when they were the answer.
    bool answer_new_columns(const cql::FrameView& frame);
    void answer_unprepared(const PreparedText& text);
    /// Of the cluster that answers PREPARE: who will execute it, as far as that does not depend on values.
    routing::Phase preparing_phase(const Plan& plan) const;
    /// "SIMPLE", "BATCH", ..: how the servers' errors name the write.
    std::string_view write_type() const;
    void finish();
    void leave_gates();

    // With a few thousand requests in flight each line of memory touched is a cache miss: what every request uses comes
    // first and in few lines, what only some use behind it.
    ProxyShard& shard_;
    ClientPtr client_;
    std::uint64_t serial_ = 0;  ///< grows with each reuse: who remembers an exchange does not meet a new request
    DueHook request_hook_;
    DueHook shadow_hook_;
    SteadyTime request_due_;
    SteadyTime shadow_due_;
    std::int16_t stream_ = 0;
    cql::ProtocolVersion version_ = cql::ProtocolVersion::v4;
    cql::Opcode opcode_ = cql::Opcode::query;
    Plan::Kind kind_ = Plan::Kind::read;
    Mirroring mirroring_ = Mirroring::exact;
    routing::Phase phase_ = routing::Phase::source_only;
    bool active_ = false;
    bool mirrored_ = false;
    bool answered_ = false;
    bool advancing_ = false;
    bool needs_keyspace_ = false;
    bool has_strange_piece_ = false;    ///< that our parser does not understand
    bool repeats_names_ = false;        ///< some statement of it names a marker twice
    bool binds_json_ = false;           ///< some statement of it binds JSON that may hold a timestamp
    bool has_json_condition_ = false;   ///< some statement of it is an INSERT JSON with a condition
    bool refreshed_ = false;            ///< the schema was loaded anew for an unknown table
    bool shadow_refused_text_ = false;  ///< invalid there: sending it again would be refused again
    bool nothing_changed_ = false;      ///< a condition that did not hold
    bool waiting_for_schema_ = false;
    ScopeGate* waiting_at_ = nullptr;
    boost::container::small_vector<std::pair<ScopeGate*, ScopeGate::Turn>, 2> entered_;
    Leg primary_{*this, true};
    boost::container::small_vector<Piece, 1> pieces_;
    Bytes frame_;             ///< the request as the client sent it
    std::size_t memory_ = 0;  ///< taken of the shard's budget
    cql::FrameView view_;
    // What decoding it said; of an earlier request where this one's opcode has no such part.
    cql::ExecutedView executed_;
    cql::ParametersView parameters_;
    cql::RequestPrefix prefix_;
    std::optional<std::int64_t> timestamp_;
    std::optional<cql::Token> token_;         ///< of the partition that its (first) statement is about
    std::optional<routing::Side> page_side_;  ///< whose paging state the request carries
    Scopes scopes_;
    std::string session_keyspace_;  ///< the connection's, or the request's own

    std::string_view query_;  ///< QUERY, PREPARE: in frame_
    cql::BatchType batch_type_ = cql::BatchType::logged;
    cql::BatchChildren children_;
    SteadyTime held_since_;
    Leg shadow_{*this, false};
    PreparedPtr unprepared_;      ///< what the client has to prepare again, when that is the answer
    Bytes reply_;                 ///< the primary's answer, while the shadow or the journal is waited for
    std::size_t idle_bytes_ = 0;  ///< of its buffers, as counted when it ended last
    Error failure_;               ///< or why there is none

    enum class Owing : std::uint8_t { no, appending, durable, failed };
    Owing owing_ = Owing::no;
    bool turn_ended_ = false;   ///< since the primary answered and the shadow had not
    bool owing_ended_ = false;  ///< settled or released
    std::size_t appends_ = 0;
    std::vector<journal::EntryId> entries_;
    bool ranges_owed_ = false;
    Error owe_error_;
    std::vector<journal::EntryId> intents_;  ///< on disk before anybody was asked
    std::size_t intents_under_way_ = 0;
    Error intent_error_;

    friend class ProxyShard;
};

}  // namespace penumbra::proxy
