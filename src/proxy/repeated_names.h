#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "cql/language/named_slots.h"
#include "cql/language/statement.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"

namespace penumbra::proxy {

/// A text that names a bind marker more than once (`SET v = :x, w = :x`). Clusters number its values differently
/// (cql::NamedSlots), and the client binds as the one said that prepared it, perhaps two phases ago. So every cluster
/// gets the same text with `?` in place of the names, which all count alike, and the values in that order. Only a
/// PREPARE is sent as the client wrote it: its answer is the client's. Immutable.
class RepeatedNames {
  public:
    /// Null where no name is repeated, which is nearly always.
    static std::shared_ptr<const RepeatedNames> of(const cql::Statement& statement);

    /// With `?` for each marker.
    const std::string& text() const { return text_; }
    const cql::NamedSlots& slots() const { return slots_; }

    /// Makes the request one for any cluster; its id is the caller's to replace. Values of a wrong number stay as they
    /// are, for the cluster to refuse; so do those that would be more than `most` bytes, for one that many markers
    /// share stands there for each of them.
    void edit(const cql::QueryView& query, std::size_t most, cql::FrameEdit& edit) const;
    void edit(const cql::ExecuteView& execute, std::size_t most, cql::FrameEdit& edit) const;
    void edit(const cql::BatchChild& child, std::size_t most, cql::FrameEdit& edit) const;

  private:
    RepeatedNames(const cql::Statement& statement, cql::NamedSlots slots);
    /// Appends to `out` one [value] per marker of text(). False when `values` is that already, is too much, or is wrong
    /// for any cluster, which then has to say so itself.
    bool append_values(const cql::ValuesView& values, std::size_t most, Bytes& out) const;
    std::uint16_t count() const { return static_cast<std::uint16_t>(slots_.by_occurrence()); }

    std::string text_;
    std::vector<std::string> names_;  ///< by ordinal
    cql::NamedSlots slots_;
};
using RepeatedNamesPtr = std::shared_ptr<const RepeatedNames>;

}  // namespace penumbra::proxy
