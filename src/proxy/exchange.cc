#include "proxy/exchange.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/inject.h"
#include "cql/language/parser.h"
#include "cql/protocol/frame_edit.h"
#include "proxy/backend_reply.h"
#include "proxy/paging.h"
#include "proxy/proxy_shard.h"

namespace penumbra::proxy {

using cluster::Applied;

namespace {

constexpr std::size_t kKeptCapacity = 64 * 1024;

void recycle(Bytes& buffer) {
    if (buffer.capacity() > kKeptCapacity) {
        Bytes().swap(buffer);
    } else {
        buffer.clear();
    }
}

}  // namespace

Exchange::Exchange(ProxyShard& shard) : shard_(shard) {}

// ---- beginning

void Exchange::begin(ClientPtr client, const cql::FrameView& frame) {
    ASSERT(!active_);
    active_ = true;
    client_ = std::move(client);
    client_->exchange_began();
    stream_ = frame.header.stream;
    version_ = frame.version();
    opcode_ = frame.header.opcode;
    if (!session_keyspace_.empty() || !client_->keyspace().empty()) session_keyspace_ = client_->keyspace();
    frame_.assign(frame.whole.begin(), frame.whole.end());
    view_ = {frame.header, frame_};
    shard_.watch_request(*this);
    if (decode()) start();
}

bool Exchange::decode() {
    const auto refuse = [this](const Error& error) {
        client_->reply_error(stream_, cql::ErrorCode::protocol_error, error.what);
        answered_ = true;
        finish();
        return false;
    };
    if (opcode_ == cql::Opcode::query) {
        auto query = cql::decode_query(view_);
        if (!query) return refuse(query.error());
        prefix_ = query.value().prefix;
        parameters_ = query.value().parameters;
        query_ = query.value().query;
        add_text(query_, parameters_.values);
    } else if (opcode_ == cql::Opcode::prepare) {
        auto prepare = cql::decode_prepare(view_);
        if (!prepare) return refuse(prepare.error());
        parameters_ = {};
        prefix_ = prepare.value().prefix;
        query_ = prepare.value().query;
        if (prepare.value().keyspace) session_keyspace_ = *prepare.value().keyspace;
        add_text(query_, {});
    } else if (opcode_ == cql::Opcode::execute) {
        if (auto decoded = cql::decode_execute(view_, prefix_, executed_, parameters_); !decoded)
            return refuse(decoded.error());
        if (!add_prepared(executed_.id, parameters_.values)) return false;
    } else {
        auto batch = cql::decode_batch(view_);
        if (!batch) return refuse(batch.error());
        prefix_ = batch.value().prefix;
        parameters_ = batch.value().parameters;
        batch_type_ = batch.value().type;
        children_ = batch.value().children;
        for (const auto& child : children_) {
            if (!child.prepared) {
                add_text(child.query, child.values);
            } else if (!add_prepared(child.id, child.values)) {
                return false;
            }
        }
    }
    if (parameters_.keyspace) session_keyspace_ = *parameters_.keyspace;
    if (parameters_.paging_state && parameters_.paging_state->has_value()) {
        if (const auto tagged = untag_paging_state(parameters_.paging_state->bytes())) page_side_ = tagged->side;
    }
    return true;
}

bool Exchange::add_prepared(BytesView id, const cql::ValuesView& values) {
    const auto& prepared = shard_.statements().find(id);
    if (!prepared) {
        // Prepared before our restart, or so long ago that it was dropped: every driver prepares again on this answer.
        client_->reply_unprepared(stream_, id);
        answered_ = true;
        finish();
        return false;
    }
    auto& piece = pieces_.emplace_back();
    piece.values = values;
    piece.prepared = prepared;
    return true;
}

void Exchange::add_text(std::string_view text, const cql::ValuesView& values) {
    auto& piece = pieces_.emplace_back();
    piece.values = values;
    piece.text = text;
}

void Exchange::plan_pieces() {
    const auto& router = shard_.router();
    kind_ = Plan::Kind::read;
    mirroring_ = Mirroring::exact;
    needs_keyspace_ = has_strange_piece_ = repeats_names_ = binds_json_ = has_json_condition_ = false;
    for (auto& piece : pieces_) {
        if (piece.prepared) {
            piece.plan = Statements::plan_of(*piece.prepared, router);
        } else {
            if (!piece.plan || piece.plan->router != router) {
                piece.plan = piece.evaluated ? make_plan(cql::parse(piece.text), session_keyspace_, router)
                                             : shard_.texts().plan(piece.text, session_keyspace_, router);
            }
            needs_keyspace_ |= piece.plan->needs_keyspace;
        }
        repeats_names_ |= piece.plan->repeated_names != nullptr;
        binds_json_ |= !piece.plan->json.empty();
        has_json_condition_ |= piece.plan->has_json_condition;
        // A batch that also writes to a system table is still a write: its other rows belong on both clusters.
        if (piece.plan->kind == Plan::Kind::write) kind_ = Plan::Kind::write;
        if (piece.plan->kind == Plan::Kind::primary_only && kind_ == Plan::Kind::read) kind_ = Plan::Kind::primary_only;
        mirroring_ = std::max(mirroring_, piece.plan->mirroring);
        has_strange_piece_ |= piece.plan->not_understood;
    }
    if (opcode_ == cql::Opcode::batch && kind_ == Plan::Kind::read) kind_ = Plan::Kind::write;
}

bool Exchange::hand_over() {
    if (opcode_ == cql::Opcode::prepare) return false;
    const auto is_forwarded = [](const Plan& plan) {
        return plan.kind == Plan::Kind::read || plan.kind == Plan::Kind::write || plan.kind == Plan::Kind::primary_only;
    };
    if (pieces_.size() == 1 && is_forwarded(*pieces_.front().plan)) return false;
    // A batch has a say of its own only where one of its statements may not be run at all.
    const auto refused =
        std::ranges::find_if(pieces_, [](const auto& one) { return one.plan->kind == Plan::Kind::protected_table; });
    if (opcode_ == cql::Opcode::batch && refused == pieces_.end()) return false;
    const auto& piece = refused != pieces_.end() ? *refused : pieces_.front();
    const auto kind = piece.plan->kind;
    if (is_forwarded(*piece.plan)) return false;
    if (piece.prepared) {
        // What it means was said when it was prepared, whatever has been USEd since.
        const auto& text = *piece.prepared->text;
        client_->run(stream_, kind, frame_, text.text(), *text.statement, text.keyspace);
    } else {
        client_->run(stream_, kind, frame_, piece.text, cql::parse(piece.text), session_keyspace_);
    }
    answered_ = true;
    finish();
    return true;
}

bool Exchange::pass_gates() {
    for (const auto scope : scopes_) {
        auto& gate = shard_.gate(scope);
        if (gate.is_held() && !INJECT("proxy.forget_fence")) {
            leave_gates();
            waiting_at_ = &gate;
            held_since_ = Shard::here().now();
            gate.wait(*this);
            return false;
        }
        entered_.emplace_back(&gate, gate.enter());
    }
    return true;
}

void Exchange::start() {
    if (waiting_at_) {
        waiting_at_ = nullptr;
        auto& counters = shard_.counters();
        ++counters.held;
        // The turn's time is when the fence opened; what waits in the socket was never ours to hold.
        const auto waited = static_cast<std::uint64_t>((Shard::here().clock().now() - held_since_).count());
        counters.longest_hold_nanos = std::max(counters.longest_hold_nanos, waited);
    }
    waiting_for_schema_ = false;
    plan_pieces();
    if (hand_over()) return;

    Phases phases;
    scopes_.clear();
    if (opcode_ == cql::Opcode::prepare) {
        phases.push_back(preparing_phase(*pieces_.front().plan));
        kind_ = Plan::Kind::read;
    } else {
        const bool unknown = std::ranges::any_of(pieces_, [](const auto& piece) { return piece.plan->unknown_table; });
        if (unknown && !refreshed_) {
            // The table may have been made on a cluster a moment ago, and its rows may belong to a shadowed scope.
            refreshed_ = true;
            waiting_for_schema_ = true;
            shard_.start_after_refresh(*this);
            return;
        }
        for (const auto& piece : pieces_) collect_routes(*piece.plan, piece.values, phases, scopes_);
        if (!pass_gates()) return;
    }
    find_token();
    phase_ = phases.empty()       ? shard_.router()->default_phase()
             : phases.size() == 1 ? phases.front()
                                  : routing::meet(phases);
    if (refuse_lost_condition()) return;
    mirrored_ = kind_ == Plan::Kind::write && routing::is_shadowed(phase_);
    if (mirrored_ && mirroring_ == Mirroring::resync && !evaluate_volatiles()) return;
    if (mirrored_ && binds_json_ && mirroring_ != Mirroring::resync && binds_server_time())
        mirroring_ = Mirroring::resync;
    // Also where one cluster takes the write alone: a server orders its own timestamps per connection and by
    // milliseconds, and one client's writes leave on several of ours.
    if (kind_ == Plan::Kind::write && !parameters_.timestamp && !timestamp_) timestamp_ = shard_.next_timestamp();

    if (mirrored_ && append_intents()) return;
    send_legs();
}

bool Exchange::binds_server_time() const {
    return std::ranges::any_of(pieces_,
                               [](const Piece& piece) { return proxy::binds_server_time(*piece.plan, piece.values); });
}

void Exchange::send_legs() {
    advancing_ = true;  // a send that fails at once must not answer before both legs have been looked at
    primary_.send(kind_ == Plan::Kind::read && page_side_ ? *page_side_ : routing::primary_of(phase_));
    // Where the primary is surely not asked, the shadow must not be either: it would have what nobody else has.
    if (mirrored_ && mirroring_ == Mirroring::exact && primary_.is_pending_outcome()) send_to_shadow();
    advancing_ = false;
    advance();
}

void Exchange::find_token() {
    token_.reset();
    // A batch may be empty; any node answers it then.
    if (pieces_.empty() || pieces_.front().plan->parts.empty()) return;
    const auto& first = pieces_.front();
    token_ = token_of(first.plan->parts.front(), first.values, shard_.scratch());
}

routing::Phase Exchange::preparing_phase(const Plan& plan) const {
    if (plan.parts.empty()) return shard_.router()->default_phase();
    Phases phases;
    for (const auto& part : plan.parts) phases.push_back(part.routes->without_tenant().phase);
    return routing::meet(phases);
}

bool Exchange::refuse_lost_condition() {
    if (!has_json_condition_) return false;
    const auto is_scylla = [this](routing::Side side) {
        const auto& topology = shard_.pool(side).topology();
        return topology && topology->is_scylla;
    };
    // Whoever came from a ScyllaDB finds what it was used to.
    if (!is_scylla(routing::primary_of(phase_)) || is_scylla(routing::Side::source)) return false;
    client_->reply_error(stream_, cql::ErrorCode::invalid,
                         "INSERT JSON with IF NOT EXISTS: ScyllaDB would write the row even if it exists; name the "
                         "columns and values instead of JSON. It was not executed");
    answered_ = true;
    finish();
    return true;
}

// ---- what goes to the clusters

cluster::TableRoute* Exchange::place_on(routing::Side side) {
    if (!token_) return nullptr;
    const auto& part = pieces_.front().plan->parts.front();
    auto& place = part.place[static_cast<std::size_t>(side)];
    if (!place) place = shard_.pool(side).table(part.keyspace, part.table);
    return place.get();
}

void Exchange::settle_repeated_names(cql::FrameEdit& edit) const {
    // A PREPARE goes as it is: the client wants to hear how its own cluster numbers the values.
    if (!repeats_names_ || opcode_ == cql::Opcode::prepare) return;
    const std::size_t most = shard_.options().max_frame_bytes;
    if (opcode_ == cql::Opcode::query) {
        pieces_.front().plan->repeated_names->edit(cql::decode_query(view_).value(), most, edit);
    } else if (opcode_ == cql::Opcode::execute) {
        pieces_.front().plan->repeated_names->edit(cql::decode_execute(view_).value(), most, edit);
    } else {
        const auto batch = cql::decode_batch(view_);
        std::size_t n = 0;
        for (const auto& child : batch.value().children) {
            if (const auto& names = pieces_[n++].plan->repeated_names) names->edit(child, most, edit);
        }
    }
}

bool Exchange::is_plain_execute(const BackendStatement& there, routing::Side side, Role role) const {
    if (prefix_.size > 0 || page_side_ || repeats_names_ || there.id.size() != executed_.id.size()) return false;
    if (executed_.result_metadata_id) return false;
    if (parameters_.has(cql::query_flag::kSkipMetadata) && !pieces_[0].prepared->client_knows_columns(side))
        return false;
    if (role == Role::shadow && view_.header.has(cql::header_flag::kTracing)) return false;
    if (parameters_.keyspace && version_ < cql::ProtocolVersion::v5) return false;
    return !timestamp_ || !parameters_.timestamp;
}

std::optional<cql::Consistency> Exchange::level_on(Role role) const {
    if (role != Role::shadow) return std::nullopt;
    return shard_.options().shadow_consistency;
}

void Exchange::write_request(Bytes& out, std::int16_t stream, routing::Side side, Role role) {
    if (opcode_ == cql::Opcode::execute) {
        const auto& there = pieces_[0].prepared->on_side(side);
        if (is_plain_execute(there, side, role)) {
            cql::append_execute(out, view_, executed_, parameters_, stream, there.id, timestamp_, level_on(role));
            return;
        }
    }
    auto& edit = shard_.edit();
    edit.reset(view_);
    edit.set_stream(stream);
    // The trace that the client asks for is the primary's; who else takes a payload is for that cluster to say.
    if (role == Role::shadow) edit.clear_flag(cql::header_flag::kTracing);
    if (prefix_.size > 0) {
        const auto& topology = shard_.pool(side).topology();
        if (role == Role::shadow || !topology || topology->is_scylla) edit.strip_payload(prefix_);
    }
    if (opcode_ == cql::Opcode::execute) {
        auto& prepared = *pieces_[0].prepared;
        const auto& there = prepared.on_side(side);
        edit.replace_id(executed_, there.id);
        if (!executed_.result_metadata_id) {
            if (!prepared.client_knows_columns(side)) edit.ask_for_metadata(parameters_);
        } else if (equal(*executed_.result_metadata_id, there.columns)) {
            // Otherwise the client's stays: it is no id of that cluster's, which sends its columns then.
            edit.replace_result_metadata_id(executed_, there.result_metadata_id);
        }
    } else if (opcode_ == cql::Opcode::batch) {
        std::size_t n = 0;
        for (const auto& child : children_) {
            if (child.prepared) edit.replace_id(child, pieces_[n].prepared->on_side(side).id);
            ++n;
        }
    }
    // In the order of the frame, which is the cheapest.
    if (const auto level = level_on(role)) edit.replace_consistency(parameters_, *level);
    settle_repeated_names(edit);
    if (page_side_) {
        const auto tagged = untag_paging_state(parameters_.paging_state->bytes());
        edit.replace_paging_state(parameters_, cql::CellView(tagged->state));
    }
    if (timestamp_) edit.add_timestamp(parameters_, *timestamp_);
    // Before v5 no server promises to know the field: the connection's own keyspace says the same.
    if (parameters_.keyspace && version_ < cql::ProtocolVersion::v5) edit.remove_keyspace(parameters_);
    edit.append_to(out);
}

void Exchange::report_strange_pieces() {
    if (opcode_ == cql::Opcode::prepare) return;
    for (const auto& piece : pieces_) {
        if (piece.plan->not_understood)
            shard_.report_not_understood(piece.prepared ? piece.prepared->text->text() : piece.text, kind_);
    }
}

void Exchange::primary_ended(const cql::FrameView* frame, const Error* error) {
    if (has_strange_piece_ && primary_.outcome == Outcome::ok) report_strange_pieces();
    if (opcode_ == cql::Opcode::prepare && frame) {
        answer_prepared(*frame);
    } else if (!mirrored_) {
        if (frame) {
            answer_with(*frame);
        } else {
            answer_failure(*error, primary_.outcome == Outcome::unknown ? Applied::unknown : Applied::no);
        }
    } else if (frame) {
        if (primary_.outcome == Outcome::ok && mirroring_ == Mirroring::resync)
            nothing_changed_ = changed_nothing(*frame);
        // When the shadow has it already, the answer can go out from where it was read.
        if (primary_.outcome == Outcome::ok && shadow_.outcome == Outcome::ok) {
            answer_with(*frame);
        } else {
            shard_.charge(*this, frame->whole.size());
            reply_.assign(frame->whole.begin(), frame->whole.end());
        }
    } else {
        failure_ = *error;
    }
    advance();
}

void Exchange::shadow_ended(const cql::FrameView* frame, const Error* error) {
    auto& breaker = shard_.breaker(shadow_.side);
    bool answered = shadow_.outcome == Outcome::ok;
    if (!answered && frame) {
        const auto code = cql::peek_error_code(*frame);
        answered = code && is_about_the_statement(code.value());
    }
    if (answered) {
        breaker.answered();
    } else {
        breaker.failed(Shard::here().now());
    }
    if (shadow_.outcome != Outcome::ok) {
        ++shard_.counters().shadow_failures;
        shard_.report_shadow_failure(frame, error, shadow_.side);
    }
    advance();
}

bool Exchange::changed_nothing(const cql::FrameView& frame) {
    const auto rows = cql::decode_rows(frame);
    if (!rows || rows.value().metadata.columns.empty() || rows.value().metadata.columns[0].name != "[applied]")
        return false;
    bool applied = rows.value().row_count() == 0;
    rows.value().for_each([&](std::span<const cql::CellView> row) {
        applied |= !row[0].has_value() || row[0].bytes().size() != 1 || row[0].bytes()[0] != 0;
    });
    return !applied;
}

void Exchange::send_to_shadow() {
    const auto side = routing::other(primary_.side);
    if (!shard_.breaker(side).allows(Shard::here().now())) {
        // Owed as soon as the primary has it.
        shadow_.side = side;
        shadow_.outcome = Outcome::refused;
        ++shard_.counters().shadow_not_sent;
        return;
    }
    ++shard_.counters().shadow_writes;
    shard_.watch_shadow(*this);
    if (INJECT("proxy.drop_shadow_write")) {
        shadow_.outcome = Outcome::ok;
        shard_.breaker(side).answered();
    } else {
        shadow_.send(side);
    }
}

bool Exchange::must_tell_of_shadow() const {
    // Statements that are read back are no better and no worse off with the policy: the primary alone runs them.
    return shard_.options().on_shadow_failure == OnShadowFailure::strict && phase_ == routing::Phase::shadow_sync &&
           mirroring_ != Mirroring::resync && shadow_.outcome != Outcome::ok;
}

// ---- the merge rule

void Exchange::advance() {
    if (advancing_ || !active_ || primary_.is_pending_outcome() || primary_.outcome == Outcome::unused) return;
    // What counts or appends goes to the shadow when the primary has taken it: the shadow must not count what the
    // primary then refuses. A counter that was deleted, so as to take that back, loses the increments that come later.
    if (mirrored_ && mirroring_ == Mirroring::once && primary_.outcome == Outcome::ok &&
        shadow_.outcome == Outcome::unused) {
        advancing_ = true;
        send_to_shadow();
        advancing_ = false;
    }
    if (mirrored_) {
        // Of lists nobody can say it before the rows were compared.
        const bool shadow_has_it = shadow_.outcome == Outcome::ok && !adds_to_lists();
        const bool shadow_pending = shadow_.is_pending_outcome();
        if (primary_.outcome == Outcome::ok) {
            if (owing_ == Owing::no && !shadow_has_it && !nothing_changed_) {
                if (mirroring_ == Mirroring::resync) {
                    owe(Owed::rows);
                } else if (!shadow_pending) {
                    owe(shadow_refused_text_ || shadow_.outcome == Outcome::ok ? Owed::rows : owed_as());
                } else if (!routing::waits_for_shadow(phase_)) {
                    // The shadow's answer may have been read in this very turn, and a write that it has costs no disk.
                    if (turn_ended_) {
                        owe(owed_as());
                    } else {
                        shard_.tell_at_turn_end(*this);
                    }
                }
            }
            if (!answered_) {
                if (owing_ == Owing::durable && must_tell_of_shadow()) {
                    // It is on its way there all the same: the clusters are to be equal, whatever the client does now.
                    answer_failure(Error(Errc::timeout, "the shadow did not take the write; the primary did"),
                                   Applied::unknown);
                } else if (shadow_has_it || nothing_changed_ || owing_ == Owing::durable ||
                           INJECT("proxy.ack_before_append")) {
                    answer_kept();
                } else if (owing_ == Owing::failed && !shadow_pending) {
                    // Neither there nor on disk: to acknowledge it would be to lie.
                    answer_failure(owe_error_, Applied::unknown);
                }
            }
        } else {
            if (!answered_) {
                if (!reply_.empty()) {
                    answer_kept();
                } else {
                    answer_failure(failure_, primary_.outcome == Outcome::unknown ? Applied::unknown : Applied::no);
                }
            }
            const bool shadow_untouched = shadow_.outcome == Outcome::unused || shadow_.outcome == Outcome::refused;
            if (!shadow_pending && owing_ == Owing::no && !(primary_.outcome == Outcome::refused && shadow_untouched))
                owe(Owed::rows);
        }
        if (shadow_.is_pending_outcome() || owing_ == Owing::appending) return;
        settle_or_release();
    }
    if (answered_) finish();
}

void Exchange::on_request_deadline() {
    if (intents_under_way_ > 0) {
        if (answered_) return;
        // Nothing was sent anywhere; what the journal still writes for it ends first.
        client_->reply_error(stream_, cql::ErrorCode::overloaded,
                             "the journal's disk did not take the intent to write in time; it was not executed");
        answered_ = true;
        return;
    }
    if (waiting_at_ || waiting_for_schema_) {
        // Nothing was sent anywhere.
        if (waiting_at_) waiting_at_->forget(*this);
        waiting_at_ = nullptr;
        waiting_for_schema_ = false;
        client_->reply_error(stream_, cql::ErrorCode::overloaded,
                             "the request waited too long for a change of phase or schema; it was not executed");
        answered_ = true;
        finish();
        return;
    }
    if (primary_.is_pending_outcome()) {
        primary_.cancel();
        primary_.outcome = Outcome::unknown;
        const Error late(Errc::timeout,
                         fmt::format("the {} cluster did not answer in time", routing::to_string(primary_.side)));
        primary_ended(nullptr, &late);
        return;
    }
    if (owing_ == Owing::appending && !answered_) {
        // To acknowledge what a crash could lose would be to lie. It goes on, and is owed once the disk has it.
        const auto owed_to = routing::other(primary_.side);
        shard_.report_late_journal(owed_to);
        answer_failure(Error(Errc::timeout, late_journal_text(owed_to)), Applied::unknown);
    }
}

void Exchange::on_turn_end() {
    turn_ended_ = true;
    advance();
}

void Exchange::on_shadow_deadline() {
    if (!shadow_.is_pending_outcome()) return;
    end_waiting_for_shadow(
        Error(Errc::timeout, fmt::format("the {} cluster did not answer in time", routing::to_string(shadow_.side))));
}

bool Exchange::give_up_shadow() {
    // What cannot be repeated would have to be settled or read back; and who is to be told of the shadow gets its time.
    const bool journal_will_do = mirroring_ == Mirroring::exact && !must_tell_of_shadow();
    if (!shadow_.is_pending_outcome() || primary_.outcome != Outcome::ok || owing_ == Owing::appending ||
        !journal_will_do)
        return false;
    shadow_hook_.unlink();
    ++shard_.counters().shadow_given_up;
    end_waiting_for_shadow(
        Error(Errc::overloaded, fmt::format("the {} cluster is so late that its writes take the memory of requests",
                                            routing::to_string(shadow_.side))));
    return true;
}

void Exchange::end_waiting_for_shadow(const Error& why) {
    shadow_.cancel();
    shadow_.outcome = Outcome::unknown;
    shadow_ended(nullptr, &why);
}

// ---- the end

void Exchange::leave_gates() {
    for (auto& [gate, turn] : entered_) gate->leave(turn);
    entered_.clear();
}

void Exchange::finish() {
    primary_.reset();
    leave_gates();
    auto client = std::move(client_);
    recycle(frame_);
    pieces_.clear();
    timestamp_.reset();
    page_side_.reset();
    request_hook_.unlink();
    if (mirrored_) {
        shadow_.reset();
        shadow_hook_.unlink();
        recycle(reply_);
        owing_ = Owing::no;
        owing_ended_ = turn_ended_ = ranges_owed_ = false;
        entries_.clear();
        owe_error_ = {};
        failure_ = {};
    }
    mirrored_ = answered_ = shadow_refused_text_ = nothing_changed_ = refreshed_ = false;
    unprepared_.reset();
    active_ = false;
    ++serial_;
    shard_.give_back(*this);
    client->exchange_ended();
}

}  // namespace penumbra::proxy
