#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cql/ddl/translate.h"

namespace penumbra::proxy {

/// One schema change of an application, as it came to the cluster that is not the primary.
struct SchemaChangeRecord {
    enum class Outcome : std::uint8_t {
        same,        ///< sent as it was written, and taken
        translated,  ///< taken in other words
        nothing,     ///< nothing of it means anything there
        refused,     ///< cannot be said there; nothing was sent
        failed,      ///< the cluster refused it, or was not reached
        unknown,     ///< the primary did not say whether it made the change; nothing was sent
    };
    std::int64_t at = 0;    ///< wall clock, microseconds
    std::string statement;  ///< as the application wrote it, cut at kMaxText
    std::string cluster;    ///< "target": where this was to be made
    Outcome outcome = Outcome::same;
    std::vector<std::string> sent;  ///< what that cluster was sent
    std::vector<cql::ddl::Change> changes;
    std::string error;  ///< why it was refused or failed
};

std::string_view to_string(SchemaChangeRecord::Outcome outcome);

/// The schema changes of all shards: one at a time, and the latest of them for the operator. Any thread.
class SchemaChanges {
  public:
    static constexpr std::size_t kKept = 256;
    static constexpr std::size_t kMaxText = 4096;

    /// The right to change the schema, while it lives.
    class Turn {
      public:
        explicit Turn(SchemaChanges& of) : of_(&of) {}
        Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        Turn& operator=(Turn&& other) noexcept {
            std::swap(of_, other.of_);
            return *this;
        }
        ~Turn() {
            if (of_) of_->busy_.store(false, std::memory_order_release);
        }

      private:
        SchemaChanges* of_;
    };
    /// Nothing while another change has its turn.
    std::optional<Turn> try_turn() {
        if (busy_.exchange(true, std::memory_order_acquire)) return std::nullopt;
        return Turn(*this);
    }

    void add(SchemaChangeRecord record);
    /// Oldest first. `total` of all that ever were.
    std::vector<SchemaChangeRecord> list() const;
    std::uint64_t total() const;

  private:
    std::atomic<bool> busy_{false};
    mutable std::mutex mutex_;  // guards what follows
    std::deque<SchemaChangeRecord> records_;
    std::uint64_t total_ = 0;
};

}  // namespace penumbra::proxy
