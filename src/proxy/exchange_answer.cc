#include <algorithm>

#include "base/assert.h"
#include "cql/protocol/response_peeks.h"
#include "proxy/exchange.h"
#include "proxy/proxy_shard.h"

// The one answer.
namespace penumbra::proxy {

using cluster::Applied;

namespace {

/// Whether more follows the message of this error: a code alone would be a frame that no driver can read.
bool has_detail(cql::ErrorCode code) {
    switch (code) {
        case cql::ErrorCode::unavailable:
        case cql::ErrorCode::write_timeout:
        case cql::ErrorCode::read_timeout:
        case cql::ErrorCode::read_failure:
        case cql::ErrorCode::function_failure:
        case cql::ErrorCode::write_failure:
        case cql::ErrorCode::cas_write_unknown:
        case cql::ErrorCode::already_exists:
        case cql::ErrorCode::unprepared:
            return true;
        default:
            return false;
    }
}

}  // namespace

void Exchange::answer_with(const cql::FrameView& frame) {
    if (answered_) return;
    answered_ = true;
    if (frame.header.opcode == cql::Opcode::error) ++shard_.counters().errors;
    if (cql::is_unprepared(frame)) {
        // A node that keeps forgetting it. The client knows it by our id alone, and prepares it again by that.
        for (const auto& piece : pieces_) {
            if (!piece.prepared) continue;
            answer_unprepared(piece.named_by_client());
            return;
        }
    }
    if (version_ == cql::ProtocolVersion::v5 && opcode_ == cql::Opcode::execute && answer_new_columns(frame)) return;
    client_->reply(stream_, frame, primary_.side);
}

bool Exchange::answer_new_columns(const cql::FrameView& frame) {
    if ((cql::peek_rows_flags(frame) & cql::metadata_flag::kChanged) == 0) return false;
    const auto rows = cql::decode_rows(frame);
    if (!rows || !rows.value().metadata.new_metadata_id) return false;
    auto& there = pieces_.front().prepared->on_side(primary_.side);
    const auto& id = *rows.value().metadata.new_metadata_id;
    there.columns = digest_of(rows.value().metadata);
    there.result_metadata_id.assign(id.begin(), id.end());
    // The cluster's id means nothing to the other one; ours is the same from both.
    auto& edit = shard_.edit();
    edit.reset(frame);
    edit.replace_new_metadata_id(rows.value().metadata, there.columns);
    Bytes ours;
    edit.append_to(ours);
    client_->reply(stream_, cql::view_frame(ours, cql::Direction::response).value(), primary_.side);
    return true;
}

void Exchange::answer_unprepared(const PreparedText& text) {
    client_->reply_unprepared(stream_, text.id);
}

void Exchange::answer_kept() {
    const auto frame = cql::view_frame(reply_, cql::Direction::response);
    ASSERT(frame.has_value());
    answer_with(frame.value());
}

void Exchange::answer_failure(const Error& error, Applied applied) {
    if (answered_) return;
    answered_ = true;
    ++shard_.counters().errors;
    const auto consistency = parameters_.consistency;
    const bool conditional = is_conditional();
    const auto serial = parameters_.serial_consistency.value_or(cql::Consistency::serial);
    if (error.code == Errc::server) {
        const auto code = static_cast<cql::ErrorCode>(error.detail);
        if (code == cql::ErrorCode::unprepared && unprepared_) {
            answer_unprepared(*unprepared_->text);
        } else {
            client_->reply_error(stream_, has_detail(code) ? cql::ErrorCode::server_error : code, error.what);
        }
    } else if ((applied == Applied::no || kind_ == Plan::Kind::read) && error.code == Errc::overloaded) {
        client_->reply_error(stream_, cql::ErrorCode::overloaded, error.what);
    } else if (applied == Applied::no) {
        client_->reply_error(stream_, cql::ErrorCode::unavailable, error.what,
                             cql::Unavailable{conditional ? serial : consistency, 1, 0});
    } else if (kind_ == Plan::Kind::read) {
        client_->reply_error(stream_, cql::ErrorCode::read_timeout, error.what, cql::ReadTimeout{consistency, 0, 1, 0});
    } else if (conditional) {
        // Nobody knows whether the condition held: "CAS" makes drivers say so instead of trying again.
        const auto contentions = version_ == cql::ProtocolVersion::v5 ? std::optional<std::uint16_t>(0) : std::nullopt;
        client_->reply_error(stream_, cql::ErrorCode::write_timeout, error.what,
                             cql::WriteTimeout{serial, 0, 1, "CAS", contentions});
    } else {
        client_->reply_error(stream_, cql::ErrorCode::write_timeout, error.what,
                             cql::WriteTimeout{consistency, 0, 1, write_type(), std::nullopt});
    }
}

std::string_view Exchange::write_type() const {
    if (std::ranges::any_of(pieces_, [](const auto& piece) { return piece.plan->is_counter; })) return "COUNTER";
    if (opcode_ != cql::Opcode::batch) return "SIMPLE";
    return batch_type_ == cql::BatchType::logged ? "BATCH" : "UNLOGGED_BATCH";
}

void Exchange::answer_prepared(const cql::FrameView& frame) {
    const auto kind = frame.header.opcode == cql::Opcode::result ? cql::peek_result_kind(frame)
                                                                 : Result<cql::ResultKind>(fail(Errc::malformed, ""));
    const auto result = kind && kind.value() == cql::ResultKind::prepared
                            ? cql::decode_prepared(frame)
                            : Result<cql::PreparedResult>(fail(Errc::malformed, ""));
    if (!result) {
        answer_with(frame);
        return;
    }
    const auto columns = digest_of(result.value().result_metadata);
    const auto text = std::make_shared<const PreparedText>(std::string(query_), session_keyspace_, columns);
    shard_.context().prepared->add(text);
    auto& there = shard_.statements().add(text)->on_side(primary_.side);
    // Where it is executed in other words, it has yet to be prepared in those.
    if (!text->repeated_names) there.id.assign(result.value().id.begin(), result.value().id.end());
    there.columns = columns;
    // The same frame with our ids in the place of the cluster's.
    auto& edit = shard_.edit();
    edit.reset(frame);
    edit.replace_id(result.value(), text->id);
    if (const auto& id = result.value().result_metadata_id) {
        if (!text->repeated_names) there.result_metadata_id.assign(id->begin(), id->end());
        edit.replace_result_metadata_id(result.value(), columns);
    }
    Bytes ours;
    edit.append_to(ours);
    const auto changed = cql::view_frame(ours, cql::Direction::response);
    ASSERT(changed.has_value());
    answer_with(changed.value());
}

}  // namespace penumbra::proxy
