#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "cql/ddl/translate.h"
#include "cql/protocol/frame_edit.h"
#include "journal/journal.h"
#include "proxy/client_connection.h"
#include "proxy/data_plane.h"
#include "proxy/exchange.h"
#include "proxy/peer_watch.h"
#include "proxy/prepared.h"
#include "proxy/schema_changes.h"
#include "proxy/scope_gate.h"
#include "proxy/shadow_breaker.h"
#include "proxy/text_cache.h"
#include "proxy/virtual_tables.h"
#include "runtime/listener.h"

namespace penumbra::sync {
class RangeOrders;
}

namespace penumbra::proxy {

/// When a shadowed write is in the journal (docs/journal.md, "Durability").
enum class Durability : std::uint8_t {
    acked,   ///< before it is acknowledged, if the shadow has not got it
    intent,  ///< before anybody is asked, that its rows may come to differ
};
/// What the client of a scope in shadow_sync hears when the shadow does not take a write that the primary took.
enum class OnShadowFailure : std::uint8_t {
    journal,  ///< success, once the journal has it
    strict,   ///< a write timeout; the journal has it all the same
};

struct ProxyOptions {
    Endpoint listen;
    ProxyRingPtr ring;         ///< the proxies that clients are told of; null: nobody but this one, at `listen`
    std::string datacenter;    ///< of all proxies; empty: the primary's local one
    std::string cluster_name;  ///< that drivers are told; empty: the primary's
    Nanos request_timeout = std::chrono::seconds(10);  ///< by then the client has an answer
    Nanos schema_timeout = std::chrono::seconds(60);   ///< of schema changes and TRUNCATE, on each cluster
    Nanos shadow_timeout = std::chrono::seconds(2);    ///< how long a write waits for the shadow before it is owed
    std::uint32_t max_frame_bytes = 16u << 20;
    std::size_t max_in_flight_per_client = 2048;
    std::size_t max_unsent_per_client = 4u << 20;  ///< bytes; past it nothing more is read from that client
    cql::ProtocolVersion newest_version = cql::ProtocolVersion::v5;  ///< clients are offered none above
    LoginPolicy logins;
    Durability durability = Durability::acked;
    OnShadowFailure on_shadow_failure = OnShadowFailure::journal;
    std::optional<cql::Consistency> shadow_consistency;  ///< of writes to the shadow; none: as the client says
    ShadowBreaker::Options breaker;
    /// Past either a write that the shadow is owed becomes an order to resync what it touched of the ring.
    std::uint64_t journal_quota = ~std::uint64_t{0};         ///< bytes on disk
    std::uint64_t journal_most_entries = ~std::uint64_t{0};  ///< owed: each takes memory
    std::size_t max_prepared = 65536;
    std::size_t max_cached_texts = 4096;  ///< per shard
};

/// What all shards of the proxy share. Outlives them.
struct ProxyContext {
    ProxyOptions options;
    cluster::Cluster* clusters[2] = {};  ///< by Side
    journal::Journal* journal = nullptr;
    sync::RangeOrders* range_orders = nullptr;
    PreparedRegistry* prepared = nullptr;
    TlsContextPtr tls;  ///< of the listener; null: clients speak in clear
    std::shared_ptr<SchemaChanges> schema_changes = std::make_shared<SchemaChanges>();
    cql::ddl::Options ddl[2];  ///< by the Side that schema changes are translated for
    /// Loads the schema anew and publishes it to every shard; runs on the caller's shard.
    std::function<Task<Status>()> refresh_schema;

    cluster::Cluster& cluster(routing::Side side) const { return *clusters[static_cast<std::size_t>(side)]; }
};

/// One shard of the proxy: its listener, clients, exchanges, gates and counters. Built, used and destroyed on its
/// shard.
class ProxyShard final : Deferred {
  public:
    ProxyShard(ProxyContext& context, routing::RouterPtr router);
    ~ProxyShard();

    Result<Endpoint> listen();
    /// Refuses new clients, lets requests in flight end (bounded by `by`), closes the clients.
    Task<void> stop(Deadline by);

    void publish(routing::RouterPtr router) { router_ = std::move(router); }
    /// A SCHEMA_CHANGE event frame of the primary, as Cluster::on_schema_event() gives it.
    void push_schema_event(const Bytes& frame);
    /// Another proxy came or went: shown in the virtual tables from now on, and told to whoever registered.
    void set_peers(ProxiesUp up, const PeerChange& change);
    ScopeGate& gate(routing::ScopeId scope) {
        const auto number = static_cast<std::size_t>(scope.value());
        if (number < gates_by_number_.size() && gates_by_number_[number]) [[likely]]
            return *gates_by_number_[number];
        return new_gate(scope);
    }
    Traffic traffic() const;

    /// A client whose TLS handshake failed: the operator hears why, since the client's log is elsewhere.
    void client_turned_away(const Error& why);

    // For clients and exchanges.
    ProxyContext& context() { return context_; }
    const ProxyOptions& options() const { return context_.options; }
    const routing::RouterPtr& router() const { return router_; }
    /// The cluster that answers what no table decides.
    routing::Side default_primary() const { return routing::primary_of(router_->default_phase()); }
    cluster::Pool& pool(routing::Side side) { return *pools_[static_cast<std::size_t>(side)]; }
    cluster::Session& session(routing::Side side) { return *sessions_[static_cast<std::size_t>(side)]; }
    Statements& statements() { return statements_; }
    /// What clients may speak at most: what the clusters do that may be asked.
    cql::ProtocolVersion newest_version() const;
    TextCache& texts() { return texts_; }
    cql::FrameEdit& edit() { return edit_; }
    VirtualTables& virtual_tables() { return virtual_tables_; }
    Gate& tasks() { return tasks_; }
    const Log& log() const { return log_; }

