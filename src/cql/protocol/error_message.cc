#include "cql/protocol/error_message.h"

#include <utility>

#include <fmt/format.h>

#include "cql/protocol/responses_internal.h"

namespace penumbra::cql {

using namespace responses;

namespace {

Result<Failures> read_failures(Reader& in, ProtocolVersion version) {
    Failures failures;
    TRY(failures.count, in.i32());
    if (version != ProtocolVersion::v5) return failures;
    // <reasonmap> of native_protocol_v5.spec 9, 0x1300: at least a length, four bytes of address and a code each.
    if (failures.count < 0 || static_cast<std::size_t>(failures.count) > in.left() / 7) {
        return fail(Errc::malformed, fmt::format("{} failure reasons in {} bytes", failures.count, in.left()));
    }
    for (std::int32_t i = 0; i < failures.count; ++i) {
        FailureReason reason{};
        TRY(reason.replica, read_inet_address(in));
        TRY(reason.code, in.u16());
        failures.reasons.push_back(reason);
    }
    return failures;
}

void write_failures(Writer& out, const Failures& failures, ProtocolVersion version) {
    if (version != ProtocolVersion::v5) return out.i32(failures.count);
    out.i32(static_cast<std::int32_t>(failures.reasons.size()));
    for (const auto& reason : failures.reasons) {
        write_inet_address(out, reason.replica);
        out.u16(reason.code);
    }
}

/// native_protocol_v5.spec 9 and CQL-FACTS 1.7.
Result<ErrorDetail> read_detail(Reader& in, ErrorCode code, ProtocolVersion version) {
    switch (code) {
        case ErrorCode::unavailable: {
            Unavailable d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.required, in.i32());
            TRY(d.alive, in.i32());
            return d;
        }
        case ErrorCode::write_timeout: {
            WriteTimeout d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.write_type, read_string(in));
            if (version == ProtocolVersion::v5 && d.write_type == "CAS") {
                TRY(d.contentions, in.u16());
            }
            return d;
        }
        case ErrorCode::read_timeout: {
            ReadTimeout d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.data_present, in.u8());
            return d;
        }
        case ErrorCode::read_failure: {
            ReadFailure d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.failures, read_failures(in, version));
            TRY(d.data_present, in.u8());
            return d;
        }
        case ErrorCode::write_failure: {
            WriteFailure d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            TRY(d.failures, read_failures(in, version));
            TRY(d.write_type, read_string(in));
            return d;
        }
        case ErrorCode::function_failure: {
            FunctionFailure d{};
            TRY(d.keyspace, read_string(in));
            TRY(d.function, read_string(in));
            TRY(d.argument_types, read_string_list(in));
            return d;
        }
        case ErrorCode::cas_write_unknown: {
            CasWriteUnknown d{};
            TRY(d.consistency, read_consistency(in));
            TRY(d.received, in.i32());
            TRY(d.block_for, in.i32());
            return d;
        }
        case ErrorCode::already_exists: {
            AlreadyExists d{};
            TRY(d.keyspace, read_string(in));
            TRY(d.table, read_string(in));
            return d;
        }
        case ErrorCode::unprepared: {
            TRY(const auto id, read_short_bytes(in));
            return Unprepared{id};
        }
        case ErrorCode::server_error:
        case ErrorCode::protocol_error:
        case ErrorCode::bad_credentials:
        case ErrorCode::overloaded:
        case ErrorCode::is_bootstrapping:
        case ErrorCode::truncate_error:
        case ErrorCode::cdc_write_failure:
        case ErrorCode::syntax_error:
        case ErrorCode::unauthorized:
        case ErrorCode::invalid:
        case ErrorCode::config_error:
            return std::monostate{};
    }
    TRY(const auto rest, in.take(in.left()));
    return OtherDetail{rest};
}

struct DetailWriter {
    Writer& out;
    ProtocolVersion version;

    void operator()(std::monostate) const {}
    void operator()(const Unavailable& d) const { numbers(d.consistency, d.required, d.alive); }
    void operator()(const WriteTimeout& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_string(out, d.write_type);
        if (version == ProtocolVersion::v5 && d.write_type == "CAS") out.u16(d.contentions.value_or(0));
    }
    void operator()(const ReadTimeout& d) const {
        numbers(d.consistency, d.received, d.block_for);
        out.u8(d.data_present);
    }
    void operator()(const ReadFailure& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_failures(out, d.failures, version);
        out.u8(d.data_present);
    }
    void operator()(const WriteFailure& d) const {
        numbers(d.consistency, d.received, d.block_for);
        write_failures(out, d.failures, version);
        write_string(out, d.write_type);
    }
    void operator()(const FunctionFailure& d) const {
        write_string(out, d.keyspace);
        write_string(out, d.function);
        write_string_list(out, d.argument_types.to_vector());
    }
    void operator()(const CasWriteUnknown& d) const { numbers(d.consistency, d.received, d.block_for); }
    void operator()(const AlreadyExists& d) const {
        write_string(out, d.keyspace);
        write_string(out, d.table);
    }
    void operator()(const Unprepared& d) const { write_short_bytes(out, d.id); }
    void operator()(const OtherDetail& d) const { out.raw(d.bytes); }

