#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cql/language/rewrite.h"
#include "cql/language/statement.h"
#include "cql/protocol/frame_edit.h"
#include "cql/schema/schema.h"
#include "cql/types/uuid.h"

namespace penumbra::proxy {

struct PreparedText;

/// What now(), uuid() and their like are in one request: each timeuuid and uuid another one, the time the same for all.
class VolatileValues {
  public:
    /// `micros`: wall clock, and never the same twice on one shard; `node`: what tells the shards of all proxies apart.
    VolatileValues(std::int64_t micros, std::uint64_t node) : micros_(micros), node_(node) {}

    /// Serialized, of cql_type(kind) or, for 'now', a timestamp.
    Bytes next(cql::VolatileKind kind);
    /// The same as a literal.
    std::string next_literal(cql::VolatileKind kind);

  private:
    std::int64_t micros_;
    std::uint64_t node_;
    std::int64_t given_ = 0;  ///< timeuuids: the next is 100 ns later
};

/// The calls in one text that become values before a write is sent to two clusters, so that both store the same.
/// Immutable but for what the one shard that has it keeps of the prepared form.
class Volatiles {
  public:
    /// What the volatiles of a statement (or of one child of a batch) mean for its mirroring.
    enum class Worth : std::uint8_t {
        none,      ///< there are none: a text column may well hold 'now'
        valuable,  ///< all of them can become values
        opaque,    ///< some cannot be evaluated here: functions of users, the time within JSON
    };
    /// `table`: null where it is not known.
    static Worth worth_of(const cql::Statement& part, const cql::Table* table);

    /// Null unless something is to be replaced and all of it can be. `table_of` knows the table of each part.
    template <class TableOf>
    static std::shared_ptr<const Volatiles> of(const cql::Statement& statement, TableOf table_of) {
        std::vector<Found> found;
        for (const auto& part : statement.parts()) {
            if (!collect(statement, part, table_of(part), found)) return nullptr;
        }
        return make(statement, std::move(found));
    }

    /// `text` is the one this was made of; with terms in the place of calls.
    std::string with_literals(std::string_view text, VolatileValues& values) const;

    /// The text with markers in the place of calls, as a statement that was prepared like any other.
    /// Whether values may be added to these: by a name that the text has not they could not, and of too many or too few
    /// the server tells in numbers, which are to be those of the application's own text.
    bool can_add_to(const cql::ValuesView& values) const;
    const std::shared_ptr<const PreparedText>& prepared(const PreparedText& original) const;
    /// What a request that executes the original has to bind besides; `bytes` keeps the values.
    std::vector<cql::ExtraValue> extra_values(VolatileValues& values, std::vector<Bytes>& bytes) const;

  private:
    /// One that is to be replaced.
    struct Found {
        std::size_t index;  ///< in the whole statement's volatiles
        bool is_computed_with;
    };
    static bool collect(const cql::Statement& whole, const cql::Statement& part, const cql::Table* table,
                        std::vector<Found>& found);
    static std::shared_ptr<const Volatiles> make(const cql::Statement& statement, std::vector<Found> found);

    struct Call {
        cql::VolatileKind kind;
        cql::TextRange range;
        std::size_t markers_before;
        std::string marker_name;
        /// "(timeuuid)" where the value is part of a larger term: overloads are chosen by it. A column's own value has
        /// none, so that keys are known.
        std::string cast;
    };
    std::vector<Call> calls_;  ///< in text order
    std::size_t markers_ = 0;  ///< of the text as it is
    std::string with_markers_;
    mutable std::shared_ptr<const PreparedText> prepared_;
};
using VolatilesPtr = std::shared_ptr<const Volatiles>;

}  // namespace penumbra::proxy
