#include "cli/command_line.h"

#include <algorithm>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/table.h"

namespace penumbra::cli {

namespace {

constexpr const char* kDefaultAdmin = "127.0.0.1:8080";

struct VerbHelp {
    Verb verb;
    const char* words;  ///< as typed
    const char* arguments;
    const char* summary;
    const char* more;  ///< what to know before using it, and examples
};

constexpr VerbHelp kVerbs[] = {
    {Verb::status, "status", "", "Clusters, clients, what is owed, and every migration",
     "Examples:\n  penumbra status\n  penumbra status -o json | jq .journal.owed"},
    {Verb::migration_list, "migration list", "", "All migrations and where they stand",
     "Example:\n  penumbra migration list"},
    {Verb::migration_show, "migration show", "NAME", "One migration, and what to do next",
     "Examples:\n  penumbra migration show acme\n  penumbra migration show acme -o json | jq -r .phase"},
    {Verb::tenant_list, "tenant list", "", "Tenants that a migration names", "Example:\n  penumbra tenant list"},
    {Verb::tenant_show, "tenant show", "T", "One tenant: its migration, its phase, what is owed",
     "Example:\n  penumbra tenant show 5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10"},
    {Verb::audit, "audit", "NAME", "Who changed what and when, refusals included", "Example:\n  penumbra audit acme"},
    {Verb::schema_report, "schema report", "",
     "Schema changes of applications, and what each became on the other cluster",
     "The latest 256 since the server started, oldest first. Exit status 1 when one of them did not reach the other\n"
     "cluster, so that it has to be made there by hand.\n\n"
     "Examples:\n  penumbra schema report\n"
     "  penumbra schema report -o json | jq '.schema_changes[] | select(.outcome == \"refused\")'"},
    {Verb::journal_status, "journal status", "", "What each cluster is owed, and how fast it is paid",
     "With --state DIR instead of --admin it reads the directory of a server that is not running, as `journal "
     "verify`,\n"
     "`journal dump` and `journal replay` do: `penumbra journal --help`.\n\n"
     "Examples:\n  penumbra journal status\n  penumbra journal status -o json | jq .oldest_owed_seconds"},
    {Verb::set_aside_list, "set-aside list", "[NAME]", "Owed writes that a cluster refused for good, and why",
     "Of one migration, or of all. They are kept until you retry, resync or drop them, and close the gate "
     "nothing_set_aside.\n\n"
     "Examples:\n  penumbra set-aside list\n  penumbra set-aside list acme -o json | jq '.set_aside[].reason'"},
    {Verb::set_aside_export, "set-aside export", "[NAME]", "The same as CQL for cqlsh, or with -o json as JSON",
     "What cannot be said in CQL becomes a comment that says what is known of it.\n\n"
     "Example:\n  penumbra set-aside export acme > acme.cql"},
    {Verb::set_aside_retry, "set-aside retry", "[NAME]", "Offer them to the cluster again",
     "After what was wrong has been mended, e.g. the table was made. What is refused once more comes back.\n\n"
     "Examples:\n  penumbra set-aside retry acme\n  penumbra set-aside retry acme --entry 4711"},
    {Verb::set_aside_resync, "set-aside resync", "[NAME]", "Make their rows equal by reading the primary instead",
     "For statements that the cluster will never take as they are.\n\n"
     "Example:\n  penumbra set-aside resync acme --entry 4711"},
    {Verb::set_aside_drop, "set-aside drop", "[NAME]", "Give them up: they never reach the cluster",
     "Wants --confirm with the migration's name ('all migrations' where none is named), and --entry or --all. The "
     "audit trail\nkeeps it. `penumbra verify NAME --repair` mends what differs because of it.\n\n"
     "Example:\n  penumbra set-aside drop acme --entry 4711 --confirm acme --reason 'table was dropped on purpose'"},
    {Verb::migration_create, "migration create", "NAME", "Name the tenants and tables that move together",
     "Nothing changes for clients before `penumbra switch`.\n\n"
     "Examples:\n"
     "  penumbra migration create acme --tenant 5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10\n"
     "  penumbra migration create shop --table 'shop.*' --exclude-table shop.sessions"},
    {Verb::copy, "copy", "NAME", "Copy what was written before shadowing began",
     "Runs on the server: ended by Ctrl-C, this command stops watching and the copy goes on. A copy can be repeated; "
     "rows that\n"
     "are there stay as they are. Exit status 1 when it failed.\n\n"
     "Examples:\n  penumbra copy acme\n  penumbra copy acme --detach"},
    {Verb::verify, "verify", "NAME", "Compare both clusters, cell by cell",
     "Runs on the server: ended by Ctrl-C, this command stops watching and the comparison goes on.\n"
     "Exit status 0: no difference is left; 1: some are, or it failed.\n\n"
     "Examples:\n  penumbra verify acme\n  penumbra verify acme --repair\n  penumbra verify acme -o json | jq "
     ".result.samples"},
    {Verb::switch_, "switch", "NAME", "Move to the next phase, or one back",
     "Requests of the migration are held for a moment while it changes; how long is printed.\n"
     "Phases: source_only -> shadow_async -> shadow_sync -> target_primary -> target_only\n\n"
     "Examples:\n"
     "  penumbra switch acme --to shadow_async\n"
     "  penumbra switch acme --to target_primary --dry-run      which gates are open\n"
     "  penumbra switch acme --to target_primary --force --reason 'INC-42: source is failing'"},
    {Verb::reverse, "reverse", "NAME", "Back to the source: target_primary -> shadow_sync",
     "The target stays in step as the shadow, so the migration can go forward again.\n\n"
     "Examples:\n  penumbra reverse acme --dry-run\n  penumbra reverse acme"},
    {Verb::complete, "complete", "NAME", "Let go of the source: target_primary -> target_only",
     "The last step. From here on the source no longer gets writes, and there is no way back.\n\n"
     "Examples:\n  penumbra complete acme --dry-run\n  penumbra complete acme"},
    {Verb::cancel, "cancel", "NAME", "Give up: back to source_only, the target is let go",
     "Clients notice nothing. Rows already on the target stay there; copy and verify start over next time.\n\n"
     "Examples:\n  penumbra cancel acme --dry-run\n  penumbra cancel acme"},
};

std::string overview(const Surroundings& around) {
    std::string out =
        "Penumbra moves tenants between two CQL clusters while their applications run.\n\n"
        "Usage: penumbra VERB [ARGUMENTS] [--admin HOST:PORT] [-o table|json]\n";
    const auto section = [&](std::string_view title, std::initializer_list<Verb> verbs) {
        Table table({{""}, {""}});
        for (const auto verb : verbs) {
            const auto* help = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                            [&](const VerbHelp& one) { return one.verb == verb; });
            table.add({fmt::format("{:<21}", fmt::format("{} {}", help->words, help->arguments)), help->summary});
        }
        out += fmt::format("\n{}\n{}", title, table.str("  "));
    };
    section("See", {Verb::status, Verb::migration_list, Verb::migration_show, Verb::tenant_list, Verb::tenant_show,
                    Verb::audit, Verb::schema_report, Verb::journal_status});
    section("Move, in this order", {Verb::migration_create, Verb::switch_, Verb::copy, Verb::verify});
    section("Finish, or go back", {Verb::complete, Verb::reverse, Verb::cancel});
    section("Writes that a cluster refused", {Verb::set_aside_list, Verb::set_aside_export, Verb::set_aside_retry,
                                              Verb::set_aside_resync, Verb::set_aside_drop});
    if (!around.other_verbs.empty()) {
        Table table({{""}, {""}});
        for (const auto& other : around.other_verbs) table.add({fmt::format("{:<21}", other.name), other.summary});
        out += fmt::format("\nBy itself, without the admin API\n{}", table.str("  "));
    }
    out += fmt::format(
        "\nOptions\n"
        "  --admin HOST:PORT      The admin address of `penumbra serve` (or PENUMBRA_ADMIN; default {})\n"
        "  -o, --output FORMAT    table or json; json is exactly one document on standard output\n"
        "  -h, --help             This, or after a verb what that verb takes\n"
        "  --version              The version\n\n"
        "A tenant may stand where NAME does, if exactly one migration moves it.\n\n"
        "A tenant's way\n"
        "  penumbra migration create acme --tenant 5f0c2a52-6c0e-4a1c-9d41-0c6f1d2b7a10\n"
        "  penumbra switch acme --to shadow_async      writes go to both clusters\n"
        "  penumbra copy acme                          what was there before follows\n"
        "  penumbra switch acme --to shadow_sync\n"
        "  penumbra verify acme                        both are equal, cell by cell\n"
        "  penumbra switch acme --to target_primary    the target answers; `reverse` takes it back\n"
        "  penumbra complete acme                      the source is let go\n\n"
        "Exit status: 0 done; 1 refused, failed, or differences left; 2 wrong usage; 3 the admin address did not "
        "answer\n",
        kDefaultAdmin);
    return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

/// " Did you mean `switch`?", or nothing.
std::string suggestion(std::string_view typed, std::vector<std::string> known) {
    const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
        return edit_distance(typed, a) < edit_distance(typed, b);
    });
    if (nearest == known.end() || edit_distance(typed, *nearest) > 2) return "";
    return fmt::format(" Did you mean `{}`?", *nearest);
}

