// Frames of real servers (tests/recordings) and of the Python driver (data/), decoded and encoded again.
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/tests/encode_again.h"
#include "cql/types/elements.h"
#include "cql/types/value.h"

namespace penumbra::cql {
namespace {

constexpr const char* kServers[] = {"cassandra-4.1", "cassandra-5.0", "scylla-5.2"};

struct Golden {
    std::string step;
    std::string answer;  ///< requests: the server's error code, "ok" or "none"
    Bytes bytes;
};

std::vector<Golden> load(const std::string& file, std::size_t columns) {
    std::ifstream in(std::string(PENUMBRA_GOLDEN "/") + file + ".txt");
    EXPECT_TRUE(in.is_open()) << file;
    std::vector<Golden> frames;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        Golden golden;
        std::string hex;
        words >> golden.step;
        if (columns == 3) words >> golden.answer;
        words >> hex;
        golden.bytes = from_hex(hex).value();
        frames.push_back(std::move(golden));
    }
    EXPECT_GT(frames.size(), 500u) << file;
    return frames;
}

/// The body cut to `size` bytes, with a header that says so, in memory of its own so that ASan sees any step outside.
Bytes cut_body(BytesView frame, std::size_t size) {
    Bytes bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(kHeaderSize + size));
    bytes.shrink_to_fit();
    store_be(bytes.data() + kLengthAt, static_cast<std::uint32_t>(size));
    return bytes;
}

class Responses : public testing::TestWithParam<const char*> {};

TEST_P(Responses, ComeBackByteForByte) {
    std::map<Opcode, int> opcodes;
    for (const auto& golden : load(GetParam(), 2)) {
        SCOPED_TRACE(golden.step);
        if ((golden.bytes[0] & 0x7F) < 3 || (golden.bytes[0] & 0x7F) > 5) continue;  // answers to v1, v2 and v6
        const auto frame = view_frame(golden.bytes, Direction::response);
        ASSERT_TRUE(frame.has_value()) << to_string(frame.error());
        if (frame.value().is_compressed()) {
            EXPECT_EQ(encode_again(frame.value()).error().what, "the frame has to be decompressed first");
            continue;
        }
        const auto again = encode_again(frame.value());
        ASSERT_TRUE(again.has_value()) << to_string(again.error()) << ' ' << to_hex(golden.bytes);
        EXPECT_EQ(to_hex(again.value()), to_hex(golden.bytes));
        ++opcodes[frame.value().header.opcode];
    }
    EXPECT_GT(opcodes[Opcode::error], 20);
    EXPECT_GT(opcodes[Opcode::result], 200);
    EXPECT_GT(opcodes[Opcode::event], 5);
    EXPECT_GT(opcodes[Opcode::supported], 0);
    EXPECT_GT(opcodes[Opcode::ready], 0);
}

