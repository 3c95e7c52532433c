#include "sync/owed_ttl.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "cql/language/parser.h"
#include "cql/language/rewrite.h"
#include "cql/protocol/frame_edit.h"
#include "cql/protocol/requests.h"
#include "cql/types/scalars.h"

namespace penumbra::sync {

namespace {

class TtlEdit {
  public:
    TtlEdit(const cql::FrameView& frame, Seconds elapsed, const cql::Schema* schema)
        : frame_(frame), edit_(frame), elapsed_(elapsed.count()), schema_(schema) {}

    const cql::FrameEdit& edit() const { return edit_; }
    bool changed_frame() const { return changed_frame_; }
    void replace_text(const auto& holder, std::string_view text) {
        edit_.replace_query(holder, text);
        changed_frame_ = true;
    }

    /// Bound TTLs are changed in the frame. The text as it has to be for all others; nothing when it may stay.
    std::optional<std::string> apply(std::string_view text, std::string_view keyspace, const cql::ValuesView& values) {
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
        const auto found = values.named() ? values.by_name(ttl.text) : values.nth(ttl.marker);
        if (!found || !found->value.has_value()) return;
        const auto bytes = found->value.bytes();
        const auto given = cql::decode_int(bytes);
        if (!given || given.value() <= 0) return;
        const auto rest = cql::encode_int(left(given.value()));
        const auto at = static_cast<std::size_t>(bytes.data() - frame_.whole.data()) - cql::kHeaderSize;
        edit_.splice(at, bytes.size(), rest);
        changed_frame_ = true;
    }

    const cql::FrameView& frame_;
    cql::FrameEdit edit_;
    std::int64_t elapsed_;
    const cql::Schema* schema_;
    bool changed_frame_ = false;
};

OwedPrepared* prepared_of(OwedStatement& statement, BytesView id) {
    const auto found =
        std::ranges::find_if(statement.prepared, [&](const auto& prepared) { return equal(prepared.id, id); });
    return found == statement.prepared.end() ? nullptr : &*found;
}

}  // namespace

Result<OwedStatement> with_ttl_left(OwedStatement statement, Seconds elapsed, const cql::Schema* schema) {
    TRY(const auto frame, cql::view_frame(statement.frame, cql::Direction::request));
    TtlEdit change(frame, elapsed, schema);
    // By our id: one text may stand in several children, and is changed from what it was.
    std::vector<std::pair<OwedPrepared*, std::string>> texts;
    const auto prepared = [&](BytesView id, const cql::ValuesView& values) {
        auto* of_id = prepared_of(statement, id);
        if (of_id == nullptr) return;  // whoever translates the ids will say so
        const auto& keyspace = of_id->keyspace.empty() ? statement.keyspace : of_id->keyspace;
        if (auto text = change.apply(of_id->text, keyspace, values)) texts.emplace_back(of_id, std::move(*text));
    };
    switch (frame.header.opcode) {
        case cql::Opcode::query: {
            TRY(const auto query, cql::decode_query(frame));
            if (auto text = change.apply(query.query, statement.keyspace, query.parameters.values))
                change.replace_text(query, *text);
            break;
        }
        case cql::Opcode::execute: {
            TRY(const auto execute, cql::decode_execute(frame));
            prepared(execute.id, execute.parameters.values);
            break;
        }
        case cql::Opcode::batch: {
            TRY(const auto batch, cql::decode_batch(frame));
            for (const auto child : batch.children) {
                if (child.prepared) {
                    prepared(child.id, child.values);
                } else if (auto text = change.apply(child.query, statement.keyspace, child.values)) {
                    change.replace_text(child, *text);
                }
            }
            break;
        }
        default:
            break;
    }
    if (change.changed_frame()) {
        Bytes changed;
        change.edit().append_to(changed);
        statement.frame = std::move(changed);
    }
    for (auto& [of_id, text] : texts) of_id->text = std::move(text);
    return statement;
}

}  // namespace penumbra::sync
