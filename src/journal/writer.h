#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "journal/chain.h"
#include "journal/index.h"
#include "journal/journal.h"
#include "journal/lane.h"

namespace penumbra::journal {

/// A record of the journal's own, about entries that are on disk.
struct Note {
    RecordKind kind = RecordKind::set_aside;
    std::uint8_t stream = 0;
    std::uint32_t scope = 0;
    std::int64_t at = 0;
    EntryId entry;       ///< set_aside, retry_one, forget_one; of forget_before the first that stays
    std::string reason;  ///< set_aside
};

/// The one thread that writes: takes what all lanes hold, writes it with one call and one sync per segment, makes it
/// known to the index, and answers each shard with one message. Then it looks again; it sleeps only when there is
/// nothing.
class Writer {
  public:
    Writer(Options options, const Clock& clock, FileSystem& files, std::shared_ptr<Index> index);
    /// Writes what is pending and ends the thread.
    ~Writer();
    Writer(const Writer&) = delete;

    /// Reads all streams of the directory; before start().
    Status recover();
    void start();

    /// The lane of the shard that calls.
    Lane& lane_here();
    // Any thread.
    void wake();
    void clean_up_soon();
    /// The same, and the newest segments too if they owe nothing, whatever their size: the quota is used up.
    void shrink_soon();
    void note(Note note);
    std::uint64_t bytes_on_disk() const { return bytes_on_disk_; }
    std::int64_t under_way_since() const;
    void collect(Figures& figures) const;

    /// Bytes that appends have accepted and that are not on disk; appends add, the writer takes away.
    std::atomic<std::uint64_t> pending_bytes{0};

  private:
    struct Item {
        Batch* batch;
        Batch::Append* append;
    };
    struct Work {
        std::vector<Item> items;
    };

    void run();
    /// One group commit; false when there was nothing to do, or nothing that can be done now.
    bool write_pending();
    void take_lanes();
    void take_notes();
    void write_stream(Chain& chain, std::vector<Item>& items);
    /// From `first` on, as many as one segment takes.
    Status write_some(Chain& chain, std::vector<Item>& items, std::size_t first, std::size_t& count);
    void make_known(Segment& segment, std::span<const Item> items);
    /// How many there were.
    std::size_t keep_failed_notes();
    bool clean_up(bool closing);
    void close_segments();
    void wait();
    bool something_pending() const;
    Chain& chain(std::uint8_t stream);
    void count_bytes();

    const Options options_;
    const Clock& clock_;
    FileSystem& files_;
    const std::shared_ptr<Index> index_;
    const std::uint64_t instance_;
    Log log_{"journal"};
    int wakeup_ = -1;
    std::thread thread_;

    mutable std::mutex lanes_mutex_;  // guards lanes_; taken by a shard once, by the writer when there are new ones
    std::vector<std::shared_ptr<Lane>> lanes_;
    std::atomic<std::size_t> lane_count_{0};
    std::mutex notes_mutex_;  // guards notes_
    std::vector<Note> notes_;
    std::atomic<bool> has_notes_{false};

    // The door of a writer that sleeps: it says so, looks once more, and sleeps; who brings work looks whether it
    // sleeps. Both orders end awake, because both sides are sequentially consistent.
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> clean_up_asked_{false};
    std::atomic<bool> shrink_asked_{false};
    std::atomic<bool> stopping_{false};

    // The thread's own.
    std::map<std::uint8_t, Chain> chains_;
    std::uint64_t next_sequence_ = 1;
    std::vector<std::shared_ptr<Lane>> known_lanes_;
    struct Taken {
        Lane* lane;
        std::unique_ptr<Batch> batch;
    };
    std::vector<Taken> taken_;
    std::vector<Note> taken_notes_;
    Batch note_batch_;
    std::map<std::uint8_t, Work> work_;
    std::vector<BytesView> parts_;
    std::vector<Index::NewEntry> new_entries_;
    bool try_again_ = false;  // something failed that no append will ask for again
    SteadyTime next_clean_up_{};

    std::atomic<std::uint64_t> bytes_on_disk_{0};
    std::atomic<std::uint64_t> records_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> syncs_{0};
    std::atomic<std::uint64_t> failed_records_{0};
    std::atomic<std::int64_t> writing_nanos_{0};
};

}  // namespace penumbra::journal
