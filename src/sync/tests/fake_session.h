#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/session.h"
#include "cql/protocol/responses.h"
#include "runtime/async.h"

namespace penumbra::sync::testing {

/// A cluster that says what the test makes it say. It takes everything and has no rows unless told otherwise.
class FakeSession final : public cluster::Session {
  public:
    struct Asked {
        std::string text;
        cql::Consistency consistency;
        std::vector<cql::Cell> values;
        std::optional<std::int64_t> timestamp;
    };
    std::vector<Asked> asked;
    bool scylla = false;
    // Of send().
    Bytes reply;
    std::function<void()> on_send = [] {};
    Nanos takes{0};
    std::vector<SteadyTime> sent_at;
    std::size_t most_at_once = 0;
    std::function<Result<cql::Rows>(const Asked&)> answer = [](const Asked&) { return Result<cql::Rows>(cql::Rows()); };
    /// Of execute(): a write does nothing and the answer to a read does not arrive until this is set.
    std::function<std::optional<OneShot<Unit>>(const Asked&)> hold = [](const Asked&) { return std::nullopt; };
    std::function<cql::SchemaPtr()> schema_now = [] { return std::make_shared<cql::Schema>(); };

    Task<Result<cql::Rows>> execute(std::string text, std::vector<cql::Cell> values,
                                    cluster::QueryOptions options) override {
        const Asked mine{std::move(text), options.consistency, std::move(values), options.timestamp};
        asked.push_back(mine);
        const auto held = hold(mine);
        if (!held) co_return answer(mine);
        if (!mine.text.starts_with("SELECT")) {
            co_await *held;
            co_return answer(mine);
        }
        auto read = answer(mine);
        co_await *held;
        co_return read;
    }
    /// It has two nodes, which are asked in turn. Where somebody was prepared, and where a request was sent to last.
    std::array<Endpoint, 2> nodes{Endpoint::parse("127.0.0.1:1").value(), Endpoint::parse("127.0.0.2:1").value()};
    std::vector<Endpoint> prepared_on;
    Endpoint sent_to;
    Bytes sent;  ///< to it

    Task<Result<Bytes>> send(Bytes frame, std::string keyspace, Deadline by) override {
        std::optional<Endpoint> any;
        auto answered = co_await send_to(&any, std::move(frame), std::move(keyspace), by);
        co_return answered;
    }
    Task<Result<Bytes>> send_to(std::optional<Endpoint>* node, Bytes frame, std::string, Deadline) override {
        if (!*node) *node = next_node();
        sent_at.push_back(Shard::here().clock().now());
        most_at_once = std::max(most_at_once, ++at_once_);
        if (takes > Nanos(0)) co_await sleep(takes);
        --at_once_;
        sent_to = **node;
        sent = std::move(frame);
        on_send();
        co_return reply;
    }
    Task<Result<Bytes>> prepare(std::string, std::string, std::optional<Endpoint> node, Deadline) override {
        prepared_on.push_back(node ? *node : next_node());
        co_return Bytes();
    }
    cql::SchemaPtr schema() const override { return schema_now(); }
    Task<Result<cql::SchemaPtr>> schema_as_of(SteadyTime, Deadline) override { co_return schema_now(); }
    std::vector<cql::Token> tokens;
    std::vector<cql::Token> ring() const override { return tokens; }
    std::string release_version() const override { return "4.1.9"; }
    bool is_scylla() const override { return scylla; }

  private:
    Endpoint next_node() { return nodes[turn_++ % nodes.size()]; }

    std::size_t at_once_ = 0;
    std::size_t turn_ = 0;
};

/// What was built, as a client reads it.
inline cql::Rows answered(const cql::RowsBuilder& rows) {
    Bytes frame;
    cql::encode_rows(frame, {}, rows.view());
    return cql::Rows::from(cql::view_frame(frame, cql::Direction::response).value()).value();
}

/// What a server answers to a statement that it refuses or cannot do now.
inline Error server_says(cql::ErrorCode code) {
    Error error(Errc::server, "as the test said");
    error.detail = static_cast<std::int32_t>(code);
    return error;
}

}  // namespace penumbra::sync::testing
