#include <gtest/gtest.h>

#include "cql/protocol/md5.h"
#include "cql/protocol/requests.h"
#include "cql/protocol/response_peeks.h"
#include "cql/protocol/responses.h"
#include "cql/protocol/rows.h"
#include "cql/protocol/tests/allocations.h"
#include "cql/types/scalars.h"

namespace penumbra::cql {
namespace {

FrameView request(const Bytes& bytes) {
    return view_frame(bytes, Direction::request).value();
}
FrameView response(const Bytes& bytes) {
    return view_frame(bytes, Direction::response).value();
}

TEST(NextFrame, SaysWhatIsThere) {
    Bytes bytes;
    encode_options(bytes, {ProtocolVersion::v4, 5});
    EXPECT_EQ(next_frame({}, Direction::request).verdict, FrameVerdict::incomplete);
    EXPECT_EQ(next_frame({}, Direction::request).total, kHeaderSize);
    EXPECT_EQ(next_frame(bytes, Direction::request).verdict, FrameVerdict::complete);
    EXPECT_EQ(next_frame(bytes, Direction::response).verdict, FrameVerdict::wrong_direction);
    // One byte is enough for what a first frame of another version is answered with.
    for (const Byte version : {0x00, 0x01, 0x02, 0x06, 0x41, 0x42, 0x7F}) {
        const Bytes first{version};
        const auto scan = next_frame(first, Direction::request);
        EXPECT_EQ(scan.verdict, FrameVerdict::unsupported_version);
        EXPECT_EQ(scan.frame.header.version_number(), version);
    }
    EXPECT_EQ(frame_error(next_frame(Bytes{0x42}, Direction::request)).what,
              "Invalid or unsupported protocol version (66)");
    EXPECT_EQ(frame_error(next_frame(Bytes{0x84}, Direction::request)).what, "a response where a request is due");
    store_be(bytes.data() + kLengthAt, std::uint32_t{1001});
    const auto scan = next_frame(bytes, Direction::request, 1000);
    EXPECT_EQ(scan.verdict, FrameVerdict::too_long);
    EXPECT_EQ(scan.total, 1010u);
    EXPECT_EQ(scan.frame.header.stream, 5);
    store_be(bytes.data() + kLengthAt, std::uint32_t{0xFFFFFFFF});
    EXPECT_EQ(next_frame(bytes, Direction::request).verdict, FrameVerdict::too_long);
}

TEST(SetStream, ChangesTwoBytes) {
    Bytes bytes;
    encode_options(bytes, {ProtocolVersion::v4, 5});
    set_stream(bytes, -2);
    EXPECT_EQ(to_hex(bytes), "0400fffe0500000000");
}

TEST(Startup, KeysAreFoundInAnyCase) {
    Bytes bytes;
    encode_startup(bytes, {}, {{"cql_version", "3.0.0"}, {"COMPRESSION", "lz4"}});
    const auto startup = decode_startup(request(bytes)).value();
    EXPECT_EQ(startup.option("CQL_VERSION"), "3.0.0");
    EXPECT_EQ(startup.option("compression"), "lz4");
    EXPECT_FALSE(startup.option("DRIVER_NAME").has_value());
}

TEST(Query, WhatServersRefuseIsRefused) {
    Bytes bytes;
    Parameters parameters;
    parameters.timestamp = 0;
    encode_query(bytes, {}, "q", parameters);
    store_be(bytes.data() + bytes.size() - 8, INT64_MIN);
    EXPECT_EQ(decode_query(request(bytes)).error().what, "a default timestamp out of range");
    bytes.clear();
    encode_query(bytes, {}, "q", {});
    store_be(bytes.data() + bytes.size() - 3, std::uint16_t{11});
    EXPECT_EQ(decode_query(request(bytes)).error().what, "no consistency level has code 11");
    EXPECT_EQ(decode_execute(request(bytes)).error().what, "QUERY where EXECUTE is due");
    bytes[kFlagsAt] = header_flag::kCompressed;
    EXPECT_EQ(decode_query(request(bytes)).error().what, "the frame has to be decompressed first");
    bytes[0] = 5;  // in v5 the flag means nothing, but this body is too short for it
    EXPECT_EQ(decode_query(request(bytes)).error().code, Errc::malformed);
    EXPECT_NE(decode_query(request(bytes)).error().what, "the frame has to be decompressed first");
}

TEST(Values, AreFoundByPlaceAndName) {
    const Bytes a = encode_int(1);
    const CellView values[] = {a, CellView::null(), CellView::unset()};
    const std::string_view names[] = {"a", "b", "c"};
    Parameters parameters;
    parameters.values = values;
    parameters.names = names;
    Bytes bytes;
    encode_query(bytes, {}, "q", parameters);
    const auto query = decode_query(request(bytes)).value();
    const auto& bound = query.parameters.values;
    EXPECT_EQ(bound.nth(0)->value, CellView(a));
    EXPECT_TRUE(bound.nth(2)->value.is_unset());
    EXPECT_FALSE(bound.nth(3).has_value());
    EXPECT_TRUE(bound.by_name("b")->value.is_null());
    EXPECT_FALSE(bound.by_name("d").has_value());
    for (const auto value : bound) {
        const auto body = request(bytes).body();
        EXPECT_EQ(text_of(body.subspan(value.at + 2, value.name.size())), value.name);
    }
    // v3 has no unset: both servers take it for null.
    bytes[0] = 3;
    const auto v3 = decode_query(request(bytes)).value();
    EXPECT_TRUE(v3.parameters.values.nth(2)->value.is_null());
}

TEST(HotPath, DecodesWithoutAllocating) {
    const Bytes id(16, 1);
    const CellView values[] = {id, CellView::null()};
    Parameters parameters;
    parameters.values = values;
    parameters.timestamp = 1;
    Bytes execute;
    encode_execute(execute, {}, id, {}, parameters);
    Bytes query;
    encode_query(query, {}, "SELECT * FROM t WHERE k = ?", parameters);
    const BatchStatement statements[] = {{"", id, values}, {"INSERT INTO t (k) VALUES (1)", {}, {}}};
    Bytes batch;
    encode_batch(batch, {}, BatchType::logged, statements, {});
    RowsBuilder builder("ks", "t");
    builder.add_column("a", scalar(TypeKind::int_));
    for (int i = 0; i < 10; ++i) builder.add(id);
    Bytes rows;
    encode_rows(rows, {}, builder.view());
    Bytes error;
    encode_error(error, {}, {ErrorCode::unprepared, "unknown", Unprepared{id}});

    std::size_t seen = 0;
    const auto before = allocations_so_far();
    for (int i = 0; i < 10; ++i) {
        seen += decode_execute(request(execute)).value().parameters.values.size();
        seen += decode_query(request(query)).value().query.size();
        const auto decoded = decode_batch(request(batch)).value();
        for (const auto child : decoded.children) {
            for (const auto value : child.values) seen += value.value.bytes().size();
        }
        seen += peek_result_kind(response(rows)).value() == ResultKind::rows;
        seen += peek_rows(response(rows)).value().has_more_pages();
        seen += is_unprepared(response(error));
    }
    EXPECT_EQ(allocations_so_far(), before);
    EXPECT_GT(seen, 100u);
}

TEST(Error, EveryBodyOfEveryVersionComesBack) {
    const Bytes id(16, 7);
    Bytes types;
    Writer writer(types);
    const std::string_view arguments[] = {"int", "text"};
    write_string_list(writer, arguments);
    Reader reader(types);
    const auto argument_types = read_string_list(reader).value();
    const auto v6 = InetAddress::parse("2001:db8::1").value();
    const auto v4 = InetAddress::parse("10.0.0.1").value();
    for (const auto version : kAllVersions) {
        Failures failures{2, {}};
        if (version == ProtocolVersion::v5) failures.reasons = {{v4, 1}, {v6, 2}};
        std::optional<std::uint16_t> contentions;
        if (version == ProtocolVersion::v5) contentions = 3;
        const ErrorMessage errors[] = {
            {ErrorCode::server_error, "server"},
            {ErrorCode::protocol_error, ""},
            {ErrorCode::bad_credentials, "bad"},
            {ErrorCode::unavailable, "u", Unavailable{Consistency::quorum, 2, 1}},
            {ErrorCode::overloaded, "o"},
            {ErrorCode::is_bootstrapping, "b"},
            {ErrorCode::truncate_error, "t"},
            {ErrorCode::write_timeout, "w", WriteTimeout{Consistency::one, 0, 1, "SIMPLE", {}}},
            {ErrorCode::write_timeout, "w", WriteTimeout{Consistency::serial, 0, 1, "CAS", contentions}},
            {ErrorCode::read_timeout, "r", ReadTimeout{Consistency::all, 1, 3, 1}},
            {ErrorCode::read_failure, "rf", ReadFailure{Consistency::all, 1, 3, failures, 0}},
            {ErrorCode::write_failure, "wf", WriteFailure{Consistency::all, 1, 3, failures, "BATCH"}},
            {ErrorCode::function_failure, "ff", FunctionFailure{"ks", "f", argument_types}},
            {ErrorCode::cdc_write_failure, "cdc"},
            {ErrorCode::cas_write_unknown, "cas", CasWriteUnknown{Consistency::local_serial, 1, 2}},
            {ErrorCode::syntax_error, "s"},
            {ErrorCode::unauthorized, "u"},
            {ErrorCode::invalid, "i"},
            {ErrorCode::config_error, "c"},
            {ErrorCode::already_exists, "a", AlreadyExists{"ks", ""}},
            {ErrorCode::unprepared, "p", Unprepared{id}},
            {static_cast<ErrorCode>(0xF000), "rate limit", OtherDetail{BytesView(id).first(2)}},
        };
        for (const auto& error : errors) {
            Bytes bytes;
            encode_error(bytes, {version, 1}, error);
            const auto decoded = decode_error(response(bytes));
            ASSERT_TRUE(decoded.has_value()) << to_string(error.code) << ": " << to_string(decoded.error());
            EXPECT_EQ(decoded.value().code, error.code);
            EXPECT_EQ(decoded.value().message, error.message);
            EXPECT_EQ(decoded.value().detail.index(), error.detail.index()) << to_string(error.code);
            EXPECT_EQ(peek_error_code(response(bytes)).value(), error.code);
            EXPECT_EQ(is_unprepared(response(bytes)), error.code == ErrorCode::unprepared);
            Bytes again;
            encode_error(again, {version, 1}, decoded.value());
            EXPECT_EQ(to_hex(again), to_hex(bytes));
            for (std::size_t size = 0; size + kHeaderSize < bytes.size(); ++size) {
                Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(kHeaderSize + size));
                store_be(cut.data() + kLengthAt, static_cast<std::uint32_t>(size));
                const bool other =
                    std::holds_alternative<OtherDetail>(error.detail) && size >= 6 + error.message.size();
                EXPECT_TRUE(other || !decode_error(response(cut)).has_value()) << to_string(error.code) << ' ' << size;
            }
        }
        if (version == ProtocolVersion::v5) {
            Bytes bytes;
            encode_error(bytes, {version, 1}, errors[10]);
            const auto decoded = decode_error(response(bytes)).value();
            const auto& failure = std::get<ReadFailure>(decoded.detail);
            EXPECT_EQ(failure.failures.count, 2);
            EXPECT_EQ(failure.failures.reasons[1].replica, v6);
        }
    }
    Bytes bytes;
    encode_error(bytes, {}, {ErrorCode::unavailable, "none", Unavailable{Consistency::quorum, 2, 1}});
    const auto error = Rows::from(response(bytes)).error();
    EXPECT_EQ(error, (Error{Errc::server, "unavailable (0x1000): none", 0x1000}));
}

TEST(Error, OldClientsHearWhatTheyKnow) {
    const auto cl = Consistency::quorum;
    const Failures failures{1, {{InetAddress{}, 7}}};
    struct Case {
        ErrorMessage error;
        ErrorCode in_v4;
        ErrorCode in_v3;
    };
    const Case cases[] = {
        {{ErrorCode::cas_write_unknown, "m", CasWriteUnknown{cl, 1, 2}},
         ErrorCode::write_timeout,
         ErrorCode::write_timeout},
        {{ErrorCode::write_timeout, "m", WriteTimeout{cl, 1, 2, "CAS", 5}},
         ErrorCode::write_timeout,
         ErrorCode::write_timeout},
        {{ErrorCode::read_failure, "m", ReadFailure{cl, 1, 2, failures, 1}},
         ErrorCode::read_failure,
         ErrorCode::read_timeout},
        {{ErrorCode::write_failure, "m", WriteFailure{cl, 1, 2, failures, "BATCH"}},
         ErrorCode::write_failure,
         ErrorCode::write_timeout},
        {{ErrorCode::function_failure, "m", FunctionFailure{"k", "f", {}}},
         ErrorCode::function_failure,
         ErrorCode::invalid},
        {{ErrorCode::cdc_write_failure, "m", {}}, ErrorCode::cdc_write_failure, ErrorCode::invalid},
        {{ErrorCode::unavailable, "m", Unavailable{cl, 1, 2}}, ErrorCode::unavailable, ErrorCode::unavailable},
    };
    for (const auto& [error, in_v4, in_v3] : cases) {
        EXPECT_EQ(downgraded(error, ProtocolVersion::v5).code, error.code);
        EXPECT_EQ(downgraded(error, ProtocolVersion::v4).code, in_v4);
        const auto v3 = downgraded(error, ProtocolVersion::v3);
        EXPECT_EQ(v3.code, in_v3);
        EXPECT_EQ(v3.message, "m");
        if (const auto* timeout = std::get_if<WriteTimeout>(&v3.detail)) {
            EXPECT_EQ(timeout->write_type, error.code == ErrorCode::write_failure ? "BATCH" : "CAS");
            EXPECT_EQ(timeout->received, 1);
            EXPECT_EQ(timeout->block_for, 2);
            EXPECT_FALSE(timeout->contentions.has_value());
        }
    }
}

TEST(Error, LongMessageIsCutBetweenCharacters) {
    std::string text(65'534, 'x');
    text += "ü and more";
    Bytes bytes;
    encode_error(bytes, {}, {ErrorCode::invalid, text});
    EXPECT_EQ(decode_error(response(bytes)).value().message, std::string(65'534, 'x'));
}

TEST(Prefix, StandsInFrontOfEveryMessage) {
    ResponseHead head;
    head.tracing_id = Uuid::random(1, 2);
    head.warnings = {"careful", ""};
    head.payload = {{"k", CellView::null()}};
    Bytes bytes;
    encode_set_keyspace(bytes, head, "ks");
    const auto frame = response(bytes);
    EXPECT_EQ(frame.header.flags, header_flag::kTracing | header_flag::kWarning | header_flag::kCustomPayload);
    const auto prefix = read_response_prefix(frame).value();
    EXPECT_EQ(prefix.tracing_id, head.tracing_id);
    EXPECT_EQ(prefix.warnings.to_vector(), head.warnings);
    EXPECT_EQ(prefix.payload.size(), 1u);
    EXPECT_EQ(peek_result_kind(frame).value(), ResultKind::set_keyspace);
    const auto result = decode_result(frame).value();
    EXPECT_EQ(std::get<SetKeyspace>(result).keyspace, "ks");
}

TEST(Event, UnknownOnesAreCarriedAlong) {
    Bytes bytes;
    encode_event(bytes, {ProtocolVersion::v4, kEventStream}, OtherEvent{"CLIENT_ROUTES_CHANGE", bytes_of("whatever")});
    const auto event = decode_event(response(bytes)).value();
    EXPECT_EQ(std::get<OtherEvent>(event).type, "CLIENT_ROUTES_CHANGE");
    bytes.clear();
    encode_event(bytes, {ProtocolVersion::v4, kEventStream},
                 NodeEvent{"STATUS_CHANGE", "UP", {InetAddress::parse("::1").value(), 9042}});
    EXPECT_EQ(response(bytes).header.stream, -1);
    const auto status = decode_event(response(bytes)).value();
    EXPECT_EQ(std::get<NodeEvent>(status).node.port, 9042);
}

TEST(Type, TravelsAsItIsAndAsCassandraSendsIt) {
    const auto nested =
        map_of(scalar(TypeKind::text), tuple_of({vector_of(scalar(TypeKind::float_), 3), scalar(TypeKind::duration)}));
    const auto udt = udt_of("ks", "t", {{"a", scalar(TypeKind::date)}, {"b", list_of(nested)}});
    for (const auto version : kAllVersions) {
        for (const auto& type : {udt, as_cassandra_sends(udt, version), scalar(TypeKind::duration)}) {
            Bytes bytes;
            Writer out(bytes);
            write_type(out, *type);
            Reader in(bytes);
            const auto read = read_type(in);
            ASSERT_TRUE(read.has_value());
            EXPECT_TRUE(in.done());
            EXPECT_TRUE(same_type(*read.value(), *type)) << to_cql(*read.value());
            Bytes again;
            Writer out_again(again);
            write_type(out_again, *read.value());
            EXPECT_EQ(to_hex(again), to_hex(bytes));
        }
    }
    EXPECT_EQ(as_cassandra_sends(scalar(TypeKind::duration), ProtocolVersion::v4)->class_name,
              "org.apache.cassandra.db.marshal.DurationType");
    EXPECT_EQ(as_cassandra_sends(scalar(TypeKind::duration), ProtocolVersion::v5), scalar(TypeKind::duration));
    EXPECT_EQ(as_cassandra_sends(as_cassandra_sends(scalar(TypeKind::date), ProtocolVersion::v3), ProtocolVersion::v4)
                  ->class_name,
              "");
    EXPECT_EQ(as_cassandra_sends(scalar(TypeKind::date), ProtocolVersion::v4), scalar(TypeKind::date));
    Bytes deep;
    Writer out(deep);
    for (int i = 0; i < 10'000; ++i) out.u16(0x20);
    Reader in(deep);
    EXPECT_EQ(read_type(in).error().what, "types nest too deep");
}

TEST(Rows, OfOurOwnAreReadBack) {
    RowsBuilder builder("system", "local");
    builder.add_column("key", scalar(TypeKind::text));
    builder.add_column("tokens", set_of(scalar(TypeKind::text)));
    builder.add_column("rpc_address", scalar(TypeKind::inet));
    builder.add_column("host_id", scalar(TypeKind::uuid));
    builder.add_column("options", map_of(scalar(TypeKind::text), scalar(TypeKind::text)));
    builder.add_column("n", scalar(TypeKind::int_));
    const auto host = Uuid::random(3, 4);
    for (const auto* key : {"local", "other"}) {
        builder.add(encode_text(key));
        builder.add(encode_text_list({"-1", "5"}));
        builder.add(encode_inet(InetAddress::parse("127.0.0.1").value()));
        builder.add(encode_uuid(host));
        builder.add(CellView::null());
        builder.add(encode_int(7));
    }
    ResponseHead head;
    head.warnings = {"w"};
    Bytes bytes;
    encode_rows(bytes, head, builder.view());
    const auto rows = Rows::from(response(bytes)).value();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows.warnings(), (std::vector<std::string>{"w"}));
    EXPECT_EQ(rows.columns()[1].name, "tokens");
    EXPECT_EQ(rows.columns()[1].table, "local");
    std::string keys;
    for (const auto row : rows) {
        keys += row.text("key").value() + " ";
        EXPECT_EQ(row.texts("tokens").value(), (std::vector<std::string>{"-1", "5"}));
        EXPECT_EQ(to_string(row.inet("rpc_address").value()), "127.0.0.1");
        EXPECT_EQ(row.uuid("host_id").value(), host);
        EXPECT_TRUE(row.text_map("options").value().empty());
        EXPECT_EQ(row.int32("n").value(), 7);
        EXPECT_FALSE(row.has("options"));
        EXPECT_FALSE(row.has("nosuch"));
        EXPECT_EQ(row.text("nosuch").error(), (Error{Errc::not_found, "column nosuch is missing or null"}));
        EXPECT_EQ(row.bigint("n").error().what, "column n: a bigint of 4 bytes instead of 8");
    }
    EXPECT_EQ(keys, "local other ");
    Bytes bare;
    encode_rows(bare, {}, builder.view(true));
    const auto nameless = Rows::from(response(bare)).value();
    EXPECT_EQ(nameless.size(), 2u);
    EXPECT_FALSE(nameless.column("key").has_value());
    EXPECT_EQ(nameless[0][5], CellView(encode_int(7)));
}

TEST(Rows, CountsThatPromiseTooMuchAreRefused) {
    const auto rows = [](std::int32_t columns, std::int32_t count) {
        Bytes bytes;
        FrameBuilder frame(bytes, Direction::response, ProtocolVersion::v4, 0, 0, Opcode::result);
        frame.body().i32(2);
        frame.body().u32(metadata_flag::kNoMetadata);
        frame.body().i32(columns);
        frame.body().i32(count);
        frame.close();
        return decode_rows(response(bytes)).has_value();
    };
    EXPECT_FALSE(rows(0, INT32_MAX));
    EXPECT_FALSE(rows(INT32_MAX, INT32_MAX));
    EXPECT_FALSE(rows(1, 1));
    EXPECT_FALSE(rows(-1, 0));
    EXPECT_FALSE(rows(0, -1));
    EXPECT_TRUE(rows(INT32_MAX, 0));
}

TEST(Md5, IsOfThePartsTogether) {
    EXPECT_EQ(to_hex(md5({"a", "", "bc"})), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(md5({"abc"}), md5({"ab", "c"}));
}

}  // namespace
}  // namespace penumbra::cql
