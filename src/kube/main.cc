// The two verbs as a program of their own, for tests and for trying things out; the penumbra program has them too.
#include <iostream>
#include <string_view>
#include <vector>

#include "kube/command.h"

int main(int argc, char** argv) {
    const std::vector<std::string_view> args(argv + 1, argv + argc);
    if (!args.empty() && args[0] == "convert")
        return penumbra::kube::run_convert(std::span(args).subspan(1), std::cin, std::cout, std::cerr);
    if (!args.empty() && args[0] == "plan")
        return penumbra::kube::run_plan(std::span(args).subspan(1), std::cin, std::cout, std::cerr);
    std::cerr << "usage: kube_driver convert|plan ...\n";
    return 2;
}
