#include "proxy/schema_change.h"

#include <optional>
#include <string>
#include <utility>

#include "cql/ddl/translate.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "proxy/backend_reply.h"
#include "proxy/proxy_shard.h"

namespace penumbra::proxy {

namespace {

using Outcome = SchemaChangeRecord::Outcome;

/// Turns are taken across shards, and seconds apart: looking costs less than a wake-up from shard to shard would.
constexpr Nanos kTurnLook = std::chrono::milliseconds(1);
/// What a cluster may take of the client's patience to agree; drivers ask again by themselves.
constexpr Nanos kAgreementPatience = std::chrono::seconds(3);

/// The server understood the statement and found that it cannot be done, as it does where there is nothing to do.
bool found_impossible(const Result<Bytes>& reply) {
    if (!reply) return false;
    const auto frame = cql::view_frame(reply.value(), cql::Direction::response);
    if (!frame) return false;
    const auto code = cql::peek_error_code(frame.value());
    return code && (code.value() == cql::ErrorCode::invalid || code.value() == cql::ErrorCode::config_error ||
                    code.value() == cql::ErrorCode::already_exists);
}

/// The change on the other cluster, in its words.
Task<SchemaChangeRecord> make_there(ProxyShard* shard, routing::Side there, cql::ProtocolVersion version,
                                    std::string text, std::string keyspace) {
    auto& session = shard->session(there);
    SchemaChangeRecord record;
    record.statement = text;
    const auto dialect = cql::ddl::Dialect::of(session.is_scylla(), session.release_version());
    auto translation = cql::ddl::translate(text, dialect, shard->context().ddl[static_cast<std::size_t>(there)]);
    record.changes = std::move(translation.changes);
    if (translation.refused()) {
        record.outcome = Outcome::refused;
        record.error = std::move(translation.refusal);
        co_return record;
    }
    record.outcome = translation.steps.empty() ? Outcome::nothing
                     : record.changes.empty()  ? Outcome::same
                                               : Outcome::translated;
    for (const auto& step : translation.steps) {
        const auto by = Deadline::in(Shard::here().clock(), shard->options().schema_timeout);
        record.sent.push_back(step.text);
        auto frame = text_request(version, step.text);
        auto reply = co_await session.send(std::move(frame), keyspace, by);
        if (is_result(reply)) continue;
        if (step.refusal_may_be_fine && found_impossible(reply)) {
            record.changes.push_back({step.text + " was refused: " + error_text(reply),
                                      "taken for nothing to do, as its IF would have said"});
            continue;
        }
        record.outcome = Outcome::failed;
        record.error = error_text(reply);
        break;
    }
    co_return record;
}

void tell(const Log& log, const SchemaChangeRecord& record) {
    switch (record.outcome) {
        case Outcome::same:
            return;
        case Outcome::translated:
        case Outcome::nothing:
            log.info("a schema change was made in other words on the other cluster; `penumbra schema report` has them",
                     {kv("cluster", record.cluster), kv("changes", record.changes.size())});
            return;
        case Outcome::refused:
        case Outcome::failed:
            log.error(
                "a schema change was refused by the other cluster; migrations of its tables will not pass their gates "
                "until it is made there too",
                {kv("cluster", record.cluster), kv("error", record.error)});
            return;
        case Outcome::unknown:
            log.error("nobody knows whether the primary made a schema change, and the other cluster was not asked",
                      {kv("error", record.error)});
            return;
    }
}

}  // namespace

Task<void> change_schema(ProxyShard* shard, ClientPtr client, std::int16_t stream, std::string text,
                         std::string keyspace, Traced traced) {
    auto& changes = *shard->context().schema_changes;
    const auto turn_by = Deadline::in(Shard::here().clock(), shard->options().request_timeout);
    // Two changes at once could reach the two clusters in different orders.
    std::optional<SchemaChanges::Turn> turn;
    while (!turn) {
        turn = changes.try_turn();
        if (turn) break;
        if (turn_by.passed(Shard::here().now())) {
            client->reply_error(stream, cql::ErrorCode::overloaded,
                                "another schema change is under way; this one was not executed");
            co_return;
        }
        co_await sleep(kTurnLook);
    }
    const auto primary = shard->default_primary();
    const auto there = routing::other(primary);
    const auto version = client->version();
    const auto by = Deadline::in(Shard::here().clock(), shard->options().schema_timeout);
    auto frame = text_request(version, text, traced);
    auto reply = co_await ask_primary(client, primary, keyspace, std::move(frame), by);
    // Both clusters need the schema before rows come, whatever the phase: a tenant's first step must not wait for it.
    // Only a source that nobody comes back to does not.
    const bool wanted_there = !shard->router()->source_is_done();
    if (is_result(reply)) {
        bool taken_there = false;
        if (wanted_there) {
            auto record = co_await make_there(shard, there, version, std::move(text), keyspace);
            record.at = Shard::here().clock().wall_micros();
            record.cluster = routing::to_string(there);
            taken_there = record.outcome == Outcome::same || record.outcome == Outcome::translated;
            tell(shard->log(), record);
            changes.add(std::move(record));
        }
        for (const auto side : {primary, there}) {
            if (side == there && !taken_there) continue;
            const auto patience = Deadline::in(Shard::here().clock(), kAgreementPatience);
            const bool same = co_await shard->context().cluster(side).schema_agreed(patience);
            if (!same) shard->log().warn("the nodes of a cluster do not agree on a schema yet", {kv("cluster", side)});
        }
        // Routing knows the new schema before the client does: its next write may be for the new table.
        auto refreshed = co_await shard->context().refresh_schema();
        if (!refreshed)
            shard->log().warn("cannot load the schema after a change", {kv("error", refreshed.error().what)});
    } else if (wanted_there && !is_surely_refused(reply)) {
        SchemaChangeRecord record;
        record.at = Shard::here().clock().wall_micros();
        record.statement = std::move(text);
        record.cluster = routing::to_string(there);
        record.outcome = Outcome::unknown;
        record.error = error_text(reply);
        tell(shard->log(), record);
        changes.add(std::move(record));
    }
    turn.reset();
    reply_outcome(*client, stream, reply, primary);
}

}  // namespace penumbra::proxy
