// The rows of the result: each column of ours or an expression over them, one row per group.

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "proxy/virtual_select.h"

namespace penumbra::proxy {

namespace {

using cql::TermKind;

/// When this process began to tell of its peers, for writetime(): their rows were never written.
std::int64_t born_micros() {
    static const std::int64_t at = Clock::system().wall_micros();
    return at;
}

}  // namespace

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
    return refuse_select(cql::ErrorCode::invalid,
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
                co_return refuse_select(cql::ErrorCode::invalid, here.error().what);
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
        values[asked[i]] = {rows.columns()[i].type, cql::owned(rows.cell(0, i))};
        // Nothing of a stored collection is null; nothing of a bound one is an empty collection.
        auto& value = values[asked[i]].value;
        if (terms[asked[i]]->is(TermKind::slice) && value && *value == cql::encode_int(0)) value.reset();
    }
    co_return values;
}

Task<Result<cql::TypedCell>> VirtualSelect::aggregate(const cql::Term* call, const cql::MemoryRows* group) {
    if (cql::is_count_of_rows(*call) || call->elements.empty())
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
        co_return refuse_select(cql::ErrorCode::invalid, result.error().what);
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
            auto cell = std::move(expressions[next++].value);
            // What a ScyllaDB worked out over its own row says nothing where no row was chosen.
            if (row == nullptr && setting_.primary->is_scylla && cql::aggregates_of(*output.expression).empty())
                cell.reset();
            cells.push_back(std::move(cell));
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

}  // namespace penumbra::proxy
