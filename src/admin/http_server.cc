#include "admin/http_server.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "base/log.h"

namespace penumbra::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

namespace {

tcp::endpoint to_asio(const Endpoint& endpoint) {
    boost::system::error_code ignored;  // it was parsed before
    return {asio::ip::make_address(endpoint.host(), ignored), endpoint.port()};
}

std::string text_of(beast::string_view text) {
    return {text.data(), text.size()};
}

class Session;

/// The way back for answers, which come from other threads and perhaps after the server is gone.
struct Door {
    std::mutex mutex;  // guards the pointer
    asio::io_context* context = nullptr;
};

/// What the sessions share. The server's thread only. The context comes last: pending work goes first, and with it the
/// sessions, which still look at the rest.
struct Shared {
    Shared(HttpOptions given, HttpServer::Handler h) : options(std::move(given)), handler(std::move(h)) {
        door->context = &context;
    }
    HttpOptions options;
    HttpServer::Handler handler;
    std::shared_ptr<Door> door = std::make_shared<Door>();
    std::set<Session*> sessions;
    std::map<std::uint64_t, std::shared_ptr<Session>> awaiting_answer;
    std::uint64_t next_request = 1;
    bool accepting = false;
    bool stopping = false;
    Log log{"admin"};
    asio::io_context context{1};
    tcp::acceptor acceptor{context};
    asio::steady_timer accept_again{context};
    asio::steady_timer stop_limit{context};
    asio::steady_timer stop_poll{context};
};

void accept_next(Shared& shared);

/// One connection: read a request, have it answered, write, again.
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
        shared_.sessions.insert(this);
    }
    ~Session() {
        shared_.sessions.erase(this);
        accept_next(shared_);  // there is room for one more
    }
    Session(const Session&) = delete;

    void read() {
        parser_.emplace();
        parser_->body_limit(shared_.options.max_body);
        parser_->header_limit(16 * 1024);
        expire();
        busy_ = false;
        http::async_read(stream_, buffer_, *parser_,
                         [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
    }
    void respond(HttpResponse from, unsigned status = 0) {
        if (!stream_.socket().is_open()) return;
        busy_ = true;
        response_.emplace();
        response_->result(status != 0 ? status : from.status);
        response_->version(11);
        response_->set(http::field::server, "penumbra");
        response_->set(http::field::content_type, from.content_type);
        response_->set(http::field::cache_control, "no-store");
        response_->keep_alive(keep_alive_ && !shared_.stopping);
        response_->body() = std::move(from.body);
        response_->prepare_payload();
        expire();
        http::async_write(stream_, *response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error || !self->response_->keep_alive() || self->shared_.stopping) return self->close();
            self->read();
        });
    }
    /// No further request; one under way is answered.
    void finish() {
        if (!busy_) close();
    }
    void close() {
        beast::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
        stream_.close();
    }

  private:
    void expire() {
        stream_.expires_after(
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(shared_.options.idle_timeout));
    }

    void on_read(beast::error_code error) {
        if (error == http::error::end_of_stream || error == beast::error::timeout ||
            error == asio::error::operation_aborted)
            return close();
        if (error == http::error::body_limit) {
            return respond(error_response({Errc::invalid_argument, fmt::format("the request is larger than {} bytes",
                                                                               shared_.options.max_body)}),
                           413);
        }
        if (error.category() == http::make_error_code(http::error::bad_method).category()) {
            return respond(error_response({Errc::invalid_argument, "this is no HTTP request: " + error.message()}),
                           400);
        }
        if (error) return close();
        busy_ = true;
        // The answer may take as long as the command does; commands bring their own bounds.
        stream_.expires_never();
        const auto& message = parser_->get();
        keep_alive_ = message.keep_alive();
        auto path = split_target({message.target().data(), message.target().size()});
        if (!path) return respond(error_response(path.error()));
        HttpRequest request;
        request.method = text_of(message.method_string());
        request.path = std::move(path).value();
        request.body = message.body();
        request.host = text_of(message[http::field::host]);
        request.origin = text_of(message[http::field::origin]);
        const auto id = shared_.next_request++;
        shared_.awaiting_answer.emplace(id, shared_from_this());
        shared_.handler(std::move(request), [door = shared_.door, shared = &shared_, id](HttpResponse response) {
            const std::lock_guard lock(door->mutex);
            if (!door->context) return;  // too late; `shared` is gone too
            asio::post(*door->context, [shared, id, response = std::move(response)]() mutable {
                const auto found = shared->awaiting_answer.extract(id);
                if (!found.empty()) found.mapped()->respond(std::move(response));
            });
        });
    }

    beast::tcp_stream stream_;
    Shared& shared_;
    beast::flat_buffer buffer_{32 * 1024 + (1 << 20)};
    std::optional<http::request_parser<http::string_body>> parser_;
    std::optional<http::response<http::string_body>> response_;
    bool busy_ = false;
    bool keep_alive_ = false;
};