class Parser {
  public:
    explicit Parser(const Surroundings& around) : around_(around) {
        app_.set_help_flag("-h,--help", "What this verb takes");
        app_.set_version_flag("--version", fmt::format("penumbra {}", around.version));
        app_.require_subcommand(1);
        declare_common(app_);
        for (const auto& help : kVerbs) declare(help);
    }

    std::variant<Command, Say> parse(std::span<const std::string> args) {
        if (args.empty()) return Say{Exit::usage, overview(around_)};
        if (args.front() == "help") return help_for(args.subspan(1));
        std::vector<std::string> reversed(args.rbegin(), args.rend());
        try {
            app_.parse(std::move(reversed));
        } catch (const CLI::CallForVersion& asked) {
            return Say{Exit::done, fmt::format("{}\n", asked.what())};
        } catch (const CLI::CallForHelp&) {
            return help();
        } catch (const CLI::Error& wrong) {
            return complain(wrong.what());
        }
        if (command_.to.empty() && command_.verb == Verb::switch_) return complain("--to PHASE is missing");
        if (command_.force && command_.reason.find_first_not_of(" \t\n") == std::string::npos) {
            return complain("--force wants a --reason TEXT, which is kept in the audit trail");
        }
        if (command_.verb == Verb::set_aside_drop && command_.entries.empty() && !command_.all)
            return complain("which: --entry ID names one, --all means all of them");
        if (command_.verb == Verb::set_aside_drop && command_.confirm.empty())
            return complain("writes that are dropped never reach the cluster: --confirm NAME is missing");
        if (command_.name.empty() && wants_name(command_.verb)) return complain("the name is empty");
        choose_admin();
        return std::move(command_);
    }

