#include "sync/requester.h"

#include <deque>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/protocol/responses.h"

namespace penumbra::sync {
namespace {

using cql::ErrorCode;

/// A session that answers what it was told, in order, and then takes everything.
class ScriptedSession final : public cluster::Session {
  public:
    std::deque<Error> errors;
    std::size_t asked = 0;

    Task<Result<cql::Rows>> execute(std::string, std::vector<cql::Cell>, cluster::QueryOptions) override {
        ++asked;
        if (errors.empty()) co_return cql::Rows();
        auto next = errors.front();
        errors.pop_front();
        co_return fail(std::move(next));
    }
    Task<Result<Bytes>> send(Bytes, std::string, Deadline) override { co_return Bytes(); }
    Task<Result<Bytes>> prepare(std::string, std::string, Deadline) override { co_return Bytes(); }
    cql::SchemaPtr schema() const override { return nullptr; }
    std::vector<cql::Token> ring() const override { return {}; }
    std::string release_version() const override { return "4.1.9"; }
    bool is_scylla() const override { return false; }
};

Error server_says(ErrorCode code) {
    Error error(Errc::server, "as the test said");
    error.detail = static_cast<std::int32_t>(code);
    return error;
}

struct RequesterTest : ::testing::Test {
    /// How often the write was sent, and whether it was taken.
    std::pair<std::size_t, bool> write_once(std::deque<Error> errors) {
        session.asked = 0;
        session.errors = std::move(errors);
        Requester requester(session, routing::Side::target, options, *stop, report);
        const auto done = loop.run<Status>([&] { return requester.write_once({"UPDATE c SET n = n + 1", {}, {}}); });
        return {session.asked, done.has_value()};
    }

    RequesterTest() {
        loop.on([this] { stop = std::make_unique<StopSignal>(); });
    }
    ~RequesterTest() override {
        loop.on([this] { stop.reset(); });
    }

    cluster::testing::Loop loop;
    ScriptedSession session;
    WorkOptions options;
    std::unique_ptr<StopSignal> stop;
    Report report;
};

TEST_F(RequesterTest, WhatMustNotHappenTwiceIsSentAgainOnlyWhereNothingWasDone) {
    EXPECT_EQ(write_once({}), std::pair(std::size_t{1}, true));
    EXPECT_EQ(write_once({server_says(ErrorCode::unprepared), server_says(ErrorCode::unavailable)}),
              std::pair(std::size_t{3}, true));
    for (const auto code : {ErrorCode::write_timeout, ErrorCode::write_failure, ErrorCode::overloaded,
                            ErrorCode::server_error, ErrorCode::invalid})
        EXPECT_EQ(write_once({server_says(code)}), std::pair(std::size_t{1}, false)) << static_cast<int>(code);
    EXPECT_EQ(write_once({Error(Errc::timeout, "nothing came")}), std::pair(std::size_t{1}, false));
}

TEST_F(RequesterTest, NobodyIsAskedForEver) {
    options.attempts = 2;
    EXPECT_EQ(write_once({4, server_says(ErrorCode::unprepared)}), std::pair(std::size_t{2}, false));
}

}  // namespace
}  // namespace penumbra::sync
