#include "admin/server.h"

#include "runtime/async.h"
#include "runtime/gate.h"

namespace penumbra::admin {

struct AdminServer::State {
    State(Api& a, Shard& shard) : api(a), control(shard) {}
    Api& api;
    Shard& control;
    Gate gate;
    std::unique_ptr<HttpServer> server;

    static Task<void> answer(Api* api, HttpRequest request, HttpServer::Reply reply) {
        auto response = co_await api->handle(std::move(request));
        reply(std::move(response));
    }
    void take(HttpRequest request, HttpServer::Reply reply) {
        if (gate.is_closed()) {
            reply(error_response({Errc::unavailable, "penumbra is stopping"}));
            return;
        }
        gate.spawn(answer(&api, std::move(request), std::move(reply)));
    }
};

AdminServer::AdminServer(Api& api, Shard& control) : state_(std::make_unique<State>(api, control)) {}
AdminServer::~AdminServer() = default;

Result<Endpoint> AdminServer::listen(const Endpoint& at, HttpOptions options) {
    options.listen = at;
    auto* state = state_.get();
    auto started = HttpServer::start(std::move(options), [state](HttpRequest request, HttpServer::Reply reply) {
        state->control.post([state, request = std::move(request), reply = std::move(reply)]() mutable {
            state->take(std::move(request), std::move(reply));
        });
    });
    TRY(state->server, std::move(started));
    return state->server->local();
}

Task<void> AdminServer::stop() {
    state_->gate.close();
    co_await state_->gate.drained();
    if (!state_->server) co_return;
    // Joining its thread may take a moment, and this shard must not stand still: requests that still come are answered
    // here.
    Worker joiner("admin-stop");
    auto* server = state_->server.get();
    auto joining = joiner.run([server] {
        server->stop();
        return Unit{};
    });
    co_await std::move(joining);
    // Whatever the server posted before it ended has run: the joiner's post came after.
    state_->server.reset();
}

}  // namespace penumbra::admin
