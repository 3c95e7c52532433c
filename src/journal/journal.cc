#include "journal/journal.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include <fmt/format.h>

#include "journal/crc32c.h"
#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/index.h"
#include "journal/writer.h"

namespace penumbra::journal {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMinSegmentBytes = 512;
constexpr std::uint64_t kMaxSegmentBytes = std::uint64_t{1}
                                           << 30;  // offsets in it are 32 bits, one record more included

/// The directory and those above it, each known to its parent on disk.
Status make_directories(FileSystem& files, const fs::path& directory) {
    const auto parent = directory.has_parent_path() ? directory.parent_path() : fs::path(".");
    const bool top = parent == directory || parent == ".";
    auto made = files.make_directory(directory);
    if ((made || made.error().detail == ENOENT) && !top) {
        TRY(make_directories(files, parent));
        if (!made) made = files.make_directory(directory);
    }
    if (!made) return fail(std::move(made).error());
    // Also one that was there: a process that was killed may have made it and not come to this. Where that was not us,
    // it may be a place of which we may read nothing, and which somebody else saw to.
    auto synced = files.sync_directory(parent);
    if (synced) return ok();
    constexpr std::array kNotOurs{EACCES, EPERM, EROFS, EINVAL, ENOTSUP};
    const bool not_ours = std::ranges::find(kNotOurs, synced.error().detail) != kNotOurs.end();
    if (made.value() || !not_ours) return fail(std::move(synced).error());
    return ok();
}

Status check(const Options& options) {
    if (options.directory.empty())
        return fail(Errc::invalid_argument, "the journal needs a directory; name one with --state");
    if (options.segment_bytes < kMinSegmentBytes || options.segment_bytes > kMaxSegmentBytes) {
        return fail(Errc::invalid_argument, fmt::format("journal.segment_bytes is {}; it must be from {} to {}",
                                                        options.segment_bytes, kMinSegmentBytes, kMaxSegmentBytes));
    }
    if (options.quota_bytes < options.segment_bytes) {
        return fail(Errc::invalid_argument,
                    fmt::format("journal.quota is {}, less than one segment; raise it to several times "
                                "journal.segment_bytes ({}), or lower that",
                                options.quota_bytes, options.segment_bytes));
    }
    return ok();
}

}  // namespace

struct Journal::State {
    // In this order: the lock goes last, when the writer has ended.
    Options options;
    const Clock& clock;
    std::unique_ptr<FileLock> lock;
    std::shared_ptr<Index> index;
    std::unique_ptr<Writer> writer;
    std::atomic<std::uint64_t> refused{0};

    Status admit(std::size_t payload, std::size_t record) {
        if (payload > kMaxPayloadBytes) {
            return fail(Errc::invalid_argument,
                        fmt::format("a record of {} bytes does not fit the journal; the most is {}", payload,
                                    kMaxPayloadBytes));
        }
        const auto pending = writer->pending_bytes.fetch_add(record) + record;
        const auto on_disk = writer->bytes_on_disk();
        // One record larger than the bound still passes when nothing else is pending: it would never fit otherwise.
        const bool too_fast = pending > options.pending_bytes && pending > record;
        if (on_disk + pending <= options.quota_bytes && !too_fast) return ok();
        writer->pending_bytes -= record;
        ++refused;
        if (too_fast) {
            return fail(Errc::overloaded,
                        fmt::format("{} bytes wait for the journal's disk, as many as journal.pending allows: the "
                                    "disk is slower than the writes; raise it, or give the journal a faster disk",
                                    pending - record));
        }
        writer->shrink_soon();
        return fail(
            Errc::overloaded,
            fmt::format(
                "the journal is full: {} bytes of journal.quota ({}) are used, because the shadow has not taken "
                "what is owed to it; bring the shadow back, cancel the migration, or raise journal.quota",
                on_disk + pending - record, options.quota_bytes));
    }
};

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}

Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(Options options, const Clock& clock) {
    return open(std::move(options), clock, FileSystem::system());
}

Result<std::unique_ptr<Journal>> Journal::open(Options options, const Clock& clock, FileSystem& files) {
    const auto context = [](Error error) { return with_remedy(std::move(error)).in("cannot open the journal"); };
    options.directory = options.directory.lexically_normal();
    if (!options.directory.has_filename()) options.directory = options.directory.parent_path();  // "a/b/"
    if (auto checked = check(options); !checked) return fail(context(checked.error()));
    // A small quota, as tests and small disks have it, must leave room for a segment that waits to be deleted.
    options.segment_bytes = std::max(std::min(options.segment_bytes, options.quota_bytes / 4), kMinSegmentBytes);
    options.idle_segment_bytes = std::min(options.idle_segment_bytes, options.segment_bytes / 4);

    if (auto made = make_directories(files, options.directory); !made) return fail(context(made.error()));
    auto lock = files.lock(options.directory / "lock");
    if (!lock) return fail(context(std::move(lock).error()));

    auto index = std::make_shared<Index>();
    auto writer = std::make_unique<Writer>(options, clock, files, index);
    if (auto recovered = writer->recover(); !recovered) return fail(context(recovered.error()));
    writer->start();

    const auto owed = index->owed_total(0);
    const Log log("journal");
    log.info("journal open", {kv("directory", options.directory.native()), kv("owed", owed.entries),
                              kv("set_aside", owed.set_aside), kv("bytes", writer->bytes_on_disk())});
    auto state = std::unique_ptr<State>(
        new State{std::move(options), clock, std::move(lock).value(), std::move(index), std::move(writer), {}});
    return std::unique_ptr<Journal>(new Journal(std::move(state)));
}