    /// Microseconds, strictly increasing on this shard.
    std::int64_t next_timestamp();
    /// For a request of that many bytes; null where the shard's memory does not allow another.
    Exchange* take_exchange(std::size_t frame_bytes);
    /// They run so far ahead of our clock from now on: not behind what a cluster gave out.
    void lead_timestamps(Nanos lead) { timestamp_lead_ = std::chrono::duration_cast<Micros>(lead).count(); }
    ShadowBreaker& breaker(routing::Side shadow) { return breakers_[static_cast<std::size_t>(shadow)]; }
    /// What tells this shard's timeuuids from those of all others.
    std::uint64_t uuid_node() const { return uuid_node_; }
    void give_back(Exchange& exchange);
    /// It holds more than it was given: memory that is there already.
    void charge(Exchange& exchange, std::size_t bytes) {
        memory_.take(bytes);
        exchange.memory_ += bytes;
        exchanges_hold_ += bytes;
    }
    /// The exchange hears of it when its time, or its shadow's, has come.
    void watch_request(Exchange& exchange);
    void watch_shadow(Exchange& exchange);
    /// Exchange::on_turn_end() when everything that this turn of the loop has read was dealt with.
    void tell_at_turn_end(Exchange& exchange);
    /// For what one call needs and nobody keeps.
    Bytes& scratch() { return scratch_; }
    /// Logs a shadow's failure, rate limited: the application does not hear of it, the operator must.
    void report_shadow_failure(const cql::FrameView* frame, const Error* error, routing::Side side);
    /// Logs, rate limited, that the disk did not take in time what that cluster is owed.
    void report_late_journal(routing::Side owed_to);
    /// Counts, and logs rate limited and without its values, what the primary took and our parser does not understand:
    /// a write of which the shadow may not have all, or a read that we may take for one of something else.
    void report_not_understood(std::string_view text, Plan::Kind taken_for);
    /// Starts the exchange again once the schema has been loaded anew.
    void start_after_refresh(Exchange& exchange);

    void client_opened(ClientConnection& client) {
        clients_.insert(&client);
        ++counters_.connections_total;
    }
    void client_closed(ClientConnection& client) { clients_.erase(&client); }

    Traffic& counters() { return counters_; }
    MemoryBudget& memory() { return memory_; }
    /// Whether the journal is past its quota, or past its memory.
    bool journal_is_full() const;

  private:
    // All requests wait equally long, so those of each kind are due in the order in which they came: a list each, and
    // no timer for any one of them.
    template <Exchange::DueHook Exchange::*Hook>
    using DueList = boost::intrusive::list<Exchange, boost::intrusive::member_hook<Exchange, Exchange::DueHook, Hook>,
                                           boost::intrusive::constant_time_size<false>>;
    ScopeGate& new_gate(routing::ScopeId scope);
    void sweep();
    void give_up_shadows();
    void run_deferred() override;
    static Task<void> refresh_and_start(ProxyShard* self);

    ProxyContext& context_;
    Shard& shard_;
    MemoryBudget& memory_;
    MemoryHold idle_;                 ///< what exchanges keep for their next request
    std::size_t exchanges_hold_ = 0;  ///< for those under way
    bool memory_is_short_ = false;    ///< of this turn: shadows are given up at its end
    Log log_{"proxy"};
    routing::RouterPtr router_;
    cluster::Pool* pools_[2];
    std::unique_ptr<cluster::Session> sessions_[2];
    std::unordered_map<routing::ScopeId, ScopeGate> gates_;
    std::vector<ScopeGate*> gates_by_number_;  ///< the same, for the first few thousand numbers: no hash on the way
    Statements statements_;
    TextCache texts_;
    VirtualTables virtual_tables_;
    cql::FrameEdit edit_;
    Bytes scratch_;
    Listener listener_;
    std::set<ClientConnection*> clients_;
    std::vector<std::unique_ptr<Exchange>> exchanges_;
    std::vector<Exchange*> free_;
    DueList<&Exchange::request_hook_> due_requests_;
    DueList<&Exchange::shadow_hook_> due_shadows_;
    TimerId sweep_timer_ = 0;
    std::vector<std::pair<Exchange*, std::uint64_t>> at_turn_end_;
    std::vector<std::pair<Exchange*, std::uint64_t>> told_at_turn_end_;
    std::vector<std::pair<Exchange*, std::uint64_t>> waiting_for_schema_;
    bool refreshing_ = false;
    Gate tasks_;
    Traffic counters_;
    std::int64_t last_timestamp_ = 0;
    std::int64_t timestamp_lead_ = 0;  ///< microseconds
    ShadowBreaker breakers_[2];
    std::uint64_t uuid_node_ = 0;
    LogLimit shadow_failure_log_;
    LogLimit late_journal_log_;
    LogLimit turned_away_log_;
    LogLimit not_understood_log_;
};

}  // namespace penumbra::proxy
