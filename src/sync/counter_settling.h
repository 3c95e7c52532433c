#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "journal/journal.h"
#include "routing/scope.h"
#include "sync/token_range.h"

namespace penumbra::sync {

/// When counters may be counted whose updates are of unknown fate. Such an update may still come: it lies in the buffer
/// of a node that was frozen, say, or is under way between nodes. So both clusters have to answer a read of every
/// replica first; from then on the row is left alone for as long as servers go on trying, and then the difference is
/// added, once. What became of unknown fate after that answer is settled by a turn of its own. Pure, and only in
/// memory: what a killed process was about to add may come late as well, and its successor waits from the start.
class CounterSettling {
  public:
    struct Row {
        routing::ScopeId scope;
        std::string keyspace;
        std::string table;
        Bytes partition_key;                             ///< with all its rows; empty: all rows of the scope, or
        std::optional<TokenRange> range = std::nullopt;  ///< those in it
        auto operator<=>(const Row&) const = default;
    };
    enum class Next : std::uint8_t { probe, wait, count };

    explicit CounterSettling(Nanos late_writes) : late_writes_(late_writes) {}

    /// False: the order came after the clusters had answered, and waits until the row was counted.
    bool takes_part(const Row& row, journal::EntryId order) const;
    Next next(const Row& row, SteadyTime now);
    /// Both clusters have answered: what comes now is not of this turn.
    bool has_answered(const Row& row) const;
    /// `orders`: those that the count to come will have paid.
    void answered(const Row& row, SteadyTime now, std::vector<journal::EntryId> orders);
    /// A replica did not answer: it is asked again after a while.
    void unanswered(const Row& row, SteadyTime now);
    /// Counted, or tried in vain: whatever comes next has to wait anew.
    void ended(const Row& row) { turns_.erase(row); }
    /// Nothing is owed.
    void clear() { turns_.clear(); }

  private:
    struct Turn {
        SteadyTime since;
        std::vector<journal::EntryId> orders;  // none: the clusters did not answer
    };
    Nanos late_writes_;
    std::map<Row, Turn> turns_;
};

}  // namespace penumbra::sync
