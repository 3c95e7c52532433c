#pragma once

#include <functional>
#include <memory>

#include "admin/http.h"
#include "base/clock.h"
#include "base/function.h"
#include "base/result.h"
#include "runtime/endpoint.h"

namespace penumbra::admin {

struct HttpOptions {
    Endpoint listen;
    std::size_t max_body = 1 << 20;
    std::size_t max_connections = 256;  ///< more wait in the kernel's queue
    Nanos idle_timeout = Seconds(30);   ///< for a request to arrive whole, and for its answer to be taken
};

/// HTTP/1.1 on a thread of its own. Answers are made elsewhere: the handler is called on this thread and hands the
/// request on; `reply` may be called once, on any thread, also after the server is gone. What is no HTTP, too large or
/// too slow is answered or hung up on without the handler hearing of it.
class HttpServer {
  public:
    using Reply = std::function<void(HttpResponse)>;
    using Handler = std::function<void(HttpRequest, Reply)>;

    /// Binds at once; a taken port, a foreign address or a missing right is an error that says so. Port 0 takes a free
    /// one.
    static Result<std::unique_ptr<HttpServer>> start(HttpOptions options, Handler handler);
    /// stop()
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;

    Endpoint local() const;
    /// Takes no new connections, lets requests under way have their answers for at most `patience`, joins the thread.
    void stop(Nanos patience = Seconds(2));

  private:
    struct State;
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::admin
