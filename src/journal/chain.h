#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"
#include "journal/index.h"

namespace penumbra::journal {

/// The segments of one stream, oldest first, at most the newest of which is written to. The writer thread's, after
/// recovery on the thread that opens. docs/journal.md says which segment may go when, and why.
class Chain {
  public:
    struct Limits {
        std::uint64_t segment_bytes = 0;
        std::uint64_t idle_bytes = 0;  ///< a settled newest segment of this size is replaced by an empty one,
        Nanos idle_age{};              ///< or of this age
    };
    struct Wants {
        bool small = false;  ///< replace the newest segment as soon as all of it is settled
    };

    Chain(FileSystem& files, const Clock& clock, Index& index, std::filesystem::path directory, std::uint8_t stream,
          Limits limits);
    Chain(Chain&&) = default;

    /// Reads what there is into the index. `next_sequence` is raised above all that were ever used here.
    Status recover(std::uint64_t& next_sequence);

    std::uint8_t stream() const { return stream_; }
    std::uint64_t bytes() const { return bytes_; }
    bool has_records() const { return newest() && newest()->size > kSegmentHeaderBytes; }
    /// The newest segment holds records and takes more.
    bool is_open() const { return writable_ && newest()->end > kSegmentHeaderBytes; }

    /// A segment with room for a record of `bytes`, a new one where the newest is full, failed, or from before a
    /// restart. After repeated failures it answers from memory for a while: a full disk is asked a few times per
    /// second, not once per append.
    Result<Segment*> writable(std::uint64_t bytes, std::uint64_t next_sequence);
    /// `parts` are on disk behind its end, or the error that says why the segment is not to be used any more.
    Status write(Segment& segment, std::span<const BytesView> parts, std::uint64_t bytes);

    /// Deletes what may go, and makes the newest small when it may be. True: some of it failed and is to be tried
    /// again.
    bool clean_up(std::uint64_t next_sequence, Wants wants);
    /// A segment was left behind that owes nothing: clean_up() has something to do without being told.
    bool wants_clean_up() const { return wants_clean_up_; }

  private:
    using Segments = std::map<SegmentId, std::unique_ptr<Segment>>;

    Segment* newest() const { return segments_.empty() ? nullptr : segments_.rbegin()->second.get(); }
    Status recover_segment(const std::string& name, std::uint64_t& next_sequence);
    Status read_records(Segment& segment, const Segment* next, std::uint64_t& next_sequence);
    /// What is wrong with it, or null.
    const char* apply(Segment& segment, const Record& record);
    Result<Segment*> start_segment(std::uint64_t next_sequence);
    Status make_file(Segment& segment);
    Status ready_directory();
    void failed(Error error);
    bool may_go(Segments::const_iterator at) const;
    /// The segments that may go as things are on disk now; true when one could not be deleted.
    bool delete_settled(bool& deleted);

    FileSystem* files_;
    const Clock* clock_;
    Index* index_;
    std::filesystem::path directory_;
    std::uint8_t stream_;
    Limits limits_;
    Log log_{"journal"};
    LogLimit failures_logged_;

    Segments segments_;
    bool writable_ = false;  // the newest takes records
    bool wants_clean_up_ = false;
    bool directory_ready_ = false;
    // A sync of the directory failed after a deletion: which deletions are on disk is unknown until a restart, so
    // nothing goes that another deletion is the reason for.
    bool deletions_uncertain_ = false;
    std::uint64_t bytes_ = 0;

    // Failures in a row, and until when the last one is the answer.
    int failures_ = 0;
    SteadyTime retry_at_{};
    Error last_failure_;
};

}  // namespace penumbra::journal
