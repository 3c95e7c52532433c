#include "sync/requester.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/protocol/responses.h"

namespace penumbra::sync {

namespace {

constexpr Nanos kFirstPause = Millis(50);
constexpr Nanos kLongestPause = Seconds(5);

}  // namespace

Failure classify(const Error& error) {
    switch (error.code) {
        case Errc::unavailable:
        case Errc::timeout:
        case Errc::closed:
        case Errc::overloaded:
            return Failure::passing;
        case Errc::server:
            break;
        case Errc::invalid_argument:
        case Errc::malformed:
        case Errc::unsupported:
        case Errc::not_found:
        case Errc::already_exists:
        case Errc::conflict:
        case Errc::shutting_down:
        case Errc::cancelled:
        case Errc::io:
        case Errc::corrupt:
        case Errc::internal:
            return Failure::fatal;
    }
    // By number, never by text: ScyllaDB words things otherwise, and puts backtraces into some.
    switch (static_cast<cql::ErrorCode>(error.detail)) {
        case cql::ErrorCode::unavailable:
        case cql::ErrorCode::overloaded:
        case cql::ErrorCode::is_bootstrapping:
        case cql::ErrorCode::truncate_error:
        case cql::ErrorCode::write_timeout:
        case cql::ErrorCode::read_timeout:
        case cql::ErrorCode::read_failure:
        case cql::ErrorCode::write_failure:
        case cql::ErrorCode::cas_write_unknown:
        case cql::ErrorCode::cdc_write_failure:
        case cql::ErrorCode::unprepared:
        case cql::ErrorCode::server_error:
            return Failure::passing;
        case cql::ErrorCode::protocol_error:
        case cql::ErrorCode::invalid:
        case cql::ErrorCode::config_error:
        case cql::ErrorCode::function_failure:
        case cql::ErrorCode::already_exists:
            return Failure::refused;
        case cql::ErrorCode::bad_credentials:
        case cql::ErrorCode::syntax_error:
        case cql::ErrorCode::unauthorized:
            return Failure::fatal;
    }
    return Failure::passing;  // a code of the server's own, such as ScyllaDB's rate limit
}

bool surely_not_done(const Error& error) {
    if (error.code != Errc::server) return false;
    // What a coordinator says before it has sent anything to a replica.
    const auto code = static_cast<cql::ErrorCode>(error.detail);
    return code == cql::ErrorCode::unprepared || code == cql::ErrorCode::unavailable ||
           code == cql::ErrorCode::is_bootstrapping;
}

Task<Result<cql::Rows>> Requester::attempt(std::string text, std::vector<cql::Cell> values,
                                           cluster::QueryOptions options) {
    auto pause = kFirstPause;
    for (std::size_t n = 1;; ++n) {
        if (stop_.requested()) co_return fail(Errc::cancelled, "stopped");
        options.by = Deadline::in(Shard::here().clock(), options_.request_timeout);
        auto rows = co_await session_.execute(text, values, options);
        if (rows || classify(rows.error()) != Failure::passing) co_return rows;
        // The catch-all code may stand for a value that the server will never take: it has fewer lives.
        const bool catch_all = rows.error().code == Errc::server && rows.error().detail == 0;
        if (n >= (catch_all ? std::min<std::size_t>(options_.attempts, 4) : options_.attempts)) co_return rows;
        ++report_.retries;
        co_await sleep(pause, &stop_);
        pause = std::min(pause * 2, kLongestPause);
    }
}

Task<Result<cql::Rows>> Requester::read(std::string text, std::vector<cql::Cell> values, Bytes paging_state,
                                        std::int32_t page_size, std::optional<cql::Consistency> consistency) {
    cluster::QueryOptions options;
    options.consistency = consistency.value_or(options_.read_consistency);
    options.page_size = page_size;
    options.paging_state = std::move(paging_state);
    auto rows = co_await attempt(std::move(text), std::move(values), std::move(options));
    co_return rows;
}

Task<Status> Requester::write(Write write) {
    cluster::QueryOptions options;
    options.consistency = options_.write_consistency;
    options.timestamp = write.timestamp;
    ++report_.statements;
    auto done = co_await attempt(std::move(write.text), std::move(write.values), std::move(options));
    if (!done) co_return fail(std::move(done.error()));
    co_return ok();
}

Task<Status> Requester::write_once(Write write) {
    cluster::QueryOptions options;
    options.consistency = options_.write_consistency;
    options.timestamp = write.timestamp;
    ++report_.statements;
    auto pause = kFirstPause;
    for (std::size_t n = 1;; ++n) {
        if (stop_.requested()) co_return fail(Errc::cancelled, "stopped");
        options.by = Deadline::in(Shard::here().clock(), options_.request_timeout);
        auto done = co_await session_.execute(write.text, write.values, options);
        if (done) co_return ok();
        if (!surely_not_done(done.error()) || n >= options_.attempts) co_return fail(std::move(done.error()));
        ++report_.retries;
        co_await sleep(pause, &stop_);
        pause = std::min(pause * 2, kLongestPause);
    }
}

struct Requester::Lanes {
    std::shared_ptr<const std::vector<KeyedWrite>> writes;
    std::size_t next = 0;
    bool failed = false;
};

Task<Status> Requester::lane(Requester* self, std::shared_ptr<Lanes> lanes) {
    while (lanes->next < lanes->writes->size() && !lanes->failed) {
        const auto& one = (*lanes->writes)[lanes->next++];
        auto copy = one.write;
        auto done = co_await self->write(std::move(copy));
        if (done) continue;
        const bool refused = classify(done.error()) == Failure::refused ||
                             (done.error().code == Errc::server && done.error().detail == 0);
        if (!refused) {
            lanes->failed = true;
            co_return fail(std::move(done.error()).in("writing " + one.shape->cql_name()));
        }
        ++self->report_.refused;
        Difference sample{one.shape->cql_name(), one.shape->key_text(one.key), "", DifferenceKind::refused, "", ""};
        (self->side_ == routing::Side::source ? sample.source : sample.target) = done.error().what;
        self->report_.add_sample(std::move(sample));
    }
    co_return ok();
}

Task<Status> Requester::write_all(std::shared_ptr<const std::vector<KeyedWrite>> writes) {
    auto lanes = std::make_shared<Lanes>();
    lanes->writes = std::move(writes);
    std::vector<Task<Status>> tasks;
    const auto count = std::min(options_.writes_in_flight, lanes->writes->size());
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(lane(this, lanes));
    auto results = co_await when_all(std::move(tasks));
    for (auto& result : results) {
        if (!result) co_return std::move(result);
    }
    co_return ok();
}

}  // namespace penumbra::sync
