#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "routing/phase.h"

namespace penumbra::proxy {

/// A paging state belongs to the cluster that issued it. Clients get it with a tag in front that says which, so that
/// the next page is asked there, also when the primary has changed meanwhile. Servers' own states never begin so: the
/// first byte of theirs is a length or a format number.
inline constexpr std::array<Byte, 3> kPagingTag{0xF0, 'P', 'n'};
inline constexpr std::size_t kPagingTagSize = kPagingTag.size() + 1;

struct TaggedPagingState {
    routing::Side side;
    BytesView state;
};

inline std::array<Byte, kPagingTagSize> paging_tag(routing::Side side) {
    return {kPagingTag[0], kPagingTag[1], kPagingTag[2], static_cast<Byte>(side)};
}

/// Nothing for a state that we did not tag: from before the application came to us, or not ours at all.
inline std::optional<TaggedPagingState> untag_paging_state(BytesView state) {
    if (state.size() < kPagingTagSize || !equal(state.first(kPagingTag.size()), kPagingTag) ||
        state[kPagingTag.size()] > 1)
        return std::nullopt;
    return TaggedPagingState{static_cast<routing::Side>(state[kPagingTag.size()]), state.subspan(kPagingTagSize)};
}

}  // namespace penumbra::proxy
