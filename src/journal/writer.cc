#include "journal/writer.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace penumbra::journal {

namespace {

constexpr std::string_view kStreamPrefix = "stream-";
constexpr Millis kRetryPause{500};

std::atomic<std::uint64_t> instances{0};

/// Which lane this thread used last. By number, not by address: another journal may come to stand where one was.
struct LastLane {
    std::uint64_t instance = 0;
    const Shard* shard = nullptr;
    Lane* lane = nullptr;
};
thread_local LastLane last_lane;

}  // namespace

Writer::Writer(Options options, const Clock& clock, FileSystem& files, std::shared_ptr<Index> index)
    : options_(std::move(options)), clock_(clock), files_(files), index_(std::move(index)), instance_(++instances) {
    wakeup_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

Writer::~Writer() {
    if (thread_.joinable()) {
        stopping_ = true;
        wake();
        thread_.join();
    }
    if (wakeup_ >= 0) ::close(wakeup_);
}

Chain& Writer::chain(std::uint8_t stream) {
    const auto found = chains_.find(stream);
    if (found != chains_.end()) return found->second;
    const Chain::Limits limits{options_.segment_bytes, options_.idle_segment_bytes, options_.idle_segment_age};
    return chains_
        .emplace(stream, Chain(files_, clock_, *index_, options_.directory / fmt::format("{}{}", kStreamPrefix, stream),
                               stream, limits))
        .first->second;
}

Status Writer::recover() {
    if (wakeup_ < 0)
        return fail(Errc::io, "cannot make an eventfd for the journal; raise the limit of open files (ulimit -n)");
    TRY(auto names, files_.list(options_.directory));
    for (const std::string_view name : names) {
        if (!name.starts_with(kStreamPrefix)) continue;
        unsigned stream = 0;
        const auto digits = name.substr(kStreamPrefix.size());
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), stream);
        if (error != std::errc() || stop != digits.data() + digits.size() || stream > 0xff) continue;
        TRY(chain(static_cast<std::uint8_t>(stream)).recover(next_sequence_));
    }
    count_bytes();
    return ok();
}

void Writer::start() {
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "journal");
        run();
    });
}

Lane& Writer::lane_here() {
    auto& shard = Shard::here();
    if (last_lane.instance == instance_ && last_lane.shard == &shard) return *last_lane.lane;
    const std::lock_guard lock(lanes_mutex_);
    auto found = std::ranges::find_if(lanes_, [&](const auto& lane) { return &lane->shard == &shard; });
    if (found == lanes_.end()) {
        lanes_.push_back(std::make_shared<Lane>(shard, index_));
        found = std::prev(lanes_.end());
        lane_count_ = lanes_.size();
    }
    last_lane = {instance_, &shard, found->get()};
    return **found;
}

void Writer::wake() {
    if (!sleeping_.load() || !sleeping_.exchange(false)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wakeup_, &one, sizeof one);
}

void Writer::clean_up_soon() {
    clean_up_asked_ = true;
    wake();
}

void Writer::shrink_soon() {
    shrink_asked_ = true;
    clean_up_soon();
}

void Writer::note(Note note) {
    {
        const std::lock_guard lock(notes_mutex_);
        notes_.push_back(std::move(note));
        has_notes_ = true;
    }
    wake();
}

std::int64_t Writer::under_way_since() const {
    std::int64_t since = 0;
    const std::lock_guard lock(lanes_mutex_);
    for (const auto& lane : lanes_) {
        for (const auto began : {lane->writing_since.load(), lane->filling_since.load()}) {
            if (began != 0 && (since == 0 || began < since)) since = began;
        }
    }
    return since != 0 ? since : clock_.wall_micros();
}

void Writer::collect(Figures& figures) const {
    figures.records = records_;
    figures.bytes = bytes_;
    figures.syncs = syncs_;
    figures.failed_records = failed_records_;
    figures.writing = Nanos(writing_nanos_);
}

void Writer::run() {
    try_again_ = clean_up(false);  // what recovery found settled or empty
    for (;;) {
        const bool stopping = stopping_;
        const bool wrote = write_pending();
        const bool left_behind =
            std::ranges::any_of(chains_, [](const auto& at) { return at.second.wants_clean_up(); });
        if (clean_up_asked_.exchange(false) || left_behind || clock_.now() >= next_clean_up_)
            try_again_ |= clean_up(false);
        if (wrote) continue;
        if (stopping) break;
        wait();
    }
    close_segments();
}

