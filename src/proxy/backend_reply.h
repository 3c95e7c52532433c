#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "cql/protocol/frame.h"
#include "proxy/client_connection.h"
#include "routing/phase.h"
#include "runtime/task.h"

namespace penumbra::proxy {

// For the coroutines that run a statement on one cluster after the other.

/// Sends the frame to the primary as the client itself, with its login. `keyspace`: what completes the statement's
/// names, empty if nothing; the request's or the prepared statement's, since the connection's own may be another by the
/// time that this is called. The answer as it came, ERRORs included.
Task<Result<Bytes>> ask_primary(ClientPtr client, routing::Side primary, std::string keyspace, Bytes frame,
                                Deadline by);

// What that or cluster::Session::send() gave:

/// The client's answer: the frame as it came, or an error that says what went wrong here.
void reply_outcome(ClientConnection& client, std::int16_t stream, const Result<Bytes>& reply, routing::Side side);

/// The cluster did what it was asked.
bool is_result(const Result<Bytes>& reply);

/// It did nothing: refused by the server, or sent nowhere.
bool is_surely_refused(const Result<Bytes>& reply);

/// What a client hears whose write one cluster took and the journal's disk did not, in its time.
std::string late_journal_text(routing::Side owed_to);

/// What went wrong, for a log.
std::string error_text(const Result<Bytes>& reply);

/// Whether the client asked for a trace. It is the primary's.
enum class Traced : std::uint8_t { no, yes };

/// A QUERY frame of this text at QUORUM.
Bytes text_request(cql::ProtocolVersion version, std::string_view text, Traced traced = Traced::no);

}  // namespace penumbra::proxy
