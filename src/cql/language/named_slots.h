#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cql/language/statement.h"

namespace penumbra::cql {

/// How two servers number the values of a text that names a bind marker more than once, as in `SET v = :x, w = :x`:
/// Cassandra asks for one value per occurrence, ScyllaDB for one per name. A client binds as the server that prepared
/// its statement said, and the other one needs the same values in its own slots. Values are counted over the whole
/// text, children of a batch included. Pure.
class NamedSlots {
  public:
    explicit NamedSlots(const Statement& statement);

    /// Nothing is named twice: both servers number alike, and what follows changes nothing.
    bool are_alike() const { return first_of_.size() == slot_of_.size(); }
    std::uint32_t by_occurrence() const { return static_cast<std::uint32_t>(slot_of_.size()); }
    std::uint32_t by_name() const { return static_cast<std::uint32_t>(first_of_.size()); }

    /// Where marker `ordinal` (as parsed: by occurrence) stands among `bound` values: its ordinal, or its name's slot
    /// when that many were bound. Nothing when the number of values fits neither.
    std::optional<std::uint32_t> position(std::uint32_t ordinal, std::uint32_t bound) const;

    /// Of `bound` values, which goes into each slot of a server that numbers by occurrence, or by name. Nothing when
    /// they can be sent as they are, also when their number is wrong for any server, which then says so. By name the
    /// first occurrence counts; whether the others are bound to the same is for the caller to compare: repeats().
    std::optional<std::vector<std::uint32_t>> for_occurrences(std::uint32_t bound) const;
    std::optional<std::vector<std::uint32_t>> for_names(std::uint32_t bound) const;
    /// Pairs of ordinals that must have one value so that a text with one slot per name can say the same.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> repeats() const;

  private:
    std::vector<std::uint32_t> slot_of_;   ///< by ordinal
    std::vector<std::uint32_t> first_of_;  ///< by slot: the ordinal of the name's first occurrence
};

}  // namespace penumbra::cql
