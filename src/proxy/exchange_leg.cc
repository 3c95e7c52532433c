#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "cql/protocol/response_peeks.h"
#include "proxy/exchange.h"
#include "proxy/proxy_shard.h"

// One request on its way to one of the clusters.
namespace penumbra::proxy {

using cluster::Applied;

namespace {

/// Whether sending the same statement again can only be refused again.
bool refuses_the_statement(cql::ErrorCode code) {
    return code == cql::ErrorCode::syntax_error || code == cql::ErrorCode::invalid ||
           code == cql::ErrorCode::config_error || code == cql::ErrorCode::protocol_error ||
           code == cql::ErrorCode::function_failure;
}

}  // namespace

bool is_about_the_statement(cql::ErrorCode code) {
    switch (code) {
        case cql::ErrorCode::syntax_error:
        case cql::ErrorCode::unauthorized:
        case cql::ErrorCode::invalid:
        case cql::ErrorCode::config_error:
        case cql::ErrorCode::already_exists:
        case cql::ErrorCode::unprepared:
        case cql::ErrorCode::protocol_error:
        case cql::ErrorCode::function_failure:
        case cql::ErrorCode::read_failure:
            return true;
        default:
            return false;
    }
}

bool surely_refused(cql::ErrorCode code) {
    switch (code) {
        case cql::ErrorCode::protocol_error:
        case cql::ErrorCode::bad_credentials:
        case cql::ErrorCode::unavailable:
        case cql::ErrorCode::is_bootstrapping:
        case cql::ErrorCode::syntax_error:
        case cql::ErrorCode::unauthorized:
        case cql::ErrorCode::invalid:
        case cql::ErrorCode::config_error:
        case cql::ErrorCode::already_exists:
        case cql::ErrorCode::unprepared:
        case cql::ErrorCode::function_failure:
            return true;
        default:
            return false;
    }
}

void Exchange::Leg::send(routing::Side to) {
    side = to;
    outcome = Outcome::pending;
    if (!prepare_missing(nullptr)) submit(nullptr);
}

bool Exchange::Leg::prepare_missing(const Endpoint* node) {
    if (exchange_.opcode_ == cql::Opcode::prepare) return false;
    for (auto& piece : exchange_.pieces_) {
        if (!piece.prepared) continue;
        const auto& there = piece.prepared->on_side(side);
        const bool known =
            !there.id.empty() && (exchange_.version_ < cql::ProtocolVersion::v5 || !there.result_metadata_id.empty());
        if (known) continue;
        preparing_ = piece.prepared;
        submit(node);
        return true;
    }
    return false;
}

void Exchange::Leg::submit(const Endpoint* node) {
    std::string_view keyspace;
    if (preparing_) {
        keyspace = preparing_->text->keyspace;
    } else if (exchange_.needs_keyspace_) {
        keyspace = exchange_.session_keyspace_;
    }
    cluster::Pool::Placement to;
    to.group = exchange_.client_->group(side, role(), keyspace);
    to.table = exchange_.place_on(side);
    to.token = exchange_.token_;
    to.node = node;
    const auto submitted = exchange_.shard_.pool(side).submit(*this, to);
    if (!submitted) end(Outcome::refused, nullptr, &submitted.error());
}

void Exchange::Leg::write_to(Bytes& out, std::int16_t stream) {
    if (preparing_) {
        cql::RequestHead head;
        head.version = exchange_.version_;
        head.stream = stream;
        cql::encode_prepare(out, head, preparing_->text->text_for_clusters());
        return;
    }
    exchange_.write_request(out, stream, side, role());
}

void Exchange::Leg::on_reply(const cql::FrameView& frame) {
    if (preparing_) {
        prepared(frame);
        return;
    }
    if (frame.header.opcode == cql::Opcode::result && !frame.is_compressed()) {
        end(Outcome::ok, &frame, nullptr);
        return;
    }
    const auto answering = node();
    if (frame.header.opcode != cql::Opcode::error || frame.is_compressed()) {
        const Error strange(Errc::malformed,
                            fmt::format("{} answered a request with {}", penumbra::to_string(answering),
                                        cql::to_string(frame.header.opcode)));
        end(Outcome::unknown, nullptr, &strange);
        return;
    }
    if (cql::is_unprepared(frame) && sent_again_ <= static_cast<int>(exchange_.pieces_.size())) {
        // That node does not know it (restarted, new, schema changed): it did nothing. Prepare there and send again.
        ++sent_again_;
        if (const auto error = cql::decode_error(frame)) {
            const auto* unprepared = std::get_if<cql::Unprepared>(&error.value().detail);
            for (auto& piece : exchange_.pieces_) {
                if (!piece.prepared || !unprepared || !equal(piece.prepared->on_side(side).id, unprepared->id))
                    continue;
                preparing_ = piece.prepared;
                submit(&answering);
                return;
            }
        }
    }
    const auto code = cql::peek_error_code(frame);
    if (!is_primary_ && code) exchange_.shadow_refused_text_ = refuses_the_statement(code.value());
    // A condition is decided before the level of its commit is looked at: Cassandra says Unavailable of a write that it
    // has accepted, and completes it later.
    const bool may_be_accepted = code && code.value() == cql::ErrorCode::unavailable && exchange_.mirrored_ &&
                                 exchange_.mirroring_ == Mirroring::resync;
    end(code && surely_refused(code.value()) && !may_be_accepted ? Outcome::refused : Outcome::unknown, &frame,
        nullptr);
}

void Exchange::Leg::prepared(const cql::FrameView& frame) {
    const auto answering = node();
    const auto statement = std::exchange(preparing_, nullptr);
    if (frame.header.opcode == cql::Opcode::error) {
        const auto code = cql::peek_error_code(frame);
        const bool for_good = code && refuses_the_statement(code.value());
        if (!is_primary_) exchange_.shadow_refused_text_ = for_good;
        const auto named =
            std::ranges::find(exchange_.pieces_, statement, [](const Piece& piece) { return piece.prepared; });
        if (is_primary_ && for_good && named != exchange_.pieces_.end() && named->asked) {
            // Our words for it, which this server does not take; the application's own it may.
            named->asked->keeps_its_words = true;
            end_unprepared(named->asked, "the statement has to be prepared again");
            return;
        }
        if (is_primary_ && for_good && side == routing::primary_of(exchange_.preparing_phase(*statement->plan))) {
            // Its table is gone, say. The client is told what a server would tell it, prepares again, and hears why not
            // in answer to that. (Where another cluster answers PREPARE, that would go on for ever.)
            end_unprepared(statement, "the statement can no longer be prepared");
            return;
        }
        end(Outcome::refused, &frame, nullptr);
        return;
    }
    const auto result = cql::decode_prepared(frame);
    if (!result) {
        end(Outcome::refused, nullptr, &result.error());
        return;
    }
    auto& there = statement->on_side(side);
    const auto columns = digest_of(result.value().result_metadata);
    const bool changed = !there.id.empty() && there.columns != columns;
    there.id.assign(result.value().id.begin(), result.value().id.end());
    there.columns = columns;
    if (result.value().result_metadata_id)
        there.result_metadata_id.assign(result.value().result_metadata_id->begin(),
                                        result.value().result_metadata_id->end());
    if (changed && is_primary_ && exchange_.version_ < cql::ProtocolVersion::v5) {
        // The table has changed, and the client would read the new rows by the columns that it knows. It prepares again
        // when told so, as after a change on a server; nothing was done there. (In v5 the rows say that they changed.)
        statement->columns_changed = true;
        end_unprepared(statement, "the columns of its result have changed");
        return;
    }
    if (!prepare_missing(&answering)) submit(&answering);
}

void Exchange::Leg::end_unprepared(const PreparedPtr& statement, std::string why) {
    exchange_.unprepared_ = statement;
    const Error gone(Errc::server, std::move(why), static_cast<std::int32_t>(cql::ErrorCode::unprepared));
    end(Outcome::refused, nullptr, &gone);
}

void Exchange::Leg::on_failed(const Error& error, Applied applied) {
    // Nothing was done while only a PREPARE was on its way.
    const bool nothing_done = applied == Applied::no || preparing_;
    preparing_.reset();
    if (nothing_done && sent_again_++ < 2) {
        send(side);  // to another node, if there is one up
        return;
    }
    end(nothing_done ? Outcome::refused : Outcome::unknown, nullptr, &error);
}

void Exchange::Leg::end(Outcome how, const cql::FrameView* frame, const Error* error) {
    outcome = how;
    if (is_primary_) {
        exchange_.primary_ended(frame, error);
    } else {
        exchange_.shadow_ended(frame, error);
    }
}

}  // namespace penumbra::proxy
