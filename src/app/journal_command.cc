#include "app/journal_command.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/clock.h"
#include "cli/table.h"
#include "control/migration.h"
#include "control/state_store.h"
#include "control/surroundings.h"
#include "journal/inspect.h"
#include "sync/owed_picture.h"

namespace penumbra::app {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr const char* kHelp =
    "penumbra journal: what the shadow is owed, on disk\n\n"
    "    penumbra journal status [--admin HOST:PORT]       of a running server\n"
    "    penumbra journal status --state DIR [-o json]     as the files say: at most this is owed\n"
    "    penumbra journal verify --state DIR [-o json]     every checksum; exit status 1 on damage\n"
    "    penumbra journal dump   --state DIR [--all]       what is owed, one JSON object per line\n"
    "    penumbra journal replay --config FILE             pay what is owed without serving anybody, and end\n\n"
    "DIR is the server's --state. status, verify and dump change nothing and may look while a server runs; what it\n"
    "settled is not in the files until their segment is deleted, so they count too much rather than too little.\n"
    "--all dumps settled entries too. replay takes the flags of `penumbra serve` and wants the directory for itself;\n"
    "exit status 1 when writes were refused for good.\n";

struct Asked {
    std::string verb;
    fs::path state;
    bool all = false;
    bool json = false;
};

Result<Asked> parse(const std::vector<std::string>& args) {
    Asked asked;
    for (std::size_t i = 0; i < args.size(); ++i) {
        const auto value = [&]() -> Result<std::string> {
            if (i + 1 == args.size()) return fail(Errc::invalid_argument, args[i] + " wants a value");
            return args[++i];
        };
        if (args[i] == "--state") {
            TRY(asked.state, value());
        } else if (args[i].starts_with("--state=")) {
            asked.state = args[i].substr(8);
        } else if (args[i] == "-o" || args[i] == "--output") {
            TRY(const auto format, value());
            if (format != "json" && format != "table") return fail(Errc::invalid_argument, "-o takes table or json");
            asked.json = format == "json";
        } else if (args[i] == "--all") {
            asked.all = true;
        } else if (asked.verb.empty() && !args[i].starts_with('-')) {
            asked.verb = args[i];
        } else {
            return fail(Errc::invalid_argument, fmt::format("`{}` is not understood", args[i]));
        }
    }
    if (asked.verb != "status" && asked.verb != "verify" && asked.verb != "dump")
        return fail(Errc::invalid_argument, fmt::format("there is no verb `journal {}`", asked.verb));
    if (asked.state.empty())
        return fail(Errc::invalid_argument, "--state DIR is missing: the directory that `penumbra serve` has");
    return asked;
}

/// Names of scopes, where the state is there.
std::map<std::uint32_t, std::string> names_of(const fs::path& state) {
    std::map<std::uint32_t, std::string> names;
    const auto migrations = control::StateStore::peek(state);
    if (!migrations) return names;  // of a directory without one, e.g. a copy of the journal alone
    for (const auto& migration : migrations.value()) names[migration.id.value()] = migration.name;
    return names;
}

std::string name_of(const std::map<std::uint32_t, std::string>& names, std::uint32_t scope) {
    if (scope == routing::kDefaultScope.value()) return "(--phase)";
    const auto found = names.find(scope);
    return found == names.end() ? fmt::format("scope {}", scope) : found->second;
}

std::string cluster_of(std::uint8_t stream) {
    return stream == control::stream_of(routing::Side::source) ? "source" : "target";
}

struct Sum {
    std::uint64_t owed = 0;
    std::uint64_t set_aside = 0;
    std::int64_t oldest = 0;
};

int status(const Asked& asked, const journal::Inspection& found, std::ostream& out) {
    const auto names = names_of(asked.state);
    const auto now = Clock::system().wall_micros();
    std::map<std::pair<std::uint8_t, std::uint32_t>, Sum> sums;
    std::uint64_t bytes = 0;
    for (const auto& segment : found.segments) bytes += segment.bytes;
    for (const auto& entry : found.owed) {
        auto& sum = sums[{entry.info.stream, entry.info.scope}];
        ++sum.owed;
        sum.set_aside += entry.kind == journal::RecordKind::set_aside ? 1 : 0;
        if (sum.oldest == 0 || entry.info.appended_at < sum.oldest) sum.oldest = entry.info.appended_at;
    }
    const auto age = [now](std::int64_t at) { return std::max(0.0, static_cast<double>(now - at) / 1e6); };
    if (asked.json) {
        json::array all;
        for (const auto& [key, sum] : sums)
            all.push_back(json::object{{"migration", name_of(names, key.second)},
                                       {"cluster", cluster_of(key.first)},
                                       {"owed", sum.owed},
                                       {"set_aside", sum.set_aside},
                                       {"oldest_owed_seconds", age(sum.oldest)}});
        out << json::serialize(json::object{{"segments", found.segments.size()},
                                            {"bytes", bytes},
                                            {"damaged", found.damaged()},
                                            {"migrations", std::move(all)}})
            << "\n";
        return found.damaged() ? 1 : 0;
    }
    out << fmt::format("{}: {} segments, {} bytes{}\n", (asked.state / "journal").native(), found.segments.size(),
                       cli::grouped(bytes), found.damaged() ? "; DAMAGED, see `penumbra journal verify`" : "");
    if (sums.empty()) {
        out << "nothing is owed\n";
        return found.damaged() ? 1 : 0;
    }
    cli::Table table({{"MIGRATION"},
                      {"OWED TO"},
                      {"WRITES (AT MOST)", cli::Align::right},
                      {"OLDEST", cli::Align::right},
                      {"SET ASIDE", cli::Align::right}});
    for (const auto& [key, sum] : sums) {
        table.add({name_of(names, key.second), cluster_of(key.first), cli::grouped(sum.owed),
                   cli::duration(age(sum.oldest)), cli::grouped(sum.set_aside)});
    }
    out << "\n" << table.str();
    return found.damaged() ? 1 : 0;
}

int verify(const Asked& asked, const journal::Inspection& found, std::ostream& out) {
    std::uint64_t entries = 0;
    for (const auto& segment : found.segments) entries += segment.entries;
    if (asked.json) {
        json::array segments;
        for (const auto& segment : found.segments) {
            json::object one{{"file", segment.path.native()},
                             {"bytes", segment.bytes},
                             {"records", segment.records},
                             {"entries", segment.entries},
                             {"torn_bytes", segment.torn_bytes}};
            if (segment.damage) one["damage"] = segment.damage->what;
            segments.push_back(std::move(one));
        }
        out << json::serialize(json::object{{"damaged", found.damaged()}, {"segments", std::move(segments)}}) << "\n";
        return found.damaged() ? 1 : 0;
    }
    cli::Table table({{"SEGMENT"},
                      {"OWED TO"},
                      {"BYTES", cli::Align::right},
                      {"RECORDS", cli::Align::right},
                      {"ENTRIES", cli::Align::right},
                      {"VERDICT"}});
    for (const auto& segment : found.segments) {
        std::string verdict = "whole";
        if (segment.torn_bytes > 0)
            verdict =
                fmt::format("whole; {} bytes of a write that was cut off, never acknowledged", segment.torn_bytes);
        if (segment.damage) verdict = "DAMAGED";
        table.add({segment.path.filename().native(), segment.damage ? "-" : cluster_of(segment.header.stream),
                   cli::grouped(segment.bytes), cli::grouped(segment.records), cli::grouped(segment.entries), verdict});
    }
    out << table.str();
    for (const auto& segment : found.segments) {
        if (segment.damage) out << segment.damage->what << "\n";
    }
    for (const auto& stranger : found.strangers) out << "not the journal's: " << stranger << "\n";
    out << fmt::format("{} segments, {} entries, {}\n", found.segments.size(), cli::grouped(entries),
                       found.damaged() ? "DAMAGED: what the files that are named held is lost with them; restore them "
                                         "from a copy, or copy and verify every migration that was shadowed"
                                       : "every checksum holds");
    return found.damaged() ? 1 : 0;
}

json::object describe(const journal::EntryInfo& info, BytesView payload,
                      const std::map<std::uint32_t, std::string>& names) {
    json::object one{{"entry", info.id.value()},
                     {"cluster", cluster_of(info.stream)},
                     {"migration", name_of(names, info.scope)},
                     {"written_at", control::to_iso(info.appended_at)}};
    const auto owed = sync::decode_owed(payload);
    const auto picture = owed ? sync::picture_of(owed.value(), nullptr) : Result<sync::OwedPicture>(fail(owed.error()));
    if (!picture) {
        one["error"] = to_string(picture.error());
        return one;
    }
    one["kind"] = picture.value().resync ? "resync" : "statement";
    json::array places, statements;
    for (const auto& place : picture.value().places)
        places.push_back(
            json::object{{"table", fmt::format("{}.{}", place.order.keyspace, place.order.table)}, {"key", place.key}});
    one["places"] = std::move(places);
    if (picture.value().timestamp) one["timestamp"] = *picture.value().timestamp;
    for (const auto& statement : picture.value().statements) {
        json::array values;
        for (const auto& value : statement.values)
            values.push_back(json::object{{"name", value.name}, {"value", value.text}});
        statements.push_back(json::object{{"text", statement.text}, {"values", std::move(values)}});
    }
    one["statements"] = std::move(statements);
    return one;
}

/// First what is owed at the end, then the payloads of these: one segment in memory at a time.
int dump(const Asked& asked, const journal::Inspection& found, std::ostream& out, std::ostream& err) {
    const auto names = names_of(asked.state);
    std::map<std::uint64_t, const journal::InspectedEntry*> owed;
    for (const auto& entry : found.owed) owed[entry.info.id.value()] = &entry;
    const auto shown =
        journal::inspect(asked.state / "journal", [&](const journal::EntryInfo& info, BytesView payload) {
            const auto at = owed.find(info.id.value());
            if (at == owed.end() && !asked.all) return;
            auto one = describe(info, payload, names);
            const bool aside = at != owed.end() && at->second->kind == journal::RecordKind::set_aside;
            one["state"] = at == owed.end() ? "settled" : aside ? "set_aside" : "owed";
            if (aside) one["reason"] = at->second->reason;
            out << json::serialize(one) << "\n";
        });
    if (!shown) {
        err << fmt::format("penumbra: {}\n", shown.error().what);
        return 1;
    }
    if (found.damaged()) err << "penumbra: the journal is damaged; `penumbra journal verify` says where\n";
    return found.damaged() ? 1 : 0;
}

}  // namespace

