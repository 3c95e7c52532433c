#include "cli/admin_client.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace penumbra::cli {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint16_t kDefaultPort = 8080;
constexpr Nanos kConnectTimeout = Seconds(5);
constexpr std::size_t kMaxAnswer = 64 << 20;

/// One request on a connection of its own. Asio's blocking calls know no deadline, so each step is asynchronous and the
/// loop runs until it is done or time is up.
class Exchange {
  public:
    explicit Exchange(Nanos answer_timeout) : answer_by_(Deadline::in(Clock::system(), answer_timeout)) {}

    Result<http::response<http::string_body>> run(const AdminAddress& address,
                                                  http::request<http::string_body>& request) {
        TRY(connect(address));
        error_code failed;
        if (!step(answer_by_,
                  [&] { http::async_write(socket_, request, [&](error_code error, std::size_t) { failed = error; }); }))
            return late();
        if (failed) return broken(failed);
        boost::beast::flat_buffer buffer;
        http::response_parser<http::string_body> parser;
        parser.body_limit(kMaxAnswer);
        if (!step(answer_by_, [&] {
                http::async_read(socket_, buffer, parser, [&](error_code error, std::size_t) { failed = error; });
            }))
            return late();
        if (failed) return broken(failed);
        return parser.release();
    }

  private:
    Status connect(const AdminAddress& address) {
        const auto by = Deadline::in(Clock::system(), kConnectTimeout).or_sooner(answer_by_);
        asio::ip::tcp::resolver resolver(loop_);
        asio::ip::tcp::resolver::results_type found;
        error_code failed;
        const auto port = fmt::format("{}", address.port);
        if (!step(by, [&] {
                resolver.async_resolve(address.host, port,
                                       [&](error_code error, auto results) { failed = error, found = results; });
            })) {
            return fail(Errc::unavailable, fmt::format("the name {} was not resolved in time", address.host));
        }
        if (failed) return fail(Errc::unavailable, fmt::format("{}: {}", address.host, failed.message()));
        if (!step(by, [&] {
                asio::async_connect(socket_, found, [&](error_code error, const auto&) { failed = error; });
            })) {
            return fail(Errc::unavailable, fmt::format("no connection within {} s", kConnectTimeout / Seconds(1)));
        }
        if (failed) return fail(Errc::unavailable, failed.message());
        return ok();
    }

    /// False when time was up; what was started has then ended all the same, so that nothing refers to our caller's
    /// frame.
    template <class Start>
    bool step(Deadline by, Start&& start) {
        loop_.restart();
        start();
        loop_.run_for(by.left(Clock::system().now()));
        if (loop_.stopped()) return true;
        error_code ignored;
        socket_.close(ignored);
        loop_.run();
        return false;
    }

    static BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> late() { return fail(Errc::timeout, "no answer in time"); }
    static BOOST_OUTCOME_V2_NAMESPACE::failure_type<Error> broken(error_code error) {
        const bool went_away = error == http::error::end_of_stream || error == http::error::partial_message ||
                               error.category() == boost::system::system_category() || error == asio::error::eof;
        if (went_away) return fail(Errc::closed, "the connection was closed before the whole answer came");
        return fail(Errc::malformed, fmt::format("the answer is not HTTP ({})", error.message()));
    }

    asio::io_context loop_{1};
    asio::ip::tcp::socket socket_{loop_};
    Deadline answer_by_;
};

}  // namespace

Result<AdminAddress> AdminAddress::parse(std::string_view text) {
    const auto wrong = [&](std::string_view why) {
        return fail(Errc::invalid_argument,
                    fmt::format("`{}` is no admin address: {}. Write HOST:PORT, such as 127.0.0.1:8080", text, why));
    };
    auto rest = text;
    if (rest.starts_with("https://")) return wrong("the admin address speaks HTTP without TLS");
    if (rest.starts_with("http://")) rest.remove_prefix(7);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    AdminAddress address;
    address.port = kDefaultPort;
    std::optional<std::string_view> port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return wrong("a [ without its ]");
        address.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        if (!rest.empty() && rest[0] != ':') return wrong("something stands behind the ]");
        if (!rest.empty()) port = rest.substr(1);
    } else {
        const auto colon = rest.find(':');
        if (colon != rest.rfind(':')) return wrong("an IPv6 address is written [::1]:8080");
        address.host = rest.substr(0, colon);
        if (colon != std::string_view::npos) port = rest.substr(colon + 1);
    }
    if (address.host.empty()) return wrong("the host is missing");
    const auto odd = [](unsigned char c) {
        return c <= 0x20 || c == 0x7f || c == '/' || c == '?' || c == '#' || c == '@';
    };
    if (std::any_of(address.host.begin(), address.host.end(), odd))
        return wrong("the host has a character that no host has");
    if (port) {
        const auto [end, error] = std::from_chars(port->data(), port->data() + port->size(), address.port);
        if (error != std::errc() || end != port->data() + port->size() || address.port == 0)
            return wrong("the port is a number from 1 to 65535");
    }
    return address;
}

std::string to_string(const AdminAddress& address) {
    const bool v6 = address.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

std::string path_segment(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.' || c == '~';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Result<Reply> AdminClient::send(const Request& request) const {
    http::request<http::string_body> message;
    message.version(11);
    message.method(request.method == Method::get ? http::verb::get : http::verb::post);
    message.target(request.path);
    message.set(http::field::host, to_string(address_));
    message.set(http::field::user_agent, "penumbra");
    message.set(http::field::accept, "application/json");
    message.keep_alive(false);
    if (request.method == Method::post) {
        message.set(http::field::content_type, "application/json");
        message.body() = boost::json::serialize(request.body);
    }
    message.prepare_payload();
    TRY(auto answer, Exchange(answer_timeout_).run(address_, message));
    Reply reply{answer.result_int(), std::move(answer.body()), nullptr};
    error_code failed;
    reply.document = boost::json::parse(reply.text, failed);
    if (failed || !reply.document.is_object())
        return fail(Errc::malformed, fmt::format("the answer (HTTP {}) is not a JSON object", reply.status));
    return reply;
}

}  // namespace penumbra::cli
