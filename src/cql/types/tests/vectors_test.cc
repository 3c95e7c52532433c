// Agreement with other implementations: Cassandra's type classes (data/cassandra.txt), the Python driver
// (data/driver.txt), tokens and shards of real servers. Each file's head script says how it was made.
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cql/types/elements.h"
#include "cql/types/token.h"
#include "cql/types/type.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

std::vector<std::vector<std::string>> lines_of(const std::string& file, char separator) {
    const char* root = std::getenv("PENUMBRA_SOURCE_DIR");
    std::ifstream in(std::string(root ? root : ".") + "/src/cql/types/tests/data/" + file);
    EXPECT_TRUE(in.is_open()) << file;
    std::vector<std::vector<std::string>> lines;
    for (std::string line; std::getline(in, line);) {
        std::vector<std::string> parts(1);
        for (const char c : line) {
            if (c == separator) {
                parts.emplace_back();
            } else {
                parts.back() += c;
            }
        }
        lines.push_back(std::move(parts));
    }
    EXPECT_GT(lines.size(), 30u) << file;
    return lines;
}

std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const char c = text[++i];
        out += c == 't' ? '\t' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
    }
    return out;
}

Bytes bytes(const std::string& hex) {
    return hex == "-" ? Bytes() : from_hex(hex).value();
}

TypePtr type(const std::string& cql) {
    auto parsed = parse_type(cql, "", no_udts);
    EXPECT_TRUE(parsed.has_value()) << cql;
    return parsed.value();
}

/// What Cassandra refuses and we take, because ScyllaDB does or no harm comes of it: nothing is ever sent because of
/// it.
bool taken_by_us_alone(const std::string& type, const std::string& text) {
    static const std::set<std::string> kTexts{
        "2020-2-3",  // ScyllaDB takes single digits
    };
    if (kTexts.contains(text)) return true;
    if (type == "timestamp" && (text.ends_with("GMT") || text.find(" 4:5") != std::string::npos ||
                                text.find("T4:5") != std::string::npos || text.find(":05:6") != std::string::npos)) {
        return true;
    }
    return false;
}

TEST(Cassandra, TextsMeanTheSame) {
    std::size_t compared = 0;
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "parse") continue;
        const auto text = unescape(line[2]);
        const auto result = from_text(*type(line[1]), text);
        ++compared;
        if (line[3] == "error") {
            if (!taken_by_us_alone(line[1], text)) {
                EXPECT_FALSE(result.has_value()) << line[1] << " '" << text << "' gave " << to_hex(result.value());
            }
        } else if (!text.empty()) {  // no text at all is Cassandra's empty value
            ASSERT_TRUE(result.has_value()) << line[1] << " '" << text << "': " << to_string(result.error());
            EXPECT_EQ(to_hex(result.value()), line[3]) << line[1] << " '" << text << "'";
        }
    }
    EXPECT_GT(compared, 500u);
}

TEST(Cassandra, OrdersTheSame) {
    std::size_t compared = 0;
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "order") continue;
        const auto t = type(line[1]);
        const auto a = bytes(line[2]);
        const auto b = bytes(line[3]);
        const int expected = std::stoi(line[4]);
        const auto order = compare_values(*t, a, b);
        EXPECT_EQ(order < 0 ? -1 : order > 0 ? 1 : 0, expected) << line[1] << ' ' << line[2] << ' ' << line[3];
        const auto back = compare_values(*t, b, a);
        EXPECT_EQ(back < 0 ? 1 : back > 0 ? -1 : 0, expected) << line[1] << ' ' << line[3] << ' ' << line[2];
        EXPECT_EQ(equal_values(*t, a, b), expected == 0) << line[1] << ' ' << line[2] << ' ' << line[3];
        ++compared;
    }
    EXPECT_GT(compared, 2000u);
}

TEST(Cassandra, ValidatesTheSame) {
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "valid") continue;
        EXPECT_EQ(validate(*type(line[1]), bytes(line[2])).has_value(), line[3] == "yes") << line[1] << ' ' << line[2];
    }
}

