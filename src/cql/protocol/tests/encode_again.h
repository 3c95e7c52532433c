#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"

/// What tests and fuzzers do with any frame: decode it, and encode it again from nothing but what was decoded.
namespace penumbra::cql {

/// The frame encoded again from what it was decoded to; nothing when it does not decode.
inline Result<Bytes> encode_again(const FrameView& frame) {
    Bytes out;
    const auto version = frame.version();
    const auto stream = frame.header.stream;
    if (frame.header.direction() == Direction::response) {
        TRY(const auto prefix, read_response_prefix(frame));
        ResponseHead head{version, stream};
        head.tracing_id = prefix.tracing_id;
        head.warnings = prefix.warnings.to_vector();
        head.payload = prefix.payload.to_vector();
        switch (frame.header.opcode) {
            case Opcode::error: {
                TRY(const auto error, decode_error(frame));
                encode_error(out, head, error);
                break;
            }
            case Opcode::ready: {
                TRY(decode_ready(frame));
                encode_ready(out, head);
                break;
            }
            case Opcode::authenticate: {
                TRY(const auto authenticator, decode_authenticate(frame));
                encode_authenticate(out, head, authenticator);
                break;
            }
            case Opcode::supported: {
                TRY(const auto options, decode_supported(frame));
                StringLists lists;
                for (const auto& [key, values] : options) lists.emplace_back(key, values.to_vector());
                encode_supported(out, head, lists);
                break;
            }
            case Opcode::result: {
                TRY(const auto result, decode_result(frame));
                encode_result(out, head, result);
                break;
            }
            case Opcode::event: {
                TRY(const auto event, decode_event(frame));
                encode_event(out, head, event);
                break;
            }
            case Opcode::auth_challenge: {
                TRY(const auto token, decode_auth_challenge(frame));
                encode_auth_challenge(out, head, token);
                break;
            }
            case Opcode::auth_success: {
                TRY(const auto token, decode_auth_success(frame));
                encode_auth_success(out, head, token);
                break;
            }
            default:
                return fail(Errc::unsupported, "no response");
        }
        return out;
    }
    TRY(const auto prefix, read_request_prefix(frame));
    RequestHead head{version, stream, static_cast<std::uint8_t>(frame.header.flags & ~header_flag::kCustomPayload)};
    head.payload = prefix.payload.to_vector();
    struct Owned {
        std::vector<CellView> values;
        std::vector<std::string_view> names;
    };
    const auto collect = [](const ValuesView& values) {
        Owned owned;
        for (const auto bound : values) {
            owned.values.push_back(bound.value);
            if (values.named()) owned.names.push_back(bound.name);
        }
        return owned;
    };
    const auto parameters = [](const ParametersView& view, const Owned& owned) {
        Parameters p;
        p.consistency = view.consistency;
        p.values = owned.values;
        p.names = owned.names;
        p.skip_metadata = view.has(query_flag::kSkipMetadata);
        p.page_size = view.page_size;
        p.paging_state = view.paging_state;
        p.serial_consistency = view.serial_consistency;
        p.timestamp = view.timestamp;
        p.keyspace = view.keyspace;
        p.now_in_seconds = view.now_in_seconds;
        p.empty_values = view.has(query_flag::kValues) && view.values.empty();
        return p;
    };
    switch (frame.header.opcode) {
        case Opcode::startup: {
            TRY(const auto startup, decode_startup(frame));
            encode_startup(out, head, startup.options.to_vector());
            break;
        }
        case Opcode::options:
            encode_options(out, head);
            break;
        case Opcode::auth_response: {
            TRY(const auto response, decode_auth_response(frame));
            encode_auth_response(out, head, response.token);
            break;
        }
        case Opcode::register_: {
            TRY(const auto registration, decode_register(frame));
            encode_register(out, head, registration.events.to_vector());
            break;
        }
        case Opcode::query: {
            TRY(const auto query, decode_query(frame));
            encode_query(out, head, query.query, parameters(query.parameters, collect(query.parameters.values)));
            break;
        }
        case Opcode::prepare: {
            TRY(const auto prepare, decode_prepare(frame));
            encode_prepare(out, head, prepare.query, prepare.keyspace);
            break;
        }
        case Opcode::execute: {
            TRY(const auto execute, decode_execute(frame));
            encode_execute(out, head, execute.id, execute.result_metadata_id.value_or(BytesView()),
                           parameters(execute.parameters, collect(execute.parameters.values)));
            break;
        }
        case Opcode::batch: {
            TRY(const auto batch, decode_batch(frame));
            std::vector<Owned> owned;
            std::vector<BatchStatement> statements;
            owned.reserve(batch.children.size());
            for (const auto child : batch.children) {
                owned.push_back(collect(child.values));
                statements.push_back({child.query, child.id, owned.back().values});
            }
            encode_batch(out, head, batch.type, statements,
                         parameters(batch.parameters, collect(batch.parameters.values)));
            break;
        }
        default:
            return fail(Errc::unsupported, "no request");
    }
    return out;
}

/// Runs everything that reads frames over these bytes: what it returns matters less than that it stays inside them.
inline void read_all(BytesView bytes) {
    for (const auto direction : {Direction::request, Direction::response}) {
        const auto scan = next_frame(bytes, direction);
        if (scan.verdict != FrameVerdict::complete) continue;
        (void)encode_again(scan.frame);
        (void)peek_result_kind(scan.frame);
        (void)peek_error_code(scan.frame);
        (void)peek_rows(scan.frame);
        (void)peek_prepared(scan.frame);
        (void)is_unprepared(scan.frame);
        (void)Rows::from(scan.frame);
    }
}

}  // namespace penumbra::cql
