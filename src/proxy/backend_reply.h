#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "cql/protocol/frame.h"
#include "proxy/client_connection.h"
#include "routing/phase.h"

namespace penumbra::proxy {

// What cluster::Session::send() gave, as the coroutines look at it that run a statement on one cluster after the other.

/// The client's answer: the frame as it came, or an error that says what went wrong here.
void reply_outcome(ClientConnection& client, std::int16_t stream, const Result<Bytes>& reply, routing::Side side);

/// The cluster did what it was asked.
bool is_result(const Result<Bytes>& reply);

/// It did nothing: refused by the server, or sent nowhere.
bool is_surely_refused(const Result<Bytes>& reply);

/// What went wrong, for a log.
std::string error_text(const Result<Bytes>& reply);

/// A QUERY frame of this text at QUORUM.
Bytes text_request(cql::ProtocolVersion version, std::string_view text);

}  // namespace penumbra::proxy
