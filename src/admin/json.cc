#include "admin/json.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace penumbra::admin {

namespace json = boost::json;

namespace {

json::value optional_time(const std::optional<control::WallMicros>& at) {
    if (!at) return nullptr;
    return json::value(control::to_iso(*at));
}

double millis(Nanos duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

json::array strings(const std::vector<std::string>& texts) {
    json::array array;
    for (const auto& text : texts) array.emplace_back(as_json(text));
    return array;
}

json::array patterns(const std::vector<routing::TablePattern>& all, std::string_view when_empty) {
    json::array array;
    for (const auto& pattern : all) array.emplace_back(as_json(pattern.text()));
    if (array.empty() && !when_empty.empty()) array.emplace_back(as_json(when_empty));
    return array;
}

json::array gates_json(const std::vector<control::GateResult>& gates) {
    json::array array;
    for (const auto& gate : gates) {
        array.push_back(json::object{{"gate", as_json(control::to_string(gate.gate))},
                                     {"passed", gate.passed},
                                     {"detail", as_json(gate.detail)}});
    }
    return array;
}

}  // namespace

namespace {

/// Texts of servers and clients may hold any bytes; a JSON document is UTF-8, or no parser takes it. All outside of
/// texts is ASCII, so the whole document can be mended: each byte that begins no character becomes U+FFFD.
std::string valid_utf8(std::string text) {
    const auto length_at = [&](std::size_t at) -> std::size_t {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
        const auto left = text.size() - at;
        const auto continues = [&](std::size_t i) { return i < left && (byte(i) & 0xC0) == 0x80; };
        const auto first = byte(0);
        if (first < 0x80) return 1;
        if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
        if (first >= 0xE0 && first <= 0xEF) {
            if (!continues(1) || !continues(2)) return 0;
            const bool overlong = first == 0xE0 && byte(1) < 0xA0;
            const bool surrogate = first == 0xED && byte(1) >= 0xA0;
            return overlong || surrogate ? 0 : 3;
        }
        if (first >= 0xF0 && first <= 0xF4) {
            if (!continues(1) || !continues(2) || !continues(3)) return 0;
            const bool overlong = first == 0xF0 && byte(1) < 0x90;
            const bool beyond = first == 0xF4 && byte(1) >= 0x90;
            return overlong || beyond ? 0 : 4;
        }
        return 0;
    };
    std::string mended;
    std::size_t good = 0;  // text[good, at) is valid and not copied yet
    std::size_t at = 0;
    while (at < text.size()) {
        if (const auto length = length_at(at); length > 0) {
            at += length;
            continue;
        }
        mended.append(text, good, at - good);
        mended += "\xEF\xBF\xBD";
        good = ++at;
    }
    if (good == 0) return text;
    return mended.append(text, good);
}

}  // namespace

json::string_view as_json(std::string_view text) {
    return {text.data(), text.size()};
}

double seconds_since(std::int64_t wall_micros, std::int64_t now) {
    return wall_micros == 0 ? 0.0 : std::max(0.0, static_cast<double>(now - wall_micros) / 1e6);
}

HttpResponse json_response(const json::object& object, unsigned status) {
    return {status, "application/json", valid_utf8(json::serialize(object)) + "\n"};
}

json::object to_json(const control::Migration& migration, const journal::Owed& owed, std::int64_t now) {
    json::object out;
    out["name"] = migration.name;
    out["tenants"] = strings(migration.scope.tenants);
    out["tables"] =
        json::object{{"allow", patterns(migration.scope.allow, "*.*")}, {"deny", patterns(migration.scope.deny, "")}};
    out["phase"] = as_json(routing::to_string(migration.phase));
    out["epoch"] = migration.epoch.value();
    out["created_at"] = control::to_iso(migration.created_at);
    out["shadow_since"] = optional_time(migration.shadow_since);
    out["copy"] = json::object{{"state", as_json(control::to_string(migration.copy.state))},
                               {"rows", migration.copy.rows},
                               {"finished_at", optional_time(migration.copy.finished_at)}};
    out["verify"] = json::object{{"state", as_json(control::to_string(migration.verify.state))},
                                 {"rows", migration.verify.rows},
                                 {"differences", migration.verify.differences},
                                 {"finished_at", optional_time(migration.verify.finished_at)}};
    out["owed"] = owed.entries;
    out["oldest_owed_seconds"] = seconds_since(owed.oldest_appended_at, now);
    out["set_aside"] = owed.set_aside;
    if (const auto& last = migration.last_switch) {
        out["last_switch"] = json::object{{"from", as_json(routing::to_string(last->from))},
                                          {"to", as_json(routing::to_string(last->to))},
                                          {"wait_ms", millis(last->wait)},
                                          {"held_requests", last->held_requests},
                                          {"at", control::to_iso(last->at)}};
    } else {
        out["last_switch"] = nullptr;
    }
    if (const auto next = routing::next(migration.phase)) {
        out["next"] = as_json(routing::to_string(*next));
    } else {
        out["next"] = nullptr;
    }
    return out;
}

json::object to_json(const control::JobView& job) {
    json::object out;
    out["id"] = job.record.id.value();
    out["kind"] = as_json(control::to_string(job.record.kind));
    out["migration"] = job.record.migration;
    out["state"] = as_json(control::to_string(job.record.state));
    json::object progress{{"done", job.progress.done},
                          {"total", job.progress.total},
                          {"rows", job.progress.rows},
                          {"rows_per_second", job.progress.rows_per_second}};
    if (job.progress.seconds_left) {
        progress["seconds_left"] = *job.progress.seconds_left;
    } else {
        progress["seconds_left"] = nullptr;
    }
    out["progress"] = std::move(progress);
    json::array samples;
    for (const auto& sample : job.record.report.samples) {
        samples.push_back(json::object{{"table", as_json(sample.table)},
                                       {"key", as_json(sample.key)},
                                       {"column", as_json(sample.column)},
                                       {"kind", as_json(sync::to_string(sample.kind))},
                                       {"source", as_json(sample.source)},
                                       {"target", as_json(sample.target)}});
    }
    out["result"] = json::object{{"rows", job.record.report.rows},
                                 {"differences", job.record.report.differences},
                                 {"repaired", job.record.report.repaired},
                                 {"samples", std::move(samples)}};
    if (job.record.error.empty()) {
        out["error"] = nullptr;
    } else {
        out["error"] = job.record.error;
    }
    return out;
}

json::object to_json(const control::ChangeReport& report) {
    json::object out;
    if (report.refusal) {
        out["error"] =
            json::object{{"code", as_json(to_string(report.refusal->code))}, {"message", report.refusal->what}};
    }
    out["name"] = report.migration;
    out["from"] = as_json(routing::to_string(report.from));
    out["to"] = as_json(routing::to_string(report.to));
    out["epoch"] = report.epoch.value();
    out["wait_ms"] = millis(report.wait);
    out["held_requests"] = report.held_requests;
    out["dry_run"] = report.dry_run;
    out["gates"] = gates_json(report.gates);
    return out;
}

json::object to_json(const control::AuditEntry& entry) {
    json::object out;
    out["at"] = control::to_iso(entry.at);
    out["command"] = entry.command;
    const auto phase = [](const std::optional<routing::Phase>& one) -> json::value {
        if (!one) return nullptr;
        return json::value(as_json(routing::to_string(*one)));
    };
    out["from"] = phase(entry.from);
    out["to"] = phase(entry.to);
    out["outcome"] = entry.outcome;
    out["error"] = entry.error;
    out["forced"] = entry.forced;
    out["reason"] = entry.reason;
    if (entry.epoch) {
        out["epoch"] = *entry.epoch;
    } else {
        out["epoch"] = nullptr;
    }
    if (entry.wait) {
        out["wait_ms"] = millis(*entry.wait);
    } else {
        out["wait_ms"] = nullptr;
    }
    out["held_requests"] = entry.held_requests;
    out["gates"] = gates_json(entry.gates);
    return out;
}

json::object to_json(const control::ClusterStatus& cluster) {
    return {{"name", as_json(cluster.name)},
            {"release_version", as_json(cluster.release_version)},
            {"nodes", cluster.nodes},
            {"nodes_up", cluster.nodes_up}};
}

Result<Body> Body::parse(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Body(json::object());
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 8;
    auto value = json::parse(as_json(text), error, {}, options);
    if (error) return fail(Errc::invalid_argument, "the body is not JSON: " + error.message());
    if (!value.is_object()) return fail(Errc::invalid_argument, "the body is not a JSON object");
    return Body(std::move(value.get_object()));
}

const json::value* Body::take(std::string_view name) {
    known_.emplace_back(name);
    const auto* value = members_.if_contains(as_json(name));
    return value && !value->is_null() ? value : nullptr;
}

Result<std::optional<std::string>> Body::text(std::string_view name) {
    const auto* value = take(name);
    if (!value) return std::optional<std::string>();
    if (!value->is_string()) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a text", name));
    return std::optional<std::string>(std::string(value->get_string()));
}

Result<bool> Body::boolean(std::string_view name) {
    const auto* value = take(name);
    if (!value) return false;
    if (!value->is_bool()) return fail(Errc::invalid_argument, fmt::format("\"{}\" is neither true nor false", name));
    return value->get_bool();
}

Result<std::vector<std::string>> Body::texts(std::string_view name) {
    std::vector<std::string> out;
    const auto* value = take(name);
    if (!value) return out;
    const auto bad = [&] { return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a list of texts", name)); };
    if (!value->is_array()) return bad();
    for (const auto& element : value->get_array()) {
        if (!element.is_string()) return bad();
        out.emplace_back(element.get_string());
    }
    return out;
}

Result<std::vector<std::uint64_t>> Body::numbers(std::string_view name) {
    std::vector<std::uint64_t> out;
    const auto* value = take(name);
    if (!value) return out;
    const auto bad = [&] { return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a list of numbers", name)); };
    if (!value->is_array()) return bad();
    for (const auto& element : value->get_array()) {
        boost::system::error_code error;
        const auto number = element.is_number() ? element.to_number<std::uint64_t>(error) : 0;
        if (!element.is_number() || error) return bad();
        out.push_back(number);
    }
    return out;
}

Result<Body> Body::object(std::string_view name) {
    const auto* value = take(name);
    if (!value) return Body(json::object());
    if (!value->is_object()) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not an object", name));
    return Body(value->get_object());
}

Status Body::finish() const {
    for (const auto& member : members_) {
        const std::string name(member.key());
        if (std::ranges::find(known_, name) != known_.end()) continue;
        return fail(Errc::invalid_argument,
                    fmt::format("unknown member \"{}\"; known are {}", name, fmt::join(known_, ", ")));
    }
    return ok();
}

}  // namespace penumbra::admin
