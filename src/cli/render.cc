#include "cli/render.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/json_view.h"
#include "cli/table.h"

namespace penumbra::cli {

namespace json = boost::json;

namespace {

constexpr std::size_t kSamplesShown = 20;
constexpr std::size_t kValueWidth = 48;

/// "3 writes, oldest 12 s", or "nothing".
std::string owed(const json::value& in) {
    const auto writes = count(in, "owed");
    if (writes == 0) return "nothing";
    const auto age = number(in, "oldest_owed_seconds");
    return age > 0 ? fmt::format("{}, the oldest for {}", counted(writes, "write"), duration(age))
                   : counted(writes, "write");
}

/// For a column: "3, 12 s".
std::string owed_short(const json::value& in) {
    const auto age = number(in, "oldest_owed_seconds");
    const auto writes = grouped(count(in, "owed"));
    return count(in, "owed") > 0 && age > 0 ? fmt::format("{}, {}", writes, duration(age)) : writes;
}

std::string joined(const json::array& texts, std::string_view none) {
    std::string out;
    for (const auto& one : texts) out += (out.empty() ? "" : ", ") + text(one, "");
    return out.empty() ? std::string(none) : out;
}

std::string milliseconds(const json::value& in, std::string_view at) {
    return fmt::format("{:.1f} ms", number(in, at));
}

/// Empty where nothing was said.
std::string said(const json::value& in, std::string_view at) {
    const auto value = text(in, at);
    return value == "-" ? "" : value;
}

std::string since(const json::value& in, std::string_view at) {
    const auto when = said(in, at);
    return when.empty() ? "" : " at " + when;
}

std::string describe_copy(const json::value& migration) {
    const auto state = text(migration, "copy/state");
    if (state == "none" || state == "-") return "not yet";
    return fmt::format("{}, {}{}", state, counted(count(migration, "copy/rows"), "row"),
                       since(migration, "copy/finished_at"));
}

std::string describe_verify(const json::value& migration) {
    const auto state = text(migration, "verify/state");
    if (state == "none" || state == "-") return "not yet";
    const auto found = count(migration, "verify/differences");
    const auto verdict = state == "differences" ? counted(found, "difference") : state;
    return fmt::format("{}, {}{}", verdict, counted(count(migration, "verify/rows"), "row"),
                       since(migration, "verify/finished_at"));
}

/// The command that usually follows; empty at the end of the way.
std::string next_command(const json::value& migration) {
    const auto name = text(migration, "name");
    const auto next = said(migration, "next");
    if (next.empty()) return "";
    if (text(migration, "phase") == "shadow_async" && text(migration, "copy/state") != "done")
        return fmt::format("penumbra copy {}", name);
    if (text(migration, "phase") == "shadow_sync" && text(migration, "verify/state") != "clean")
        return fmt::format("penumbra verify {}", name);
    if (next == "target_only") return fmt::format("penumbra complete {}", name);
    return fmt::format("penumbra switch {} --to {}", name, next);
}

std::string render_samples(const json::value& job) {
    const auto& samples = list(job, "result/samples");
    if (samples.empty()) return "";
    Table table({{"TABLE"}, {"KEY"}, {"COLUMN"}, {"KIND"}, {"SOURCE"}, {"TARGET"}});
    for (std::size_t i = 0; i < std::min(samples.size(), kSamplesShown); ++i) {
        std::vector<std::string> row;
        for (const auto* key : {"table", "key", "column", "kind", "source", "target"})
            row.push_back(cut(text(samples[i], key), kValueWidth));
        table.add(std::move(row));
    }
    auto out = "\n" + table.str();
    const auto all = std::max<std::uint64_t>(count(job, "result/differences"), samples.size());
    if (all > kSamplesShown) {
        out += fmt::format("and {} more; -o json shows the first {}\n", grouped(all - kSamplesShown), samples.size());
    }
    return out;
}

/// Counts of a result that are worth a word only when they are not zero: whatever the server has beside the usual ones.
std::string render_other_counts(const json::value& job) {
    const auto* result = find(job, "result");
    std::string out;
    if (!result || !result->is_object()) return out;
    for (const auto& [key, value] : result->get_object()) {
        std::string name(key.data(), key.size());
        const bool usual =
            name == "rows" || name == "differences" || name == "repaired" || name == "cells" || name == "statements";
        if (usual || !value.is_number() || count(value, "") == 0) continue;
        std::replace(name.begin(), name.end(), '_', ' ');
        out += fmt::format("{}{}: {}", out.empty() ? "  " : ", ", printable(name), grouped(count(value, "")));
    }
    return out.empty() ? out : out + "\n";
}

}  // namespace

std::string render_status(const json::value& status) {
    std::string out = fmt::format("Penumbra {}, up {}, clients at {}\n\n", text(status, "version"),
                                  duration(number(status, "uptime_seconds")), text(status, "listen"));
    Table clusters({{"CLUSTER"}, {"NAME"}, {"VERSION"}, {"NODES UP", Align::right}});
    for (const auto* side : {"source", "target"}) {
        const auto* cluster = find(status, fmt::format("clusters/{}", side));
        if (!cluster) continue;
        clusters.add({side, text(*cluster, "name"), text(*cluster, "release_version"),
                      fmt::format("{} of {}", count(*cluster, "nodes_up"), count(*cluster, "nodes"))});
    }
    out += clusters.str() + "\n";
    Table numbers({{""}, {""}});
    numbers.add(
        {"clients", fmt::format("{} connected, {} since the start", grouped(count(status, "clients/connections")),
                                grouped(count(status, "clients/total")))});
    numbers.add({"requests", fmt::format("{}, {}, {} held for at most {}", grouped(count(status, "requests/total")),
                                         counted(count(status, "requests/errors"), "error"),
                                         grouped(count(status, "requests/held")),
                                         milliseconds(status, "requests/longest_hold_ms"))});
    numbers.add({"shadow", fmt::format("{}, {} failed", counted(count(status, "shadow/writes"), "write"),
                                       grouped(count(status, "shadow/failures")))});
    const auto* journal = find(status, "journal");
    const json::value none;
    const auto set_aside = count(status, "journal/set_aside");
    numbers.add({"owed", owed(journal ? *journal : none) +
                             (set_aside ? fmt::format("; {} refused for good: `penumbra set-aside list`",
                                                      counted(set_aside, "write"))
                                        : "")});
    numbers.add({"all others", fmt::format("{} (tenants by column {})", text(status, "default_phase"),
                                           text(status, "tenant_column"))});
    out += numbers.str() + "\n";
    const auto& migrations = list(status, "migrations");
    if (migrations.empty()) return out + "No migrations yet: penumbra migration create NAME --tenant T\n";
    Table table({{"MIGRATION"}, {"PHASE"}, {"OWED", Align::right}});
    for (const auto& one : migrations) table.add({text(one, "name"), text(one, "phase"), owed_short(one)});
    return out + table.str();
}

std::string render_migrations(const json::value& document) {
    const auto& migrations = list(document, "migrations");
    if (migrations.empty()) return "No migrations yet: penumbra migration create NAME --tenant T\n";
    Table table(
        {{"MIGRATION"}, {"PHASE"}, {"TENANTS", Align::right}, {"COPY"}, {"VERIFY"}, {"OWED", Align::right}, {"NEXT"}});
    for (const auto& one : migrations) {
        const auto tenants = list(one, "tenants").size();
        table.add({text(one, "name"), text(one, "phase"), tenants ? grouped(tenants) : "all", text(one, "copy/state"),
                   text(one, "verify/state"), grouped(count(one, "owed")), text(one, "next")});
    }
    return table.str();
}

std::string render_migration(const json::value& migration, const Glyphs& glyphs) {
    Table table({{""}, {""}});
    table.add({"migration", text(migration, "name")});
    table.add({"phase", fmt::format("{}, epoch {}", text(migration, "phase"), text(migration, "epoch"))});
    table.add({"tenants", joined(list(migration, "tenants"), "all")});
    const auto denied = joined(list(migration, "tables/deny"), "");
    table.add(
        {"tables", joined(list(migration, "tables/allow"), "*.*") + (denied.empty() ? "" : " without " + denied)});
    table.add({"created", text(migration, "created_at")});
    table.add({"shadowed since", text(migration, "shadow_since")});
    table.add({"copy", describe_copy(migration)});
    table.add({"verify", describe_verify(migration)});
    table.add({"owed", owed(migration)});
    if (const auto* last = find(migration, "last_switch"); last && last->is_object()) {
        table.add({"last switch", fmt::format("{} {} {}, requests waited {} ({} held){}", text(*last, "from"),
                                              glyphs.arrow, text(*last, "to"), milliseconds(*last, "wait_ms"),
                                              grouped(count(*last, "held_requests")), since(*last, "at"))});
    }
    const auto next = next_command(migration);
    table.add({"next", next.empty() ? "-" : next});
    return table.str();
}

std::string render_tenants(const json::value& document) {
    const auto& tenants = list(document, "tenants");
    if (tenants.empty()) return "No migration names a tenant yet: penumbra migration create NAME --tenant T\n";
    Table table({{"TENANT"}, {"MIGRATION"}, {"PHASE"}, {"OWED", Align::right}});
    for (const auto& one : tenants)
        table.add({text(one, "tenant"), text(one, "migration"), text(one, "phase"), grouped(count(one, "owed"))});
    return table.str();
}

std::string render_tenant(const json::value& tenant) {
    Table table({{""}, {""}});
    table.add({"tenant", text(tenant, "tenant")});
    table.add({"migration", text(tenant, "migration")});
    table.add({"phase", text(tenant, "phase")});
    table.add({"owed", owed(tenant)});
    return table.str();
}

std::string render_audit(const json::value& document, const Glyphs& glyphs) {
    // The one list in the answer, whatever it is called.
    const json::array* entries = nullptr;
    if (const auto* object = document.if_object()) {
        for (const auto& [key, value] : *object) {
            if (value.is_array()) entries = &value.get_array();
        }
    }
    if (!entries || entries->empty()) return "Nothing happened yet.\n";
    Table table({{"AT"}, {"COMMAND"}, {"CHANGE"}, {"OUTCOME"}, {"HELD", Align::right}, {"REASON"}});
    for (const auto& one : *entries) {
        const auto from = said(one, "from");
        const auto to = said(one, "to");
        const auto change = from.empty() && to.empty()   ? "-"
                            : from.empty() || to.empty() ? from + to
                                                         : fmt::format("{} {} {}", from, glyphs.arrow, to);
        const auto* wait = find(one, "wait_ms");
        const auto error = said(one, "error");
        const auto reason = said(one, "reason");
        table.add({text(one, "at"), text(one, "command"), change,
                   text(one, "outcome") + (truth(one, "forced") ? ", forced" : ""),
                   wait && wait->is_number() ? milliseconds(one, "wait_ms") : "-",
                   error.empty() ? (reason.empty() ? "-" : reason) : error});
    }
    return table.str();
}

std::string render_schema_report(const json::value& document) {
    const auto& changes = list(document, "schema_changes");
    if (changes.empty()) return "No schema change came through since the server started.\n";
    std::string out;
    for (const auto& one : changes) {
        out += fmt::format("{}  {} on the {}\n  {}\n", text(one, "at"), text(one, "outcome"), text(one, "cluster"),
                           text(one, "statement"));
        const auto error = said(one, "error");
        if (!error.empty()) out += fmt::format("    error: {}\n", error);
        if (text(one, "outcome") == "same") continue;
        for (const auto& sent : list(one, "sent")) out += fmt::format("    sent: {}\n", text(sent, ""));
        for (const auto& change : list(one, "changes"))
            out += fmt::format("    {}: {}\n", text(change, "what"), text(change, "why"));
    }
    const auto total = count(document, "total");
    if (total > changes.size()) out += fmt::format("{} before these\n", counted(total - changes.size(), "change"));
    return out;
}

bool has_missing_change(const json::value& schema_report) {
    const auto& changes = list(schema_report, "schema_changes");
    return std::any_of(changes.begin(), changes.end(), [](const json::value& one) {
        const auto outcome = text(one, "outcome");
        return outcome == "refused" || outcome == "failed" || outcome == "unknown";
    });
}

bool has_closed_gate(const json::value& change) {
    const auto& gates = list(change, "gates");
    return std::any_of(gates.begin(), gates.end(), [](const json::value& gate) { return !truth(gate, "passed"); });
}

std::string render_gates(const json::value& document, const Glyphs& glyphs) {
    Table table({{""}, {""}, {""}});
    for (const auto& gate : list(document, "gates"))
        table.add({truth(gate, "passed") ? glyphs.passed : glyphs.closed, text(gate, "gate"), said(gate, "detail")});
    return table.str("  ");
}

std::string render_change(const json::value& change, bool forced, const Glyphs& glyphs) {
    const auto step =
        fmt::format("{}: {} {} {}", text(change, "name"), text(change, "from"), glyphs.arrow, text(change, "to"));
    const bool closed = has_closed_gate(change);
    if (truth(change, "dry_run")) {
        return fmt::format("{} {}; nothing was changed\n{}", step,
                           !closed  ? "would be done"
                           : forced ? "would be done by force"
                                    : "would be refused",
                           render_gates(change, glyphs));
    }
    return fmt::format("{}, epoch {}; requests waited {} ({} held){}\n{}", step, text(change, "epoch"),
                       milliseconds(change, "wait_ms"), grouped(count(change, "held_requests")),
                       closed ? "; closed gates were passed by force" : "", render_gates(change, glyphs));
}

std::uint64_t differences_left(const json::value& job) {
    const auto found = count(job, "result/differences");
    const auto unrepaired = found - std::min(found, count(job, "result/repaired"));
    return std::max(unrepaired, count(job, "result/unknown_fate"));
}

std::string render_job(const json::value& job) {
    const auto kind = text(job, "kind");
    const auto state = text(job, "state");
    const auto name = text(job, "migration");
    const auto rows = counted(count(job, "result/rows"), "row");
    if (state != "done") return fmt::format("{}: {} {}\n", name, kind, state);
    if (kind != "verify") return fmt::format("{}: {} copied\n{}", name, rows, render_other_counts(job));
    const auto found = count(job, "result/differences");
    const auto repaired = count(job, "result/repaired");
    auto verdict = found == 0 ? "no difference" : counted(found, "difference");
    if (repaired > 0)
        verdict += fmt::format(", {} repaired, {} left", grouped(repaired), grouped(differences_left(job)));
    return fmt::format("{}: {} compared, {}\n{}{}", name, rows, verdict, render_other_counts(job), render_samples(job));
}

}  // namespace penumbra::cli
