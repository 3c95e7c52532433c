#include "cql/protocol/version.h"

namespace penumbra::cql {

std::string_view to_string(ProtocolVersion version) {
    switch (version) {
        case ProtocolVersion::v3:
            return "v3";
        case ProtocolVersion::v4:
            return "v4";
        case ProtocolVersion::v5:
            return "v5";
    }
    return "version";
}

std::string_view to_string(Opcode opcode) {
    switch (opcode) {
        case Opcode::error:
            return "ERROR";
        case Opcode::startup:
            return "STARTUP";
        case Opcode::ready:
            return "READY";
        case Opcode::authenticate:
            return "AUTHENTICATE";
        case Opcode::options:
            return "OPTIONS";
        case Opcode::supported:
            return "SUPPORTED";
        case Opcode::query:
            return "QUERY";
        case Opcode::result:
            return "RESULT";
        case Opcode::prepare:
            return "PREPARE";
        case Opcode::execute:
            return "EXECUTE";
        case Opcode::register_:
            return "REGISTER";
        case Opcode::event:
            return "EVENT";
        case Opcode::batch:
            return "BATCH";
        case Opcode::auth_challenge:
            return "AUTH_CHALLENGE";
        case Opcode::auth_response:
            return "AUTH_RESPONSE";
        case Opcode::auth_success:
            return "AUTH_SUCCESS";
    }
    return "opcode";
}

bool is_request(Opcode opcode) {
    switch (opcode) {
        case Opcode::startup:
        case Opcode::options:
        case Opcode::query:
        case Opcode::prepare:
        case Opcode::execute:
        case Opcode::register_:
        case Opcode::batch:
        case Opcode::auth_response:
            return true;
        default:
            return false;
    }
}

bool is_response(Opcode opcode) {
    switch (opcode) {
        case Opcode::error:
        case Opcode::ready:
        case Opcode::authenticate:
        case Opcode::supported:
        case Opcode::result:
        case Opcode::event:
        case Opcode::auth_challenge:
        case Opcode::auth_success:
            return true;
        default:
            return false;
    }
}

std::string_view to_string(Consistency consistency) {
    switch (consistency) {
        case Consistency::any:
            return "ANY";
        case Consistency::one:
            return "ONE";
        case Consistency::two:
            return "TWO";
        case Consistency::three:
            return "THREE";
        case Consistency::quorum:
            return "QUORUM";
        case Consistency::all:
            return "ALL";
        case Consistency::local_quorum:
            return "LOCAL_QUORUM";
        case Consistency::each_quorum:
            return "EACH_QUORUM";
        case Consistency::serial:
            return "SERIAL";
        case Consistency::local_serial:
            return "LOCAL_SERIAL";
        case Consistency::local_one:
            return "LOCAL_ONE";
    }
    return "CONSISTENCY";
}

}  // namespace penumbra::cql
