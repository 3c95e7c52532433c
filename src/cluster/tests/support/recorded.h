#pragma once

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace penumbra::cluster::testing {

/// What a real server was asked, and its answer byte for byte (tests/recordings; the build unpacks them).
struct Recorded {
    std::string step;  ///< scenario/number: the same one on every server
    std::string text;  ///< "OPTIONS", or that of the QUERY
    Bytes answer;      ///< a whole frame of v4

    std::string_view scenario() const { return std::string_view(step).substr(0, step.find('/')); }
};

inline constexpr const char* kRecordedServers[] = {"cassandra-4.1", "cassandra-5.0", "scylla-5.2"};

inline std::vector<Recorded> recorded(const std::string& server) {
    std::ifstream in(std::string(PENUMBRA_GOLDEN "/") + server + ".exchanges.txt");
    EXPECT_TRUE(in.is_open()) << server;
    std::vector<Recorded> found;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string step, text, answer;
        words >> step >> text >> answer;
        found.push_back({step, std::string(text_of(from_hex(text).value())), from_hex(answer).value()});
    }
    EXPECT_GT(found.size(), 500U) << server;
    return found;
}

/// The first answer to this text.
inline Bytes answer_to(const std::vector<Recorded>& all, std::string_view text) {
    const auto found = std::ranges::find(all, text, &Recorded::text);
    EXPECT_NE(found, all.end()) << text;
    return found == all.end() ? Bytes() : found->answer;
}

}  // namespace penumbra::cluster::testing
