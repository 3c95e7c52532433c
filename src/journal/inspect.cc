#include "journal/inspect.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/file_system.h"

namespace penumbra::journal {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStreamPrefix = "stream-";

std::optional<std::uint8_t> stream_named(std::string_view name) {
    if (!name.starts_with(kStreamPrefix)) return std::nullopt;
    name.remove_prefix(kStreamPrefix.size());
    std::uint8_t stream = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), stream);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return stream;
}

/// At most `limit` bytes from the start of it. Without the right to write: an operator's look at somebody else's files.
Result<Bytes> contents(const fs::path& path, std::size_t limit = SIZE_MAX) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(system_error("open", path.native(), errno));
    Bytes bytes;
    struct stat status {};
    int error = ::fstat(fd, &status) == 0 ? 0 : errno;
    if (error == 0) bytes.resize(std::min(limit, static_cast<std::size_t>(status.st_size)));
    std::size_t got = 0;
    while (error == 0 && got < bytes.size()) {
        const auto n = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
        if (n == 0) break;
        if (n > 0) got += static_cast<std::size_t>(n);
        if (n < 0 && errno != EINTR) error = errno;
    }
    ::close(fd);
    if (error != 0) return fail(system_error("read", path.native(), error));
    bytes.resize(got);
    return bytes;
}

/// What the records of one stream leave owed, as recovery reads them.
class Balance {
  public:
    Balance(std::uint8_t stream, const fs::path& segment) : stream_(stream), segment_(segment) {}

    void next_segment(const fs::path& segment) { segment_ = segment; }

    void apply(const Record& record) {
        const auto& header = record.header;
        switch (header.kind) {
            case RecordKind::entry:
            case RecordKind::lasting_entry:
                owed_[header.sequence] = {{EntryId(header.sequence), stream_, header.scope, header.appended_at},
                                          RecordKind::entry,
                                          {},
                                          0,
                                          segment_,
                                          record.offset};
                return;
            case RecordKind::set_aside:
            case RecordKind::retry_one:
            case RecordKind::forget_one:
                if (auto note = decode_set_aside(record.payload)) of_one(header, std::move(note.value()));
                return;
            case RecordKind::retry:
                for (auto& [sequence, entry] : owed_) {
                    if (entry.info.scope == header.scope) entry.kind = RecordKind::entry;
                }
                return;
            case RecordKind::forget:
                forget(header.scope, header.sequence);
                return;
            case RecordKind::forget_before:
                if (const auto note = decode_set_aside(record.payload)) forget(header.scope, note.value().sequence);
                return;
            case RecordKind::closed:
                return;
        }
    }

    void give(std::vector<InspectedEntry>& out) {
        for (auto& [sequence, entry] : owed_) out.push_back(std::move(entry));
    }

  private:
    void forget(std::uint32_t scope, std::uint64_t first_kept) {
        std::erase_if(owed_, [&](const auto& at) { return at.second.info.scope == scope && at.first < first_kept; });
    }
    void of_one(const RecordHeader& header, SetAsideNote note) {
        const auto found = owed_.find(note.sequence);
        if (found == owed_.end()) return;
        auto& entry = found->second;
        if (header.kind == RecordKind::forget_one) {
            owed_.erase(found);
        } else if (header.kind == RecordKind::retry_one) {
            entry.kind = RecordKind::entry;
        } else {
            entry.kind = RecordKind::set_aside;
            entry.reason = std::move(note.reason);
            entry.set_aside_at = header.appended_at;
        }
    }

    std::uint8_t stream_;
    fs::path segment_;
    std::map<std::uint64_t, InspectedEntry> owed_;
};

Error damage_of(const fs::path& path, const Error& error) {
    return {Errc::corrupt, fmt::format("{}: {}", path.native(), error.what)};
}

/// Of the file's first bytes; its name and place are part of what must agree.
Result<SegmentHeader> header_of(const fs::path& path, std::uint8_t stream, BytesView bytes) {
    TRY(const auto header, decode_segment_header(bytes));
    if (header.id != *segment_of(path.filename().native()) || header.stream != stream) {
        return fail(Errc::corrupt, fmt::format("this is segment {} of stream {} under another's name",
                                               header.id.value(), header.stream));
    }
    return header;
}

