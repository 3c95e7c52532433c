#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cql/schema/schema.h"
#include "sync/owed_write.h"

namespace penumbra::sync {

/// One value of an owed statement, for people.
struct OwedValue {
    std::string name;    ///< the column it is for where that can be told, else the marker's name or number
    std::string text;    ///< a CQL literal, or 0x… where the type is not known; `null`, `unset`
    bool typed = false;  ///< `text` is a literal of the column's type
};

struct OwedText {
    std::string text;  ///< as the application sent it
    std::vector<OwedValue> values;
    /// The same with literals in the place of markers, its keyspace and its write time, so that cqlsh does what the
    /// cluster should have done; empty where that cannot be said, e.g. of a value whose type nobody knows.
    std::string cql;
};

/// A row, partition, token range or table that an entry is about.
struct OwedPlace {
    OwedResync order;
    /// column=value, …; 0x… where the table is not known; "tokens (a,b]"; empty: all rows of the scope
    std::string key;
};

/// What an owed write is, for listings, exports and dumps.
struct OwedPicture {
    bool resync = false;
    std::string keyspace;  ///< of the connection
    std::optional<std::int64_t> timestamp;
    std::vector<OwedText> statements;  ///< of a batch all; of a resync none
    std::vector<OwedPlace> places;

    /// "shop.orders id=1", and how many more there are.
    std::string where() const;
    /// Every statement, or a comment with what cannot be said, one per line.
    std::string script() const;
};

/// `schema` gives values their types; null, or without the table, leaves them in hex.
Result<OwedPicture> picture_of(const Owed& owed, const cql::Schema* schema);

}  // namespace penumbra::sync
