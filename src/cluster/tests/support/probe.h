#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/connection.h"
#include "cql/protocol/requests.h"

namespace penumbra::cluster::testing {

/// A QUERY that remembers what became of it.
class Probe final : public Request {
  public:
    explicit Probe(std::string text = "SELECT v FROM app.rows", cql::ProtocolVersion version = cql::ProtocolVersion::v4)
        : text_(std::move(text)), version_(version) {}
    const std::string& text() const { return text_; }

    void write_to(Bytes& out, std::int16_t stream) override {
        ++sent;
        last_stream = stream;
        cql::RequestHead head;
        head.version = version_;
        head.stream = stream;
        cql::encode_query(out, head, text_, {});
    }
    void on_reply(const cql::FrameView& frame) override {
        ++answers;
        reply.assign(frame.whole.begin(), frame.whole.end());
    }
    void on_failed(const Error& why, Applied how) override {
        ++answers;
        error = why;
        applied = how;
    }
    /// The one text cell of the answer.
    std::string cell() const {
        const auto rows = cql::Rows::from(cql::view_frame(reply, cql::Direction::response).value()).value();
        return rows[0].text("v").value();
    }

    int sent = 0;
    int answers = 0;
    std::int16_t last_stream = -1;
    Bytes reply;
    std::optional<Error> error;
    std::optional<Applied> applied;

  private:
    std::string text_;
    cql::ProtocolVersion version_;
};

}  // namespace penumbra::cluster::testing
