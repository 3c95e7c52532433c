#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

namespace penumbra::cli {

namespace {

/// As setlocale(3) chooses: the first that is set and not empty.
bool locale_is_utf8() {
    for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(variable);
        if (!value || !*value) continue;
        std::string name(value);
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        return name.find("utf-8") != std::string::npos || name.find("utf8") != std::string::npos;
    }
    return false;
}

}  // namespace

Terminal Terminal::detect() {
    Terminal terminal;
    const char* kind = std::getenv("TERM");
    terminal.errors_are_terminal = ::isatty(STDERR_FILENO) == 1 && !(kind && std::string_view(kind) == "dumb");
    terminal.utf8 = locale_is_utf8();
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
    return terminal;
}

}  // namespace penumbra::cli
