#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "cql/protocol/version.h"

/// The protocol versions that a client may ask for, and what it hears of those that it may not (CQL-FACTS 1.1).
namespace penumbra::proxy {

/// v3 up to the newest that both clusters speak.
bool is_spoken(std::uint8_t version, cql::ProtocolVersion newest);

std::string version_error_text(std::uint8_t asked, cql::ProtocolVersion newest);
/// The ERROR that drivers look for when they try versions downwards: on stream 0, in the layout of v1 or v2 (with their
/// one-byte stream id) when one of these was asked for, otherwise in the newest that we speak.
Bytes version_error(std::uint8_t asked, cql::ProtocolVersion newest);

/// Bytes of the frame of another version at the front of `data`, so that the connection can be read on behind it, as
/// drivers expect; 0 while that cannot be told yet. Nothing for what is no CQL of any version.
std::optional<std::size_t> size_of_foreign_frame(BytesView data);

}  // namespace penumbra::proxy
