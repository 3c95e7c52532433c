#include "null_server/answers.h"

#include <algorithm>
#include <vector>

#include "cql/language/parser.h"
#include "cql/types/type.h"

namespace penumbra::bench {

namespace {

/// Ids begin with this, and then a letter for the answer.
constexpr std::string_view kIdMark = "null";
constexpr char kReads = 'r';
constexpr char kWrites = 'w';

constexpr std::string_view kResultColumn = "value";

bool begins_with_word(std::string_view text, std::string_view lower) {
    if (text.size() <= lower.size()) return false;
    for (std::size_t i = 0; i < lower.size(); ++i) {
        if ((text[i] | 0x20) != lower[i]) return false;
    }
    return (text[lower.size()] | 0x20) < 'a' || (text[lower.size()] | 0x20) > 'z';
}

/// The column whose value each bind marker is, as far as the text says; empty names otherwise.
std::vector<std::string_view> marker_columns(const cql::Statement& statement) {
    std::vector<std::string_view> columns(statement.marker_count);
    const auto note = [&](const cql::Term& value, std::string_view column) {
        if (value.is_marker() && value.marker < columns.size()) columns[value.marker] = column;
    };
    for (const auto& part : statement.parts()) {
        for (const auto& assignment : part.assignments) note(assignment.value, assignment.column);
        for (const auto& restriction : part.where) note(restriction.value, restriction.column);
    }
    return columns;
}

}  // namespace

Answers::Answers(const TenantTable& table, std::size_t value_size) : table_(table) {
    Bytes value(value_size);
    // No run of equal bytes, so that compression has work to do and little to gain.
    std::uint32_t state = 1;
    for (auto& byte : value) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<Byte>(state >> 24);
    }
    cql::RowsBuilder row(table.keyspace, table.name);
    row.add_column(std::string(kResultColumn), cql::scalar(cql::TypeKind::blob));
    row.add(cql::CellView(value));
    for (const auto version : cql::kAllVersions) {
        cql::ResponseHead head;
        head.version = version;
        cql::encode_rows(rows_[index(version)][0], head, row.view(false));
        cql::encode_rows(rows_[index(version)][1], head, row.view(true));
        cql::encode_void(applied_[index(version)], head);
    }
}

cql::RowsMetadata Answers::result_columns() const {
    cql::RowsMetadata columns;
    columns.flags = cql::metadata_flag::kGlobalTable;
    columns.column_count = 1;
    columns.global = {table_.keyspace, table_.name};
    columns.columns.push_back({table_.keyspace, table_.name, kResultColumn, cql::scalar(cql::TypeKind::blob)});
    return columns;
}

void Answers::prepare(Bytes& out, const cql::ResponseHead& head, std::string_view text) const {
    const bool reads = of_text(text) == Answer::rows;
    auto id = cql::md5({text});
    std::ranges::copy(kIdMark, id.begin());
    id[kIdMark.size()] = static_cast<Byte>(reads ? kReads : kWrites);

    cql::PreparedResult prepared;
    prepared.id = id;
    const auto result_id = cql::md5({table_.keyspace, table_.name, reads ? kResultColumn : std::string_view()});
    if (head.version == cql::ProtocolVersion::v5) prepared.result_metadata_id = BytesView(result_id);
    const auto statement = cql::parse(text);
    const auto columns = marker_columns(statement);
    prepared.metadata.flags = columns.empty() ? 0 : cql::metadata_flag::kGlobalTable;
    prepared.metadata.column_count = static_cast<std::int32_t>(columns.size());
    prepared.metadata.global = {table_.keyspace, table_.name};
    for (const auto column : columns) {
        const auto kind = column == table_.tenant_column ? cql::TypeKind::uuid
                          : column == "id"               ? cql::TypeKind::bigint
                                                         : cql::TypeKind::blob;
        prepared.metadata.columns.push_back({table_.keyspace, table_.name, column, cql::scalar(kind)});
    }
    const auto tenant = std::ranges::find(columns, table_.tenant_column);
    const auto row = std::ranges::find(columns, "id");
    if (tenant != columns.end() && row != columns.end()) {
        prepared.metadata.pk_indices = {static_cast<std::uint16_t>(tenant - columns.begin()),
                                        static_cast<std::uint16_t>(row - columns.begin())};
    }
    if (reads) prepared.result_metadata = result_columns();
    cql::encode_prepared(out, head, prepared);
}

std::optional<Answer> Answers::of_id(BytesView id) {
    if (id.size() != sizeof(cql::Md5) || !text_of(id).starts_with(kIdMark)) return std::nullopt;
    return id[kIdMark.size()] == kReads ? Answer::rows : Answer::applied;
}

std::optional<Answer> Answers::of_text(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return std::nullopt;
    text.remove_prefix(first);
    if (begins_with_word(text, "select")) return Answer::rows;
    for (const auto verb : {"insert", "update", "delete", "begin"}) {
        if (begins_with_word(text, verb)) return Answer::applied;
    }
    return std::nullopt;
}

}  // namespace penumbra::bench
