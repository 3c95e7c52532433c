#include "cli/cli.h"

#include <algorithm>
#include <exception>
#include <ostream>
#include <thread>

#include <fmt/format.h>

#include "cli/admin_client.h"
#include "cli/command_line.h"
#include "cli/json_view.h"
#include "cli/progress.h"
#include "cli/render.h"

namespace penumbra::cli {

namespace json = boost::json;

namespace {

json::array texts(const std::vector<std::string>& from) {
    return json::array(from.begin(), from.end());
}

Request change(const Command& command, std::string_view verb) {
    json::object body{{"dry_run", command.dry_run}, {"force", command.force}};
    if (!command.reason.empty()) body["reason"] = command.reason;
    if (command.verb == Verb::switch_) body["to"] = command.to;
    return {Method::post, fmt::format("/v1/migrations/{}/{}", path_segment(command.name), verb), std::move(body)};
}

/// What is not said is left out, so that the server's defaults hold.
Request create(const Command& command) {
    json::object body{{"name", command.name}};
    if (!command.tenants.empty()) body["tenants"] = texts(command.tenants);
    json::object tables;
    if (!command.tables.empty()) tables["allow"] = texts(command.tables);
    if (!command.excluded_tables.empty()) tables["deny"] = texts(command.excluded_tables);
    if (!tables.empty()) body["tables"] = std::move(tables);
    return {Method::post, "/v1/migrations", std::move(body)};
}

std::string set_aside_path(const Command& command) {
    return command.name.empty() ? "/v1/set-aside"
                                : fmt::format("/v1/migrations/{}/set-aside", path_segment(command.name));
}

Request set_aside_order(const Command& command, std::string_view verb) {
    json::object body;
    if (!command.entries.empty()) body["entries"] = json::array(command.entries.begin(), command.entries.end());
    if (!command.reason.empty()) body["reason"] = command.reason;
    if (command.all) body["all"] = true;
    if (!command.confirm.empty()) body["confirm"] = command.confirm;
    return {Method::post, fmt::format("{}/{}", set_aside_path(command), verb), std::move(body)};
}

Request request_of(const Command& command) {
    const auto migration = fmt::format("/v1/migrations/{}", path_segment(command.name));
    switch (command.verb) {
        case Verb::status:
            return {Method::get, "/v1/status"};
        case Verb::migration_create:
            return create(command);
        case Verb::migration_list:
            return {Method::get, "/v1/migrations"};
        case Verb::migration_show:
            return {Method::get, migration};
        case Verb::tenant_list:
            return {Method::get, "/v1/tenants"};
        case Verb::tenant_show:
            return {Method::get, fmt::format("/v1/tenants/{}", path_segment(command.name))};
        case Verb::copy:
            return {Method::post, migration + "/copy"};
        case Verb::verify:
            return {Method::post, migration + "/verify", {{"repair", command.repair}}};
        case Verb::switch_:
            return change(command, "switch");
        case Verb::reverse:
            return change(command, "reverse");
        case Verb::complete:
            return change(command, "complete");
        case Verb::cancel:
            return change(command, "cancel");
        case Verb::audit:
            return {Method::get, migration + "/audit"};
        case Verb::schema_report:
            return {Method::get, "/v1/schema/changes"};
        case Verb::journal_status:
            return {Method::get, "/v1/journal"};
        case Verb::set_aside_list:
        case Verb::set_aside_export:
            return {Method::get, set_aside_path(command)};
        case Verb::set_aside_retry:
            return set_aside_order(command, "retry");
        case Verb::set_aside_resync:
            return set_aside_order(command, "resync");
        case Verb::set_aside_drop:
            return set_aside_order(command, "drop");
    }
    return {};
}

/// One command against one server.
class Session {
  public:
    Session(Command command, AdminAddress address, const Surroundings& around, std::ostream& out, std::ostream& err)
        : command_(std::move(command)),
          client_(std::move(address), around.answer_timeout),
          around_(around),
          out_(out),
          err_(err) {}

    Exit run() {
        const auto request = request_of(command_);
        auto reply = client_.send(request);
        if (!reply) return unreachable(reply.error(), request.method);
        if (reply.value().refused()) return refused(reply.value());
        if (command_.verb == Verb::copy || command_.verb == Verb::verify) return follow(std::move(reply).value());
        print(reply.value(), rendered(reply.value().document));
        const bool would_be_refused =
            truth(reply.value().document, "dry_run") && has_closed_gate(reply.value().document) && !command_.force;
        const bool missing = command_.verb == Verb::schema_report && has_missing_change(reply.value().document);
        const bool some_failed = !list(reply.value().document, "failed").empty();
        return would_be_refused || missing || some_failed ? Exit::refused : Exit::done;
    }

