#pragma once

#include <memory>

#include "admin/api.h"
#include "admin/http_server.h"
#include "runtime/shard.h"

namespace penumbra::admin {

/// The API on its HTTP server: requests cross from the server's thread to the control shard, and their answers back.
/// Lives on the control shard.
class AdminServer {
  public:
    AdminServer(Api& api, Shard& control);
    /// After stop(), where listen() succeeded.
    ~AdminServer();
    AdminServer(const AdminServer&) = delete;

    /// Answers from now on. Port 0 takes a free one; the address that it is comes back.
    Result<Endpoint> listen(const Endpoint& at, HttpOptions options = {});
    /// What is under way gets its answer, what comes later 503; then nobody listens any more.
    Task<void> stop();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::admin
