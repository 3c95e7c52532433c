#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"

/// The verbs that talk to a running `penumbra serve`: docs/admin-api.md.
namespace penumbra::cli {

/// What the process ends with.
enum class Exit : int {
    done = 0,
    refused = 1,      ///< the server refused, the job failed, or differences are left
    usage = 2,        ///< the command line is wrong
    unreachable = 3,  ///< nobody answered on the admin address
};

/// What the streams are connected to.
struct Terminal {
    bool errors_are_terminal = false;  ///< progress goes there: a bar that redraws itself, or plain lines
    bool utf8 = false;
    std::size_t width = 80;

    /// Of this process: isatty, TIOCGWINSZ, LC_ALL, LC_CTYPE, LANG.
    static Terminal detect();
};

/// A verb that main runs itself (serve, convert, plan): here only for the list in `penumbra --help`.
struct OtherVerb {
    std::string name;
    std::string summary;
};

struct Surroundings {
    std::string version;
    std::vector<OtherVerb> other_verbs;
    Terminal terminal;
    std::string admin_variable;          ///< the value of PENUMBRA_ADMIN, empty when it is not set
    Nanos answer_timeout = Seconds(60);  ///< for one request; a switch waits for the requests in flight
    Nanos poll_interval = Millis(250);   ///< between two looks at a job
    Nanos patience = Seconds(30);        ///< a job's server may be away for so long: a restart takes a copy up again
    Nanos quiet_time = Seconds(1);       ///< no progress is shown before
    Nanos line_interval = Seconds(5);    ///< between two lines of progress where there is no terminal
};

/// `penumbra ARGS`, without the program's name. The answer goes to `out`, with `-o json` as exactly one JSON document;
/// progress and complaints go to `err`. Blocks until the verb is done; no exception leaves it.
Exit run(std::span<const std::string> args, const Surroundings& around, std::ostream& out, std::ostream& err);

}  // namespace penumbra::cli
