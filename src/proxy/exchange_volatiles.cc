#include <algorithm>

#include "base/assert.h"
#include "proxy/exchange.h"
#include "proxy/proxy_shard.h"

namespace penumbra::proxy {

namespace {

/// Of a child or a request: whether, and as which statement, it is executed with values of ours.
PreparedPtr stand_in(const Exchange::Piece& piece, Statements& statements) {
    if (!piece.plan->volatiles || !piece.prepared || piece.prepared->keeps_its_words) return {};
    if (!piece.plan->volatiles->can_add_to(piece.values)) return {};
    return statements.add(piece.plan->volatiles->prepared(*piece.prepared->text));
}

}  // namespace

bool Exchange::evaluate_volatiles() {
    if (std::ranges::none_of(pieces_, [](const Piece& piece) { return piece.plan->volatiles != nullptr; })) return true;
    VolatileValues values(shard_.next_timestamp(), shard_.uuid_node());
    cql::FrameEdit edit(view_);
    std::vector<Bytes> bytes;
    std::vector<PreparedPtr> asked(pieces_.size());
    std::vector<bool> evaluated(pieces_.size());
    bool changed = false;
    std::size_t n = 0;
    // One piece at a time; `holder` is what the frame says of it.
    const auto evaluate = [&](const auto& holder, const auto& values_holder) {
        const auto at = n++;
        const auto& piece = pieces_[at];
        if (!piece.plan->volatiles) return;
        if (!piece.prepared) {
            if constexpr (requires { edit.replace_query(holder, std::string_view()); }) {
                edit.replace_query(holder, piece.plan->volatiles->with_literals(piece.text, values));
                evaluated[at] = changed = true;
            }
        } else if (const auto instead = stand_in(piece, shard_.statements())) {
            if constexpr (requires { edit.replace_id(holder, BytesView()); }) {
                edit.replace_id(holder, instead->text->id);
                edit.add_values(values_holder, piece.plan->volatiles->extra_values(values, bytes));
                asked[at] = piece.prepared;
                changed = true;
            }
        }
    };
    if (opcode_ == cql::Opcode::query) {
        evaluate(cql::decode_query(view_).value(), parameters_);
    } else if (opcode_ == cql::Opcode::execute) {
        evaluate(executed_, parameters_);
    } else {
        for (const auto& child : children_) evaluate(child, child);
    }
    // Longer than any frame may be, it stays as it is.
    if (!changed || edit.size() > cql::kHeaderSize + cql::kMaxBodyLength) return true;
    Bytes ours;
    edit.append_to(ours);
    if (ours.size() > frame_.size()) {
        shard_.charge(*this, cost_of(ours.size()) - cost_of(frame_.size()));
    }
    frame_ = std::move(ours);
    view_ = cql::view_frame(frame_, cql::Direction::request).value();
    pieces_.clear();
    if (!decode()) return false;
    ASSERT(asked.size() == pieces_.size());
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        pieces_[i].asked = asked[i];
        pieces_[i].evaluated = evaluated[i];
    }
    plan_pieces();
    find_token();
    return true;
}

}  // namespace penumbra::proxy
