#pragma once

#include <filesystem>

#include "base/result.h"
#include "proxy/client_identity.h"

namespace penumbra::app {

/// Reads the file of --login-map into policy.names: what users of one cluster are called on the other.
///
///     target:            # users whom the source knows, and what they are on the target
///       alice: {username: alice_s, password: secret}
///     source: {}         # and the other way round, for clients that log in after the switch
///
/// Errors name the file and the line. Any thread.
Status read_login_map(const std::filesystem::path& file, proxy::LoginPolicy& policy);

}  // namespace penumbra::app
