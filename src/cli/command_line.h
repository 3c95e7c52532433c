#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/cli.h"

namespace penumbra::cli {

enum class Verb : std::uint8_t {
    status,
    migration_create,
    migration_list,
    migration_show,
    tenant_list,
    tenant_show,
    copy,
    verify,
    switch_,
    reverse,
    complete,
    cancel,
    audit,
    schema_report,
    journal_status,
    set_aside_list,
    set_aside_export,
    set_aside_retry,
    set_aside_resync,
    set_aside_drop,
};

enum class Format : std::uint8_t { table, json };
enum class AdminFrom : std::uint8_t { flag, variable, standard };

/// A command line as understood: the verb and what goes with it; what a verb has no use for is empty.
struct Command {
    Verb verb = Verb::status;
    std::string name;  ///< a migration, or for tenant_show a tenant; of set-aside verbs empty: all migrations
    std::vector<std::string> tenants;
    std::vector<std::string> tables;
    std::vector<std::string> excluded_tables;
    std::string to;
    bool dry_run = false;
    bool force = false;
    std::string reason;
    bool repair = false;
    bool detach = false;
    std::vector<std::uint64_t> entries;
    bool all = false;
    std::string confirm;
    std::string admin;
    AdminFrom admin_from = AdminFrom::standard;
    Format format = Format::table;
};

/// Nothing to do but to print this and end: --help and --version (status done), or what is wrong with the command line.
struct Say {
    Exit exit = Exit::usage;
    std::string text;
};

std::variant<Command, Say> parse_command_line(std::span<const std::string> args, const Surroundings& around);

}  // namespace penumbra::cli
