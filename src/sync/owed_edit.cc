#include "sync/owed_edit.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace penumbra::sync {

std::optional<BytesView> OwedEdit::bound_value(const cql::Term& marker, const cql::ValuesView& values) {
    const auto found = values.named() ? values.by_name(marker.text) : values.nth(marker.marker);
    if (!found || !found->value.has_value()) return std::nullopt;
    return found->value.bytes();
}

void OwedEdit::replace_bound(BytesView value, BytesView by) {
    constexpr std::size_t kLength = 4;
    const auto at = static_cast<std::size_t>(value.data() - frame_.whole.data()) - cql::kHeaderSize;
    if (by.size() == value.size()) {
        edit_.splice(at, value.size(), by);
    } else {
        Bytes with_length(kLength);
        store_be(with_length.data(), static_cast<std::int32_t>(by.size()));
        with_length.insert(with_length.end(), by.begin(), by.end());
        edit_.splice(at - kLength, kLength + value.size(), with_length);
    }
    changed_ = true;
}

Status edit_owed(const cql::FrameView& frame, OwedEdit& change, OwedStatement& statement) {
    // By our id: one text may stand in several children, and is changed from what it was.
    std::vector<std::pair<OwedPrepared*, std::string>> texts;
    const auto prepared = [&](BytesView id, const cql::ValuesView& values, const cql::ParametersView& parameters) {
        const auto of_id = std::ranges::find_if(statement.prepared, [&](const auto& one) { return equal(one.id, id); });
        if (of_id == statement.prepared.end()) return;  // whoever translates the ids will say so
        const auto& keyspace = of_id->keyspace.empty() ? statement.keyspace : of_id->keyspace;
        if (auto text = change.apply(of_id->text, keyspace, values, parameters))
            texts.emplace_back(&*of_id, std::move(*text));
    };
    switch (frame.header.opcode) {
        case cql::Opcode::query: {
            TRY(const auto query, cql::decode_query(frame));
            if (auto text = change.apply(query.query, statement.keyspace, query.parameters.values, query.parameters))
                change.replace_text(query, *text);
            break;
        }
        case cql::Opcode::execute: {
            TRY(const auto execute, cql::decode_execute(frame));
            prepared(execute.id, execute.parameters.values, execute.parameters);
            break;
        }
        case cql::Opcode::batch: {
            TRY(const auto batch, cql::decode_batch(frame));
            for (const auto child : batch.children) {
                if (child.prepared) {
                    prepared(child.id, child.values, batch.parameters);
                } else if (auto text = change.apply(child.query, statement.keyspace, child.values, batch.parameters)) {
                    change.replace_text(child, *text);
                }
            }
            break;
        }
        default:
            break;
    }
    if (change.changed_) {
        Bytes changed;
        change.edit_.append_to(changed);
        statement.frame = std::move(changed);
    }
    for (auto& [of_id, text] : texts) of_id->text = std::move(text);
    return ok();
}

}  // namespace penumbra::sync
