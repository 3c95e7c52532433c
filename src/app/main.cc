#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "app/journal_command.h"
#include "app/server.h"
#include "cli/cli.h"
#include "kube/command.h"

#ifndef PENUMBRA_VERSION
#define PENUMBRA_VERSION "unknown"
#endif

namespace {

using namespace penumbra;

int serve(const std::vector<std::string>& args, app::Purpose purpose = app::Purpose::serve) {
    app::Settings settings;
    for (const auto& arg : args) {
        if (arg != "--help" && arg != "-h") continue;
        std::cout
            << "penumbra serve: the proxy, the copier, the verifier and the admin API, until SIGTERM.\n\n"
               "    penumbra serve --source HOST:PORT --target HOST:PORT --listen IP:PORT --admin IP:PORT --state DIR\n"
               "    penumbra serve --config FILE      the same names in YAML; flags win\n\n"
            << settings.registry.help();
        return 0;
    }
    if (const auto loaded = settings.registry.load(args); !loaded) {
        std::cerr << "penumbra serve: " << loaded.error().what << "\n";
        return 2;
    }
    const auto& level = settings.log_level();
    for (const auto one : {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        static constexpr std::string_view kNames[] = {"trace", "debug", "info", "warn", "error"};
        if (level == kNames[static_cast<int>(one)]) Log::set_level(one);
    }
    return app::run_server(settings, PENUMBRA_VERSION, purpose);
}

int run(const std::vector<std::string>& args) {
    if (!args.empty()) {
        const std::vector<std::string> rest(args.begin() + 1, args.end());
        if (args[0] == "serve") return serve(rest);
        if (args[0] == "journal") {
            if (args.size() > 1 && args[1] == "replay")
                return app::wants_help(rest) ? app::run_journal(rest, std::cout, std::cerr)
                                             : serve({args.begin() + 2, args.end()}, app::Purpose::replay);
            if (app::is_offline(rest)) return app::run_journal(rest, std::cout, std::cerr);
        }
        const std::vector<std::string_view> views(rest.begin(), rest.end());
        if (args[0] == "convert") return kube::run_convert(views, std::cin, std::cout, std::cerr);
        if (args[0] == "plan") return kube::run_plan(views, std::cin, std::cout, std::cerr);
    }
    cli::Surroundings around;
    around.version = PENUMBRA_VERSION;
    around.other_verbs = {{"serve", "the proxy with its admin API, until SIGTERM"},
                          {"journal", "verify, dump and replay the journal of a server that is not running"},
                          {"convert", "operator manifests from Cassandra to ScyllaDB and back"},
                          {"plan", "nodes, instance types and cost of a move"}};
    around.terminal = cli::Terminal::detect();
    if (const char* admin = std::getenv("PENUMBRA_ADMIN")) around.admin_variable = admin;
    return static_cast<int>(cli::run(args, around, std::cout, std::cerr));
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "penumbra: %s\n", error.what());
        return 1;
    }
}
