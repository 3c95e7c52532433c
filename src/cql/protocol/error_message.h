#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/result.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/notation.h"

/// The ERROR response (native_protocol_v5.spec 9): every code with what follows its message, as views of the frame.
namespace penumbra::cql {

struct ResponseHead;

enum class ErrorCode : std::int32_t {
    server_error = 0x0000,
    protocol_error = 0x000A,
    bad_credentials = 0x0100,
    unavailable = 0x1000,
    overloaded = 0x1001,
    is_bootstrapping = 0x1002,
    truncate_error = 0x1003,
    write_timeout = 0x1100,
    read_timeout = 0x1200,
    read_failure = 0x1300,
    function_failure = 0x1400,
    write_failure = 0x1500,
    cdc_write_failure = 0x1600,
    cas_write_unknown = 0x1700,
    syntax_error = 0x2000,
    unauthorized = 0x2100,
    invalid = 0x2200,
    config_error = 0x2300,
    already_exists = 0x2400,
    unprepared = 0x2500,
};
/// "unavailable"; "error" for a code that we do not know, such as ScyllaDB's rate limit (its number is in SUPPORTED).
std::string_view to_string(ErrorCode code);

struct Unavailable {
    Consistency consistency;
    std::int32_t required;
    std::int32_t alive;
};
struct WriteTimeout {
    Consistency consistency;
    std::int32_t received;
    std::int32_t block_for;
    std::string_view write_type;
    std::optional<std::uint16_t> contentions;  ///< v5, write type CAS
};
struct ReadTimeout {
    Consistency consistency;
    std::int32_t received;
    std::int32_t block_for;
    std::uint8_t data_present;
};
/// Who failed: a number in v4 (v3 servers do not send these errors), in v5 each replica with its reason.
struct FailureReason {
    InetAddress replica;
    std::uint16_t code;
};
struct Failures {
    std::int32_t count = 0;
    std::vector<FailureReason> reasons = {};  ///< v5
};
struct ReadFailure {
    Consistency consistency;
    std::int32_t received;
    std::int32_t block_for;
    Failures failures;
    std::uint8_t data_present;
};
struct WriteFailure {
    Consistency consistency;
    std::int32_t received;
    std::int32_t block_for;
    Failures failures;
    std::string_view write_type;
};
struct FunctionFailure {
    std::string_view keyspace;
    std::string_view function;
    StringListView argument_types;
};
struct CasWriteUnknown {
    Consistency consistency;
    std::int32_t received;
    std::int32_t block_for;
};
struct AlreadyExists {
    std::string_view keyspace;
    std::string_view table;  ///< empty: the keyspace exists
};
struct Unprepared {
    BytesView id;
};
/// What follows the message of a code that we do not know.
struct OtherDetail {
    BytesView bytes;
};

using ErrorDetail = std::variant<std::monostate, Unavailable, WriteTimeout, ReadTimeout, ReadFailure, WriteFailure,
                                 FunctionFailure, CasWriteUnknown, AlreadyExists, Unprepared, OtherDetail>;

struct ErrorMessage {
    ErrorCode code = ErrorCode::server_error;
    std::string_view message;
    /// The kind that belongs to `code`, nothing where the code has none.
    ErrorDetail detail = {};
};

Result<ErrorMessage> decode_error(const FrameView& frame);
/// The error as Cassandra says it to clients of this version, which know fewer codes: a CAS of unknown outcome is a
/// write timeout before v5; failures are timeouts, and function and CDC failures invalid requests, in v3.
ErrorMessage downgraded(const ErrorMessage& error, ProtocolVersion version);
/// The Error that an ERROR frame stands for.
Error to_error(const ErrorMessage& error);
/// Appends one whole frame.
void encode_error(Bytes& out, const ResponseHead& head, const ErrorMessage& error);

}  // namespace penumbra::cql
