// What is owed, and what was set aside: docs/admin-api.md.

#include <boost/json.hpp>
#include <fmt/format.h>

#include "admin/api.h"
#include "admin/json.h"

namespace penumbra::admin {

namespace json = boost::json;
using routing::Side;

namespace {

constexpr std::size_t kListed = 1000;

json::object owed_json(const journal::Owed& owed, std::int64_t now) {
    return {{"owed", owed.entries},
            {"set_aside", owed.set_aside},
            {"oldest_owed_seconds", seconds_since(owed.oldest_appended_at, now)}};
}

void add(journal::Owed& sum, const journal::Owed& more) {
    sum.entries += more.entries;
    sum.set_aside += more.set_aside;
    if (more.oldest_appended_at != 0 &&
        (sum.oldest_appended_at == 0 || more.oldest_appended_at < sum.oldest_appended_at))
        sum.oldest_appended_at = more.oldest_appended_at;
}

json::object to_json(const sync::ReplayCounts& counts, std::uint64_t waiting) {
    json::object out{
        {"paused", counts.paused},       {"settled", counts.settled},     {"statements", counts.statements},
        {"resyncs", counts.resyncs},     {"rows_read", counts.rows_read}, {"retries", counts.retries},
        {"set_aside", counts.set_aside}, {"at_once", counts.at_once},     {"per_second", counts.per_second}};
    if (waiting == 0) {
        out["seconds_left"] = 0;
    } else if (counts.per_second > 0 && !counts.paused) {
        out["seconds_left"] = static_cast<double>(waiting) / counts.per_second;
    } else {
        out["seconds_left"] = nullptr;
    }
    return out;
}

json::object to_json(const control::SetAsideView& view) {
    const auto& entry = view.entry;
    json::object out;
    out["entry"] = entry.entry.id.value();
    if (view.migration.empty()) {
        out["migration"] = nullptr;
    } else {
        out["migration"] = as_json(view.migration);
    }
    out["cluster"] = as_json(routing::to_string(entry.entry.stream == 1 ? Side::target : Side::source));
    out["written_at"] = control::to_iso(entry.entry.appended_at);
    out["set_aside_at"] = control::to_iso(entry.set_aside_at);
    out["reason"] = as_json(entry.reason);
    if (!view.picture) {
        out["kind"] = "unreadable";
        out["error"] = as_json(view.unreadable);
        return out;
    }
    const auto& picture = *view.picture;
    out["kind"] = picture.resync ? "resync" : "statement";
    out["where"] = as_json(picture.where());
    json::array places;
    for (const auto& place : picture.places)
        places.push_back(json::object{{"table", fmt::format("{}.{}", place.order.keyspace, place.order.table)},
                                      {"key", as_json(place.key)}});
    out["places"] = std::move(places);
    if (picture.timestamp) out["timestamp"] = *picture.timestamp;
    json::array statements;
    for (const auto& statement : picture.statements) {
        json::array values;
        for (const auto& value : statement.values)
            values.push_back(json::object{{"name", as_json(value.name)}, {"value", as_json(value.text)}});
        json::object one{{"text", as_json(statement.text)}, {"values", std::move(values)}};
        if (!statement.cql.empty()) one["cql"] = as_json(statement.cql);
        statements.push_back(std::move(one));
    }
    out["statements"] = std::move(statements);
    out["cql"] = as_json(picture.script());
    return out;
}

json::object to_json(const control::SetAsideReport& report) {
    json::array failed;
    for (const auto& [entry, why] : report.failed)
        failed.push_back(json::object{{"entry", entry}, {"error", as_json(why)}});
    return {{"done", json::array(report.done.begin(), report.done.end())},
            {"failed", std::move(failed)},
            {"left", report.left}};
}

struct ParsedOrder {
    control::SetAsideOrder order;
    std::optional<std::string> confirm;
    bool all = false;
};

Result<ParsedOrder> parse_order(const std::optional<std::string>& migration, std::string_view text) {
    TRY(auto body, Body::parse(text));
    ParsedOrder parsed;
    parsed.order.migration = migration;
    TRY(parsed.order.entries, body.numbers("entries"));
    TRY(const auto reason, body.text("reason"));
    parsed.order.reason = reason.value_or("");
    TRY(parsed.confirm, body.text("confirm"));
    TRY(parsed.all, body.boolean("all"));
    TRY(body.finish());
    return parsed;
}

/// What is dropped is lost, so it is said twice, and "all" is said where all is meant.
Status check_drop(const ParsedOrder& parsed) {
    const auto wanted = parsed.order.migration.value_or("all migrations");
    if (parsed.order.entries.empty() && !parsed.all)
        return fail(Errc::invalid_argument, "which: \"entries\" names them, or \"all\": true means all");
    if (parsed.confirm != wanted)
        return fail(Errc::invalid_argument,
                    fmt::format("writes that are dropped never reach the cluster: \"confirm\" must be \"{}\"", wanted));
    return ok();
}

}  // namespace

Task<Result<HttpResponse>> Api::journal() {
    const auto& surroundings = coordinator_.surroundings();
    const auto now = Shard::here().clock().wall_micros();
    const auto total = surroundings.owed.total();
    auto out = owed_json(total, now);
    out["bytes"] = surroundings.owed.bytes();
    if (options_.journal_quota > 0) out["quota_bytes"] = options_.journal_quota;
    if (options_.journal_most_entries > 0) out["most_entries"] = options_.journal_most_entries;
    json::array clusters, migrations;
    for (const auto side : {Side::source, Side::target}) {
        auto sum = surroundings.owed.of(side, routing::kDefaultScope);
        for (const auto& migration : coordinator_.list()) {
            const auto owed = surroundings.owed.of(side, migration.id);
            add(sum, owed);
            if (owed.entries == 0) continue;
            json::object one{{"migration", as_json(migration.name)},
                             {"phase", as_json(routing::to_string(migration.phase))},
                             {"cluster", as_json(routing::to_string(side))}};
            for (auto& member : owed_json(owed, now)) one.insert(member);
            migrations.push_back(std::move(one));
        }
        auto cluster = owed_json(sum, now);
        cluster["cluster"] = as_json(routing::to_string(side));
        if (options_.replay)
            cluster["replay"] = to_json(options_.replay(side), sum.entries - std::min(sum.entries, sum.set_aside));
        clusters.push_back(std::move(cluster));
    }
    out["clusters"] = std::move(clusters);
    out["migrations"] = std::move(migrations);
    co_return json_response(out);
}

Task<Result<HttpResponse>> Api::set_aside(HttpRequest request, std::optional<std::string> migration, std::string verb) {
    auto& entries = *options_.set_aside;
    if (request.method == "GET" && verb.empty()) {
        auto listed = co_await entries.list(migration, kListed);
        CO_TRY(const auto views, std::move(listed));
        json::array all;
        for (const auto& view : views) all.push_back(to_json(view));
        json::object out{{"total", coordinator_.surroundings().owed.total().set_aside}};
        if (migration) {
            const auto found = coordinator_.find(*migration);
            CO_TRY(found);
            out["total"] = coordinator_.owed(found.value()).set_aside;
        }
        out["set_aside"] = std::move(all);
        co_return json_response(out);
    }
    auto order = parse_order(migration, request.body);
    CO_TRY(auto parsed, std::move(order));
    if (verb == "drop") {
        auto checked = check_drop(parsed);
        CO_TRY(std::move(checked));
        auto dropped = co_await entries.drop(std::move(parsed.order));
        CO_TRY(const auto report, std::move(dropped));
        co_return json_response(to_json(report));
    }
    if (verb == "resync") {
        auto ordered = co_await entries.resync(std::move(parsed.order));
        CO_TRY(const auto report, std::move(ordered));
        co_return json_response(to_json(report));
    }
    auto offered = co_await entries.retry(std::move(parsed.order));
    CO_TRY(const auto report, std::move(offered));
    co_return json_response(to_json(report));
}

}  // namespace penumbra::admin