bool Writer::something_pending() const {
    if (has_notes_ && !try_again_) return true;
    if (clean_up_asked_ || stopping_ || lane_count_ != known_lanes_.size()) return true;
    return std::ranges::any_of(known_lanes_, [](const auto& lane) { return lane->pending.load() != nullptr; });
}

void Writer::wait() {
    sleeping_ = true;
    if (!something_pending()) {
        const bool may_shrink = std::ranges::any_of(chains_, [](const auto& at) { return at.second.has_records(); });
        auto timeout = Millis(-1);
        if (may_shrink) timeout = std::max(options_.idle_segment_age, Millis(1));
        if (try_again_) timeout = may_shrink ? std::min(timeout, kRetryPause) : kRetryPause;
        pollfd door{wakeup_, POLLIN, 0};
        if (::poll(&door, 1, static_cast<int>(timeout.count())) == 0) {
            try_again_ = false;
            clean_up_asked_ = true;
        }
    }
    sleeping_ = false;
    std::uint64_t drained = 0;
    [[maybe_unused]] const auto got = ::read(wakeup_, &drained, sizeof drained);
}

void Writer::take_lanes() {
    if (lane_count_ != known_lanes_.size()) {
        const std::lock_guard lock(lanes_mutex_);
        known_lanes_ = lanes_;
    }
    for (const auto& lane : known_lanes_) {
        auto batch = lane->take_to_write();
        if (!batch) continue;
        for (auto& append : batch->appends) work_[append.header.stream].items.push_back({batch.get(), &append});
        taken_.push_back({lane.get(), std::move(batch)});
    }
}

void Writer::take_notes() {
    if (!has_notes_) return;
    {
        const std::lock_guard lock(notes_mutex_);
        taken_notes_.swap(notes_);
        has_notes_ = false;
    }
    Bytes payload;
    for (const auto& note : taken_notes_) {
        payload.clear();
        const bool names_entry = note.kind != RecordKind::retry && note.kind != RecordKind::closed;
        if (names_entry) encode(SetAsideNote{note.entry.value(), note.reason}, payload);
        note_batch_.add(note.kind, note.stream, note.scope, note.at, payload);
    }
    for (auto& append : note_batch_.appends) work_[append.header.stream].items.push_back({&note_batch_, &append});
}

bool Writer::write_pending() {
    take_lanes();
    // Notes that failed wait for an append or a while; and are tried once more at the end.
    if (!try_again_ || !taken_.empty() || stopping_) take_notes();
    const auto jobs = taken_.size() + taken_notes_.size();
    if (jobs == 0) return false;
    for (auto& [stream, work] : work_) {
        if (work.items.empty()) continue;
        write_stream(chain(stream), work.items);
        work.items.clear();
    }
    count_bytes();
    for (auto& [lane, batch] : taken_) {
        // After the disk was counted: for a moment a record counts twice for the quota, never not at all. Before the
        // answer, so that who waits for it finds the room.
        pending_bytes -= batch->bytes.size();
        lane->answer(std::move(batch));
    }
    taken_.clear();
    return keep_failed_notes() < jobs;
}

std::size_t Writer::keep_failed_notes() {
    std::vector<Note> failed;
    for (std::size_t i = 0; i < taken_notes_.size(); ++i) {
        if (note_batch_.appends[i].error) failed.push_back(std::move(taken_notes_[i]));
    }
    if (!failed.empty()) {
        // In front of what came since, so that their order stays.
        const std::lock_guard lock(notes_mutex_);
        notes_.insert(notes_.begin(), std::make_move_iterator(failed.begin()), std::make_move_iterator(failed.end()));
        has_notes_ = true;
        try_again_ = true;
    }
    taken_notes_.clear();
    note_batch_.clear();
    return failed.size();
}

