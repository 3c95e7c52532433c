#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "base/result.h"
#include "null_server/answers.h"
#include "null_server/catalog.h"
#include "runtime/endpoint.h"
#include "runtime/listener.h"

namespace penumbra::bench {

/// A CQL node without data: any handshake, system tables of one node and one tenant table, and for that table's
/// statements the same answer each time, at the cost of little more than the two system calls that many requests share.
/// Speaks v3, v4 and v5, with LZ4 or Snappy where a client asks for it. Lives on one shard; several may share an
/// address.
class NullServer {
  public:
    /// Both must outlive it.
    NullServer(const Catalog& catalog, const Answers& answers);
    ~NullServer();
    NullServer(const NullServer&) = delete;

    Result<Endpoint> listen(const Endpoint& at);
    std::size_t connections() const { return peers_.size(); }

  private:
    class Peer;
    void forget(Peer& peer);

    const Catalog& catalog_;
    const Answers& answers_;
    Listener listener_;
    std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
};

}  // namespace penumbra::bench
