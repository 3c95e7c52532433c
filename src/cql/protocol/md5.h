#pragma once

#include <array>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"

namespace penumbra::cql {

using Md5 = std::array<Byte, 16>;

/// MD5 of the parts put together: what servers (and we) make prepared ids of. Not for anything secret.
Md5 md5(std::initializer_list<std::string_view> parts);

}  // namespace penumbra::cql
