#include "sync/requester.h"

#include <deque>

#include <gtest/gtest.h>

#include "cluster/tests/support/loop.h"
#include "cql/protocol/responses.h"
#include "sync/tests/fake_session.h"

namespace penumbra::sync {
namespace {

using cql::ErrorCode;

using testing::server_says;

struct RequesterTest : ::testing::Test {
    /// How often the write was sent, and whether it was taken.
    std::pair<std::size_t, bool> write_once(std::deque<Error> errors) {
        session.asked.clear();
        session.answer = [&errors](const auto&) -> Result<cql::Rows> {
            if (errors.empty()) return cql::Rows();
            auto next = errors.front();
            errors.pop_front();
            return fail(std::move(next));
        };
        Requester requester(session, routing::Side::target, options, *stop, report);
        const auto done = loop.run<Status>([&] { return requester.write_once({"UPDATE c SET n = n + 1", {}, {}}); });
        return {session.asked.size(), done.has_value()};
    }

    RequesterTest() {
        loop.on([this] { stop = std::make_unique<StopSignal>(); });
    }
    ~RequesterTest() override {
        loop.on([this] { stop.reset(); });
    }

    cluster::testing::Loop loop;
    testing::FakeSession session;
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
