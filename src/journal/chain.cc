#include "journal/chain.h"

#include <algorithm>
#include <array>
#include <ranges>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/inject.h"

namespace penumbra::journal {

namespace {

constexpr std::string_view kNewSuffix = ".segment.new";

Error damaged(const std::filesystem::path& path, Error error) {
    error.what = fmt::format("{}: {}", path.native(), error.what);
    if (error.code == Errc::corrupt) {
        error.what +=
            "; writes that are owed to the shadow are lost with it. Restore the file from a copy; or move it out of "
            "the "
            "directory, start again, and copy and verify every scope that was shadowed";
    }
    return error;
}

}  // namespace

Chain::Chain(FileSystem& files, const Clock& clock, Index& index, std::filesystem::path directory, std::uint8_t stream,
             Limits limits)
    : files_(&files),
      clock_(&clock),
      index_(&index),
      directory_(std::move(directory)),
      stream_(stream),
      limits_(limits) {}

Status Chain::recover(std::uint64_t& next_sequence) {
    // What a killed process deleted is gone from here on, before we delete what was kept because of it.
    TRY(files_->sync_directory(directory_));
    TRY(auto names, files_->list(directory_));
    for (const auto& name : names) {
        if (name.ends_with(kNewSuffix)) {
            TRY(files_->remove(directory_ / name));
        } else if (segment_of(name)) {
            TRY(recover_segment(name, next_sequence));
        } else {
            log_.warn("a file that is not the journal's is ignored", {kv("file", (directory_ / name).native())});
        }
    }
    std::uint64_t above = 0;  // all sequences of the segments before
    for (auto at = segments_.begin(); at != segments_.end(); ++at) {
        const auto after = std::next(at);
        if (at->second->header.first_sequence < above) {
            return fail(
                damaged(at->second->path, {Errc::corrupt, "its records are older than those of the segment before"}));
        }
        TRY(read_records(*at->second, after == segments_.end() ? nullptr : after->second.get(), above));
    }
    next_sequence = std::max(next_sequence, above);
    return ok();
}

Status Chain::recover_segment(const std::string& name, std::uint64_t& next_sequence) {
    auto segment = std::make_unique<Segment>();
    segment->path = directory_ / name;
    TRY(segment->file, files_->open(segment->path));
    TRY(segment->size, segment->file->size());
    std::array<Byte, kSegmentHeaderBytes> bytes{};
    TRY(const auto got, segment->file->read_at(0, bytes));
    auto header = decode_segment_header(BytesView(bytes).first(got));
    if (!header) return fail(damaged(segment->path, header.error()));
    const auto id = *segment_of(name);
    if (header.value().id != id || header.value().stream != stream_) {
        return fail(
            damaged(segment->path, {Errc::corrupt, fmt::format("this is segment {} of stream {} under another's name",
                                                               header.value().id.value(), header.value().stream)}));
    }
    segment->header = header.value();
    segment->opened_at = clock_->now();
    segment->tell_when_drained = true;
    next_sequence = std::max(next_sequence, segment->header.first_sequence);
    bytes_ += segment->size;
    segments_.emplace(id, std::move(segment));
    return ok();
}

Status Chain::read_records(Segment& segment, const Segment* next, std::uint64_t& next_sequence) {
    Bytes bytes(segment.size);
    TRY(const auto got, segment.file->read_at(0, bytes));
    bytes.resize(got);
    std::optional<std::uint64_t> end;
    if (next) end = next->header.previous == segment.header.id ? next->header.previous_end : segment.size;
    std::optional<Error> unfit;
    const auto scanned = scan_segment(bytes, segment.header, end, [&](const Record& record) {
        next_sequence = std::max(next_sequence, record.header.sequence + 1);
        const auto* wrong = unfit ? nullptr : apply(segment, record);
        if (wrong) unfit.emplace(Errc::corrupt, fmt::format("damaged at offset {} ({})", record.offset, wrong));
    });
    if (!scanned) return fail(damaged(segment.path, scanned.error()));
    if (unfit) return fail(damaged(segment.path, *std::move(unfit)));
    segment.end = scanned.value().end;
    segment.clean = segment.end == segment.size;
    if (!next && !segment.clean) {
        log_.warn(
            "a torn tail, never acknowledged, is left out",
            {kv("file", segment.path.native()), kv("offset", segment.end), kv("bytes", segment.size - segment.end)});
    }
    if (!next && scanned.value().synced < segment.end) {
        // In the page cache of a process that was killed, perhaps, and we count on it from now on. Written again and
        // not only synced: when a sync failed then, these pages count as clean, and no sync of ours would write them.
        const auto tail = BytesView(bytes).first(segment.end).subspan(scanned.value().synced);
        TRY(segment.file->write_at(scanned.value().synced, {&tail, 1}));
        TRY(segment.file->sync_data());
    }
    const auto before = segments_.find(segment.header.previous);
    segment.clean_before = before == segments_.end() || before->second->clean;
    return ok();
}

const char* Chain::apply(Segment& segment, const Record& record) {
    const auto& header = record.header;
    if (header.kind != RecordKind::closed) segment.scopes.insert(header.scope);
    switch (header.kind) {
        case RecordKind::lasting_entry:
            segment.stays_behind.push_back(header.scope);
            [[fallthrough]];
        case RecordKind::entry: {
            const bool added = index_->recover({.id = EntryId(header.sequence),
                                                .ledger = &index_->ledger(stream_, header.scope),
                                                .segment = &segment,
                                                .appended_at = header.appended_at,
                                                .offset = static_cast<std::uint32_t>(record.offset),
                                                .length = header.length});
            if (!added) return "its sequence is that of another record";
            break;
        }
        case RecordKind::set_aside: {
            auto note = decode_set_aside(record.payload);
            if (!note) return "the note names no entry";
            const EntryId id(note.value().sequence);
            // Without its entry: that was settled, and its segment deleted before this one was.
            index_->set_aside(id, std::move(note.value().reason), header.appended_at);
            index_->noted(id, segment);
            break;
        }
        case RecordKind::retry:
            segment.stays_behind.push_back(header.scope);
            index_->retry(stream_, header.scope);
            break;
        case RecordKind::forget:
            segment.stays_behind.push_back(header.scope);
            index_->forget(stream_, header.scope, EntryId(header.sequence));
            break;
        case RecordKind::forget_before: {
            auto note = decode_set_aside(record.payload);
            if (!note) return "the note names no entry";
            segment.stays_behind.push_back(header.scope);
            index_->forget(stream_, header.scope, EntryId(note.value().sequence));
            break;
        }
        case RecordKind::retry_one:
        case RecordKind::forget_one: {
            auto note = decode_set_aside(record.payload);
            if (!note) return "the note names no entry";
            const EntryId id(note.value().sequence);
            segment.stays_behind.push_back(header.scope);
            // Without the entry, or the note: settled, and its segment deleted before this one was.
            if (header.kind == RecordKind::retry_one) {
                index_->retry(id);
            } else {
                index_->settle(id);
            }
            break;
        }
        case RecordKind::closed:
            break;
    }
    return nullptr;
}

void Chain::failed(Error error) {
    ++failures_;
    // The first failure is answered by trying again with the next append, in a new segment; only a disk that fails that
    // too is left alone for a while.
    const auto pause =
        failures_ < 2 ? Millis(0) : std::min(Millis(25) * (1 << std::min(failures_ - 2, 6)), Millis(1000));
    retry_at_ = clock_->now() + pause;
    last_failure_ = std::move(error);
    std::uint64_t dropped = 0;
    if (failures_logged_.pass(clock_->now(), dropped)) {
        log_.error("the journal cannot write",
                   {kv("why", last_failure_.what), kv("stream", stream_), kv("not_logged", dropped)});
    }
}

Result<Segment*> Chain::writable(std::uint64_t bytes, std::uint64_t next_sequence) {
    if (failures_ > 0 && clock_->now() < retry_at_) return fail(last_failure_);
    if (writable_) {
        auto& segment = *newest();
        // A record larger than a segment gets one of its own.
        if (segment.end == kSegmentHeaderBytes || segment.end + bytes <= limits_.segment_bytes) return &segment;
    }
    return start_segment(next_sequence);
}

Status Chain::ready_directory() {
    if (directory_ready_) return ok();
    TRY(const auto made, files_->make_directory(directory_));
    (void)made;  // also one that was there: a process that was killed made it, and did not come to the sync
    TRY(files_->sync_directory(directory_.parent_path()));
    directory_ready_ = true;
    return ok();
}

Status Chain::make_file(Segment& segment) {
    TRY(ready_directory());
    auto being_made = segment.path;
    being_made += ".new";
    TRY(segment.file, files_->create(being_made));
    std::array<Byte, kSegmentHeaderBytes> header;
    encode(segment.header, header);
    const BytesView part(header);
    TRY(segment.file->write_at(0, {&part, 1}));
    TRY(segment.file->sync_data());
    TRY(files_->rename(being_made, segment.path));
    segment.file->renamed(segment.path);
    TRY(files_->sync_directory(directory_));
    segment.size = segment.end = kSegmentHeaderBytes;
    return ok();
}

Result<Segment*> Chain::start_segment(std::uint64_t next_sequence) {
    auto segment = std::make_unique<Segment>();
    auto* last = newest();
    // From here on a file may come to be that says where the newest ends, also when we are told that it failed.
    writable_ = false;
    // Nothing in the newest was ever acknowledged: the new one takes its id, its name and its place.
    const bool replaces = last && last->end == kSegmentHeaderBytes;
    segment->header.stream = stream_;
    segment->header.id = SegmentId(last ? last->header.id.value() + (replaces ? 0 : 1) : 1);
    segment->header.first_sequence = next_sequence;
    segment->header.created_at = clock_->wall_micros();
    if (replaces) {
        segment->header.previous = last->header.previous;
        segment->header.previous_end = last->header.previous_end;
        segment->clean_before = last->clean_before;
    } else if (last) {
        segment->header.previous = last->header.id;
        segment->header.previous_end = last->end;
        segment->clean_before = last->clean;
    }
    segment->path = directory_ / segment_name(segment->header.id);
    segment->opened_at = clock_->now();
    if (auto made = make_file(*segment); !made) {
        auto error = with_remedy(std::move(made).error());
        failed(error);
        return fail(std::move(error));
    }
    writable_ = true;
    bytes_ += segment->size;
    if (replaces) {
        ASSERT(index_->live(*last) == 0);
        bytes_ -= last->size;
    } else if (last) {
        wants_clean_up_ |= index_->tell_when_drained(*last);
    }
    auto& place = segments_[segment->header.id];
    place = std::move(segment);
    return place.get();
}

Status Chain::write(Segment& segment, std::span<const BytesView> parts, std::uint64_t bytes) {
    auto done = segment.file->write_at(segment.end, parts);
    if (done && !INJECT("journal.skip_sync")) done = segment.file->sync_data();
    if (!done) {
        // How much of it is in the file, or on disk, nobody knows: the segment ends where it did, and is left.
        const auto size = segment.file->size();
        const auto now = size ? std::max(size.value(), segment.end) : segment.end + bytes;
        bytes_ += now - segment.size;
        segment.size = now;
        segment.clean = false;  // whatever the size says now: what a crash leaves of it is open
        writable_ = false;
        index_->tell_when_drained(segment);
        auto error = with_remedy(std::move(done).error());
        failed(error);
        return fail(std::move(error));
    }
    failures_ = 0;
    segment.end += bytes;
    segment.size = segment.end;
    bytes_ += bytes;
    // Before its entries are known, so that their last settle is heard of.
    if (segment.size >= limits_.idle_bytes) index_->tell_when_drained(segment);
    return ok();
}

bool Chain::may_go(Segments::const_iterator at) const {
    const auto& segment = *at->second;
    if (&segment == newest() || index_->live(segment) != 0) return false;
    if (segment.clean_before && segment.stays_behind.empty()) return true;
    if (deletions_uncertain_) return false;
    if (!segment.clean_before && segments_.contains(segment.header.previous)) return false;
    return std::ranges::none_of(segments_.begin(), at, [&](const auto& older) {
        return std::ranges::any_of(segment.stays_behind,
                                   [&](auto scope) { return older.second->scopes.contains(scope); });
    });
}

bool Chain::delete_settled(bool& deleted) {
    std::vector<SegmentId> going;
    for (auto at = segments_.begin(); at != segments_.end(); ++at) {
        if (may_go(at)) going.push_back(at->first);
    }
    bool again = false;
    for (const auto id : going) {
        const auto& segment = *segments_.at(id);
        auto removed = files_->remove(segment.path);
        if (!removed) {
            std::uint64_t dropped = 0;
            if (failures_logged_.pass(clock_->now(), dropped)) {
                log_.warn("a settled segment could not be deleted; it is tried again",
                          {kv("why", removed.error().what)});
            }
            again = true;
            continue;
        }
        bytes_ -= std::min(bytes_, segment.size);
        segments_.erase(id);
        deleted = true;
    }
    if (deleted) {
        if (auto synced = files_->sync_directory(directory_); !synced) {
            deletions_uncertain_ = true;
            log_.warn("deleted segments may come back after a crash, and be replayed again",
                      {kv("why", synced.error().what)});
        }
    }
    return again;
}

bool Chain::clean_up(std::uint64_t next_sequence, Wants wants) {
    bool again = false;
    if (auto* last = newest(); last && last->end > kSegmentHeaderBytes) {
        const bool due =
            wants.small || last->size >= limits_.idle_bytes || clock_->now() - last->opened_at >= limits_.idle_age;
        if (due && index_->live(*last) == 0) {
            if (failures_ > 0 && clock_->now() < retry_at_) {
                again = true;
            } else {
                again = !start_segment(next_sequence);
            }
        }
    }
    wants_clean_up_ = false;
    // What goes may be what kept another one: again, with the directory synced in between, until nothing more goes.
    for (bool deleted = true; deleted;) {
        deleted = false;
        again |= delete_settled(deleted);
    }
    return again;
}

}  // namespace penumbra::journal
