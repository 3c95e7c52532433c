#include "sync/owed_frame.h"

#include "cql/protocol/frame_edit.h"
#include "cql/protocol/responses.h"

namespace penumbra::sync {

namespace {

Result<BytesView> translated(const OwedStatement& statement, const std::vector<Bytes>& ids, BytesView ours) {
    for (std::size_t i = 0; i < statement.prepared.size() && i < ids.size(); ++i) {
        if (equal(statement.prepared[i].id, ours)) return BytesView(ids[i]);
    }
    return fail(Errc::malformed, "an owed frame names the prepared id " + to_hex(ours) + ", whose text was not kept");
}

}  // namespace

Result<Bytes> translate_frame(const OwedStatement& statement, const std::vector<Bytes>& ids) {
    TRY(const auto frame, cql::view_frame(statement.frame, cql::Direction::request));
    cql::FrameEdit edit(frame);
    switch (frame.header.opcode) {
        case cql::Opcode::execute: {
            TRY(const auto execute, cql::decode_execute(frame));
            TRY(const auto id, translated(statement, ids, execute.id));
            edit.replace_id(execute, id);
            break;
        }
        case cql::Opcode::batch: {
            TRY(const auto batch, cql::decode_batch(frame));
            for (const auto child : batch.children) {
                if (!child.prepared) continue;
                TRY(const auto id, translated(statement, ids, child.id));
                edit.replace_id(child, id);
            }
            break;
        }
        default:
            break;  // a QUERY carries its text
    }
    Bytes out;
    edit.append_to(out);
    return out;
}

Status answer_of(BytesView reply) {
    TRY(const auto frame, cql::view_frame(reply, cql::Direction::response));
    if (frame.header.opcode != cql::Opcode::error) return ok();
    TRY(const auto error, cql::decode_error(frame));
    return fail(cql::to_error(error));
}

}  // namespace penumbra::sync
