#include "admin/api.h"

#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "admin/json.h"

namespace penumbra::admin {

namespace json = boost::json;
using control::Command;
using control::JobKind;

namespace {

auto no_such_path(const HttpRequest& request) {
    std::string path;
    for (const auto& segment : request.path) path += "/" + encode_segment(segment);
    return fail(Errc::not_found, fmt::format("there is no {} {}", request.method, path.empty() ? "/" : path));
}

/// A web page of another origin can send a POST to a loopback address through its reader's browser; the browser then
/// names the page's origin. Programs do not.
bool is_foreign(const HttpRequest& request) {
    if (request.method == "GET" || request.origin.empty()) return false;
    const auto scheme = request.origin.find("://");
    return scheme == std::string::npos || request.origin.substr(scheme + 3) != request.host;
}

std::optional<Command> parse_command(std::string_view verb) {
    for (const auto command : {Command::switch_, Command::reverse, Command::complete, Command::cancel}) {
        if (to_string(command) == verb) return command;
    }
    return std::nullopt;
}

struct SetAsidePath {
    std::optional<std::string> migration;
    std::string verb;
};

/// /v1/set-aside[/VERB] and /v1/migrations/NAME/set-aside[/VERB].
std::optional<SetAsidePath> set_aside_order(const HttpRequest& request) {
    const auto& path = request.path;
    SetAsidePath found;
    std::size_t at = 1;
    if (path.size() > 3 && path[1] == "migrations") {
        found.migration = path[2];
        at = 3;
    }
    if (path[at] != "set-aside" || path.size() > at + 2) return std::nullopt;
    if (path.size() == at + 1) return request.method == "GET" ? std::optional(found) : std::nullopt;
    found.verb = path[at + 1];
    const bool known = found.verb == "retry" || found.verb == "resync" || found.verb == "drop";
    return known && request.method == "POST" ? std::optional(found) : std::nullopt;
}

Result<std::vector<routing::TablePattern>> parse_patterns(const std::vector<std::string>& texts) {
    std::vector<routing::TablePattern> patterns;
    for (const auto& text : texts) {
        TRY(auto pattern, routing::TablePattern::parse(text));
        patterns.push_back(std::move(pattern));
    }
    return patterns;
}

Result<control::NewMigration> parse_new_migration(std::string_view text) {
    TRY(auto body, Body::parse(text));
    control::NewMigration order;
    TRY(auto name, body.text("name"));
    if (!name) return fail(Errc::invalid_argument, "\"name\" is missing");
    order.name = std::move(*name);
    TRY(auto tenants, body.texts("tenants"));
    order.scope.tenants = std::move(tenants);
    TRY(auto tables, body.object("tables"));
    TRY(const auto allow, tables.texts("allow"));
    TRY(const auto deny, tables.texts("deny"));
    TRY(tables.finish());
    TRY(body.finish());
    TRY(auto allowed, parse_patterns(allow));
    order.scope.allow = std::move(allowed);
    TRY(auto denied, parse_patterns(deny));
    order.scope.deny = std::move(denied);
    return order;
}

Result<control::ChangeOrder> parse_change(std::string name, Command command, std::string_view text) {
    TRY(auto body, Body::parse(text));
    control::ChangeOrder order;
    order.migration = std::move(name);
    order.command = command;
    if (command == Command::switch_) {
        TRY(const auto to, body.text("to"));
        if (!to) return fail(Errc::invalid_argument, "\"to\" is missing: the phase to switch to");
        TRY(const auto phase, routing::parse_phase(*to));
        order.to = phase;
    }
    TRY(order.dry_run, body.boolean("dry_run"));
    TRY(order.force, body.boolean("force"));
    TRY(auto reason, body.text("reason"));
    order.reason = reason.value_or("");
    if (order.reason.size() > 1000) return fail(Errc::invalid_argument, "\"reason\" is longer than 1000 bytes");
    TRY(body.finish());
    return order;
}

Result<control::JobId> parse_job_id(std::string_view text) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size())
        return fail(Errc::not_found, fmt::format("'{}' is no number of a job", text.substr(0, 40)));
    return control::JobId(id);
}

}  // namespace

Api::Api(control::Coordinator& coordinator, ApiOptions options)
    : coordinator_(coordinator), options_(std::move(options)) {}

Task<HttpResponse> Api::handle(HttpRequest request) {
    auto answer = co_await route(std::move(request));
    if (answer) co_return std::move(answer).value();
    co_return error_response(answer.error());
}

