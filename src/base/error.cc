#include "base/error.h"

#include <system_error>

#include <fmt/format.h>

namespace penumbra {

std::string_view to_string(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
            return "invalid_argument";
        case Errc::malformed:
            return "malformed";
        case Errc::unsupported:
            return "unsupported";
        case Errc::not_found:
            return "not_found";
        case Errc::already_exists:
            return "already_exists";
        case Errc::conflict:
            return "conflict";
        case Errc::unavailable:
            return "unavailable";
        case Errc::timeout:
            return "timeout";
        case Errc::closed:
            return "closed";
        case Errc::overloaded:
            return "overloaded";
        case Errc::shutting_down:
            return "shutting_down";
        case Errc::cancelled:
            return "cancelled";
        case Errc::server:
            return "server";
        case Errc::io:
            return "io";
        case Errc::corrupt:
            return "corrupt";
        case Errc::internal:
            return "internal";
    }
    return "unknown";
}

Error Error::in(std::string_view context) const& {
    return {code, fmt::format("{}: {}", context, what), detail};
}

Error Error::in(std::string_view context) && {
    what.insert(0, ": ");
    what.insert(0, context);
    return std::move(*this);
}

Error system_error(std::string_view operation, std::string_view thing, int errno_value) {
    return {Errc::io, fmt::format("{} {}: {}", operation, thing, std::generic_category().message(errno_value)),
            errno_value};
}

std::string to_string(const Error& error) {
    return fmt::format("{}: {}", to_string(error.code), error.what);
}

}  // namespace penumbra