  private:
    void print(const Reply& reply, const std::string& for_people) {
        if (command_.format == Format::table) {
            out_ << for_people;
        } else {
            const auto end = reply.text.find_last_not_of(" \t\r\n");
            out_ << std::string_view(reply.text).substr(0, end + 1) << '\n';
        }
        out_ << std::flush;
    }

    std::string rendered(const json::value& document) const {
        switch (command_.verb) {
            case Verb::status:
                return render_status(document);
            case Verb::migration_create:
            case Verb::migration_show:
                return render_migration(document, glyphs_);
            case Verb::migration_list:
                return render_migrations(document);
            case Verb::tenant_list:
                return render_tenants(document);
            case Verb::tenant_show:
                return render_tenant(document);
            case Verb::audit:
                return render_audit(document, glyphs_);
            case Verb::schema_report:
                return render_schema_report(document);
            case Verb::journal_status:
                return render_journal(document);
            case Verb::set_aside_list:
                return render_set_aside(document);
            case Verb::set_aside_export:
                return render_set_aside_script(document);
            case Verb::set_aside_retry:
                return render_set_aside_report(document, "offered again");
            case Verb::set_aside_resync:
                return render_set_aside_report(document, "owed as resyncs of their rows");
            case Verb::set_aside_drop:
                return render_set_aside_report(document, "dropped");
            case Verb::copy:
            case Verb::verify:
                return render_job(document);
            case Verb::switch_:
            case Verb::reverse:
            case Verb::complete:
            case Verb::cancel:
                return render_change(document, command_.force, glyphs_);
        }
        return "";
    }

    /// Watches a job to its end.
    Exit follow(Reply reply) {
        const auto* id = find(reply.document, "id");
        if (!id || !id->is_number()) return unreachable({Errc::malformed, "the answer has no job id"}, Method::post);
        const auto job_id = count(reply.document, "id");
        if (command_.detach) {
            const auto& job = reply.document;
            print(reply, fmt::format("{}: {} runs as job {}; `penumbra migration show {}` tells how it goes\n",
                                     text(job, "migration"), text(job, "kind"), job_id, text(job, "migration")));
            return Exit::done;
        }
        const auto& clock = Clock::system();
        ProgressDisplay display(err_, around_, clock.now());
        auto away_until = clock.now() + around_.patience;
        bool away = false;
        Nanos pause = Millis(20);
        while (text(reply.document, "state") == "running") {
            if (!away) display.show(reply.document, clock.now());
            std::this_thread::sleep_for(pause);
            pause = std::min(pause * 3 / 2, around_.poll_interval);
            auto look = client_.send({Method::get, fmt::format("/v1/jobs/{}", job_id)});
            const bool answered = look.has_value() && look.value().status != 503;
            if (!answered) {
                if (!look && clock.now() >= away_until) return lost(job_id, display, look.error());
                if (look && clock.now() >= away_until) return refused(look.value());
                if (!away)
                    display.note(fmt::format("penumbra: {} does not answer at the moment; trying again for {} s",
                                             to_string(client_.address()),
                                             std::chrono::ceil<Seconds>(around_.patience).count()));
                away = true;
                continue;
            }
            away = false;
            away_until = clock.now() + around_.patience;
            if (look.value().refused()) {
                display.clear();
                return refused(look.value());
            }
            reply = std::move(look).value();
        }
        display.clear();
        return ended(reply);
    }

    Exit ended(const Reply& reply) {
        const auto& job = reply.document;
        print(reply, render_job(job));
        const auto state = text(job, "state");
        if (state != "done") {
            const auto* error = find(job, "error");
            const auto why = error && error->is_object() ? text(*error, "message") : text(job, "error");
            err_ << fmt::format("penumbra: the {} of {} {}{}\n", text(job, "kind"), text(job, "migration"),
                                state == "cancelled" ? "was cancelled" : "failed", why == "-" ? "" : ": " + why);
            return Exit::refused;
        }
        return command_.verb == Verb::verify && differences_left(job) > 0 ? Exit::refused : Exit::done;
    }