Task<Result<HttpResponse>> Api::route(HttpRequest request) {
    if (is_foreign(request))
        co_return fail(Errc::invalid_argument,
                       "requests that change something are not taken from web pages of another origin");
    const auto& path = request.path;
    const bool get = request.method == "GET";
    if (get && path.size() == 1 && path[0] == "metrics") {
        auto answer = co_await metrics();
        co_return answer;
    }
    if (path.size() < 2 || path[0] != "v1") co_return no_such_path(request);
    if (get && path.size() == 2 && path[1] == "status") {
        auto answer = co_await status();
        co_return answer;
    }
    if (get && path.size() == 2 && path[1] == "settings" && options_.settings) co_return settings();
    if (get && path.size() == 3 && path[1] == "schema" && path[2] == "changes" && options_.schema_changes)
        co_return schema_changes();
    if (get && path.size() == 2 && path[1] == "journal") {
        auto answer = co_await journal();
        co_return answer;
    }
    if (const auto order = set_aside_order(request); order && options_.set_aside) {
        auto answer = co_await set_aside(std::move(request), order->migration, order->verb);
        co_return answer;
    }
    if (get && path[1] == "tenants" && path.size() <= 3) co_return tenants(request);
    if (path[1] == "jobs" && path.size() >= 3) {
        const auto id = parse_job_id(path[2]);
        CO_TRY(id);
        if (get && path.size() == 3) {
            auto job = co_await coordinator_.job(id.value());
            CO_TRY(const auto view, std::move(job));
            co_return json_response(to_json(view));
        }
        if (request.method == "POST" && path.size() == 4 && path[3] == "stop") {
            auto job = co_await coordinator_.stop_job(id.value());
            CO_TRY(const auto view, std::move(job));
            co_return json_response(to_json(view));
        }
    }
    if (path[1] == "migrations") {
        auto answer = co_await migrations(std::move(request));
        co_return answer;
    }
    co_return no_such_path(request);
}

Task<Result<HttpResponse>> Api::migrations(HttpRequest request) {
    const auto& path = request.path;
    const auto now = Shard::here().clock().wall_micros();
    const bool get = request.method == "GET";
    const bool post = request.method == "POST";
    if (path.size() == 2 && get) {
        json::array all;
        for (const auto& migration : coordinator_.list())
            all.push_back(to_json(migration, coordinator_.owed(migration), now));
        json::object out;
        out["migrations"] = std::move(all);
        co_return json_response(out);
    }
    if (path.size() == 2 && post) {
        auto parsed = parse_new_migration(request.body);
        CO_TRY(auto order, std::move(parsed));
        auto created = co_await coordinator_.create(std::move(order));
        CO_TRY(const auto migration, std::move(created));
        co_return json_response(to_json(migration, coordinator_.owed(migration), now), 201);
    }
    if (path.size() == 3 && get) {
        const auto found = coordinator_.find(path[2]);
        CO_TRY(found);
        co_return json_response(to_json(found.value(), coordinator_.owed(found.value()), now));
    }
    if (path.size() == 3 && request.method == "DELETE") {
        auto removed = co_await coordinator_.remove(path[2]);
        CO_TRY(const auto migration, std::move(removed));
        co_return json_response(to_json(migration, coordinator_.owed(migration), now));
    }
    if (path.size() == 4 && path[3] == "audit" && get) {
        auto read = co_await coordinator_.audit(path[2], 1000);
        CO_TRY(const auto entries, std::move(read));
        json::array all;
        for (const auto& entry : entries) all.push_back(to_json(entry));
        json::object out;
        out["audit"] = std::move(all);
        co_return json_response(out);
    }
    if (path.size() == 4 && post) {
        if (path[3] == "copy" || path[3] == "verify") {
            auto answer =
                co_await start_job(path[2], path[3] == "copy" ? JobKind::copy : JobKind::verify, request.body);
            co_return answer;
        }
        if (const auto command = parse_command(path[3])) {
            auto answer = co_await change(path[2], *command, request.body);
            co_return answer;
        }
    }
    co_return no_such_path(request);
}

Task<Result<HttpResponse>> Api::change(std::string name, Command command, std::string body) {
    auto parsed = parse_change(std::move(name), command, body);
    CO_TRY(auto order, std::move(parsed));
    const auto report = co_await coordinator_.change(std::move(order));
    co_return json_response(to_json(report), report.refusal ? status_of(report.refusal->code) : 200);
}

Task<Result<HttpResponse>> Api::start_job(std::string name, JobKind kind, std::string body) {
    auto parsed = Body::parse(body);
    CO_TRY(auto members, std::move(parsed));
    bool repair = false;
    if (kind == JobKind::verify) {
        auto asked = members.boolean("repair");
        CO_TRY(repair, std::move(asked));
    }
    auto finished = members.finish();
    CO_TRY(std::move(finished));
    auto started = co_await coordinator_.start_job(std::move(name), kind, repair);
    CO_TRY(const auto view, std::move(started));
    co_return json_response(to_json(view), 202);
}