/// The segments of a stream with their headers, oldest first.
Result<std::vector<InspectedSegment>> segments_of(const fs::path& directory, std::uint8_t stream,
                                                  std::vector<std::string>& strangers) {
    TRY(const auto names, FileSystem::system().list(directory));
    std::vector<InspectedSegment> segments;
    for (const auto& name : names) {
        const auto path = directory / name;
        if (!segment_of(name)) {
            strangers.push_back(path.native());
            continue;
        }
        const auto bytes = contents(path, kSegmentHeaderBytes);
        // Deleted since the directory was listed, by the process that has the journal: all of it was settled.
        if (!bytes && bytes.error().detail == ENOENT) continue;
        auto& segment = segments.emplace_back();
        segment.path = path;
        if (!bytes) {
            segment.damage = bytes.error();
        } else if (auto header = header_of(path, stream, bytes.value())) {
            segment.header = header.value();
        } else {
            segment.damage = damage_of(path, header.error());
        }
    }
    return segments;
}

/// Where the segment's successor says that it ends; nothing for the newest one, which may have a torn tail.
std::optional<std::uint64_t> end_of(const InspectedSegment& segment, const InspectedSegment* next,
                                    std::uint64_t file_size) {
    if (!next) return std::nullopt;
    return !next->damage && next->header.previous == segment.header.id ? next->header.previous_end : file_size;
}

using Show = std::function<void(const EntryInfo&, BytesView)>;

void inspect_segment(InspectedSegment& segment, const InspectedSegment* next, Balance& balance, const Show& show) {
    Bytes bytes;
    Result<Scanned> scanned = fail(Errc::internal, "not read");
    std::optional<std::uint64_t> end;
    // Twice: what is written while we read may look like damage once.
    for (int look = 0; look < 2 && !scanned; ++look) {
        auto read = contents(segment.path);
        if (!read) {
            segment.damage = read.error();
            return;
        }
        bytes = std::move(read.value());
        end = end_of(segment, next, bytes.size());
        scanned = scan_segment(bytes, segment.header, end, [](const Record&) {});
    }
    segment.bytes = bytes.size();
    balance.next_segment(segment.path);
    // What stands before the damage is good: the sums say so.
    const auto stream = segment.header.stream;
    [[maybe_unused]] const auto again = scan_segment(bytes, segment.header, end, [&](const Record& record) {
        ++segment.records;
        balance.apply(record);
        if (!is_entry(record.header.kind)) return;
        ++segment.entries;
        if (show) {
            show({EntryId(record.header.sequence), stream, record.header.scope, record.header.appended_at},
                 record.payload);
        }
    });
    if (!scanned) {
        segment.damage = damage_of(segment.path, scanned.error());
    } else if (!end) {
        segment.torn_bytes = segment.bytes - scanned.value().end;
    }
}

}  // namespace

bool Inspection::damaged() const {
    return std::ranges::any_of(segments, [](const auto& segment) { return segment.damage.has_value(); });
}

Result<Inspection> inspect(const fs::path& directory,
                           const std::function<void(const EntryInfo&, BytesView payload)>& show) {
    TRY(const auto names, FileSystem::system().list(directory));
    Inspection out;
    for (const auto& name : names) {
        const auto stream = stream_named(name);
        if (stream) {
            TRY(auto segments, segments_of(directory / name, *stream, out.strangers));
            Balance balance(*stream, directory);
            for (std::size_t i = 0; i < segments.size(); ++i) {
                const auto* next = i + 1 < segments.size() ? &segments[i + 1] : nullptr;
                if (!segments[i].damage) inspect_segment(segments[i], next, balance, show);
                out.segments.push_back(std::move(segments[i]));
            }
            balance.give(out.owed);
        } else if (name != "lock") {
            out.strangers.push_back((directory / name).native());
        }
    }
    return out;
}

}  // namespace penumbra::journal
