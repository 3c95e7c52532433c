#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penumbra {

/// What went wrong, as far as some caller acts on it. Everything finer is text in Error::what.
enum class Errc : std::uint8_t {
    invalid_argument,  ///< the caller, the operator or a config file said something that cannot be
    malformed,         ///< bytes from a peer or a file that do not follow their format
    unsupported,       ///< understood, and not something we do
    not_found,
    already_exists,
    conflict,     ///< the state of things does not allow it now: a gate, a phase, a lock
    unavailable,  ///< nobody there to do it: refused, no node up
    timeout,      ///< the deadline passed; whether it happened is unknown
    closed,       ///< the connection went away; whether it happened is unknown
    overloaded,   ///< a bound was reached; it did not happen
    shutting_down,
    cancelled,
    server,    ///< a CQL server answered with ERROR; Error::detail is the CQL error code
    io,        ///< the operating system refused; Error::detail is errno
    corrupt,   ///< a checksum or an invariant of stored data does not hold
    internal,  ///< our own mistake
};

std::string_view to_string(Errc code);

/// A failure that somebody can act on: a code for the program, a sentence for the human. `detail` is a second code
/// whose meaning Errc names (CQL error code, errno) and is 0 otherwise.
struct Error {
    Errc code = Errc::internal;
    std::int32_t detail = 0;
    std::string what;

    Error() = default;
    Error(Errc c, std::string text, std::int32_t d = 0) : code(c), detail(d), what(std::move(text)) {}

    /// The same failure seen from further out: "context: what".
    Error in(std::string_view context) const&;
    Error in(std::string_view context) &&;

    bool operator==(const Error&) const = default;
};

/// An Errc::io error for `operation` on `thing` from errno: "open journal/3.log: No space left on device".
Error system_error(std::string_view operation, std::string_view thing, int errno_value);

std::string to_string(const Error& error);

}  // namespace penumbra
