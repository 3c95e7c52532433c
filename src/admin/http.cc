#include "admin/http.h"

#include <cctype>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace penumbra::admin {

Result<std::vector<std::string>> split_target(std::string_view target) {
    if (target.empty() || target[0] != '/') return fail(Errc::invalid_argument, "the request names no path");
    target = target.substr(0, target.find('?'));
    std::vector<std::string> segments;
    while (!target.empty()) {
        target.remove_prefix(1);
        const auto raw = target.substr(0, target.find('/'));
        target.remove_prefix(raw.size());
        std::string segment;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] != '%') {
                segment += raw[i];
                continue;
            }
            unsigned value = 0;
            const auto digits = raw.substr(i + 1, 2);
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
            if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
                return fail(Errc::invalid_argument, "the path has a '%' without two hex digits");
            }
            segment += static_cast<char>(value);
            i += 2;
        }
        segments.push_back(std::move(segment));
    }
    if (!segments.empty() && segments.back().empty()) segments.pop_back();  // a slash at the end
    return segments;
}

std::string encode_segment(std::string_view segment) {
    std::string out;
    for (const char c : segment) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
            out += c;
        } else {
            out += fmt::format("%{:02X}", byte);
        }
    }
    return out;
}

unsigned status_of(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
            return 400;
        case Errc::not_found:
            return 404;
        case Errc::already_exists:
        case Errc::conflict:
            return 409;
        case Errc::unavailable:
            return 503;
        case Errc::timeout:
            return 504;
        case Errc::malformed:
        case Errc::unsupported:
        case Errc::closed:
        case Errc::overloaded:
        case Errc::shutting_down:
        case Errc::cancelled:
        case Errc::server:
        case Errc::io:
        case Errc::corrupt:
        case Errc::internal:
            return 500;
    }
    return 500;
}

HttpResponse error_response(const Error& error) {
    boost::json::object object;
    object["error"] = boost::json::object{
        {"code", boost::json::string_view(to_string(error.code).data(), to_string(error.code).size())},
        {"message", error.what}};
    return {status_of(error.code), "application/json", boost::json::serialize(object) + "\n"};
}

}  // namespace penumbra::admin
