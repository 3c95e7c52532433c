#include "proxy/virtual_select.h"

#include <algorithm>

#include <fmt/format.h>

#include "cql/protocol/responses.h"
#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "proxy/paging.h"

namespace penumbra::proxy {

namespace {

using cql::TermKind;

auto refuse(cql::ErrorCode code, std::string what) {
    return fail(Errc::server, std::move(what), static_cast<std::int32_t>(code));
}

/// The tag of paging states that are neither cluster's: ours.
constexpr Byte kOwnPages = 2;
/// When this process began to tell of its peers, for writetime(): their rows were never written.
std::int64_t born_micros() {
    static const std::int64_t at = Clock::system().wall_micros();
    return at;
}

/// A constant of which its text says all.
bool is_literal(const cql::Term& term) {
    if (term.is_constant() && !term.is(TermKind::null)) return true;
    const bool composite = term.is(TermKind::list) || term.is(TermKind::set) || term.is(TermKind::map) ||
                           term.is(TermKind::udt) || term.is(TermKind::tuple);
    return composite && std::ranges::all_of(term.elements, [](const auto& part) { return is_literal(part); });
}

bool is_count_of_rows(const cql::Term& term) {
    return term.is(TermKind::function) && cql::is_aggregate(term) && term.elements.size() == 1 &&
           (term.elements[0].is(TermKind::star) || term.elements[0].is_constant());
}

cql::Cell owned(cql::CellView cell) {
    if (!cell.has_value()) return std::nullopt;
    return Bytes(cell.bytes().begin(), cell.bytes().end());
}

/// The parts of a list or tuple that was bound as one.
Result<std::vector<cql::Cell>> parts_of(const cql::DataType& type, BytesView value) {
    std::vector<cql::Cell> parts;
    cql::Elements elements(type, value);
    for (cql::Element element;;) {
        TRY(const auto more, elements.next(element));
        if (!more) return parts;
        parts.push_back(owned(element.value));
    }
}

}  // namespace

cql::RowsView VirtualAnswer::view() const {
    cql::RowsMetadata metadata;
    metadata.column_count = static_cast<std::int32_t>(columns.size());
    if (paging_state) metadata.paging_state = cql::CellView(*paging_state);
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

VirtualSelect::VirtualSelect(Setting setting, Bytes frame, std::string text, std::string keyspace)
    : setting_(std::move(setting)),
      frame_(std::move(frame)),
      statement_(std::move(text)),
      keyspace_(std::move(keyspace)) {}

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
        if (table_ == nullptr || !statement.complete)
            co_return refuse(cql::ErrorCode::invalid, "this proxy cannot run that SELECT over its own system tables");
        find_outputs();
        if (outputs_.size() != columns_.size())
            co_return refuse(cql::ErrorCode::server_error, "the primary sees other columns in this SELECT");
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
    answer.no_metadata = parameters_.has(cql::query_flag::kSkipMetadata);
    co_return answer;
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
    std::size_t counts = 0;
    for (const auto& selector : s.selectors) {
        const auto& expression = selector.expression;
        if (is_count_of_rows(expression) && expression.elements[0].is(TermKind::star) && expression.text == "count") {
            ++counts;
        } else if (expression.is(TermKind::column)) {
            if (table_->column(expression.text) == nullptr) return false;
        } else if (!expression.is(TermKind::star)) {
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
        parameters.keyspace = parameters_.keyspace;
    }
    parameters.values = values;
    parameters.names = names;
    Bytes request;
    cql::encode_query(request, head, text, parameters);
    auto reply = co_await setting_.session.send(std::move(request), keyspace_, setting_.by);
    co_return reply;
}

Task<Result<cql::Rows>> VirtualSelect::ask_values(cql::BoundText selection) {
    auto text = fmt::format("SELECT {} FROM system.local WHERE key='local'", selection.text);
    auto replied = co_await ask(std::move(text), selection.values, false);
    CO_TRY(const auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    auto read = cql::Rows::from(frame);
    if (read && read.value().empty())
        co_return refuse(cql::ErrorCode::server_error, "the primary's system.local is empty");
    co_return read;
}

Task<Result<VirtualAnswer>> VirtualSelect::judge() {
    const auto& statement = *statement_;
    auto text = statement_.text();
    if (statement.select_json && !statement.selectors.empty()) {
        // The answer's one column says nothing of those inside.
        text = fmt::format("SELECT {}{}", statement.distinct ? "DISTINCT " : "",
                           std::string_view(text).substr(statement.selectors[0].expression.range.begin));
    }
    auto replied = co_await ask(std::move(text), {}, true);
    CO_TRY(auto reply, std::move(replied));
    auto viewed = cql::view_frame(reply, cql::Direction::response);
    CO_TRY(const auto frame, std::move(viewed));
    VirtualAnswer answer;
    if (frame.header.opcode == cql::Opcode::error) {
        answer.frame = std::move(reply);
        co_return answer;
    }
    auto prefixed = cql::read_response_prefix(frame);
    CO_TRY(const auto prefix, std::move(prefixed));
    answer.tracing_id = prefix.tracing_id;
    auto decoded = cql::decode_rows(frame);
    CO_TRY(const auto rows, std::move(decoded));
    for (const auto& column : rows.metadata.columns)
        columns_.push_back(
            {std::string(column.keyspace), std::string(column.table), std::string(column.name), column.type});
    co_return answer;
}

// ---- values of the text

std::optional<std::size_t> VirtualSelect::slot_of(const cql::Term& marker) const {
    const auto& statement = *statement_;
    const auto ordinal = marker.marker - statement.first_marker;
    if (!setting_.primary->is_scylla || marker.text.empty()) return ordinal;
    // ScyllaDB gives markers of one name one slot.
    std::vector<std::string_view> names;
    for (const auto name : statement.marker_names) {
        if (name == marker.text) return names.size();
        if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    return ordinal;
}

cql::CellView VirtualSelect::bound(const cql::Term& marker) const {
    const auto& values = parameters_.values;
    const auto value = values.named() ? values.by_name(marker.text) : values.nth(*slot_of(marker));
    return value ? value->value : cql::CellView::null();
}

Task<Result<cql::Cell>> VirtualSelect::value_of(const cql::Term* term, cql::TypePtr type) {
    if (term->is_marker()) co_return owned(bound(*term));
    if (term->is(TermKind::null)) co_return cql::Cell();
    const auto text = std::string_view(statement_.text());
    if (is_literal(*term)) {
        auto bytes = cql::from_literal(*type, term->range.in(text));
        if (bytes) co_return cql::Cell(std::move(bytes).value());
    }
    if (cql::is_token(*term)) {
        std::vector<Bytes> parts;
        const auto keys = table_->partition_key();
        for (std::size_t i = 0; i < keys.size() && i < term->elements.size(); ++i) {
            auto part = co_await value_of(&term->elements[i], keys[i]->type);
            CO_TRY(auto bytes, std::move(part));
            if (!bytes) co_return cql::Cell();
            parts.push_back(std::move(*bytes));
        }
        const std::vector<BytesView> views(parts.begin(), parts.end());
        Bytes key;
        CO_TRY(cql::append_partition_key(views, key));
        co_return cql::Cell(cql::encode_bigint(cql::murmur3_token(key).value()));
    }
    cql::BoundText selection;
    if (!setting_.primary->is_scylla) selection.text = fmt::format("({})", cql::to_cql(*type));
    cql::append_bound(
        *term, text, [](const cql::Term&) { return nullptr; },
        [this](const cql::Term& marker) { return bound(marker); }, selection);
    auto asked = co_await ask_values(std::move(selection));
    CO_TRY(const auto rows, std::move(asked));
    co_return owned(rows.cell(0, 0));
}

Task<Result<std::vector<cql::Cell>>> VirtualSelect::values_of(const cql::Term* term, std::vector<cql::TypePtr> types) {
    std::vector<cql::Cell> values;
    if (types.size() == 1) {
        auto value = co_await value_of(term, types[0]);
        CO_TRY(auto cell, std::move(value));
        values.push_back(std::move(cell));
        co_return values;
    }
    if (term->is_marker()) {
        const auto value = bound(*term);
        const auto type = cql::tuple_of(types);
        auto parts = parts_of(*type, value.bytes());
        co_return parts;
    }
    for (std::size_t i = 0; i < types.size() && i < term->elements.size(); ++i) {
        auto value = co_await value_of(&term->elements[i], types[i]);
        CO_TRY(auto cell, std::move(value));
        values.push_back(std::move(cell));
    }
    co_return values;
}

Task<Result<std::vector<cql::Predicate>>> VirtualSelect::predicates() {
    using Subject = cql::Restriction::Subject;
    std::vector<cql::Predicate> predicates;
    for (const auto& restriction : statement_->where) {
        cql::Predicate predicate;
        predicate.subject = restriction.subject;
        predicate.op = restriction.op;
        std::vector<cql::TypePtr> types;
        auto names = restriction.columns;
        if (names.empty()) names.push_back(restriction.column);
        for (const auto name : names) {
            const auto* column = table_->column(name);
            if (column == nullptr || restriction.subject == Subject::other || restriction.subject == Subject::field ||
                restriction.op == cql::Operator::other || restriction.op == cql::Operator::like)
                co_return refuse(cql::ErrorCode::invalid,
                                 "this proxy cannot apply that WHERE to its own system tables");
            predicate.columns.push_back(cql::column_index(*table_, *column));
            types.push_back(column->type);
        }
        if (restriction.subject == Subject::token) types = {cql::scalar(cql::TypeKind::bigint)};
        if (restriction.subject == Subject::element) {
            auto key = co_await value_of(&restriction.key, types[0]->elements.front());
            CO_TRY(predicate.key, std::move(key));
            types = {types[0]->elements.back()};
        }
        const bool of_elements =
            restriction.op == cql::Operator::contains || restriction.op == cql::Operator::not_contains;
        const bool of_keys =
            restriction.op == cql::Operator::contains_key || restriction.op == cql::Operator::not_contains_key;
        if (of_elements) types = {types[0]->elements.back()};
        if (of_keys) types = {types[0]->elements.front()};
        std::vector<const cql::Term*> terms;
        const bool many = restriction.op == cql::Operator::in || restriction.op == cql::Operator::not_in;
        const bool between = restriction.op == cql::Operator::between || restriction.op == cql::Operator::not_between;
        if (many && restriction.value.is_marker()) {
            const auto element = types.size() == 1 ? types[0] : cql::tuple_of(types);
            auto listed = parts_of(*cql::list_of(element), bound(restriction.value).bytes());
            CO_TRY(auto parts, std::move(listed));
            for (auto& part : parts) {
                std::vector<cql::Cell> values{part};
                if (types.size() > 1) {
                    auto split = parts_of(*element, part ? BytesView(*part) : BytesView());
                    CO_TRY(values, std::move(split));
                }
                predicate.operands.push_back(std::move(values));
            }
        } else if (many || between) {
            for (const auto& term : restriction.value.elements) terms.push_back(&term);
        } else if (restriction.value) {
            terms.push_back(&restriction.value);
        }
        for (const auto* term : terms) {
            auto worked_out = co_await values_of(term, types);
            CO_TRY(auto values, std::move(worked_out));
            predicate.operands.push_back(std::move(values));
        }
        predicates.push_back(std::move(predicate));
    }
    co_return predicates;
}

Task<Result<std::optional<std::size_t>>> VirtualSelect::limit_of(const cql::Term* term) {
    if (!*term) co_return std::optional<std::size_t>();
    auto value = co_await value_of(term, cql::scalar(cql::TypeKind::int_));
    CO_TRY(const auto bytes, std::move(value));
    if (!bytes) co_return std::optional<std::size_t>();
    auto decoded = cql::decode_int(*bytes);
    CO_TRY(const auto limit, std::move(decoded));
    co_return std::optional(static_cast<std::size_t>(std::max(limit, 0)));
}

// ---- the rows of the result

cql::TypedCell VirtualSelect::about_cell(const cql::Term& term, const cql::MemoryRow* row) const {
    const bool is_ttl = term.text == "ttl";
    const auto one = cql::scalar(is_ttl ? cql::TypeKind::int_ : cql::TypeKind::bigint);
    const auto* column = table_->column(term.elements[0].text);
    if (row == nullptr || column == nullptr) return {one, std::nullopt};
    const auto& cell = (*row)[cql::column_index(*table_, *column)];
    if (column->type->is_multi_cell() && column->type->is_collection() && term.text != "maxwritetime") {
        const auto list = cql::list_of(one);
        if (!cell) return {list, std::nullopt};
        cql::ElementsBuilder times(*list);
        const auto count = cql::element_count(*column->type, *cell);
        const auto written = cql::encode_bigint(born_micros());
        for (std::size_t i = 0; count && i < count.value(); ++i)
            times.add(is_ttl ? cql::CellView::null() : cql::CellView(written));
        return {list, std::move(times).finish()};
    }
    if (!cell || is_ttl) return {one, std::nullopt};
    return {one, cql::encode_bigint(born_micros())};
}

VirtualSelect::Known VirtualSelect::known_parts(const cql::Term& term, const cql::MemoryRow* row) const {
    Known known;
    const auto add = [&](const auto& self, const cql::Term& part) -> void {
        if (cql::is_about_cell(part) && part.elements.size() == 1) {
            // What the primary knows of its own row is as true of ours.
            if (table_->name != "local") known.emplace(&part, about_cell(part, row));
            return;
        }
        if (cql::is_token(part) && row != nullptr &&
            std::ranges::all_of(part.elements, [](const auto& e) { return e.is(TermKind::column); })) {
            known.emplace(&part, cql::TypedCell{cql::scalar(cql::TypeKind::bigint),
                                                cql::encode_bigint(cql::token_of(*table_, *row).value())});
            return;
        }
        if (part.is(TermKind::column)) {
            const auto* column = table_->column(part.text);
            if (column == nullptr) return;
            // ScyllaDB takes no values where it selects: there its own columns stay, where they are what we show.
            if (setting_.primary->is_scylla && table_->name == "local" && !VirtualTables::is_ours(part.text)) return;
            known.emplace(
                &part, cql::TypedCell{column->type, row ? (*row)[cql::column_index(*table_, *column)] : cql::Cell()});
            return;
        }
        for (std::size_t i = part.is(TermKind::udt) ? 1 : 0; i < part.elements.size();
             i += part.is(TermKind::udt) ? 2 : 1)
            self(self, part.elements[i]);
    };
    add(add, term);
    return known;
}

Result<cql::TypedCell> VirtualSelect::evaluate_here(const cql::Term& term, const Known& known) const {
    if (const auto found = known.find(&term); found != known.end()) return found->second;
    if (term.is(TermKind::cast) && term.elements.size() == 1) {
        TRY(const auto value, evaluate_here(term.elements[0], known));
        TRY(const auto type, cql::parse_type(term.text, "system", cql::no_udts));
        return cql::cast_to(*type, value);
    }
    if (term.is(TermKind::function)) {
        std::vector<cql::TypedCell> arguments;
        for (const auto& part : term.elements) {
            TRY(auto value, evaluate_here(part, known));
            arguments.push_back(std::move(value));
        }
        return cql::call_function(term.text, arguments);
    }
    return refuse(cql::ErrorCode::invalid,
                  "this proxy cannot evaluate that expression over its own system tables on ScyllaDB");
}

Task<Result<std::vector<cql::TypedCell>>> VirtualSelect::evaluate(std::vector<const cql::Term*> terms,
                                                                  const cql::MemoryRow* row, Known known) {
    for (const auto* term : terms) known.merge(known_parts(*term, row));
    std::vector<cql::TypedCell> values(terms.size());
    cql::BoundText selection;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < terms.size(); ++i) {
        if (const auto found = known.find(terms[i]); found != known.end()) {
            values[i] = found->second;
            continue;
        }
        std::size_t parts = 0;
        const cql::KnownPart part_known = [&](const cql::Term& part) -> const cql::TypedCell* {
            const auto found = known.find(&part);
            if (found == known.end()) return nullptr;
            ++parts;
            return &found->second;
        };
        cql::BoundText one;
        cql::append_bound(
            *terms[i], statement_.text(), part_known, [this](const cql::Term& marker) { return bound(marker); }, one);
        if (setting_.primary->is_scylla && parts > 0) {
            auto here = evaluate_here(*terms[i], known);
            if (!here && here.error().code == Errc::unsupported)
                co_return refuse(cql::ErrorCode::invalid, here.error().what);
            CO_TRY(values[i], std::move(here));
            continue;
        }
        if (!selection.text.empty()) selection.text += ", ";
        selection.text += one.text;
        selection.values.insert(selection.values.end(), one.values.begin(), one.values.end());
        asked.push_back(i);
    }
    if (asked.empty()) co_return values;
    auto answered = co_await ask_values(std::move(selection));
    CO_TRY(const auto rows, std::move(answered));
    for (std::size_t i = 0; i < asked.size() && i < rows.columns().size(); ++i) {
        values[asked[i]] = {rows.columns()[i].type, owned(rows.cell(0, i))};
        // Nothing of a stored collection is null; nothing of a bound one is an empty collection.
        auto& value = values[asked[i]].value;
        if (terms[asked[i]]->is(TermKind::slice) && value && *value == cql::encode_int(0)) value.reset();
    }
    co_return values;
}

Task<Result<cql::TypedCell>> VirtualSelect::aggregate(const cql::Term* call, const cql::MemoryRows* group) {
    if (is_count_of_rows(*call) || call->elements.empty())
        co_return cql::TypedCell{cql::scalar(cql::TypeKind::bigint),
                                 cql::encode_bigint(static_cast<std::int64_t>(group->size()))};
    std::vector<cql::Cell> values;
    std::vector<const cql::Term*> argument{&call->elements[0]};
    // Without rows the type has to be asked for all the same: min() of nothing is null, but null of something.
    auto asked = co_await evaluate(argument, group->empty() ? nullptr : group->front(), {});
    CO_TRY(auto first, std::move(asked));
    for (const auto* row : *group) {
        if (row == group->front()) {
            values.push_back(first[0].value);
            continue;
        }
        auto next = co_await evaluate(argument, row, {});
        CO_TRY(auto value, std::move(next));
        values.push_back(std::move(value[0].value));
    }
    auto result = cql::aggregate(call->text, first[0].type, values);
    if (!result && result.error().code == Errc::unsupported)
        co_return refuse(cql::ErrorCode::invalid, result.error().what);
    co_return result;
}

Task<Result<cql::MemoryRow>> VirtualSelect::output_row(const cql::MemoryRows* group) {
    const auto* row = group->empty() ? nullptr : group->front();
    Known known;
    std::vector<const cql::Term*> terms;
    for (const auto& output : outputs_) {
        if (output.expression == nullptr) continue;
        terms.push_back(output.expression);
        for (const auto* call : cql::aggregates_of(*output.expression)) {
            auto made = co_await aggregate(call, group);
            CO_TRY(auto value, std::move(made));
            known.emplace(call, std::move(value));
        }
    }
    std::vector<cql::TypedCell> expressions;
    if (!terms.empty()) {
        auto evaluated = co_await evaluate(terms, row, std::move(known));
        CO_TRY(expressions, std::move(evaluated));
    }
    cql::MemoryRow cells;
    std::size_t next = 0;
    for (const auto& output : outputs_) {
        if (output.expression) {
            cells.push_back(std::move(expressions[next++].value));
        } else {
            cells.push_back(row ? (*row)[cql::column_index(*table_, *output.column)] : cql::Cell());
        }
    }
    if (!statement_->select_json) co_return cells;
    std::string json;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        auto name = columns_[i].name;
        // The server's own rule for names that are not lower case.
        if (std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; })) name = '"' + name + '"';
        json += fmt::format("{}{}: {}", json.empty() ? "{" : ", ", cql::json_string(name),
                            cql::to_json(*columns_[i].type, cql::view_of(cells[i])));
    }
    co_return cql::MemoryRow{cql::encode_text(json + '}')};
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
        return refuse(cql::ErrorCode::protocol_error, "Invalid value for the paging state");
    const auto count = static_cast<std::size_t>(load_be<std::uint32_t>(state.data() + kPagingTagSize));
    // Proxies may have come or gone since: the page goes on behind the row that ended the last one, if it is there.
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (!groups[i].empty() && equal(paging_state_after(count, *groups[i].front()), state)) return i + 1;
    }
    return std::min(count, groups.size());
}

}  // namespace penumbra::proxy
