#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/tests/support/loop.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/wire_reader.h"
#include "cql/protocol/wire_writer.h"
#include "runtime/stream.h"

namespace penumbra::proxy::testing {

/// An application's connection: sends frames, keeps every answer by its stream.
class Client final : Stream::Handler {
  public:
    Client(cluster::testing::Loop& loop, const Endpoint& to) : loop_(loop) {
        const auto fd =
            loop.run<Result<int>>([to] { return connect(to, Deadline::in(Clock::system(), std::chrono::seconds(5))); });
        loop_.on([&] {
            stream_ = std::make_unique<Stream>(fd.value(), to);
            stream_->start(*this);
        });
    }
    ~Client() {
        loop_.on([this] { stream_.reset(); });
    }

    /// Connected, started, and ready; from then on in what was agreed.
    void start_up(cql::Compression compression = cql::Compression::none) {
        EXPECT_EQ(opcode(ask_startup(compression)), cql::Opcode::ready);
    }
    /// READY or AUTHENTICATE; from then on in what was agreed.
    Bytes ask_startup(cql::Compression compression = cql::Compression::none) {
        const bool segments = version == cql::ProtocolVersion::v5;
        const auto stream = send([&](Bytes& out, const cql::RequestHead& head) {
            cql::StringPairs options{{"CQL_VERSION", "3.0.0"}};
            if (compression != cql::Compression::none) options.emplace_back("COMPRESSION", cql::to_string(compression));
            cql::encode_startup(out, head, options);
        });
        if (!segments) loop_.on([&] { reader_.agree(version, compression); });
        const auto answer = wait(stream);
        loop_.on([&] {
            if (segments) reader_.agree(version, compression);
            stream_->seal();
            writer_.agree(version, compression);
        });
        return answer;
    }
    template <class Encode>
    std::int16_t send(Encode encode) {
        cql::RequestHead head;
        head.version = version;
        head.stream = next_stream_++;
        loop_.on([&] {
            Bytes frame;
            encode(frame, head);
            stream_->write(frame);
        });
        return head.stream;
    }
    std::int16_t query(const std::string& text, cql::Parameters parameters = {}) {
        return send([&](Bytes& out, const cql::RequestHead& head) { cql::encode_query(out, head, text, parameters); });
    }
    std::int16_t execute(BytesView id, const std::vector<Bytes>& values, cql::Parameters parameters = {},
                         BytesView result_metadata_id = {}) {
        std::vector<cql::CellView> cells(values.begin(), values.end());
        parameters.values = cells;
        return send([&](Bytes& out, const cql::RequestHead& head) {
            cql::encode_execute(out, head, id, result_metadata_id, parameters);
        });
    }
    /// The id, or empty when it was refused.
    Bytes prepare(const std::string& text) {
        const auto answer =
            ask([&](Bytes& out, const cql::RequestHead& head) { cql::encode_prepare(out, head, text); });
        const auto prepared = cql::decode_prepared(view(answer));
        return prepared ? Bytes(prepared.value().id.begin(), prepared.value().id.end()) : Bytes();
    }
    void raw(BytesView bytes) {
        loop_.on([&] { stream_->write(bytes); });
    }
    /// Bytes as they are, past what was agreed.
    void unwrapped(BytesView bytes) {
        loop_.on([&] {
            stream_->seal();
            writer_ = {};
            stream_->write(bytes);
        });
    }
    template <class Encode>
    Bytes ask(Encode encode) {
        return wait(send(encode));
    }
    Bytes run(const std::string& text, cql::Parameters parameters = {}) { return wait(query(text, parameters)); }
    Bytes wait(std::int16_t stream) {
        loop_.until([&] { return !answers[stream].empty() || closed; });
        return answers[stream].empty() ? Bytes() : answers[stream].back();
    }
    void stop_reading() {
        loop_.on([this] { stream_->pause(); });
    }
    void read_on() {
        loop_.on([this] { stream_->resume(); });
    }
    void hang_up() {
        loop_.on([this] { stream_->close(); });
    }

    static cql::FrameView view(const Bytes& frame) { return cql::view_frame(frame, cql::Direction::response).value(); }
    static std::optional<cql::Opcode> opcode(const Bytes& frame) {
        if (frame.empty()) return std::nullopt;
        return view(frame).header.opcode;
    }
    static bool is_result(const Bytes& frame) { return opcode(frame) == cql::Opcode::result; }
    static std::optional<cql::ErrorCode> error(const Bytes& frame) {
        if (opcode(frame) != cql::Opcode::error) return std::nullopt;
        return cql::peek_error_code(view(frame)).value();
    }
    /// Of a request.
    static bool traced(const Bytes& frame) {
        return cql::view_frame(frame, cql::Direction::request).value().header.has(cql::header_flag::kTracing);
    }
    static cql::Rows rows(const Bytes& frame) { return cql::Rows::from(view(frame)).value(); }

    cql::ProtocolVersion version = cql::ProtocolVersion::v4;
    std::map<std::int16_t, std::vector<Bytes>> answers;
    bool closed = false;

  private:
    std::size_t on_data(MutableBytes data) override {
        std::size_t at = 0;
        for (;;) {
            std::size_t dealt = 0;
            const auto scan = reader_.next(BytesView(data).subspan(at), dealt);
            at += dealt;
            if (scan.verdict != cql::FrameVerdict::complete) break;
            answers[scan.frame.header.stream].emplace_back(scan.frame.whole.begin(), scan.frame.whole.end());
        }
        return at;
    }
    void on_closed(const Error&) override { closed = true; }
    void before_flush(Bytes& out, std::size_t from) override { writer_.encode(out, from); }

    cluster::testing::Loop& loop_;
    std::unique_ptr<Stream> stream_;
    std::int16_t next_stream_ = 1;
    cql::WireReader reader_{cql::Direction::response};
    cql::WireWriter writer_;
};

}  // namespace penumbra::proxy::testing
