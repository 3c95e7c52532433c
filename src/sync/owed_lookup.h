#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "journal/journal.h"
#include "routing/scope.h"
#include "sync/owed_lists.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// Whether two orders may be about a common row. Those of one partition are: its rows have their statics in common.
bool have_common_rows(const OwedResync& one, const OwedResync& other);

/// What the journal owes one cluster, asked by what it is about. Reads the journal's files; on one shard.
class OwedLookup {
  public:
    OwedLookup(const journal::Journal& journal, std::uint8_t stream) : journal_(journal), stream_(stream) {}
    OwedLookup(const OwedLookup&) = delete;

    /// Of the elements of one partition, as far as anything that is owed tells. Under a hold that is everything: what
    /// was under way is owed by then, or was compared when it was paid.
    ListTimes list_times(routing::ScopeId scope, const OwedResync& partition, const cql::Schema* schema) const;

    /// Looks at the oldest `limit` entries, for statements(). Those that were there at the last look cost little.
    struct Seen {
        journal::EntryId newest;
        bool all = true;  ///< there are no younger ones
    };
    Seen look(std::size_t limit);
    /// Whether a statement is among them that is no younger than `newest` and touches rows of the order.
    bool statements(routing::ScopeId scope, const OwedResync& order, journal::EntryId newest) const;

  private:
    struct Statement {
        routing::ScopeId scope;
        std::vector<OwedResync> rows;  ///< none: it may touch any
    };

    const journal::Journal& journal_;
    const std::uint8_t stream_;
    std::map<journal::EntryId, std::optional<Statement>> seen_;  // nothing: no statement
};

}  // namespace penumbra::sync