  private:
    void numbers(Consistency consistency, std::int32_t a, std::int32_t b) const {
        write_consistency(out, consistency);
        out.i32(a);
        out.i32(b);
    }
};

}  // namespace

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::server_error:
            return "server_error";
        case ErrorCode::protocol_error:
            return "protocol_error";
        case ErrorCode::bad_credentials:
            return "bad_credentials";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::overloaded:
            return "overloaded";
        case ErrorCode::is_bootstrapping:
            return "is_bootstrapping";
        case ErrorCode::truncate_error:
            return "truncate_error";
        case ErrorCode::write_timeout:
            return "write_timeout";
        case ErrorCode::read_timeout:
            return "read_timeout";
        case ErrorCode::read_failure:
            return "read_failure";
        case ErrorCode::function_failure:
            return "function_failure";
        case ErrorCode::write_failure:
            return "write_failure";
        case ErrorCode::cdc_write_failure:
            return "cdc_write_failure";
        case ErrorCode::cas_write_unknown:
            return "cas_write_unknown";
        case ErrorCode::syntax_error:
            return "syntax_error";
        case ErrorCode::unauthorized:
            return "unauthorized";
        case ErrorCode::invalid:
            return "invalid";
        case ErrorCode::config_error:
            return "config_error";
        case ErrorCode::already_exists:
            return "already_exists";
        case ErrorCode::unprepared:
            return "unprepared";
    }
    return "error";
}

Result<ErrorMessage> decode_error(const FrameView& frame) {
    TRY(auto body, open(frame, Opcode::error));
    ErrorMessage error;
    TRY(const auto code, body.in.i32());
    error.code = static_cast<ErrorCode>(code);
    TRY(error.message, read_string(body.in));
    TRY(error.detail, read_detail(body.in, error.code, frame.version()));
    TRY(expect_end(body.in));
    return error;
}

// What Cassandra does when it writes errors for older clients.
ErrorMessage downgraded(const ErrorMessage& error, ProtocolVersion version) {
    auto out = error;
    const auto become = [&out](ErrorCode code, ErrorDetail detail) {
        out.code = code;
        out.detail = std::move(detail);
    };
    if (version != ProtocolVersion::v5) {
        if (const auto* cas = std::get_if<CasWriteUnknown>(&error.detail)) {
            become(ErrorCode::write_timeout, WriteTimeout{cas->consistency, cas->received, cas->block_for, "CAS", {}});
        } else if (auto* timeout = std::get_if<WriteTimeout>(&out.detail)) {
            timeout->contentions.reset();
        }
    }
    if (version != ProtocolVersion::v3) return out;
    if (const auto* read = std::get_if<ReadFailure>(&error.detail)) {
        become(ErrorCode::read_timeout,
               ReadTimeout{read->consistency, read->received, read->block_for, read->data_present});
    } else if (const auto* write = std::get_if<WriteFailure>(&error.detail)) {
        become(ErrorCode::write_timeout,
               WriteTimeout{write->consistency, write->received, write->block_for, write->write_type, {}});
    } else if (error.code == ErrorCode::function_failure || error.code == ErrorCode::cdc_write_failure) {
        become(ErrorCode::invalid, std::monostate{});
    }
    return out;
}

Error to_error(const ErrorMessage& error) {
    return {
        Errc::server,
        fmt::format("{} ({:#06x}): {}", to_string(error.code), static_cast<std::int32_t>(error.code), error.message),
        static_cast<std::int32_t>(error.code)};
}

void encode_error(Bytes& out, const ResponseHead& head, const ErrorMessage& error) {
    auto frame = begin(out, head, Opcode::error);
    frame.body().i32(static_cast<std::int32_t>(error.code));
    write_clipped_string(frame.body(), error.message);
    std::visit(DetailWriter{frame.body(), head.version}, error.detail);
    frame.close();
}

}  // namespace penumbra::cql
