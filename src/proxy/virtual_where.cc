// What the statement's WHERE and LIMIT compare with: constants, what was bound, and what only a server can work out.

#include <algorithm>

#include <fmt/format.h>

#include "cql/types/elements.h"
#include "cql/types/scalars.h"
#include "cql/types/value.h"
#include "proxy/virtual_select.h"

namespace penumbra::proxy {

namespace {

using cql::TermKind;

/// A constant of which its text says all.
bool is_literal(const cql::Term& term) {
    if (term.is_constant() && !term.is(TermKind::null)) return true;
    const bool composite = term.is(TermKind::list) || term.is(TermKind::set) || term.is(TermKind::map) ||
                           term.is(TermKind::udt) || term.is(TermKind::tuple);
    return composite && std::ranges::all_of(term.elements, [](const auto& part) { return is_literal(part); });
}

/// The parts of a list or tuple that was bound as one.
Result<std::vector<cql::Cell>> parts_of(const cql::DataType& type, BytesView value) {
    std::vector<cql::Cell> parts;
    cql::Elements elements(type, value);
    for (cql::Element element;;) {
        TRY(const auto more, elements.next(element));
        if (!more) return parts;
        parts.push_back(cql::owned(element.value));
    }
}

}  // namespace

cql::CellView VirtualSelect::bound(const cql::Term& marker) const {
    const auto& values = parameters_.values;
    if (!bound_) {
        bound_.emplace(Bound{cql::NamedSlots(*statement_), {}, {}});
        for (const auto& value : values) {
            bound_->in_order.push_back(value.value);
            if (values.named()) bound_->by_name.emplace(value.name, value.value);
        }
    }
    if (values.named()) {
        const auto found = bound_->by_name.find(marker.text);
        return found == bound_->by_name.end() ? cql::CellView::null() : found->second;
    }
    const auto count = static_cast<std::uint32_t>(values.size());
    const auto place = bound_->slots.position(marker.marker, count).value_or(marker.marker);
    return place < bound_->in_order.size() ? bound_->in_order[place] : cql::CellView::null();
}

Task<Result<cql::Cell>> VirtualSelect::value_of(const cql::Term* term, cql::TypePtr type) {
    if (term->is_marker()) co_return cql::owned(bound(*term));
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
    co_return cql::owned(rows.cell(0, 0));
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
                co_return refuse_select(cql::ErrorCode::invalid,
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

}  // namespace penumbra::proxy
