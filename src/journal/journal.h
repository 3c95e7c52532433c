#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/function.h"
#include "base/result.h"
#include "base/strong.h"
#include "runtime/shard.h"
#include "runtime/task.h"

namespace penumbra::journal {

/// Names one record for as long as it is owed; grows with each append, also across restarts.
using EntryId = Strong<std::uint64_t, struct EntryIdTag>;

struct Options {
    std::filesystem::path directory;
    std::uint64_t segment_bytes = 64 << 20;
    std::uint64_t quota_bytes = std::uint64_t{8} << 30;  ///< past it append fails with Errc::overloaded
    std::uint64_t pending_bytes =
        256 << 20;  ///< accepted and not on disk yet; past it append fails with Errc::overloaded
    /// The segment that is written to, once all of it is settled, is replaced by an empty one when it has this size or
    /// age.
    std::uint64_t idle_segment_bytes = 4 << 20;
    Millis idle_segment_age = Seconds(10);
};

/// What a record takes in memory for as long as it is owed, bytes.
constexpr std::uint64_t kMemoryPerOwed = 64;

/// What the journal knows of a record without reading it. `stream` is the cluster that is owed (0 source, 1 target),
/// `scope` the migration it belongs to; both are the caller's numbers.
struct EntryInfo {
    EntryId id;
    std::uint8_t stream = 0;
    std::uint32_t scope = 0;
    std::int64_t appended_at = 0;  ///< wall clock, microseconds
};

/// Counts of what is owed, for gates, status and metrics.
struct Owed {
    std::uint64_t entries = 0;
    std::uint64_t set_aside = 0;          ///< of these: refused for good, waiting for an operator
    std::int64_t oldest_appended_at = 0;  ///< wall clock, microseconds; 0 when nothing is owed
    std::int64_t oldest_waiting_at = 0;   ///< of those that are not set aside; owed_of() only
};

/// A record that the shadow refuses, and what it said.
struct SetAsideEntry {
    EntryInfo entry;
    std::string reason;
    std::int64_t set_aside_at = 0;  ///< wall clock, microseconds
};

/// Totals since open, for metrics. One writer each, read at any time.
struct Figures {
    std::uint64_t records = 0;         ///< on disk
    std::uint64_t bytes = 0;           ///< on disk
    std::uint64_t syncs = 0;           ///< of data; records per sync is the size of a group commit
    std::uint64_t failed_records = 0;  ///< answered with Errc::io
    std::uint64_t refused = 0;         ///< past a bound: answered with Errc::overloaded
    Nanos writing{};                   ///< time in write and sync
};

class FileSystem;

/// The durable log of shadow writes that the shadow has not acknowledged: append, group commit by fdatasync, recovery,
/// deletion of segments whose records are all settled. What a record holds is the caller's business.
///
/// append(), settle(), release() and set_aside() are for any shard and never block it: a writer thread does the disk.
/// Format: docs/journal.md.
class Journal {
  public:
    /// Opens or creates; recovers what is owed. A torn tail of the last segment is its end; damage elsewhere is
    /// Errc::corrupt and names file and offset. A directory in use by another process is Errc::conflict.
    static Result<std::unique_ptr<Journal>> open(Options options, const Clock& clock);
    static Result<std::unique_ptr<Journal>> open(Options options, const Clock& clock, FileSystem& files);
    /// Writes and syncs what was appended. The shards must still be there: they are sent the answers.
    ~Journal();

    /// How long a record stays on disk. Settled ones that are still there are offered again after a restart;
    /// `behind_older` is for a record that must then come behind the older ones of its scope and stream: it stays as
    /// long as those.
    enum class Stays : std::uint8_t { until_settled, behind_older };

    /// `durable` runs on the calling shard once the record is on disk (fdatasync returned), or with why it is not; then
    /// nothing is owed. It never runs inside append(). Until release() or settle() the record counts as under way and
    /// is not offered for replay.
    void append(std::uint8_t stream, std::uint32_t scope, BytesView payload,
                UniqueFunction<void(Result<EntryId>)> durable, Stays stays = Stays::until_settled);
    /// The shadow has it: nothing is owed any more. Forgotten settles (a crash) only mean a replay.
    void settle(EntryId id);
    /// Whoever appended it gives up on it: offered for replay from now on. False: nothing is owed under this id.
    bool release(EntryId id);
    /// The shadow refuses it for good: kept, counted, not offered again until retry_set_aside(). Survives a restart
    /// with its reason (of which the first kMaxReasonBytes are kept) once it was written, which is soon.
    void set_aside(EntryId id, std::string reason);
    void retry_set_aside(std::uint32_t scope);
    /// The same for one entry. False: it is not set aside.
    bool retry_set_aside(EntryId id);
    /// An operator gives an entry up that is set aside: nothing is owed for it any more, also after a restart once that
    /// was written, which is soon. False: it is not set aside.
    bool drop_set_aside(EntryId id);
    static constexpr std::size_t kMaxReasonBytes = 1024;
    /// Of one scope or of all. Any thread.
    std::vector<SetAsideEntry> set_aside_entries(std::optional<std::uint32_t> scope, std::size_t limit) const;
    std::optional<SetAsideEntry> set_aside_entry(EntryId id) const;

    /// At most `limit` released entries of `stream`, oldest first, that are not in `skip_scopes`. Any thread; memory
    /// only.
    std::vector<EntryInfo> owed(std::uint8_t stream, std::size_t limit) const;
    std::vector<EntryInfo> owed(std::uint8_t stream, std::size_t limit,
                                const std::vector<std::uint32_t>& skip_scopes) const;
    /// The payload; checksum verified. Blocks on the disk: call it on a Worker or a background shard.
    Result<Bytes> read(EntryId id) const;

    /// Under-way, released and set-aside entries of one scope and stream; an append counts from before append()
    /// returns. Any thread, exact at some moment during the call; the oldest may be too old by one group commit while
    /// all that is owed is still on its way to the disk.
    Owed owed_of(std::uint8_t stream, std::uint32_t scope) const;
    Owed owed_total() const;
    /// As owed_total(), of the number alone: for every write.
    std::uint64_t owed_entries() const;
    std::uint64_t bytes_on_disk() const;
    Figures figures() const;

    /// Drops everything owed by a scope (its migration was cancelled or completed): nobody wants it any more. What is
    /// appended from then on is owed. Takes time by what is owed: not for a shard with clients.
    void forget_scope(std::uint32_t scope);

  private:
    struct State;
    explicit Journal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace penumbra::journal
