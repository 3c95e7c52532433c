#include "sync/owed_ttl.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "cql/types/scalars.h"
#include "sync/owed_edit.h"

namespace penumbra::sync {

namespace {

class TtlEdit : public OwedEdit {
  public:
    TtlEdit(const cql::FrameView& frame, Seconds elapsed, const cql::Schema* schema)
        : OwedEdit(frame), elapsed_(elapsed.count()), schema_(schema) {}

    /// Bound TTLs are changed in the frame.
    std::optional<std::string> apply(std::string_view text, std::string_view keyspace, const cql::ValuesView& values,
                                     const cql::ParametersView&) override {
        const auto statement = cql::parse(text);
        if (!statement.complete) return std::nullopt;
        std::vector<std::string> with;  // keeps what `replacements` look at
        std::vector<cql::Replacement> replacements;
        with.reserve(statement.parts().size());
        for (const auto& part : statement.parts()) {
            if (part.kind != cql::StatementKind::insert && part.kind != cql::StatementKind::update) continue;
            const auto& ttl = part.with.ttl;
            if (ttl.is_marker()) {
                bound(ttl, values);
            } else if (ttl.is(cql::TermKind::integer)) {
                std::int32_t given = 0;
                std::from_chars(ttl.text.data(), ttl.text.data() + ttl.text.size(), given);
                if (given <= 0) continue;  // 0 is "for ever", whatever the table says
                with.push_back(std::to_string(left(given)));
                replacements.push_back({ttl.range, with.back()});
            } else if (!ttl) {
                const auto given = default_of(part, keyspace);
                if (given <= 0) continue;
                const auto& timestamp = part.with.timestamp;
                const bool at_end = part.kind == cql::StatementKind::insert;
                const auto at = timestamp ? timestamp.range.end : (at_end ? part.range.end : part.table.range.end);
                with.push_back((timestamp ? " AND TTL " : " USING TTL ") + std::to_string(left(given)));
                replacements.push_back({{at, at}, with.back()});
            }
        }
        if (replacements.empty()) return std::nullopt;
        return cql::replace(text, replacements);
    }

  private:
    std::int32_t left(std::int64_t given) const {
        return static_cast<std::int32_t>(std::max<std::int64_t>(1, given - elapsed_));
    }

    std::int32_t default_of(const cql::Statement& part, std::string_view keyspace) const {
        const auto* table =
            schema_ ? schema_->table(part.table.qualified() ? part.table.keyspace : keyspace, part.table.name)
                    : nullptr;
        return table ? table->default_ttl : 0;
    }

    void bound(const cql::Term& ttl, const cql::ValuesView& values) {
        const auto bytes = bound_value(ttl, values);
        if (!bytes) return;
        const auto given = cql::decode_int(*bytes);
        if (!given || given.value() <= 0) return;
        replace_bound(*bytes, cql::encode_int(left(given.value())));
    }

    std::int64_t elapsed_;
    const cql::Schema* schema_;
};

}  // namespace

Result<OwedStatement> with_ttl_left(OwedStatement statement, Seconds elapsed, const cql::Schema* schema) {
    TRY(const auto frame, cql::view_frame(statement.frame, cql::Direction::request));
    TtlEdit change(frame, elapsed, schema);
    TRY(edit_owed(frame, change, statement));
    return statement;
}

}  // namespace penumbra::sync
