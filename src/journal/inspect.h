#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "journal/format.h"
#include "journal/journal.h"

namespace penumbra::journal {

/// One segment file as it was found.
struct InspectedSegment {
    std::filesystem::path path;
    SegmentHeader header;  ///< empty where it does not check
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
    std::uint64_t entries = 0;
    /// Behind the last record, of the newest segment of a stream only: never acknowledged, left out when the journal
    /// opens.
    std::uint64_t torn_bytes = 0;
    std::optional<Error> damage;  ///< names file, offset and remedy
};

/// An entry that is owed as far as the files say. That one was settled is not written, so this is an upper bound: what
/// would be replayed if the process had died.
struct InspectedEntry {
    EntryInfo info;
    RecordKind kind = RecordKind::entry;  ///< entry, or set_aside
    std::string reason;                   ///< of set_aside
    std::int64_t set_aside_at = 0;        ///< wall clock, microseconds
    std::filesystem::path segment;
    std::uint64_t offset = 0;
};

struct Inspection {
    std::vector<InspectedSegment> segments;  ///< by stream, oldest first
    std::vector<InspectedEntry> owed;        ///< by stream, oldest first
    std::vector<std::string> strangers;      ///< files that are not the journal's, and segments being made
    bool damaged() const;
};

/// Reads a journal's directory and changes nothing in it, whether a process has it open or not: then the newest
/// segments are of the moment. `show` gets every entry whose checksums hold, in the order of the files, settled or not.
/// Blocks on the disk; holds one segment in memory at a time.
///
/// Damage is in the result; an error is a directory that cannot be read.
Result<Inspection> inspect(const std::filesystem::path& directory,
                           const std::function<void(const EntryInfo&, BytesView payload)>& show = {});

}  // namespace penumbra::journal
