#pragma once

#include "base/function.h"
#include "base/log.h"
#include "base/result.h"
#include "runtime/endpoint.h"
#include "runtime/shard.h"

namespace penumbra {

/// Accepts TCP connections on one shard. Several shards may listen on one address: the kernel spreads the connections
/// over them (SO_REUSEPORT).
class Listener final : Watcher {
  public:
    using Accepted = UniqueFunction<void(int fd, const Endpoint& peer)>;

    Listener() = default;
    ~Listener() { close(); }
    Listener(const Listener&) = delete;

    /// Port 0 takes a free one; see local(). A taken port, a foreign address or a missing right is an error that says
    /// so.
    Result<Endpoint> listen(const Endpoint& at, Accepted accepted);
    void close();
    /// The kernel lets two processes of one user share an address by SO_REUSEPORT, and spreads clients over both: asked
    /// before the first shard listens, this says whether anybody does already.
    static Status require_free(const Endpoint& at);

  private:
    void on_events(std::uint32_t events) override;
    void accept_some();

    int fd_ = -1;
    Accepted accepted_;
    Log log_{"listener"};
    LogLimit refusals_;
};

}  // namespace penumbra
