#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "routing/phase.h"
#include "routing/scope.h"
#include "runtime/async.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// What is between the clusters: read on the primary by a copy, a repair or a resync, and not yet written to the
/// shadow.
///
/// A deletion that cannot be sent (DELETE … IF, say) comes to the shadow by comparing, and that leaves a tombstone only
/// over what the shadow has. Who read the row before the deletion and writes it after the comparison brings it back.
/// Hence: who writes what he read says so from before the read until after the write, and who compares waits first for
/// those who began before him. What they carry the comparison then sees and deletes; who begins later reads what the
/// primary has since. Nobody waits while he carries something, so there is no ring of waiters; and what a passage
/// awaits is the clusters or a hold, never an order to be carried out.
///
/// One for all runs of a process. Lives on their shard.
class Transit {
  public:
    struct Place {
        routing::Side shadow = routing::Side::target;
        routing::ScopeId scope;
        std::string keyspace;
        std::string table;
        TokenRange tokens;
        bool meets(const Place& other) const;
    };

    /// Ends when it is destroyed.
    class Passage {
      public:
        Passage() = default;
        Passage(Passage&& other) noexcept
            : transit_(std::exchange(other.transit_, nullptr)), number_(std::exchange(other.number_, 0)) {}
        Passage& operator=(Passage&& other) noexcept {
            std::swap(transit_, other.transit_);
            std::swap(number_, other.number_);
            return *this;
        }
        ~Passage() {
            if (transit_ != nullptr) transit_->under_way_.erase(number_);
        }

      private:
        friend class Transit;
        Passage(Transit& transit, std::uint64_t number) : transit_(&transit), number_(number) {}
        Transit* transit_ = nullptr;
        std::uint64_t number_ = 0;
    };

    Transit() = default;
    Transit(const Transit&) = delete;

    /// Before the primary is read for what will be written.
    [[nodiscard]] Passage begin(Place place);
    /// Returns when all passages that meet the place and began before the call have ended. Errc::cancelled: `stop`.
    Task<Status> arrived(Place place, StopSignal* stop) const;

  private:
    std::map<std::uint64_t, Place> under_way_;
    std::uint64_t next_ = 1;
};

}  // namespace penumbra::sync
