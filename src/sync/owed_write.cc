#include "sync/owed_write.h"

#include "base/bytes.h"

namespace penumbra::sync {

// Layout (docs/journal.md): kind u8, then
//   1 statement, as it was written before rows were noted: keyspace, u16 count, count * (id, text, keyspace), frame to
//     the end
//   2 resync: keyspace, table, partition key to the end
//   3 statement (no longer written): as 1, with u16 count, count * (keyspace, table, partition key) before the frame
//   4 resync after a serial read: u16 consistency of that, and then as 2
//   5 statement that adds to lists (no longer written): as 3
//   6 resync of a token range: keyspace, table, i64 start (exclusive), i64 end (inclusive)
//   7 resync of a row: u16 serial consistency or 0, keyspace, table, partition key, columns
//   8 statement: as 3, with the columns after each partition key
//   9 statement that adds to lists: as 8
// Columns are those of a clustering key: u16 count, count * value.
// A string or byte run is a u32 length and its bytes. The frame is last and without a length: what is long is copied
// once.

namespace {

enum class Kind : std::uint8_t {
    statement_alone = 1,
    resync = 2,
    statement = 3,
    serial_resync = 4,
    adds_to_lists = 5,
    range_resync = 6,
    row_resync = 7,
    statement_of_rows = 8,
    adds_to_lists_of_rows = 9,
};

void write_run(Writer& out, BytesView bytes) {
    out.u32(static_cast<std::uint32_t>(bytes.size()));
    out.raw(bytes);
}
void write_run(Writer& out, std::string_view text) {
    write_run(out, bytes_of(text));
}

Result<BytesView> read_run(Reader& in) {
    TRY(const auto size, in.u32());
    return in.take(size);
}
Result<std::string> read_text(Reader& in) {
    TRY(const auto bytes, read_run(in));
    return std::string(text_of(bytes));
}
Bytes copy_of(BytesView bytes) {
    return {bytes.begin(), bytes.end()};
}

void write_columns(Writer& out, std::span<const BytesView> columns) {
    out.u16(static_cast<std::uint16_t>(columns.size()));
    for (const auto column : columns) write_run(out, column);
}

Result<std::vector<Bytes>> read_columns(Reader& in) {
    std::vector<Bytes> columns;
    TRY(const auto count, in.u16());
    for (std::uint16_t i = 0; i < count; ++i) {
        TRY(const auto column, read_run(in));
        columns.push_back(copy_of(column));
    }
    return columns;
}

std::vector<BytesView> views_of(const std::vector<Bytes>& columns) {
    return {columns.begin(), columns.end()};
}

Result<Owed> decode_statement(Reader& in, Kind kind) {
    OwedStatement owed;
    TRY(owed.keyspace, read_text(in));
    TRY(const auto count, in.u16());
    for (std::uint16_t i = 0; i < count; ++i) {
        OwedPrepared prepared;
        TRY(const auto id, read_run(in));
        prepared.id = copy_of(id);
        TRY(prepared.text, read_text(in));
        TRY(prepared.keyspace, read_text(in));
        owed.prepared.push_back(std::move(prepared));
    }
    const bool of_rows = kind == Kind::statement_of_rows || kind == Kind::adds_to_lists_of_rows;
    owed.adds_to_lists = kind == Kind::adds_to_lists || kind == Kind::adds_to_lists_of_rows;
    if (kind != Kind::statement_alone) {
        TRY(const auto rows, in.u16());
        for (std::uint16_t i = 0; i < rows; ++i) {
            OwedResync order;
            TRY(order.keyspace, read_text(in));
            TRY(order.table, read_text(in));
            TRY(const auto key, read_run(in));
            order.partition_key = copy_of(key);
            if (of_rows) {
                TRY(order.clustering, read_columns(in));
            }
            owed.rows.push_back(std::move(order));
        }
    }
    owed.frame = copy_of(in.rest());
    if (owed.frame.empty()) return fail(Errc::malformed, "an owed statement without its frame");
    return Owed(std::move(owed));
}

Result<Owed> decode_resync(Reader& in, Kind kind) {
    OwedResync owed;
    if (kind == Kind::serial_resync) {
        TRY(const auto serial, in.u16());
        owed.serial = static_cast<cql::Consistency>(serial);
        if (!cql::is_serial(*owed.serial)) return fail(Errc::malformed, "an owed resync whose read is not serial");
    }
    TRY(owed.keyspace, read_text(in));
    TRY(owed.table, read_text(in));
    owed.partition_key = copy_of(in.rest());
    return Owed(std::move(owed));
}

Result<Owed> decode_row_resync(Reader& in) {
    OwedResync owed;
    TRY(const auto serial, in.u16());
    if (serial != 0) {
        owed.serial = static_cast<cql::Consistency>(serial);
        if (!cql::is_serial(*owed.serial)) return fail(Errc::malformed, "an owed resync whose read is not serial");
    }
    TRY(owed.keyspace, read_text(in));
    TRY(owed.table, read_text(in));
    TRY(const auto key, read_run(in));
    owed.partition_key = copy_of(key);
    TRY(owed.clustering, read_columns(in));
    if (owed.partition_key.empty() || owed.clustering.empty())
        return fail(Errc::malformed, "an owed resync of a row without its key");
    if (!in.rest().empty()) return fail(Errc::malformed, "an owed resync of a row with more behind it");
    return Owed(std::move(owed));
}

Result<Owed> decode_range_resync(Reader& in) {
    OwedResync owed;
    TRY(owed.keyspace, read_text(in));
    TRY(owed.table, read_text(in));
    TRY(const auto start, in.i64());
    TRY(const auto end, in.i64());
    owed.range = TokenRange{cql::Token(start), cql::Token(end)};
    if (owed.range->start >= owed.range->end) return fail(Errc::malformed, "an owed resync of an empty token range");
    if (!in.rest().empty()) return fail(Errc::malformed, "an owed resync of a token range with more behind it");
    return Owed(std::move(owed));
}

}  // namespace

void begin_owed_resync(std::string_view keyspace, std::string_view table, std::optional<cql::Consistency> serial,
                       Bytes& out) {
    Writer writer(out);
    writer.u8(static_cast<std::uint8_t>(serial ? Kind::serial_resync : Kind::resync));
    if (serial) writer.u16(static_cast<std::uint16_t>(*serial));
    write_run(writer, keyspace);
    write_run(writer, table);
}

std::size_t begin_owed_row_resync(std::string_view keyspace, std::string_view table,
                                  std::optional<cql::Consistency> serial, Bytes& out) {
    Writer writer(out);
    writer.u8(static_cast<std::uint8_t>(Kind::row_resync));
    writer.u16(serial ? static_cast<std::uint16_t>(*serial) : 0);
    write_run(writer, keyspace);
    write_run(writer, table);
    const auto key_at = out.size();
    writer.u32(0);
    return key_at;
}

void end_owed_row_resync(std::size_t key_at, std::span<const BytesView> clustering, Bytes& out) {
    store_be(out.data() + key_at, static_cast<std::uint32_t>(out.size() - key_at - 4));
    Writer writer(out);
    write_columns(writer, clustering);
}

void encode_owed_resync(const OwedResync& order, Bytes& out) {
    if (order.range) {
        Writer writer(out);
        writer.u8(static_cast<std::uint8_t>(Kind::range_resync));
        write_run(writer, order.keyspace);
        write_run(writer, order.table);
        writer.i64(order.range->start.value());
        writer.i64(order.range->end.value());
        return;
    }
    if (!order.clustering.empty()) {
        const auto key_at = begin_owed_row_resync(order.keyspace, order.table, order.serial, out);
        out.insert(out.end(), order.partition_key.begin(), order.partition_key.end());
        end_owed_row_resync(key_at, views_of(order.clustering), out);
        return;
    }
    begin_owed_resync(order.keyspace, order.table, order.serial, out);
    out.insert(out.end(), order.partition_key.begin(), order.partition_key.end());
}

void encode_owed_statement(std::string_view keyspace, const std::vector<OwedPreparedView>& prepared,
                           const std::vector<OwedResync>& rows, BytesView frame, Bytes& out,
                           AddsToLists adds_to_lists) {
    OwedStatementWriter writer(out, keyspace, adds_to_lists);
    for (const auto& one : prepared) writer.add_prepared(one);
    writer.close_prepared();
    for (const auto& row : rows) {
        writer.begin_row(row.keyspace, row.table);
        out.insert(out.end(), row.partition_key.begin(), row.partition_key.end());
        writer.end_row(views_of(row.clustering));
    }
    writer.close_rows();
    out.insert(out.end(), frame.begin(), frame.end());
}

OwedStatementWriter::OwedStatementWriter(Bytes& out, std::string_view keyspace, AddsToLists adds_to_lists) : out_(out) {
    Writer writer(out);
    writer.u8(static_cast<std::uint8_t>(adds_to_lists == AddsToLists::yes ? Kind::adds_to_lists_of_rows
                                                                          : Kind::statement_of_rows));
    write_run(writer, keyspace);
    count_at_ = out.size();
    writer.u16(0);
}

void OwedStatementWriter::add_prepared(const OwedPreparedView& prepared) {
    Writer writer(out_);
    write_run(writer, prepared.id);
    write_run(writer, prepared.text);
    write_run(writer, prepared.keyspace);
    ++count_;
}

void OwedStatementWriter::close_prepared() {
    store_be(out_.data() + count_at_, count_);
    count_ = 0;
    count_at_ = out_.size();
    Writer(out_).u16(0);
}

void OwedStatementWriter::begin_row(std::string_view keyspace, std::string_view table) {
    row_at_ = out_.size();
    Writer writer(out_);
    write_run(writer, keyspace);
    write_run(writer, table);
    key_at_ = out_.size();
    writer.u32(0);
}

void OwedStatementWriter::end_row(std::span<const BytesView> clustering) {
    store_be(out_.data() + key_at_, static_cast<std::uint32_t>(out_.size() - key_at_ - 4));
    Writer writer(out_);
    write_columns(writer, clustering);
    const BytesView row = BytesView(out_).subspan(row_at_);
    if (previous_at_ != 0 && equal(row, BytesView(out_).subspan(previous_at_, row_at_ - previous_at_))) {
        out_.resize(row_at_);  // a batch about one partition
        return;
    }
    previous_at_ = row_at_;
    ++count_;
}

void OwedStatementWriter::close_rows() {
    store_be(out_.data() + count_at_, count_);
}

Result<Owed> decode_owed(BytesView payload) {
    Reader in(payload);
    TRY(const auto kind, in.u8());
    switch (static_cast<Kind>(kind)) {
        case Kind::statement_alone:
        case Kind::statement:
        case Kind::adds_to_lists:
        case Kind::statement_of_rows:
        case Kind::adds_to_lists_of_rows:
            return decode_statement(in, static_cast<Kind>(kind));
        case Kind::resync:
        case Kind::serial_resync:
            return decode_resync(in, static_cast<Kind>(kind));
        case Kind::range_resync:
            return decode_range_resync(in);
        case Kind::row_resync:
            return decode_row_resync(in);
    }
    return fail(Errc::malformed, "an owed write of unknown kind " + std::to_string(kind));
}

}  // namespace penumbra::sync
