#pragma once

#include <fmt/format.h>

#include "cql/protocol/responses.h"

/// What the files that read and write responses share.
namespace penumbra::cql::responses {

inline std::uint32_t at(const Reader& in) {
    return static_cast<std::uint32_t>(in.position());
}

struct Body {
    Reader in;
    ResponsePrefix prefix;
};

inline Result<Body> open(const FrameView& frame, Opcode opcode) {
    if (frame.header.opcode != opcode) {
        return fail(Errc::malformed,
                    fmt::format("{} where {} is due", to_string(frame.header.opcode), to_string(opcode)));
    }
    TRY(auto prefix, read_response_prefix(frame));
    Body body{Reader(frame.body()), prefix};
    TRY(body.in.skip(prefix.size));
    return body;
}

inline Status expect_end(const Reader& in) {
    if (in.done()) return ok();
    return fail(Errc::malformed, fmt::format("{} bytes left over after the message", in.left()));
}

inline Result<std::int32_t> read_count(Reader& in, std::string_view what) {
    TRY(const auto count, in.i32());
    if (count < 0) return fail(Errc::malformed, fmt::format("{} {}", count, what));
    return count;
}

inline FrameBuilder begin(Bytes& out, const ResponseHead& head, Opcode opcode) {
    std::uint8_t flags = head.flags;
    if (head.tracing_id) flags |= header_flag::kTracing;
    if (!head.warnings.empty()) flags |= header_flag::kWarning;
    if (!head.payload.empty()) flags |= header_flag::kCustomPayload;
    FrameBuilder frame(out, Direction::response, head.version, flags, head.stream, opcode);
    if (head.tracing_id) write_uuid(frame.body(), *head.tracing_id);
    if (!head.warnings.empty()) write_string_list(frame.body(), head.warnings);
    if (!head.payload.empty()) write_bytes_map(frame.body(), head.payload);
    return frame;
}

}  // namespace penumbra::cql::responses
