#include "base/inject.h"

#ifdef PENUMBRA_FAULTS

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <map>
#include <string>

namespace penumbra {

namespace {

struct Fault {
    std::uint64_t every = 0;
    std::atomic<std::uint64_t> passes{0};
};

std::map<std::string, Fault, std::less<>> read_environment() {
    std::map<std::string, Fault, std::less<>> faults;
    const char* text = std::getenv("PENUMBRA_INJECT");
    std::string_view rest = text ? text : "";
    while (!rest.empty()) {
        const auto one = rest.substr(0, rest.find(','));
        rest.remove_prefix(one.size() == rest.size() ? one.size() : one.size() + 1);
        const auto equals = one.find('=');
        std::uint64_t every = 1;
        if (equals != std::string_view::npos) std::from_chars(one.data() + equals + 1, one.data() + one.size(), every);
        faults[std::string(one.substr(0, equals))].every = every;
    }
    return faults;
}

}  // namespace

bool injected(std::string_view name) {
    static auto faults = read_environment();
    const auto found = faults.find(name);
    return found != faults.end() && found->second.every != 0 && ++found->second.passes % found->second.every == 0;
}

}  // namespace penumbra

#endif