TEST_P(Responses, EveryTruncationIsAnError) {
    std::size_t bytes = 0;
    for (const auto& golden : load(GetParam(), 2)) {
        SCOPED_TRACE(golden.step);
        // Of long ones a fair sample: they are many and much alike.
        if (golden.bytes.size() > 120 && (bytes += golden.bytes.size()) < 8'000) continue;
        if (golden.bytes.size() > 120) bytes = 0;
        const auto scan = next_frame(golden.bytes, Direction::response);
        if (scan.verdict != FrameVerdict::complete || scan.frame.is_compressed()) continue;
        const auto body = scan.frame.body().size();
        const std::size_t step = body > 600 ? body / 200 : 1;
        for (std::size_t size = 0; size < body; size += step) {
            const auto cut = cut_body(golden.bytes, size);
            const auto frame = view_frame(cut, Direction::response).value();
            const auto result = encode_again(frame);
            EXPECT_FALSE(result.has_value()) << size << " of " << body;
            read_all(cut);
        }
    }
}

TEST_P(Responses, RowsHoldValuesOfTheirTypes) {
    std::size_t cells = 0;
    for (const auto& golden : load(GetParam(), 2)) {
        SCOPED_TRACE(golden.step);
        const auto frame = view_frame(golden.bytes, Direction::response);
        if (!frame || frame.value().is_compressed() || frame.value().header.opcode != Opcode::result) continue;
        const auto kind = peek_result_kind(frame.value());
        ASSERT_TRUE(kind.has_value());
        if (kind.value() == ResultKind::prepared) {
            const auto prepared = decode_prepared(frame.value());
            ASSERT_TRUE(prepared.has_value());
            EXPECT_TRUE(equal(peek_prepared(frame.value()).value().id, prepared.value().id));
        }
        if (kind.value() != ResultKind::rows) continue;
        const auto view = decode_rows(frame.value()).value();
        const auto peek = peek_rows(frame.value()).value();
        EXPECT_EQ(peek.has_more_pages(), view.metadata.paging_state.has_value());
        EXPECT_EQ(peek.paging_state, view.metadata.paging_state);
        const auto rows = Rows::from(frame.value()).value();
        EXPECT_EQ(rows.size(), view.row_count());
        std::size_t row = 0;
        view.for_each([&](std::span<const CellView> values) {
            for (std::size_t i = 0; i < values.size(); ++i) {
                EXPECT_EQ(rows.cell(row, i), values[i]);
                if (view.metadata.columns.empty() || !values[i].has_value()) continue;
                const auto& type = *view.metadata.columns[i].type;
                const auto value = values[i].bytes();
                ++cells;
                // Each value says what it is, and what it says means it. (CQL-FACTS 4.1: empty and odd values of one
                // kind of server come as blobAs…(0x…) or, for nulls inside collections, not at all.)
                const auto literal = to_literal(type, value);
                // ScyllaDB takes a decimal too short to have a scale.
                if (!literal && type.kind == TypeKind::decimal && value.size() < 4) continue;
                if (!literal) {
                    ADD_FAILURE() << to_cql(type) << ' ' << to_hex(value) << ": " << to_string(literal.error());
                    continue;
                }
                const auto back = from_literal(type, literal.value());
                if (literal.value().find("null") != std::string::npos && !back) continue;
                if (!back) {
                    ADD_FAILURE() << to_cql(type) << ' ' << literal.value() << ": " << to_string(back.error());
                    continue;
                }
                EXPECT_TRUE(equal_values(type, value, back.value())) << to_cql(type) << ' ' << literal.value();
                // A short tuple or UDT comes back as long as it could be.
                const bool may_be_short = to_marshal_class(type).find("TupleType") != std::string::npos ||
                                          to_marshal_class(type).find("UserType") != std::string::npos;
                const bool unsorted =
                    type.kind == TypeKind::map || type.kind == TypeKind::set;  // ScyllaDB's virtual tables
                EXPECT_TRUE(may_be_short || unsorted || equal(back.value(), value))
                    << to_cql(type) << " " << literal.value();
            }
            ++row;
        });
        EXPECT_EQ(row, view.row_count());
    }
    EXPECT_GT(cells, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Golden, Responses, testing::ValuesIn(kServers), [](const auto& test) {
    std::string name = test.param;
    for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
});

/// Takes the frames of one line: some steps send several at once.
void for_each_request(const std::function<void(const Golden&, const FrameView&)>& look) {
    for (const auto& golden : load("requests", 3)) {
        SCOPED_TRACE(golden.step);
        BytesView rest = golden.bytes;
        while (!rest.empty()) {
            const auto scan = next_frame(rest, Direction::request);
            if (scan.verdict != FrameVerdict::complete) break;
            if (!scan.frame.is_compressed()) look(golden, scan.frame);
            rest = rest.subspan(scan.total);
        }
    }
}

TEST(Requests, ComeBackByteForByte) {
    std::map<Opcode, int> opcodes;
    std::map<std::string, int> refused;
    for_each_request([&](const Golden& golden, const FrameView& frame) {
        const auto again = encode_again(frame);
        if (!again) {
            // What we cannot read, a server refused or did not answer.
            EXPECT_NE(golden.answer, "ok") << to_string(again.error()) << ' ' << to_hex(frame.whole);
            ++refused[golden.answer];
            return;
        }
        ++opcodes[frame.header.opcode];
        if (to_hex(again.value()) == to_hex(frame.whole)) return;
        // Recorded on purpose: bytes behind the message, an unset that v3 takes for null, flags that mean nothing.
        const bool v3_unset =
            frame.version() == ProtocolVersion::v3 && to_hex(frame.whole).find("fffffffe") != std::string::npos;
        const bool idle_flag = golden.step == "prepared/202" || golden.step == "v5/059";
        EXPECT_TRUE(golden.answer != "ok" || v3_unset || idle_flag || again.value().size() < frame.whole.size())
            << to_hex(again.value()) << '\n'
            << to_hex(frame.whole);
    });
    EXPECT_GT(opcodes[Opcode::query], 500);
    EXPECT_GT(opcodes[Opcode::prepare], 50);
    EXPECT_GT(opcodes[Opcode::execute], 100);
    EXPECT_GT(opcodes[Opcode::batch], 10);
    EXPECT_GT(opcodes[Opcode::startup], 2);
    for (const auto& [answer, count] : refused) EXPECT_LT(count, 40) << answer;
}

TEST(Requests, EveryTruncationIsAnError) {
    for_each_request([&](const Golden&, const FrameView& frame) {
        const auto whole = encode_again(frame);
        if (!whole || frame.header.opcode == Opcode::options) return;
        const auto needed = whole.value().size() - kHeaderSize;
        const std::size_t step = needed > 600 ? needed / 200 : 1;
        for (std::size_t size = 0; size < std::min(needed, frame.body().size()); size += step) {
            const auto cut = cut_body(frame.whole, size);
            const auto result = encode_again(view_frame(cut, Direction::request).value());
            // Of a v5 PREPARE the flags may be missing, as they may to Cassandra.
            const bool bare = frame.header.opcode == Opcode::prepare && frame.version() == ProtocolVersion::v5 &&
                              size == 4 + decode_prepare(frame).value().query.size();
            EXPECT_TRUE(bare || !result.has_value()) << size << " of " << to_hex(frame.whole);
            read_all(cut);
        }
    });
}

TEST(Requests, ArriveByteByByte) {
    for_each_request([&](const Golden&, const FrameView& frame) {
        std::size_t needed = 0;
        for (std::size_t have = 0; have < frame.whole.size(); ++have) {
            const Bytes part(frame.whole.begin(), frame.whole.begin() + static_cast<std::ptrdiff_t>(have));
            const auto scan = next_frame(part, Direction::request);
            ASSERT_EQ(scan.verdict, FrameVerdict::incomplete);
            ASSERT_GT(scan.total, have);
            ASSERT_GE(scan.total, needed);
            needed = scan.total;
            ASSERT_EQ(scan.total, have < kHeaderSize ? kHeaderSize : frame.whole.size());
        }
    });
}

TEST(AnyFrame, WithABitFlippedStaysInside) {
    std::mt19937 random(3);
    for (const auto* file : {"requests", "scylla-5.2", "cassandra-5.0"}) {
        for (const auto& golden : load(file, std::string(file) == "requests" ? 3 : 2)) {
            for (int i = 0; i < 4 && golden.bytes.size() > kHeaderSize; ++i) {
                Bytes bytes = golden.bytes;
                const auto at = random() % bytes.size();
                if (at >= kLengthAt && at < kHeaderSize) continue;
                bytes[at] ^= static_cast<Byte>(1u << random() % 8);
                read_all(bytes);
            }
        }
    }
}

// ---- the Python driver

std::string describe(const ValuesView& values) {
    std::string out = "[";
    for (const auto bound : values) {
        if (out.size() > 1) out += ",";
        out += bound.value.is_null() ? "null" : bound.value.is_unset() ? "unset" : to_hex(bound.value.bytes());
    }
    return out + "]";
}

std::string describe(const ParametersView& p) {
    auto out = "cl=" + std::to_string(static_cast<int>(p.consistency)) + " values=" + describe(p.values);
    if (p.page_size) out += " page=" + std::to_string(*p.page_size);
    if (p.paging_state) out += " state=" + to_hex(p.paging_state->bytes());
    if (p.serial_consistency) out += " serial=" + std::to_string(static_cast<int>(*p.serial_consistency));
    if (p.timestamp) out += " ts=" + std::to_string(*p.timestamp);
    if (p.keyspace) out += " ks=" + std::string(*p.keyspace);
    if (p.has(query_flag::kSkipMetadata)) out += " skip";
    return out;
}

std::string describe(const FrameView& frame) {
    std::string out(to_string(frame.header.opcode));
    switch (frame.header.opcode) {
        case Opcode::startup: {
            const auto startup = decode_startup(frame).value();
            for (const auto& [key, value] : startup.options) out += " " + std::string(key) + "=" + std::string(value);
            return out;
        }
        case Opcode::auth_response:
            return out + " " + to_hex(decode_auth_response(frame).value().token.bytes());
        case Opcode::register_: {
            const auto registration = decode_register(frame).value();
            for (const auto event : registration.events) out += " " + std::string(event);
            return out;
        }
        case Opcode::prepare: {
            const auto prepare = decode_prepare(frame).value();
            return out + " " + std::string(prepare.query) +
                   (prepare.keyspace ? " ks=" + std::string(*prepare.keyspace) : "");
        }
        case Opcode::query: {
            const auto query = decode_query(frame).value();
            return out + " " + std::string(query.query) + " " + describe(query.parameters);
        }
        case Opcode::execute: {
            const auto execute = decode_execute(frame).value();
            out += " " + to_hex(execute.id);
            if (execute.result_metadata_id) out += " " + to_hex(*execute.result_metadata_id);
            return out + " " + describe(execute.parameters);
        }
        case Opcode::batch: {
            const auto batch = decode_batch(frame).value();
            out += " " + std::string(to_string(batch.type));
            for (const auto child : batch.children) {
                out += child.prepared ? " id:" + to_hex(child.id) : " text:" + std::string(child.query);
                out += describe(child.values);
            }
            return out + " " + describe(batch.parameters);
        }
        default:
            return out;
    }
}

TEST(PythonDriver, AskedForWhatWeRead) {
    const char* root = std::getenv("PENUMBRA_SOURCE_DIR");
    std::ifstream in(std::string(root ? root : ".") + "/src/cql/protocol/tests/data/driver.txt");
    std::size_t count = 0;
    for (std::string line; std::getline(in, line); ++count) {
        const auto space = line.find(' ');
        const auto bytes = from_hex(line.substr(0, space)).value();
        const auto frame = view_frame(bytes, Direction::request).value();
        EXPECT_EQ("v" + std::to_string(frame.header.version_number()) + " " + describe(frame), line.substr(space + 1));
        EXPECT_EQ(frame.header.stream, 7);
        const auto again = encode_again(frame);
        ASSERT_TRUE(again.has_value()) << line;
        EXPECT_EQ(to_hex(again.value()), line.substr(0, space)) << line;
    }
    EXPECT_GT(count, 300u);
}

}  // namespace
}  // namespace penumbra::cql
