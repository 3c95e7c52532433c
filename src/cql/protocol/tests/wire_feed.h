#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"

/// A stream as a WireReader's owner sees it: bytes arrive in pieces, what was not dealt with is shown again, elsewhere
/// in memory and in front of what comes next.
namespace penumbra::cql {

struct WireFeed {
    WireReader reader;
    Bytes buffered = {};
    std::vector<Bytes> frames = {};
    /// too_long, not_admitted and broken_body, with their headers.
    std::vector<std::pair<FrameVerdict, FrameHeader>> refused = {};
    FrameScan last = {};
    bool ended = false;
    /// Asked before each envelope: false leaves it for another time.
    std::function<bool()> go_on = [] { return true; };

    /// Returns what is left in the buffer.
    std::size_t push(BytesView piece) {
        Bytes moved;
        moved.reserve(buffered.size() + piece.size());
        moved.insert(moved.end(), buffered.begin(), buffered.end());
        moved.insert(moved.end(), piece.begin(), piece.end());
        buffered = std::move(moved);
        std::size_t at = 0;
        while (at < buffered.size() && !ended && go_on()) {
            std::size_t dealt = 0;
            last = reader.next(BytesView(buffered).subspan(at), dealt);
            if (last.verdict == FrameVerdict::complete) {
                frames.emplace_back(last.frame.whole.begin(), last.frame.whole.end());
            }
            at += dealt;
            if (last.verdict == FrameVerdict::incomplete) break;
            if (last.verdict == FrameVerdict::complete) continue;
            refused.emplace_back(last.verdict, last.frame.header);
            ended = last.verdict != FrameVerdict::too_long && last.verdict != FrameVerdict::not_admitted &&
                    last.verdict != FrameVerdict::broken_body;
        }
        last.frame = {};
        buffered.erase(buffered.begin(), buffered.begin() + static_cast<std::ptrdiff_t>(at));
        return buffered.size();
    }
};

}  // namespace penumbra::cql
