#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace penumbra::cli::testing {

struct Asked {
    std::string line;  ///< "GET /v1/status"
    std::string body;
};

struct Answered {
    unsigned status = 200;
    std::string body = "{}";
    std::string raw{};  ///< instead of an HTTP answer
    std::chrono::milliseconds delay{0};
    bool hang_up = false;  ///< no answer at all
};

/// An HTTP server on a port of its own that answers what a test says, one connection after the other on one thread.
class FakeServer {
  public:
    using Handler = std::function<Answered(const Asked&)>;

    explicit FakeServer(Handler handler) : handler_(std::move(handler)), thread_([this] { serve(); }) {}
    ~FakeServer() { stop(); }
    FakeServer(const FakeServer&) = delete;

    std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
    std::vector<Asked> asked() {
        const std::lock_guard lock(mutex_);
        return asked_;
    }
    void stop() {
        if (!thread_.joinable()) return;
        stopping_ = true;
        boost::system::error_code ignored;
        boost::asio::ip::tcp::socket wake(loop_);
        wake.connect({boost::asio::ip::make_address("127.0.0.1"), port_}, ignored);
        thread_.join();
        acceptor_.close(ignored);
    }

  private:
    void serve() {
        while (true) {
            boost::system::error_code failed;
            boost::asio::ip::tcp::socket socket(loop_);
            acceptor_.accept(socket, failed);
            if (stopping_ || failed) return;
            answer(socket);
        }
    }

    void answer(boost::asio::ip::tcp::socket& socket) {
        namespace http = boost::beast::http;
        boost::system::error_code failed;
        boost::beast::flat_buffer buffer;
        http::request<http::string_body> request;
        http::read(socket, buffer, request, failed);
        if (failed) return;
        Asked asked{fmt::format("{} {}", std::string(request.method_string()), std::string(request.target())),
                    request.body()};
        const auto answered = handler_(asked);
        {
            const std::lock_guard lock(mutex_);
            asked_.push_back(std::move(asked));
        }
        for (auto waited = std::chrono::milliseconds(0); waited < answered.delay && !stopping_;
             waited += std::chrono::milliseconds(5)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        if (answered.hang_up) return;
        if (!answered.raw.empty()) {
            boost::asio::write(socket, boost::asio::buffer(answered.raw), failed);
            return;
        }
        http::response<http::string_body> response(static_cast<http::status>(answered.status), 11);
        response.set(http::field::content_type, "application/json");
        response.keep_alive(false);
        response.body() = answered.body;
        response.prepare_payload();
        http::write(socket, response, failed);
    }

    Handler handler_;
    boost::asio::io_context loop_;
    boost::asio::ip::tcp::acceptor acceptor_{loop_, {boost::asio::ip::make_address("127.0.0.1"), 0}};
    const std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::mutex mutex_;
    std::vector<Asked> asked_;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace penumbra::cli::testing
