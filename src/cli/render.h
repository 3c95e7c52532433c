#pragma once

#include <string>

#include <boost/json.hpp>

namespace penumbra::cli {

/// What stands for "open" and "closed" and "to", depending on what the terminal can show.
struct Glyphs {
    const char* passed;
    const char* closed;
    const char* arrow;

    static Glyphs of(bool utf8) { return utf8 ? Glyphs{"✓", "✗", "→"} : Glyphs{"ok  ", "FAIL", "->"}; }
};

// The documents of docs/admin-api.md for people.
std::string render_status(const boost::json::value& status);
std::string render_migrations(const boost::json::value& document);
std::string render_migration(const boost::json::value& migration, const Glyphs& glyphs);
std::string render_tenants(const boost::json::value& document);
std::string render_tenant(const boost::json::value& tenant);
std::string render_audit(const boost::json::value& document, const Glyphs& glyphs);
std::string render_schema_report(const boost::json::value& document);
std::string render_change(const boost::json::value& change, bool forced, const Glyphs& glyphs);
std::string render_journal(const boost::json::value& document);
std::string render_set_aside(const boost::json::value& document);
/// CQL, with a comment of entry, cluster and reason before each.
std::string render_set_aside_script(const boost::json::value& document);
std::string render_set_aside_report(const boost::json::value& document, std::string_view done);
/// What a job that has ended did and found.
std::string render_job(const boost::json::value& job);
/// The gates of a change, asked for or refused; empty when it has none.
std::string render_gates(const boost::json::value& document, const Glyphs& glyphs);

/// Whether a schema change is not, or perhaps not, on both clusters.
bool has_missing_change(const boost::json::value& schema_report);
bool has_closed_gate(const boost::json::value& change);
/// Differences of a verify that were not repaired, and counters of which nobody knows.
std::uint64_t differences_left(const boost::json::value& job);

}  // namespace penumbra::cli
