#include "cql/protocol/frame_edit.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/rows.h"
#include "cql/types/scalars.h"

namespace penumbra::cql {
namespace {

FrameView view(const Bytes& bytes) {
    return view_frame(bytes, Direction::request).value();
}

Bytes written(const FrameEdit& edit) {
    Bytes out{0xAA};  // appended to what is there
    edit.append_to(out);
    EXPECT_EQ(out.size(), edit.size() + 1);
    out.erase(out.begin());
    EXPECT_TRUE(view_frame(out, Direction::request).has_value());
    return out;
}

/// The parameters of a request to encode, owned, so that the expected frame can be made from changed ones.
struct Wanted {
    Consistency consistency = Consistency::quorum;
    std::vector<CellView> values;
    std::vector<std::string_view> names;
    Parameters rest;

    Parameters get() const {
        auto p = rest;
        p.consistency = consistency;
        p.values = values;
        p.names = names;
        return p;
    }
};

const Bytes kValue = encode_text("value");
const Bytes kState = encode_text("a paging state");
const Bytes kId(16, 0x11);
const Bytes kMetadataId(16, 0x22);

Wanted random_parameters(std::mt19937& random, ProtocolVersion version) {
    Wanted wanted;
    const auto coin = [&] { return random() % 2 == 0; };
    if (coin()) {
        const bool named = coin();
        static const std::string_view kNames[] = {"a", "bb", "", "dddd"};
        const auto count = random() % 4;
        for (std::size_t i = 0; i < count; ++i) {
            const CellView choices[] = {CellView::null(), CellView::unset(), kValue, Bytes()};
            wanted.values.push_back(choices[random() % (version == ProtocolVersion::v3 ? 1 : 3)]);
            if (named) wanted.names.push_back(kNames[i]);
        }
        wanted.rest.empty_values = count == 0;
    }
    wanted.rest.skip_metadata = coin();
    if (coin()) wanted.rest.page_size = 100;
    if (coin()) wanted.rest.paging_state = coin() ? CellView(kState) : CellView::null();
    if (coin()) wanted.rest.serial_consistency = Consistency::local_serial;
    if (coin()) wanted.rest.timestamp = -7;
    if (coin()) wanted.rest.keyspace = coin() ? "ks" : "";
    if (coin()) wanted.rest.now_in_seconds = 1;
    return wanted;
}

class FrameEdits : public testing::TestWithParam<unsigned> {};

/// Any edits together make the frame that encoding the changed request would have made, in whatever order they are
/// asked for.
TEST_P(FrameEdits, MakeWhatEncodingWould) {
    std::mt19937 random(GetParam());
    FrameEdit edit;
    for (int round = 0; round < 400; ++round) {
        const auto version = kAllVersions[random() % 3];
        const bool execute = random() % 2 == 0;
        auto wanted = random_parameters(random, version);
        Bytes id = kId;
        Bytes metadata_id = kMetadataId;
        std::string text = random() % 4 == 0 ? "" : "SELECT * FROM t WHERE k = ?";
        RequestHead head{version, static_cast<std::int16_t>(random()), header_flag::kTracing};
        if (version != ProtocolVersion::v3 && random() % 2) head.payload = {{"key", kValue}, {"", CellView::null()}};

        const auto encode = [&] {
            Bytes out;
            if (execute) {
                encode_execute(out, head, id, metadata_id, wanted.get());
            } else {
                encode_query(out, head, text, wanted.get());
            }
            return out;
        };
        const auto original = encode();
        const auto frame = view(original);
        const auto executed = execute ? decode_execute(frame) : Result<ExecuteView>(ExecuteView{});
        const auto queried = execute ? Result<QueryView>(QueryView{}) : decode_query(frame);
        const auto& parameters = execute ? executed.value().parameters : queried.value().parameters;
        const auto& prefix = execute ? executed.value().prefix : queried.value().prefix;
        edit.reset(frame);

        std::vector<int> edits{0, 1, 2, 3, 4, 5, 6, 7};
        std::shuffle(edits.begin(), edits.end(), random);
        edits.resize(random() % (edits.size() + 1));
        for (const int which : edits) {
            switch (which) {
                case 0:
                    edit.add_timestamp(parameters, 42);
                    if (!wanted.rest.timestamp) wanted.rest.timestamp = 42;
                    break;
                case 1: {
                    static const Bytes kLonger(20, 0x33);
                    const BytesView chosen = random() % 2 ? BytesView(kLonger) : BytesView(kLonger).first(16);
                    if (execute) {
                        edit.replace_id(executed.value(), chosen);
                        id.assign(chosen.begin(), chosen.end());
                    } else {
                        text = random() % 2 ? "a longer text than there was, by some" : "";
                        edit.replace_query(queried.value(), text);
                    }
                    break;
                }
                case 2: {
                    const bool remove = random() % 3 == 0;
                    static const Bytes kOther(3, 0x44);
                    edit.replace_paging_state(parameters, remove ? CellView::null() : CellView(kOther));
                    wanted.rest.paging_state = remove ? std::nullopt : std::optional<CellView>(kOther);
                    break;
                }
                case 3:
                    edit.replace_consistency(parameters, Consistency::one);
                    wanted.consistency = Consistency::one;
                    break;
                case 4:
                    edit.remove_keyspace(parameters);
                    wanted.rest.keyspace.reset();
                    break;
                case 5: {
                    if (random() % 3 == 0) {
                        wanted.values = {CellView(kState), CellView::null()};
                        wanted.names.clear();
                        Bytes values;
                        Writer out(values);
                        for (const auto& value : wanted.values) write_value(out, value);
                        edit.replace_values(parameters, 2, values);
                        break;
                    }
                    const bool named = !wanted.names.empty();
                    std::vector<ExtraValue> extra;
                    std::size_t before = 0;
                    for (std::size_t i = 0; i < random() % 3 + 1; ++i) {
                        before = std::min(before + random() % 3, wanted.values.size());
                        extra.push_back({before, i % 2 ? CellView(kState) : CellView::null(), "extra"});
                    }
                    for (std::size_t i = 0; i < extra.size(); ++i) {
                        const auto at = static_cast<std::ptrdiff_t>(extra[i].before + i);
                        wanted.values.insert(wanted.values.begin() + at, extra[i].value);
                        if (named) wanted.names.insert(wanted.names.begin() + at, extra[i].name);
                    }
                    edit.add_values(parameters, extra);
                    break;
                }
                case 6:
                    edit.strip_payload(prefix);
                    head.payload.clear();
                    break;
                default:
                    if (execute && version == ProtocolVersion::v5) {
                        metadata_id = encode_text("m");
                        edit.replace_result_metadata_id(executed.value(), metadata_id);
                    }
                    head.stream = 99;
                    edit.set_stream(99);
                    break;
            }
        }
        EXPECT_EQ(to_hex(written(edit)), to_hex(encode())) << "from " << to_hex(original);
    }
}

/// The same for the statements of a BATCH.
TEST_P(FrameEdits, OfBatchesMakeWhatEncodingWould) {
    std::mt19937 random(GetParam());
    FrameEdit edit;
    for (int round = 0; round < 200; ++round) {
        const auto version = kAllVersions[random() % 3];
        auto wanted = random_parameters(random, version);
        wanted.values.clear();
        wanted.names.clear();
        wanted.rest.empty_values = false;
        struct Child {
            std::string text;
            Bytes id;
            std::vector<CellView> values;
        };
        std::vector<Child> children(random() % 4);
        for (auto& child : children) {
            if (random() % 2) {
                child.id = kId;
            } else {
                child.text = random() % 4 ? "INSERT" : "";
            }
            for (std::size_t i = 0; i < random() % 3; ++i)
                child.values.push_back(random() % 2 ? CellView(kValue) : CellView::null());
        }
        const auto encode = [&] {
            std::vector<BatchStatement> statements;
            for (const auto& child : children) statements.push_back({child.text, child.id, child.values});
            Bytes out;
            encode_batch(out, {version, 5}, BatchType::unlogged, statements, wanted.get());
            return out;
        };
        const auto original = encode();
        const auto batch = decode_batch(view(original)).value();
        EXPECT_EQ(batch.children.size(), children.size());
        edit.reset(view(original));
        if (random() % 2) {
            edit.add_timestamp(batch.parameters, 42);
            if (!wanted.rest.timestamp) wanted.rest.timestamp = 42;
        }
        if (random() % 2) {
            edit.replace_consistency(batch.parameters, Consistency::two);
            wanted.consistency = Consistency::two;
        }
        std::size_t index = 0;
        for (const auto child : batch.children) {
            auto& expected = children[index++];
            EXPECT_EQ(child.prepared, !expected.id.empty());
            if (random() % 3 == 0) {
                expected.values = {CellView(kState), CellView::null()};
                Bytes values;
                Writer out(values);
                for (const auto& value : expected.values) write_value(out, value);
                edit.replace_values(child, 2, values);
            } else if (random() % 2) {
                const ExtraValue extra{random() % 4, kState};
                const auto at = std::min(extra.before, expected.values.size());
                expected.values.insert(expected.values.begin() + static_cast<std::ptrdiff_t>(at), extra.value);
                edit.add_values(child, std::span(&extra, 1));
            }
            if (random() % 2 == 0) continue;
            if (child.prepared) {
                expected.id = Bytes(random() % 2 ? 16 : 5, 0x55);
                edit.replace_id(child, expected.id);
            } else {
                expected.text = "UPDATE";
                edit.replace_query(child, expected.text);
            }
        }
        EXPECT_EQ(to_hex(written(edit)), to_hex(encode())) << "from " << to_hex(original);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FrameEdits, testing::Range(1u, 9u));

TEST(FrameEdit, ATimestampThatIsThereStaysUnlessItIsSet) {
    Bytes bytes;
    Parameters parameters;
    parameters.timestamp = 1;
    encode_query(bytes, {}, "q", parameters);
    const auto query = decode_query(view(bytes)).value();
    FrameEdit edit(view(bytes));
    edit.add_timestamp(query.parameters, 2);
    EXPECT_EQ(written(edit), bytes);
    edit.set_timestamp(query.parameters, 3);
    const auto edited = written(edit);
    EXPECT_EQ(decode_query(view(edited)).value().parameters.timestamp, 3);
}

TEST(AppendExecute, WritesWhatAnEditWould) {
    for (const auto version : kAllVersions) {
        for (const int parts : {0, 1, 2, 3, 4, 5, 6, 7}) {
            for (const auto micros : {std::optional<std::int64_t>(), std::optional<std::int64_t>(0x0102030405060708)}) {
                Parameters parameters;
                const std::vector<CellView> values{CellView(kState), CellView::null()};
                if (parts & 1) parameters.values = values;
                if (parts & 2) parameters.page_size = 5000;
                if (parts & 4) parameters.serial_consistency = Consistency::local_serial;
                Bytes bytes;
                encode_execute(bytes, {version, 3}, kId, kMetadataId, parameters);
                const auto frame = view(bytes);
                const auto execute = decode_execute(frame).value();
                const Bytes other(kId.size(), 0x77);
                FrameEdit edit(frame);
                edit.set_stream(700);
                edit.replace_id(execute, other);
                if (micros) edit.add_timestamp(execute.parameters, *micros);
                Bytes out{1, 2, 3};
                append_execute(out, frame, execute, execute.parameters, 700, other, micros);
                EXPECT_EQ(to_hex(BytesView(out).subspan(3)), to_hex(written(edit)));
                EXPECT_EQ(to_hex(BytesView(out).first(3)), "010203");
                edit.replace_consistency(execute.parameters, Consistency::each_quorum);
                out.clear();
                append_execute(out, frame, execute, execute.parameters, 700, other, micros, Consistency::each_quorum);
                EXPECT_EQ(to_hex(out), to_hex(written(edit)));
            }
        }
    }
}

TEST(FrameEdit, OfNothingCopies) {
    Bytes bytes;
    encode_prepare(bytes, {ProtocolVersion::v5, 3}, "SELECT", "ks");
    FrameEdit edit(view(bytes));
    EXPECT_EQ(written(edit), bytes);
    edit.replace_query(decode_prepare(view(bytes)).value(), "SELECT more");
    const auto edited = written(edit);
    const auto prepare = decode_prepare(view(edited)).value();
    EXPECT_EQ(prepare.query, "SELECT more");
    EXPECT_EQ(prepare.keyspace, "ks");
}

TEST(FrameEdit, KeepsBytesBehindTheMessage) {
    Bytes bytes;
    encode_query(bytes, {}, "q", {});
    bytes.push_back(0xEE);
    store_be(bytes.data() + kLengthAt, static_cast<std::uint32_t>(bytes.size() - kHeaderSize));
    FrameEdit edit(view(bytes));
    edit.add_timestamp(decode_query(view(bytes)).value().parameters, 5);
    const auto edited = written(edit);
    EXPECT_EQ(decode_query(view(edited)).value().parameters.timestamp, 5);
    EXPECT_EQ(edited.back(), 0xEE);
}

TEST(FrameEdit, OfMetadataIdsInV5) {
    const Bytes short_id(4, 0x33);
    for (const auto& id : {kId, short_id}) {
        Bytes bytes;
        PreparedResult prepared;
        prepared.id = kId;
        prepared.result_metadata_id = kMetadataId;
        encode_prepared(bytes, {ProtocolVersion::v5, 3}, prepared);
        const auto frame = view_frame(bytes, Direction::response).value();
        FrameEdit edit(frame);
        const auto peek = peek_prepared(frame).value();
        edit.replace_result_metadata_id(peek, id);
        edit.replace_id(peek, short_id);
        Bytes out;
        edit.append_to(out);
        Bytes expected;
        prepared.id = short_id;
        prepared.result_metadata_id = id;
        encode_prepared(expected, {ProtocolVersion::v5, 3}, prepared);
        EXPECT_EQ(to_hex(out), to_hex(expected));

        Bytes rows_bytes;
        RowsMetadata metadata;
        metadata.flags = metadata_flag::kChanged | metadata_flag::kMorePages;
        metadata.paging_state = CellView(kState);
        metadata.new_metadata_id = kMetadataId;
        encode_rows(rows_bytes, {ProtocolVersion::v5, 3}, RowsView(metadata, 0, {}));
        const auto rows_frame = view_frame(rows_bytes, Direction::response).value();
        const auto rows = peek_rows(rows_frame).value();
        ASSERT_TRUE(rows.new_metadata_id.has_value());
        EXPECT_TRUE(equal(*rows.new_metadata_id, kMetadataId));
        edit.reset(rows_frame);
        edit.replace_new_metadata_id(rows, id);
        edit.replace_paging_state(rows, short_id);
        Bytes rows_out;
        edit.append_to(rows_out);
        Bytes rows_expected;
        metadata.paging_state = CellView(short_id);
        metadata.new_metadata_id = id;
        encode_rows(rows_expected, {ProtocolVersion::v5, 3}, RowsView(metadata, 0, {}));
        EXPECT_EQ(to_hex(rows_out), to_hex(rows_expected));
    }
}

TEST(FrameEdit, OfResponses) {
    RowsBuilder builder("ks", "t");
    builder.add_column("a", scalar(TypeKind::int_));
    builder.add(encode_int(1));
    auto rows = builder.view();
    rows.metadata.paging_state = CellView(kState);
    ResponseHead head;
    head.warnings = {"w"};
    head.payload = {{"tablets-routing-v1", kValue}};
    Bytes bytes;
    encode_rows(bytes, head, rows);
    const auto frame = view_frame(bytes, Direction::response).value();
    FrameEdit edit(frame);
    edit.replace_paging_state(peek_rows(frame).value(), kId);
    edit.strip_payload(read_response_prefix(frame).value());
    edit.set_stream(9);
    rows.metadata.paging_state = CellView(kId);
    head.payload.clear();
    head.stream = 9;
    Bytes expected;
    encode_rows(expected, head, rows);
    Bytes out;
    edit.append_to(out);
    EXPECT_EQ(to_hex(out), to_hex(expected));

    PreparedResult prepared;
    prepared.id = kId;
    Bytes from;
    encode_prepared(from, {}, prepared);
    const auto prepared_frame = view_frame(from, Direction::response).value();
    edit.reset(prepared_frame);
    edit.replace_id(peek_prepared(prepared_frame).value(), kValue);
    edit.strip_payload(read_response_prefix(prepared_frame).value());
    prepared.id = kValue;
    expected.clear();
    encode_prepared(expected, {}, prepared);
    out.clear();
    edit.append_to(out);
    EXPECT_EQ(to_hex(out), to_hex(expected));
}

}  // namespace
}  // namespace penumbra::cql
