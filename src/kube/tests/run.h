#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kube/command.h"

namespace penumbra::kube {

inline std::string data_path(const std::string& name) {
    const char* root = std::getenv("PENUMBRA_SOURCE_DIR");
    return std::string(root ? root : ".") + "/src/kube/tests/data/" + name;
}

inline std::string slurp(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

struct Ran {
    int status = 0;
    std::string out;
    std::string err;
};

/// Runs `penumbra convert ...` or `penumbra plan ...` as it would be typed. A word like @name is a file of tests/data.
inline Ran run(const std::string& line, const std::string& input = {}) {
    std::istringstream words(line);
    std::vector<std::string> args;
    std::string word;
    while (words >> word) args.push_back(word.starts_with('@') ? data_path(word.substr(1)) : word);
    EXPECT_GE(args.size(), 2u);
    EXPECT_EQ(args[0], "penumbra");
    const std::vector<std::string_view> views(args.begin() + 2, args.end());
    std::istringstream in(input);
    std::ostringstream out, err;
    Ran ran;
    ran.status = args[1] == "plan" ? run_plan(views, in, out, err) : run_convert(views, in, out, err);
    ran.out = out.str();
    ran.err = err.str();
    return ran;
}

/// Compares with tests/data/golden/NAME; PENUMBRA_UPDATE_GOLDEN=1 writes it instead, for a diff to be read.
inline void expect_golden(const std::string& name, std::string actual) {
    const auto directory = data_path("");
    for (std::size_t at = 0; (at = actual.find(directory, at)) != std::string::npos;)
        actual.erase(at, directory.size());
    const auto path = data_path("golden/" + name);
    if (std::getenv("PENUMBRA_UPDATE_GOLDEN")) {
        std::ofstream(path, std::ios::binary) << actual;
        return;
    }
    EXPECT_EQ(actual, slurp(path)) << "golden/" << name << " differs; PENUMBRA_UPDATE_GOLDEN=1 writes it anew";
}

}  // namespace penumbra::kube
