#include "load/process.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

namespace penumbra::bench {

Result<CpuTime> cpu_time_of(std::span<const int> pids) {
    const Nanos tick = Nanos(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK);
    CpuTime sum;
    for (const int pid : pids) {
        const auto path = fmt::format("/proc/{}/stat", pid);
        std::ifstream file(path);
        std::string line;
        if (!std::getline(file, line)) return fail(system_error("read", path, errno));
        // The second field is the program's name in parentheses, which may hold anything; the 14th and 15th are ours.
        std::istringstream rest(line.substr(line.rfind(')') + 1));
        std::string skipped;
        for (int field = 3; field < 14; ++field) rest >> skipped;
        long user = 0;
        long system = 0;
        if (!(rest >> user >> system)) return fail(Errc::malformed, fmt::format("{} says: {}", path, line));
        sum.user += user * tick;
        sum.system += system * tick;
    }
    return sum;
}

}  // namespace penumbra::bench
