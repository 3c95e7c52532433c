#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "base/clock.h"
#include "base/result.h"

namespace penumbra::cli {

struct AdminAddress {
    std::string host;
    std::uint16_t port = 0;

    /// HOST:PORT, HOST or [V6]:PORT; an http:// in front is fine. The port is 8080 when it is not said.
    static Result<AdminAddress> parse(std::string_view text);
};
std::string to_string(const AdminAddress& address);

enum class Method : std::uint8_t { get, post };

struct Request {
    Method method = Method::get;
    std::string path;
    boost::json::object body{};  ///< of a POST
};

struct Reply {
    unsigned status = 0;
    std::string text;  ///< the document as it came
    boost::json::value document;

    bool refused() const { return status >= 400; }
};

/// One request after the other, a connection for each, blocking. Any HTTP status is a Reply. Errors: Errc::unavailable
/// (no connection), timeout (no whole answer in time), closed (it went away before), malformed (not HTTP, or not JSON).
class AdminClient {
  public:
    AdminClient(AdminAddress address, Nanos answer_timeout)
        : address_(std::move(address)), answer_timeout_(answer_timeout) {}
    Result<Reply> send(const Request& request) const;
    const AdminAddress& address() const { return address_; }

  private:
    AdminAddress address_;
    Nanos answer_timeout_;
};

/// `text` as one segment of a path.
std::string path_segment(std::string_view text);

}  // namespace penumbra::cli