  private:
    static bool wants_name(Verb verb) {
        return verb != Verb::status && verb != Verb::migration_list && verb != Verb::tenant_list &&
               verb != Verb::schema_report && verb != Verb::journal_status && !is_set_aside(verb);
    }
    static bool is_set_aside(Verb verb) {
        return verb == Verb::set_aside_list || verb == Verb::set_aside_export || verb == Verb::set_aside_retry ||
               verb == Verb::set_aside_resync || verb == Verb::set_aside_drop;
    }
    static const char* group_summary(std::string_view group) {
        if (group == "migration") return "Create, list and show migrations";
        if (group == "tenant") return "List and show tenants";
        if (group == "journal") return "What is owed";
        if (group == "set-aside") return "Owed writes that a cluster refused for good";
        return "What became of schema changes";
    }

    std::variant<Command, Say> help_for(std::span<const std::string> words) {
        if (words.empty()) return Say{Exit::done, overview(around_)};
        std::vector<std::string> args(words.begin(), words.end());
        args.push_back("--help");
        return parse(args);
    }

    void declare_common(CLI::App& app) {
        app.get_formatter()->column_width(30);
        app.get_formatter()->label("REQUIRED", "");
        app.add_option(
               "--admin", command_.admin,
               fmt::format("The admin address of `penumbra serve` (or PENUMBRA_ADMIN; default {})", kDefaultAdmin))
            ->option_text("HOST:PORT");
        const auto take_format = [this](const std::string& text) {
            command_.format = text == "json" ? Format::json : Format::table;
        };
        app.add_option_function<std::string>("-o,--output", take_format, "How the answer is printed (default: table)")
            ->option_text("table|json")
            ->check(CLI::IsMember({"table", "json"}));
    }

    void declare(const VerbHelp& help) {
        CLI::App* at = &app_;
        const std::string_view words = help.words;
        const auto space = words.find(' ');
        if (space != std::string_view::npos) {
            const std::string group(words.substr(0, space));
            auto*& known = groups_[group];
            if (!known) {
                known = app_.add_subcommand(group, group_summary(group));
                known->require_subcommand(1);
                declare_common(*known);
            }
            at = known;
        }
        auto* verb = at->add_subcommand(std::string(words.substr(space == std::string_view::npos ? 0 : space + 1)),
                                        help.summary);
        verb->footer(help.more);
        verb->parse_complete_callback([this, &help] { command_.verb = help.verb; });
        if (wants_name(help.verb)) {
            const bool tenant = help.verb == Verb::tenant_show;
            const bool fresh = help.verb == Verb::migration_create;
            verb->add_option(help.arguments, command_.name,
                             tenant  ? "The tenant"
                             : fresh ? "What to call it"
                                     : "The migration, or a tenant that only it moves")
                ->required()
                ->option_text(" ");
        }
        if (is_set_aside(help.verb)) {
            verb->add_option("NAME", command_.name, "The migration, or a tenant that only it moves; without, all")
                ->option_text(" ");
        }
        declare_own(*verb, help.verb);
        declare_common(*verb);
    }

