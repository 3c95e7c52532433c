#include "proxy/virtual_select.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/protocol/responses.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "proxy/backend_reply.h"
#include "proxy/paging.h"
#include "proxy/prepared.h"

namespace penumbra::proxy {

namespace {

using cql::TermKind;

/// The tag of paging states that are neither cluster's: ours.
constexpr Byte kOwnPages = 2;

}  // namespace

cql::RowsView VirtualAnswer::view() const {
    cql::RowsMetadata metadata;
    metadata.column_count = static_cast<std::int32_t>(columns.size());
    if (paging_state) metadata.paging_state = cql::CellView(*paging_state);
    if (new_metadata_id) metadata.new_metadata_id = BytesView(*new_metadata_id);
    if (no_metadata) {
        metadata.flags = cql::metadata_flag::kNoMetadata;
    } else {
        for (const auto& column : columns)
            metadata.columns.push_back({column.keyspace, column.table, column.name, column.type});
        if (!columns.empty()) {
            metadata.flags = cql::metadata_flag::kGlobalTable;
            metadata.global = {columns[0].keyspace, columns[0].table};
        }
    }
    return {std::move(metadata), static_cast<std::int32_t>(rows.size()), cells};
}

VirtualSelect::VirtualSelect(Setting setting, Bytes frame, std::string text)
    : setting_(std::move(setting)), frame_(std::move(frame)), statement_(std::move(text)) {}

Task<Result<VirtualAnswer>> VirtualSelect::run(std::unique_ptr<VirtualSelect> self) {
    auto answer = co_await self->select();
    if (answer) {
        Writer out(answer.value().cells);
        for (const auto& row : answer.value().rows) {
            for (const auto& cell : row) cql::write_value(out, cql::view_of(cell));
        }
    }
    co_return answer;
}

Status VirtualSelect::read_request() {
    TRY(const auto frame, cql::view_frame(frame_, cql::Direction::request));
    version_ = frame.version();
    traced_ = frame.header.has(cql::header_flag::kTracing);
    if (frame.header.opcode == cql::Opcode::execute) {
        TRY(auto execute, cql::decode_execute(frame));
        parameters_ = execute.parameters;
        prepared_ = true;
        metadata_id_ = execute.result_metadata_id;
    } else {
        TRY(auto query, cql::decode_query(frame));
        parameters_ = query.parameters;
    }
    return ok();
}

Task<Result<VirtualAnswer>> VirtualSelect::select() {
    CO_TRY(read_request());
    const auto& statement = *statement_;
    table_ = setting_.schema->table("system", statement.table.name);
    VirtualAnswer answer;
    if (is_plain()) {
        find_outputs();
        columns_ = plain_columns();
    } else {
        auto judged = co_await judge();
        if (!judged || !judged.value().frame.empty()) co_return judged;
        answer.tracing_id = judged.value().tracing_id;
        answer.warnings = std::move(judged.value().warnings);
        if (table_ == nullptr || !statement.complete)
            co_return refuse_select(cql::ErrorCode::invalid,
                                    "this proxy cannot run that SELECT over its own system tables");
        find_outputs();
        if (outputs_.size() != columns_.size())
            co_return refuse_select(cql::ErrorCode::server_error, "the primary sees other columns in this SELECT");
    }
    rows_ = setting_.tables.rows(*table_, *setting_.primary, setting_.shadow.get());

    auto worked_out = co_await predicates();
    CO_TRY(auto where, std::move(worked_out));
    auto partition = co_await limit_of(&statement.per_partition_limit);
    CO_TRY(const auto per_partition, std::move(partition));
    auto whole = co_await limit_of(&statement.limit);
    CO_TRY(const auto limit, std::move(whole));
    const bool aggregates = std::ranges::any_of(outputs_, [](const auto& output) {
        return output.expression && !cql::aggregates_of(*output.expression).empty();
    });
    const bool grouped = !statement.group_by.empty();
    cql::RowChoice choice{std::move(where), &statement, grouped ? std::nullopt : per_partition};
    const auto chosen = choice.choose(*table_, rows_);

    std::vector<cql::MemoryRows> groups;
    if (aggregates && !grouped) {
        groups.push_back(chosen);
    } else if (grouped) {
        std::vector<std::size_t> by;
        for (const auto& term : statement.group_by) {
            if (const auto* column = table_->column(term.text)) by.push_back(cql::column_index(*table_, *column));
        }
        for (auto& group : cql::group_rows(*table_, by, chosen)) {
            const auto before = std::ranges::count_if(groups, [&](const auto& other) {
                return cql::same_partition(*table_, *other.front(), *group.front());
            });
            if (!per_partition || static_cast<std::size_t>(before) < *per_partition) groups.push_back(std::move(group));
        }
    } else {
        for (const auto* row : chosen) groups.push_back({row});
    }
    if (limit && groups.size() > *limit) groups.resize(*limit);

    auto begin = page_start(groups);
    CO_TRY(const auto start, std::move(begin));
    auto end = groups.size();
    const auto page = parameters_.page_size.value_or(0);
    if (page > 0 && !aggregates && end - start > static_cast<std::size_t>(page)) {
        end = start + static_cast<std::size_t>(page);
        answer.paging_state = paging_state_after(end, *groups[end - 1].front());
    }
    for (auto at = start; at < end; ++at) {
        auto made = co_await output_row(&groups[at]);
        CO_TRY(auto row, std::move(made));
        answer.rows.push_back(std::move(row));
    }
    answer.columns = columns_;
    if (statement.select_json)
        answer.columns = {{"system", std::string(table_->name), "[json]", cql::scalar(cql::TypeKind::text)}};
    describe(answer);
    co_return answer;
}

void VirtualSelect::describe(VirtualAnswer& answer) const {
    const bool spare = parameters_.has(cql::query_flag::kSkipMetadata);
    if (!prepared_) {
        answer.no_metadata = spare;
        return;
    }
    const auto columns = digest_of(answer.view().metadata);
    if (version_ < cql::ProtocolVersion::v5) {
        answer.no_metadata = spare && setting_.told == columns;
    } else if (metadata_id_ && equal(*metadata_id_, columns)) {
        answer.no_metadata = spare;
    } else {
        // Whatever the client asked for: it would read these rows by columns that are not theirs.
        answer.new_metadata_id = columns;
    }
}

// ---- what needs nobody else

bool VirtualSelect::is_plain_value(const cql::Restriction& restriction) const {
    using Subject = cql::Restriction::Subject;
    if (restriction.subject != Subject::column || restriction.op != cql::Operator::eq) return false;
    const auto* column = table_->column(restriction.column);
    if (column == nullptr ||
        (column->kind != cql::ColumnKind::partition_key && column->kind != cql::ColumnKind::clustering))
        return false;
    if (restriction.value.is_marker()) {
        const auto value = bound(restriction.value);
        return value.has_value() && !value.bytes().empty() && cql::validate(*column->type, value.bytes());
    }
    return restriction.value.is(TermKind::string) &&
           cql::from_literal(*column->type, restriction.value.range.in(statement_.text()));
}

bool VirtualSelect::is_plain() const {
    const auto& s = *statement_;
    if (table_ == nullptr || !s.complete || s.select_json || s.distinct || s.per_partition_limit || traced_ ||
        s.allow_filtering || s.bypass_cache || !s.group_by.empty() || !s.order_by.empty() || !s.volatiles.empty() ||
        s.with.timeout || s.selectors.empty() || parameters_.serial_consistency ||
        parameters_.values.size() != s.marker_count)
        return false;
    // One replica holds system tables: the primary knows which levels that is too few for, and how it says so.
    if (parameters_.consistency != cql::Consistency::one && parameters_.consistency != cql::Consistency::local_one)
        return false;
    std::size_t counts = 0;
    for (const auto& selector : s.selectors) {
        const auto& expression = selector.expression;
        if (selector.alias.size() > 0xFFFF) return false;  // no answer can say such a name
        if (cql::is_count_of_rows(expression) && expression.elements[0].is(TermKind::star) &&
            expression.text == "count") {
            ++counts;
        } else if (expression.is(TermKind::column)) {
            if (table_->column(expression.text) == nullptr) return false;
        } else if (!expression.is(TermKind::star) || s.selectors.size() != 1) {
            return false;
        }
    }
    if (counts != 0 && counts != s.selectors.size()) return false;
    if (s.limit &&
        (!s.limit.is(TermKind::integer) || s.limit.text.size() > 9 || s.limit.text.find_first_of("123456789") != 0))
        return false;
    std::size_t keys = 0;
    bool partition = false;
    for (const auto& restriction : s.where) {
        if (!is_plain_value(restriction)) return false;
        ++keys;
        partition |= table_->column(restriction.column)->kind == cql::ColumnKind::partition_key;
    }
    // At most the key's columns, none twice; a clustering column alone would need ALLOW FILTERING.
    if (keys == 2 && s.where[0].column == s.where[1].column) return false;
    // Cassandra warns of an aggregate over all partitions, ScyllaDB does not.
    if (counts != 0 && !partition) return false;
    return keys == 0 || (partition && keys <= 2);
}

void VirtualSelect::find_outputs() {
    for (const auto& selector : statement_->selectors) {
        const auto& expression = selector.expression;
        if (expression.is(TermKind::star)) {
            for (const auto& column : table_->columns) outputs_.push_back({&column, nullptr, {}});
        } else if (expression.is(TermKind::column)) {
            outputs_.push_back({table_->column(expression.text), nullptr, selector.alias});
        } else {
            outputs_.push_back({nullptr, &expression, selector.alias});
        }
    }
}

std::vector<cql::Column> VirtualSelect::plain_columns() const {
    std::vector<cql::Column> columns;
    for (const auto& output : outputs_) {
        const auto name = !output.alias.empty() ? std::string(output.alias)
                          : output.column       ? output.column->name
                                                : std::string("count");
        columns.push_back(
            {"system", table_->name, name, output.column ? output.column->type : cql::scalar(cql::TypeKind::bigint)});
    }
    return columns;
}

// ---- what the primary is asked

Task<Result<Bytes>> VirtualSelect::ask(std::string text, std::vector<cql::CellView> values, bool as_client) {
    cql::RequestHead head;
    head.version = version_;
    cql::Parameters parameters;
    parameters.consistency = as_client ? parameters_.consistency : cql::Consistency::one;
    std::vector<std::string_view> names;
    if (as_client) {
        if (traced_) head.flags |= cql::header_flag::kTracing;
        for (const auto& value : parameters_.values) {
            values.push_back(value.value);
            if (parameters_.values.named()) names.push_back(value.name);
        }
        parameters.serial_consistency = parameters_.serial_consistency;
        parameters.page_size = parameters_.page_size;  // what is legal may depend on it
    }
    if (values.size() > 0xFFFF)
        co_return refuse_select(cql::ErrorCode::invalid, "this SELECT takes more values than a request can have");
    parameters.values = values;
    parameters.names = names;
    Bytes request;
    cql::encode_query(request, head, text, parameters);
    auto reply =
        co_await ask_primary(setting_.client, setting_.side, setting_.keyspace, std::move(request), setting_.by);
    co_return reply;
}

Task<Result<cql::Rows>> VirtualSelect::ask_values(cql::BoundText selection) {
    auto text = fmt::format("SELECT {} FROM system.local WHERE key='local'", selection.text);
    auto replied = co_await ask(std::move(text), selection.values, false);
    CO_TRY(const auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    auto read = cql::Rows::from(frame);
    if (read && (read.value().empty() || read.value().columns().empty()))
        co_return refuse_select(cql::ErrorCode::server_error, "the primary's system.local is empty");
    co_return read;
}

Task<Result<VirtualAnswer>> VirtualSelect::judge() {
    const auto& statement = *statement_;
    // JSON's one column says nothing of those inside.
    const bool reworded = statement.select_json && !statement.selectors.empty();
    auto text = statement_.text();
    if (reworded) {
        text = fmt::format("SELECT {}{}", statement.distinct ? "DISTINCT " : "",
                           std::string_view(text).substr(statement.selectors[0].expression.range.begin));
    }
    auto replied = co_await ask(std::move(text), {}, true);
    CO_TRY(auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    VirtualAnswer answer;
    if (frame.header.opcode == cql::Opcode::error) {
        if (reworded) {
            // Errors name places in the text: the client's is to be in its own.
            auto original = statement_.text();
            auto again = co_await ask(std::move(original), {}, true);
            CO_TRY(reply, std::move(again));
            auto seen = cql::view_frame(reply, cql::Direction::response);
            CO_TRY(const auto error, std::move(seen));
            if (error.header.opcode != cql::Opcode::error)
                co_return refuse_select(cql::ErrorCode::server_error, "the primary refuses this SELECT without JSON");
        }
        answer.frame = std::move(reply);
        co_return answer;
    }
    auto prefixed = cql::read_response_prefix(frame);
    CO_TRY(const auto prefix, std::move(prefixed));
    answer.tracing_id = prefix.tracing_id;
    for (const auto warning : prefix.warnings) answer.warnings.emplace_back(warning);
    auto decoded = cql::decode_rows(frame);
    CO_TRY(const auto rows, std::move(decoded));
    for (const auto& column : rows.metadata.columns)
        columns_.push_back(
            {std::string(column.keyspace), std::string(column.table), std::string(column.name), column.type});
    co_return answer;
}

// ---- pages

Bytes VirtualSelect::paging_state_after(std::size_t count, const cql::MemoryRow& last) const {
    Bytes state;
    Writer out(state);
    out.raw(kPagingTag);
    out.u8(kOwnPages);
    out.i32(static_cast<std::int32_t>(count));
    for (std::size_t i = 0; i < table_->columns.size(); ++i) {
        const auto kind = table_->columns[i].kind;
        if (kind == cql::ColumnKind::partition_key || kind == cql::ColumnKind::clustering)
            cql::write_value(out, cql::view_of(last[i]));
    }
    return state;
}

Result<std::size_t> VirtualSelect::page_start(const std::vector<cql::MemoryRows>& groups) const {
    if (!parameters_.paging_state || !parameters_.paging_state->has_value()) return std::size_t{0};
    const auto state = parameters_.paging_state->bytes();
    constexpr auto kHead = kPagingTagSize + 4;
    if (state.size() < kHead || !equal(state.first(kPagingTag.size()), kPagingTag) ||
        state[kPagingTag.size()] != kOwnPages)
        return refuse_select(cql::ErrorCode::protocol_error, "Invalid value for the paging state");
    const auto count = static_cast<std::size_t>(load_be<std::uint32_t>(state.data() + kPagingTagSize));
    // Proxies may have come or gone since: the page goes on behind the row that ended the last one, if it is there.
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (!groups[i].empty() && equal(paging_state_after(count, *groups[i].front()), state)) return i + 1;
    }
    return std::min(count, groups.size());
}

}  // namespace penumbra::proxy
