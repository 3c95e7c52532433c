#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "cql/schema/schema.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// When elements of lists were written, as far as the writes that are owed tell. A Cassandra before 5.0 shows no write
/// times inside lists, and a time that we made up would win or lose against what clients write with timestamps of their
/// own.
class ListTimes {
  public:
    void add(BytesView element, std::int64_t written);
    /// For elements that no write is known of.
    void otherwise(std::int64_t written) { otherwise_ = std::max(otherwise_.value_or(written), written); }
    void merge(const ListTimes& other);
    /// Elements of equal value may come from several writes: the newest of these.
    std::optional<std::int64_t> of(BytesView element) const;
    std::optional<std::int64_t> otherwise() const { return otherwise_; }

  private:
    std::map<Bytes, std::int64_t> written_;
    std::optional<std::int64_t> otherwise_;
};

/// What a write to lists does besides adding elements. Sent twice, a write doubles the elements that it adds; without
/// them, each list being set to or extended by an empty one, it may be sent as often as one likes: an overwrite still
/// removes what was there, at the very time at which the other cluster did, and other columns get their values.
struct ListsEmptied {
    OwedStatement statement;
    /// False: something adds elements in a way that we do not understand (JSON, a list with markers in it), so that the
    /// statement may not be sent.
    bool complete = true;
    ListTimes times;  ///< of the elements that were left out
};
Result<ListsEmptied> without_list_elements(OwedStatement statement, const cql::Schema* schema);

}  // namespace penumbra::sync