    void declare_own(CLI::App& app, Verb verb) {
        switch (verb) {
            case Verb::status:
            case Verb::migration_list:
            case Verb::migration_show:
            case Verb::tenant_list:
            case Verb::tenant_show:
            case Verb::audit:
            case Verb::schema_report:
            case Verb::journal_status:
            case Verb::set_aside_list:
            case Verb::set_aside_export:
                return;
            case Verb::set_aside_drop:
                app.add_flag("--all", command_.all, "All of them");
                app.add_option("--confirm", command_.confirm, "The migration's name once more")->option_text("NAME");
                [[fallthrough]];
            case Verb::set_aside_retry:
            case Verb::set_aside_resync:
                app.add_option("--entry", command_.entries, "This one alone; repeatable (default: all)")
                    ->option_text("ID")
                    ->allow_extra_args(false);
                app.add_option("--reason", command_.reason, "Why, for the audit trail")->option_text("TEXT");
                return;
            case Verb::migration_create:
                app.add_option("--tenant", command_.tenants, "A tenant that moves; repeatable (default: all)")
                    ->option_text("T")
                    ->allow_extra_args(false);
                app.add_option("--table", command_.tables,
                               "Tables that move, as keyspace.table with * for any; repeatable (default: *.*)")
                    ->option_text("PATTERN")
                    ->allow_extra_args(false);
                app.add_option("--exclude-table", command_.excluded_tables,
                               "Tables that stay, although --table has them; repeatable")
                    ->option_text("PATTERN")
                    ->allow_extra_args(false);
                return;
            case Verb::verify:
                app.add_flag("--repair", command_.repair, "Make the shadow equal to the primary where they differ");
                [[fallthrough]];
            case Verb::copy:
                app.add_flag("--detach", command_.detach, "Start it and do not wait for its end");
                return;
            case Verb::switch_:
                app.add_option("--to", command_.to, "The phase to go to")
                    ->option_text("PHASE")
                    ->check(
                        CLI::IsMember({"source_only", "shadow_async", "shadow_sync", "target_primary", "target_only"}));
                [[fallthrough]];
            case Verb::reverse:
            case Verb::complete:
            case Verb::cancel:
                app.add_flag("--dry-run", command_.dry_run,
                             "Show the gates and change nothing; exit status 1 when it would be refused");
                app.add_flag("--force", command_.force, "Go ahead past closed gates; wants a --reason");
                app.add_option("--reason", command_.reason, "Why, for the audit trail")->option_text("TEXT");
                return;
        }
    }

    Say help() const {
        if (app_.get_subcommands().empty()) return {Exit::done, overview(around_)};
        return {Exit::done, app_.help()};
    }

    /// The verb as far as it was understood: "penumbra migration".
    std::string understood(const CLI::App*& deepest) const {
        std::string words = "penumbra";
        deepest = &app_;
        while (!deepest->get_subcommands().empty()) {
            deepest = deepest->get_subcommands().front();
            words += " " + deepest->get_name();
        }
        return words;
    }

    Say complain(std::string what) const {
        const CLI::App* deepest = nullptr;
        const auto words = understood(deepest);
        std::vector<std::string> known;
        for (const auto* verb : deepest->get_subcommands([](const CLI::App*) { return true; }))
            known.push_back(verb->get_name());
        const auto left = app_.remaining(true);
        if (deepest == &app_) {
            for (const auto& other : around_.other_verbs) known.push_back(other.name);
        }
        if (!known.empty() && !left.empty() && !left.front().starts_with('-')) {
            what = fmt::format("there is no verb `{}`.{}", left.front(), suggestion(left.front(), known));
        } else if (!known.empty() && left.empty() && deepest != &app_) {
            what = fmt::format("`{}` wants one of: {}", words, fmt::join(known, ", "));
        }
        return {Exit::usage, fmt::format("penumbra: {}\nTry `{} --help`.\n", what, words)};
    }

    void choose_admin() {
        if (!command_.admin.empty()) {
            command_.admin_from = AdminFrom::flag;
        } else if (!around_.admin_variable.empty()) {
            command_.admin = around_.admin_variable;
            command_.admin_from = AdminFrom::variable;
        } else {
            command_.admin = kDefaultAdmin;
        }
    }

    const Surroundings& around_;
    Command command_;
    CLI::App app_{"", "penumbra"};
    std::map<std::string, CLI::App*> groups_;  ///< "migration", "tenant", "schema", ...; owned by app_
};

}  // namespace

std::variant<Command, Say> parse_command_line(std::span<const std::string> args, const Surroundings& around) {
    return Parser(around).parse(args);
}

}  // namespace penumbra::cli