void accept_next(Shared& shared) {
    if (shared.stopping || shared.accepting || shared.sessions.size() >= shared.options.max_connections) return;
    shared.accepting = true;
    shared.acceptor.async_accept([&shared](beast::error_code error, tcp::socket socket) {
        shared.accepting = false;
        if (shared.stopping) return;
        if (error) {
            // Out of descriptors, as a rule: wait for some to come back instead of spinning.
            shared.log.warn("admin connection not accepted", {kv("error", error.message())});
            shared.accept_again.expires_after(std::chrono::milliseconds(100));
            shared.accept_again.async_wait([&shared](beast::error_code cancelled) {
                if (!cancelled) accept_next(shared);
            });
            return;
        }
        std::make_shared<Session>(std::move(socket), shared)->read();
        accept_next(shared);
    });
}

/// Ends the loop when the last session is gone.
void wait_for_sessions(Shared& shared) {
    if (shared.sessions.empty()) {
        shared.context.stop();
        return;
    }
    shared.stop_poll.expires_after(std::chrono::milliseconds(5));
    shared.stop_poll.async_wait([&shared](beast::error_code cancelled) {
        if (!cancelled) wait_for_sessions(shared);
    });
}

Error listen_error(const Endpoint& at, const boost::system::error_code& error) {
    std::string why = error.message();
    if (error == boost::system::errc::address_in_use) why = "another program has this port; give another with --admin";
    if (error == boost::system::errc::address_not_available)
        why = "this machine has no such address; give one of its own with --admin";
    return {Errc::io, fmt::format("cannot listen on {} for the admin API: {}", to_string(at), why), error.value()};
}

}  // namespace

struct HttpServer::State {
    State(HttpOptions options, Handler handler) : shared(std::move(options), std::move(handler)) {}
    Shared shared;
    Endpoint local;
    std::thread thread;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() {
    stop();
}

Endpoint HttpServer::local() const {
    return state_->local;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, Handler handler) {
    auto state = std::make_unique<State>(std::move(options), std::move(handler));
    auto& shared = state->shared;
    const auto at = to_asio(shared.options.listen);
    boost::system::error_code error;
    shared.acceptor.open(at.protocol(), error);
    if (!error) shared.acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) shared.acceptor.bind(at, error);
    if (!error) shared.acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail(listen_error(shared.options.listen, error));
    const auto bound = shared.acceptor.local_endpoint(error);
    state->local = Endpoint::from_sockaddr(bound.data(), static_cast<socklen_t>(bound.size()));
    accept_next(shared);
    state->thread = std::thread([&shared] {
        pthread_setname_np(pthread_self(), "admin");
        // What throws (no memory, say) costs its connection, not the process.
        for (;;) {
            try {
                shared.context.run();
                return;
            } catch (const std::exception& thrown) {
                shared.log.error("a request of the admin API failed", {kv("error", thrown.what())});
            }
        }
    });
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

void HttpServer::stop(Nanos patience) {
    if (!state_ || !state_->thread.joinable()) return;
    auto& shared = state_->shared;
    asio::post(shared.context, [&shared, patience] {
        shared.stopping = true;
        boost::system::error_code ignored;
        shared.acceptor.close(ignored);
        for (auto* session : std::set(shared.sessions)) session->finish();
        shared.stop_limit.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience));
        shared.stop_limit.async_wait([&shared](beast::error_code cancelled) {
            if (!cancelled) shared.context.stop();
        });
        wait_for_sessions(shared);
    });
    state_->thread.join();
    {
        const std::lock_guard lock(shared.door->mutex);
        shared.door->context = nullptr;
    }
    shared.awaiting_answer.clear();
}

}  // namespace penumbra::admin
