#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cql/language/statement.h"

namespace penumbra::cql {

/// How two servers number the values of a text that names a bind marker more than once, as in `SET v = :x, w = :x`:
/// Cassandra asks for one value per occurrence, ScyllaDB for one per name (CQL-FACTS 2). A client binds as the server
/// that prepared its statement said, whichever it was. Values are counted over the whole text, children of a batch
/// included. Pure.
class NamedSlots {
  public:
    explicit NamedSlots(const Statement& statement);

    /// Nothing is named twice: both servers number alike, and what follows changes nothing.
    bool are_alike() const { return names_ == slot_of_.size(); }
    std::uint32_t by_occurrence() const { return static_cast<std::uint32_t>(slot_of_.size()); }
    std::uint32_t by_name() const { return names_; }

    /// Where marker `ordinal` (as parsed: by occurrence) stands among `bound` values: its ordinal, or its name's slot
    /// when that many were bound. Nothing when the number of values fits neither.
    std::optional<std::uint32_t> position(std::uint32_t ordinal, std::uint32_t bound) const;
    /// By ordinal, the slot of its name.
    std::span<const std::uint32_t> slots() const { return slot_of_; }

  private:
    std::vector<std::uint32_t> slot_of_;
    std::uint32_t names_ = 0;
};

}  // namespace penumbra::cql
