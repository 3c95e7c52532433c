#include "load/conversation.h"

#include <fmt/format.h>

#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"

namespace penumbra::bench {

Conversation::Conversation(const LoadOptions& options, int fd, Owner& owner)
    : options_(options), owner_(owner), stream_(fd, options.to), slots_(options.in_flight) {
    stream_.start(*this);
    cql::StringPairs startup{{"CQL_VERSION", "3.0.0"}, {"DRIVER_NAME", "bench_load"}};
    if (options_.compression != cql::Compression::none)
        startup.emplace_back("COMPRESSION", cql::to_string(options_.compression));
    cql::encode_startup(stream_.out(), head(), startup);
    stream_.seal();
    // Of v3 and v4 the answer may be compressed already; of v5 it is the last one outside of segments.
    if (options_.version != cql::ProtocolVersion::v5) reader_.agree(options_.version, options_.compression);
    stream_.flush_soon();
}

cql::RequestHead Conversation::head() const {
    cql::RequestHead head;
    head.version = options_.version;
    return head;
}

void Conversation::send(std::int16_t stream, Kind kind, std::uint64_t tenant, std::uint64_t row, std::int64_t timestamp,
                        SteadyTime since) {
    slots_[static_cast<std::size_t>(stream)] = {since, kind, true};
    const auto& request = kind == Kind::read ? *read_ : *write_;
    request.append_to(stream_.out(), stream, tenant, row, timestamp);
    stream_.flush_soon();
}

std::size_t Conversation::on_data(MutableBytes data) {
    std::size_t at = 0;
    while (state_ != State::failed) {
        std::size_t dealt = 0;
        const auto scan = reader_.next(BytesView(data).subspan(at), dealt);
        at += dealt;
        if (scan.verdict == cql::FrameVerdict::incomplete) {
            stream_.expect(scan.total);
            break;
        }
        if (scan.verdict != cql::FrameVerdict::complete) {
            fail_with(cql::frame_error(scan));
            break;
        }
        auto status = state_ == State::running ? answered(scan.frame) : shake_hands(scan.frame);
        if (!status) fail_with(status.error());
    }
    return state_ == State::failed ? data.size() : at;
}

Status Conversation::answered(const cql::FrameView& frame) {
    const auto stream = frame.header.stream;
    if (stream < 0 || static_cast<std::size_t>(stream) >= slots_.size() ||
        !slots_[static_cast<std::size_t>(stream)].taken)
        return fail(Errc::malformed, fmt::format("an answer on stream {}, which asked nothing", stream));
    auto& slot = slots_[static_cast<std::size_t>(stream)];
    slot.taken = false;
    auto outcome = Outcome::error;
    if (frame.header.opcode == cql::Opcode::result) {
        const auto kind = cql::peek_result_kind(frame);
        const auto wanted = slot.kind == Kind::read ? cql::ResultKind::rows : cql::ResultKind::void_;
        outcome = kind && kind.value() == wanted ? Outcome::as_asked : Outcome::unexpected;
    } else if (frame.header.opcode != cql::Opcode::error) {
        outcome = Outcome::unexpected;
    }
    owner_.on_answer(*this, stream, slot.kind, slot.since, outcome, frame);
    return ok();
}

Status Conversation::shake_hands(const cql::FrameView& frame) {
    if (frame.header.opcode == cql::Opcode::error) {
        TRY(const auto error, cql::decode_error(frame));
        return fail(cql::to_error(error));
    }
    switch (state_) {
        case State::starting:
            if (frame.header.opcode == cql::Opcode::authenticate) {
                Bytes token{0};
                token.insert(token.end(), options_.user.begin(), options_.user.end());
                token.push_back(0);
                token.insert(token.end(), options_.password.begin(), options_.password.end());
                // v5 speaks in segments from the answer to STARTUP on, and AUTHENTICATE is one.
                agree();
                cql::encode_auth_response(stream_.out(), head(), cql::CellView(token));
                stream_.flush_soon();
                return ok();
            }
            if (frame.header.opcode == cql::Opcode::ready) agree();
            state_ = State::preparing_read;
            prepare(texts_of(options_).read);
            return ok();
        case State::preparing_read:
        case State::preparing_write:
            return prepared(frame);
        case State::running:
        case State::failed:
            break;
    }
    return fail(Errc::internal, "no handshake is under way");
}

void Conversation::agree() {
    if (options_.version == cql::ProtocolVersion::v5) reader_.agree(options_.version, options_.compression);
    writer_.agree(options_.version, options_.compression);
}

void Conversation::prepare(std::string_view text) {
    cql::encode_prepare(stream_.out(), head(), text);
    stream_.flush_soon();
}

Status Conversation::prepared(const cql::FrameView& frame) {
    TRY(const auto peeked, cql::peek_prepared(frame));
    const auto result_id = peeked.result_metadata_id.value_or(BytesView());
    if (state_ == State::preparing_read) {
        TRY(auto made, Template::read(options_, peeked.id, result_id));
        read_ = std::move(made);
        state_ = State::preparing_write;
        prepare(texts_of(options_).write);
        return ok();
    }
    TRY(auto made, Template::write(options_, peeked.id, result_id));
    write_ = std::move(made);
    state_ = State::running;
    owner_.on_ready(*this);
    return ok();
}

void Conversation::on_closed(const Error& why) {
    fail_with(why);
}

void Conversation::fail_with(const Error& why) {
    if (state_ == State::failed) return;
    state_ = State::failed;
    stream_.close();
    owner_.on_failed(*this, why);
}

}  // namespace penumbra::bench
