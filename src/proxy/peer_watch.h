#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/log.h"
#include "proxy/proxy_ring.h"
#include "proxy/virtual_tables.h"
#include "runtime/async.h"
#include "runtime/tls_context.h"

namespace penumbra::proxy {

/// Whether one peer counts as up, from what its checks gave. Pure.
///
/// Down after some failures in a row. Up after one success, but a peer that went down again and again has to answer
/// longer each time: clients must not be sent there and back every second.
class PeerHealth {
  public:
    static constexpr int kFailuresUntilDown = 3;
    static constexpr int kMostSuccessesUntilUp = 32;
    static constexpr int kSteadyAfter = 300;  ///< successes in a row after which earlier falls are forgotten

    /// The new state if this changes it.
    std::optional<bool> observe(bool answered);
    bool is_up() const { return up_; }

  private:
    bool up_ = false;
    int failures_ = 0;
    int successes_ = 0;
    int needed_ = 1;
};

struct PeerChange {
    Endpoint address;
    bool up = false;
};

/// Asks every other proxy of the ring once a second whether it is there (OPTIONS on its CQL address) and tells of each
/// change once. Lives on one shard of the process; start() and stop() there.
class PeerWatch {
  public:
    struct Options {
        Nanos every = std::chrono::seconds(1);
        Nanos timeout = std::chrono::seconds(1);
        TlsContextPtr tls;  ///< as a client; null asks in clear
    };
    /// Called on this shard with the state of all and what just changed.
    using OnChange = UniqueFunction<void(ProxiesUp, PeerChange)>;

    PeerWatch(ProxyRingPtr ring, OnChange on_change, Options options);
    void start();
    Task<void> stop();

  private:
    static Task<void> watch(PeerWatch* self, std::size_t index);

    ProxyRingPtr ring_;
    OnChange on_change_;
    Options options_;
    Log log_{"proxy"};
    std::vector<PeerHealth> health_;  ///< by place in the ring
    StopSignal stop_;
    Gate gate_;
};

}  // namespace penumbra::proxy
