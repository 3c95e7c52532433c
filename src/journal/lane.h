#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/function.h"
#include "journal/format.h"
#include "journal/index.h"
#include "journal/journal.h"
#include "runtime/shard.h"

namespace penumbra::journal {

/// Records on their way to the disk, in the bytes that will be written; the writer fills in each header. Has one owner
/// at a time: the shard that fills it, the writer, then the shard again for the answers.
struct Batch {
    struct Append {
        RecordHeader header;
        std::size_t at = 0;        ///< of the record in `bytes`
        Ledger* ledger = nullptr;  ///< null: a note of the writer's own
        UniqueFunction<void(Result<EntryId>)> durable;
        std::optional<std::size_t> error;  ///< in `errors`: many appends fail for one reason
    };
    Bytes bytes;
    std::vector<Append> appends;
    std::vector<Error> errors;

    Append& add(RecordKind kind, std::uint8_t stream, std::uint32_t scope, std::int64_t now, BytesView payload);
    std::int64_t began_at() const { return appends.front().header.appended_at; }
    /// For reuse; gives back what only a burst needed.
    void clear();
};

/// The way from one shard to the writer. A batch is handed over by swapping one pointer, so the shard never waits for
/// the writer, and two batches go back and forth without an allocation.
///
/// Whoever swapped a batch out of `pending` owns it. The shard takes its last one back to add to it as long as the
/// writer has not: what is pending when the writer comes is the next group commit, and nothing waits for a timer.
struct Lane : std::enable_shared_from_this<Lane> {
    Lane(Shard& home, std::shared_ptr<Index> index_of) : shard(home), index(std::move(index_of)) {}
    ~Lane();
    Lane(const Lane&) = delete;

    Shard& shard;
    const std::shared_ptr<Index> index;
    std::atomic<Batch*> pending{nullptr};
    // When the oldest append under way came, of the batch that fills and of the one that is written; 0 for none. For
    // status.
    std::atomic<std::int64_t> filling_since{0};
    std::atomic<std::int64_t> writing_since{0};
    // The shard's own.
    std::unique_ptr<Batch> spare;
    std::unordered_map<std::uint64_t, Ledger*> ledgers;

    // On the shard.
    Ledger& ledger(std::uint8_t stream, std::uint32_t scope);
    std::unique_ptr<Batch> take_to_fill();
    void hand_over(std::unique_ptr<Batch> batch);

    // On the writer.
    std::unique_ptr<Batch> take_to_write();
    /// Everything in it is decided: one message to the shard, where the answers are given.
    void answer(std::unique_ptr<Batch> batch);

  private:
    void run_answers(Batch& batch);
};

}  // namespace penumbra::journal
