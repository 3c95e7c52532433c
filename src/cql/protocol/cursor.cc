#include "cql/protocol/cursor.h"

#include <fmt/format.h>

namespace penumbra::cql {

Status Cursor::status() const {
    switch (trouble_) {
        case Trouble::none:
            return penumbra::ok();
        case Trouble::too_short:
            return penumbra::fail(Errc::malformed,
                                  fmt::format("{} bytes wanted at offset {}, {} left", detail_, failed_at_, left_));
        case Trouble::long_string_length:
            return penumbra::fail(Errc::malformed, fmt::format("a long string of length {}", detail_));
        case Trouble::value_length:
            return penumbra::fail(Errc::malformed, fmt::format("a value of length {}", detail_));
        case Trouble::consistency:
            return penumbra::fail(Errc::malformed, fmt::format("no consistency level has code {}", detail_));
    }
    return penumbra::ok();
}

}  // namespace penumbra::cql
