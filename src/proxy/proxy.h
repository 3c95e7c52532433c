#pragma once

#include <memory>
#include <vector>

#include "proxy/data_plane.h"
#include "proxy/proxy_shard.h"

namespace penumbra::proxy {

/// The proxy on all its shards: starts and stops them, and is the data plane that the control plane steers.
class Proxy final : public DataPlane {
  public:
    /// The clusters are started on these shards already, the first publish() makes the rest; `context` outlives this.
    Proxy(ProxyContext& context, std::vector<Shard*> shards);
    ~Proxy() override;

    /// Takes clients from now on, by the router published before. The address bound (port 0 takes a free one, with one
    /// shard).
    Task<Result<Endpoint>> listen();
    Task<void> stop(Deadline by);

    Task<void> publish(routing::RouterPtr router) override;
    Task<Traffic> traffic() override;
    Task<void> lead_timestamps(Nanos lead) override;
    void share_hold(routing::ScopeId scope) override;
    bool unshare_hold(routing::ScopeId scope) override;
    Task<HoldReport> last_hold(routing::ScopeId scope) override;
    Task<Status> settle(routing::ScopeId scope, Deadline by) override;
    Task<Status> hold(routing::ScopeId scope, Deadline by) override;
    Task<void> release(routing::ScopeId scope) override;

    /// From the control shard: to every client that registered for it.
    void push_schema_event(const Bytes& frame);
    /// From the control shard: what PeerWatch found.
    void set_peers(const ProxiesUp& up, const PeerChange& change);

  private:
    struct PerShard {
        Shard* shard;
        std::unique_ptr<ProxyShard> proxy;
    };

    struct Hold {
        SteadyTime since;
        bool shared = false;    ///< one other may join
        bool borrowed = false;  ///< one has
    };
    enum class Taken : std::uint8_t { no, alone, shared };
    Taken take_hold(routing::ScopeId scope);
    /// True when another one goes on holding the scope.
    bool leave_hold(routing::ScopeId scope);

    ProxyContext& context_;
    std::vector<PerShard> shards_;
    std::mutex mutex_;  // guards the two below: holds come from any background shard
    std::unordered_map<routing::ScopeId, Hold> holds_;
    std::unordered_map<routing::ScopeId, HoldReport> reports_;
};

}  // namespace penumbra::proxy