Result<HttpResponse> Api::tenants(const HttpRequest& request) const {
    const auto now = Shard::here().clock().wall_micros();
    const auto describe = [this, now](const std::string& tenant, const control::Migration& migration) {
        const auto owed = coordinator_.owed(migration);
        return json::object{{"tenant", as_json(tenant)},
                            {"migration", as_json(migration.name)},
                            {"phase", as_json(routing::to_string(migration.phase))},
                            {"owed", owed.entries},
                            {"set_aside", owed.set_aside},
                            {"oldest_owed_seconds", seconds_since(owed.oldest_appended_at, now)}};
    };
    json::array all;
    const control::Migration* found = nullptr;
    const auto migrations = coordinator_.list();
    for (const auto& migration : migrations) {
        for (const auto& tenant : migration.scope.tenants) {
            if (request.path.size() == 2) {
                all.push_back(describe(tenant, migration));
            } else if (tenant == request.path[2]) {
                if (found) {
                    return fail(Errc::conflict, fmt::format("tenant '{}' is moved by '{}' and by '{}'", tenant,
                                                            found->name, migration.name));
                }
                found = &migration;
            }
        }
    }
    if (request.path.size() == 3) {
        if (!found) return fail(Errc::not_found, fmt::format("no migration names a tenant '{}'", request.path[2]));
        return json_response(describe(request.path[2], *found));
    }
    json::object out;
    out["tenants"] = std::move(all);
    return json_response(out);
}

HttpResponse Api::schema_changes() const {
    json::array all;
    for (const auto& record : options_.schema_changes->list()) {
        json::array sent, changes;
        for (const auto& text : record.sent) sent.push_back(as_json(text));
        for (const auto& change : record.changes)
            changes.push_back(json::object{{"what", as_json(change.what)}, {"why", as_json(change.why)}});
        json::object one{{"at", control::to_iso(record.at)},
                         {"statement", as_json(record.statement)},
                         {"cluster", as_json(record.cluster)},
                         {"outcome", as_json(proxy::to_string(record.outcome))},
                         {"sent", std::move(sent)},
                         {"changes", std::move(changes)}};
        if (!record.error.empty()) one["error"] = as_json(record.error);
        all.push_back(std::move(one));
    }
    json::object out;
    out["total"] = options_.schema_changes->total();
    out["schema_changes"] = std::move(all);
    return json_response(out);
}

Task<Result<HttpResponse>> Api::status() {
    const auto& surroundings = coordinator_.surroundings();
    const auto traffic = co_await surroundings.data_plane.traffic();
    const auto& clock = Shard::here().clock();
    const auto now = clock.wall_micros();
    const auto owed = surroundings.owed.total();
    json::object out;
    out["version"] = options_.version;
    out["uptime_seconds"] = std::chrono::duration<double>(clock.now() - options_.started).count();
    out["listen"] = to_string(options_.listen);
    out["tenant_column"] = coordinator_.options().tenant_column;
    out["default_phase"] = as_json(routing::to_string(coordinator_.options().default_phase));
    out["epoch"] = coordinator_.epoch().value();
    json::object clusters;
    clusters["source"] = to_json(surroundings.source.status());
    clusters["target"] = to_json(surroundings.target.status());
    out["clusters"] = std::move(clusters);
    json::object clients;
    clients["connections"] = traffic.connections;
    clients["total"] = traffic.connections_total;
    out["clients"] = std::move(clients);
    json::object requests;
    requests["total"] = traffic.requests;
    requests["errors"] = traffic.errors;
    requests["held"] = traffic.held;
    requests["longest_hold_ms"] = static_cast<double>(traffic.longest_hold_nanos) / 1e6;
    out["requests"] = std::move(requests);
    json::object shadow;
    shadow["writes"] = traffic.shadow_writes;
    shadow["failures"] = traffic.shadow_failures;
    out["shadow"] = std::move(shadow);
    json::object journal;
    journal["owed"] = owed.entries;
    journal["oldest_owed_seconds"] = seconds_since(owed.oldest_appended_at, now);
    journal["bytes"] = surroundings.owed.bytes();
    journal["set_aside"] = owed.set_aside;
    out["journal"] = std::move(journal);
    json::array migrations;
    for (const auto& migration : coordinator_.list()) {
        json::object one;
        one["name"] = migration.name;
        one["phase"] = as_json(routing::to_string(migration.phase));
        const auto its = coordinator_.owed(migration);
        one["owed"] = its.entries;
        one["set_aside"] = its.set_aside;
        one["oldest_owed_seconds"] = seconds_since(its.oldest_appended_at, now);
        migrations.push_back(std::move(one));
    }
    out["migrations"] = std::move(migrations);
    co_return json_response(out);
}

Task<Result<HttpResponse>> Api::metrics() {
    metrics::MetricWriter out;
    co_await coordinator_.collect(&out);
    if (options_.collectors) options_.collectors->collect(out);
    HttpResponse response;
    response.content_type = metrics::MetricWriter::kContentType;
    response.body = out.text();
    co_return response;
}

HttpResponse Api::settings() const {
    json::array all;
    for (const auto* setting : options_.settings->all()) {
        json::object one;
        one["name"] = setting->name();
        one["value"] = setting->secret() ? (setting->origin().empty() ? "" : "***") : setting->text();
        one["default"] = setting->default_text();
        one["from"] = setting->origin().empty() ? "default" : setting->origin();
        one["help"] = setting->help();
        all.push_back(std::move(one));
    }
    json::object out;
    out["settings"] = std::move(all);
    return json_response(out);
}

}  // namespace penumbra::admin