void Journal::append(std::uint8_t stream, std::uint32_t scope, BytesView payload,
                     UniqueFunction<void(Result<EntryId>)> durable, Stays stays) {
    auto& state = *state_;
    auto& lane = state.writer->lane_here();
    if (auto admitted = state.admit(payload.size(), record_bytes(payload.size())); !admitted) {
        lane.shard.post([durable = std::move(durable), error = std::move(admitted).error()]() mutable {
            durable(fail(std::move(error)));
        });
        return;
    }
    auto& ledger = lane.ledger(stream, scope);
    // Before anybody could see it otherwise, and before we return: a fence that comes next counts it.
    state.index->accepted(ledger);
    auto batch = lane.take_to_fill();
    const auto kind = stays == Stays::behind_older ? RecordKind::lasting_entry : RecordKind::entry;
    auto& append = batch->add(kind, stream, scope, state.clock.wall_micros(), payload);
    append.ledger = &ledger;
    append.durable = std::move(durable);
    lane.hand_over(std::move(batch));
    state.writer->wake();
}

void Journal::settle(EntryId id) {
    if (state_->index->settle(id)) state_->writer->clean_up_soon();
}

bool Journal::release(EntryId id) {
    return state_->index->release(id);
}

void Journal::set_aside(EntryId id, std::string reason) {
    if (reason.size() > kMaxReasonBytes) reason.resize(kMaxReasonBytes);
    const auto now = state_->clock.wall_micros();
    const auto entry = state_->index->set_aside(id, reason, now);
    if (!entry) return;
    state_->writer->note({RecordKind::set_aside, entry->stream, entry->scope, now, id, std::move(reason)});
}

void Journal::retry_set_aside(std::uint32_t scope) {
    std::vector<std::uint8_t> streams;
    const bool drained = state_->index->retry(scope, streams);
    for (const auto stream : streams) {
        state_->writer->note({RecordKind::retry, stream, scope, state_->clock.wall_micros(), {}, {}});
    }
    if (drained) state_->writer->clean_up_soon();
}

bool Journal::retry_set_aside(EntryId id) {
    const auto unset = state_->index->retry(id);
    if (!unset) return false;
    state_->writer->note(
        {RecordKind::retry_one, unset->entry.stream, unset->entry.scope, state_->clock.wall_micros(), id, {}});
    if (unset->drained) state_->writer->clean_up_soon();
    return true;
}

bool Journal::drop_set_aside(EntryId id) {
    const auto dropped = state_->index->drop_set_aside(id);
    if (!dropped) return false;
    state_->writer->note(
        {RecordKind::forget_one, dropped->entry.stream, dropped->entry.scope, state_->clock.wall_micros(), id, {}});
    if (dropped->drained) state_->writer->clean_up_soon();
    return true;
}

void Journal::forget_scope(std::uint32_t scope) {
    // What is appended from now on is not meant, also where it gets to the disk before the note.
    const auto first_kept = state_->index->next_id();
    std::vector<std::uint8_t> streams;
    const bool drained = state_->index->forget(scope, first_kept, streams);
    for (const auto stream : streams) {
        state_->writer->note({RecordKind::forget_before, stream, scope, state_->clock.wall_micros(), first_kept, {}});
    }
    if (drained) state_->writer->clean_up_soon();
}

std::vector<SetAsideEntry> Journal::set_aside_entries(std::optional<std::uint32_t> scope, std::size_t limit) const {
    return state_->index->set_aside_entries(scope, limit);
}

std::optional<SetAsideEntry> Journal::set_aside_entry(EntryId id) const {
    return state_->index->set_aside_entry(id);
}

std::vector<EntryInfo> Journal::owed(std::uint8_t stream, std::size_t limit) const {
    return owed(stream, limit, {});
}

std::vector<EntryInfo> Journal::owed(std::uint8_t stream, std::size_t limit,
                                     const std::vector<std::uint32_t>& skip_scopes) const {
    return state_->index->owed(stream, limit, skip_scopes);
}

Result<Bytes> Journal::read(EntryId id) const {
    const auto place = state_->index->place(id);
    if (!place) return fail(Errc::not_found, fmt::format("journal entry {} is not owed any more", id.value()));
    Bytes header_bytes(kRecordHeaderBytes);
    Bytes payload(place->length);
    TRY(const auto got_header, place->file->read_at(place->offset, header_bytes));
    TRY(const auto got, place->file->read_at(place->offset + kRecordHeaderBytes, payload));
    RecordHeader header;
    const char* wrong = nullptr;
    if (got_header < header_bytes.size() || got < payload.size()) {
        wrong = "the record is cut short";
    } else if ((wrong = decode_record_header(header_bytes, place->segment, place->offset, header))) {
    } else if (header.sequence != id.value() || header.length != place->length) {
        wrong = "another record is there";
    } else if (crc32c(payload) != header.payload_crc) {
        wrong = "the checksum of the payload does not hold";
    }
    if (wrong) {
        return fail(Errc::corrupt,
                    fmt::format("{}: damaged at offset {} ({}); check the disk, and copy and verify scope {} again "
                                "before this entry is dropped",
                                place->path.native(), place->offset, wrong, place->info.scope));
    }
    return payload;
}

Owed Journal::owed_of(std::uint8_t stream, std::uint32_t scope) const {
    return state_->index->owed_of(stream, scope, state_->writer->under_way_since());
}

Owed Journal::owed_total() const {
    return state_->index->owed_total(state_->writer->under_way_since());
}

std::uint64_t Journal::owed_entries() const {
    return state_->index->owed();
}

std::uint64_t Journal::bytes_on_disk() const {
    return state_->writer->bytes_on_disk();
}

Figures Journal::figures() const {
    Figures figures;
    state_->writer->collect(figures);
    figures.refused = state_->refused;
    return figures;
}

}  // namespace penumbra::journal