    Exit lost(std::uint64_t job, ProgressDisplay& display, const Error& error) {
        display.clear();
        err_ << fmt::format(
            "penumbra: lost sight of job {}, which may well go on; later, `penumbra migration show {}` tells\n", job,
            printable(command_.name));
        return unreachable(error, Method::get);
    }

    Exit refused(const Reply& reply) {
        const auto code = text(reply.document, "error/code");
        auto message = text(reply.document, "error/message");
        if (message == "-") message = fmt::format("the server answered with HTTP {} and did not say why", reply.status);
        print(reply, "");
        err_ << fmt::format("penumbra: {}{}\n", message, code == "-" ? "" : fmt::format(" ({})", code));
        err_ << render_gates(reply.document, glyphs_);
        if (code == "not_found" && command_.verb == Verb::tenant_show)
            err_ << "`penumbra tenant list` shows the tenants that a migration names.\n";
        if (code == "not_found" && command_.verb != Verb::tenant_show)
            err_ << "`penumbra migration list` shows what there is.\n";
        return Exit::refused;
    }

    static const char* origin(AdminFrom from) {
        switch (from) {
            case AdminFrom::flag:
                return "from --admin";
            case AdminFrom::variable:
                return "from PENUMBRA_ADMIN";
            case AdminFrom::standard:
                return "the default";
        }
        return "";
    }

    Exit unreachable(const Error& error, Method method) {
        const auto where = fmt::format("{} ({})", to_string(client_.address()), origin(command_.admin_from));
        std::string message;
        std::string remedy;
        if (error.code == Errc::unavailable) {
            message = fmt::format("cannot reach the admin address {}: {}", where, error.what);
            remedy =
                "Is `penumbra serve` running, and is this what its --admin says? Name another with --admin HOST:PORT "
                "or PENUMBRA_ADMIN.";
        } else if (error.code == Errc::malformed) {
            message = fmt::format("what answers at {} is not Penumbra's admin address: {}", where, error.what);
            remedy =
                "The port for CQL clients is another one. Name the one that `penumbra serve` has as --admin with "
                "--admin HOST:PORT or PENUMBRA_ADMIN.";
        } else {
            message = fmt::format("no answer from the admin address {}: {}", where, error.what);
            remedy =
                method == Method::post
                    ? "Whether it was done is not known: `penumbra status` and `penumbra migration show NAME` tell."
                    : "Is `penumbra serve` in trouble? Its log tells. Another admin address is named with --admin "
                      "HOST:PORT or PENUMBRA_ADMIN.";
        }
        if (command_.format == Format::json) {
            const auto code = error.code == Errc::timeout ? Errc::timeout : Errc::unavailable;
            out_ << json::serialize(json::object{{"error", {{"code", to_string(code)}, {"message", message}}}})
                 << std::endl;
        }
        err_ << fmt::format("penumbra: {}\n{}\n", message, remedy);
        return Exit::unreachable;
    }

    Command command_;
    AdminClient client_;
    const Surroundings& around_;
    const Glyphs glyphs_ = Glyphs::of(around_.terminal.utf8);
    std::ostream& out_;
    std::ostream& err_;
};

Exit run_verb(std::span<const std::string> args, const Surroundings& around, std::ostream& out, std::ostream& err) {
    auto parsed = parse_command_line(args, around);
    if (const auto* say = std::get_if<Say>(&parsed)) {
        (say->exit == Exit::done ? out : err) << say->text << std::flush;
        return say->exit;
    }
    auto& command = std::get<Command>(parsed);
    auto address = AdminAddress::parse(command.admin);
    if (!address) {
        err << fmt::format("penumbra: {}: {}\n",
                           command.admin_from == AdminFrom::variable ? "PENUMBRA_ADMIN" : "--admin",
                           address.error().what);
        return Exit::usage;
    }
    return Session(std::move(command), std::move(address).value(), around, out, err).run();
}

}  // namespace

Exit run(std::span<const std::string> args, const Surroundings& around, std::ostream& out, std::ostream& err) {
    try {
        return run_verb(args, around, out, err);
    } catch (const std::exception& unexpected) {
        // Out of memory, or a library that throws where its documentation says it does not.
        err << fmt::format("penumbra: {}\n", unexpected.what());
        return Exit::refused;
    }
}

}  // namespace penumbra::cli