bool wants_help(const std::vector<std::string>& args) {
    return std::ranges::any_of(args, [](const auto& arg) { return arg == "--help" || arg == "-h"; });
}

bool is_offline(const std::vector<std::string>& args) {
    if (args.empty() || args[0] == "--help" || args[0] == "-h") return true;
    const bool names_state =
        std::ranges::any_of(args, [](const auto& arg) { return arg == "--state" || arg.starts_with("--state="); });
    return args[0] != "status" || names_state;
}

int run_journal(const std::vector<std::string>& args, std::ostream& out, std::ostream& err) {
    if (args.empty() || wants_help(args)) {
        (args.empty() ? err : out) << kHelp;
        return args.empty() ? 2 : 0;
    }
    const auto asked = parse(args);
    if (!asked) {
        err << fmt::format("penumbra: {}\nTry `penumbra journal --help`.\n", asked.error().what);
        return 2;
    }
    const auto found = journal::inspect(asked.value().state / "journal");
    if (!found) {
        err << fmt::format("penumbra: {}\nIs this what `penumbra serve` has as --state?\n", found.error().what);
        return 1;
    }
    if (asked.value().verb == "status") return status(asked.value(), found.value(), out);
    if (asked.value().verb == "verify") return verify(asked.value(), found.value(), out);
    return dump(asked.value(), found.value(), out, err);
}

}  // namespace penumbra::app
