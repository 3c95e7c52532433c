#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/journal.h"

namespace penumbra::journal {

/// One segment file. The writer thread's, but for what says otherwise.
struct Segment {
    SegmentHeader header;
    std::filesystem::path path;
    std::shared_ptr<File> file;  ///< whoever reads keeps it open, also after the file was deleted
    std::uint64_t size = 0;      ///< of the file, as far as we know
    std::uint64_t end = 0;       ///< of what is on disk for certain and counts; a tail beyond it does not
    bool clean = true;           ///< nothing beyond `end` can be in the file
    bool clean_before = true;    ///< so was the one before it
    SteadyTime opened_at{};
    std::set<std::uint32_t> scopes;  ///< that have records in here, settled or not
    /// Scopes of the records in here that must not go before older ones of their scope: retries, forgets, lasting
    /// entries.
    std::vector<std::uint32_t> stays_behind;

    // Guarded by Index::mutex_.
    std::uint64_t live = 0;          ///< owed entries, and set-aside records in force
    bool tell_when_drained = false;  ///< the writer wants to know when `live` becomes 0
};

struct Ledger;

enum class EntryState : std::uint8_t { none, under_way, released, set_aside };

/// One owed record: what the journal costs in memory is this per owed entry.
struct Entry {
    Entry* before = nullptr;  // in the ledger's list; not while set aside
    Entry* after = nullptr;
    Ledger* ledger = nullptr;
    Segment* segment = nullptr;
    EntryId id;
    std::int64_t appended_at = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    EntryState state = EntryState::none;
};

struct SetAside {
    std::string reason;
    std::int64_t at = 0;
    Segment* noted_in = nullptr;  ///< null until the note is on disk
};

/// What one scope owes to one stream. Never destroyed before the index: shards and batches keep pointers.
struct Ledger {
    Ledger(std::uint8_t to, std::uint32_t of) : stream(to), scope(of) {}

    const std::uint8_t stream;
    const std::uint32_t scope;
    /// Accepted and not settled: from before the append is handed over until it failed or was settled, so that nobody
    /// sees a zero while one is under way. The only thing here that an append touches.
    std::atomic<std::uint64_t> owed{0};

    // Guarded by Index::mutex_. Under way and released, in the order of ids.
    Entry* first = nullptr;
    Entry* last = nullptr;
    std::map<EntryId, SetAside> set_aside;
};

/// What is owed and where it lies: entries by id, and by (stream, scope) in the order of their ids. Any thread.
///
/// Appends do not come here: the writer adds what is on disk, a batch at a time. One mutex guards the rest, for a few
/// pointer moves per settle; it is never held over a disk call or a loop without a bound.
class Index {
  public:
    struct NewEntry {
        EntryId id;
        Ledger* ledger = nullptr;
        Segment* segment = nullptr;
        std::int64_t appended_at = 0;
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
    };
    struct Place {
        EntryInfo info;
        SegmentId segment;
        std::filesystem::path path;
        std::shared_ptr<File> file;
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
    };

    Index() = default;
    Index(const Index&) = delete;

    Ledger& ledger(std::uint8_t stream, std::uint32_t scope);
    /// An append of this ledger is accepted; its end is settle(), or failed().
    void accepted(Ledger& ledger);
    void failed(Ledger& ledger);

    std::uint64_t owed() const { return owed_; }

    /// On disk, and counted by accepted() before. Ids grow from call to call within a ledger.
    void add(std::span<const NewEntry> entries);
    /// Found by recovery: released. False when there is one of that id.
    bool recover(const NewEntry& entry);

    /// Whether the writer has something to clean up now.
    bool settle(EntryId id);
    /// False: there is none.
    bool release(EntryId id);
    /// Where and for which scope the note is to be written; nothing when the entry is not owed or set aside already.
    std::optional<EntryInfo> set_aside(EntryId id, std::string reason, std::int64_t now);
    /// The note for `id` is on disk in `segment`. False: it is not set aside any more, so the note does not count.
    bool noted(EntryId id, Segment& segment);
    /// Back to the released ones; the streams that had some.
    bool retry(std::uint32_t scope, std::vector<std::uint8_t>& streams);
    /// As retry() for one stream: recovery reads one at a time.
    bool retry(std::uint8_t stream, std::uint32_t scope);
    /// Those before `first_kept`.
    bool forget(std::uint32_t scope, EntryId first_kept, std::vector<std::uint8_t>& streams);
    struct Undone {
        EntryInfo entry;
        bool drained = false;  ///< the writer has something to clean up now
    };
    /// One entry, if it is set aside: back to the released ones, or gone.
    std::optional<Undone> retry(EntryId id);
    std::optional<Undone> drop_set_aside(EntryId id);
    bool forget(std::uint8_t stream, std::uint32_t scope, EntryId first_kept);

    std::vector<EntryInfo> owed(std::uint8_t stream, std::size_t limit,
                                const std::vector<std::uint32_t>& skip_scopes) const;
    std::optional<Place> place(EntryId id) const;
    /// `under_way_since`: what stands for the oldest where all that is owed is still on its way to the disk.
    Owed owed_of(std::uint8_t stream, std::uint32_t scope, std::int64_t under_way_since) const;
    Owed owed_total(std::int64_t under_way_since) const;
    std::vector<SetAsideEntry> set_aside_entries(std::optional<std::uint32_t> scope, std::size_t limit) const;
    std::optional<SetAsideEntry> set_aside_entry(EntryId id) const;

    /// Above all that are or were here.
    EntryId next_id() const;

    // For the writer, of its segments.
    std::uint64_t live(const Segment& segment) const;
    /// True when it is drained already.
    bool tell_when_drained(Segment& segment);

  private:
    static constexpr std::uint64_t kChunk = 256;
    struct Chunk {
        std::array<Entry, kChunk> entries;
        std::uint32_t used = 0;
    };
    /// Bounds how long one call keeps others waiting.
    static constexpr std::size_t kPerHold = 256;

    Ledger& ledger_locked(std::uint8_t stream, std::uint32_t scope);
    const Ledger* find_ledger(std::uint8_t stream, std::uint32_t scope) const;
    Entry* find(EntryId id) const;
    Entry& add_locked(const NewEntry& entry, EntryState state);
    bool drop(Entry& entry);
    bool leave(Segment& segment);
    bool unset_aside(std::map<EntryId, SetAside>::iterator at, Ledger& ledger);
    static void link(Ledger& ledger, Entry& entry, Entry* before);
    static void unlink(Entry& entry);
    static EntryInfo info_of(const Entry& entry);

    mutable std::mutex mutex_;
    // Ids are handed out without gaps, so entries live in arrays of neighbours: found by division, freed when the last
    // of the neighbours is settled.
    std::unordered_map<std::uint64_t, std::unique_ptr<Chunk>> chunks_;
    std::unique_ptr<Chunk> spare_;
    std::map<std::pair<std::uint8_t, std::uint32_t>, std::unique_ptr<Ledger>> ledgers_;
    std::atomic<std::uint64_t> owed_{0};
    EntryId next_id_{0};
};

}  // namespace penumbra::journal