/// Our literals differ in form (zone, digits), so they are compared by what they mean; Cassandra's own must parse too.
TEST(Cassandra, LiteralsMeanTheSame) {
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "literal") continue;
        const auto t = type(line[1]);
        const auto value = bytes(line[2]);
        const auto ours = to_literal(*t, value);
        ASSERT_TRUE(ours.has_value()) << line[1] << ' ' << line[2] << ": " << to_string(ours.error());
        const auto back = from_literal(*t, ours.value());
        ASSERT_TRUE(back.has_value()) << ours.value() << ": " << to_string(back.error());
        EXPECT_EQ(to_hex(back.value()), line[2] == "-" ? "" : line[2]) << line[1] << ' ' << ours.value();
        const bool cassandra_slips = (line[1] == "time" && line[3].find("-") != std::string::npos) ||
                                     (line[1] == "boolean" && value[0] > 1) ||
                                     (line[1] == "time" && load_be<std::int64_t>(value.data()) >= 86'400'000'000'000) ||
                                     (line[1] == "timestamp" && line[3].size() > 30);
        if (cassandra_slips) continue;
        const auto theirs = from_literal(*t, unescape(line[3]));
        ASSERT_TRUE(theirs.has_value()) << line[1] << ' ' << line[3] << ": " << to_string(theirs.error());
        EXPECT_EQ(to_hex(theirs.value()), line[2]) << line[1] << ' ' << line[3];
    }
}

TEST(Cassandra, ClassNamesMeanTheSameTypes) {
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "class") continue;
        const auto parsed = parse_marshal_class(line[1]);
        ASSERT_TRUE(parsed.has_value()) << line[1] << ": " << to_string(parsed.error());
        EXPECT_EQ(to_cql(*parsed.value()), line[2]) << line[1];
        const auto again = parse_marshal_class(to_marshal_class(*parsed.value()));
        ASSERT_TRUE(again.has_value());
        EXPECT_TRUE(same_type(*parsed.value(), *again.value())) << line[1];
        EXPECT_EQ(to_cql(*again.value()), line[2]);
    }
}

TEST(Cassandra, SameTypesHaveAFixedSize) {
    for (const auto& line : lines_of("cassandra.txt", '\t')) {
        if (line[0] != "fixed") continue;
        EXPECT_EQ(fixed_size(*type(line[1])), std::stoul(line[2])) << line[1];
    }
}

TEST(PythonDriver, LiteralsMeanTheBytesThatItSends) {
    for (const auto& line : lines_of("driver.txt", '\t')) {
        ASSERT_EQ(line.size(), 3u);
        const auto t = type(line[0]);
        const auto value = bytes(line[2]);
        const auto parsed = from_literal(*t, unescape(line[1]));
        ASSERT_TRUE(parsed.has_value()) << line[0] << ' ' << line[1] << ": " << to_string(parsed.error());
        // The driver makes the shortest of what Cassandra takes for a duration or tuple; so do we.
        EXPECT_EQ(to_hex(parsed.value()), to_hex(value)) << line[0] << ' ' << line[1];
        EXPECT_TRUE(validate(*t, value).has_value()) << line[0] << ' ' << line[1];
        const auto again = to_literal(*t, value);
        ASSERT_TRUE(again.has_value()) << line[0] << ' ' << line[1];
        EXPECT_EQ(to_hex(from_literal(*t, again.value()).value()), to_hex(value)) << again.value();
    }
}

TEST(Tokens, OfKeysOnRealServers) {
    for (const auto& line : lines_of("tokens.txt", ' ')) {
        std::vector<Bytes> values(1);
        std::vector<std::string> texts(1);
        for (const char c : line[0]) {
            if (c == ',') {
                texts.emplace_back();
            } else {
                texts.back() += c;
            }
        }
        values.clear();
        for (const auto& text : texts) values.push_back(bytes(text));
        const std::vector<BytesView> views(values.begin(), values.end());
        Bytes key;
        ASSERT_TRUE(append_partition_key(views, key).has_value());
        EXPECT_EQ(to_hex(key), line[1]);
        const auto parts = split_partition_key(key, views.size());
        ASSERT_TRUE(parts.has_value());
        for (std::size_t i = 0; i < views.size(); ++i) EXPECT_TRUE(equal(parts.value()[i], views[i]));
        const auto token = murmur3_token(key);
        EXPECT_EQ(token.value(), std::stoll(line[2])) << line[1];
        const std::uint32_t shards[] = {1, 2, 3, 7, 8, 64};
        for (std::size_t i = 0; i < 6; ++i)
            EXPECT_EQ(shard_of(token, shards[i], 12), std::stoul(line[3 + i])) << line[1];
    }
}

TEST(Tokens, ShardThatAServerTraced) {
    for (const auto& line : lines_of("shards.txt", ' '))
        EXPECT_EQ(shard_of(Token(std::stoll(line[0])), 2, 12), std::stoul(line[1]));
}

}  // namespace
}  // namespace penumbra::cql