void Writer::write_stream(Chain& chain, std::vector<Item>& items) {
    for (std::size_t first = 0; first < items.size();) {
        std::size_t count = 0;
        const auto written = write_some(chain, items, first, count);
        if (written) {
            first += count;
            continue;
        }
        // Those behind it fail with it: to try them on a disk that just refused is what the next append does.
        for (const auto& [batch, append] : std::span(items).subspan(first)) {
            if (batch->errors.empty() || batch->errors.back() != written.error())
                batch->errors.push_back(written.error());
            append->error = batch->errors.size() - 1;
            if (append->ledger) ++failed_records_;
        }
        return;
    }
}

Status Writer::write_some(Chain& chain, std::vector<Item>& items, std::size_t first, std::size_t& count) {
    const auto began = clock_.now();
    TRY(auto* const segment, chain.writable(record_bytes(items[first].append->header.length), next_sequence_));
    const auto end = segment->end;
    auto offset = end;
    parts_.clear();
    const Byte* expected = nullptr;  // where the part so far ends: neighbours in memory are one part
    count = 0;
    for (auto i = first; i < items.size(); ++i) {
        auto& [batch, append] = items[i];
        auto& header = append->header;
        const auto size = record_bytes(header.length);
        if (i > first && offset + size > options_.segment_bytes) break;
        header.sequence = next_sequence_++;
        header.synced_end = static_cast<std::uint32_t>(end);
        const MutableBytes record(batch->bytes.data() + append->at, size);
        encode(header, segment->header.id, offset, record);
        if (record.data() == expected) {
            parts_.back() = {parts_.back().data(), parts_.back().size() + size};
        } else {
            parts_.push_back(record);
        }
        expected = record.data() + size;
        offset += size;
        ++count;
    }
    TRY(chain.write(*segment, parts_, offset - end));
    make_known(*segment, std::span(items).subspan(first, count));
    ++syncs_;
    bytes_ += offset - end;
    writing_nanos_ += (clock_.now() - began).count();
    return ok();
}

void Writer::make_known(Segment& segment, std::span<const Item> items) {
    auto offset = segment.end;
    for (const auto& item : items) offset -= record_bytes(item.append->header.length);
    new_entries_.clear();
    const auto add_entries = [&] {
        index_->add(new_entries_);
        records_ += new_entries_.size();
        new_entries_.clear();
    };
    for (const auto& [batch, append] : items) {
        const auto& header = append->header;
        segment.scopes.insert(header.scope);
        if (is_entry(header.kind)) {
            if (header.kind == RecordKind::lasting_entry) segment.stays_behind.push_back(header.scope);
            new_entries_.push_back({.id = EntryId(header.sequence),
                                    .ledger = append->ledger,
                                    .segment = &segment,
                                    .appended_at = header.appended_at,
                                    .offset = static_cast<std::uint32_t>(offset),
                                    .length = header.length});
        } else {
            add_entries();
            const auto& note = taken_notes_[static_cast<std::size_t>(append - note_batch_.appends.data())];
            if (header.kind == RecordKind::set_aside) index_->noted(note.entry, segment);
            if (header.kind != RecordKind::set_aside && header.kind != RecordKind::closed)
                segment.stays_behind.push_back(header.scope);
            clean_up_asked_ = true;
        }
        offset += record_bytes(header.length);
    }
    add_entries();
}

bool Writer::clean_up(bool closing) {
    const bool small = shrink_asked_.exchange(false) || closing;
    bool again = false;
    for (auto& [stream, chain] : chains_) again |= chain.clean_up(next_sequence_, {.small = small});
    count_bytes();
    next_clean_up_ = clock_.now() + options_.idle_segment_age;
    return again;
}

void Writer::close_segments() {
    clean_up(true);
    for (auto& [stream, chain] : chains_) {
        // Vouches for the last group commit, which nothing behind it does otherwise.
        if (!chain.is_open()) continue;
        note_batch_.clear();
        auto& append = note_batch_.add(RecordKind::closed, stream, 0, clock_.wall_micros(), {});
        std::vector<Item> items{{&note_batch_, &append}};
        taken_notes_.assign(1, Note{.kind = RecordKind::closed, .stream = stream});
        write_stream(chain, items);
    }
}

void Writer::count_bytes() {
    std::uint64_t bytes = 0;
    for (const auto& [stream, chain] : chains_) bytes += chain.bytes();
    bytes_on_disk_ = bytes;
}

}  // namespace penumbra::journal
