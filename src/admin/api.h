#pragma once

#include <functional>
#include <optional>
#include <string>

#include "admin/http.h"
#include "config/registry.h"
#include "control/coordinator.h"
#include "control/set_aside.h"
#include "metrics/exposition.h"
#include "proxy/schema_changes.h"
#include "runtime/endpoint.h"
#include "sync/replayer.h"

namespace penumbra::admin {

/// What the API tells and nobody below knows.
struct ApiOptions {
    std::string version;
    Endpoint listen;                             ///< where clients connect
    SteadyTime started;                          ///< of the process
    const config::Registry* settings = nullptr;  ///< listed when there
    const metrics::Collectors* collectors = nullptr;
    const proxy::SchemaChanges* schema_changes = nullptr;
    control::SetAside* set_aside = nullptr;
    std::uint64_t journal_quota = 0;         ///< 0: not told
    std::uint64_t journal_most_entries = 0;  ///< 0: not told
    std::function<sync::ReplayCounts(routing::Side owed)> replay = {};
};

/// docs/admin-api.md: requests to answers, without sockets. Lives on the control shard.
class Api {
  public:
    Api(control::Coordinator& coordinator, ApiOptions options);

    /// Always an answer; never fails.
    Task<HttpResponse> handle(HttpRequest request);

  private:
    Task<Result<HttpResponse>> route(HttpRequest request);
    Task<Result<HttpResponse>> status();
    Task<Result<HttpResponse>> metrics();
    Task<Result<HttpResponse>> migrations(HttpRequest request);
    Task<Result<HttpResponse>> change(std::string name, control::Command command, std::string body);
    Task<Result<HttpResponse>> start_job(std::string name, control::JobKind kind, std::string body);
    Result<HttpResponse> tenants(const HttpRequest& request) const;
    Task<Result<HttpResponse>> journal();
    /// `verb`: empty to list; retry, resync or drop.
    Task<Result<HttpResponse>> set_aside(HttpRequest request, std::optional<std::string> migration, std::string verb);
    HttpResponse settings() const;
    HttpResponse schema_changes() const;

    control::Coordinator& coordinator_;
    ApiOptions options_;
};

}  // namespace penumbra::admin
